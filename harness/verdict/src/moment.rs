//! The time of one event after a moment; n = 1, no statistics.
//!
//! The moment itself is an interval ([`Border`]): a verdict must come out alike for both its ends.

mod becomes;
mod failure;
mod inferred;
mod recover;

pub(crate) use failure::longest_in_a_row;

use crate::{
    ruling::{Case, Ruling, Standing, at_both_ends},
    state::pairs,
};
use squall_evidence::{Border, TryView, targets};
use squall_model::{Happening, InstanceId, Measured, MomentRef, Stamp, Target, Verdict, Which, Why};
use squall_stats::share::Decision;
use std::time::Duration;

pub(crate) fn rule(case: Case<'_>, what: &Happening, within: Duration, of: MomentRef) -> Ruling {
    match what {
        Happening::Recover(calls) => recover::rule(case, calls, within, of),
        Happening::GetsTraffic(target) => gets_traffic(case, target, within, of),
        Happening::Becomes(state) => becomes::rule(case, state, within, of),
    }
}

/// What is known of an event at one end of the moment's interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    /// In time.
    InTime,
    /// Too late, or not until it was too late.
    TooLate,
    /// Not yet, and it is not too late.
    NotYet,
}

/// It came at `seen`, or had not come by `horizon`, the end of what was observed.
fn came(seen: Option<Stamp>, horizon: Stamp, latest: Stamp) -> Came {
    match seen {
        Some(seen) if seen <= latest => Came::InTime,
        Some(_) => Came::TooLate,
        None if horizon >= latest => Came::TooLate,
        None => Came::NotYet,
    }
}

impl From<Came> for Decision {
    fn from(came: Came) -> Decision {
        match came {
            Came::InTime => Decision::Holds,
            Came::TooLate => Decision::Violated,
            Came::NotYet => Decision::Undecided,
        }
    }
}

/// An event that is over is over, and more traffic changes nothing.
fn verdict(early: Came, late: Came) -> (Verdict, Standing) {
    let verdict = at_both_ends(early.into(), late.into(), || Why::Border);
    let standing = if verdict.is_decided() { Standing::Final } else { Standing::Open };
    (verdict, standing)
}

/// Of several that are asked, the worst; of those that came, the last.
fn last(rulings: impl Iterator<Item = Ruling>) -> Ruling {
    rulings.max_by_key(|r| (r.verdict.weight(), time(&r.measured))).unwrap_or_else(Ruling::empty)
}

/// The latest that it can have been; that it never was is later still.
fn time(measured: &Measured) -> u64 {
    match measured {
        Measured::Time(Some((_, latest))) => *latest,
        _ => u64::MAX,
    }
}

/// Of several instances that are named the last one counts.
fn gets_traffic(case: Case<'_>, target: &Target, within: Duration, of: MomentRef) -> Ruling {
    if !matches!(target.which, Which::Every | Which::First(_)) {
        return reached(case, target, within, of);
    }
    last(each(case, target).map(|(_, one)| reached(case, &one, within, of)))
}

/// Every instance of a target, and the target that is it alone.
fn each(case: Case<'_>, target: &Target) -> impl Iterator<Item = (InstanceId, Target)> {
    let one = |id: &InstanceId| Target { which: Which::Instance(id.number), ..target.clone() };
    target.instances(&case.plan.topology).into_iter().map(move |id| (id.clone(), one(&id)))
}

/// The first try after the moment that reaches one of the target's instances. One that was sent before it and arrives after it, as those do
/// that a wire or a standing process kept, says nothing of what its sender does now.
fn reached(case: Case<'_>, target: &Target, within: Duration, of: MomentRef) -> Ruling {
    let Case { plan, evidence, .. } = case;
    let Some(moment) = moment(case, target, of) else { return Ruling::empty() };
    let to_service = || evidence.settled().iter().enumerate().filter(|(_, s)| s.edge.to == target.service);
    let Some(horizon) = to_service().map(|(_, s)| s.intended).max().filter(|last| *last >= moment.asked) else {
        return Ruling::empty();
    };
    let there = |t: &TryView<'_>| t.has_arrived() && t.instance().is_some_and(|i| targets(&plan.topology, target, i));
    let arrivals = to_service().flat_map(|(_, s)| evidence.tries(s).filter(there).map(|t| (t.began(), t.met())));
    let (mut after_asked, mut after_settled) = (None, None);
    for (began, met) in arrivals {
        let earlier = |first: Option<Stamp>| Some(first.map_or(met, |first| first.min(met)));
        if began >= moment.asked {
            after_asked = earlier(after_asked);
        }
        if began >= moment.settled {
            after_settled = earlier(after_settled);
        }
    }
    let early = came(after_asked, horizon, moment.asked + within);
    let late = came(after_settled, horizon, moment.settled + within);
    let (verdict, standing) = verdict(early, late);
    let after = |seen: Option<Stamp>, from: Stamp| seen.map(|seen| seen.0.saturating_sub(from.0));
    let times = after(after_asked, moment.asked).zip(after(after_settled, moment.settled));
    let measured = Measured::Time(times.map(|(a, b)| (a.min(b), a.max(b))));
    let waiting = |s: Stamp| s >= moment.asked && after_settled.is_none_or(|seen| s < seen);
    let offenders = to_service().filter(|(_, s)| waiting(s.intended)).map(|(index, _)| index).collect();
    Ruling { verdict, measured, standing, offenders }
}

/// The moment that a claim about this target counts from; of failures the first that some caller's proxy saw.
fn moment(case: Case<'_>, target: &Target, of: MomentRef) -> Option<Border> {
    let MomentRef::Failure(n) = of else { return case.evidence.moment(of) };
    let all = pairs(case, target).into_iter().filter_map(|pair| failure::nth_in_a_row(case, &pair.by, &pair.of, n));
    all.min_by_key(|at| at.asked)
}

#[cfg(test)]
mod tests;
