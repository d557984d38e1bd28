//! HTTP/2 with prior knowledge (RFC 9113), and gRPC on top of it: many calls at a time on a connection.

mod answer;
mod connection;
mod grpc;
mod io;
mod pool;
mod redirect;
mod template;

pub(crate) use pool::Pool;

use crate::{
    books::Ticket,
    clock,
    line::{Line, LineError, Messages},
    redirect::{Follow, Said},
};
use bytes::Bytes;
use h2::client::ResponseFuture;
use pool::Place;
use squall_model::{CallRecord, ClientEnd, Protocol};
use std::{sync::Arc, time::Duration};
use template::Template;

/// Head and body of a call.
type Sent = (http::Request<()>, Option<Bytes>);

/// One of a line's requests.
#[derive(Debug)]
struct Asked {
    template: Template,
    /// `None`: wherever an answer leads to, it is the call's.
    follow: Option<Follow>,
}

/// The client of one line.
#[derive(Debug)]
pub(crate) struct Client {
    /// Those of the line's targets, in order.
    pools: Vec<Arc<Pool>>,
    /// One for each of the line's requests.
    requests: Vec<Asked>,
    /// The answer is one of gRPC, of a call with so many messages.
    grpc: Option<Messages>,
    /// What the server is told of its time, from the intended send.
    told: Option<Duration>,
}

impl Client {
    pub(crate) fn new(line: &Line, pools: Vec<Arc<Pool>>) -> Result<Client, LineError> {
        let asked = |request| {
            Template::new(line, request).map(|template| Asked { template, follow: Follow::of(line, request) })
        };
        let requests = line.requests.requests().iter().map(asked).collect::<Result<_, _>>()?;
        let grpc = (line.protocol == Protocol::Grpc).then_some(line.messages);
        Ok(Client { pools, requests, grpc, told: line.told })
    }

    pub(crate) fn targets(&self) -> usize {
        self.pools.len()
    }

    /// Dropped before its end, it resets the call's stream with CANCEL.
    pub(crate) async fn call(&self, ticket: &mut Ticket) -> ClientEnd {
        let Asked { template, follow } = &self.requests[usize::from(ticket.record().course.request)];
        let &CallRecord { seq, user, intended, .. } = ticket.record();
        let render = || {
            let (mut request, body) = template.render(seq, user);
            if let Some(told) = self.told {
                grpc::tell(&mut request, (intended + told).since(clock::now()));
            }
            (request, body)
        };
        match (self.grpc, follow) {
            (Some(messages), _) => {
                let read = async |response, ticket: &mut Ticket| answer::of_grpc(response, messages, ticket).await;
                self.exchange(render, read, ticket).await
            }
            (None, None) => self.exchange(render, answer::of_http, ticket).await,
            // Rare, and larger than what is made for every other call.
            (None, Some(follow)) => Box::pin(self.follow(follow, render(), ticket)).await,
        }
    }

    /// Asks, and asks again where the answer leads, until it leads no further.
    async fn follow(&self, follow: &Follow, mut request: Sent, ticket: &mut Ticket) -> ClientEnd {
        let mut followed = 0;
        loop {
            let mut location = None;
            let read = async |response, ticket: &mut Ticket| {
                let (end, leads) = answer::leading(response, ticket).await;
                location = leads;
                end
            };
            let end = self.exchange(|| request.clone(), read, ticket).await;
            let (ClientEnd::Answered(status), Some(location)) = (end, &location) else { return end };
            let (method, path) = redirect::asked(&request.0);
            match follow.next(Said { status, location: location.as_bytes(), method, path }, followed) {
                None => return end,
                Some(next) => match next.and_then(|next| redirect::onward(request, &next)) {
                    Ok(next) => request = next,
                    Err(astray) => {
                        ticket.course().astray = Some(astray);
                        return end;
                    }
                },
            }
            ticket.follows();
            followed += 1;
        }
    }

    /// Sends a request and reads its answer.
    async fn exchange(
        &self,
        render: impl Fn() -> Sent,
        read: impl AsyncFnOnce(ResponseFuture, &mut Ticket) -> ClientEnd,
        ticket: &mut Ticket,
    ) -> ClientEnd {
        let (place, response) = match self.send(render, ticket).await {
            Ok(sent) => sent,
            Err(end) => return end,
        };
        let end = read(response, ticket).await;
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
    async fn send(
        &self,
        render: impl Fn() -> Sent,
        ticket: &mut Ticket,
    ) -> Result<(Place<'_>, ResponseFuture), ClientEnd> {
        let pool = &self.pools[ticket.record().caller as usize - 1];
        let mut place = pool.place(ticket).await;
        if ticket.came_too_late() {
            return Err(ClientEnd::Unfinished);
        }
        ticket.dispatched(clock::now());
        loop {
            let link = place.link(ticket).await?;
            link.hear().await;
            let (request, body) = render();
            ticket.sent(clock::now());
            match link.send(request, body) {
                Ok(response) => return Ok((place, response)),
                Err(error) if place.is_on_a_new_connection() => return Err(answer::broken(&error, None, ticket)),
                Err(_) => place = pool.place(ticket).await,
            }
        }
    }
}
