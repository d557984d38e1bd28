//! One connection to a proxy, one call at a time.

use crate::{
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
    io,
    os::fd::{AsRawFd as _, RawFd},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, UnixStream},
};

/// First size of the buffer: a usual answer whole.
const BUFFER: usize = 4 * 1024;
/// Least room for a read.
const READ: usize = 1024;

#[derive(Debug)]
enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

/// An open connection with nothing in flight, or in the hands of the one call that is.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: Stream,
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
        let stream = match to {
            Endpoint::Unix(path) => Stream::Unix(UnixStream::connect(path).await?),
            Endpoint::Tcp(address) => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                Stream::Tcp(stream)
            }
        };
        Ok(Connection { stream, buffer: BytesMut::with_capacity(BUFFER) })
    }

    /// True while the other side has neither closed the idle connection nor said anything on it.
    ///
    /// Asks the kernel, not tokio: what tokio knows of a socket is as old as its last look at the poll.
    pub(crate) fn is_fresh(&self) -> bool {
        let peeked = recv(self.fd(), &mut [0], MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT);
        peeked == Err(Errno::EAGAIN) && self.buffer.is_empty()
    }

    /// Writes the whole request.
    pub(crate) async fn send(&mut self, request: &[u8]) -> Result<(), SendFailure> {
        let mut sent = 0;
        while sent < request.len() {
            let written = match &mut self.stream {
                Stream::Unix(stream) => stream.write(&request[sent..]).await,
                Stream::Tcp(stream) => stream.write(&request[sent..]).await,
            };
            match written {
                Ok(more) if more > 0 => sent += more,
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

    async fn read(&mut self) -> io::Result<usize> {
        if self.buffer.capacity() - self.buffer.len() < READ {
            self.buffer.reserve(BUFFER);
        }
        match &mut self.stream {
            Stream::Unix(stream) => stream.read_buf(&mut self.buffer).await,
            Stream::Tcp(stream) => stream.read_buf(&mut self.buffer).await,
        }
    }

    fn fd(&self) -> RawFd {
        match &self.stream {
            Stream::Unix(stream) => stream.as_raw_fd(),
            Stream::Tcp(stream) => stream.as_raw_fd(),
        }
    }
}
