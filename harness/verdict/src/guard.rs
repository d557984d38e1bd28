//! Guards: are more of the calls bad than a line allows? Asked while traffic flows, of what the clients alone have seen.
//!
//! It has to be fast, and it must not be put off: not by a call that hangs, and not by an hour that was well. So a share is asked for
//! three times at each look, and one answer is enough:
//!
//! - of all calls since the traffic began, in order of their intended start, up to the oldest that is still in flight: by the
//!   sequential test of [`share`](squall_stats::share), as an expectation is;
//! - of the latest of these: those of a second, or 50 where a second had fewer;
//! - of the latest there are, with those in flight counted as if they did no harm.
//!
//! The latter two by the exact binomial bound, each at α for each look.

use crate::Settings;
use squall_evidence::CallMatcher;
use squall_model::{
    AnswerCode, CallRecord, ClientEnd, Fraction, Guard, GuardKind, Outcome, Plan, Stamp, Threshold, Tripped,
};
use squall_stats::{
    bounds::clopper_pearson_lower,
    share::{Decision, Design, Look, ShareTest},
};
use std::{collections::VecDeque, time::Duration};

/// The latest calls are those of so long.
const LATEST: Duration = Duration::from_secs(1);

/// And no fewer than these, if there are so many; more where it takes more bad ones in a row to show that a high limit is exceeded.
const FEWEST: u64 = 50;

/// A call that was sent and has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InFlight {
    /// Number of its traffic line.
    pub line: u16,
    /// When the schedule meant it to be sent.
    pub intended: Stamp,
}

/// A call that is meant, and whether it is one that the guard is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Unit {
    intended: Stamp,
    seq: u64,
    bad: bool,
}

/// One guard over the traffic of one run.
#[derive(Debug)]
pub struct GuardTest<'p> {
    guard: &'p Guard,
    matcher: CallMatcher<'p>,
    alpha: f64,
    kind: Kind,
    /// The latest calls are no fewer than these.
    fewest: u64,
    /// Ended, but not every call that was meant for an earlier moment has.
    waiting: Vec<Unit>,
    /// The latest of those before.
    latest: VecDeque<Unit>,
    /// Calls that have ended, and the bad among them.
    ended: Look,
}

#[derive(Debug)]
enum Kind {
    Count(u64),
    /// The share of the bad that is too large, and the test over all of them; none of a share that no test is for.
    Share(f64, Option<ShareTest>),
}

impl<'p> GuardTest<'p> {
    /// A guard of this plan that has seen nothing.
    #[must_use]
    pub fn new(plan: &'p Plan, guard: &'p Guard, settings: &Settings) -> GuardTest<'p> {
        let share = |limit: f64| Kind::Share(limit, Design::at_most(limit, settings.risk()).ok().map(ShareTest::new));
        let kind = match guard.says.once {
            Threshold::Count(count) => Kind::Count(count),
            Threshold::Above(limit) => share(limit.as_f64()),
            Threshold::Below(limit) => share(rest(limit)),
        };
        GuardTest {
            guard,
            matcher: CallMatcher::new(plan, &guard.says.of),
            alpha: settings.alpha,
            fewest: fewest(&kind, settings.alpha),
            kind,
            waiting: Vec::new(),
            latest: VecDeque::new(),
            ended: Look::default(),
        }
    }

    /// The guard.
    #[must_use]
    pub fn guard(&self) -> &'p Guard {
        self.guard
    }

    /// Takes in calls that have ended, in any order.
    pub fn take(&mut self, calls: &[CallRecord]) {
        let says = &self.guard.says;
        let meant = calls.iter().filter(|call| self.matcher.means_record(call) && is_chosen(says, call.end));
        for call in meant {
            let bad = does(call, &says.outcome) != is_below(says.once);
            self.waiting.push(Unit { intended: call.intended, seq: call.seq, bad });
            self.ended.n += 1;
            self.ended.hits += u64::from(bad);
        }
    }

    /// Is it met? `unresolved`: every call that was meant for an earlier moment was taken in; `None`: all were.
    pub fn look(&mut self, now: Stamp, unresolved: Option<Stamp>, in_flight: &[InFlight]) -> Option<Tripped> {
        self.settle(unresolved);
        let (whole, limit) = match &self.kind {
            Kind::Count(count) => return (self.ended.hits >= *count).then(|| self.tripped(self.ended, false)),
            Kind::Share(limit, test) => (test.as_ref().and_then(shown), *limit),
        };
        if let Some(seen) = whole {
            return Some(self.tripped(seen, false));
        }
        let until = self.latest.back().map_or(now, |unit| unit.intended);
        let settled = newest(self.latest.iter().rev().copied(), until, self.fewest);
        let all = newest(self.by_intended(in_flight).into_iter().rev(), now, self.fewest);
        let met = [settled, all].into_iter().find(|seen| clopper_pearson_lower(*seen, self.alpha) > Some(limit));
        met.map(|seen| self.tripped(seen, true))
    }

    /// What is known of all calls up to a moment is fed to the test, in order.
    fn settle(&mut self, unresolved: Option<Stamp>) {
        self.waiting.sort_unstable();
        let settled = unresolved.map_or(self.waiting.len(), |at| self.waiting.partition_point(|u| u.intended < at));
        for unit in self.waiting.drain(..settled) {
            if let Kind::Share(_, Some(test)) = &mut self.kind {
                test.push(unit.bad);
            }
            self.latest.push_back(unit);
        }
        let Some(last) = self.latest.back().map(|unit| unit.intended) else { return };
        while self.latest.len() as u64 > self.fewest && self.latest.front().is_some_and(|u| u.intended + LATEST <= last)
        {
            self.latest.pop_front();
        }
    }

    /// The latest calls, ended or not, in order.
    fn by_intended(&self, in_flight: &[InFlight]) -> Vec<Unit> {
        let flying = in_flight.iter().filter(|call| self.matcher.may_mean(call.line));
        let flying = flying.map(|call| Unit { intended: call.intended, seq: u64::MAX, bad: false });
        let mut all: Vec<Unit> = self.latest.iter().chain(&self.waiting).copied().chain(flying).collect();
        all.sort_unstable();
        all
    }

    /// In the words of the line: what a guard against too few counts is those that do it.
    fn tripped(&self, seen: Look, latest: bool) -> Tripped {
        let hits = if is_below(self.guard.says.once) { seen.n - seen.hits } else { seen.hits };
        Tripped { hits, n: seen.n, latest }
    }
}

/// All but this share.
fn rest(share: Fraction) -> f64 {
    f64::from(Fraction::ALL.ppm() - share.ppm()) / f64::from(Fraction::ALL.ppm())
}

/// Calls and bad ones, where the test over all of them has excluded that their share is allowed; however well it was before.
fn shown(test: &ShareTest) -> Option<Look> {
    matches!(test.decision(), Decision::Violated | Decision::Contradicted).then(|| test.now())
}

/// How many calls it takes at least: of so many, all of them bad, the lower bound is above the limit (limit^n < α).
fn fewest(kind: &Kind, alpha: f64) -> u64 {
    match kind {
        Kind::Share(limit, _) if *limit > 0.0 && *limit < 1.0 => {
            FEWEST.max((alpha.ln() / limit.ln()).ceil() as u64 + 1)
        }
        Kind::Share(..) | Kind::Count(_) => FEWEST,
    }
}

/// Counts the latest, newest first.
fn newest(units: impl Iterator<Item = Unit>, until: Stamp, fewest: u64) -> Look {
    let mut seen = Look::default();
    for unit in units {
        if seen.n >= fewest && unit.intended + LATEST <= until {
            break;
        }
        seen.n += 1;
        seen.hits += u64::from(unit.bad);
    }
    seen
}

fn is_below(once: Threshold) -> bool {
    matches!(once, Threshold::Below(_))
}

fn is_chosen(says: &GuardKind, end: ClientEnd) -> bool {
    !says.failed || !end.is_success()
}

/// Does this call do it, for all that its client saw?
fn does(call: &CallRecord, what: &Outcome) -> bool {
    let took = match call.end {
        ClientEnd::Unfinished => Duration::MAX,
        _ => call.done.since(call.intended),
    };
    match what {
        Outcome::Succeed(limit) => call.end.is_success() && limit.is_none_or(|limit| took <= limit),
        Outcome::Fail => !call.end.is_success(),
        Outcome::FinishWithin(limit) => took <= *limit,
        Outcome::TakeAtLeast(least) => took >= *least,
        Outcome::Answered(AnswerCode::Status(status)) => call.end == ClientEnd::Answered(*status),
        Outcome::Answered(AnswerCode::Grpc(status)) => call.end == ClientEnd::Grpc(*status),
        // What stands in logs is refused where the line is read.
        _ => false,
    }
}

#[cfg(test)]
mod tests;
