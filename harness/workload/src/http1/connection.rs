//! One connection: messages in, bytes out.

use super::{
    body::{Framing, Skip},
    head::Parsed,
};
use crate::socket::Stream;
use bytes::{Buf, BytesMut};
use std::{future::pending, io};
use thiserror::Error;

/// A head may be so long, and so much may be sent ahead of its turn.
const LARGEST: usize = 64 * 1024;

/// Why no message could be read.
#[derive(Debug, Error)]
pub(crate) enum WireError {
    #[error("the connection ended in the middle of a message")]
    Cut,
    #[error("a head is longer than {LARGEST} bytes")]
    TooLong,
    #[error(transparent)]
    Malformed(#[from] httparse::Error),
    #[error("a chunk's size is no number")]
    Chunk,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A connection and what was read from it ahead.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: Stream,
    buffer: BytesMut,
}

impl Connection {
    pub(crate) fn new(stream: Stream) -> Connection {
        Connection { stream, buffer: BytesMut::new() }
    }

    /// The next head; `None` if the peer closed before its first byte. May be dropped and called again.
    pub(crate) async fn head<T>(&mut self, parse: fn(&[u8]) -> Parsed<T>) -> Result<Option<T>, WireError> {
        loop {
            if !self.buffer.is_empty() {
                if let Some((length, head)) = parse(&self.buffer)? {
                    self.buffer.advance(length);
                    return Ok(Some(head));
                }
                if self.buffer.len() > LARGEST {
                    return Err(WireError::TooLong);
                }
            }
            if self.stream.read(&mut self.buffer).await? == 0 {
                return if self.buffer.is_empty() { Ok(None) } else { Err(WireError::Cut) };
            }
        }
    }

    /// Reads the body that follows, and throws it away.
    pub(crate) async fn skip_body(&mut self, framing: Framing) -> Result<(), WireError> {
        let mut skip = Skip::new(framing);
        loop {
            let eaten = skip.eat(&self.buffer).map_err(|_| WireError::Chunk)?;
            self.buffer.advance(eaten);
            if skip.is_done() {
                return Ok(());
            }
            if self.stream.read(&mut self.buffer).await? == 0 {
                return if skip.ends_with_connection() { Ok(()) } else { Err(WireError::Cut) };
            }
        }
    }

    /// Waits until the peer has closed its side. May be dropped and called again.
    pub(crate) async fn gone(&mut self) {
        while self.buffer.len() <= LARGEST {
            match self.stream.read(&mut self.buffer).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
        // Whoever sends so much ahead of its turn is not listened to until it is its turn.
        pending::<()>().await;
    }

    /// Writes all of `bytes`.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write(bytes).await
    }

    /// Whether a connection at rest can be used again: nothing has arrived, neither bytes nor the end.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.buffer.is_empty() && self.stream.is_quiet()
    }

    /// Ends the connection the hard way.
    pub(crate) fn reset(self) {
        self.stream.reset();
    }
}
