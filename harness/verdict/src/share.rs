//! An unknown proportion: the only kind of claim that needs statistics.
//!
//! The test is `squall_stats`' likelihood-ratio martingale, fed in order of intended start, up to the oldest unresolved unit:
//! in order of completion fast answers would come first, and slow failures never get in before the stop.

use crate::{
    every::unobserved,
    ruling::{Case, Ruling, Standing, statistical},
    units::{Sample, samples},
};
use squall_model::{Measured, Outcome, Population, ShareBound, Unit, Verdict};
use squall_stats::{
    bounds::anytime,
    plan::calls_to_decide,
    share::{Design, DesignError, ShareTest},
};

pub(crate) fn rule(case: Case<'_>, of: &Population, what: &Outcome, bound: ShareBound) -> Ruling {
    let Some(samples) = samples(case, of, what) else { return unobserved() };
    let design = match design(case, bound) {
        Ok(design) => design,
        Err(error) => {
            let verdict = Verdict::Error(format!("the claim cannot be tested: {error}"));
            return Ruling { verdict, measured: Measured::Nothing, standing: Standing::Final, offenders: Vec::new() };
        }
    };
    if samples.all.is_empty() {
        return Ruling::empty();
    }
    // A user is known only when all of its calls are.
    let under_way = of.unit == Unit::User && !case.evidence.is_complete();
    let test = run(case, &design, samples.all.iter());
    let without = samples.all.iter().any(|s| s.crossing).then(|| {
        let test = run(case, &design, samples.all.iter().filter(|s| !s.crossing));
        test.decision()
    });
    let contradiction = "the calls had no common chance: both sides of the bound were excluded in turn";
    let verdict = statistical(test.decision(), without, || needed(case, &test), contradiction);
    let is_decided = matches!(verdict, Verdict::Holds | Verdict::Violated);
    let standing = if is_decided && !under_way { Standing::Final } else { Standing::Open };
    let offenders = against(bound, &test, &samples.all);
    Ruling { measured: measured(case, &test, &verdict), verdict, standing, offenders }
}

fn design(case: Case<'_>, bound: ShareBound) -> Result<Design, DesignError> {
    let risk = case.settings.risk();
    match bound {
        ShareBound::AtLeast(share) | ShareBound::MoreThan(share) => Design::at_least(share.as_f64(), risk),
        ShareBound::AtMost(share) => Design::at_most(share.as_f64(), risk),
        ShareBound::Between(low, high) => Design::between(low.as_f64(), high.as_f64(), risk),
    }
}

fn run<'a>(case: Case<'_>, design: &Design, samples: impl Iterator<Item = &'a Sample>) -> ShareTest {
    let mut test = ShareTest::new(design.clone());
    test.extend(samples.map(|s| s.does));
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

fn against(bound: ShareBound, test: &ShareTest, samples: &[Sample]) -> Vec<usize> {
    let offends = offends(bound, test.hits(), test.n());
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
