//! How the calls of one line are made: in which protocol, over whose connections.

use crate::{
    books::Ticket,
    http2,
    line::{Endpoint, Line, LineError},
    rest::Rest,
    tls::Tls,
    turns,
};
use squall_model::{ClientEnd, Protocol};
use std::{collections::HashMap, sync::Arc};

/// A longer body is not read to its end, and its call counts as cut.
pub(crate) const MAX_BODY: u64 = 1 << 30;

/// The client of one line: its request, and the pools of its targets.
#[derive(Debug)]
pub(crate) enum Client {
    /// HTTP/1.1, WebSocket, or bytes over TCP.
    Turns(turns::Client),
    /// gRPC too.
    Http2(http2::Client),
}

impl Client {
    pub(crate) fn targets(&self) -> usize {
        match self {
            Client::Turns(client) => client.targets(),
            Client::Http2(client) => client.targets(),
        }
    }

    /// Makes a call, once, and says how it ended. Dropped, it gives the call up.
    pub(crate) async fn call(&self, ticket: &mut Ticket) -> ClientEnd {
        match self {
            Client::Turns(client) => client.call(ticket).await,
            Client::Http2(client) => client.call(ticket).await,
        }
    }
}

/// Who connections lead to, and how they are secured.
type Way<'a> = (&'a Endpoint, Option<&'a Tls>);

/// The pools of one run: one for each way and version of HTTP.
#[derive(Debug)]
pub(crate) struct Pools<'a> {
    /// Most connections of one pool.
    cap: usize,
    /// Of a thread that rests: answers are known by when they came, and not by when they were read.
    rest: Option<Arc<Rest>>,
    turns: HashMap<Way<'a>, Arc<turns::Pool>>,
    http2: HashMap<Way<'a>, Arc<http2::Pool>>,
}

impl<'a> Pools<'a> {
    pub(crate) fn new(cap: usize, rest: Option<Arc<Rest>>) -> Pools<'a> {
        Pools { cap, rest, turns: HashMap::new(), http2: HashMap::new() }
    }

    /// The client of a line, on pools that it shares with the others.
    pub(crate) fn client(&mut self, line: &'a Line) -> Result<Client, LineError> {
        let (cap, rest) = (self.cap, self.rest.as_ref());
        let ways = line.targets.iter().map(|to| (to, line.tls.as_ref()));
        match line.protocol {
            // What a connection of WebSocket was upgraded by is the line's own.
            Protocol::Http if line.websocket.is_some() => {
                let pools = ways.map(|(to, tls)| Arc::new(turns::Pool::upgraded(to.clone(), tls.cloned(), cap)));
                turns::Client::new(line, pools.collect()).map(Client::Turns)
            }
            Protocol::Http | Protocol::Tcp => {
                let new = |(to, tls): Way<'_>| {
                    let pool = turns::Pool::new(to.clone(), tls.cloned(), cap);
                    Arc::new(match rest {
                        Some(rest) => pool.resting(Arc::clone(rest)),
                        None => pool,
                    })
                };
                let pools = ways.map(|way| Arc::clone(self.turns.entry(way).or_insert_with(|| new(way)))).collect();
                turns::Client::new(line, pools).map(Client::Turns)
            }
            Protocol::Http2 | Protocol::Grpc => {
                let new = |(to, tls): Way<'_>| Arc::new(http2::Pool::new(to.clone(), tls.cloned(), cap));
                let pools = ways.map(|way| Arc::clone(self.http2.entry(way).or_insert_with(|| new(way)))).collect();
                http2::Client::new(line, pools).map(Client::Http2)
            }
        }
    }
}
