//! A socket as `h2` reads and writes it.

use crate::socket::{Socket, room};
use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Sleep,
};

/// Most bytes taken from the kernel at once.
const READ: usize = 8 * 1024;

/// The connection's own hold on its socket.
#[derive(Debug)]
pub(crate) struct Io {
    socket: Arc<Socket>,
    /// The send buffer was full: until when it is not looked at again.
    full: Option<Pin<Box<Sleep>>>,
}

impl Io {
    pub(crate) fn new(socket: Arc<Socket>) -> Io {
        Io { socket, full: None }
    }
}

impl AsyncRead for Io {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let most = buffer.remaining().min(READ);
        let read = ready!(self.socket.poll_read(cx, buffer.initialize_unfilled_to(most)))?;
        buffer.advance(read);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Io {
    /// That the other side has closed is for the reading to find out: what it said before is an answer all the same.
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            if let Some(full) = &mut self.full {
                ready!(full.as_mut().poll(cx));
                self.full = None;
            }
            match self.socket.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.full = Some(Box::pin(room())),
                Err(error) if has_closed(&error) => return Poll::Ready(Ok(bytes.len())),
                other => return Poll::Ready(other),
            }
        }
    }

    /// What TLS has made of the bytes may still have to wait for room.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if let Some(full) = &mut self.full {
                ready!(full.as_mut().poll(cx));
                self.full = None;
            }
            match self.socket.flush() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.full = Some(Box::pin(room())),
                Err(error) if has_closed(&error) => return Poll::Ready(Ok(())),
                other => return Poll::Ready(other),
            }
        }
    }

    /// What was written is with the kernel, and the close follows at once.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn has_closed(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}
