//! *As good as*: calls fare no worse with a fault (or after a change) than without it, up to a margin. Shown, not assumed:
//! lack of data is never green.
//!
//! Two halves, tested pair by pair (`squall_stats::paired`), and the promise is kept if both are:
//!
//! - **in success**: the share of the calls that fail is higher by the margin at most;
//! - **in latency**: the share of those that are slower than `T + m` exceeds the share of the others slower than `T` by the
//!   margin at most. `T` is what 95 of 100 calls of a pilot took, `m` what the margin allows. The pilot is in neither test, so
//!   `T` is fixed before the first pair: the test holds whatever `T` came out as. Who fails, or is not answered, is slower.
//!
//! `T` is a limit for the others as long as they are as the pilot was. Where many more of them are slower (the machine got busy,
//! a cache went cold), the promise still says something, but not what its reader takes it for: that is never green.
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

/// A twentieth of the others should be slower than `T`. That it is more than this by the chances of a pilot comes about
/// once in 130 times if the pilot has twenty calls, once in 220,000 if it has fifty.
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
    let (success, latency) = halves(&design, &sides, margin);
    let decision = |reading| match reading {
        Reading::Seen => together(&success, latency.as_ref()),
        _ => {
            let (success, latency) = halves(&design, &sides.by(reading), margin);
            together(&success, latency.as_ref())
        }
    };
    let needed = || needed(case, &sides, &success, latency.as_ref());
    let verdict = statistical(sides.doubt(), decision, needed, CONTRADICTION);
    let verdict = unless_drifted(verdict, &sides, latency.as_ref());
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

/// In success and in latency; the latter not before there is a pilot.
fn halves(design: &PairedDesign, sides: &Sides, margin: Margin) -> (Half, Option<Half>) {
    let latency = pilot_time(&sides.pilot).map(|baseline| {
        let later = margin.later_than(Duration::from_nanos(baseline)).as_nanos();
        let treated = baseline.saturating_add(u64::try_from(later).unwrap_or(u64::MAX));
        half(design, sides, Limits::Latency { treated, baseline })
    });
    (half(design, sides, Limits::Success), latency)
}

/// What 95 of 100 calls of the pilot took; those that failed, for ever.
fn pilot_time(pilot: &[Call]) -> Option<u64> {
    let mut lasted: Vec<u64> =
        pilot.iter().map(|call| if call.fate.failed { u64::MAX } else { call.fate.took }).collect();
    lasted.sort_unstable();
    quantile(&lasted, 0.95).filter(|_| lasted.len() >= PILOT)
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

/// Shown to be worse it is whatever its limit stands for. Anything else says nothing once the others have left that behind.
fn unless_drifted(verdict: Verdict, sides: &Sides, latency: Option<&Half>) -> Verdict {
    match verdict {
        Verdict::Violated => verdict,
        _ => latency.and_then(|half| drift(sides, half.limits)).map_or(verdict, Verdict::Inconclusive),
    }
}

/// Far more of the others are slower than of a pilot, those left out that cross a border or that the machine held up.
fn drift(sides: &Sides, limits: Limits) -> Option<Why> {
    let Limits::Latency { baseline: than, .. } = limits else { return None };
    let clear = sides.by(Reading::InnerUnheld);
    let others = || clear.others().filter(|call| !call.fate.failed);
    let of = others().count();
    let slower = others().filter(|call| call.fate.took > than).count();
    let drifted = of >= PILOT && slower as f64 > DRIFTED * of as f64;
    drifted.then_some(Why::Drifted { slower: slower as u64, of: of as u64, than })
}

/// The half that decided: what broke the promise, what is still open, else what took longer.
fn telling<'h>(success: &'h Half, latency: Option<&'h Half>) -> &'h Half {
    let Some(latency) = latency else { return success };
    let rank = |half: &Half| match half.test.decision() {
        Decision::Contradicted => (3, 0),
        // Of two that broke it, the one that did so first.
        Decision::Violated => (2, u64::MAX - half.test.decided_at().unwrap_or(u64::MAX)),
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
