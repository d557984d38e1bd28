use crate::{
    Settings, decided,
    testing::{BORDER, EMPTY, calls, finding, units, verdict},
    violated_already,
};
use squall_evidence::{
    Process,
    testing::{Hop, Scene, claiming, faulty, plan, reviews, span, target, touch},
};
use squall_model::{
    Act, Anchor, AnswerCode, Bound, ClaimKind, Down, FaultId, FaultKind, Level, Measured, Members, Only, Outcome, Part,
    Per, Phase, Population, Quantity, SeenBy, Touch, Unit, Verdict, When, Which, Why,
};

use std::time::Duration;

fn bound(low: Option<u64>, high: Option<u64>) -> Bound {
    Bound { low: low.map(|n| n * 1000), high: high.map(|n| n * 1000) }
}

fn at_most(n: u64) -> Bound {
    bound(None, Some(n))
}

fn count(of: Population, outcome: Outcome, bound: Bound) -> ClaimKind {
    ClaimKind::Total { quantity: Quantity::Count { of, outcome }, bound }
}

fn failing(bound: Bound) -> ClaimKind {
    count(calls(Phase::Whole), Outcome::Fail, bound)
}

fn tries(which: Which, seen_by: SeenBy, per: Per, phase: Phase, bound: Bound) -> ClaimKind {
    ClaimKind::Total { quantity: Quantity::Tries { target: target(which), seen_by, per, phase }, bound }
}

fn received(which: Which, per: Per, bound: Bound) -> ClaimKind {
    tries(which, SeenBy::Proxy, per, Phase::Whole, bound)
}

fn thousandths(low: Option<u64>, high: Option<u64>) -> Bound {
    Bound { low, high }
}

/// Calls every 10 ms, of which the first so many fail.
fn scene(calls: u64, bad: u64) -> Scene {
    let mut scene = Scene::new(plan());
    scene.calls(0, 10, calls, |n| if n < bad { [Hop::Status(1, 500)] } else { [Hop::Ok(2)] });
    scene
}

#[test]
fn counts_are_what_they_are() {
    for (bad, bound, expected) in [
        (3, at_most(3), Verdict::Holds),
        (4, at_most(3), Verdict::Violated),
        (3, bound(Some(3), None), Verdict::Holds),
        (2, bound(Some(3), None), Verdict::Violated),
        (5, bound(Some(5), Some(5)), Verdict::Holds),
        (4, bound(Some(5), Some(5)), Verdict::Violated),
        (6, bound(Some(5), Some(5)), Verdict::Violated),
        (0, at_most(0), Verdict::Holds),
    ] {
        assert_eq!(verdict(&scene(10, bad), failing(bound)), expected, "{bad} against {bound:?}");
    }
    assert_eq!(finding(&scene(10, 4), failing(at_most(3))).measured, Measured::Number { low: 4_000, high: 4_000 });
}

#[test]
fn nothing_is_counted_of_no_calls() {
    assert_eq!(verdict(&scene(0, 0), failing(at_most(3))), EMPTY);
    assert_eq!(verdict(&scene(0, 0), received(Which::Service, Per::Call, at_most(3))), EMPTY);
    // None of the calls was shed, which is a number: zero.
    let shed = Population { only: Some(Only::Shed), ..calls(Phase::Whole) };
    assert_eq!(verdict(&scene(5, 0), count(shed, Outcome::Fail, at_most(3))), Verdict::Holds);
    let connections = count(units(Unit::Connection, Which::Service), Outcome::Fail, at_most(3));
    assert!(matches!(verdict(&scene(5, 0), connections), Verdict::Unsupported(_)));
}

#[test]
fn tries_are_counted_where_they_were_seen() {
    let aborts: FaultKind = touch(Level::Tries, 50, Which::Instance(1), Touch::Abort(AnswerCode::Status(503)));
    let mut scene = Scene::new(faulty(plan(), aborts, When::Standing));
    scene.stood(0);
    // Of 12 calls: 8 tries at 1, of which 4 are aborted there; 4 refused by 3; 12 answered by 2.
    scene.calls(0, 10, 4, |_| vec![Hop::Aborted(1, 503), Hop::Refused(3), Hop::Ok(2)]);
    scene.calls(40, 10, 4, |_| vec![Hop::Status(1, 500), Hop::Ok(2)]);
    scene.calls(80, 10, 4, |_| vec![Hop::Ok(2)]);
    let number = |which, seen_by, per| {
        let found = finding(&scene, tries(which, seen_by, per, Phase::Whole, at_most(100)));
        assert_eq!(found.verdict, Verdict::Holds);
        let Measured::Number { low, high } = found.measured else { panic!("{found:?}") };
        assert_eq!(low, high);
        low
    };
    assert_eq!(number(Which::Service, SeenBy::Proxy, Per::Total), 20_000);
    assert_eq!(number(Which::Service, SeenBy::Workload, Per::Total), 16_000);
    assert_eq!(number(Which::Instance(1), SeenBy::Proxy, Per::Total), 8_000);
    assert_eq!(number(Which::Instance(3), SeenBy::Proxy, Per::Total), 0);
    assert_eq!(number(Which::Service, SeenBy::Proxy, Per::Call), 1_667);
    // 12 calls, one each 10 ms.
    assert_eq!(number(Which::Instance(1), SeenBy::Proxy, Per::Second), 66_667);
}

#[test]
fn thousandths_are_not_rounded_before_they_are_compared() {
    // 4 tries for 3 calls are 1.3333…
    let mut scene = scene(2, 0);
    scene.call(100, &[Hop::Status(1, 500), Hop::Ok(1)]);
    let per_call = |low, high| verdict(&scene, received(Which::Service, Per::Call, thousandths(low, high)));
    assert_eq!(per_call(None, Some(1_333)), Verdict::Violated);
    assert_eq!(per_call(None, Some(1_334)), Verdict::Holds);
    assert_eq!(per_call(Some(1_334), None), Verdict::Violated);
    assert_eq!(per_call(Some(1_333), None), Verdict::Holds);
}

#[test]
fn an_instance_may_receive_no_tries_while_others_do() {
    let none = || received(Which::Instance(3), Per::Total, at_most(0));
    assert_eq!(verdict(&scene(10, 0), none()), Verdict::Holds);
    let mut one = scene(10, 0);
    one.call(200, &[Hop::Ok(3)]);
    let found = finding(&one, none());
    assert_eq!(found.verdict, Verdict::Violated);
    assert_eq!(found.exemplars.len(), 1);
}

#[test]
fn an_instance_that_came_by_growth_counts() {
    let mut scene = scene(10, 0);
    scene.call(200, &[Hop::Ok(4)]);
    let measured = finding(&scene, received(Which::Instance(4), Per::Total, at_most(5))).measured;
    assert_eq!(measured, Measured::Number { low: 1_000, high: 1_000 });
}

/// Instance 1 is killed at 101 ms and comes back at 200 ms; the try sent at 100 ms got no answer.
fn killing(left: bool) -> Scene {
    let killed =
        FaultKind::Down { how: Down::Killed, part: Part::Instance, of: Members::Of(target(Which::Instance(1))) };
    let mut scene = Scene::new(faulty(plan(), killed, span(101, 200)));
    scene.happened(Act::Arm(FaultId(0)), 101, 102);
    scene.happened(Act::End(FaultId(0)), 200, 203);
    scene.killed(reviews(1), Process::Proxy, 101);
    scene.killed(reviews(1), Process::Workload, 101);
    scene.calls(0, 10, 30, |n| match n {
        0..10 => vec![Hop::Ok(1)],
        10 => vec![Hop::Broken(1), Hop::Ok(2)],
        _ => vec![Hop::Ok(2)],
    });
    if !left {
        scene.seen.access.retain(|l| l.flags != "UC");
        scene.seen.ledger.retain(|(_, l)| l.status != 0);
    }
    scene
}

#[test]
fn what_a_killed_process_may_have_seen_makes_a_number_uncertain() {
    let number = |scene: &Scene, seen_by, most| {
        let found = finding(scene, tries(Which::Instance(1), seen_by, Per::Total, Phase::Whole, at_most(most)));
        (found.verdict, found.measured)
    };
    let sure = Measured::Number { low: 11_000, high: 11_000 };
    assert_eq!(number(&killing(true), SeenBy::Proxy, 11), (Verdict::Holds, sure));
    let unsure = Measured::Number { low: 10_000, high: 11_000 };
    assert_eq!(number(&killing(false), SeenBy::Proxy, 11), (Verdict::Holds, unsure.clone()));
    assert_eq!(number(&killing(false), SeenBy::Proxy, 10), (BORDER, unsure.clone()));
    assert_eq!(number(&killing(false), SeenBy::Proxy, 9), (Verdict::Violated, unsure.clone()));
    assert_eq!(number(&killing(false), SeenBy::Workload, 10), (BORDER, unsure));
}

#[test]
fn a_phase_counts_its_own_tries() {
    let in_phase =
        |which, per, phase| finding(&killing(true), tries(which, SeenBy::Proxy, per, phase, at_most(1_000))).measured;
    let whole = |n: u64| Measured::Number { low: n, high: n };
    assert_eq!(in_phase(Which::Instance(1), Per::Total, Phase::During(Anchor::Fault)), whole(0));
    assert_eq!(in_phase(Which::Service, Per::Total, Phase::After(Anchor::Fault)), whole(9_000));
    assert_eq!(in_phase(Which::Service, Per::Call, Phase::After(Anchor::Fault)), whole(1_000));
    // The call that the kill caught in flight is of the phase before, and may be left out.
    let before = in_phase(Which::Service, Per::Call, Phase::Before(Anchor::Fault));
    assert_eq!(before, Measured::Number { low: 1_000, high: 1_091 });
}

#[test]
fn a_count_does_not_hang_on_a_call_that_crosses_the_border() {
    let delay = touch(Level::Tries, 100, Which::Service, Touch::Delay(std::time::Duration::from_millis(5)));
    let mut scene = Scene::new(faulty(plan(), delay, span(0, 200)));
    scene.stood(0);
    scene.happened(Act::End(FaultId(0)), 200, 203);
    scene.calls(0, 10, 20, |n| if n == 19 || n == 3 { [Hop::Delayed(1, 90)] } else { [Hop::Delayed(1, 5)] });
    let slow = |bound| {
        let slow = Outcome::TakeAtLeast(std::time::Duration::from_millis(50));
        verdict(&scene, count(calls(Phase::During(Anchor::Fault)), slow, bound))
    };
    assert_eq!(slow(at_most(2)), Verdict::Holds);
    assert_eq!(slow(at_most(1)), BORDER);
    assert_eq!(slow(at_most(0)), Verdict::Violated);
    assert_eq!(slow(bound(Some(2), None)), BORDER);
    assert_eq!(slow(bound(Some(2), Some(2))), BORDER);
    assert_eq!(slow(bound(Some(1), None)), Verdict::Holds);
}

#[test]
fn a_number_that_may_lie_on_either_side_of_its_bounds_is_open() {
    let delay = touch(Level::Tries, 100, Which::Service, Touch::Delay(std::time::Duration::from_millis(5)));
    let mut scene = Scene::new(faulty(plan(), delay, span(0, 200)));
    scene.stood(0);
    scene.happened(Act::End(FaultId(0)), 200, 203);
    // One slow call lies within the phase, three cross its border: from one to four.
    scene.calls(0, 10, 20, |n| if n > 16 || n == 3 { [Hop::Delayed(1, 90)] } else { [Hop::Delayed(1, 5)] });
    let slow = Outcome::TakeAtLeast(std::time::Duration::from_millis(50));
    let found = finding(&scene, count(calls(Phase::During(Anchor::Fault)), slow, bound(Some(2), Some(3))));
    assert_eq!((found.verdict, found.measured), (BORDER, Measured::Number { low: 1_000, high: 4_000 }));
}

#[test]
fn under_way_only_what_cannot_change_is_final() {
    let under_way = |calls, bad, kind: ClaimKind| {
        let mut scene = scene(calls, bad);
        (scene.plan, scene.seen.quiet) = (claiming(plan(), kind), false);
        let (evidence, settings) = (scene.evidence(), Settings::default());
        (decided(&scene.plan, &evidence, &settings), violated_already(&scene.plan, &evidence, &settings))
    };
    assert_eq!(under_way(20, 4, failing(at_most(3))), (true, true));
    assert_eq!(under_way(20, 3, failing(at_most(3))), (false, false));
    assert_eq!(under_way(120, 3, failing(at_most(3))), (true, false));
    assert_eq!(under_way(120, 3, failing(bound(Some(4), None))), (false, false), "more may come");
    assert_eq!(under_way(20, 4, failing(bound(Some(4), None))), (true, false));
    let per_call = |most| received(Which::Service, Per::Call, thousandths(None, Some(most)));
    assert_eq!(under_way(20, 0, per_call(900)), (false, false), "too few calls for a mean");
    assert_eq!(under_way(120, 0, per_call(900)), (false, false), "a mean may come down");
    assert_eq!(under_way(120, 0, per_call(1_100)), (true, false));
}

#[test]
fn a_mean_above_its_bound_may_come_down_again() {
    let scene = |calls| {
        let mut scene = Scene::new(plan());
        let hops = |n| if n < 50 { vec![Hop::Status(1, 503), Hop::Ok(2)] } else { vec![Hop::Ok(2)] };
        scene.calls(0, 10, calls, hops);
        scene
    };
    let claim = || received(Which::Service, Per::Call, thousandths(None, Some(1_350)));
    assert_eq!(verdict(&scene(400), claim()), Verdict::Holds);
    let mut early = scene(120);
    (early.plan, early.seen.quiet) = (claiming(plan(), claim()), false);
    assert!(!violated_already(&early.plan, &early.evidence(), &Settings::default()));
}

#[test]
fn a_count_does_not_hang_on_calls_that_the_machine_held_up() {
    let slow = |bound| count(calls(Phase::Whole), Outcome::TakeAtLeast(Duration::from_millis(50)), bound);
    let mut scene = scene(20, 0);
    for call in &mut scene.seen.calls[..2] {
        call.done = call.done + Duration::from_millis(60);
    }
    let held = |verdict| matches!(verdict, Verdict::Inconclusive(Why::HeldUp { calls: 2, .. }));
    assert!(held(verdict(&scene, slow(at_most(1)))));
    assert!(held(verdict(&scene, slow(bound(Some(1), None)))));
    // Whether they count or not.
    assert_eq!(verdict(&scene, slow(at_most(2))), Verdict::Holds);
    assert_eq!(verdict(&scene, slow(bound(Some(3), None))), Verdict::Violated);
    let quick = |bound| count(calls(Phase::Whole), Outcome::FinishWithin(Duration::from_millis(50)), bound);
    assert!(held(verdict(&scene, quick(bound(Some(19), None)))), "both would have been quick");
    assert_eq!(verdict(&scene, quick(bound(Some(18), None))), Verdict::Holds);
}

#[test]
fn nothing_is_counted_where_every_call_crosses_the_border() {
    // All of them are sent in the last 20 ms of the fault, and take 60.
    let delay = touch(Level::Tries, 100, Which::Service, Touch::Delay(Duration::from_millis(1)));
    let scene = |first: u64| {
        let mut scene = Scene::new(faulty(plan(), delay.clone(), span(0, 100)));
        scene.stood(0);
        scene.happened(Act::End(FaultId(0)), 100, 101);
        scene.calls(first, 2, 10, |_| [Hop::Delayed(1, 60)]);
        scene
    };
    let during = Phase::During(Anchor::Fault);
    let per_call = || tries(Which::Service, SeenBy::Proxy, Per::Call, during, at_most(1));
    let fails = || count(calls(during), Outcome::Fail, at_most(3));
    assert_eq!([verdict(&scene(0), per_call()), verdict(&scene(0), fails())], [Verdict::Holds, Verdict::Holds]);
    assert_eq!([verdict(&scene(80), per_call()), verdict(&scene(80), fails())], [BORDER, BORDER]);
}
