//! Claims by hand, and what comes of them.

use crate::{Settings, explain::explain, judge, judge::rule, ruling::Case};
use squall_evidence::testing::{Scene, calls_to, claiming};
use squall_model::{
    Calls, ClaimKind, Explanation, Finding, Outcome, Phase, Policy, PolicyId, PolicyKind, Population, Unit, Verdict,
    Which, Why,
};

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

/// What explains this claim, violated or not, whatever stands at the gates.
pub(crate) fn explanation(scene: &Scene, kind: ClaimKind) -> Explanation {
    let mut scene = scene.clone();
    scene.plan.claims.clear();
    scene.plan = claiming(scene.plan, kind);
    let (evidence, settings) = (scene.evidence(), Settings::default());
    let case = Case { plan: &scene.plan, evidence: &evidence, settings: &settings };
    let claim = &scene.plan.claims[0];
    explain(case, claim, &rule(case, claim).offenders)
}

/// The name of the likely mechanism and its sentence.
pub(crate) fn likely(scene: &Scene, kind: ClaimKind) -> String {
    explanation(scene, kind).mechanism.map_or("nothing".to_owned(), |m| format!("{}: {}", m.rule, m.text))
}

/// The scene's plan has this policy as well.
pub(crate) fn with_policy(mut scene: Scene, says: PolicyKind) -> Scene {
    let id = PolicyId(scene.plan.policies.len() as u32);
    scene.plan.policies.push(Policy { id, own: true, says });
    scene
}
