//! A connected socket, Unix or TCP alike.

use crate::{clock, line::Endpoint};
use bytes::BytesMut;
use nix::{
    errno::Errno,
    sys::socket::{MsgFlags, recv},
};
use std::{
    io::{self, Read as _, Write as _},
    net,
    os::{
        fd::{AsRawFd, RawFd},
        unix,
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    net::{TcpStream, UnixStream},
    time::{Sleep, sleep_until},
};

/// Most bytes taken from the kernel at once.
const READ: usize = 8 * 1024;
/// Until a send buffer that was full is looked at again. A request is smaller than an empty one.
const FULL: Duration = Duration::from_millis(1);

/// A connected socket that does not block.
#[derive(Debug)]
enum Raw {
    Unix(unix::net::UnixStream),
    Tcp(net::TcpStream),
}

impl Raw {
    async fn connect(to: &Endpoint) -> io::Result<Raw> {
        match to {
            Endpoint::Unix(path) => Ok(Raw::Unix(UnixStream::connect(path).await?.into_std()?)),
            Endpoint::Tcp(address) => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                Ok(Raw::Tcp(stream.into_std()?))
            }
        }
    }

    fn read(&self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Raw::Unix(stream) => (&*stream).read(bytes),
            Raw::Tcp(stream) => (&*stream).read(bytes),
        }
    }
}

impl AsRawFd for Raw {
    fn as_raw_fd(&self) -> RawFd {
        match self {
            Raw::Unix(stream) => stream.as_raw_fd(),
            Raw::Tcp(stream) => stream.as_raw_fd(),
        }
    }
}

/// A connection's socket, watched for what comes in alone.
///
/// tokio's own streams are woken for room in the send buffer too, and on a Unix socket that is each time the other side reads a
/// request: a wake-up for nothing, which costs several times what the call does.
#[derive(Debug)]
pub(crate) struct Socket(AsyncFd<Raw>);

impl Socket {
    pub(crate) async fn connect(to: &Endpoint) -> io::Result<Socket> {
        let raw = Raw::connect(to).await?;
        #[expect(unsafe_code, reason = "tokio has no other way to watch a socket for reading only")]
        // SAFETY: `Raw` owns its descriptor, names the same one for ever, and closes it only when it is dropped.
        let watched = unsafe { AsyncFd::register_with_interest(raw, Interest::READABLE) }?;
        Ok(Socket(watched))
    }

    /// True while the other side has neither closed the connection nor said anything that has not been read.
    ///
    /// Asks the kernel, not tokio: what tokio knows of a socket is as old as its last look at the poll.
    pub(crate) fn is_quiet(&self) -> bool {
        recv(self.0.as_raw_fd(), &mut [0], MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT) == Err(Errno::EAGAIN)
    }

    /// Hands the kernel as many bytes as it takes now.
    pub(crate) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.get_ref() {
            Raw::Unix(stream) => (&*stream).write(bytes),
            Raw::Tcp(stream) => (&*stream).write(bytes),
        }
    }

    /// Waits for bytes and appends them; none is the end.
    pub(crate) async fn read(&self, buffer: &mut BytesMut) -> io::Result<usize> {
        loop {
            let mut ready = self.0.readable().await?;
            let mut bytes = [0; READ];
            let read = match ready.get_inner().read(&mut bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready.clear_ready();
                    continue;
                }
                other => other?,
            };
            if read < READ {
                // That was all there is. tokio remembers a close by itself, and else another edge will come.
                ready.clear_ready();
            }
            buffer.extend_from_slice(&bytes[..read]);
            return Ok(read);
        }
    }

    /// The same for who is polled: puts bytes at the beginning of `bytes`.
    pub(crate) fn poll_read(&self, cx: &mut Context<'_>, bytes: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut ready = ready!(self.0.poll_read_ready(cx))?;
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
}

/// Returns when it is time to look whether a full send buffer has room again.
pub(crate) fn room() -> Sleep {
    sleep_until(clock::instant(clock::now() + FULL))
}
