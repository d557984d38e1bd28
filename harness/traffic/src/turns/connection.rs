//! One connection to a proxy, one call at a time.

use super::{Read, Reading};
use crate::{
    books::Ticket,
    clock,
    socket::{Socket, room},
    tls,
    websocket::{self, Said},
};
use bytes::BytesMut;
use squall_model::{Break, ClientEnd, Leg};
use std::io;

/// Most bytes taken from the kernel at once where a connection is only looked after.
const ATTENTION: usize = 1024;

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
        self.socket.is_quiet_within() && self.buffer.is_empty()
    }

    /// The same of a WebSocket, whose server may have said what is to be answered and is no message: that is done here.
    pub(crate) fn is_attended(&mut self) -> bool {
        let mut bytes = [0; ATTENTION];
        loop {
            match self.socket.try_read(&mut bytes) {
                Ok(read @ 1..) => self.buffer.extend_from_slice(&bytes[..read]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                _ => return false,
            }
        }
        while !self.buffer.is_empty() {
            match websocket::control(&mut self.buffer) {
                Ok(Said::Ping(pong)) if self.says_at_once(&pong) => {}
                Ok(Said::Pong) => {}
                Ok(Said::Close(code)) => {
                    self.says_at_once(&websocket::farewell(code));
                    return false;
                }
                _ => return false,
            }
        }
        true
    }

    /// Ends a WebSocket in order, as far as that can be done at once.
    pub(crate) fn take_leave(&self) {
        self.says_at_once(&websocket::farewell(websocket::NO_MORE));
    }

    fn says_at_once(&self, frame: &[u8]) -> bool {
        self.socket.write(frame).is_ok_and(|written| written == frame.len())
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
        loop {
            match self.socket.flush() {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => room().await,
                Err(_) => return Err(SendFailure::Part),
            }
        }
    }

    /// Reads the answer to its end, and says whether the connection can carry another call.
    pub(crate) async fn receive(&mut self, answer: &mut impl Reading, ticket: &mut Ticket) -> (ClientEnd, bool) {
        let end = self.read_to_end(answer, ticket).await;
        ticket.course().received = answer.body();
        end
    }

    async fn read_to_end(&mut self, answer: &mut impl Reading, ticket: &mut Ticket) -> (ClientEnd, bool) {
        loop {
            let came = match self.socket.read(&mut self.buffer).await {
                Ok(0) => {
                    ticket.course().broken = Some(Break::Closed);
                    return (answer.closed(), false);
                }
                Err(error) => return (broken(answer, &error, ticket), false),
                Ok(_) => self.socket.arrived(),
            };
            let end = self.read_what_came(answer).await;
            if answer.is_coming() {
                ticket.answering(came.unwrap_or_else(clock::now));
            }
            if answer.lacks_trailers() {
                ticket.course().leg = Leg::Trailing;
            }
            if let Some(end) = end {
                ticket.course().broken = answer.broken();
                came.into_iter().for_each(|at| ticket.arrived(at));
                return end;
            }
        }
    }

    /// `None` where the answer goes on.
    async fn read_what_came(&mut self, answer: &mut impl Reading) -> Option<(ClientEnd, bool)> {
        loop {
            match answer.read(&mut self.buffer) {
                Read::More => return None,
                Read::Whole { reuse } => return Some((answer.whole(), reuse)),
                Read::Broken(end) => return Some((end, false)),
                // Rare. Whether it could be said is found out by what comes.
                Read::Say(bytes) => drop(Box::pin(self.send(&bytes)).await),
            }
        }
    }
}

/// A server that turns its caller away in TLS 1.3 says so only when the first call is with it.
fn broken(answer: &impl Reading, error: &io::Error, ticket: &mut Ticket) -> ClientEnd {
    if let (false, Some(fault)) = (answer.has_begun(), tls::fault(error)) {
        return ClientEnd::Insecure(fault);
    }
    // Within TLS, an end that the other side has not announced is one of the connection beneath.
    let is_closed = error.kind() == io::ErrorKind::UnexpectedEof;
    ticket.course().broken = Some(if is_closed { Break::Closed } else { Break::Reset });
    answer.reset()
}
