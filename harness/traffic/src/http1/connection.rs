//! One connection to a proxy, one call at a time.

use super::response::{Answer, Read};
use crate::socket::{Socket, room};
use bytes::BytesMut;
use squall_model::ClientEnd;
use std::io;

/// An open connection with nothing in flight, or in the hands of the one call that is.
#[derive(Debug)]
pub(crate) struct Connection {
    socket: Socket,
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
    pub(crate) fn new(socket: Socket) -> Connection {
        Connection { socket, buffer: BytesMut::new() }
    }

    /// True while the other side has neither closed the idle connection nor said anything on it.
    pub(crate) fn is_fresh(&self) -> bool {
        self.socket.is_quiet() && self.buffer.is_empty()
    }

    /// Writes the whole request.
    pub(crate) async fn send(&mut self, request: &[u8]) -> Result<(), SendFailure> {
        let mut sent = 0;
        while sent < request.len() {
            match self.socket.write(&request[sent..]) {
                Ok(more) if more > 0 => sent += more,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    room().await;
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
            match self.socket.read(&mut self.buffer).await {
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
}
