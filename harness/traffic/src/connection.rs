//! One connection to a proxy, one call at a time.

use crate::{
    clock,
    line::Endpoint,
    response::{Answer, Read},
};
use bytes::BytesMut;
use nix::{
    errno::Errno,
    sys::socket::{MsgFlags, recv},
};
use squall_model::ClientEnd;
use std::{
    io::{self, Read as _, Write as _},
    net,
    os::{
        fd::{AsRawFd, RawFd},
        unix,
    },
    time::Duration,
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    net::{TcpStream, UnixStream},
    time::sleep_until,
};

/// Most bytes taken from the kernel at once.
const READ: usize = 8 * 1024;
/// Until a send buffer that was full is looked at again. A request is smaller than an empty one.
const FULL: Duration = Duration::from_millis(1);

/// A connected socket that does not block.
#[derive(Debug)]
enum Socket {
    Unix(unix::net::UnixStream),
    Tcp(net::TcpStream),
}

impl Socket {
    async fn connect(to: &Endpoint) -> io::Result<Socket> {
        match to {
            Endpoint::Unix(path) => Ok(Socket::Unix(UnixStream::connect(path).await?.into_std()?)),
            Endpoint::Tcp(address) => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                Ok(Socket::Tcp(stream.into_std()?))
            }
        }
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Unix(stream) => (&*stream).write(bytes),
            Socket::Tcp(stream) => (&*stream).write(bytes),
        }
    }

    fn read(&self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Unix(stream) => (&*stream).read(bytes),
            Socket::Tcp(stream) => (&*stream).read(bytes),
        }
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        match self {
            Socket::Unix(stream) => stream.as_raw_fd(),
            Socket::Tcp(stream) => stream.as_raw_fd(),
        }
    }
}

/// An open connection with nothing in flight, or in the hands of the one call that is.
///
/// It is watched for what comes in alone. tokio's own streams are woken for room in the send buffer too, and on a Unix socket
/// that is each time the other side reads a request: a wake-up for nothing, which costs several times what the call does.
#[derive(Debug)]
pub(crate) struct Connection {
    socket: AsyncFd<Socket>,
    buffer: BytesMut,
}

/// How much of a request the kernel took before the connection failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SendFailure {
    /// Nothing: the call can still be sent on another connection, for it was sent on none.
    Nothing,
    /// A part of it.
    Part,
}

impl Connection {
    pub(crate) async fn open(to: &Endpoint) -> io::Result<Connection> {
        let socket = Socket::connect(to).await?;
        #[expect(unsafe_code, reason = "tokio has no other way to watch a socket for reading only")]
        // SAFETY: `Socket` owns its descriptor, names the same one for ever, and closes it only when it is dropped.
        let socket = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) }?;
        Ok(Connection { socket, buffer: BytesMut::new() })
    }

    /// True while the other side has neither closed the idle connection nor said anything on it.
    ///
    /// Asks the kernel, not tokio: what tokio knows of a socket is as old as its last look at the poll.
    pub(crate) fn is_fresh(&self) -> bool {
        let peeked = recv(self.socket.as_raw_fd(), &mut [0], MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT);
        peeked == Err(Errno::EAGAIN) && self.buffer.is_empty()
    }

    /// Writes the whole request.
    pub(crate) async fn send(&mut self, request: &[u8]) -> Result<(), SendFailure> {
        let mut sent = 0;
        while sent < request.len() {
            match self.socket.get_ref().write(&request[sent..]) {
                Ok(more) if more > 0 => sent += more,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    sleep_until(clock::instant(clock::now() + FULL)).await;
                }
                _ if sent == 0 => return Err(SendFailure::Nothing),
                _ => return Err(SendFailure::Part),
            }
        }
        Ok(())
    }

    /// Reads the answer to its end, and says whether the connection can carry another call.
    pub(crate) async fn receive(&mut self, to_head: bool) -> (ClientEnd, bool) {
        let mut answer = Answer::new(to_head);
        loop {
            match self.read().await {
                Ok(0) => return (answer.closed(), false),
                Err(_) => return (answer.reset(), false),
                Ok(_) => {}
            }
            match answer.read(&mut self.buffer) {
                Read::More => {}
                Read::Whole { reuse } => return (ClientEnd::Answered(answer.status()), reuse),
                Read::Broken(end) => return (end, false),
            }
        }
    }

    /// Waits for bytes and takes them; none is the end.
    async fn read(&mut self) -> io::Result<usize> {
        loop {
            let mut ready = self.socket.readable().await?;
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
            self.buffer.extend_from_slice(&bytes[..read]);
            return Ok(read);
        }
    }
}
