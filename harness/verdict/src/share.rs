//! An unknown proportion: the only kind of claim that needs statistics.
//!
//! The test is `squall_stats`' likelihood-ratio martingale, fed in order of intended start, up to the oldest unresolved unit:
//! in order of completion fast answers would come first, and slow failures never get in before the stop.
//!
//! Calls that hang together (a user's, where users stick) are no units: `hanging` tests the mean over what they hang on.

mod hanging;

use crate::{
    every::unobserved,
    ruling::{Case, Ruling, Standing, statistical},
    units::{Sample, samples, why},
};
use squall_model::{Measured, Outcome, Population, ShareBound, Unit, Verdict};
use squall_stats::{
    bounds::anytime,
    plan::calls_to_decide,
    share::{Design, DesignError, ShareTest},
};

/// Of a test that decided both ways.
const CONTRADICTION: &str = "the calls had no common chance: both sides of the bound were excluded in turn";

pub(crate) fn rule(case: Case<'_>, of: &Population, what: &Outcome, bound: ShareBound) -> Ruling {
    if let Some(key) = case.plan.drawn_by(&of.calls, what).filter(|_| of.unit == Unit::Call) {
        return hanging::rule(case, of, what, bound, &key);
    }
    let Some(samples) = samples(case, of, what) else { return unobserved() };
    let design = match design(case, bound) {
        Ok(design) => design,
        Err(error) => return untestable(&error),
    };
    if samples.all.is_empty() {
        return Ruling::empty();
    }
    // A user is known only when all of its calls are.
    let under_way = of.unit == Unit::User && !case.evidence.is_complete();
    let test = run(case, &design, samples.all.iter().map(|s| s.does));
    let doubtful = || samples.all.iter().filter(|s| s.doubt.is_some());
    let otherwise = doubtful().next().is_some().then(|| {
        let test = run(case, &design, samples.all.iter().filter_map(Sample::otherwise));
        (test.decision(), why(doubtful()))
    });
    let verdict = statistical(test.decision(), otherwise, || needed(case, &test), CONTRADICTION);
    let is_decided = matches!(verdict, Verdict::Holds | Verdict::Violated);
    let standing = if is_decided && !under_way { Standing::Final } else { Standing::Open };
    let offenders = against(bound, &samples.all);
    Ruling { measured: measured(case, &test, &verdict), verdict, standing, offenders }
}

fn untestable(error: &DesignError) -> Ruling {
    let verdict = Verdict::Error(format!("the claim cannot be tested: {error}"));
    Ruling { verdict, measured: Measured::Nothing, standing: Standing::Final, offenders: Vec::new() }
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
    let (low, high, alpha) = match verdict {
        Verdict::Violated => (bounds.sure.low, bounds.sure.high, case.settings.alpha),
        _ => {
            let low = bounds.likely.low.max(bounds.sure.low);
            (low, bounds.likely.high.min(bounds.sure.high), case.settings.beta)
        }
    };
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
