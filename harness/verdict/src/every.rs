//! `every` and `no`: one counter-example violates, and nothing is said of an empty set.

use crate::{
    doubt::Doubt,
    ruling::{Case, Ruling, Standing, at_both_ends},
    units::{Sample, Samples, UNOBSERVED, samples},
};
use squall_model::{Measured, Outcome, Population, Verdict};
use squall_stats::share::Decision;

pub(crate) fn rule(case: Case<'_>, of: &Population, all: bool, what: &Outcome) -> Ruling {
    let Some(samples) = samples(case, of, what) else { return unobserved() };
    if samples.all.is_empty() {
        return Ruling::empty();
    }
    let verdict = verdict(&samples, all);
    let n = samples.all.len() as u64;
    let standing = match verdict {
        Verdict::Violated => Standing::Final,
        Verdict::Holds if n >= case.settings.minimum => Standing::Enough,
        _ => Standing::Open,
    };
    let offenders: Vec<usize> = samples.all.iter().filter(|s| s.does != all).map(|s| s.story).collect();
    let measured = Measured::Every { against: offenders.len() as u64, n };
    Ruling { verdict, measured, standing, offenders }.open_while(samples.can_still_change())
}

/// At one end whoever may speak against it does, at the other nobody does who need not, and whoever need not count does not.
fn verdict(samples: &Samples, all: bool) -> Verdict {
    let offends = |s: &&Sample| s.perhaps(!all);
    let any = |of: fn(&Sample, bool) -> bool| samples.all.iter().any(|s| of(s, !all));
    let of = |broken: bool| if broken { Decision::Violated } else { Decision::Holds };
    let doubt = |of: &dyn Fn(&&Sample) -> bool| Doubt::of_all(samples.all.iter().filter(of).map(|s| s.doubt)).why();
    match at_both_ends(of(any(Sample::perhaps)), of(any(Sample::surely)), || doubt(&offends)) {
        Verdict::Holds if !samples.all.iter().any(Sample::counts) => Verdict::Inconclusive(doubt(&|_| true)),
        verdict => verdict,
    }
}

pub(crate) fn unobserved() -> Ruling {
    let verdict = Verdict::Unsupported(UNOBSERVED.into());
    Ruling { verdict, measured: Measured::Nothing, standing: Standing::Final, offenders: Vec::new() }
}

#[cfg(test)]
mod tests;
