//! A connected socket, Unix or TCP alike.

use crate::{
    clock,
    line::Endpoint,
    stamped::Stamped,
    tls::{self, Session, Tls},
};
use bytes::BytesMut;
use nix::{
    errno::Errno,
    sys::socket::{MsgFlags, recv},
};
use squall_model::{Stamp, TlsFault};
use std::{
    cell::RefCell,
    future::poll_fn,
    io::{self, Read as _, Write as _},
    net,
    os::{
        fd::{AsRawFd, RawFd},
        unix,
    },
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{
        Interest,
        unix::{AsyncFd, AsyncFdReadyGuard},
    },
    net::{TcpStream, UnixStream},
    time::{Sleep, sleep_until},
};

/// Most bytes taken from the kernel at once.
const READ: usize = 8 * 1024;
/// Until a send buffer that was full is looked at again. A request is smaller than an empty one.
const FULL: Duration = Duration::from_millis(1);

thread_local! {
    /// Where bytes are on the way from the kernel to whom they are for: not in what a call is, for that is moved, and not cleared each time.
    static SCRATCH: RefCell<[u8; READ]> = const { RefCell::new([0; READ]) };
}

/// A connected socket that does not block.
#[derive(Debug)]
enum Raw {
    Unix(unix::net::UnixStream),
    Tcp(net::TcpStream),
    Stamped(Stamped),
}

impl Raw {
    async fn connect(to: &Endpoint, stamps: bool) -> io::Result<Raw> {
        match to {
            Endpoint::Unix(path) => Ok(Raw::Unix(UnixStream::connect(path).await?.into_std()?)),
            Endpoint::Tcp(address) => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                let stream = stream.into_std()?;
                Ok(if stamps { Raw::Stamped(Stamped::new(stream)) } else { Raw::Tcp(stream) })
            }
        }
    }
}

impl io::Read for &Raw {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Raw::Unix(stream) => (&mut &*stream).read(bytes),
            Raw::Tcp(stream) => (&mut &*stream).read(bytes),
            Raw::Stamped(stamped) => stamped.read(bytes),
        }
    }
}

impl io::Write for &Raw {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Raw::Unix(stream) => (&mut &*stream).write(bytes),
            Raw::Tcp(stream) => (&mut &*stream).write(bytes),
            Raw::Stamped(stamped) => (&mut &stamped.stream).write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsRawFd for Raw {
    fn as_raw_fd(&self) -> RawFd {
        match self {
            Raw::Unix(stream) => stream.as_raw_fd(),
            Raw::Tcp(stream) => stream.as_raw_fd(),
            Raw::Stamped(stamped) => stamped.stream.as_raw_fd(),
        }
    }
}

/// A connection's socket, watched for what comes in alone; secured, where TLS is spoken on it.
///
/// tokio's own streams are woken for room in the send buffer too, and on a Unix socket that is each time the other side reads a
/// request: a wake-up for nothing, which costs several times what the call does.
#[derive(Debug)]
pub(crate) struct Socket {
    raw: AsyncFd<Raw>,
    /// Not in place: it is large, few have one, and a connection is moved with each call.
    session: Option<Box<Session>>,
    /// What ended the session, if TLS did.
    fault: Arc<OnceLock<TlsFault>>,
}

impl Socket {
    /// With `stamps`, what comes in over TCP is known by when it came ([`Socket::arrived`]).
    pub(crate) async fn connect(to: &Endpoint, stamps: bool) -> io::Result<Socket> {
        let raw = Raw::connect(to, stamps).await?;
        #[expect(unsafe_code, reason = "tokio has no other way to watch a socket for reading only")]
        // SAFETY: `Raw` owns its descriptor, names the same one for ever, and closes it only when it is dropped.
        let raw = unsafe { AsyncFd::register_with_interest(raw, Interest::READABLE) }?;
        Ok(Socket { raw, session: None, fault: Arc::default() })
    }

    /// Makes the handshake of TLS; from then on what is written and read is secured.
    pub(crate) async fn secure(&mut self, tls: &Tls) -> Result<(), TlsFault> {
        let session = tls.session().map_err(|_| TlsFault::Other)?;
        self.shake_hands(&session).await.map_err(|error| tls::fault(&error).unwrap_or(TlsFault::BrokenOff))?;
        self.session = Some(Box::new(session));
        Ok(())
    }

    async fn shake_hands(&self, session: &Session) -> io::Result<()> {
        let mut ready = None;
        loop {
            match session.shake_hands(&mut self.raw.get_ref()) {
                Ok(true) => return Ok(()),
                Ok(false) => {
                    // What was there has been read: the guard forgets nothing that came after it was taken.
                    if let Some(mut ready) = ready.take() {
                        AsyncFdReadyGuard::clear_ready(&mut ready);
                    }
                    ready = Some(self.raw.readable().await?);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => room().await,
                Err(error) => return Err(error),
            }
        }
    }

    /// What ended the session, for who outlives the socket.
    pub(crate) fn fault(&self) -> Arc<OnceLock<TlsFault>> {
        Arc::clone(&self.fault)
    }

    /// True while the other side has neither closed the connection nor said anything that has not been read.
    ///
    /// Asks the kernel, not tokio: what tokio knows of a socket is as old as its last look at the poll.
    pub(crate) fn is_quiet(&self) -> bool {
        let nothing = recv(self.raw.as_raw_fd(), &mut [0], MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT);
        nothing == Err(Errno::EAGAIN)
    }

    /// The same of what is said within TLS: tickets and new keys are nothing said.
    pub(crate) fn is_quiet_within(&self) -> bool {
        match &self.session {
            None => self.is_quiet(),
            Some(session) => self.is_quiet() || session.is_quiet(&mut self.raw.get_ref()),
        }
    }

    /// Bytes that have come in, without waiting for any; none is the end.
    ///
    /// Asks the kernel, and leaves what tokio knows of the socket as it is: that may be woken once for nothing.
    pub(crate) fn try_read(&self, bytes: &mut [u8]) -> io::Result<usize> {
        match &self.session {
            None => self.raw.get_ref().read(bytes),
            Some(session) => session.read(&mut self.raw.get_ref(), bytes),
        }
    }

    /// Hands the kernel as many bytes as it takes now.
    pub(crate) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        match &self.session {
            None => self.raw.get_ref().write(bytes),
            Some(session) => session.write(&mut self.raw.get_ref(), bytes),
        }
    }

    /// Hands the kernel what was taken and is not with it yet: nothing but ciphertext is ever kept back.
    pub(crate) fn flush(&self) -> io::Result<()> {
        match &self.session {
            None => Ok(()),
            Some(session) => session.flush(&mut self.raw.get_ref()),
        }
    }

    /// When the last of what was read came in, where the kernel was asked to say so.
    pub(crate) fn arrived(&self) -> Option<Stamp> {
        match self.raw.get_ref() {
            Raw::Stamped(stamped) => stamped.arrived(),
            Raw::Unix(_) | Raw::Tcp(_) => None,
        }
    }

    /// Waits for bytes and appends them; none is the end.
    pub(crate) async fn read(&self, buffer: &mut BytesMut) -> io::Result<usize> {
        if self.session.is_some() {
            return poll_fn(|cx| self.poll_read_to(cx, buffer)).await;
        }
        loop {
            let mut ready = self.raw.readable().await?;
            let read = SCRATCH.with_borrow_mut(|bytes| {
                let read = ready.get_inner().read(bytes)?;
                buffer.extend_from_slice(&bytes[..read]);
                Ok(read)
            });
            match read {
                Err(error) if io::Error::kind(&error) == io::ErrorKind::WouldBlock => ready.clear_ready(),
                // That was all there is. tokio remembers a close by itself, and else another edge will come.
                Ok(read) if read < READ => {
                    ready.clear_ready();
                    return Ok(read);
                }
                other => return other,
            }
        }
    }

    fn poll_read_to(&self, cx: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<usize>> {
        SCRATCH.with_borrow_mut(|bytes| {
            let read = ready!(self.poll_read(cx, bytes))?;
            buffer.extend_from_slice(&bytes[..read]);
            Poll::Ready(Ok(read))
        })
    }

    /// The same for who is polled: puts bytes at the beginning of `bytes`.
    pub(crate) fn poll_read(&self, cx: &mut Context<'_>, bytes: &mut [u8]) -> Poll<io::Result<usize>> {
        if let Some(session) = &self.session {
            return self.poll_read_within(session, cx, bytes);
        }
        loop {
            let mut ready = ready!(self.raw.poll_read_ready(cx))?;
            match ready.get_inner().read(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready.clear_ready(),
                Err(error) => return Poll::Ready(Err(error)),
                Ok(read) => {
                    if read < bytes.len() {
                        ready.clear_ready();
                    }
                    return Poll::Ready(Ok(read));
                }
            }
        }
    }

    /// What the session has kept comes first: no edge will tell of it.
    fn poll_read_within(&self, session: &Session, cx: &mut Context<'_>, bytes: &mut [u8]) -> Poll<io::Result<usize>> {
        match session.read_kept(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            other => return Poll::Ready(other),
        }
        loop {
            let mut ready = ready!(self.raw.poll_read_ready(cx))?;
            match session.read(&mut ready.get_inner(), bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready.clear_ready(),
                Err(error) => {
                    if let Some(fault) = tls::fault(&error) {
                        // Only the first is one of the connection's.
                        let _ = self.fault.set(fault);
                    }
                    return Poll::Ready(Err(error));
                }
                read => return Poll::Ready(read),
            }
        }
    }
}

/// Returns when it is time to look whether a full send buffer has room again.
pub(crate) fn room() -> Sleep {
    sleep_until(clock::instant(clock::now() + FULL))
}
