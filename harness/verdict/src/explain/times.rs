//! How long it took: percentiles beside a claim about time.

use super::offence::{Offence, One};
use squall_evidence::CallOutcome;
use squall_model::{Claim, ClaimKind, Outcome, PercentileOf, Quantity, Reading, Times, Unit};
use squall_stats::bounds::{Position, percentile};

/// The error rate of each pair of bounds.
const ERROR: f64 = 1e-3;

/// p50, p95 and p99 of how long the calls of a claim about time took, with exact bounds by order statistics. `None` for claims
/// about something else.
pub(super) fn times(claim: &Claim, offence: &Offence<'_>) -> Option<Times> {
    let outcome = match &claim.kind {
        ClaimKind::Every { outcome, .. } | ClaimKind::Share { outcome, .. } => outcome,
        ClaimKind::Total { quantity: Quantity::Count { outcome, .. }, .. } => outcome,
        _ => return None,
    };
    let must_succeed = match outcome {
        Outcome::Succeed(Some(_)) => true,
        Outcome::FinishWithin(_) | Outcome::TakeAtLeast(_) => false,
        _ => return None,
    };
    if offence.unit != Unit::Call {
        return None;
    }
    // What never ends as it should is later than all that does: left out, a mesh would look the faster the more it loses.
    let took = |one: &One<'_>| match one.story.outcome {
        CallOutcome::Unfinished => None,
        outcome if must_succeed && outcome != CallOutcome::Succeeded => None,
        _ => Some(one.story.took()),
    };
    let mut sorted: Vec<u64> = offence.all.iter().filter_map(took).collect();
    sorted.sort_unstable();
    let unanswered = (offence.all.len() - sorted.len()) as u64;
    let one = |percent: f64| {
        let found = percentile(&sorted, unanswered, percent / 100.0, ERROR)?;
        let (low, seen, high) = (reading(found.lower), reading(found.measured), reading(found.upper));
        Some(PercentileOf { percent, low, seen, high })
    };
    let percentiles: Vec<PercentileOf> = [50.0, 95.0, 99.0].into_iter().filter_map(one).collect();
    let n = offence.all.len() as u64;
    (!percentiles.is_empty()).then_some(Times { percentiles, n, unanswered, error: ERROR })
}

fn reading(position: Position<u64>) -> Reading {
    match position {
        Position::At(time) => Reading::At(time),
        Position::Unanswered => Reading::Never,
        Position::Open => Reading::Open,
    }
}
