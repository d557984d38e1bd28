use super::*;
use crate::{
    Settings, decided,
    testing::{BORDER, EMPTY, finding, verdict},
    violated_already,
};
use proptest::prelude::*;
use squall_evidence::testing::{Hop, Scene, blocked, claiming, faulty, plan, span, touch};
use squall_model::{Act, AnswerCode, ClaimKind, FaultId, Fraction, Level, Touch, Which, Why};

const ABORT: Touch = Touch::Abort(AnswerCode::Status(503));

fn as_good_as(reference: Reference, percent: u32) -> ClaimKind {
    let margin = Margin { points: Some(Fraction::percent(percent)), later: None };
    ClaimKind::Paired { calls: Calls::default(), reference, margin }
}

fn without(percent: u32) -> ClaimKind {
    as_good_as(Reference::WithoutFault, percent)
}

/// Is the fault on at this millisecond? Each switch takes 10 ms.
fn on(ms: u64) -> Option<bool> {
    let switching = [250, 750, 1250, 1750].into_iter().any(|from| (from..=from + 10).contains(&ms));
    (!switching).then_some((250..750).contains(&ms) || (1250..1750).contains(&ms))
}

/// Two seconds in blocks, a call every 2 ms. Those with the fault end so by their number, the others well.
fn scene(hop: impl Fn(u64) -> Hop) -> Scene {
    scene_of(1000, |n| if on(2 * n) == Some(true) { hop(n) } else { Hop::Ok(1) })
}

fn scene_of(calls: u64, hop: impl Fn(u64) -> Hop) -> Scene {
    let mut scene = Scene::new(blocked(plan(), touch(Level::Tries, 100, Which::Service, ABORT)));
    scene.switched(10);
    scene.calls(0, 2, calls, |n| [hop(n)]);
    // The dose has tests of its own: this fault touches whom it is told to.
    scene.plan.faults.clear();
    scene
}

fn one_in(of: u64) -> impl Fn(u64) -> Hop {
    move |n| if n % of == 7 % of { Hop::Status(1, 503) } else { Hop::Ok(1) }
}

fn numbers(found: &squall_model::Finding) -> (Compared, u64, u64, u64) {
    let Measured::Pairs { half, n, treated, baseline, .. } = found.measured else { panic!("{found:?}") };
    (half, n, treated, baseline)
}

#[test]
fn calls_that_fare_the_same_are_as_good() {
    let found = finding(&scene(|_| Hop::Ok(1)), without(5));
    assert_eq!(found.verdict, Verdict::Holds);
    let (_, n, treated, baseline) = numbers(&found);
    assert_eq!((n, treated, baseline), (169, 0, 0), "as many pairs as a margin of 5 points takes without a failure");
    assert!(found.exemplars.is_empty());
}

#[test]
fn what_little_traffic_cannot_show_is_not_green() {
    let found = finding(&scene(|_| Hop::Ok(1)), without(1));
    let Verdict::Inconclusive(Why::Undecided { needed: Some(needed) }) = found.verdict else { panic!("{found:?}") };
    // 859 pairs without a failure, and the pilot.
    assert_eq!(needed, 2 * 859 + 125 + 119);
}

#[test]
fn failures_are_worse() {
    let found = finding(&scene(one_in(2)), without(5));
    assert_eq!(found.verdict, Verdict::Violated);
    let (half, n, treated, baseline) = numbers(&found);
    assert_eq!((half, baseline), (Compared::Success, 0));
    assert!(n < 100 && treated * 2 >= n - 1, "{treated} of {n}");
    let Measured::Pairs { low, alpha, .. } = found.measured else { panic!() };
    assert!(low > 0.05 && (alpha - 5e-8).abs() < 1e-15, "{low} {alpha}");
    assert_eq!(found.exemplars.len(), 5);
    assert!(found.exemplars.iter().all(|call| call.outcome == "answered"), "{:?}", found.exemplars);
}

#[test]
fn slowness_is_worse_by_itself() {
    let slow = || scene(|n| if n % 2 == 0 { Hop::Slow(1, 30) } else { Hop::Ok(1) });
    let found = finding(&slow(), without(5));
    assert_eq!(found.verdict, Verdict::Violated);
    let (half, _, treated, baseline) = numbers(&found);
    // 5.2 ms and the larger of a quarter of it and 5 ms.
    assert_eq!(half, Compared::Latency { treated: 10_200_000, baseline: 5_200_000 });
    assert!(treated > 0 && baseline == 0);
    let said = |ms| {
        let margin = Margin { points: Some(Fraction::percent(5)), later: Some(Duration::from_millis(ms)) };
        ClaimKind::Paired { calls: Calls::default(), reference: Reference::WithoutFault, margin }
    };
    assert_eq!(verdict(&slow(), said(10)), Verdict::Violated);
    assert_eq!(verdict(&slow(), said(30)), Verdict::Holds);
}

#[test]
fn what_the_machine_held_up_is_neither_slow_nor_quick() {
    let mut scene = scene(|_| Hop::Ok(1));
    // Every other call of the blocks that are compared.
    let late = |call: &&mut squall_model::CallRecord| {
        call.seq >= 250 && on(2 * call.seq) == Some(true) && call.seq.is_multiple_of(2)
    };
    let held = scene.seen.calls.iter_mut().filter(late).map(|call| call.done = call.done + Duration::from_millis(30));
    let count = held.count() as u64;
    let found = finding(&scene, without(5));
    let Verdict::Inconclusive(Why::HeldUp { calls, .. }) = found.verdict else { panic!("{found:?}") };
    assert_eq!(calls, count);
}

#[test]
fn as_bad_without_the_fault_is_as_good_with_it() {
    let scene = scene_of(1000, one_in(10));
    let found = finding(&scene, without(15));
    assert_eq!(found.verdict, Verdict::Holds, "{found:?}");
    // More than one in twenty of the pilot failed: nobody is slower than for ever, and who fails is bad in both halves.
    assert_eq!(
        verdict(
            &scene_of(1000, |n| if on(2 * n) == Some(true) { Hop::Status(1, 503) } else { one_in(10)(n) }),
            without(15)
        ),
        Verdict::Violated
    );
}

#[test]
fn the_pilot_counts_for_neither() {
    let first = |n: u64| if n < 250 { Hop::Status(1, 503) } else { Hop::Ok(1) };
    assert_eq!(
        verdict(&scene(first), without(5)),
        Verdict::Holds,
        "whoever is found out in the first block of the fault"
    );
    let later = |n: u64| if n >= 250 { Hop::Status(1, 503) } else { Hop::Ok(1) };
    assert_eq!(verdict(&scene(later), without(5)), Verdict::Violated);
    let little = Scene::new(scene(|_| Hop::Ok(1)).plan);
    assert_eq!(verdict(&little, without(5)), EMPTY);
}

#[test]
fn calls_of_a_switch_belong_to_neither() {
    let switching = |n: u64| if on(2 * n).is_none() { Hop::Status(1, 503) } else { Hop::Ok(1) };
    let found = finding(&scene_of(1000, switching), without(5));
    assert_eq!(found.verdict, Verdict::Holds);
    assert_eq!(numbers(&found).2, 0);
}

#[test]
fn a_difference_that_no_fault_made_is_no_harm_of_it() {
    let dosed = |percent: u32, worse: fn(u64) -> Hop| {
        let mut scene = scene(worse);
        let does = touch(Level::Tries, percent, Which::Service, ABORT);
        scene.plan = blocked(plan(), does);
        verdict(&scene, without(5))
    };
    assert_eq!(dosed(100, |_| Hop::Aborted(1, 503)), Verdict::Violated);
    let weaker = dosed(100, |n| if n % 2 == 0 { Hop::Aborted(1, 503) } else { Hop::Ok(1) });
    assert_eq!(weaker, Verdict::Violated, "broken by less than the fault");
    // A fault beside it that met nobody is no reason to doubt the one that did.
    let mut beside = scene(|_| Hop::Aborted(1, 503));
    beside.plan = blocked(plan(), touch(Level::Tries, 100, Which::Service, ABORT));
    beside.plan = faulty(beside.plan, touch(Level::Tries, 100, Which::Instance(3), ABORT), span(300, 400));
    assert_eq!(verdict(&beside, without(5)), Verdict::Violated);
    let absent = dosed(100, |n| one_in(2)(n));
    assert!(matches!(absent, Verdict::Inconclusive(Why::Dose { dose: squall_model::Dose::Absent, .. })), "{absent:?}");
}

#[test]
fn too_small_a_pilot_leaves_latency_open() {
    let mut scene = Scene::new(blocked(plan(), touch(Level::Tries, 100, Which::Service, ABORT)));
    scene.switched(10);
    scene.plan.faults.clear();
    scene.calls(0, 20, 100, |_| [Hop::Ok(1)]);
    let found = finding(&scene, without(60));
    assert!(matches!(found.verdict, Verdict::Inconclusive(Why::Undecided { .. })), "{found:?}");
}

/// A call every millisecond for a second and a half; a fault from 500 ms to 1 s.
fn before_and_during(hop: impl Fn(u64) -> Hop) -> Scene {
    let mut scene = Scene::new(faulty(plan(), touch(Level::Tries, 100, Which::Service, ABORT), span(500, 1000)));
    scene.happened(Act::Arm(FaultId(0)), 500, 510);
    scene.happened(Act::End(FaultId(0)), 1000, 1010);
    scene.calls(0, 1, 1500, |n| [hop(n)]);
    scene.plan.faults.clear();
    scene.plan.timeline.stages[0].blocks = None;
    scene
}

#[test]
fn as_good_as_before_the_fault() {
    let claim = || as_good_as(Reference::BeforeFault, 5);
    assert_eq!(verdict(&before_and_during(|_| Hop::Ok(1)), claim()), Verdict::Holds);
    let during = |n: u64| if (510..1000).contains(&n) { one_in(2)(n) } else { Hop::Ok(1) };
    assert_eq!(verdict(&before_and_during(during), claim()), Verdict::Violated);
    let after = |n: u64| if n > 1010 { Hop::Status(1, 503) } else { Hop::Ok(1) };
    assert_eq!(verdict(&before_and_during(after), claim()), Verdict::Holds, "what comes after it is not compared");
    let always = |n: u64| if n < 1000 { one_in(4)(n) } else { Hop::Ok(1) };
    assert!(matches!(verdict(&before_and_during(always), claim()), Verdict::Inconclusive(_)), "as bad, and too noisy");
    let nothing = Scene::new(before_and_during(|_| Hop::Ok(1)).plan);
    assert_eq!(verdict(&nothing, claim()), EMPTY);
}

#[test]
fn a_verdict_does_not_hang_on_calls_that_cross_into_the_fault() {
    // Slow ones of both kinds, those before the fault still in flight when it begins: with them it is better, without worse.
    let slow = |n: u64| match n {
        100..500 if n.is_multiple_of(2) => Hop::Slow(1, 500),
        510..1000 if n.is_multiple_of(4) => Hop::Slow(1, 20),
        _ => Hop::Ok(1),
    };
    let claim = || as_good_as(Reference::BeforeFault, 5);
    assert_eq!(verdict(&before_and_during(slow), claim()), BORDER);
    let only_during = |n: u64| if n < 510 { Hop::Ok(1) } else { slow(n) };
    assert_eq!(verdict(&before_and_during(only_during), claim()), Verdict::Violated);
}

#[test]
fn what_others_leave_behind_by_themselves_is_no_measure() {
    // A machine that gets busy after the pilot: all are slower by then, and one in three much slower with the fault.
    let busier = |share: u64, worse: Hop| {
        scene_of(1000, move |n| match n {
            0..125 => Hop::Ok(1),
            _ if on(2 * n) == Some(true) && n.is_multiple_of(3) => worse,
            _ if n % 20 < share => Hop::Slow(1, 8),
            _ => Hop::Ok(1),
        })
    };
    let drifted = verdict(&busier(20, Hop::Slow(1, 60)), without(5));
    let Verdict::Inconclusive(Why::Drifted { first, others }) = drifted else { panic!("{drifted:?}") };
    assert!(first < 6_000_000 && others > 7_000_000, "{first} and {others}");
    let little = verdict(&busier(2, Hop::Slow(1, 60)), without(5));
    assert_eq!(little, Verdict::Violated, "a tenth of the others is no drift");
    assert_eq!(
        verdict(&busier(20, Hop::Status(1, 503)), without(5)),
        Verdict::Violated,
        "failures are failures whatever took how long"
    );
}

#[test]
fn a_quiet_moment_at_first_is_no_measure_of_the_time_before() {
    // The machine is busy from the fiftieth call on, and in one in three the fault adds more than that.
    let scene = before_and_during(|n| match n {
        0..50 => Hop::Ok(1),
        510..1000 if n.is_multiple_of(3) => Hop::Slow(1, 60),
        _ => Hop::Slow(1, 8),
    });
    let found = finding(&scene, as_good_as(Reference::BeforeFault, 5));
    assert_eq!(found.verdict, Verdict::Violated, "{found:?}");
    let Compared::Latency { baseline, .. } = numbers(&found).0 else { panic!("{found:?}") };
    assert!(baseline > 7_000_000, "{baseline}");
}

#[test]
fn slowness_shows_beside_failures_of_both_kinds() {
    let beside = |ms| {
        move |n| match one_in(10)(n) {
            Hop::Ok(i) if on(2 * n) == Some(true) && ms > 0 => Hop::Slow(i, ms),
            other => other,
        }
    };
    assert_eq!(verdict(&scene_of(1000, beside(60)), without(15)), Verdict::Violated);
    assert_eq!(verdict(&scene_of(1000, beside(0)), without(15)), Verdict::Holds);
}

#[test]
fn a_pilot_that_was_cold_hides_no_slowness() {
    let cold = |with: Hop| {
        scene_of(1000, move |n| match n {
            0..10 => Hop::Slow(1, 100),
            _ if on(2 * n) == Some(true) => with,
            _ => Hop::Ok(1),
        })
    };
    let slower = verdict(&cold(Hop::Slow(1, 60)), without(5));
    assert!(matches!(slower, Verdict::Inconclusive(Why::Drifted { .. })), "{slower:?}");
    assert_eq!(verdict(&cold(Hop::Ok(1)), without(5)), Verdict::Holds);
    // Before a fault the first calls are few of the pilot.
    let cold = |with: Hop| {
        before_and_during(move |n| match n {
            0..10 => Hop::Slow(1, 100),
            510..1000 => with,
            _ => Hop::Ok(1),
        })
    };
    assert_eq!(verdict(&cold(Hop::Slow(1, 60)), as_good_as(Reference::BeforeFault, 5)), Verdict::Violated);
    assert_eq!(verdict(&cold(Hop::Ok(1)), as_good_as(Reference::BeforeFault, 5)), Verdict::Holds);
}

#[test]
fn what_fails_by_itself_is_no_measure() {
    let all = verdict(&scene_of(1000, |_| Hop::Status(1, 404)), without(5));
    assert_eq!(all, Verdict::Inconclusive(Why::Failing { failed: 125, of: 125 }));
}

#[test]
fn calls_that_are_read_too_late_are_compared_like_others() {
    // A proxy that stands still reads them when it goes on; their callers had given up long before.
    let mut scene =
        before_and_during(|n| if (510..1000).contains(&n) && n % 2 == 0 { Hop::TimedOut(1, 100) } else { Hop::Ok(1) });
    for line in scene.seen.access.iter_mut().filter(|l| l.side == squall_model::Side::Inbound && l.status == 0) {
        (line.began, line.took) = (squall_evidence::testing::at(1005), 0);
    }
    scene.seen.ledger.retain(|(_, l)| l.status != 0);
    assert_eq!(verdict(&scene, as_good_as(Reference::BeforeFault, 5)), Verdict::Violated);
}

#[test]
fn a_decision_comes_before_the_run_is_over_and_stays() {
    let under_way = |calls: u64, hop: fn(u64) -> Hop| {
        let mut scene = scene_of(calls, |n| if on(2 * n) == Some(true) { hop(n) } else { Hop::Ok(1) });
        scene.plan = claiming(scene.plan, without(5));
        scene.seen.quiet = false;
        let (evidence, settings) = (scene.evidence(), Settings::default());
        (decided(&scene.plan, &evidence, &settings), violated_already(&scene.plan, &evidence, &settings))
    };
    let good: fn(u64) -> Hop = |_| Hop::Ok(1);
    let bad: fn(u64) -> Hop = |n| one_in(2)(n);
    assert_eq!(under_way(300, good), (false, false), "the pilot is hardly over");
    assert_eq!(under_way(800, good), (true, false));
    assert_eq!(under_way(800, bad), (true, true));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Other calls with the fault that fail, and nothing else, never turn violated into holds.
    #[test]
    fn more_failures_with_the_fault_never_make_it_better(one in 2u64..40, more in 2u64..40) {
        let first = verdict(&scene(one_in(one)), without(5));
        let worse = verdict(&scene(|n| if n % more == 0 { Hop::Status(1, 503) } else { one_in(one)(n) }), without(5));
        if first == Verdict::Violated {
            prop_assert_eq!(&worse, &Verdict::Violated);
        }
        if worse == Verdict::Holds {
            prop_assert_eq!(first, Verdict::Holds);
        }
    }

    /// The numbers that are shown are those of the pairs, and their difference lies in what is said of the truth.
    #[test]
    fn what_is_shown_is_what_was_seen(one in 2u64..60, other in 2u64..60) {
        let scene = scene_of(1000, |n| match on(2 * n) { Some(true) => one_in(one)(n), _ => one_in(other)(n) });
        let found = finding(&scene, without(5));
        let Measured::Pairs { n, treated, baseline, low, high, .. } = found.measured else {
            return Err(TestCaseError::fail(format!("{found:?}")));
        };
        prop_assert!(treated <= n && baseline <= n);
        let difference = (treated as f64 - baseline as f64) / n as f64;
        prop_assert!(low <= difference + 1e-9 && difference <= high + 1e-9, "{} {} {}", low, difference, high);
        match found.verdict {
            Verdict::Holds => prop_assert!(high <= 0.05 + 1e-9),
            Verdict::Violated => prop_assert!(low >= 0.05 - 1e-9),
            _ => {}
        }
    }
}

/// Numbers from 0 to 1, the same each time (SplitMix64; Steele, Lea & Flood 2014).
struct Numbers(u64);

impl Numbers {
    fn draw(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Calls as good as allowed and not better: with the fault one in ten more fails, or all are so much slower that one in ten
/// more is slow. Both halves together err as seldom as the settings say, whatever the pilots came out as.
#[test]
fn halves_err_no_more_often_than_they_may() {
    let risk = Risk { alpha: 0.1 / 2.0, beta: 0.1 };
    let design = PairedDesign::new(0.1, risk).unwrap();
    let margin = Margin { points: None, later: Some(Duration::ZERO) };
    for (fails, slower) in [(0.1, 0), (0.0, 100)] {
        let mut numbers = Numbers(7);
        let (mut violated, mut holds, runs) = (0, 0, 300);
        for _ in 0..runs {
            let mut calls = |count: usize, arm| -> Vec<Call> {
                let call = |index| {
                    let treated = arm == Arm::Treated;
                    let took = (numbers.draw() * 1000.0) as u64 + if treated { slower } else { 0 };
                    Call::clear(index, Fate { failed: treated && numbers.draw() < fails, took })
                };
                (0..count).map(call).collect()
            };
            let pilot = calls(30, Arm::Baseline);
            let blocks = (0..8).map(|block| (Arm::in_turn(block), calls(40, Arm::in_turn(block)))).collect();
            let sides = Sides { pilot, blocks, left_out: 0 };
            let (success, latency) = Compare { design: &design, margin }.halves(&sides);
            match together(&success, latency.as_ref()) {
                Decision::Violated => violated += 1,
                Decision::Holds => holds += 1,
                Decision::Undecided | Decision::Contradicted => {}
            }
        }
        // Three deviations above what may be.
        let most = 0.1 * f64::from(runs) + 3.0 * (0.1 * 0.9 * f64::from(runs)).sqrt();
        assert!(f64::from(violated) <= most && f64::from(holds) <= most, "{violated} violated, {holds} hold of {runs}");
    }
}
