//! Do the observers agree? Each law compares what two of them counted.
//!
//! Records are matched one by one, so a missing and a superfluous one never cancel out. The slack of a law is derived: it
//! counts those records that a process may have taken with it when it was killed, never a tolerance.

mod counted;
mod discord;
mod due;
mod gaps;
mod strays;

use crate::{Evidence, Flags, Process, dose};
use due::State;
use squall_model::{AccessRecord, InstanceId, Plan, Stamp};
use std::{collections::BTreeMap, fmt, time::Duration};

pub use discord::discords;

/// What must agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LawId {
    /// The barrier was passed: no record is still on its way.
    RecordComplete,
    /// Each call that reached its caller's proxy has a line there.
    CallLogged,
    /// Each record with an id of ours belongs to a call.
    RecordCalled,
    /// Each try that a line at its caller's proxy counts is in the upstream log there.
    TriesLogged,
    /// Each try that was answered has a line at the callee's proxy.
    TryArrived,
    /// Each try that somebody else's service answered went to an instance that is known: it had it when the run began, or got it by a fault of ours.
    HostKnown,
    /// Each line at a callee's proxy has a try that was sent.
    LineTried,
    /// Each line at a callee's proxy that passes on its workload's answer has a line in the ledger.
    LineServed,
    /// Each line in a ledger has a line at the callee's proxy.
    ServedLogged,
    /// Each proxy that wrote a line has told its counters.
    CountersRead,
    /// An outbound listener's `downstream_rq_total` rose by its lines: those of calls.
    CallsCounted,
    /// An inbound listener's `downstream_rq_total` rose by its lines: those of tries, and of health checks.
    ArrivalsCounted,
    /// `upstream_rq_total` of the cluster of a workload rose by the lines of its ledger.
    ServedCounted,
    /// A cluster's `upstream_rq_total` rose by the tries that were sent.
    TriesCounted,
    /// A cluster's overflow counters rose by the tries that its breaker turned away.
    /// Which of the two moves depends on the release: their sum counts.
    OverflowsCounted,
    /// A listener's `fault.aborts_injected` rose by its lines with FI.
    AbortsCounted,
    /// A listener's `fault.delays_injected` rose by its lines with DI.
    DelaysCounted,
    /// Each FI and DI belongs to a fault of this scenario.
    FaultOwned,
    /// Each damage that a link did to a connection belongs to a fault of this scenario.
    DamageOwned,
}

/// By how much two observers may differ without contradicting each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Slack {
    /// The right side may be smaller by this.
    pub fewer: u64,
    /// The right side may be larger by this.
    pub more: u64,
}

/// A law and what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Books {
    /// The observers agree.
    Balanced,
    /// They do not.
    Broken,
}

/// One law, with both its sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance {
    /// Which law.
    pub law: LawId,
    /// At whose proxy; `None`: over all.
    pub at: Option<InstanceId>,
    /// What must be found.
    pub left: u64,
    /// What was found.
    pub right: u64,
    /// By how much they may differ.
    pub slack: Slack,
    /// What came of it.
    pub finding: Books,
}

impl Balance {
    fn new(law: LawId, at: Option<InstanceId>, left: u64, right: u64, slack: Slack) -> Balance {
        let enough = right.saturating_add(slack.fewer) >= left;
        let not_too_many = right <= left.saturating_add(slack.more);
        let finding = if enough && not_too_many { Books::Balanced } else { Books::Broken };
        Balance { law, at, left, right, slack, finding }
    }

    /// What is found beyond what must be, and beyond the slack.
    fn over(&self) -> u64 {
        self.right.saturating_sub(self.left.saturating_add(self.slack.more))
    }

    /// What is missing of what must be found, beyond the slack.
    fn under(&self) -> u64 {
        self.left.saturating_sub(self.right.saturating_add(self.slack.fewer))
    }
}

impl fmt::Display for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (left, right) = match self.law {
            LawId::RecordComplete => {
                return f.write_str("the barrier was not passed, records may still be on their way");
            }
            LawId::CallLogged => ("calls", "with a line at their caller's proxy"),
            LawId::RecordCalled => ("records with an id of ours", "of a call of ours"),
            LawId::TriesLogged => ("tries by the lines of callers' proxies", "in their upstream logs"),
            LawId::TryArrived => ("answered tries", "with a line at the callee's proxy"),
            LawId::HostKnown => ("tries answered by services of others", "by an instance of theirs that is known"),
            LawId::LineTried => ("lines at callees' proxies", "of a try that was sent"),
            LawId::LineServed => ("answers passed on by callees' proxies", "in a ledger"),
            LawId::ServedLogged => ("lines of ledgers", "with a line at the callee's proxy"),
            LawId::CountersRead => ("proxies that wrote lines", "that told their counters"),
            LawId::CallsCounted => ("lines of calls", "counted by the outbound listener"),
            LawId::ArrivalsCounted => ("lines of tries that arrived", "counted by the inbound listener"),
            LawId::ServedCounted => ("lines of the ledger", "counted by upstream_rq_total of its workload"),
            LawId::TriesCounted => ("tries sent", "counted by upstream_rq_total"),
            LawId::OverflowsCounted => ("tries turned away by the breaker", "counted by its overflow counters"),
            LawId::AbortsCounted => ("lines with FI", "counted by aborts_injected"),
            LawId::DelaysCounted => ("lines with DI", "counted by delays_injected"),
            LawId::FaultOwned => ("lines with FI or DI", "of a fault of this scenario"),
            LawId::DamageOwned => ("damages of connections", "of a fault of this scenario"),
        };
        write!(f, "{} {left}, {} {right}", self.left, self.right)?;
        if let Some(at) = &self.at {
            write!(f, " (proxy of {at})")?;
        }
        match self.slack {
            Slack { fewer: 0, more: 0 } => Ok(()),
            Slack { fewer, more } => write!(f, ", where {fewer} fewer or {more} more may be"),
        }
    }
}

/// Every law of a finished run. Laws about counters are left out where none were read.
#[must_use]
pub fn balances(plan: &Plan, evidence: &Evidence) -> Vec<Balance> {
    let complete = u64::from(evidence.is_complete());
    let mut all = vec![Balance::new(LawId::RecordComplete, None, 1, complete, Slack::default())];
    let mut tallies: BTreeMap<LawId, Tally> = BTreeMap::new();
    due::each(evidence, &mut |due| tallies.entry(due.law).or_default().count(due.state));
    let tally = |law: LawId| tallies.get(&law).copied().unwrap_or_default().balance(law);
    all.push(tally(LawId::CallLogged));
    all.push(records_called(evidence));
    all.extend(
        [LawId::TriesLogged, LawId::TryArrived, LawId::LineTried, LawId::LineServed, LawId::ServedLogged].map(tally),
    );
    all.push(hosts_known(evidence));
    for (law, (found, unowned)) in [
        (LawId::FaultOwned, dose::unowned(plan, evidence)),
        (LawId::DamageOwned, dose::unowned_damages(plan, evidence)),
    ] {
        all.push(Balance::new(law, None, found, found - unowned, Slack::default()));
    }
    all.extend(counted::read(evidence));
    for counted in &counted::Counted::all(evidence) {
        all.extend(counted.balances(evidence));
    }
    all
}

/// A line at a callee's proxy that passes on what its workload answered.
pub(crate) fn is_from_workload(line: &AccessRecord) -> bool {
    let passed_on = line.details == "via_upstream" || (line.details.is_empty() && Flags(&line.flags).is_empty());
    passed_on && line.status != 0 && !Flags(&line.flags).has("FI")
}

/// Can a record of something that went on from `from` to `to` have been lost with a process that was killed meanwhile, or while
/// its record was not yet written?
pub(crate) fn lost_with(
    evidence: &Evidence,
    what: Process,
    whose: impl Fn(&InstanceId) -> bool,
    from: Stamp,
    to: Stamp,
) -> bool {
    let health = &evidence.observed.health;
    let error = Duration::from_nanos(health.clock_error);
    let unwritten = match what {
        Process::Proxy => Duration::from_nanos(health.unwritten),
        // A ledger is written before its try is answered.
        _ => Duration::ZERO,
    };
    evidence.observed.lives.iter().filter(|life| life.what == what && whose(&life.instance)).any(|life| {
        let asked = life.asked.unwrap_or(life.at);
        from <= life.at + error && to + unwritten + error >= asked
    })
}

/// One side of a one-by-one match: how many there are, how many were matched, how many of the others may be missing.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    all: u64,
    matched: u64,
    excused: u64,
}

impl Tally {
    fn count(&mut self, state: State) {
        self.all += 1;
        self.matched += u64::from(state == State::Found);
        self.excused += u64::from(state == State::Excused);
    }

    fn balance(self, law: LawId) -> Balance {
        Balance::new(law, None, self.all, self.matched, Slack { fewer: self.excused, more: 0 })
    }
}

/// Of the tries that somebody else's services answered: those that went to an instance that is known.
fn hosts_known(evidence: &Evidence) -> Balance {
    let tries = || evidence.stories.iter().flat_map(|story| evidence.tries(story));
    let answered = || tries().filter(|t| t.one_sided && t.status() != 0);
    let known = answered().filter(|t| t.instance().is_some()).count() as u64;
    Balance::new(LawId::HostKnown, None, answered().count() as u64, known, Slack::default())
}

fn records_called(evidence: &Evidence) -> Balance {
    let matched = (evidence.stories.len() + evidence.tries.len()) as u64;
    let mut tally = Tally { all: matched, matched, excused: 0 };
    strays::each(evidence, &mut |stray| tally.count(if stray.excused { State::Excused } else { State::Missing }));
    tally.balance(LawId::RecordCalled)
}

#[cfg(test)]
mod tests;
