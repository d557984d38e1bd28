//! A socket as `h2` reads and writes it.

use crate::socket::Stream;
use std::{
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Most bytes taken from the kernel at once.
const READ: usize = 8 * 1024;

/// The connection's own hold on its socket.
pub(crate) struct Io {
    socket: Rc<Stream>,
    /// The send buffer was full: until it has room again.
    full: Option<Pin<Box<dyn Future<Output = io::Result<()>>>>>,
}

impl Io {
    pub(crate) fn new(socket: Rc<Stream>) -> Io {
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
    /// That the peer has closed is for the reading to find out: what it said before has been said.
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            if let Some(full) = &mut self.full {
                let room = ready!(full.as_mut().poll(cx));
                self.full = None;
                room?;
            }
            match self.socket.try_write(bytes) {
                Ok(Some(written)) => return Poll::Ready(Ok(written)),
                Ok(None) => {
                    let socket = Rc::clone(&self.socket);
                    self.full = Some(Box::pin(async move { socket.room().await }));
                }
                Err(error) if has_closed(&error) => return Poll::Ready(Ok(bytes.len())),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// What was written is with the kernel, and the close follows at once.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn has_closed(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}
