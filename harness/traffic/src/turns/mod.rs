//! One call at a time on a connection: HTTP/1.1, and bytes over TCP.

mod connection;
mod pool;

pub(crate) use pool::Pool;

use crate::{
    books::Ticket,
    clock, http1,
    line::{Line, LineError},
    request::Request,
    tcp,
};
use bytes::{Bytes, BytesMut};
use connection::{Connection, SendFailure};
use squall_model::{Break, ClientEnd, Protocol};
use std::sync::Arc;

/// The reading of one answer, whatever it is an answer of. No I/O.
pub(crate) trait Reading {
    /// Takes what it can from the bytes, and leaves what is incomplete or belongs to no answer.
    fn read(&mut self, bytes: &mut BytesMut) -> Read;
    /// What a complete and intact answer comes to.
    fn whole(&self) -> ClientEnd;
    /// The other side has closed the connection.
    fn closed(&self) -> ClientEnd;
    /// The connection broke.
    fn reset(&self) -> ClientEnd;
    /// It is known that this is an answer.
    fn has_begun(&self) -> bool;
    /// Bytes of it that are not its head.
    fn body(&self) -> u64;
}

/// What the bytes so far amount to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Read {
    /// The answer goes on.
    More,
    /// The answer is complete and intact.
    Whole {
        /// The connection may carry another call.
        reuse: bool,
    },
    /// Nothing good will come any more.
    Broken(ClientEnd),
}

/// How a request is written and its answer read.
#[derive(Debug)]
enum Speech {
    /// And whether its answer has no body whatever its head says.
    Http1(http1::Template, bool),
    Bytes(tcp::Message, tcp::Until),
}

impl Speech {
    fn of(line: &Line, request: &Request) -> Result<Speech, LineError> {
        if line.protocol == Protocol::Tcp {
            let body = request.body().cloned().ok_or(LineError::NoBytes)?;
            return Ok(Speech::Bytes(tcp::Message::new(body, line.seed), line.until));
        }
        if request.message().is_some() {
            return Err(LineError::Message);
        }
        let template = http1::Template::new(request, &line.id_prefix, &line.user_header, line.seed);
        Ok(Speech::Http1(template, request.is_head()))
    }

    fn render(&self, seq: u64, user: u32) -> Bytes {
        match self {
            Speech::Http1(template, _) => template.render(seq, user).into(),
            Speech::Bytes(message, _) => message.render(seq),
        }
    }
}

/// The client of one line.
#[derive(Debug)]
pub(crate) struct Client {
    /// Those of the line's targets, in order.
    pools: Vec<Arc<Pool>>,
    /// One for each of the line's requests.
    requests: Vec<Speech>,
}

impl Client {
    pub(crate) fn new(line: &Line, pools: Vec<Arc<Pool>>) -> Result<Client, LineError> {
        let requests = line.requests.requests().iter().map(|request| Speech::of(line, request));
        Ok(Client { pools, requests: requests.collect::<Result<_, _>>()? })
    }

    pub(crate) fn targets(&self) -> usize {
        self.pools.len()
    }

    pub(crate) async fn call(&self, ticket: &mut Ticket) -> ClientEnd {
        let pool = &self.pools[ticket.record().caller as usize - 1];
        let Some(_room) = pool.room(ticket).await else { return ClientEnd::Unfinished };
        ticket.dispatched(clock::now());
        let speech = &self.requests[usize::from(ticket.record().course.request)];
        let request = speech.render(ticket.record().seq, ticket.record().user);
        let mut connection = match send(&request, pool, ticket).await {
            Ok(connection) => connection,
            Err(end) => return end,
        };
        let (end, reuse) = match speech {
            Speech::Http1(_, to_head) => connection.receive(http1::Answer::new(*to_head), ticket).await,
            Speech::Bytes(_, until) => connection.receive(tcp::Answer::new(*until, request), ticket).await,
        };
        if reuse {
            pool.give_back(connection);
        }
        end
    }
}

/// Sends the request, once: on an idle connection, else on a new one.
///
/// An idle connection may be closed between the look at it and the write. As long as the kernel has taken no byte, nothing has
/// been sent and another connection may have it. From the first byte on the call stays where it is.
async fn send(request: &[u8], pool: &Pool, ticket: &mut Ticket) -> Result<Connection, ClientEnd> {
    while let Some(mut connection) = pool.idle() {
        ticket.sent(clock::now());
        match connection.send(request).await {
            Ok(()) => return Ok(connection),
            Err(SendFailure::Nothing) => {}
            Err(SendFailure::Part) => return Err(cut(ticket)),
        }
    }
    let mut connection = pool.connect(ticket).await?;
    ticket.sent(clock::now());
    match connection.send(request).await {
        Ok(()) => Ok(connection),
        Err(_) => Err(cut(ticket)),
    }
}

/// The connection broke under the request.
fn cut(ticket: &mut Ticket) -> ClientEnd {
    ticket.course().broken = Some(Break::Reset);
    ClientEnd::Reset
}
