//! An unknown proportion: the only kind of claim that needs statistics.
//!
//! The test is `squall_stats`' likelihood-ratio martingale, fed in order of intended start, up to the oldest unresolved unit:
//! in order of completion fast answers would come first, and slow failures never get in before the stop.
//!
//! Calls and tries that hang together (a user's, where users stick) are no units: `hanging` tests the mean over what they hang on.

mod hanging;

use crate::{
    doubt::{Doubt, Reading},
    every::unobserved,
    ruling::{Case, Ruling, Standing, shown, statistical},
    units::{self, Sample, Samples, groups, samples},
};
use squall_model::{DrawnBy, Measured, Outcome, Population, ShareBound, Unit, Verdict};
use squall_stats::{
    bounds::anytime,
    plan::calls_to_decide,
    share::{Design, DesignError, ShareTest},
};

/// Of a test that decided both ways.
const CONTRADICTION: &str = "the calls had no common chance: both sides of the bound were excluded in turn";

pub(crate) fn rule(case: Case<'_>, of: &Population, what: &Outcome, bound: ShareBound) -> Ruling {
    let design = match design(case, bound) {
        Ok(design) => design,
        Err(error) => return Ruling::untestable(error),
    };
    let Some(samples) = samples(case, of, what) else { return unobserved() };
    let offenders = against(bound, &samples.all);
    let drawn_by = drawn_by(case, of, what);
    let ruling = match () {
        () if samples.all.is_empty() => return Ruling::empty(),
        () if !drawn_by.is_empty() => hanging::rule(case, &groups(case, &samples.all, &drawn_by), &design),
        () => each(case, &samples, &design),
    };
    ruling.against(offenders)
}

/// What the units hang together by. Users are draws themselves, whatever their calls hang together by.
fn drawn_by(case: Case<'_>, of: &Population, what: &Outcome) -> DrawnBy {
    match of.unit {
        Unit::Call | Unit::Try | Unit::Retry => units::drawn_by(case, &of.calls, what),
        Unit::User | Unit::Connection => DrawnBy::new(),
    }
}

/// Each unit is a draw of its own.
fn each(case: Case<'_>, samples: &Samples, design: &Design) -> Ruling {
    let run = |reading| run(case, design, samples.all.iter().filter_map(|s| s.by.by(reading)));
    let test = run(Reading::Seen);
    let doubt = Doubt::of_all(samples.all.iter().map(|s| s.doubt));
    let decision = |reading| if reading == Reading::Seen { test.decision() } else { run(reading).decision() };
    let verdict = statistical(doubt, decision, || needed(case, &test), CONTRADICTION);
    let standing = if verdict.is_decided() { Standing::Final } else { Standing::Open };
    let measured = measured(case, &test, &verdict);
    Ruling { measured, verdict, standing, offenders: Vec::new() }.open_while(samples.can_still_change())
}

fn design(case: Case<'_>, bound: ShareBound) -> Result<Design, DesignError> {
    let risk = case.settings.risk();
    match bound {
        ShareBound::AtLeast(share) | ShareBound::MoreThan(share) => Design::at_least(share.as_f64(), risk),
        ShareBound::AtMost(share) => Design::at_most(share.as_f64(), risk),
        ShareBound::Between(low, high) => Design::between(low.as_f64(), high.as_f64(), risk),
    }
}

fn run(case: Case<'_>, design: &Design, samples: impl Iterator<Item = bool>) -> ShareTest {
    let mut test = ShareTest::new(design.clone());
    test.extend(samples);
    if case.evidence.is_complete() {
        test.conclude();
    }
    test
}

/// Calls that would probably decide, if what was measured is the truth. Not worth the time while a run is under way.
fn needed(case: Case<'_>, test: &ShareTest) -> Option<u64> {
    if !case.evidence.is_complete() {
        return None;
    }
    let share = test.hits() as f64 / test.n() as f64;
    let forecast = calls_to_decide(test.design(), share).ok()?;
    Some(forecast.median.max(test.n() + 1))
}

/// The numbers at the first crossing, with the bounds that belong to the test: valid at whatever moment it stopped.
fn measured(case: Case<'_>, test: &ShareTest, verdict: &Verdict) -> Measured {
    let seen = test.decided().unwrap_or_else(|| test.now());
    let Some(bounds) = anytime(test.design(), seen) else { return Measured::Nothing };
    let (low, high, alpha) = shown(verdict, bounds.likely, bounds.sure, case.settings.risk());
    Measured::Share { hits: seen.hits, n: seen.n, low, high, alpha }
}

fn against(bound: ShareBound, samples: &[Sample]) -> Vec<usize> {
    let hits = samples.iter().filter(|s| s.does).count() as u64;
    let offends = offends(bound, hits, samples.len() as u64);
    samples.iter().filter(|s| s.does == offends).map(|s| s.story).collect()
}

/// What a unit does that speaks against the bound: of a lower bound the misses do, of an upper one the hits, of a range
/// whatever there is too much of.
pub(crate) fn offends(bound: ShareBound, hits: u64, n: u64) -> bool {
    match bound {
        ShareBound::AtLeast(_) | ShareBound::MoreThan(_) => false,
        ShareBound::AtMost(_) => true,
        ShareBound::Between(low, high) => hits as f64 > (low.as_f64() + high.as_f64()) / 2.0 * n as f64,
    }
}

#[cfg(test)]
mod tests;
