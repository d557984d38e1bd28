//! How the calls of one line are made: in which protocol, over whose connections.

use crate::{
    books::Ticket,
    http1, http2,
    line::{Endpoint, Line, LineError},
    tls::Tls,
};
use squall_model::{ClientEnd, Protocol};
use std::{collections::HashMap, sync::Arc};

/// A longer body is not read to its end, and its call counts as cut.
pub(crate) const MAX_BODY: u64 = 1 << 30;

/// The client of one line: its request, and the pools of its targets.
#[derive(Debug)]
pub(crate) enum Client {
    Http1(http1::Client),
    /// gRPC too.
    Http2(http2::Client),
}

impl Client {
    pub(crate) fn targets(&self) -> usize {
        match self {
            Client::Http1(client) => client.targets(),
            Client::Http2(client) => client.targets(),
        }
    }

    /// Makes a call, once, and says how it ended. Dropped, it gives the call up.
    pub(crate) async fn call(&self, ticket: &mut Ticket) -> ClientEnd {
        match self {
            Client::Http1(client) => client.call(ticket).await,
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
    http1: HashMap<Way<'a>, Arc<http1::Pool>>,
    http2: HashMap<Way<'a>, Arc<http2::Pool>>,
}

impl<'a> Pools<'a> {
    pub(crate) fn new(cap: usize) -> Pools<'a> {
        Pools { cap, http1: HashMap::new(), http2: HashMap::new() }
    }

    /// The client of a line, on pools that it shares with the others.
    pub(crate) fn client(&mut self, line: &'a Line) -> Result<Client, LineError> {
        let cap = self.cap;
        let ways = line.targets.iter().map(|to| (to, line.tls.as_ref()));
        match line.protocol {
            Protocol::Http if line.requests.requests().iter().any(|request| request.message().is_some()) => {
                Err(LineError::Message)
            }
            Protocol::Http => {
                let new = |(to, tls): Way<'_>| Arc::new(http1::Pool::new(to.clone(), tls.cloned(), cap));
                let pools = ways.map(|way| Arc::clone(self.http1.entry(way).or_insert_with(|| new(way)))).collect();
                Ok(Client::Http1(http1::Client::new(line, pools)))
            }
            Protocol::Http2 | Protocol::Grpc => {
                let new = |(to, tls): Way<'_>| Arc::new(http2::Pool::new(to.clone(), tls.cloned(), cap));
                let pools = ways.map(|way| Arc::clone(self.http2.entry(way).or_insert_with(|| new(way)))).collect();
                http2::Client::new(line, pools).map(Client::Http2)
            }
            Protocol::Tcp => Err(LineError::NoHttp),
        }
    }
}
