//! Making a call: from its intended send to its end.

use crate::{
    books::{Source, Ticket},
    client::Client,
    clock,
    line::Line,
    mix::Mix,
    pattern::draw,
};
use squall_model::{CallRecord, ClientEnd, Course, Stamp};
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Apart from every place of a pattern, and from what a mix draws.
const ROUND: u64 = u64::MAX - 1;

/// Who makes the `k`th call of a line of so many users, from 1. In each round everybody has one turn, and each round begins with
/// somebody else, drawn by the seed: in an order that stays the same, thirty users and a round robin of three instances would march
/// in step, and each user would seem to stick to an instance. The first round begins with the first.
fn user_of(k: u64, users: u32, seed: u64) -> u32 {
    let users = u64::from(users);
    let (round, place) = (k / users, k % users);
    let shift = if round == 0 { 0 } else { draw(seed, round, ROUND) % users };
    ((place + shift) % users) as u32 + 1
}

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
        let next_user = || if self.users == 0 { 0 } else { user_of(k, self.users, self.seed) };
        let seq = self.numbers.first + k * self.numbers.step;
        source.open(CallRecord {
            seq,
            line: self.number,
            caller: (k % self.client.targets() as u64) as u32 + 1,
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn in_each_round_everybody_has_one_turn() {
        for users in [1, 2, 3, 30] {
            let all: Vec<u32> = (0..u64::from(users) * 20).map(|k| user_of(k, users, 7)).collect();
            assert_eq!(all[..users as usize], (1..=users).collect::<Vec<_>>());
            for round in all.chunks_exact(users as usize) {
                assert_eq!(round.iter().copied().collect::<BTreeSet<_>>(), (1..=users).collect());
            }
        }
    }

    /// Of 30 users over 3 instances in 20 rounds: that one stays by chance happens once in 3^19 seeds.
    #[test]
    fn users_and_a_round_robin_are_not_in_step() {
        let mut seen = BTreeMap::<u32, BTreeSet<u64>>::new();
        (0..600).for_each(|k| _ = seen.entry(user_of(k, 30, 7)).or_default().insert(k % 3));
        assert!(seen.values().all(|instances| instances.len() == 3), "{seen:?}");
    }

    #[test]
    fn the_order_is_that_of_the_seed() {
        let order = |seed| (0..300).map(|k| user_of(k, 30, seed)).collect::<Vec<_>>();
        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
    }
}
