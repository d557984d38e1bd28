//! *Recover within T of M*: after M + T no slot of 50 calls in a row is worse than all of the phase before it, and at least one
//! full slot follows.

use super::Came;
use crate::ruling::{Case, Ruling, Standing, alike};
use squall_evidence::{CallMatcher, CallOutcome, CallStory, Life, Membership};
use squall_model::{Anchor, Calls, Measured, MomentRef, Phase, Stamp, Verdict, Why};
use squall_stats::{
    bounds::{clopper_pearson_lower, clopper_pearson_upper},
    share::Look,
};
use std::time::Duration;

/// Calls in a slot.
const SLOT: usize = 50;

pub(super) fn rule(case: Case<'_>, calls: &Calls, within: Duration, of: MomentRef) -> Ruling {
    let Case { plan, evidence, .. } = case;
    let anchor = match of {
        MomentRef::Change => Anchor::Change,
        MomentRef::FaultStart | MomentRef::FaultEnd | MomentRef::Failure(_) => Anchor::Fault,
    };
    let Some(moment) = evidence.moment(of) else { return Ruling::empty() };
    let matcher = CallMatcher::new(plan, calls);
    let meant: Vec<Call> = evidence
        .settled()
        .iter()
        .enumerate()
        .filter(|(_, story)| matcher.means(evidence, story))
        .map(|(index, story)| Call::new(index, story))
        .collect();
    // What crossed into the fault is not of the phase before it.
    let before = |(_, s): &(usize, &CallStory)| {
        matcher.means(evidence, s) && evidence.membership(Phase::Before(anchor), Life::from(*s)) == Membership::Within
    };
    let mut flawed = Look::default();
    for (index, story) in evidence.settled().iter().enumerate().filter(before) {
        flawed.n += 1;
        flawed.hits += u64::from(Call::new(index, story).failed);
    }
    if flawed.n == 0 {
        return Ruling::empty();
    }
    let slots = Slots { before: flawed, case };
    let after = |from: Stamp| &meant[meant.partition_point(|c| c.intended <= from)..];
    let early = slots.rule(after(moment.asked + within));
    let late = slots.rule(after(moment.settled + within));
    let since = after(moment.asked);
    let last_bad = slots.last_bad(since);
    let time = |from: Stamp| last_bad.map_or(0, |bad| bad.0.saturating_sub(from.0));
    let measured = match slots.still_bad(since) {
        true => Measured::Time(None),
        false => Measured::Time(Some((time(moment.settled), time(moment.asked)))),
    };
    let verdict = alike(early, late);
    let standing = match verdict {
        Verdict::Violated => Standing::Final,
        Verdict::Holds if meant.len() as u64 >= case.settings.minimum => Standing::Enough,
        _ => Standing::Open,
    };
    let offenders = after(moment.asked + within).iter().filter(|c| c.failed).map(|c| c.index).collect();
    Ruling { verdict, measured, standing, offenders }
}

#[derive(Debug, Clone, Copy)]
struct Call {
    index: usize,
    intended: Stamp,
    failed: bool,
}

impl Call {
    fn new(index: usize, story: &CallStory) -> Call {
        Call { index, intended: story.intended, failed: story.outcome != CallOutcome::Succeeded }
    }
}

/// Compares slots with what was before.
struct Slots<'a> {
    before: Look,
    case: Case<'a>,
}

impl Slots<'_> {
    /// Flawless before: no call fails, which is exact. Otherwise a slot is worse if chance alone does not explain it.
    fn rule(&self, calls: &[Call]) -> Verdict {
        let Some(worst) = failures(calls).max() else {
            return Verdict::Inconclusive(Why::Undecided { needed: None });
        };
        let slots = calls.len() + 1 - SLOT;
        match self.stands(worst, slots) {
            Came::InTime => Verdict::Holds,
            Came::TooLate => Verdict::Violated,
            Came::NotYet => Verdict::Inconclusive(Why::Undecided { needed: None }),
        }
    }

    /// A slot with so many failures, the worst of so many: as before, worse, or perhaps worse.
    fn stands(&self, failures: u64, slots: usize) -> Came {
        if failures == 0 || self.before.hits == 0 {
            return if failures == 0 { Came::InTime } else { Came::TooLate };
        }
        let share = self.before.hits as f64 / self.before.n as f64;
        let alpha = self.case.settings.alpha / 2.0;
        let at_worst = clopper_pearson_upper(self.before, alpha).unwrap_or(1.0);
        if self.exceeds(failures, alpha / slots as f64, at_worst) {
            Came::TooLate
        } else if self.exceeds(failures, self.case.settings.beta, share) {
            Came::NotYet
        } else {
            Came::InTime
        }
    }

    /// Does chance, at this error rate, not explain so many failures in a slot where this share of calls fails?
    fn exceeds(&self, failures: u64, error: f64, share: f64) -> bool {
        let slot = Look { n: SLOT as u64, hits: failures };
        clopper_pearson_lower(slot, error).is_some_and(|low| low > share)
    }

    /// The very last slot is worse: whatever came of them later, nobody saw them recover.
    fn still_bad(&self, calls: &[Call]) -> bool {
        failures(calls).last().is_some_and(|failed| self.stands(failed, 1) != Came::InTime)
    }

    /// The last failure of the last slot that was worse; before the first full slot, the last failure at all.
    fn last_bad(&self, calls: &[Call]) -> Option<Stamp> {
        let worst_allowed = |n: &u64| self.stands(*n, 1) == Came::InTime;
        let end = match failures(calls).collect::<Vec<_>>().iter().rposition(|n| !worst_allowed(n)) {
            Some(slot) => slot + SLOT,
            None if calls.len() < SLOT => calls.len(),
            None => 0,
        };
        calls[..end].iter().rev().find(|c| c.failed).map(|c| c.intended)
    }
}

/// Failures in each slot of consecutive calls, each slot one call further; none where there is no full slot.
fn failures(calls: &[Call]) -> impl Iterator<Item = u64> {
    calls.windows(SLOT).map(|slot| slot.iter().filter(|c| c.failed).count() as u64)
}
