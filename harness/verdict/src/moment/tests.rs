use crate::{
    Settings, decided,
    testing::{BORDER, EMPTY, UNDECIDED, finding, verdict},
    violated_already,
};
use squall_evidence::{
    Process,
    testing::{Hop, Scene, at, claiming, faulty, plan, reviews, span, target, web},
};
use squall_model::{
    Act, AnswerCode, Calls, ClaimKind, Condition, CounterRecord, Down, FaultId, FaultKind, Happening, Measured,
    Members, MomentRef, Part, Side, State, Target, Verdict, Which, Why,
};
use std::time::Duration;

fn claim(what: Happening, within: u64, of: MomentRef) -> ClaimKind {
    ClaimKind::Moment { what, within: Duration::from_millis(within), of }
}

fn recover(within: u64) -> ClaimKind {
    claim(Happening::Recover(Calls::default()), within, MomentRef::FaultEnd)
}

fn instance(number: u32) -> Target {
    target(Which::Instance(number))
}

/// Instance 1 is killed at 200 ms and comes back at 400 ms, confirmed at 404; a call every 2 ms for a second.
fn killing(hops: impl Fn(u64) -> Hop) -> Scene {
    let killed = FaultKind::Down { how: Down::Killed, part: Part::Instance, of: Members::Of(instance(1)) };
    let mut scene = Scene::new(faulty(plan(), killed, span(200, 400)));
    scene.happened(Act::Arm(FaultId(0)), 200, 202);
    scene.happened(Act::End(FaultId(0)), 400, 404);
    scene.killed(reviews(1), Process::Proxy, 200);
    scene.killed(reviews(1), Process::Workload, 200);
    scene.calls(0, 2, 500, |n| [hops(2 * n)]);
    scene
}

/// Calls fail from the kill until so many milliseconds after the origin.
fn failing_until(ms: u64) -> Scene {
    killing(|now| if (200..=ms).contains(&now) { Hop::Refused(2) } else { Hop::Ok(2) })
}

#[test]
fn calls_that_go_on_failing_have_not_recovered() {
    let scene = failing_until(500);
    assert_eq!(verdict(&scene, recover(101)), Verdict::Holds);
    // Ten calls in a row fail after 480 ms, where none of a hundred did.
    assert_eq!(verdict(&scene, recover(80)), Verdict::Violated);
    // Five are less than α asks for, and more than β allows.
    assert_eq!(verdict(&scene, recover(90)), UNDECIDED);
    let found = finding(&scene, recover(200));
    assert_eq!(found.measured, Measured::Time(Some((96_000_000, 100_000_000))));
    let found = finding(&scene, recover(50));
    assert_eq!(found.exemplars.len(), 5);
    assert!(found.exemplars.iter().all(|e| e.at > 450_000_000 && e.outcome == "refused"));
    // Too late from when the end was asked for, in time from when it was confirmed: nobody knows.
    let mut wide = scene;
    wide.seen.effects.pop();
    wide.happened(Act::End(FaultId(0)), 400, 440);
    assert_eq!(verdict(&wide, recover(70)), BORDER);
}

#[test]
fn what_still_fails_at_the_end_never_recovered() {
    let found = |until| finding(&failing_until(until), recover(50));
    assert_eq!((found(998).verdict, found(998).measured), (Verdict::Violated, Measured::Time(None)));
    assert_eq!(found(960).measured, Measured::Time(None), "ten good calls are no slot");
    assert_eq!(found(896).measured, Measured::Time(Some((492_000_000, 496_000_000))));
}

#[test]
fn who_gets_worse_again_has_not_recovered() {
    let burst = |fails: u64| {
        killing(move |now| if (800..800 + 2 * fails).contains(&now) { Hop::Refused(2) } else { Hop::Ok(2) })
    };
    assert_eq!(verdict(&burst(30), recover(100)), Verdict::Violated);
    assert_eq!(verdict(&burst(12), recover(100)), UNDECIDED);
    // Chance makes one of 250 fail, where none of a hundred did.
    assert_eq!(verdict(&burst(1), recover(100)), Verdict::Holds);
}

#[test]
fn fewer_calls_before_never_make_it_hold() {
    let burst = |from: u64, to: u64| {
        let killed = FaultKind::Down { how: Down::Killed, part: Part::Instance, of: Members::Of(instance(1)) };
        let mut scene = Scene::new(faulty(plan(), killed, span(from, to)));
        scene.happened(Act::Arm(FaultId(0)), from, from + 2);
        scene.happened(Act::End(FaultId(0)), to, to + 4);
        scene.killed(reviews(1), Process::Proxy, from);
        scene.killed(reviews(1), Process::Workload, from);
        scene.calls(0, 2, 500, |n| [if (800..816).contains(&(2 * n)) { Hop::Refused(2) } else { Hop::Ok(2) }]);
        verdict(&scene, recover(100))
    };
    for before in [20, 100, 160, 200] {
        assert_eq!(burst(before, before + 200), UNDECIDED, "{} calls", before / 2);
    }
}

#[test]
fn recovery_is_shown_by_sixty_six_calls_without_a_failure() {
    let scene = failing_until(300);
    assert_eq!(verdict(&scene, recover(462)), Verdict::Holds);
    assert_eq!(verdict(&scene, recover(464)), UNDECIDED);
    assert_eq!(verdict(&scene, recover(10_000)), UNDECIDED);
}

/// A call every 2 ms for eight seconds: of each hundred so many fail before the kill at 3 s, and so many after it is over at 4 s.
fn failing(before: u64, after: u64) -> Scene {
    let killed = FaultKind::Down { how: Down::Killed, part: Part::Instance, of: Members::Of(instance(1)) };
    let mut scene = Scene::new(faulty(plan(), killed, span(3_000, 4_000)));
    scene.happened(Act::Arm(FaultId(0)), 3_000, 3_002);
    scene.happened(Act::End(FaultId(0)), 4_000, 4_002);
    scene.killed(reviews(1), Process::Proxy, 3_000);
    scene.killed(reviews(1), Process::Workload, 3_000);
    scene.calls(0, 2, 4_000, |n| {
        // Spread over each hundred.
        let bad = n * 37 % 100 < if n < 1_500 { before } else { after };
        [if bad { Hop::Status(2, 500) } else { Hop::Ok(2) }]
    });
    scene
}

#[test]
fn what_failed_before_may_fail_again_by_ten_points_more() {
    assert_eq!(verdict(&failing(10, 10), recover(100)), Verdict::Holds);
    // A few points more are not excluded, and no *worse* at α: that they are within the margin has to be shown.
    assert_eq!(verdict(&failing(10, 16), recover(100)), UNDECIDED);
    assert_eq!(verdict(&failing(10, 30), recover(100)), Verdict::Violated);
    assert_eq!(
        verdict(&failing(0, 16), recover(100)),
        Verdict::Violated,
        "after a flawless phase chance is spent as well"
    );
    assert_eq!(verdict(&failing(0, 1), recover(100)), Verdict::Holds);
}

#[test]
fn who_failed_all_along_has_nothing_to_come_back_to() {
    assert_eq!(verdict(&failing(40, 40), recover(100)), Verdict::Holds);
    let all = verdict(&failing(100, 100), recover(100));
    assert!(matches!(all, Verdict::Inconclusive(Why::Failing { failed, of }) if failed == of), "{all:?}");
    assert_eq!(verdict(&failing(60, 100), recover(100)), Verdict::Violated);
}

#[test]
fn recovery_needs_a_phase_before_and_a_moment() {
    let mut standing = failing_until(500);
    standing.seen.effects[0].effect.asked = at(0);
    assert_eq!(verdict(&standing, recover(300)), EMPTY);
    let never = claim(Happening::Recover(Calls::default()), 100, MomentRef::Change);
    assert_eq!(verdict(&failing_until(500), never), EMPTY);
}

#[test]
fn calls_that_the_kill_caught_in_flight_are_no_flaw_of_the_phase_before() {
    let scene = killing(|now| {
        if now == 198 {
            Hop::Broken(1)
        } else if now < 300 {
            Hop::Ok(1)
        } else {
            Hop::Ok(2)
        }
    });
    assert_eq!(verdict(&scene, recover(100)), Verdict::Holds);
    // Were it counted, it would be all of the phase before, and nothing could be worse.
    let mut alone = scene;
    alone.seen.calls.retain(|call| call.intended >= at(198));
    assert_eq!(verdict(&alone, recover(100)), EMPTY);
}

fn gets_traffic(within: u64) -> ClaimKind {
    claim(Happening::GetsTraffic(instance(1)), within, MomentRef::FaultEnd)
}

/// From so many milliseconds after the origin instance 1 gets every other try.
fn back_at(ms: u64) -> Scene {
    killing(move |now| if now >= ms && now % 4 == 0 { Hop::Ok(1) } else { Hop::Ok(2) })
}

#[test]
fn every_instance_gets_traffic_only_if_each_does() {
    let all = || claim(Happening::GetsTraffic(target(Which::Every)), 500, MomentRef::FaultEnd);
    assert_eq!(verdict(&back_at(10_000), all()), Verdict::Violated, "instance 2 alone does");
    let both = killing(|now| if now >= 500 && now % 4 == 0 { Hop::Ok(1) } else { Hop::Ok(2) });
    let two = claim(Happening::GetsTraffic(target(Which::First(2))), 500, MomentRef::FaultEnd);
    assert_eq!(verdict(&both, two), Verdict::Holds);
}

#[test]
fn what_was_sent_before_the_moment_is_no_traffic_after_it() {
    let paused = FaultKind::Down { how: Down::Paused, part: Part::Instance, of: Members::Of(instance(1)) };
    let mut scene = Scene::new(faulty(plan(), paused, span(200, 400)));
    scene.happened(Act::Arm(FaultId(0)), 200, 202);
    scene.happened(Act::End(FaultId(0)), 400, 404);
    scene.calls(0, 2, 500, |n| [if n == 175 { Hop::TimedOut(1, 20) } else { Hop::Ok(2) }]);
    for line in scene.seen.access.iter_mut().filter(|l| l.side == Side::Inbound && l.status == 0) {
        (line.began, line.took) = (at(405), 0);
    }
    scene.seen.ledger.retain(|(_, l)| l.status != 0);
    assert_eq!(verdict(&scene, gets_traffic(500)), Verdict::Violated);
}

#[test]
fn traffic_comes_in_time_or_too_late() {
    assert_eq!(verdict(&back_at(500), gets_traffic(110)), Verdict::Holds);
    assert_eq!(verdict(&back_at(500), gets_traffic(90)), Verdict::Violated);
    // In time if it counts from the end that was confirmed, too late if from when it was asked for.
    assert_eq!(verdict(&back_at(500), gets_traffic(98)), BORDER);
    let Measured::Time(Some((low, high))) = finding(&back_at(500), gets_traffic(110)).measured else {
        panic!("a time")
    };
    assert!(low > 96_000_000 && high < 101_000_000 && high - low == 4_000_000, "{low} {high}");
}

#[test]
fn traffic_that_never_comes_is_too_late_only_if_somebody_waited() {
    let never = back_at(10_000);
    let found = finding(&never, gets_traffic(500));
    assert_eq!((found.verdict, found.measured), (Verdict::Violated, Measured::Time(None)));
    assert_eq!(found.exemplars.len(), 5, "calls that went elsewhere");
    assert_eq!(verdict(&never, gets_traffic(900)), UNDECIDED);
    let mut silent = never;
    silent.seen.calls.retain(|c| c.intended < at(300));
    assert_eq!(verdict(&silent, gets_traffic(500)), EMPTY, "nobody called after the moment");
}

fn ejected(within: u64, of: MomentRef) -> ClaimKind {
    claim(Happening::Becomes(State { is: Condition::Ejected, of: instance(2) }), within, of)
}

/// In turn over three instances, 2 ms apart; instance 2 fails from 200 ms on, and gets nothing from `out` ms on.
fn ejecting(out: u64) -> Scene {
    let fails = FaultKind::Answers { of: instance(2), how: squall_model::Answers::With(AnswerCode::Status(500)) };
    let mut scene = Scene::new(faulty(plan(), fails, span(200, 900)));
    scene.happened(Act::Arm(FaultId(0)), 200, 201);
    scene.happened(Act::End(FaultId(0)), 900, 901);
    scene.calls(0, 2, 500, |n| {
        let now = 2 * n;
        [match n % 3 {
            0 => Hop::Ok(1),
            1 if now >= out => Hop::Ok(1),
            1 if (201..900).contains(&now) => Hop::Status(2, 500),
            1 => Hop::Ok(2),
            _ => Hop::Ok(3),
        }]
    });
    scene
}

/// With the counter of the caller's outlier detection.
fn counted(mut scene: Scene) -> Scene {
    let mut counters = scene.observed().counters;
    let name = "cluster.out.reviews.outlier_detection.ejections_enforced_total";
    counters.iter_mut().filter(|c| c.proxy == web()).for_each(|c: &mut CounterRecord| {
        c.rises.insert(name.into(), 1);
    });
    scene.seen.counters = counters;
    scene
}

#[test]
fn ejection_is_inferred_from_tries_that_stay_away() {
    // Failures at 206, 212, 218, 224, 230 ms; the last try at 230 ms.
    let scene = counted(ejecting(232));
    let fifth = MomentRef::Failure(5);
    assert_eq!(verdict(&scene, ejected(10, fifth)), Verdict::Holds);
    assert_eq!(verdict(&counted(ejecting(500)), ejected(300, fifth)), Verdict::Holds);
    assert_eq!(verdict(&counted(ejecting(500)), ejected(100, fifth)), Verdict::Violated);
    assert_eq!(verdict(&counted(ejecting(10_000)), ejected(300, fifth)), Verdict::Violated, "it never was");
    assert_eq!(verdict(&counted(ejecting(500)), ejected(400, MomentRef::FaultStart)), Verdict::Holds);
}

#[test]
fn staying_away_is_no_ejection_without_outlier_detection() {
    assert_eq!(verdict(&ejecting(232), ejected(10, MomentRef::Failure(5))), Verdict::Violated);
}

#[test]
fn an_ejection_counts_from_a_failure_that_happened() {
    assert_eq!(verdict(&counted(ejecting(232)), ejected(10, MomentRef::Failure(50))), EMPTY);
    assert_eq!(verdict(&counted(ejecting(232)), ejected(10, MomentRef::Failure(0))), EMPTY);
}

#[test]
fn under_way_a_late_event_is_final_and_a_recovery_is_not() {
    let state = |mut scene: Scene, kind: ClaimKind| {
        scene.plan = claiming(scene.plan, kind);
        scene.seen.quiet = false;
        let (evidence, settings) = (scene.evidence(), Settings::default());
        (decided(&scene.plan, &evidence, &settings), violated_already(&scene.plan, &evidence, &settings))
    };
    assert_eq!(state(back_at(500), gets_traffic(110)), (true, false));
    assert_eq!(state(back_at(10_000), gets_traffic(500)), (true, true));
    assert_eq!(state(back_at(10_000), gets_traffic(900)), (false, false));
    assert_eq!(state(failing_until(500), recover(50)), (true, true));
    assert_eq!(state(failing_until(500), recover(200)), (false, false), "it may get worse again");
    let mut before_the_end = back_at(500);
    before_the_end.seen.effects.pop();
    assert_eq!(state(before_the_end, gets_traffic(110)), (false, false));
}
