//! HTTP/2 with prior knowledge (RFC 9113), and gRPC on top of it: many calls at a time on a connection.

mod answer;
mod connection;
mod grpc;
mod io;
mod pool;
mod template;

pub(crate) use pool::Pool;

use crate::{
    books::Ticket,
    clock,
    line::{Line, LineError},
};
use h2::client::ResponseFuture;
use pool::Place;
use squall_model::{ClientEnd, Protocol};
use std::sync::Arc;
use template::Template;

/// The client of one line.
#[derive(Debug)]
pub(crate) struct Client {
    /// Those of the line's targets, in order.
    pools: Vec<Arc<Pool>>,
    /// One for each of the line's requests.
    templates: Vec<Template>,
    /// The answer is one of gRPC.
    grpc: bool,
}

impl Client {
    pub(crate) fn new(line: &Line, pools: Vec<Arc<Pool>>) -> Result<Client, LineError> {
        let templates =
            line.requests.requests().iter().map(|request| Template::new(line, request)).collect::<Result<_, _>>()?;
        Ok(Client { pools, templates, grpc: line.protocol == Protocol::Grpc })
    }

    pub(crate) fn targets(&self) -> usize {
        self.pools.len()
    }

    /// Dropped before its end, it resets the call's stream with CANCEL.
    pub(crate) async fn call(&self, ticket: &mut Ticket) -> ClientEnd {
        let (place, response) = match self.send(ticket).await {
            Ok(sent) => sent,
            Err(end) => return end,
        };
        let end = match self.grpc {
            true => answer::of_grpc(response, ticket).await,
            false => answer::of_http(response, ticket).await,
        };
        // A server that turns its caller away in TLS 1.3 says so only when the first call is with it.
        match (end, place.fault()) {
            (ClientEnd::Reset | ClientEnd::Garbled, Some(fault)) => ClientEnd::Insecure(fault),
            _ => end,
        }
    }

    /// Sends the request, once: on a connection that has room, else on a new one.
    ///
    /// A connection may have ended, or have been said to end (GOAWAY), without anybody having looked. As long as it has not taken
    /// the request, nothing has been sent and another connection may have it. From then on the call stays where it is.
    async fn send(&self, ticket: &mut Ticket) -> Result<(Place<'_>, ResponseFuture), ClientEnd> {
        let pool = &self.pools[ticket.record().caller as usize - 1];
        let template = &self.templates[usize::from(ticket.record().course.request)];
        let mut place = pool.place(ticket).await;
        if ticket.came_too_late() {
            return Err(ClientEnd::Unfinished);
        }
        ticket.dispatched(clock::now());
        loop {
            let link = place.link(ticket).await?;
            link.hear().await;
            let (request, body) = template.render(ticket.record().seq, ticket.record().user);
            ticket.sent(clock::now());
            match link.send(request, body) {
                Ok(response) => return Ok((place, response)),
                Err(error) if place.is_on_a_new_connection() => return Err(answer::broken(&error, None, ticket)),
                Err(_) => place = pool.place(ticket).await,
            }
        }
    }
}
