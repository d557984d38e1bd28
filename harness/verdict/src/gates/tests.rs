use crate::{
    Settings, judge,
    testing::{calls, every, finding, no, units, verdict},
};
use squall_evidence::{
    LifeEnd, Process,
    testing::{Hop, Scene, at, claiming, faulty, plan, reviews, target, touch},
};
use squall_model::{
    Act, AnswerCode, Answers, Bound, ClaimKind, Condition, Dose, Down, FaultId, FaultKind, Fraction, Happening, Level,
    Members, MomentRef, Outcome, Part, Phase, Quantity, ShareBound, State, Stick, Touch, Unit, Verdict, When, Which,
    Why,
};
use std::time::Duration;

const SUCCEED: Outcome = Outcome::Succeed(None);

fn whole() -> squall_model::Population {
    calls(Phase::Whole)
}

/// A third of the tries are to be aborted, of each hundred so many are; retried once if `retried`.
fn aborting(of_hundred: u64, retried: bool) -> Scene {
    let mut scene = Scene::new(faulty(
        plan(),
        touch(Level::Tries, 30, Which::Service, Touch::Abort(AnswerCode::Status(503))),
        When::Standing,
    ));
    scene.stood(0);
    scene.calls(0, 1, 600, |n| match n % 100 < of_hundred {
        true if retried => vec![Hop::Aborted(1, 503), Hop::Ok(1)],
        true => vec![Hop::Aborted(1, 503)],
        false => vec![Hop::Ok(1)],
    });
    scene
}

fn dosed(dose: Dose) -> Verdict {
    Verdict::Inconclusive(Why::Dose { fault: FaultId(0), dose, discord: None })
}

#[test]
fn a_fault_as_meant_lets_verdicts_pass() {
    assert_eq!(verdict(&aborting(30, false), every(whole(), SUCCEED)), Verdict::Violated);
    assert_eq!(verdict(&aborting(42, true), every(whole(), SUCCEED)), Verdict::Holds, "42 of 142 tries");
}

#[test]
fn green_needs_the_fault() {
    assert_eq!(verdict(&aborting(0, true), every(whole(), SUCCEED)), dosed(Dose::Absent));
    assert_eq!(verdict(&aborting(10, true), every(whole(), SUCCEED)), dosed(Dose::Weaker));
    assert_eq!(verdict(&aborting(90, true), every(whole(), SUCCEED)), dosed(Dose::Stronger));
}

#[test]
fn red_needs_a_fault_no_stronger_than_was_meant() {
    assert_eq!(verdict(&aborting(60, false), every(whole(), SUCCEED)), dosed(Dose::Stronger));
    let mut leaking = aborting(30, false);
    leaking.local(700, 503, "FI", "fault_filter_abort");
    let verdict = verdict(&leaking, every(whole(), SUCCEED));
    assert!(matches!(verdict, Verdict::Inconclusive(Why::Dose { dose: Dose::Leaked(_), .. })), "{verdict:?}");
}

#[test]
fn harm_done_by_less_than_the_fault_is_harm() {
    let mut weaker = aborting(10, false);
    // Instance 1 is ejected, found unhealthy, and both to the end; the only user is led to two instances.
    weaker.told(1, Condition::Ejected, true, 100);
    weaker.told(1, Condition::Unhealthy, true, 0);
    weaker.calls(600, 1, 6, |_| [Hop::Ok(2)]);
    weaker.seen.calls.iter_mut().for_each(|c| c.user = 1);
    let ejected = |n| State { is: Condition::Ejected, of: target(Which::Instance(n)) };
    let state = |is, ever| ClaimKind::State {
        what: State { is, of: target(Which::Instance(1)) },
        ever,
        phase: Phase::Clock { from: Duration::from_millis(10), to: None },
    };
    let at_least = |share, outcome| ClaimKind::Share {
        of: whole(),
        outcome,
        bound: ShareBound::AtLeast(Fraction::percent(share)),
    };
    let at_most =
        |share, outcome| ClaimKind::Share { of: whole(), outcome, bound: ShareBound::AtMost(Fraction::percent(share)) };
    let failing = |low: Option<u64>, high| ClaimKind::Total {
        quantity: Quantity::Count { of: whole(), outcome: Outcome::Fail },
        bound: Bound { low, high },
    };
    for harmless in [
        every(whole(), SUCCEED),
        no(whole(), Outcome::Fail),
        at_least(99, SUCCEED),
        at_most(1, Outcome::Fail),
        failing(None, Some(5_000)),
        state(Condition::Ejected, false),
        state(Condition::Unhealthy, false),
        state(Condition::Healthy, true),
        every(units(Unit::User, Which::Service), Outcome::ReachOnlyOne(Stick::Instance)),
    ] {
        assert_eq!(verdict(&weaker, harmless.clone()), Verdict::Violated, "{harmless:?}");
    }
    // These say that the fault is felt: it may be the fault that is missing.
    for felt in [
        every(whole(), Outcome::Fail),
        no(whole(), SUCCEED),
        at_least(25, Outcome::Fail),
        failing(Some(100_000), None),
        every(whole(), Outcome::Retried),
        state(Condition::Healthy, false),
        ClaimKind::Moment { what: Happening::Becomes(ejected(2)), within: Duration::ZERO, of: MomentRef::FaultStart },
        ClaimKind::Lasts { what: ejected(1), least: None, most: Some(Duration::ZERO) },
    ] {
        assert_eq!(verdict(&weaker, felt.clone()), dosed(Dose::Weaker), "{felt:?}");
    }
}

#[test]
fn harm_where_a_cure_was_missing_proves_nothing() {
    let answering = |how| {
        let plan = faulty(plan(), FaultKind::Answers { of: target(Which::Service), how }, When::Standing);
        let mut scene = Scene::new(plan);
        scene.stood(0);
        scene.calls(0, 1, 100, |_| [Hop::Status(1, 500)]);
        verdict(&scene, every(whole(), SUCCEED))
    };
    assert_eq!(answering(Answers::With(AnswerCode::Status(503))), Verdict::Violated, "less harm was too much");
    assert_eq!(answering(Answers::With(AnswerCode::Status(200))), dosed(Dose::Absent));
    assert_eq!(answering(Answers::AsBefore), dosed(Dose::Absent));
    let mut growing = Scene::new(faulty(
        plan(),
        FaultKind::Resized { service: "reviews".into(), to: 5 },
        When::At(Duration::from_millis(10)),
    ));
    growing.happened(Act::Arm(FaultId(0)), 10, 12);
    growing.calls(0, 1, 100, |_| [Hop::Status(1, 500)]);
    assert_eq!(verdict(&growing, every(whole(), SUCCEED)), dosed(Dose::Absent), "the new ones might have answered");
}

#[test]
fn a_control_run_without_the_fault_is_asked_for_none() {
    let mut scene = aborting(0, false);
    scene.plan = squall_model::vary(&scene.plan, squall_model::Variation::WithoutFaults);
    scene.seen.effects.clear();
    assert_eq!(verdict(&scene, every(whole(), Outcome::Fail)), Verdict::Violated);
    assert_eq!(verdict(&scene, every(whole(), SUCCEED)), Verdict::Holds);
}

#[test]
fn books_that_do_not_balance_prove_nothing() {
    let mut scene = aborting(30, false);
    scene.seen.ledger.pop();
    for claim in [every(whole(), SUCCEED), no(whole(), Outcome::TimeOut)] {
        let verdict = verdict(&scene, claim);
        let Verdict::Inconclusive(why @ Why::Books(_)) = verdict else { panic!("{verdict:?}") };
        assert_eq!(
            why.to_string(),
            "lost telemetry: 1 of 420 ledger lines of reviews-1 is missing (the counters of its proxy, the upstream log of the caller's proxy and \
             the access log of its proxy have it)"
        );
    }
    let mut open = aborting(30, false);
    open.seen.quiet = false;
    assert!(matches!(verdict(&open, every(whole(), SUCCEED)), Verdict::Inconclusive(Why::Books(_))));
}

#[test]
fn a_verdict_names_the_proxy_at_which_a_fault_was_short_and_where_it_leaked() {
    let mut partial = aborting(30, true);
    // 600 tries to another instance, of which none is aborted.
    partial.calls(600, 1, 600, |_| [Hop::Ok(2)]);
    let mut leaking = aborting(30, true);
    leaking.local(700, 503, "FI", "fault_filter_abort");
    let why = |scene| match verdict(scene, every(whole(), SUCCEED)) {
        Verdict::Inconclusive(why) => why.to_string(),
        other => panic!("{other:?}"),
    };
    insta::assert_snapshot!(format!("{}\n{}", why(&partial), why(&leaking)), @"
    fault partial: absent at reviews-2 (0 of 600), as meant at reviews-1 (180 of 780)
    fault leaked: it touched 1 on web → reviews at web-1
    ");
}

#[test]
fn a_machine_in_trouble_proves_nothing() {
    let because = |change: fn(&mut Scene)| {
        let mut scene = aborting(30, false);
        change(&mut scene);
        match verdict(&scene, every(whole(), SUCCEED)) {
            Verdict::Inconclusive(Why::Environment(text)) => text,
            other => panic!("{other:?}"),
        }
    };
    let texts = [
        because(|s| s.seen.health.late_max = 150_000_000),
        because(|s| s.seen.health.late_p99 = 12_000_000),
        because(|s| s.seen.health.starved = 3),
        because(|s| s.seen.health.loop_lag = 400_000_000),
        because(|s| s.seen.health.slept = true),
        because(|s| {
            let how = "was killed by SIGSEGV".into();
            s.seen.lives.push(LifeEnd { instance: reviews(1), what: Process::Proxy, asked: None, at: at(900), how });
        }),
    ];
    insta::assert_snapshot!(texts.join("\n"), @"
    a send was more than 150 ms late, 100 ms is allowed
    1% of the sends were more than 12 ms late, 10 ms is allowed
    3 calls found no free connection
    the engine was held up for 400 ms, 250 ms is allowed
    the machine was suspended
    the proxy of reviews-1 died by itself: it was killed by SIGSEGV
    ");
}

#[test]
fn a_kill_that_was_asked_for_is_no_trouble() {
    let killed =
        FaultKind::Down { how: Down::Killed, part: Part::Instance, of: Members::Of(target(Which::Instance(3))) };
    let mut scene = Scene::new(faulty(plan(), killed, When::Standing));
    scene.stood(0);
    scene.calls(0, 1, 50, |_| [Hop::Ok(1)]);
    scene.killed(reviews(3), Process::Proxy, 1);
    scene.killed(reviews(3), Process::Workload, 1);
    assert_eq!(verdict(&scene, every(whole(), SUCCEED)), Verdict::Holds);
}

#[test]
fn what_is_open_anyway_keeps_its_own_reason() {
    let mut scene = aborting(0, true);
    scene.seen.health.slept = true;
    scene.seen.calls.clear();
    assert_eq!(verdict(&scene, every(whole(), SUCCEED)), crate::testing::EMPTY);
}

#[test]
fn the_first_reason_is_the_one_that_explains_the_others() {
    let mut scene = aborting(10, true);
    scene.seen.ledger.pop();
    let books = finding(&scene, every(whole(), SUCCEED)).verdict;
    assert!(matches!(books, Verdict::Inconclusive(Why::Books(_))), "{books:?}");
    scene.seen.health.slept = true;
    let environment = finding(&scene, every(whole(), SUCCEED)).verdict;
    assert!(matches!(environment, Verdict::Inconclusive(Why::Environment(_))), "{environment:?}");
}

#[test]
fn judging_twice_finds_the_same() {
    let mut scene = aborting(30, false);
    scene.plan = claiming(claiming(scene.plan, every(whole(), SUCCEED)), no(whole(), Outcome::TimeOut));
    let judge = || judge(&scene.plan, &scene.evidence(), &Settings::default());
    assert_eq!(judge(), judge());
    assert_eq!(judge().iter().map(|f| f.claim.0).collect::<Vec<_>>(), [0, 1]);
}

/// A slow machine makes reds of promises about time, and of nothing else; and no greens.
#[test]
fn a_mesh_that_waits_for_a_processor_is_not_red_for_being_slow() {
    let mut scene = Scene::new(plan());
    scene.calls(0, 10, 20, |_| [Hop::Slow(1, 60)]);
    let within = |ms| every(whole(), Outcome::FinishWithin(Duration::from_millis(ms)));
    assert_eq!(verdict(&scene, within(50)), Verdict::Violated);
    scene.seen.health.queued = 80_000_000;
    assert_eq!(verdict(&scene, within(90)), Verdict::Holds);
    assert_eq!(verdict(&scene, no(whole(), SUCCEED)), Verdict::Violated);
    let Verdict::Inconclusive(Why::Environment(text)) = verdict(&scene, within(50)) else { panic!("it is about time") };
    assert_eq!(text, "a process of the mesh waited 80 ms of a fifth of a second for a processor, 75 ms is allowed");
}
