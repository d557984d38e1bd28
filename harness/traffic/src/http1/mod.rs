//! HTTP/1.1: one call at a time on a connection.

mod connection;
mod pool;
mod response;
mod template;

pub(crate) use pool::Pool;

use crate::{books::Ticket, clock, line::Line};
use connection::{Connection, SendFailure};
use squall_model::{Break, ClientEnd};
use std::sync::Arc;
use template::Template;

/// The client of one line.
#[derive(Debug)]
pub(crate) struct Client {
    /// Those of the line's targets, in order.
    pools: Vec<Arc<Pool>>,
    /// For each of the line's requests: how it is written, and whether its answer has no body whatever its head says.
    requests: Vec<(Template, bool)>,
}

impl Client {
    pub(crate) fn new(line: &Line, pools: Vec<Arc<Pool>>) -> Client {
        let written = |request| Template::new(request, &line.id_prefix, &line.user_header, line.seed);
        let requests = line.requests.requests().iter().map(|request| (written(request), request.is_head())).collect();
        Client { pools, requests }
    }

    pub(crate) fn targets(&self) -> usize {
        self.pools.len()
    }

    pub(crate) async fn call(&self, ticket: &mut Ticket) -> ClientEnd {
        let pool = &self.pools[ticket.record().caller as usize - 1];
        let Some(_room) = pool.room(ticket).await else { return ClientEnd::Unfinished };
        ticket.dispatched(clock::now());
        let (template, to_head) = &self.requests[usize::from(ticket.record().course.request)];
        let request = template.render(ticket.record().seq, ticket.record().user);
        let mut connection = match send(&request, pool, ticket).await {
            Ok(connection) => connection,
            Err(end) => return end,
        };
        let (end, reuse) = connection.receive(*to_head, ticket).await;
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
