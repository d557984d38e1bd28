//! Making a call: from its intended send to its end.

use crate::{
    books::{Source, Ticket},
    client::Client,
    clock,
    line::Line,
    mix::Mix,
};
use squall_model::{CallRecord, ClientEnd, Course, Stamp};
use std::{
    sync::atomic::{AtomicU64, Ordering},
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
    client: Client,
    /// 0: none.
    users: u32,
    deadline: Duration,
    requests: Mix,
    seed: u64,
    numbers: Numbers,
    /// Calls begun.
    count: AtomicU64,
}

impl ActiveLine {
    /// `client` is that of the line, with at least one target.
    pub(crate) fn new(line: &Line, client: Client, numbers: Numbers) -> ActiveLine {
        ActiveLine {
            number: line.number,
            client,
            users: line.users.unwrap_or(0),
            deadline: line.deadline,
            requests: line.requests.clone(),
            seed: line.seed,
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
        let seq = self.numbers.first + k * self.numbers.step;
        source.open(CallRecord {
            seq,
            line: self.number,
            caller: in_turn(self.client.targets() as u64),
            user: user.unwrap_or_else(next_user),
            intended,
            sent: intended,
            done: intended,
            end: ClientEnd::Unfinished,
            course: Course { request: self.requests.draw(self.seed, seq), ..Course::default() },
        })
    }

    /// Makes the call and closes its record; returns the moment of its end.
    pub(crate) async fn make(&self, mut ticket: Ticket) -> Stamp {
        let books = ticket.books();
        let deadline = clock::instant(ticket.record().intended + self.deadline);
        let end = tokio::select! {
            biased;
            end = self.client.call(&mut ticket) => end,
            () = tokio::time::sleep_until(deadline) => ClientEnd::Deadline,
            () = books.aborted() => ClientEnd::Unfinished,
        };
        let done = ticket.ended().unwrap_or_else(clock::now);
        ticket.close(end, done);
        done
    }
}
