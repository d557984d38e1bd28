//! Making a call: from its intended send to its end.

use crate::{
    books::{Source, Ticket},
    clock,
    connection::{Connection, SendFailure},
    line::Line,
    pool::Pool,
    request::Template,
};
use squall_model::{CallRecord, ClientEnd, Stamp};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Which numbers the calls of one line get: every `step`th from `first`. The lines of a run share a step, their number, so no
/// number is given twice, and what a line's calls are called does not depend on how fast another line is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Numbers {
    pub(crate) first: u64,
    pub(crate) step: u64,
}

/// A line under way.
#[derive(Debug)]
pub(crate) struct ActiveLine {
    number: u16,
    pools: Vec<Arc<Pool>>,
    template: Template,
    to_head: bool,
    /// 0: none.
    users: u32,
    deadline: Duration,
    numbers: Numbers,
    /// Calls begun.
    count: AtomicU64,
}

impl ActiveLine {
    /// `pools` are those of the line's targets, in order, and not empty.
    pub(crate) fn new(line: &Line, pools: Vec<Arc<Pool>>, numbers: Numbers) -> ActiveLine {
        ActiveLine {
            number: line.number,
            pools,
            template: Template::new(&line.request, &line.id_prefix, &line.user_header),
            to_head: line.request.is_head(),
            users: line.users.unwrap_or(0),
            deadline: line.deadline,
            numbers,
            count: AtomicU64::new(0),
        }
    }

    pub(crate) fn number(&self) -> u16 {
        self.number
    }

    /// Begins the line's next call: of this user, or of the next in turn. `None` if the run has been stopped.
    pub(crate) fn open(&self, source: &Source, intended: Stamp, user: Option<u32>) -> Option<Ticket> {
        let k = self.count.fetch_add(1, Ordering::Relaxed);
        let in_turn = |of: u64| (k % of) as u32 + 1;
        let next_user = || if self.users == 0 { 0 } else { in_turn(u64::from(self.users)) };
        source.open(CallRecord {
            seq: self.numbers.first + k * self.numbers.step,
            line: self.number,
            caller: in_turn(self.pools.len() as u64),
            user: user.unwrap_or_else(next_user),
            intended,
            sent: intended,
            done: intended,
            end: ClientEnd::Unfinished,
        })
    }

    /// Makes the call and closes its record; returns the moment of its end.
    pub(crate) async fn make(&self, mut ticket: Ticket) -> Stamp {
        let books = ticket.books();
        let deadline = clock::instant(ticket.record().intended + self.deadline);
        let end = tokio::select! {
            biased;
            end = self.converse(&mut ticket) => end,
            () = tokio::time::sleep_until(deadline) => ClientEnd::Deadline,
            () = books.aborted() => ClientEnd::Unfinished,
        };
        let done = clock::now();
        ticket.close(end, done);
        done
    }

    async fn converse(&self, ticket: &mut Ticket) -> ClientEnd {
        let pool = &self.pools[ticket.record().caller as usize - 1];
        let Some(_room) = pool.room(ticket).await else { return ClientEnd::Unfinished };
        ticket.dispatched(clock::now());
        let request = self.template.render(ticket.record().seq, ticket.record().user);
        let mut connection = match send(&request, pool, ticket).await {
            Ok(connection) => connection,
            Err(end) => return end,
        };
        let (end, reuse) = connection.receive(self.to_head).await;
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
            Err(SendFailure::Part) => return Err(ClientEnd::Reset),
        }
    }
    let mut connection = pool.connect(ticket).await.map_err(|_refused| ClientEnd::Refused)?;
    ticket.sent(clock::now());
    match connection.send(request).await {
        Ok(()) => Ok(connection),
        Err(_) => Err(ClientEnd::Reset),
    }
}
