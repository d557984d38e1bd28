//! Claims by hand, and what comes of them.

use crate::{Settings, judge};
use squall_evidence::testing::{Scene, calls_to, claiming};
use squall_model::{Calls, ClaimKind, Finding, Outcome, Phase, Population, Unit, Verdict, Which, Why};

pub(crate) const UNDECIDED: Verdict = Verdict::Inconclusive(Why::Undecided { needed: None });
pub(crate) const EMPTY: Verdict = Verdict::Inconclusive(Why::Empty);
pub(crate) const BORDER: Verdict = Verdict::Inconclusive(Why::Border);

/// Every call, in this phase.
pub(crate) fn calls(phase: Phase) -> Population {
    Population { unit: Unit::Call, only: None, calls: Calls::default(), phase }
}

/// Units of the calls to these instances of `reviews`.
pub(crate) fn units(unit: Unit, which: Which) -> Population {
    Population { unit, only: None, calls: calls_to(which), phase: Phase::Whole }
}

pub(crate) fn every(of: Population, outcome: Outcome) -> ClaimKind {
    ClaimKind::Every { of, all: true, outcome }
}

pub(crate) fn no(of: Population, outcome: Outcome) -> ClaimKind {
    ClaimKind::Every { of, all: false, outcome }
}

/// What comes of this one claim.
pub(crate) fn finding(scene: &Scene, kind: ClaimKind) -> Finding {
    let mut scene = scene.clone();
    scene.plan.claims.clear();
    scene.plan = claiming(scene.plan, kind);
    judge(&scene.plan, &scene.evidence(), &Settings::default()).remove(0)
}

pub(crate) fn verdict(scene: &Scene, kind: ClaimKind) -> Verdict {
    finding(scene, kind).verdict
}
