//! *As good as*: calls fare no worse with a fault (or after a change) than without it, up to a margin. Shown, not assumed:
//! lack of data is never green.
//!
//! Two halves, tested pair by pair (`squall_stats::paired`), and the promise is kept if both are:
//!
//! - **in success**: the share of the calls that fail is higher by the margin at most;
//! - **in latency**: the share of those that are slower than `T + m` exceeds the share of the others slower than `T` by the
//!   margin at most. `T` is what 95 of 100 calls of a pilot took, those left out that failed, `m` what the margin allows. The
//!   pilot is in neither test, so `T` is fixed before the first pair: what is shown to be worse is, whatever `T` came out as.
//!   Who fails, or is not answered, is slower.
//!
//! `T` is a limit for the others as long as they are as the pilot was. Where they are slower by themselves (the machine got busy)
//! or quicker (caches got warm), the promise still says something, but not what its reader takes it for: green it is only where
//! it is by what 95 of 100 of the others themselves took, too.
//!
//! The chance of a false alarm is shared out between the halves. That of *holds* is not: both halves have to hold.

mod sides;

use crate::{
    doubt::Reading,
    ruling::{Case, Ruling, Standing, shown, statistical},
    units::drawn_by,
};
use sides::{Call, Fate, Sides, sides};
use squall_model::{Calls, Compared, Margin, Measured, Outcome, Reference, Verdict, Why};
use squall_stats::{
    paired::{Arm, Block, MarginError, PairedDesign, PairedTest, matched},
    plan::{Arms, pairs_to_decide},
    sample::quantile,
    share::{Decision, Risk},
};
use std::time::Duration;

/// Of a pilot of fewer calls nobody can say what 95 of 100 take.
const PILOT: usize = 20;

/// A twentieth of the others should be slower than `T`. Where more than this are and nothing is shown, that is why. By the chances of a pilot
/// it comes about once in 130 times if that has twenty calls, once in 220,000 if it has fifty.
const DRIFTED: f64 = 0.3;

/// Of a test that decided both ways.
const CONTRADICTION: &str = "the pairs had no common difference: both sides of the margin were excluded in turn";

pub(crate) fn rule(case: Case<'_>, calls: &Calls, reference: Reference, margin: Margin) -> Ruling {
    if !drawn_by(case, calls, &Outcome::Fail).is_empty() {
        return Ruling::untestable("what becomes of these calls is drawn once for each key that they stick by");
    }
    let Some(sides) = sides(case, calls, reference) else { return Ruling::empty() };
    let design = match design(case, margin) {
        Ok(design) => design,
        Err(error) => return Ruling::untestable(error),
    };
    if sides.is_empty() {
        return Ruling::empty();
    }
    let by = Compare { design: &design, margin };
    let (success, latency) = by.halves(&sides);
    let decision = |reading| match reading {
        Reading::Seen => together(&success, latency.as_ref()),
        _ => {
            let (success, latency) = by.halves(&sides.by(reading));
            together(&success, latency.as_ref())
        }
    };
    let needed = || needed(case, &sides, &success, latency.as_ref());
    let verdict = statistical(sides.doubt(), decision, needed, CONTRADICTION);
    let verdict = match failing(&sides.pilot) {
        Some(why) if verdict != Verdict::Violated => Verdict::Inconclusive(why),
        _ => unless_drifted(case, verdict, &by, &sides, latency.as_ref()),
    };
    let standing = if verdict.is_decided() { Standing::Final } else { Standing::Open };
    let telling = telling(&success, latency.as_ref());
    let bad = |call: &&Call| telling.limits.is_bad(call.fate, Arm::Treated);
    let offenders = sides.treated().filter(bad).map(|call| call.index).collect();
    Ruling { measured: measured(case, telling, &verdict), verdict, standing, offenders }
}

/// Half of the false alarms for each half; a *holds* needs both.
fn design(case: Case<'_>, margin: Margin) -> Result<PairedDesign, MarginError> {
    let Risk { alpha, beta } = case.settings.risk();
    PairedDesign::new(margin.share(), Risk { alpha: alpha / 2.0, beta })
}

/// Which calls are bad.
#[derive(Debug, Clone, Copy)]
enum Limits {
    /// Those that failed.
    Success,
    /// Those that failed, or took longer than this.
    Latency { treated: u64, baseline: u64 },
}

impl Limits {
    fn is_bad(self, call: Fate, arm: Arm) -> bool {
        match (self, arm) {
            (Limits::Success, _) => call.failed,
            (Limits::Latency { treated, .. }, Arm::Treated) => call.failed || call.took > treated,
            (Limits::Latency { baseline, .. }, Arm::Baseline) => call.failed || call.took > baseline,
        }
    }

    fn compared(self) -> Compared {
        match self {
            Limits::Success => Compared::Success,
            Limits::Latency { treated, baseline } => Compared::Latency { treated, baseline },
        }
    }
}

/// One half, as far as it has come.
struct Half {
    limits: Limits,
    test: PairedTest,
    /// The pairs in order: whether the treated call was bad, and the other.
    pairs: Vec<(bool, bool)>,
}

/// What halves are made by.
struct Compare<'d> {
    design: &'d PairedDesign,
    margin: Margin,
}

impl Compare<'_> {
    /// In success and in latency; the latter not before there is a pilot.
    fn halves(&self, sides: &Sides) -> (Half, Option<Half>) {
        let pilot = sides.pilot.iter().filter(|call| !call.fate.failed).map(|call| call.fate.took);
        let latency = lasts(pilot.collect()).map(|baseline| half(self.design, sides, self.limits(baseline)));
        (half(self.design, sides, Limits::Success), latency)
    }

    /// Whether latency would hold with this for the others' limit.
    fn holds(&self, sides: &Sides, baseline: u64) -> bool {
        half(self.design, sides, self.limits(baseline)).test.decision() == Decision::Holds
    }

    /// So long may the others take, and that much longer the treated.
    fn limits(&self, baseline: u64) -> Limits {
        let later = self.margin.later_than(Duration::from_nanos(baseline)).as_nanos();
        let treated = baseline.saturating_add(u64::try_from(later).unwrap_or(u64::MAX));
        Limits::Latency { treated, baseline }
    }
}

/// What 95 of 100 of these took; `None` of too few.
fn lasts(mut took: Vec<u64>) -> Option<u64> {
    took.sort_unstable();
    quantile(&took, 0.95).filter(|_| took.len() >= PILOT)
}

fn half(design: &PairedDesign, sides: &Sides, limits: Limits) -> Half {
    let value = |call: &Call, arm| f64::from(u8::from(limits.is_bad(call.fate, arm)));
    let block = |(arm, calls): &(Arm, Vec<Call>)| Block {
        arm: *arm,
        values: calls.iter().map(|call| value(call, *arm)).collect(),
    };
    let blocks: Vec<Block> = sides.blocks.iter().map(block).collect();
    let mut half = Half { limits, test: PairedTest::new(design.clone()), pairs: Vec::new() };
    for pair in matched(&blocks) {
        // Values of 0 and 1 are never out of range.
        if half.test.push(pair.treated, pair.baseline).is_ok() {
            half.pairs.push((pair.treated > 0.0, pair.baseline > 0.0));
        }
    }
    half
}

/// Violated if either half is, holds if both do.
fn together(success: &Half, latency: Option<&Half>) -> Decision {
    let all = [success.test.decision(), latency.map_or(Decision::Undecided, |half| half.test.decision())];
    [Decision::Contradicted, Decision::Violated, Decision::Undecided]
        .into_iter()
        .find(|decision| all.contains(decision))
        .unwrap_or(Decision::Holds)
}

/// Shown to be worse it is whatever its limit stands for. To be as good it is where it is by a limit that the others keep, too; and where
/// nothing is shown, a limit that they have left behind is the reason, which nobody asks for while a run is under way.
fn unless_drifted(
    case: Case<'_>,
    verdict: Verdict,
    by: &Compare<'_>,
    sides: &Sides,
    latency: Option<&Half>,
) -> Verdict {
    let holds = verdict == Verdict::Holds;
    let Some(Limits::Latency { baseline: first, .. }) = latency.map(|half| half.limits) else { return verdict };
    if verdict == Verdict::Violated || !(holds || case.evidence.is_complete()) {
        return verdict;
    }
    let clear = sides.by(Reading::InnerUnheld);
    let others: Vec<u64> = clear.others().filter(|call| !call.fate.failed).map(|call| call.fate.took).collect();
    let slower = others.iter().filter(|took| **took > first).count() as f64 > DRIFTED * others.len() as f64;
    let Some(own) = lasts(others) else { return verdict };
    let drifted = if holds { !by.holds(&clear, own) } else { slower };
    if drifted { Verdict::Inconclusive(Why::Drifted { first, others: own }) } else { verdict }
}

/// Who fails with nothing done to it is no measure of anybody.
fn failing(pilot: &[Call]) -> Option<Why> {
    let failed = pilot.iter().filter(|call| call.fate.failed).count();
    let too_few = pilot.len() >= PILOT && pilot.len() - failed < PILOT;
    too_few.then_some(Why::Failing { failed: failed as u64, of: pilot.len() as u64 })
}

/// The half that decided: what broke the promise, what is still open, else what took longer.
fn telling<'h>(success: &'h Half, latency: Option<&'h Half>) -> &'h Half {
    let Some(latency) = latency else { return success };
    let rank = |half: &Half| match half.test.decision() {
        Decision::Contradicted => (3, 0),
        // Who fails is slower, too: of two that broke it, success.
        Decision::Violated => (2, 0),
        Decision::Undecided => (1, 0),
        Decision::Holds => (0, half.test.decided_at().unwrap_or(0)),
    };
    if rank(latency) > rank(success) { latency } else { success }
}

/// Calls that would probably decide both halves, if what was measured is the truth; those between blocks are not counted. Not
/// worth the time while a run is under way.
fn needed(case: Case<'_>, sides: &Sides, success: &Half, latency: Option<&Half>) -> Option<u64> {
    if !case.evidence.is_complete() {
        return None;
    }
    let open = [Some(success), latency].into_iter().flatten().filter(|h| h.test.decision() == Decision::Undecided);
    let pairs = open.map(|half| {
        let (n, treated, baseline) = half.count(half.pairs.len());
        let share = |bad: u64| if n == 0 { 0.0 } else { bad as f64 / n as f64 };
        let truth = Arms { treated: share(treated), baseline: share(baseline) };
        Some(pairs_to_decide(half.test.design(), truth).ok()?.median.max(n + 1))
    });
    let most = pairs.collect::<Option<Vec<u64>>>()?.into_iter().max()?;
    Some(2 * most + sides.left_out)
}

impl Half {
    /// Of the first pairs: how many there are, and how many calls of each kind were bad.
    fn count(&self, pairs: usize) -> (u64, u64, u64) {
        let decisive = &self.pairs[..pairs.min(self.pairs.len())];
        let bad = |of: fn(&(bool, bool)) -> bool| decisive.iter().filter(|pair| of(pair)).count() as u64;
        (decisive.len() as u64, bad(|pair| pair.0), bad(|pair| pair.1))
    }
}

/// The numbers at the first crossing, with the bounds that belong to the test. Some hundred passes: not while a run is under
/// way.
fn measured(case: Case<'_>, half: &Half, verdict: &Verdict) -> Measured {
    if half.pairs.is_empty() || !case.evidence.is_complete() {
        return Measured::Nothing;
    }
    let bounds = half.test.interval();
    let (n, treated, baseline) = half.count(bounds.n as usize);
    let (low, high, alpha) = shown(verdict, bounds.likely, bounds.sure, half.test.design().risk());
    Measured::Pairs { half: half.limits.compared(), n, treated, baseline, low, high, alpha }
}

#[cfg(test)]
mod tests;
