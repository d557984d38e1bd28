//! Unix sockets and TCP alike.

use crate::Endpoint;
use bytes::BytesMut;
use nix::{
    errno::Errno,
    sys::socket::{MsgFlags, recv, send, setsockopt, sockopt::Linger},
};
use std::{
    io,
    os::{
        fd::{AsFd as _, AsRawFd as _, OwnedFd},
        unix::net::{UnixListener as StdUnixListener, UnixStream as StdUnixStream},
    },
    path::Path,
    task::{Context, Poll, ready},
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
};

/// Room for a whole head with all that two proxies add, so that one `recv` is enough.
const ROOM: usize = 2 * 1024;

/// A listening socket.
#[derive(Debug)]
pub(crate) enum Listener {
    Unix(UnixListener),
    Tcp(TcpListener),
}

impl Listener {
    pub(crate) async fn bind(at: &Endpoint) -> io::Result<Listener> {
        match at {
            Endpoint::Unix(path) => bind_unix(path).map(Listener::Unix),
            Endpoint::Tcp(address) => TcpListener::bind(address).await.map(Listener::Tcp),
        }
    }

    /// Where it listens; the kernel's port where none was asked for.
    pub(crate) fn endpoint(&self, asked: &Endpoint) -> io::Result<Endpoint> {
        match self {
            Listener::Unix(_) => Ok(asked.clone()),
            Listener::Tcp(listener) => listener.local_addr().map(Endpoint::Tcp),
        }
    }

    pub(crate) async fn accept(&self) -> io::Result<Stream> {
        match self {
            Listener::Unix(listener) => Stream::of_unix(listener.accept().await?.0),
            Listener::Tcp(listener) => Stream::of_tcp(listener.accept().await?.0),
        }
    }
}

/// Listens on a Unix socket, in place of one that a dead process left behind, never of a living one's: the kernel would
/// allow the path to be taken over, and leave its owner running where nobody can reach it.
pub(crate) fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    let listener = match StdUnixListener::bind(path) {
        Err(e) if e.kind() == io::ErrorKind::AddrInUse && is_dead(path) => {
            std::fs::remove_file(path)?;
            StdUnixListener::bind(path)?
        }
        other => other?,
    };
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener)
}

fn is_dead(path: &Path) -> bool {
    StdUnixStream::connect(path).is_err_and(|e| e.kind() == io::ErrorKind::ConnectionRefused)
}

/// Watches a descriptor for what comes in, and for nothing else.
#[expect(unsafe_code, reason = "tokio has no other way to watch any descriptor, or a socket for reading alone")]
pub(crate) fn watch(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` names one open descriptor for as long as it lives, and closes it only when it is dropped.
    Ok(unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }?)
}

/// A connection.
///
/// tokio's own streams are woken for room in the send buffer too, and on a Unix socket that is each time the peer has
/// read an answer: a wake-up for nothing, which costs more than the try did.
#[derive(Debug)]
pub(crate) struct Stream(AsyncFd<OwnedFd>);

impl Stream {
    pub(crate) async fn connect(to: &Endpoint) -> io::Result<Stream> {
        match to {
            Endpoint::Unix(path) => Stream::of_unix(UnixStream::connect(path).await?),
            Endpoint::Tcp(address) => Stream::of_tcp(TcpStream::connect(address).await?),
        }
    }

    pub(crate) fn of_unix(stream: UnixStream) -> io::Result<Stream> {
        watch(stream.into_std()?.into()).map(Stream)
    }

    fn of_tcp(stream: TcpStream) -> io::Result<Stream> {
        stream.set_nodelay(true)?;
        watch(stream.into_std()?.into()).map(Stream)
    }

    /// Waits for bytes and appends them to `buffer`; 0 is the end. Dropped before it is done, it has taken none.
    pub(crate) async fn read(&self, buffer: &mut BytesMut) -> io::Result<usize> {
        loop {
            let mut ready = self.0.readable().await?;
            let before = buffer.len();
            buffer.resize(before + ROOM, 0);
            let read = recv(self.0.as_raw_fd(), &mut buffer[before..], MsgFlags::empty());
            buffer.truncate(before + read.unwrap_or(0));
            match read {
                Ok(n) => {
                    if n < ROOM {
                        // That was all there is, and another edge will come. tokio remembers a close by itself.
                        ready.clear_ready();
                    }
                    return Ok(n);
                }
                Err(Errno::EAGAIN) => ready.clear_ready(),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The same for who is polled: puts bytes at the beginning of `bytes`.
    pub(crate) fn poll_read(&self, cx: &mut Context<'_>, bytes: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut ready = ready!(self.0.poll_read_ready(cx))?;
            match recv(self.0.as_raw_fd(), bytes, MsgFlags::empty()) {
                Ok(n) => {
                    if n < bytes.len() {
                        ready.clear_ready();
                    }
                    return Poll::Ready(Ok(n));
                }
                Err(Errno::EAGAIN) => ready.clear_ready(),
                Err(Errno::EINTR) => {}
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
    }

    /// Writes as many of `bytes` as there is room for; `None` if there is none.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<Option<usize>> {
        loop {
            match send(self.0.as_raw_fd(), bytes, MsgFlags::empty()) {
                Ok(n) => return Ok(Some(n)),
                Err(Errno::EAGAIN) => return Ok(None),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Writes all of `bytes`: at once, as long as the peer reads.
    pub(crate) async fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.try_write(bytes)? {
                Some(n) => bytes = &bytes[n..],
                None => self.room().await?,
            }
        }
        Ok(())
    }

    /// Waits for room in the send buffer. Answers are small: this is for the peer that never reads.
    pub(crate) async fn room(&self) -> io::Result<()> {
        let another = self.0.get_ref().try_clone()?;
        // Any kind of stream will do to wait on a descriptor.
        UnixStream::from_std(another.into())?.writable().await
    }

    /// Whether nothing has arrived, neither bytes nor the end. Asks the kernel: what tokio knows is as old as its last poll.
    pub(crate) fn is_quiet(&self) -> bool {
        recv(self.0.as_raw_fd(), &mut [0], MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT) == Err(Errno::EAGAIN)
    }

    /// Ends the connection with a TCP reset (`SO_LINGER` 0). A Unix socket knows no reset: its peer sees a close.
    pub(crate) fn reset(self) {
        // If the option cannot be set the connection is dead already.
        let _ = setsockopt(&self.0.as_fd(), Linger, &nix::libc::linger { l_onoff: 1, l_linger: 0 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_dead_socket_is_replaced_and_a_living_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let living = bind_unix(&path).unwrap();
        assert_eq!(bind_unix(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(living);
        bind_unix(&path).unwrap();
    }

    #[tokio::test]
    async fn bytes_arrive_whole_though_the_peer_is_slow_to_read() {
        let (one, other) = UnixStream::pair().unwrap();
        let (one, other) = (Stream::of_unix(one).unwrap(), Stream::of_unix(other).unwrap());
        assert!(other.is_quiet());
        let sent: Vec<u8> = (0..4_000_000u32).map(|n| n as u8).collect();
        let write = async {
            one.write(&sent).await.unwrap();
            drop(one);
        };
        let mut heard = BytesMut::new();
        let read = async { while other.read(&mut heard).await.unwrap() > 0 {} };
        tokio::join!(write, read);
        assert!(heard == sent && !other.is_quiet());
    }
}
