use crate::testing::{BORDER, EMPTY, calls, every, finding, no, units, verdict};
use proptest::prelude::*;
use squall_evidence::testing::{Hop, Scene, calls_to, faulty, plan, span, target, touch};
use squall_model::{
    Act, Anchor, AnswerCode, ClientEnd, FaultId, Level, Measured, Only, Outcome, Phase, Population, Shedder, Touch,
    Unit, Verdict, When, Which, Why,
};
use std::time::Duration;

const SUCCEED: Outcome = Outcome::Succeed(None);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn whole() -> Population {
    calls(Phase::Whole)
}

/// Calls that end so, one every 10 ms.
fn scene(calls: &[&[Hop]]) -> Scene {
    let mut scene = Scene::new(plan());
    scene.calls(0, 10, calls.len() as u64, |n| calls[n as usize]);
    scene
}

#[test]
fn one_counter_example_violates() {
    let good = scene(&[&[Hop::Ok(1)], &[Hop::Ok(2)]]);
    assert_eq!(verdict(&good, every(whole(), SUCCEED)), Verdict::Holds);
    assert_eq!(verdict(&good, no(whole(), Outcome::Fail)), Verdict::Holds);
    let bad = scene(&[&[Hop::Ok(1)], &[Hop::Status(2, 503)]]);
    let found = finding(&bad, every(whole(), SUCCEED));
    assert_eq!(found.verdict, Verdict::Violated);
    assert_eq!(found.measured, Measured::Every { against: 1, n: 2 });
    assert_eq!(verdict(&bad, no(whole(), Outcome::Fail)), Verdict::Violated);
}

#[test]
fn nothing_is_said_of_an_empty_set() {
    let good = scene(&[&[Hop::Ok(1)]]);
    let failed = Population { only: Some(Only::Failed), ..whole() };
    assert_eq!(verdict(&good, every(failed.clone(), Outcome::TriedMoreThan(2))), EMPTY);
    assert_eq!(verdict(&good, no(failed, Outcome::TimeOut)), EMPTY);
    assert_eq!(verdict(&Scene::new(plan()), every(whole(), SUCCEED)), EMPTY);
    let of_nobody =
        Population { calls: squall_model::Calls { from: Some("reviews".into()), ..Default::default() }, ..whole() };
    assert_eq!(verdict(&good, every(of_nobody, SUCCEED)), EMPTY);
}

#[test]
fn every_outcome_is_told_from_its_opposite() {
    // Each with calls that do it, and calls that do not.
    let reach = |n| Outcome::Reach(target(Which::Instance(n)));
    let table: Vec<(Outcome, Vec<Hop>, Vec<Hop>)> = vec![
        (SUCCEED, vec![Hop::Aborted(1, 503), Hop::Ok(1)], vec![Hop::Status(1, 404)]),
        (Outcome::Succeed(Some(ms(50))), vec![Hop::Slow(1, 40)], vec![Hop::Slow(1, 60)]),
        (Outcome::Fail, vec![Hop::Refused(1)], vec![Hop::Ok(1)]),
        (Outcome::FinishWithin(ms(50)), vec![Hop::Status(1, 500)], vec![Hop::Slow(1, 60)]),
        (Outcome::TakeAtLeast(ms(50)), vec![Hop::Delayed(1, 60)], vec![Hop::Ok(1)]),
        (Outcome::TimeOut, vec![Hop::TimedOut(1, 20)], vec![Hop::Broken(1)]),
        (Outcome::Shed(None), vec![Hop::Limited(1)], vec![Hop::Ok(1)]),
        (Outcome::Shed(Some(Shedder::RateLimit)), vec![Hop::Limited(1)], vec![Hop::Status(1, 429)]),
        (Outcome::Refused, vec![Hop::Refused(1)], vec![Hop::Status(1, 503)]),
        (Outcome::Reset, vec![Hop::Broken(1)], vec![Hop::Refused(1)]),
        (Outcome::Denied, vec![Hop::Denied(1)], vec![Hop::Status(1, 403)]),
        (Outcome::Answered(AnswerCode::Status(503)), vec![Hop::Aborted(1, 503)], vec![Hop::Status(1, 500)]),
        (reach(2), vec![Hop::Aborted(1, 503), Hop::Ok(2)], vec![Hop::Aborted(2, 503), Hop::Ok(1)]),
        (Outcome::TriedMoreThan(2), vec![Hop::Aborted(1, 503), Hop::Aborted(1, 503), Hop::Ok(1)], vec![Hop::Ok(1)]),
        (
            Outcome::TriedTwiceOnOneInstance,
            vec![Hop::Aborted(1, 503), Hop::Ok(1)],
            vec![Hop::Aborted(1, 503), Hop::Ok(2)],
        ),
        (Outcome::Retried, vec![Hop::Refused(1), Hop::Ok(2)], vec![Hop::Ok(1)]),
        (Outcome::LoggedWithFlag("UF".into()), vec![Hop::Refused(1)], vec![Hop::Ok(1)]),
    ];
    for (outcome, does, does_not) in table {
        let aborts = touch(Level::Tries, 50, Which::Service, Touch::Abort(AnswerCode::Status(503)));
        let scene = |hops: &[Hop]| {
            let mut scene = Scene::new(faulty(plan(), aborts.clone(), When::Standing));
            scene.stood(0);
            scene.call(0, hops);
            // So that half of all tries were aborted, as ordered.
            let mut rest = Scene::new(scene.plan.clone());
            rest.stood(0);
            rest.call(0, hops);
            rest
        };
        let ruling = |hops: &[Hop], all| {
            crate::testing::finding(
                &scene(hops),
                squall_model::ClaimKind::Every { of: whole(), all, outcome: outcome.clone() },
            )
        };
        let against = |hops: &[Hop], all| ruling(hops, all).measured;
        let (none, one) = (Measured::Every { against: 0, n: 1 }, Measured::Every { against: 1, n: 1 });
        assert_eq!([against(&does, true), against(&does, false)], [none.clone(), one.clone()], "{outcome:?} {does:?}");
        assert_eq!([against(&does_not, true), against(&does_not, false)], [one, none], "{outcome:?} {does_not:?}");
    }
}

#[test]
fn unroutable_calls_and_those_shed_by_the_breaker_never_leave() {
    let mut scene = Scene::new(plan());
    scene.local(0, 404, "NR", "route_not_found");
    assert_eq!(verdict(&scene, every(whole(), Outcome::Unroutable)), Verdict::Holds);
    let mut scene = Scene::new(plan());
    scene.local(0, 503, "UO", "upstream_reset_before_response_started{overflow}");
    assert_eq!(verdict(&scene, every(whole(), Outcome::Shed(Some(Shedder::CircuitBreaker)))), Verdict::Holds);
    assert_eq!(verdict(&scene, no(whole(), Outcome::TriedMoreThan(0))), Verdict::Holds, "turned away is not tried");
    assert_eq!(verdict(&scene, every(whole(), Outcome::Shed(Some(Shedder::RateLimit)))), Verdict::Violated);
}

#[test]
fn tries_and_retries_are_units_of_their_own() {
    let retried = scene(&[&[Hop::Status(1, 503), Hop::Ok(2)], &[Hop::Ok(1)]]);
    let measured = |of, outcome| finding(&retried, every(of, outcome)).measured;
    assert_eq!(measured(units(Unit::Try, Which::Service), SUCCEED), Measured::Every { against: 1, n: 3 });
    assert_eq!(measured(units(Unit::Retry, Which::Service), SUCCEED), Measured::Every { against: 0, n: 1 });
    assert_eq!(measured(units(Unit::Try, Which::Instance(1)), SUCCEED), Measured::Every { against: 1, n: 2 });
    assert_eq!(
        measured(units(Unit::Try, Which::Instance(1)), Outcome::Answered(AnswerCode::Status(503))),
        Measured::Every { against: 1, n: 2 }
    );
    assert_eq!(measured(units(Unit::Call, Which::Instance(2)), SUCCEED), Measured::Every { against: 0, n: 1 });
    let connections = verdict(&retried, every(units(Unit::Connection, Which::Service), SUCCEED));
    assert!(matches!(connections, Verdict::Unsupported(_)), "{connections:?}");
}

#[test]
fn a_user_does_what_all_of_its_calls_do() {
    let mut scene = scene(&[&[Hop::Ok(1)], &[Hop::Ok(1)], &[Hop::Status(1, 500)], &[Hop::Ok(2)]]);
    scene.seen.calls.iter_mut().zip([1, 2, 1, 2]).for_each(|(call, user)| call.user = user);
    let measured = |outcome| finding(&scene, every(units(Unit::User, Which::Service), outcome)).measured;
    assert_eq!(measured(SUCCEED), Measured::Every { against: 1, n: 2 });
    assert_eq!(measured(Outcome::Fail), Measured::Every { against: 1, n: 2 }, "user 2 does not");
    assert_eq!(measured(Outcome::Reach(target(Which::Instance(1)))), Measured::Every { against: 1, n: 2 });
}

#[test]
fn onward_calls_are_meant_only_where_their_caller_is_named() {
    let mut scene = scene(&[&[Hop::Ok(2)]]);
    scene.onward(0, 1, 2, 1);
    let from = |service: Option<&str>| {
        let calls = squall_model::Calls { from: service.map(Into::into), ..Default::default() };
        finding(&scene, every(Population { calls, ..whole() }, SUCCEED)).measured
    };
    assert_eq!(from(None), Measured::Every { against: 0, n: 1 });
    assert_eq!(from(Some("web")), Measured::Every { against: 0, n: 1 });
    assert_eq!(from(Some("reviews")), Measured::Every { against: 0, n: 1 });
    assert_eq!(from(Some("ratings")), Measured::Nothing);
}

/// A standing abort of all tries that ends between 200 and 205 ms.
fn ending(hops: impl Fn(u64) -> [Hop; 1]) -> Scene {
    let abort = touch(Level::Tries, 100, Which::Service, Touch::Abort(AnswerCode::Status(503)));
    let mut scene = Scene::new(faulty(plan(), abort, span(0, 200)));
    scene.stood(0);
    scene.happened(Act::End(FaultId(0)), 200, 205);
    scene.calls(0, 10, 40, hops);
    scene
}

#[test]
fn phases_choose_among_the_calls() {
    let scene = ending(|n| if n < 20 { [Hop::Aborted(1, 503)] } else { [Hop::Ok(1)] });
    let (during, after) = (calls(Phase::During(Anchor::Fault)), calls(Phase::After(Anchor::Fault)));
    assert_eq!(finding(&scene, every(during, Outcome::Fail)).measured, Measured::Every { against: 0, n: 20 });
    assert_eq!(finding(&scene, every(after, SUCCEED)).measured, Measured::Every { against: 0, n: 19 });
    assert_eq!(verdict(&scene, every(calls(Phase::Before(Anchor::Fault)), SUCCEED)), EMPTY);
    assert_eq!(verdict(&scene, every(whole(), SUCCEED)), Verdict::Violated);
}

#[test]
fn a_verdict_does_not_hang_on_a_call_that_crosses_the_border() {
    let during = || calls(Phase::During(Anchor::Fault));
    // The call sent at 190 ms is held up beyond the end of the fault.
    let slow = |n: u64| n == 19;
    let abort = |n: u64| n < 19;
    let scene = ending(|n| match n {
        n if slow(n) => [Hop::Slow(1, 40)],
        n if abort(n) => [Hop::Aborted(1, 503)],
        _ => [Hop::Ok(1)],
    });
    let found = finding(&scene, every(during(), Outcome::Fail));
    assert_eq!((found.verdict, found.measured), (BORDER, Measured::Every { against: 1, n: 20 }));
    // Another counter-example stands on its own feet; with it the dose is weaker too, so ask what the fault does not bear on.
    let found = finding(&scene, every(during(), Outcome::FinishWithin(ms(1))));
    assert_eq!(found.verdict, BORDER);
    let alone =
        finding(&ending(|n| if slow(n) { [Hop::Slow(1, 40)] } else { [Hop::Aborted(1, 503)] }), no(during(), SUCCEED));
    assert_eq!(alone.verdict, BORDER);
}

proptest! {
    #[test]
    fn more_failing_calls_never_make_it_hold(good in 1u64..60, bad in 1u64..60, more in 0u64..60) {
        let with = |bad: u64| {
            let mut scene = Scene::new(plan());
            scene.calls(0, 1, good, |_| [Hop::Ok(1)]);
            scene.calls(good, 1, bad, |_| [Hop::Status(1, 500)]);
            verdict(&scene, every(whole(), SUCCEED))
        };
        prop_assert_eq!(with(0), Verdict::Holds);
        prop_assert_eq!([with(bad), with(bad + more)], [Verdict::Violated, Verdict::Violated]);
    }
}
#[test]
fn calls_to_an_instance_are_those_that_reached_it_were_refused_by_it_or_aimed_there() {
    let mut scene = scene(&[&[Hop::Ok(1)], &[Hop::Ok(2)], &[Hop::Refused(2)]]);
    let n = |scene: &Scene| match finding(
        scene,
        every(Population { calls: calls_to(Which::Instance(2)), ..whole() }, SUCCEED),
    )
    .measured
    {
        Measured::Every { n, .. } => n,
        other => panic!("{other:?}"),
    };
    assert_eq!(n(&scene), 2);
    let to_it = || every(Population { calls: calls_to(Which::Instance(2)), ..whole() }, SUCCEED);
    assert_eq!(verdict(&scene, to_it()), Verdict::Violated);
    scene.plan.timeline.stages[0].lines[0].to = target(Which::Instance(2));
    assert_eq!(n(&scene), 3);
}

#[test]
fn calls_of_one_user_are_told_from_those_of_others() {
    let mut scene = scene(&[&[Hop::Ok(1)], &[Hop::Status(1, 500)], &[Hop::Ok(1)], &[Hop::Ok(1)]]);
    scene.plan.timeline.stages[0].lines[0].users = Some(2);
    scene.seen.calls.iter_mut().for_each(|call| call.user = 1 + call.seq as u32 % 2);
    let of = |user: &str| {
        let mut population = whole();
        population.calls.filter.user = Some(user.into());
        finding(&scene, every(population, SUCCEED)).measured
    };
    assert_eq!(of("user-1"), Measured::Every { against: 0, n: 2 });
    assert_eq!(of("user-2"), Measured::Every { against: 1, n: 2 });
    assert_eq!(of("user-3"), Measured::Nothing);
}

/// The answer to one call lies with its client's socket for so long before that reads it.
fn held_up(mut scene: Scene, call: usize, by: u64) -> Scene {
    scene.seen.calls[call].done = scene.seen.calls[call].done + ms(by);
    scene
}

#[test]
fn what_the_machine_held_up_decides_nothing_that_time_decides() {
    let quick = || scene(&[&[Hop::Ok(1)], &[Hop::Ok(2)], &[Hop::Ok(1)]]);
    let within = || every(whole(), Outcome::FinishWithin(ms(50)));
    let held = held_up(quick(), 1, 60);
    let Verdict::Inconclusive(Why::HeldUp { calls: 1, longest }) = verdict(&held, within()) else {
        panic!("{:?}", verdict(&held, within()));
    };
    assert!((60..62).contains(&(longest / 1_000_000)), "{longest}");
    // It would have been too slow all the same; or the clocks cannot tell that it was held up; or time is not asked for.
    let slow = scene(&[&[Hop::Ok(1)], &[Hop::Slow(2, 60)]]);
    assert_eq!(verdict(&held_up(slow, 1, 60), within()), Verdict::Violated);
    assert_eq!(verdict(&held_up(quick(), 1, 1), every(whole(), Outcome::FinishWithin(ms(6)))), Verdict::Violated);
    assert_eq!(verdict(&held_up(quick(), 1, 60), every(whole(), SUCCEED)), Verdict::Holds);
    // Nor does it show that something took its time.
    let long = || every(whole(), Outcome::TakeAtLeast(ms(30)));
    let slow = scene(&[&[Hop::Slow(1, 60)], &[Hop::Ok(1)]]);
    assert!(matches!(verdict(&held_up(slow, 1, 60), long()), Verdict::Inconclusive(Why::HeldUp { .. })));
}

#[test]
fn a_client_that_the_machine_made_give_up_has_not_failed_for_sure() {
    // The proxy had the answer in time, and its client was not let to read it.
    let mut late = held_up(scene(&[&[Hop::Ok(1)], &[Hop::Ok(2)]]), 1, 60);
    late.seen.calls[1].end = ClientEnd::Deadline;
    for claim in [every(whole(), SUCCEED), no(whole(), Outcome::TimeOut)] {
        let verdict = verdict(&late, claim);
        assert!(matches!(verdict, Verdict::Inconclusive(Why::HeldUp { calls: 1, .. })), "{verdict:?}");
    }
    // Without a hold its deadline is its own; and a bad answer that came too late is a bad answer.
    late.seen.calls[1].done = late.seen.calls[1].done - ms(60);
    assert_eq!(verdict(&late, every(whole(), SUCCEED)), Verdict::Violated);
    let mut bad = held_up(scene(&[&[Hop::Ok(1)], &[Hop::Status(2, 503)]]), 1, 60);
    bad.seen.calls[1].end = ClientEnd::Deadline;
    assert_eq!(verdict(&bad, every(whole(), SUCCEED)), Verdict::Violated);
    let failed = Population { only: Some(Only::Failed), ..whole() };
    assert_eq!(verdict(&bad, every(failed.clone(), Outcome::Fail)), Verdict::Holds);
    // Whether there was a failed call at all is not known here.
    let mut late = held_up(scene(&[&[Hop::Ok(1)], &[Hop::Ok(2)]]), 1, 60);
    late.seen.calls[1].end = ClientEnd::Deadline;
    for claim in [every(failed.clone(), Outcome::Fail), no(failed, Outcome::TriedMoreThan(0))] {
        assert!(matches!(verdict(&late, claim), Verdict::Inconclusive(Why::HeldUp { .. })));
    }
}
