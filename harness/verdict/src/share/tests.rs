use super::*;
use crate::{
    Settings, decided,
    testing::{BORDER, EMPTY, calls, finding, units, verdict},
    violated_already,
};
use proptest::prelude::*;
use squall_evidence::testing::{Hop, Scene, claiming, faulty, plan, span, touch};
use squall_model::{Act, Anchor, ClaimKind, FaultId, Fraction, Level, Phase, Touch, Which, Why};
use std::time::Duration;

const SUCCEED: Outcome = Outcome::Succeed(None);

fn percent(n: u32) -> Fraction {
    Fraction::percent(n)
}

fn succeed(bound: ShareBound) -> ClaimKind {
    ClaimKind::Share { of: calls(Phase::Whole), outcome: SUCCEED, bound }
}

/// Of each ten calls the last so many fail.
fn failing(calls: u64, of_ten: u64) -> Scene {
    let mut scene = Scene::new(plan());
    scene.calls(0, 1, calls, |n| if n % 10 >= 10 - of_ten { [Hop::Status(1, 500)] } else { [Hop::Ok(1)] });
    scene
}

fn is_undecided(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Inconclusive(Why::Undecided { .. }))
}

#[test]
fn each_bound_both_ways() {
    for (bound, of_ten, expected) in [
        (ShareBound::AtLeast(percent(70)), 0, Verdict::Holds),
        (ShareBound::AtLeast(percent(70)), 8, Verdict::Violated),
        (ShareBound::MoreThan(percent(70)), 1, Verdict::Holds),
        (ShareBound::MoreThan(percent(70)), 7, Verdict::Violated),
        (ShareBound::AtMost(percent(30)), 9, Verdict::Holds),
        (ShareBound::AtMost(percent(30)), 2, Verdict::Violated),
        (ShareBound::Between(percent(30), percent(70)), 5, Verdict::Holds),
        (ShareBound::Between(percent(30), percent(70)), 0, Verdict::Violated),
        (ShareBound::Between(percent(30), percent(70)), 10, Verdict::Violated),
    ] {
        assert_eq!(verdict(&failing(600, of_ten), succeed(bound)), expected, "{bound:?} with {of_ten} of ten failing");
    }
}

#[test]
fn a_bare_proportion_decides_nothing() {
    // 91% is above the bound, and 89% below: neither shows anything.
    for (of, expected) in [(11, "above"), (9, "below")] {
        let mut scene = Scene::new(plan());
        scene.calls(0, 1, 99, |n| if n % of == 5 { [Hop::Status(1, 500)] } else { [Hop::Ok(1)] });
        let found = finding(&scene, succeed(ShareBound::AtLeast(percent(90))));
        let Verdict::Inconclusive(Why::Undecided { needed: Some(needed) }) = found.verdict else { panic!("{found:?}") };
        assert!(needed > 99, "{needed} for a share {expected}");
    }
    let few = finding(&failing(10, 2), succeed(ShareBound::AtLeast(percent(90))));
    assert!(is_undecided(&few.verdict));
}

#[test]
fn what_was_measured_is_shown_with_bounds_that_hold_at_any_moment() {
    let found = finding(&failing(600, 1), succeed(ShareBound::AtLeast(percent(70))));
    let Measured::Share { hits, n, low, high, alpha } = found.measured else { panic!("{found:?}") };
    let share = hits as f64 / n as f64;
    assert!(low >= 0.7 && low < share && share < high, "{low} {share} {high}");
    assert!(n < 600, "the numbers are those of the first crossing");
    assert!((alpha - 1e-3).abs() < 1e-12);
    let broken = finding(&failing(600, 8), succeed(ShareBound::AtLeast(percent(70))));
    let Measured::Share { high, alpha, .. } = broken.measured else { panic!("{broken:?}") };
    assert!(high < 0.7 && (alpha - 1e-7).abs() < 1e-12);
}

#[test]
fn nothing_to_test() {
    assert_eq!(verdict(&Scene::new(plan()), succeed(ShareBound::AtLeast(percent(90)))), EMPTY);
    let vacuous = verdict(&failing(100, 0), succeed(ShareBound::AtMost(percent(100))));
    assert!(matches!(vacuous, Verdict::Error(_)), "{vacuous:?}");
    let connections = ClaimKind::Share {
        of: units(Unit::Connection, Which::Service),
        outcome: SUCCEED,
        bound: ShareBound::AtLeast(percent(90)),
    };
    assert!(matches!(verdict(&failing(100, 0), connections), Verdict::Unsupported(_)));
}

#[test]
fn calls_without_a_common_chance_contradict_each_other() {
    let mut scene = Scene::new(plan());
    scene.calls(0, 1, 400, |_| [Hop::Ok(1)]);
    scene.calls(400, 1, 2_000, |_| [Hop::Status(1, 500)]);
    let verdict = verdict(&scene, succeed(ShareBound::AtLeast(percent(90))));
    assert!(matches!(verdict, Verdict::Inconclusive(Why::Books(_))), "{verdict:?}");
}

#[test]
fn the_order_is_that_of_intended_sends() {
    // In order of completion the first 400 would all succeed: the slow failures come in last.
    let mut scene = Scene::new(plan());
    scene.calls(0, 2, 400, |n| if n % 2 == 0 { [Hop::TimedOut(1, 900)] } else { [Hop::Ok(1)] });
    scene.seen.calls.sort_by_key(|c| c.done);
    assert_eq!(verdict(&scene, succeed(ShareBound::AtLeast(percent(90)))), Verdict::Violated);
}

/// All tries are delayed until 400 ms; calls every 2 ms, of which those from `slow` on take long.
fn crossing(slow: u64, length: u64) -> Scene {
    let delay = touch(Level::Tries, 100, Which::Service, Touch::Delay(std::time::Duration::from_millis(1)));
    let mut scene = Scene::new(faulty(plan(), delay, span(0, 400)));
    scene.stood(0);
    scene.happened(Act::End(FaultId(0)), 400, 402);
    scene.calls(0, 2, 200, |n| if n >= slow { [Hop::Delayed(1, length)] } else { [Hop::Delayed(1, 1)] });
    scene
}

#[test]
fn a_share_does_not_hang_on_calls_that_cross_the_border() {
    let fast = |at_least: u32| ClaimKind::Share {
        of: calls(Phase::During(Anchor::Fault)),
        outcome: Outcome::FinishWithin(std::time::Duration::from_millis(50)),
        bound: ShareBound::AtLeast(percent(at_least)),
    };
    assert_eq!(verdict(&crossing(190, 200), fast(80)), Verdict::Holds);
    // Half of the calls are slow, and all of those are still in flight when the fault ends.
    assert_eq!(verdict(&crossing(100, 300), fast(90)), BORDER);
}

#[test]
fn a_share_does_not_hang_on_calls_that_the_machine_held_up() {
    let ms = std::time::Duration::from_millis;
    let held = |count: usize| {
        let mut scene = Scene::new(plan());
        scene.calls(0, 2, 400, |_| [Hop::Ok(1)]);
        scene.seen.calls.iter_mut().step_by(400 / count).for_each(|call| call.done = call.done + ms(60));
        scene
    };
    let fast = ClaimKind::Share {
        of: calls(Phase::Whole),
        outcome: Outcome::FinishWithin(ms(50)),
        bound: ShareBound::AtLeast(percent(90)),
    };
    assert_eq!(verdict(&held(4), fast.clone()), Verdict::Holds);
    assert!(matches!(verdict(&held(200), fast), Verdict::Inconclusive(Why::HeldUp { calls: 200, .. })));
}

#[test]
fn a_user_does_not_hang_on_a_call_that_the_machine_held_up() {
    let scene = |held: bool| {
        let mut scene = Scene::new(plan());
        scene.calls(0, 1, 600, |_| [Hop::Ok(1)]);
        scene.seen.calls.iter_mut().for_each(|c| c.user = 1 + (c.seq % 150) as u32);
        // One call of each user.
        scene
            .seen
            .calls
            .iter_mut()
            .filter(|c| held && c.seq < 150)
            .for_each(|c| c.done = c.done + Duration::from_millis(60));
        scene
    };
    let claim = |outcome| ClaimKind::Share {
        of: units(Unit::User, Which::Service),
        outcome,
        bound: ShareBound::AtLeast(percent(90)),
    };
    let quick = || claim(Outcome::FinishWithin(Duration::from_millis(50)));
    assert_eq!(verdict(&scene(false), quick()), Verdict::Holds);
    assert!(matches!(verdict(&scene(true), quick()), Verdict::Inconclusive(Why::HeldUp { calls: 150, .. })));
    assert_eq!(verdict(&scene(true), claim(SUCCEED)), Verdict::Holds, "no time decides it");
}

#[test]
fn users_are_units_too() {
    let mut scene = Scene::new(plan());
    scene.calls(0, 1, 600, |n| if n % 2 == 0 { [Hop::Ok(1)] } else { [Hop::Status(1, 500)] });
    scene.seen.calls.iter_mut().for_each(|c| c.user = 1 + (c.seq % 300) as u32);
    let claim = |bound| ClaimKind::Share { of: units(Unit::User, Which::Service), outcome: SUCCEED, bound };
    // Too narrow to be decided, so that all of them are counted.
    let found = finding(&scene, claim(ShareBound::Between(percent(45), percent(55))));
    let Measured::Share { hits, n, .. } = found.measured else { panic!("{found:?}") };
    assert_eq!((hits, n), (150, 300));
}

#[test]
fn a_share_is_decided_before_the_run_is_over_and_stays_so() {
    let claim = || claiming(plan(), succeed(ShareBound::AtLeast(percent(90))));
    let under_way = |calls: u64, of_ten: u64| {
        let mut scene = failing(calls, of_ten);
        (scene.plan, scene.seen.quiet) = (claim(), false);
        let (evidence, settings) = (scene.evidence(), Settings::default());
        (decided(&scene.plan, &evidence, &settings), violated_already(&scene.plan, &evidence, &settings))
    };
    assert_eq!(under_way(40, 0), (false, false));
    assert_eq!(under_way(100, 0), (true, false));
    assert_eq!(under_way(10, 7), (false, false));
    assert_eq!(under_way(60, 7), (true, true));
}

#[test]
fn the_last_look_of_a_run_is_taken_off_the_grid() {
    // 83 successes show 90% where 80 do not: with looks every 20 calls, only the last one sees it.
    let decides = |calls: u64| {
        let mut scene = Scene::new(plan());
        scene.calls(0, 1, calls, |n| if n == 0 { [Hop::Status(1, 500)] } else { [Hop::Ok(1)] });
        verdict(&scene, succeed(ShareBound::AtLeast(percent(90)))) == Verdict::Holds
    };
    let first = (80..200).find(|calls| decides(*calls)).unwrap();
    assert!(first % 20 != 0, "{first}");
}

#[test]
fn a_call_in_flight_keeps_those_after_it_out() {
    let mut scene = failing(100, 0);
    scene.plan = claiming(plan(), succeed(ShareBound::AtLeast(percent(90))));
    scene.seen.quiet = false;
    scene.seen.unresolved_from = Some(squall_evidence::testing::at(30));
    assert!(!decided(&scene.plan, &scene.evidence(), &Settings::default()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn more_failing_calls_never_turn_violated_into_holds(calls in 20u64..300, of_ten in 0u64..=10, more in 1u64..200) {
        let claim = || succeed(ShareBound::AtLeast(percent(80)));
        let mut scene = failing(calls, of_ten);
        let first = verdict(&scene, claim());
        for n in 0..more {
            scene.call(calls + n, &[Hop::Status(1, 500)]);
        }
        if first == Verdict::Violated {
            prop_assert_eq!(verdict(&scene, claim()), Verdict::Violated);
        }
    }
}
