//! `every` and `no`: one counter-example violates, and nothing is said of an empty set.

use crate::{
    ruling::{Case, Ruling, Standing},
    units::{Sample, UNOBSERVED, samples, why},
};
use squall_model::{Measured, Outcome, Population, Verdict};

pub(crate) fn rule(case: Case<'_>, of: &Population, all: bool, what: &Outcome) -> Ruling {
    let Some(samples) = samples(case, of, what) else { return unobserved() };
    let (units, breaks) = (samples.all, |s: &&Sample| s.does != all);
    let against: Vec<usize> = units.iter().filter(breaks).map(|s| s.story).collect();
    let counter_example = units.iter().filter(breaks).any(|s| s.doubt.is_none());
    let perhaps_against = || units.iter().filter(|s| s.does != all || s.otherwise() == Some(!all));
    let n = units.len() as u64;
    let measured = Measured::Every { against: against.len() as u64, n };
    let (verdict, standing) = match () {
        () if units.is_empty() => return Ruling::empty(),
        () if counter_example => (Verdict::Violated, Standing::Final),
        () if perhaps_against().next().is_some() => (Verdict::Inconclusive(why(perhaps_against())), Standing::Open),
        () if units.iter().all(|s| s.doubt.is_some()) => (Verdict::Inconclusive(why(&units)), Standing::Open),
        () if n >= case.settings.minimum => (Verdict::Holds, Standing::Enough),
        () => (Verdict::Holds, Standing::Open),
    };
    Ruling { verdict, measured, standing, offenders: against }
}

pub(crate) fn unobserved() -> Ruling {
    let verdict = Verdict::Unsupported(UNOBSERVED.into());
    Ruling { verdict, measured: Measured::Nothing, standing: Standing::Final, offenders: Vec::new() }
}

#[cfg(test)]
mod tests;
