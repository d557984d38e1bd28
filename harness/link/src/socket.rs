//! One end of a connection: a TCP socket that does not block, watched for what comes in.

use crate::{
    pipe::{Sink, Source},
    token::Watched,
};
use mio::{Interest, Registry, event::Event, net::TcpStream};
use socket2::SockRef;
use std::{
    io::{self, ErrorKind, Read as _, Write as _},
    net::{Shutdown, SocketAddr},
    time::Duration,
};

/// It is watched for room in its send buffer only while that is full: each time the other side has read, a poll would wake for
/// nothing.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    watched: Watched,
    /// What it is watched for.
    interest: Interest,
    /// It may have something to read. The poll tells of changes alone, so this is remembered until a read has said no.
    is_ready: bool,
    /// Its end was announced, and must be read: there will be no more announcements.
    is_ending: bool,
    /// It was reset. The kernel tells by the poll, and then once more to whoever asks first; a read after that, or after the end
    /// of what the other side sends, would see an ordinary end.
    is_reset: bool,
}

impl Socket {
    /// A connection that was accepted.
    pub(crate) fn accepted(stream: TcpStream, watched: Watched, registry: &Registry) -> io::Result<Socket> {
        Socket::new(stream, watched, Interest::READABLE, registry)
    }

    /// Begins to connect; see [`is_connected`](Self::is_connected).
    pub(crate) fn connect(to: SocketAddr, watched: Watched, registry: &Registry) -> io::Result<Socket> {
        let stream = TcpStream::connect(to)?;
        // Over loopback it is connected by now, unless the other side's queue is full.
        let is_connected = stream.peer_addr().is_ok();
        let interest = if is_connected { Interest::READABLE } else { Interest::READABLE | Interest::WRITABLE };
        Socket::new(stream, watched, interest, registry)
    }

    fn new(stream: TcpStream, watched: Watched, interest: Interest, registry: &Registry) -> io::Result<Socket> {
        // Fails only on a connection that is dead already, as its first read will tell.
        let _ = stream.set_nodelay(true);
        let mut socket = Socket { stream, watched, interest, is_ready: false, is_ending: false, is_reset: false };
        registry.register(&mut socket.stream, watched.into(), interest)?;
        Ok(socket)
    }

    /// Is it connected? `None`: not yet.
    pub(crate) fn is_connected(&mut self) -> Option<bool> {
        match self.stream.take_error() {
            Ok(None) => self.stream.peer_addr().is_ok().then_some(true),
            // It was, and may have sent something before it was reset.
            Ok(Some(error)) if is_reset(&error) => {
                self.is_reset = true;
                Some(true)
            }
            Ok(Some(_)) | Err(_) => Some(false),
        }
    }

    /// Takes in what the poll says of it.
    pub(crate) fn hear(&mut self, event: &Event) {
        self.is_reset |= event.is_error();
        self.is_ending |= event.is_read_closed() || event.is_error();
        self.is_ready |= event.is_readable() || self.is_ending;
    }

    /// Has it watched for room in its send buffer, or not.
    pub(crate) fn watch_for_room(&mut self, wanted: bool, registry: &Registry) -> io::Result<()> {
        let interest = if wanted { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
        if interest != self.interest {
            registry.reregister(&mut self.stream, self.watched.into(), interest)?;
            self.interest = interest;
        }
        Ok(())
    }

    /// Passes on the end of what the other side sends.
    pub(crate) fn finish(&self) {
        // Fails only on a connection that is dead already, as its next read will tell.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Ends the connection with a reset.
    pub(crate) fn reset(self) {
        // Fails only on a connection that is dead already.
        let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }

    /// Remembers that the kernel has told of a reset, and takes what looks like an ordinary end after it for what it is.
    fn learn(&mut self, read: io::Result<usize>) -> io::Result<usize> {
        self.is_reset |= read.as_ref().is_err_and(is_reset);
        match read {
            Ok(0) if self.is_reset => Err(ErrorKind::ConnectionReset.into()),
            read => read,
        }
    }
}

impl Source for Socket {
    fn is_ready(&self) -> bool {
        self.is_ready
    }

    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = uninterrupted(|| self.stream.read(into));
        match &read {
            // That was all there is, and the poll will tell of more; of an end that it has told of it will not.
            Ok(some) if *some < into.len() && !self.is_ending => self.is_ready = false,
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.is_ready = false,
            _ => {}
        }
        self.learn(read)
    }

    fn peek(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let peeked = uninterrupted(|| self.stream.peek(into));
        self.learn(peeked)
    }
}

impl Sink for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = uninterrupted(|| self.stream.write(bytes));
        self.is_reset |= written.as_ref().is_err_and(is_reset);
        written
    }
}

/// The other side is gone, whatever of it is left to be read.
fn is_reset(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}

fn uninterrupted(mut work: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match work() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}
