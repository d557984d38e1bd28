use super::*;
use crate::testing::{BORDER, EMPTY, UNDECIDED, finding};
use crate::{Settings, decided, violated_already};
use squall_evidence::testing::{Hop, Scene, at, claiming, faulty, plan, reviews, span, target, web};
use squall_model::{
    Act, AnswerCode, Answers, ClaimKind, FaultId, FaultKind, Happening, InstanceId, Policy, PolicyId, PolicyKind,
    Probe, StateRecord, Verdict, Which,
};

use Condition::{Ejected, Healthy, Unhealthy};

fn claim(is: Condition, which: Which, within: u64, of: MomentRef) -> ClaimKind {
    let what = Happening::Becomes(State { is, of: target(which) });
    ClaimKind::Moment { what, within: Duration::from_millis(within), of }
}

/// A call every 5 ms for a second, in turn over three instances; instance 2 fails from 200 to 600 ms.
fn scene() -> Scene {
    let how = Answers::With(AnswerCode::Status(500));
    let fails = FaultKind::Answers { of: target(Which::Instance(2)), how };
    let mut scene = Scene::new(faulty(plan(), fails, span(200, 600)));
    scene.happened(Act::Arm(FaultId(0)), 200, 204);
    scene.happened(Act::End(FaultId(0)), 600, 604);
    scene.seen.tells_states = true;
    scene.calls(0, 5, 200, |n| match (n % 3, 5 * n) {
        (1, 204..600) => [Hop::Status(2, 500)],
        (1, _) => [Hop::Ok(2)],
        (n, _) => [Hop::Ok(1 + n as u32)],
    });
    scene
}

/// Instance 2 is held for something from one moment to another.
fn held(is: Condition, from: u64, to: Option<u64>) -> Scene {
    let mut scene = scene();
    scene.told(2, is, true, from);
    if let Some(to) = to {
        scene.told(2, is, false, to);
    }
    scene
}

fn verdict_of(scene: &Scene, is: Condition, within: u64, of: MomentRef) -> Verdict {
    finding(scene, claim(is, Which::Instance(2), within, of)).verdict
}

#[test]
fn what_is_told_is_believed() {
    for is in [Ejected, Unhealthy] {
        let scene = held(is, 260, Some(400));
        let within = |ms| verdict_of(&scene, is, ms, MomentRef::FaultStart);
        assert_eq!([within(62), within(54)], [Verdict::Holds, Verdict::Violated], "{is}");
        // Counted from the moment that it was asked for it may be too late, from the one when it was in place not.
        assert_eq!([within(60), within(56)], [BORDER, BORDER], "{is}");
        let measured = finding(&scene, claim(is, Which::Instance(2), 100, MomentRef::FaultStart)).measured;
        assert_eq!(measured, Measured::Time(Some((55_000_000, 61_000_000))), "{is}");
    }
}

#[test]
fn each_condition_is_told_by_its_own_records() {
    let scene = held(Unhealthy, 260, None);
    assert_eq!(verdict_of(&scene, Ejected, 700, MomentRef::FaultStart), Verdict::Violated);
    let other = finding(&held(Ejected, 260, None), claim(Ejected, Which::Instance(3), 700, MomentRef::FaultStart));
    assert_eq!((other.verdict, other.measured), (Verdict::Violated, Measured::Time(None)), "another instance");
    assert_eq!(other.exemplars.len(), 5, "calls that went there all the same");
}

#[test]
fn what_never_came_is_too_late_only_if_it_had_the_time() {
    let never = scene();
    assert_eq!(verdict_of(&never, Ejected, 700, MomentRef::FaultStart), Verdict::Violated);
    assert_eq!(verdict_of(&never, Ejected, 900, MomentRef::FaultStart), UNDECIDED);
    assert_eq!(verdict_of(&never, Ejected, 100, MomentRef::Change), EMPTY, "there was no change");
}

#[test]
fn what_is_so_already_is_so_at_once() {
    let early = held(Ejected, 100, None);
    assert_eq!(verdict_of(&early, Ejected, 0, MomentRef::FaultStart), Verdict::Holds);
    let over = held(Ejected, 100, Some(150));
    assert_eq!(verdict_of(&over, Ejected, 100, MomentRef::FaultStart), Verdict::Violated, "it was over by then");
    // Over between the two ends of the moment: it depends.
    let between = held(Ejected, 100, Some(202));
    assert_eq!(verdict_of(&between, Ejected, 100, MomentRef::FaultStart), BORDER);
}

#[test]
fn every_instance_must_and_the_last_one_counts() {
    let mut scene = held(Ejected, 260, None);
    let first_two =
        |scene: &Scene, within| finding(scene, claim(Ejected, Which::First(2), within, MomentRef::FaultStart));
    assert_eq!(first_two(&scene, 700).verdict, Verdict::Violated, "instance 1 never was");
    scene.told(1, Ejected, true, 400);
    let found = first_two(&scene, 300);
    assert_eq!((found.verdict, found.measured), (Verdict::Holds, Measured::Time(Some((195_000_000, 201_000_000)))));
    assert_eq!(first_two(&scene, 100).verdict, Verdict::Violated);
}

#[test]
fn every_callers_proxy_must_that_has_to_do_with_it() {
    let mut scene = held(Ejected, 260, None);
    let hand_over = |scene: &mut Scene, to_other: fn(u64) -> bool| {
        scene.seen.calls.iter_mut().for_each(|c| c.caller = 1 + u32::from(to_other(c.seq)));
    };
    // The calls that reach instance 2 are those with a rest of 1 by three.
    hand_over(&mut scene, |n| n % 2 == 1);
    assert_eq!(ruled(&scene, 300), Verdict::Violated, "web-2 never ejected it");
    hand_over(&mut scene, |n| n % 3 == 2);
    assert_eq!(ruled(&scene, 300), Verdict::Holds, "web-2 never called it");
    hand_over(&mut scene, |n| n % 2 == 1);
    let by = InstanceId { number: 2, ..web() };
    scene.seen.states.push(StateRecord { by, of: reviews(2), what: Ejected, begins: true, at: at(450) });
    assert_eq!(ruled(&scene, 300), Verdict::Holds);
    assert_eq!(ruled(&scene, 200), Verdict::Violated);
}

/// Whatever the books say of calls whose caller was changed by hand.
fn ruled(scene: &Scene, within: u64) -> Verdict {
    let (evidence, settings) = (scene.evidence(), Settings::default());
    let case = Case { plan: &scene.plan, evidence: &evidence, settings: &settings };
    let state = State { is: Ejected, of: target(Which::Instance(2)) };
    rule(case, &state, Duration::from_millis(within), MomentRef::FaultStart).verdict
}

#[test]
fn an_ejection_counts_from_the_failure_that_each_proxy_saw() {
    // Its fifth call from 204 ms on is sent at 275 ms, and fails 5 ms later.
    let fifth = MomentRef::Failure(5);
    let scene = held(Ejected, 288, None);
    assert_eq!(verdict_of(&scene, Ejected, 10, fifth), Verdict::Holds);
    assert_eq!(verdict_of(&scene, Ejected, 4, fifth), Verdict::Violated);
    assert_eq!(verdict_of(&scene, Ejected, 100, MomentRef::Failure(50)), EMPTY);
    // Told in whole milliseconds it may seem to have been before the failure that brought it about.
    let rounded = held(Ejected, 280, None);
    assert_eq!(verdict_of(&rounded, Ejected, 5, fifth), Verdict::Holds);
}

fn checked(mut scene: Scene) -> Scene {
    let (every, by) = (Duration::from_millis(10), Probe::Tcp);
    let says = PolicyKind::Check { of: "reviews".into(), every, by, out_after: 1, back_after: 1 };
    scene.plan.policies.push(Policy { id: PolicyId(0), own: true, says });
    scene
}

#[test]
fn healthy_is_back_in_by_checks() {
    let back = checked(held(Unhealthy, 260, Some(650)));
    let within = |scene: &Scene, ms| verdict_of(scene, Healthy, ms, MomentRef::FaultEnd);
    assert_eq!([within(&back, 60), within(&back, 40)], [Verdict::Holds, Verdict::Violated]);
    assert_eq!(within(&checked(held(Unhealthy, 260, None)), 300), Verdict::Violated, "it never was again");
    assert_eq!(within(&checked(held(Unhealthy, 260, Some(500))), 0), Verdict::Holds, "before the fault was over");
    assert_eq!(within(&checked(scene()), 0), Verdict::Holds, "it was all the time");
    assert_eq!(within(&scene(), 300), Verdict::Violated, "nobody checks");
}

#[test]
fn of_a_mesh_that_tells_nothing_only_ejections_are_inferred() {
    let mut silent = scene();
    silent.seen.tells_states = false;
    assert_eq!(verdict_of(&silent, Ejected, 700, MomentRef::FaultStart), Verdict::Violated, "tries never stayed away");
    for is in [Unhealthy, Healthy] {
        assert!(matches!(verdict_of(&silent, is, 700, MomentRef::FaultStart), Verdict::Unsupported(_)), "{is}");
    }
}

#[test]
fn under_way_what_is_too_late_is_final() {
    let state = |mut scene: Scene, within| {
        scene.plan = claiming(scene.plan, claim(Ejected, Which::Instance(2), within, MomentRef::FaultStart));
        scene.seen.quiet = false;
        let (evidence, settings) = (scene.evidence(), Settings::default());
        (decided(&scene.plan, &evidence, &settings), violated_already(&scene.plan, &evidence, &settings))
    };
    assert_eq!(state(held(Ejected, 260, None), 100), (true, false));
    assert_eq!(state(held(Ejected, 260, None), 20), (true, true));
    assert_eq!(state(scene(), 700), (true, true));
    assert_eq!(state(scene(), 900), (false, false));
}
