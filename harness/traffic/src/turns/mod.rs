//! One call at a time on a connection: HTTP/1.1, WebSocket, and bytes over TCP.

mod connection;
mod pool;

pub(crate) use pool::Pool;

use crate::{
    books::Ticket,
    clock, http1,
    line::{Line, LineError},
    redirect::{Follow, Said},
    request::Request,
    tcp,
    websocket::{self, Upgrade},
};
use bytes::{Bytes, BytesMut};
use connection::{Connection, SendFailure};
use squall_model::{Break, CallRecord, ClientEnd, Protocol};
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
    /// How the other side ended the connection, where it has said so itself.
    fn broken(&self) -> Option<Break> {
        None
    }
    /// What has come is of the answer, or has to be taken for that.
    fn is_coming(&self) -> bool {
        true
    }
    /// All bytes of it have come, and what is to come yet is trailers.
    fn lacks_trailers(&self) -> bool {
        false
    }
}

/// What the bytes so far amount to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Read {
    /// The answer goes on.
    More,
    /// The answer is complete and intact.
    Whole {
        /// The connection may carry another call.
        reuse: bool,
    },
    /// The other side wants to be told this before it goes on.
    Say(Bytes),
    /// Nothing good will come any more.
    Broken(ClientEnd),
}

/// How a request is written and its answer read.
#[derive(Debug)]
enum Speech {
    Http1 {
        template: http1::Template,
        /// Its answer has no body whatever its head says.
        to_head: bool,
        /// `None`: wherever an answer leads to, it is the call's.
        follow: Option<Follow>,
    },
    Bytes(tcp::Message, tcp::Until),
    WebSocket(websocket::Message, websocket::Reply),
}

impl Speech {
    fn of(line: &Line, request: &Request) -> Result<Speech, LineError> {
        if line.protocol == Protocol::Tcp {
            let body = request.body().cloned().ok_or(LineError::NoBytes)?;
            return Ok(Speech::Bytes(tcp::Message::new(body, line.seed), line.until));
        }
        if let Some(reply) = line.websocket {
            let body = request.body().cloned().ok_or(LineError::NoBytes)?;
            return Ok(Speech::WebSocket(websocket::Message::new(body, line.seed), reply));
        }
        if request.message().is_some() {
            return Err(LineError::Message);
        }
        Ok(Speech::Http1 {
            template: http1::Template::new(line, request),
            to_head: request.is_head(),
            follow: Follow::of(line, request),
        })
    }
}

/// The client of one line.
#[derive(Debug)]
pub(crate) struct Client {
    /// Those of the line's targets, in order.
    pools: Vec<Arc<Pool>>,
    /// One for each of the line's requests.
    requests: Vec<Speech>,
    /// Connections are used again.
    keep_alive: bool,
    /// What makes WebSockets of them.
    upgrade: Option<Upgrade>,
}

impl Client {
    pub(crate) fn new(line: &Line, pools: Vec<Arc<Pool>>) -> Result<Client, LineError> {
        let requests = line.requests.requests().iter().map(|request| Speech::of(line, request));
        let requests = requests.collect::<Result<_, _>>()?;
        let asks = line.requests.requests().first().filter(|_| line.websocket.is_some());
        let upgrade = asks.map(|request| Upgrade::new(line, request));
        Ok(Client { pools, requests, keep_alive: line.keep_alive, upgrade })
    }

    pub(crate) fn targets(&self) -> usize {
        self.pools.len()
    }

    pub(crate) async fn call(&self, ticket: &mut Ticket) -> ClientEnd {
        let pool = &self.pools[ticket.record().caller as usize - 1];
        let Some(_room) = pool.room(ticket).await else { return ClientEnd::Unfinished };
        ticket.dispatched(clock::now());
        let speech = &self.requests[usize::from(ticket.record().course.request)];
        let &CallRecord { seq, user, .. } = ticket.record();
        match speech {
            Speech::Http1 { template, to_head, follow: None } => {
                let request = template.render(seq, user);
                self.exchange(&request, &mut http1::Answer::new(*to_head), pool, ticket).await
            }
            // Rare, and larger than what is made for every other call.
            Speech::Http1 { template, to_head, follow: Some(follow) } => {
                let request = template.render(seq, user).into();
                Box::pin(self.follow(follow, request, *to_head, pool, ticket)).await
            }
            Speech::Bytes(message, until) => {
                let request = message.render(seq);
                self.exchange(&request, &mut tcp::Answer::new(*until, request.clone()), pool, ticket).await
            }
            Speech::WebSocket(message, reply) => {
                let (bytes, frame) = message.render(seq);
                self.exchange(&frame, &mut websocket::Answer::new(*reply, bytes), pool, ticket).await
            }
        }
    }

    /// Asks, and asks again where the answer leads, until it leads no further.
    async fn follow(
        &self,
        follow: &Follow,
        mut request: Bytes,
        to_head: bool,
        pool: &Pool,
        ticket: &mut Ticket,
    ) -> ClientEnd {
        let mut followed = 0;
        loop {
            let mut answer = http1::Answer::leading(to_head);
            let end = self.exchange(&request, &mut answer, pool, ticket).await;
            let (ClientEnd::Answered(status), Some(location)) = (end, answer.location()) else { return end };
            let (method, path) = http1::asked(&request);
            match follow.next(Said { status, location, method, path }, followed) {
                None => return end,
                Some(Ok(next)) => request = http1::onward(&request, &next),
                Some(Err(astray)) => {
                    ticket.course().astray = Some(astray);
                    return end;
                }
            }
            ticket.follows();
            followed += 1;
        }
    }

    /// Sends a request, reads its answer, and keeps the connection if it can carry another call.
    async fn exchange(&self, request: &[u8], answer: &mut impl Reading, pool: &Pool, ticket: &mut Ticket) -> ClientEnd {
        let mut connection = match self.send(request, pool, ticket).await {
            Ok(connection) => connection,
            Err(end) => return end,
        };
        let (end, reuse) = connection.receive(answer, ticket).await;
        if reuse && self.keep_alive {
            pool.give_back(connection);
        }
        end
    }

    /// Sends the request, once: on an idle connection, else, or where none is used again, on a new one.
    ///
    /// An idle connection may be closed between the look at it and the write. As long as the kernel has taken no byte, nothing has
    /// been sent and another connection may have it. From the first byte on the call stays where it is.
    async fn send(&self, request: &[u8], pool: &Pool, ticket: &mut Ticket) -> Result<Connection, ClientEnd> {
        let idle = || if self.keep_alive { pool.idle() } else { None };
        while let Some(mut connection) = idle() {
            ticket.sent(clock::now());
            match connection.send(request).await {
                Ok(()) => return Ok(connection),
                Err(SendFailure::Nothing) => {}
                Err(SendFailure::Part) => return Err(cut(ticket)),
            }
        }
        let mut connection = self.open(pool, ticket).await?;
        ticket.sent(clock::now());
        match connection.send(request).await {
            Ok(()) => Ok(connection),
            Err(_) => Err(cut(ticket)),
        }
    }

    /// A new connection, upgraded where it is to be.
    async fn open(&self, pool: &Pool, ticket: &mut Ticket) -> Result<Connection, ClientEnd> {
        let mut connection = pool.connect(ticket).await?;
        if let Some(upgrade) = &self.upgrade {
            Box::pin(agree(upgrade, &mut connection, ticket)).await?;
        }
        Ok(connection)
    }
}

/// Makes a WebSocket of a connection. Where the server has none of it, that is the end of the call, and its answer.
async fn agree(upgrade: &Upgrade, connection: &mut Connection, ticket: &mut Ticket) -> Result<(), ClientEnd> {
    let (request, mut agreement) = upgrade.render(ticket.record().seq, ticket.record().user);
    let began = clock::now();
    ticket.sent(began);
    connection.send(&request).await.map_err(|_| cut(ticket))?;
    match connection.receive(&mut agreement, ticket).await {
        (ClientEnd::Answered(101), _) => {}
        (end, _) => return Err(end),
    }
    ticket.agreed(clock::now().since(began));
    Ok(())
}

/// The connection broke under the request.
fn cut(ticket: &mut Ticket) -> ClientEnd {
    ticket.course().broken = Some(Break::Reset);
    ClientEnd::Reset
}
