//! What explains a violated claim: since when, carried by what part of the traffic, by which mechanism.
//!
//! For people: no verdict rests on it. What is said is said only where it explains clearly: by exact tests that are right with
//! [`ERROR`], odds that differ by [`ODDS`], and at least half of the offenders (of a mechanism nine in ten).

mod mechanism;
mod offence;
mod since;
mod split;
mod times;

use crate::ruling::Case;
use offence::Offence;
use squall_model::{Claim, Explanation, Unit};
use squall_stats::{contrast::odds_differ, share::Look};

/// The chance of naming a time, or a part of the traffic, where there is none: of each claim and each of the two.
const ERROR: f64 = 1e-3;

/// So many times as likely offenders must be there, in odds.
const ODDS: f64 = 3.0;

/// What explains that this claim is violated. `offenders`: the calls against it, by index.
pub(crate) fn explain(case: Case<'_>, claim: &Claim, offenders: &[usize]) -> Explanation {
    let offence = Offence::of(case, claim);
    let offence = offence.as_ref();
    Explanation {
        // A user is no moment: its calls are spread over the whole time.
        since: offence.filter(|o| o.unit != Unit::User).and_then(|o| since::since(case, o)),
        split: offence.and_then(|o| split::split(case, claim, o)),
        times: offence.and_then(|o| times::times(claim, o)),
        mechanism: mechanism::likely(case, claim, offence, offenders),
    }
}

/// Does this part stand out, and hold at least half of the offenders? Beside its test.
fn explains(part: Look, all: Look) -> bool {
    part.hits * 2 >= all.hits && odds_differ(part, all, ODDS)
}

#[cfg(test)]
mod tests;
