//! *Is ejected*, *is unhealthy*, *is healthy within T of M*: as the callers' proxies tell.
//!
//! Every instance of the target, to every caller's proxy that has to do with it: the last one counts.

use super::{came, failure::nth_in_a_row, inferred, last, verdict};
use crate::{
    ruling::{Case, Ruling},
    state::{Pair, pairs, untold},
};
use squall_evidence::{Border, Spell, spells};
use squall_model::{Condition, Measured, MomentRef, Stamp, State};
use std::time::Duration;

pub(super) fn rule(case: Case<'_>, what: &State, within: Duration, of: MomentRef) -> Ruling {
    if !case.evidence.tells_states() {
        return match what.is {
            Condition::Ejected => inferred::rule(case, &what.of, within, of),
            Condition::Unhealthy | Condition::Healthy => untold(),
        };
    }
    let spells = spells(case.plan, case.evidence, what.is);
    // A proxy to which the moment never came has nothing to be held to.
    let moment = |pair: &Pair| match of {
        MomentRef::Failure(n) => nth_in_a_row(case, &pair.by, &pair.of, n),
        other => case.evidence.moment(other),
    };
    let pairs = pairs(case, &what.of);
    let rulings = pairs.iter().filter_map(|pair| Some(one(case, pair, &spells, moment(pair)?, within)));
    last(rulings)
}

/// When it was so to one proxy, counted from the moment; at once if it was so then already.
fn one(case: Case<'_>, pair: &Pair, spells: &[Spell], moment: Border, within: Duration) -> Ruling {
    let first_since = |at: Stamp| pair.of(spells).find(|s| s.to.is_none_or(|to| to.settled > at)).map(|s| s.from);
    let (soonest, first) = (first_since(moment.settled), first_since(moment.asked));
    let horizon = case.evidence.over();
    let early = came(soonest.map(|from| from.asked), horizon, moment.settled + within);
    let late = came(first.map(|from| from.settled), horizon, moment.asked + within);
    let (verdict, standing) = verdict(early, late);
    let after = |at: Stamp, from: Stamp| at.0.saturating_sub(from.0);
    let time = first.map(|from| (after(from.asked, moment.settled), after(from.settled, moment.asked)));
    Ruling { verdict, measured: Measured::Time(time), standing, offenders: pair.calls(case, moment.asked) }
}

#[cfg(test)]
mod tests;
