use super::*;
use crate::{
    join,
    testing::{Hop, PREFIX, Scene, blocked, damage, faulty, plan, span, touch},
};
use proptest::prelude::*;
use squall_model::{Act, AnswerCode, Answers, Damage, Edge, FaultKind, Level, Side, Touch, When, Which, WireEnd};

const ABORT: Touch = Touch::Abort(AnswerCode::Status(503));
const DELAY: Touch = Touch::Delay(Duration::from_millis(50));

/// `calls` calls under a standing fault, of which the first `touched` are aborted at instance 1.
fn aborted(percent: u32, calls: u64, touched: u64) -> Scene {
    let mut scene = Scene::new(faulty(plan(), touch(Level::Tries, percent, Which::Service, ABORT), When::Standing));
    scene.stood(0);
    scene.calls(0, 1, calls, |n| if n < touched { [Hop::Aborted(1, 503)] } else { [Hop::Ok(1)] });
    scene
}

/// The dose of the first fault: what it was, how many it touched, of how many.
pub(super) fn dose(scene: &Scene) -> (Dose, u64, u64) {
    let mut all = doses(&scene.plan, &scene.evidence());
    assert_eq!(all.len(), scene.plan.faults.len());
    let DoseCount { dose, touched, of, .. } = all.remove(0);
    (dose, touched, of)
}

/// Why the first fault touched nothing, or too little.
pub(super) fn spared(scene: &Scene) -> Option<Spared> {
    doses(&scene.plan, &scene.evidence()).remove(0).spared
}

#[test]
fn a_percentage_is_confirmed_within_what_chance_allows() {
    for (percent, calls, touched, expected) in [
        (30, 600, 180, Dose::Confirmed),
        (30, 600, 230, Dose::Confirmed),
        (30, 600, 240, Dose::Stronger),
        (30, 600, 135, Dose::Confirmed),
        (30, 600, 125, Dose::Weaker),
        (1, 2_000, 20, Dose::Confirmed),
        (1, 2_000, 1, Dose::Weaker),
        (1, 2_000, 45, Dose::Stronger),
        // One per cent of a hundred may well be nobody: nothing was touched, whatever the reason.
        (1, 100, 0, Dose::Absent),
        (1, 100, 1, Dose::Confirmed),
        (100, 600, 600, Dose::Confirmed),
        (100, 600, 599, Dose::Weaker),
    ] {
        assert_eq!(dose(&aborted(percent, calls, touched)), (expected, touched, calls), "{percent}% of {calls}");
    }
}

#[test]
fn of_few_tries_a_share_may_take_none() {
    let spared = |percent, calls, touched| spared(&aborted(percent, calls, touched));
    let chance = Fraction::from_ppm(343_000).unwrap();
    assert_eq!(spared(30, 3, 0), Some(Spared::NoneDrawn { unit: Unit::Try, chance }));
    assert_eq!(spared(30, 3, 1), None);
    assert_eq!(spared(30, 100, 0), None, "no chance: it was not in place");
}

#[test]
fn calls_are_counted_at_the_callers_proxy() {
    let mut scene = Scene::new(faulty(plan(), touch(Level::Calls, 50, Which::Service, ABORT), When::Standing));
    scene.stood(0);
    for n in 0..40 {
        if n % 2 == 0 {
            scene.local(n, 503, "FI", "fault_filter_abort");
        } else {
            scene.call(n, &[Hop::Ok(1)]);
        }
    }
    assert_eq!(dose(&scene), (Dose::Confirmed, 20, 40));
}

#[test]
fn delays_are_counted_by_their_own_flag() {
    let mut scene = Scene::new(faulty(plan(), touch(Level::Tries, 50, Which::Service, DELAY), When::Standing));
    scene.stood(0);
    scene.calls(0, 1, 40, |n| if n % 2 == 0 { [Hop::Delayed(1, 50)] } else { [Hop::Ok(1)] });
    assert_eq!(dose(&scene), (Dose::Confirmed, 20, 40));
}

#[test]
fn only_what_lies_surely_within_the_window_counts() {
    let mut scene = Scene::new(faulty(plan(), touch(Level::Tries, 100, Which::Service, ABORT), span(100, 200)));
    scene.happened(Act::Arm(FaultId(0)), 100, 104);
    scene.happened(Act::End(FaultId(0)), 200, 204);
    // On the borders some are touched and some are not: both is right.
    scene.calls(90, 1, 120, |n| match 90 + n {
        100..104 if n % 2 == 0 => [Hop::Aborted(1, 503)],
        104..=200 => [Hop::Aborted(1, 503)],
        201..204 if n % 2 == 0 => [Hop::Aborted(1, 503)],
        _ => [Hop::Ok(1)],
    });
    let (found, touched, of) = dose(&scene);
    assert_eq!((found, touched), (Dose::Confirmed, of));
    // From a clock error after 104 to one before 200.
    assert_eq!(of, 94);
}

/// Is the fault in place at this millisecond, or does it come or go?
fn in_blocks(ms: u64) -> Option<bool> {
    let switching = |from: u64| (from..from + 10).contains(&ms);
    let on = (260..750).contains(&ms) || (1260..1750).contains(&ms);
    (![250, 750, 1250, 1750].into_iter().any(switching)).then_some(on)
}

/// Two seconds in blocks, a call every 5 ms; those with the fault end so, those while it comes or goes in turn.
fn switched(does: FaultKind, hop: Hop) -> Scene {
    let mut scene = Scene::new(blocked(plan(), does));
    scene.switched(10);
    scene.calls(0, 5, 400, |n| [if in_blocks(5 * n).unwrap_or(n % 2 == 0) { hop } else { Hop::Ok(1) }]);
    scene
}

#[test]
fn a_fault_in_blocks_is_counted_in_all_of_its_times() {
    let scene = switched(touch(Level::Tries, 100, Which::Service, ABORT), Hop::Aborted(1, 503));
    let (found, touched, of) = dose(&scene);
    assert_eq!((found, touched), (Dose::Confirmed, of));
    assert!((190..=196).contains(&of), "{of} of both times");
    let mut leaking = scene.clone();
    leaking.call(1000, &[Hop::Aborted(1, 503)]);
    assert_eq!(dose(&leaking).0, Dose::Leaked(edge("web", "reviews")), "between its times");
    let mut spared = scene;
    spared.call(1500, &[Hop::Ok(1)]);
    assert_eq!(dose(&spared).0, Dose::Weaker);
}

#[test]
fn answers_in_blocks_are_as_meant_in_each_of_their_times() {
    let with = |code| FaultKind::Answers { of: crate::testing::target(Which::Service), how: Answers::With(code) };
    let scene = switched(with(AnswerCode::Status(503)), Hop::Status(1, 503));
    let (found, touched, of) = dose(&scene);
    assert_eq!((found, touched), (Dose::Confirmed, of));
    assert!(of > 180, "{of}");
    // What began in one of its times and ended in the next lay between them as well.
    let mut across = scene;
    across.call(700, &[Hop::Slow(1, 800)]);
    assert_eq!(dose(&across), (Dose::Confirmed, touched, of));
}

#[test]
fn a_wire_in_blocks_is_slowed_in_each_of_its_times() {
    let by = Damage::Slow { by: Duration::from_millis(50), jitter: Duration::ZERO };
    let scene = || {
        let mut scene = switched(damage(Which::Instance(1), by), Hop::Slow(1, 55));
        scene.connection(1, 0, None, WireEnd::Open, &[(by, 260, 1790)]);
        scene
    };
    let (found, touched, of) = dose(&scene());
    assert_eq!((found, touched), (Dose::Confirmed, of));
    let mut fast = scene();
    fast.call(1300, &[Hop::Ok(1)]);
    assert_eq!(dose(&fast).0, Dose::Weaker);
    let mut leaking = scene();
    leaking.connection(1, 0, None, WireEnd::Open, &[(by, 260, 1000)]);
    assert_eq!(dose(&leaking).0, Dose::Leaked(edge("web", "reviews")), "it did something when it was off");
}

#[test]
fn a_fault_without_traffic_is_absent() {
    let mut scene = aborted(30, 100, 0);
    assert_eq!(dose(&scene), (Dose::Absent, 0, 100));
    scene.plan = faulty(plan(), touch(Level::Tries, 30, Which::Instance(3), ABORT), When::Standing);
    assert_eq!(dose(&scene), (Dose::Absent, 0, 0), "no try reached instance 3");
    let mut scene = aborted(30, 100, 30);
    scene.seen.effects.clear();
    assert_eq!(dose(&scene).0, Dose::Absent, "it was never armed");
}

fn edge(from: &str, to: &str) -> Edge {
    Edge { from: from.into(), to: to.into() }
}

#[test]
fn one_touch_where_it_was_not_aimed_is_a_leak() {
    let aimed_at_2 = || {
        let mut scene = Scene::new(faulty(plan(), touch(Level::Tries, 50, Which::Instance(2), ABORT), When::Standing));
        scene.stood(0);
        scene.calls(0, 1, 200, |n| if n % 4 == 0 { [Hop::Aborted(2, 503)] } else { [Hop::Ok(1 + n as u32 % 2)] });
        scene
    };
    assert_eq!(dose(&aimed_at_2()).0, Dose::Confirmed);
    let mut other_instance = aimed_at_2();
    other_instance.call(300, &[Hop::Aborted(3, 503)]);
    assert_eq!(dose(&other_instance).0, Dose::Leaked(edge("web", "reviews")));
    let mut other_proxy = aimed_at_2();
    other_proxy.local(300, 503, "FI", "fault_filter_abort");
    assert_eq!(dose(&other_proxy).0, Dose::Leaked(edge("web", "reviews")), "before the caller's retries");
    let mut other_kind = aimed_at_2();
    other_kind.call(300, &[Hop::Delayed(2, 50)]);
    assert_eq!(dose(&other_kind).0, Dose::Leaked(edge("web", "reviews")));
    let mut onward = aimed_at_2();
    onward.onward(1, 1, 2, 300);
    let line = onward.seen.access.iter_mut().find(|l| l.proxy.service.as_str() == "ratings").unwrap();
    line.flags = "FI".into();
    assert_eq!(dose(&onward).0, Dose::Leaked(edge("reviews", "ratings")));
}

#[test]
fn a_fault_that_outlives_its_end_leaks() {
    let scene = |late: u64| {
        let mut scene = Scene::new(faulty(plan(), touch(Level::Tries, 100, Which::Service, ABORT), span(0, 100)));
        scene.stood(0);
        scene.happened(Act::End(FaultId(0)), 100, 102);
        scene.calls(0, 1, 90, |_| [Hop::Aborted(1, 503)]);
        scene.call(late, &[Hop::Aborted(1, 503)]);
        scene
    };
    assert_eq!(dose(&scene(102)).0, Dose::Confirmed);
    assert_eq!(dose(&scene(110)).0, Dose::Leaked(edge("web", "reviews")));
}

/// Half of the tries are to be delayed and half aborted, each for itself and in either order of writing; so many of each
/// hundred end so.
fn both(hop: impl Fn(u64) -> Hop) -> Vec<(Dose, u64, u64)> {
    let counts = |order: [Touch; 2]| {
        let plan = order
            .into_iter()
            .fold(plan(), |plan, what| faulty(plan, touch(Level::Tries, 50, Which::Service, what), When::Standing));
        let mut scene = Scene::new(plan);
        scene.stood(0);
        scene.stood(1);
        scene.calls(0, 1, 400, |n| [hop(n % 100)]);
        doses(&scene.plan, &scene.evidence()).into_iter().map(|d| (d.dose, d.touched, d.of)).collect::<Vec<_>>()
    };
    let delay_first = counts([DELAY, ABORT]);
    let mut abort_first = counts([ABORT, DELAY]);
    abort_first.reverse();
    assert_eq!(delay_first, abort_first, "a proxy holds before it aborts, whatever was written first");
    delay_first
}

#[test]
fn two_faults_at_one_place_are_told_apart() {
    let drawn_apart = both(|n| match n % 4 {
        0 => Hop::Held(1, 50, 503),
        1 => Hop::Delayed(1, 50),
        2 => Hop::Aborted(1, 503),
        _ => Hop::Ok(1),
    });
    assert_eq!(drawn_apart, [(Dose::Confirmed, 200, 400), (Dose::Confirmed, 200, 400)]);
}

#[test]
fn what_was_aborted_and_never_delayed_was_spared_by_the_delay() {
    // A third is delayed, half of that aborted after it. Without the aborted ones a third would look like half.
    let weak = both(|n| match n {
        0..17 => Hop::Held(1, 50, 503),
        17..34 => Hop::Delayed(1, 50),
        34..67 => Hop::Aborted(1, 503),
        _ => Hop::Ok(1),
    });
    assert_eq!(weak, [(Dose::Weaker, 136, 400), (Dose::Confirmed, 200, 400)]);
}

#[test]
fn who_gave_up_during_the_delay_was_never_drawn_for_the_abort() {
    let given_up = |after: u64| {
        both(|n| match n % 4 {
            0 | 1 => Hop::GivenUp(1, after),
            2 => Hop::Aborted(1, 503),
            _ => Hop::Ok(1),
        })
    };
    assert_eq!(given_up(20), [(Dose::Confirmed, 200, 400), (Dose::Confirmed, 100, 200)]);
    assert_eq!(given_up(60)[1], (Dose::Weaker, 100, 400), "when the delay was over it was");
}

/// Every try is held 50 ms all the time, and is to be aborted after it from 100 to 300 ms.
fn aborted_after_a_delay() -> Scene {
    let plan = faulty(plan(), touch(Level::Tries, 100, Which::Service, DELAY), When::Standing);
    let mut scene = Scene::new(faulty(plan, touch(Level::Tries, 100, Which::Service, ABORT), span(100, 300)));
    scene.stood(0);
    scene.happened(Act::Arm(FaultId(1)), 100, 102);
    scene.happened(Act::End(FaultId(1)), 300, 302);
    scene
        .calls(0, 5, 60, |n| [if (50..=250).contains(&(5 * n)) { Hop::Held(1, 50, 503) } else { Hop::Delayed(1, 50) }]);
    scene
}

#[test]
fn an_abort_after_a_delay_is_drawn_when_the_delay_is_over() {
    let abort = |scene: &Scene| doses(&scene.plan, &scene.evidence()).remove(1);
    let found = abort(&aborted_after_a_delay());
    // Those that began after 102 ms, and whose delay was over 75 ms before 300: a proxy may have been late by so much.
    assert_eq!((found.dose, found.touched, found.of), (Dose::Confirmed, 14, 14));
    let mut early = aborted_after_a_delay();
    early.call(40, &[Hop::Held(1, 50, 503)]);
    assert!(matches!(abort(&early).dose, Dose::Leaked(_)), "its delay was over before the abort began");
    let mut spared = aborted_after_a_delay();
    spared.call(150, &[Hop::Delayed(1, 50)]);
    assert_eq!(abort(&spared).dose, Dose::Weaker);
}

#[test]
fn faults_of_a_kind_that_lie_over_each_other_are_counted_together() {
    let two = faulty(plan(), touch(Level::Tries, 50, Which::Service, ABORT), When::Standing);
    let two = faulty(two, touch(Level::Tries, 50, Which::Service, ABORT), When::Standing);
    let counted = |touched: u64| {
        let mut scene = Scene::new(two.clone());
        scene.stood(0);
        scene.stood(1);
        scene.calls(0, 1, 400, |n| if n < touched { [Hop::Aborted(1, 503)] } else { [Hop::Ok(1)] });
        doses(&scene.plan, &scene.evidence()).into_iter().map(|d| d.dose).collect::<Vec<_>>()
    };
    assert_eq!(counted(300), [Dose::Confirmed, Dose::Confirmed]);
    assert_eq!(counted(200), [Dose::Weaker, Dose::Weaker]);
}

#[test]
fn a_filter_narrows_what_could_have_been_touched() {
    let mut plan = faulty(plan(), touch(Level::Tries, 100, Which::Service, ABORT), When::Standing);
    let FaultKind::Touch { on, .. } = &mut plan.faults[0].does else { panic!("a touch") };
    on.of.filter.header = Some(("x-canary".into(), "yes".into()));
    let mut with = plan.timeline.stages[0].lines[0].clone();
    with.number = 1;
    with.with.header = Some(("x-canary".into(), "yes".into()));
    plan.timeline.stages[0].lines.push(with);
    let mut scene = Scene::new(plan);
    scene.stood(0);
    scene.calls(0, 1, 40, |n| if n % 2 == 0 { [Hop::Ok(1)] } else { [Hop::Aborted(1, 503)] });
    assert_eq!(dose(&scene).0, Dose::Leaked(edge("web", "reviews")), "all are calls of the line without the header");
    scene.seen.calls.iter_mut().filter(|c| c.seq % 2 == 1).for_each(|c| c.line = 1);
    assert_eq!(dose(&scene), (Dose::Confirmed, 20, 20));
}

proptest! {
    #[test]
    fn the_order_of_records_does_not_change_a_dose(touched in 0u64..100, turn in 0usize..100) {
        let scene = aborted(30, 100, touched);
        let mut seen = scene.observed();
        let turn = turn % seen.access.len();
        seen.access.rotate_left(turn);
        seen.calls.reverse();
        let stirred = doses(&scene.plan, &join(&scene.plan, seen));
        prop_assert_eq!(stirred, doses(&scene.plan, &scene.evidence()));
    }

    #[test]
    fn a_stranger_with_a_fault_flag_is_always_a_leak(at_call in 0u64..50) {
        let mut scene = aborted(30, 50, 15);
        let id = format!("{PREFIX}{at_call}");
        let line = scene.seen.access.iter_mut().find(|l| l.id == id && l.side == Side::Outbound).unwrap();
        line.flags = "DI,FI".into();
        prop_assert_eq!(dose(&scene).0, Dose::Leaked(edge("web", "reviews")));
    }
}
