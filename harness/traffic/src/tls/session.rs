//! A session of TLS over a socket that does not block. No waiting here: what would block says so.

use super::trust::OtherIdentity;
use rustls::{AlertDescription, CertificateError, ClientConnection, Error, OtherError};
use squall_model::TlsFault;
use std::{
    io::{self, Read, Write},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// One side of a secured connection: ours.
#[derive(Debug)]
pub(crate) struct Session {
    connection: Mutex<ClientConnection>,
    /// What the server has to agree to speak.
    speaks: Option<Vec<u8>>,
}

/// The server speaks something else within TLS.
#[derive(Debug, thiserror::Error)]
#[error("the server does not speak {0} within TLS")]
pub(super) struct WrongProtocol(String);

impl From<&WrongProtocol> for TlsFault {
    fn from(_: &WrongProtocol) -> Self {
        TlsFault::NoProtocol
    }
}

impl Session {
    pub(super) fn new(connection: ClientConnection, speaks: Option<Vec<u8>>) -> Session {
        Session { connection: Mutex::new(connection), speaks }
    }

    fn lock(&self) -> MutexGuard<'_, ClientConnection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes on with the handshake as far as it goes now; true once it is over.
    pub(crate) fn shake_hands<S: Read + Write>(&self, socket: &mut S) -> io::Result<bool> {
        let mut connection = self.lock();
        while connection.is_handshaking() || connection.wants_write() {
            if connection.wants_write() {
                connection.write_tls(socket)?;
            } else {
                match connection.read_tls(socket) {
                    Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                    Ok(_) => process(&mut connection, socket)?,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                    Err(error) => return Err(error),
                }
            }
        }
        self.check_protocol(&connection)?;
        Ok(true)
    }

    /// A server that knows no ALPN speaks HTTP/1.1; HTTP/2 within TLS is agreed on or is not spoken (RFC 9113 section 3.2).
    fn check_protocol(&self, connection: &ClientConnection) -> io::Result<()> {
        match (&self.speaks, connection.alpn_protocol()) {
            (Some(speaks), None) if speaks == b"h2" => {
                Err(io::Error::new(io::ErrorKind::InvalidData, WrongProtocol("HTTP/2".into())))
            }
            _ => Ok(()),
        }
    }

    /// Takes plain bytes, as many as there is room for, and hands the kernel what it takes of their ciphertext. What it does not
    /// take is for [`Session::flush`].
    pub(crate) fn write(&self, socket: &mut impl Write, bytes: &[u8]) -> io::Result<usize> {
        let mut connection = self.lock();
        flush(&mut connection, socket)?;
        let taken = connection.writer().write(bytes)?;
        match flush(&mut connection, socket) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(taken),
        }
    }

    /// Hands the kernel what is left of the ciphertext.
    pub(crate) fn flush(&self, socket: &mut impl Write) -> io::Result<()> {
        flush(&mut self.lock(), socket)
    }

    /// Plain bytes, from what has come in before and else from the socket; none is the end.
    pub(crate) fn read(&self, socket: &mut impl Read, bytes: &mut [u8]) -> io::Result<usize> {
        let mut connection = self.lock();
        loop {
            match connection.reader().read(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
            connection.read_tls(socket)?;
            connection.process_new_packets().map_err(invalid)?;
        }
    }

    /// Plain bytes that have come in before.
    pub(crate) fn read_kept(&self, bytes: &mut [u8]) -> io::Result<usize> {
        self.lock().reader().read(bytes)
    }

    /// True while the server has said nothing on the connection that has not been read, and has not ended it. Tickets for sessions
    /// and changes of keys are nothing said.
    pub(crate) fn is_quiet(&self, socket: &mut impl Read) -> bool {
        matches!(self.read(socket, &mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}

fn flush(connection: &mut ClientConnection, socket: &mut impl Write) -> io::Result<()> {
    while connection.wants_write() {
        connection.write_tls(socket)?;
    }
    Ok(())
}

/// Reads what has come; where that is a reason to end, tells the server so before it is told here.
fn process(connection: &mut ClientConnection, socket: &mut impl Write) -> io::Result<()> {
    let Err(error) = connection.process_new_packets() else { return Ok(()) };
    // Best effort: the server may be gone.
    let _ = flush(connection, socket);
    Err(invalid(error))
}

fn invalid(error: Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// What kind of failure that is.
pub(super) fn fault_of(error: &Error) -> TlsFault {
    match error {
        Error::AlertReceived(AlertDescription::NoApplicationProtocol) | Error::NoApplicationProtocol => {
            TlsFault::NoProtocol
        }
        Error::AlertReceived(_) => TlsFault::TurnedAway,
        Error::InvalidCertificate(why) => match why {
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => TlsFault::Expired,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                TlsFault::WrongIdentity
            }
            CertificateError::Other(OtherError(why)) if why.is::<OtherIdentity>() => TlsFault::WrongIdentity,
            _ => TlsFault::Untrusted,
        },
        Error::InvalidMessage(_) => TlsFault::NotTls,
        _ => TlsFault::Other,
    }
}
