//! How many units a claim is about, by the traffic lines.

use super::moments::span;
use super::populations::is_meant;
use squall_model::{
    Anchor, Calls, Claim, ClaimKind, Happening, Phase, Plan, Population, Quantity, Shape, Target, TrafficLine, Unit,
};
use std::ops::RangeInclusive;
use std::time::Duration;

/// The calls that a claim rests on, by the traffic lines: those that it speaks of, or whose tries it counts. `None` where it
/// is about no calls, or nobody knows beforehand how many there will be.
#[must_use]
pub fn rests_on(plan: &Plan, claim: &Claim) -> Option<u64> {
    let all = |calls: &Calls, phase| Population { unit: Unit::Call, only: None, calls: calls.clone(), phase };
    let of = match &claim.kind {
        ClaimKind::Paired { calls, .. } | ClaimKind::Moment { what: Happening::Recover(calls), .. } => {
            all(calls, Phase::Whole)
        }
        ClaimKind::Total { quantity: Quantity::Tries { target, phase, .. }, .. } => {
            all(&Calls { to: Some(Target::service(target.service.clone())), ..Calls::default() }, *phase)
        }
        other => {
            let of = other.population()?;
            all(&of.calls, of.phase)
        }
    };
    planned(plan, &of)
}

/// Units that the traffic lines plan for a population; `None` where that cannot be known.
pub(super) fn planned(plan: &Plan, of: &Population) -> Option<u64> {
    if of.only.is_some() || of.calls.from.as_ref().is_some_and(|from| !plan.lines().any(|l| l.caller == *from)) {
        return None;
    }
    let mut sum = 0.0;
    for (stage, it) in plan.timeline.stages.iter().enumerate() {
        let meant = it.lines.iter().filter(|line| is_meant(&of.calls, line, &plan.topology));
        for line in meant {
            sum += match of.unit {
                Unit::Call => calls_in(plan, stage, line, of.phase)?,
                Unit::User => f64::from(line.users?),
                Unit::Try | Unit::Retry | Unit::Connection => return None,
            };
        }
    }
    Some(sum as u64)
}

/// The calls of a line that lie in a phase.
pub(super) fn calls_in(plan: &Plan, stage: usize, line: &TrafficLine, phase: Phase) -> Option<f64> {
    if phase == Phase::Whole {
        return line.shape.calls().map(|calls| calls as f64);
    }
    let (Shape::Open { rate, .. } | Shape::Decide { rate, .. }) = line.shape else { return None };
    let rate = rate.hertz();
    let length = line.shape.length()?;
    if let (Phase::During(Anchor::Fault), Some(blocks)) = (phase, plan.timeline.stages.get(stage)?.blocks) {
        return Some(rate * blocks.time_with_faults().as_secs_f64());
    }
    let part = part(plan, stage, length, phase)?;
    Some(rate * part.end().saturating_sub(*part.start()).as_secs_f64())
}

/// The part of a stage that a phase takes.
fn part(plan: &Plan, stage: usize, length: Duration, phase: Phase) -> Option<RangeInclusive<Duration>> {
    let clip = |from: Duration, to: Duration| from.min(length)..=to.clamp(from.min(length), length);
    let nothing = Duration::ZERO..=Duration::ZERO;
    if let Phase::Clock { from, to } = phase {
        return Some(clip(from, to.unwrap_or(length)));
    }
    if phase == Phase::Whole {
        return Some(Duration::ZERO..=length);
    }
    let (start, end) = span(plan, phase)?;
    let at = |(there, time): (usize, Duration)| match there.cmp(&stage) {
        std::cmp::Ordering::Less => Duration::ZERO,
        std::cmp::Ordering::Equal => time,
        std::cmp::Ordering::Greater => length,
    };
    Some(match phase {
        Phase::Before(_) => clip(Duration::ZERO, at(start)),
        Phase::During(_) => clip(at(start), end.map_or(length, at)),
        Phase::After(_) => end.map_or(nothing, |end| clip(at(end), length)),
        Phase::Whole | Phase::Clock { .. } => nothing,
    })
}
