use super::*;
use crate::testing::{calls, every, no};
use squall_evidence::testing::{Hop, Scene, at, claiming, faulty, plan, span, touch};
use squall_model::{Act, AnswerCode, FaultId, Fraction, Level, Outcome, Phase, ShareBound, Touch, When, Which};

fn share(outcome: Outcome, at_least: u32) -> ClaimKind {
    let bound = ShareBound::AtLeast(Fraction::percent(at_least));
    ClaimKind::Share { of: calls(Phase::Whole), outcome, bound }
}

/// Calls under a standing fault that is to abort half of the tries, of a run under way; each of them ends so.
fn under_way(claims: &[ClaimKind], calls: u64, hops: impl Fn(u64) -> Hop) -> (bool, bool) {
    let plan =
        faulty(plan(), touch(Level::Tries, 50, Which::Service, Touch::Abort(AnswerCode::Status(503))), When::Standing);
    let mut scene = Scene::new(claims.iter().cloned().fold(plan, claiming));
    scene.stood(0);
    scene.seen.quiet = false;
    scene.calls(0, 1, calls, |n| [hops(n)]);
    state(&scene)
}

/// Decided, violated already.
fn state(scene: &Scene) -> (bool, bool) {
    let (evidence, settings) = (scene.evidence(), Settings::default());
    (decided(&scene.plan, &evidence, &settings), violated_already(&scene.plan, &evidence, &settings))
}

fn half(n: u64) -> Hop {
    if n.is_multiple_of(2) { Hop::Aborted(1, 503) } else { Hop::Ok(1) }
}

#[test]
fn a_stage_may_end_when_every_claim_is_decided() {
    let (some, sound) = (share(Outcome::Fail, 20), no(calls(Phase::Whole), Outcome::TimeOut));
    assert_eq!(under_way(std::slice::from_ref(&some), 200, half), (true, false));
    assert_eq!(under_way(&[some.clone(), sound.clone()], 200, half), (true, false));
    assert_eq!(under_way(&[some.clone(), sound], 60, half), (false, false), "too few for a claim about a mechanism");
    assert_eq!(under_way(&[some, share(Outcome::Succeed(None), 50)], 200, half), (false, false));
}

#[test]
fn a_stage_goes_on_until_the_fault_was_felt() {
    let sound = no(calls(Phase::Whole), Outcome::TimeOut);
    assert_eq!(under_way(std::slice::from_ref(&sound), 200, half), (true, false));
    assert_eq!(under_way(&[sound], 200, |_| Hop::Ok(1)), (false, false));
}

#[test]
fn a_control_run_ends_at_the_first_violation_that_will_stand() {
    let felt = || every(calls(Phase::Whole), Outcome::Retried);
    let unharmed = || every(calls(Phase::Whole), Outcome::Succeed(None));
    assert_eq!(under_way(&[felt()], 10, half), (true, true));
    assert_eq!(under_way(&[unharmed()], 10, half), (true, true));
    // Nobody was aborted yet: a claim that the fault is felt cannot be held against the mesh.
    assert_eq!(under_way(&[felt()], 10, |_| Hop::Ok(1)), (false, false));
    // Harm without the fault is harm all the same.
    assert_eq!(under_way(&[unharmed()], 10, |_| Hop::Status(1, 500)), (false, true));
    assert_eq!(under_way(&[felt(), unharmed()], 10, |_| Hop::Status(1, 500)), (false, true));
}

#[test]
fn a_cue_that_has_not_come_keeps_later_calls_out() {
    let abort = touch(Level::Tries, 100, Which::Service, Touch::Abort(AnswerCode::Status(503)));
    let claim = every(calls(Phase::Whole), Outcome::Succeed(None));
    let mut scene = Scene::new(claiming(faulty(plan(), abort, span(100, 200)), claim));
    scene.seen.quiet = false;
    scene.calls(0, 10, 20, |n| if n < 10 { [Hop::Ok(1)] } else { [Hop::Aborted(1, 503)] });
    assert_eq!(state(&scene), (false, false));
    scene.happened(Act::Arm(FaultId(0)), 100, 100);
    assert_eq!(state(&scene), (true, true));
}

#[test]
fn a_run_that_is_not_over_has_no_findings_to_rely_on() {
    let mut scene = Scene::new(claiming(plan(), every(calls(Phase::Whole), Outcome::Succeed(None))));
    scene.calls(0, 1, 200, |_| [Hop::Ok(1)]);
    let word = |scene: &Scene| judge(&scene.plan, &scene.evidence(), &Settings::default())[0].verdict.word();
    assert_eq!(word(&scene), "holds");
    scene.seen.quiet = false;
    assert_eq!(word(&scene), "inconclusive");
    scene.seen.unresolved_from = Some(at(0));
    assert_eq!(word(&scene), "inconclusive");
}

#[test]
fn a_run_can_go_on_from_its_evidence() {
    let mut scene = Scene::new(claiming(plan(), every(calls(Phase::Whole), Outcome::Succeed(None))));
    scene.calls(0, 1, 10, |_| [Hop::Ok(1)]);
    let observed = scene.observed();
    assert_eq!(scene.evidence().into_observed(), observed);
}
