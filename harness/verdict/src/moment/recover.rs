//! *Recover within T of M*: from M + T on calls fare as they did before, or by [`MARGIN`] worse at most.
//!
//! - **violated**: calls with the chances of those before do not fail like this, at α: neither the first of them (who has not
//!   recovered yet fails on), nor 50 in a row (who gets worse again), nor all together (who stays worse).
//! - **holds**: that all together fail by more than the margin more often is excluded at β, and no first ones and no 50 in a row
//!   look worse at β. It is looked at once, when the run is over: what came right early may go wrong late. With few calls before no
//!   part can look worse than they do, whatever becomes of it: so there must have been [`BEFORE`], and half of them must have succeeded.

use crate::{
    ruling::{Case, Ruling, Standing, at_both_ends},
    units::{Member, members},
};
use squall_evidence::CallOutcome;
use squall_model::{Anchor, Calls, Measured, MomentRef, Phase, Stamp, Verdict, Why};
use squall_stats::{
    bounds::{clopper_pearson_lower, clopper_pearson_upper},
    contrast::ln_fisher,
    share::{Decision, Look, Risk},
};
use std::time::Duration;

/// By so much more often calls may fail than before: what 66 calls without a failure show.
const MARGIN: f64 = 0.10;
/// Calls in a slot; so many first ones are looked at, too.
const SLOT: usize = 50;
/// So many calls must have been over before: against as many without a failure 7 in a slot look worse at β, against 50 only 10 do,
/// against one or none no number does. Of two slots of calls that are sent before it, some are still in flight when the fault begins.
const BEFORE: u64 = 80;

pub(super) fn rule(case: Case<'_>, calls: &Calls, within: Duration, of: MomentRef) -> Ruling {
    let anchor = match of {
        MomentRef::Change => Anchor::Change,
        MomentRef::FaultStart | MomentRef::FaultEnd | MomentRef::Failure(_) => Anchor::Fault,
    };
    let Some(moment) = case.evidence.moment(of) else { return Ruling::empty() };
    let of_phase = |phase| members(case, calls, phase).map(|member| (member.crossing, Call::new(&member)));
    // What crossed into the fault is not of the phase before it.
    let before: Vec<Call> =
        of_phase(Phase::Before(anchor)).filter(|(crossing, _)| !crossing).map(|(_, call)| call).collect();
    if before.is_empty() {
        return Ruling::empty();
    }
    let all: Vec<Call> = of_phase(Phase::Whole).map(|(_, call)| call).collect();
    let comparison = Comparison::with(look(&before), case.settings.risk());
    let after = |from: Stamp| &all[all.partition_point(|c| c.intended <= from)..];
    let over = case.evidence.is_complete();
    let [early, late] = [moment.asked, moment.settled].map(|at| comparison.decision(after(at + within), over));
    let last_bad = comparison.last_bad(after(moment.asked));
    let time = |from: Stamp| last_bad.map_or(0, |bad| bad.0.saturating_sub(from.0));
    let measured = match comparison.still_bad(after(moment.asked)) {
        true => Measured::Time(None),
        false => Measured::Time(Some((time(moment.settled), time(moment.asked)))),
    };
    let verdict = match (at_both_ends(early, late, || Why::Border), comparison.failing()) {
        (Verdict::Holds, Some(why)) => Verdict::Inconclusive(why),
        (verdict, _) => verdict,
    };
    let standing = if verdict.is_decided() { Standing::Final } else { Standing::Open };
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
    fn new(of: &Member<'_>) -> Call {
        let Member { index, story, .. } = *of;
        Call { index, intended: story.intended, failed: story.outcome != CallOutcome::Succeeded }
    }
}

fn look(calls: &[Call]) -> Look {
    Look { n: calls.len() as u64, hits: calls.iter().filter(|call| call.failed).count() as u64 }
}

/// Compares calls with those before.
struct Comparison {
    before: Look,
    risk: Risk,
    /// The logarithm of the chance of so many failures in a slot, or more. There are as many slots as calls, and they are looked at
    /// while the run is under way.
    of_slots: Vec<f64>,
}

impl Comparison {
    fn with(before: Look, risk: Risk) -> Comparison {
        let slots = (0..=SLOT as u64).map(|hits| Look { n: SLOT as u64, hits });
        let of_slots = slots.map(|slot| ln_chance(slot, before)).collect();
        Comparison { before, risk, of_slots }
    }

    fn decision(&self, calls: &[Call], over: bool) -> Decision {
        let all = look(calls);
        let parts = || firsts(calls).chain(slots(calls));
        let is_worse = parts().any(|(part, weight)| self.is_worse(part, self.risk.alpha * weight));
        if is_worse || over && self.is_worse(all, self.risk.alpha / 3.0) {
            return Decision::Violated;
        }
        // Each at β: a promise is not shown while any part looks worse, nor where none could.
        let enough = over && calls.len() >= SLOT && self.before.n >= BEFORE;
        let well = enough && !parts().any(|(part, _)| self.is_worse(part, self.risk.beta));
        if well && self.is_within_margin(all) { Decision::Holds } else { Decision::Undecided }
    }

    /// Does chance, at this error, not explain that so many of these fail, if they fail as those before?
    fn is_worse(&self, part: Look, error: f64) -> bool {
        let chance = match self.of_slots.get(part.hits as usize) {
            Some(known) if part.n == SLOT as u64 => *known,
            _ => ln_chance(part, self.before),
        };
        part.hits > 0 && chance <= error.ln()
    }

    /// Is it excluded, at β, that these fail by more than the margin more often? That those before fail never at the least is no
    /// estimate, and costs nothing.
    fn is_within_margin(&self, all: Look) -> bool {
        let beta = if self.before.hits == 0 { self.risk.beta } else { self.risk.beta / 2.0 };
        let least = clopper_pearson_lower(self.before, beta);
        let most = clopper_pearson_upper(all, beta);
        least.zip(most).is_some_and(|(least, most)| most - least <= MARGIN)
    }

    /// Who fails as often as not before has nothing to come back to.
    fn failing(&self) -> Option<Why> {
        let Look { n: of, hits: failed } = self.before;
        (2 * failed >= of).then_some(Why::Failing { failed, of })
    }

    /// The very last slot is worse: whatever came of them later, nobody saw them recover.
    fn still_bad(&self, calls: &[Call]) -> bool {
        slots(calls).last().is_some_and(|(slot, _)| self.is_worse(slot, self.risk.beta))
    }

    /// The last failure of the last slot that looks worse; before the first full slot, the last failure at all.
    fn last_bad(&self, calls: &[Call]) -> Option<Stamp> {
        let bad: Vec<bool> = slots(calls).map(|(slot, _)| self.is_worse(slot, self.risk.beta)).collect();
        let end = match bad.iter().rposition(|bad| *bad) {
            Some(slot) => slot + SLOT,
            None if calls.len() < SLOT => calls.len(),
            None => 0,
        };
        calls[..end].iter().rev().find(|c| c.failed).map(|c| c.intended)
    }
}

/// By Fisher's exact test: that these fail more often than those before.
fn ln_chance(part: Look, before: Look) -> f64 {
    ln_fisher(part, Look { n: part.n + before.n, hits: part.hits + before.hits })
}

/// The first calls, however many, each with its part of the chance of error. It is its own from the beginning, so that it can be
/// looked at as soon as these calls are there.
fn firsts(calls: &[Call]) -> impl Iterator<Item = (Look, f64)> {
    (1..=SLOT.min(calls.len())).map(|n| (look(&calls[..n]), 1.0 / 3.0 / SLOT as f64))
}

/// Each slot of consecutive calls, one call further than the last, with its part of the chance: 1 / n(n + 1) of a third for the
/// n-th.
fn slots(calls: &[Call]) -> impl Iterator<Item = (Look, f64)> {
    let weight = |n: f64| 1.0 / 3.0 / (n * (n + 1.0));
    calls.windows(SLOT).enumerate().map(move |(n, slot)| (look(slot), weight(n as f64 + 1.0)))
}
