use crate::testing::{calls, every, explanation, likely, no, with_policy};
use squall_evidence::testing::{Hop, Scene, damage, faulty, plan, target, touch, web};
use squall_model::{
    Act, AnswerCode, Answers, Bound, Calls, ClaimKind, ClientEnd, Condition, CounterRecord, Cue, Damage, Destination,
    Down, FaultKind, Fraction, InFlight, Latency, Level, Members, Outcome, Part, Per, Phase, PolicyId, PolicyKind,
    Population, Quantity, RetryOn, SeenBy, ShareBound, State, Stick, Touch, Traffic, Unit, VersionName, When, Which,
};
use std::time::Duration;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn succeed() -> ClaimKind {
    every(calls(Phase::Whole), Outcome::Succeed(None))
}

fn retries(up_to: u32, on: &[RetryOn]) -> PolicyKind {
    PolicyKind::Retries { of: Calls::default(), up_to, on: on.to_vec(), elsewhere: false }
}

fn timeout(level: Level, after: u64) -> PolicyKind {
    let of = Traffic { share: Fraction::ALL, level, of: Calls::default() };
    PolicyKind::Timeout { of, after: ms(after) }
}

/// So many calls, each with the same tries.
fn scene(count: u64, hops: &[Hop]) -> Scene {
    let mut scene = Scene::new(plan());
    scene.calls(0, 5, count, |_| hops.to_vec());
    scene
}

/// So many calls that the caller's proxy answered by itself, from half a second on.
fn turned_away(count: u64, status: u16, flags: &str, details: &str) -> Scene {
    let mut scene = Scene::new(plan());
    for n in 0..count {
        scene.local(500 + n * 5, status, flags, details);
    }
    scene
}

/// What is standing from before the first call.
fn standing(count: u64, hops: &[Hop], does: FaultKind) -> Scene {
    let mut scene = scene(count, hops);
    scene.plan = faulty(scene.plan, does, When::Standing);
    scene.stood(0);
    scene
}

#[test]
fn shed_by_the_circuit_breaker() {
    let scene = turned_away(40, 503, "UO", "upstream_reset_before_response_started{overflow}");
    let limit = PolicyKind::InFlight { caller: "web".into(), at_most: 5, unit: InFlight::Tries, to: "reviews".into() };
    insta::assert_snapshot!(likely(&with_policy(scene, limit), succeed()), @r#"shed_by_circuit_breaker: the circuit breaker shed them: 40 of 40 were turned away at the caller's proxy before a try was sent (UO); "web" may have 5 tries to "reviews" in flight"#);
}

#[test]
fn shed_by_a_rate_limit() {
    insta::assert_snapshot!(likely(&scene(10, &[Hop::Limited(1)]), succeed()), @"shed: the rate limit shed them: 10 of 10 were turned away before any workload saw them");
}

#[test]
fn a_retry_that_the_budget_suppressed() {
    let mut scene = scene(20, &[Hop::Status(1, 503)]);
    scene.seen.access.iter_mut().filter(|line| line.proxy == web()).for_each(|line| line.flags = "UO".into());
    let budget = PolicyKind::RetryBudget { of: Calls::default(), share: Fraction::percent(20), at_least: 3 };
    scene.seen.counters = vec![CounterRecord {
        proxy: web(),
        rises: [("cluster.out.reviews.upstream_rq_retry_overflow".to_owned(), 20)].into(),
    }];
    let scene = with_policy(with_policy(scene, retries(2, &[RetryOn::FiveHundreds])), budget);
    insta::assert_snapshot!(likely(&scene, succeed()), @"retry_suppressed: the retry budget (20% of the tries in flight, at least 3) suppressed the retry: 20 of 20 failed and were not tried again (UO, upstream_rq_retry_overflow +20)");
}

#[test]
fn retries_that_were_exhausted() {
    let scene =
        with_policy(scene(52, &[Hop::Aborted(1, 503), Hop::Aborted(2, 503)]), retries(1, &[RetryOn::FiveHundreds]));
    insta::assert_snapshot!(likely(&scene, succeed()), @"retries_exhausted: retries were exhausted: 52 of 52 were aborted with 503 on all of their 2 tries (up to 1 retry is allowed)");
    insta::assert_snapshot!(likely(&scene, every(calls(Phase::Whole), Outcome::TriedMoreThan(2))), @"retries_exhausted: retries were exhausted: 52 of 52 were aborted with 503 on all of their 2 tries (up to 1 retry is allowed)");
    let mixed = with_policy(
        self::scene(5, &[Hop::Refused(1), Hop::Status(2, 500), Hop::Broken(3)]),
        retries(2, &[RetryOn::FiveHundreds]),
    );
    insta::assert_snapshot!(likely(&mixed, succeed()), @"retries_exhausted: retries were exhausted: 5 of 5 failed on all of their 3 tries (up to 2 retries are allowed)");
}

/// Calls whose retries all went where the first try had gone, while instance 2 was killed.
fn stubborn(elsewhere: bool, to: impl Fn(u64) -> u32) -> String {
    let mut scene = Scene::new(plan());
    scene.calls(0, 5, 40, |n| vec![Hop::Refused(to(n)), Hop::Refused(to(n))]);
    let of = Members::Of(target(Which::Instance(2)));
    scene.plan = faulty(scene.plan, FaultKind::Down { how: Down::Killed, part: Part::Instance, of }, When::Standing);
    scene.stood(0);
    let on = vec![RetryOn::ConnectFailure];
    likely(&with_policy(scene, PolicyKind::Retries { of: Calls::default(), up_to: 1, on, elsewhere }), succeed())
}

#[test]
fn retries_that_all_went_to_the_instance_that_had_failed() {
    insta::assert_snapshot!(stubborn(false, |_| 2), @r#"retries_exhausted: retries were exhausted: 40 of 40 were refused a connection on all of their 2 tries (up to 1 retry is allowed); every try of 40 of 40 went to reviews-2, while instance 2 of "reviews" is killed; with `, each on another instance` a retry goes to one that was not tried yet"#);
    insta::assert_snapshot!(stubborn(true, |_| 2), @r#"retries_exhausted: retries were exhausted: 40 of 40 were refused a connection on all of their 2 tries (up to 1 retry is allowed); every try of 40 of 40 went to reviews-2, while instance 2 of "reviews" is killed"#);
    insta::assert_snapshot!(stubborn(false, |n| 1 + (n % 3) as u32), @"retries_exhausted: retries were exhausted: 40 of 40 were refused a connection on all of their 2 tries (up to 1 retry is allowed); every try of 40 of 40 went to one and the same instance; with `, each on another instance` a retry goes to one that was not tried yet");
}

#[test]
fn what_is_not_retried() {
    let broken = scene(30, &[Hop::Status(1, 500)]);
    insta::assert_snapshot!(likely(&with_policy(broken.clone(), retries(2, &[RetryOn::ConnectFailure, RetryOn::Status(503)])), succeed()), @r#"not_retriable: what went wrong is not among what is retried: 30 of 30 were answered 500, and retried is only on "connect-failure, 503""#);
    insta::assert_snapshot!(likely(&broken, succeed()), @"never_retried: nothing retries them: 30 of 30 were answered 500 on their only try");
    // As many as may be were retried: the condition is not to blame.
    assert_eq!(likely(&with_policy(broken, retries(2, &[RetryOn::FiveHundreds])), succeed()), "nothing");
}

#[test]
fn aborted_where_no_retry_can_help() {
    let mut scene = turned_away(30, 503, "FI", "fault_filter_abort");
    scene.plan = faulty(
        scene.plan,
        touch(Level::Calls, 100, Which::Service, Touch::Abort(AnswerCode::Status(503))),
        When::Standing,
    );
    scene.stood(0);
    insta::assert_snapshot!(likely(&with_policy(scene, retries(2, &[RetryOn::FiveHundreds])), succeed()), @r#"aborted_at_caller: no retry can help them: 30 of 30 were aborted at the caller's own proxy, before its retries (FI), while calls to "reviews" are aborted with status 503"#);
}

#[test]
fn a_timeout_of_another_kind_that_ends_them_too_late() {
    let mut idle = scene(20, &[Hop::TimedOut(1, 900)]);
    idle.seen.access.iter_mut().filter(|line| line.proxy == web()).for_each(|line| {
        (line.flags, line.details) = ("SI".into(), "stream_idle_timeout".into());
    });
    insta::assert_snapshot!(likely(&idle, every(calls(Phase::Whole), Outcome::FinishWithin(ms(450)))), @"timeout_too_late: a timeout ended them too late: 20 of 20 were given up on after 900 ms or longer (stream_idle_timeout)");
    assert!(likely(&idle, succeed()).starts_with("never_retried"), "of success its time is not the matter");
}

#[test]
fn a_timeout_that_is_longer_than_what_holds_them() {
    let delay = || touch(Level::Tries, 100, Which::Service, Touch::Delay(ms(300)));
    let mut held = standing(20, &[Hop::Slow(1, 300)], delay());
    held.seen.access.iter_mut().filter(|line| line.proxy != web()).for_each(|line| line.flags = "DI".into());
    let late = || every(calls(Phase::Whole), Outcome::FinishWithin(ms(200)));
    let time_out = || every(calls(Phase::Whole), Outcome::TimeOut);
    insta::assert_snapshot!(likely(&held, late()), @r#"held_by_fault: the fault held them up: 20 of 20 took 300 ms or longer, while tries reaching "reviews" are delayed by 300 ms (DI); no timeout is set for them"#);
    insta::assert_snapshot!(likely(&held, time_out()), @"no_policy: no timeout is set for them: 20 of 20 ended otherwise");
    let slack = with_policy(held, timeout(Level::Calls, 800));
    insta::assert_snapshot!(likely(&slack, late()), @r#"held_by_fault: the fault held them up: 20 of 20 took 300 ms or longer, while tries reaching "reviews" are delayed by 300 ms (DI); their timeout of 800 ms for a call is longer than they took"#);
    let beside = with_policy(slack.clone(), timeout(Level::Calls, 100));
    assert!(
        likely(&beside, late()).ends_with("by 300 ms (DI)"),
        "a timeout that did not end them is not what they lack"
    );
    insta::assert_snapshot!(likely(&slack, time_out()), @r#"timeout_too_long: the timeout of 800 ms for a call is longer than they took: 20 of 20 were over before, while tries reaching "reviews" are delayed by 300 ms (DI)"#);
}

#[test]
fn a_timeout_that_is_shorter_than_what_holds_them() {
    let delay = touch(Level::Tries, 100, Which::Service, Touch::Delay(ms(300)));
    let mut held = with_policy(standing(20, &[Hop::TimedOut(1, 100)], delay), timeout(Level::Tries, 100));
    held.seen.access.iter_mut().filter(|line| line.proxy != web()).for_each(|line| line.flags = "DC,DI".into());
    insta::assert_snapshot!(likely(&held, succeed()), @r#"timeout_too_short: the timeout of 100 ms for a try is too short: 20 of 20 ran into it (UT), while tries reaching "reviews" are delayed by 300 ms (DI)"#);
    let slow = FaultKind::Answers { of: target(Which::Service), how: Answers::In(ms(500)) };
    let nobody = with_policy(standing(20, &[Hop::Nobody(1, 200)], slow), timeout(Level::Calls, 200));
    insta::assert_snapshot!(likely(&nobody, succeed()), @r#"timeout_too_short: the timeout of 200 ms for a call is too short: 20 of 20 ran into it (UT), while "reviews" answers in 500 ms"#);
    let cut = with_policy(
        standing(20, &[Hop::Nobody(1, 200)], damage(Which::Service, Damage::Cut)),
        timeout(Level::Calls, 200),
    );
    insta::assert_snapshot!(likely(&cut, succeed()), @r#"timeout_too_short: the timeout of 200 ms for a call ended them: 20 of 20 ran into it (UT), while the wire from "web" to "reviews" is cut"#);
    let mut topology = with_policy(scene(20, &[Hop::TimedOut(1, 100)]), timeout(Level::Tries, 100));
    topology.plan.topology.services[1].latency = Latency::Fixed(ms(150));
    insta::assert_snapshot!(likely(&topology, succeed()), @r#"timeout_too_short: the timeout of 100 ms for a try is too short: 20 of 20 ran into it (UT), while "reviews" takes 150 ms to answer"#);
}

#[test]
fn a_fault_is_named_only_where_it_was_aimed() {
    let elsewhere = touch(Level::Tries, 100, Which::Instance(2), Touch::Abort(AnswerCode::Status(503)));
    let mut scene = standing(20, &[Hop::Aborted(1, 503)], elsewhere);
    assert!(!likely(&scene, succeed()).contains("while"), "it was aimed at another instance");
    let here = touch(Level::Tries, 100, Which::Instance(1), Touch::Abort(AnswerCode::Status(503)));
    scene.plan = faulty(scene.plan, here, When::Standing);
    scene.stood(1);
    insta::assert_snapshot!(likely(&scene, succeed()), @r#"never_retried: nothing retries them: 20 of 20 were aborted with 503 on their only try, while tries reaching instance 1 of "reviews" are aborted with status 503"#);
    // Nor is a workload that takes 4 ms what a timeout of 100 ms waited for.
    let quick = with_policy(self::scene(20, &[Hop::TimedOut(1, 100)]), timeout(Level::Tries, 100));
    assert!(!likely(&quick, succeed()).contains("while"));
}

#[test]
fn the_clients_own_deadline() {
    let mut scene = scene(10, &[Hop::Nobody(1, 10_000)]);
    scene.seen.calls.iter_mut().for_each(|call| call.end = ClientEnd::Deadline);
    insta::assert_snapshot!(likely(&scene, succeed()), @"client_deadline: no proxy's timeout ended them: 10 of 10 waited until the client's own deadline of 10 s");
}

#[test]
fn connections_that_failed_while_an_instance_was_down() {
    let of = Members::Of(target(Which::Instance(2)));
    let killed = FaultKind::Down { how: Down::Killed, part: Part::Instance, of };
    let mut scene = standing(20, &[Hop::Refused(2)], killed);
    insta::assert_snapshot!(likely(&scene, succeed()), @r#"connection_failed: connections failed: 20 of 20 found nobody who accepted (UF) at reviews-2, while instance 2 of "reviews" is killed; nothing retries them"#);
    scene.plan.faults.clear();
    insta::assert_snapshot!(likely(&scene, succeed()), @"connection_failed: connections failed: 20 of 20 found nobody who accepted (UF) at reviews-2; nothing retries them");
    let resets = standing(8, &[Hop::Broken(3)], damage(Which::Instance(3), Damage::Reset(Fraction::ALL)));
    insta::assert_snapshot!(likely(&resets, succeed()), @r#"connection_broke: connections broke: 8 of 8 were broken off (UC) at reviews-3, while the wire from "web" to instance 3 of "reviews" resets 100% of its connections; nothing retries them"#);
}

#[test]
fn nobody_was_left_since_all_were_ejected() {
    let mut scene = turned_away(20, 503, "UH", "no_healthy_upstream");
    insta::assert_snapshot!(likely(&scene, succeed()), @"no_healthy_upstream: there was no healthy upstream: 20 of 20 were turned away without a try (UH)");
    (1..=3).for_each(|n| scene.told(n, Condition::Ejected, true, 400));
    insta::assert_snapshot!(likely(&scene, succeed()), @r#"no_healthy_upstream: there was no healthy upstream: 20 of 20 were turned away without a try (UH), while the caller's proxy held every instance of "reviews" for ejected"#);
}

#[test]
fn panic_leads_to_the_unhealthy() {
    let mut scene = Scene::new(plan());
    scene.calls(500, 5, 20, |_| [Hop::Status(2, 500)]);
    scene.told(2, Condition::Unhealthy, true, 400);
    assert!(likely(&scene, succeed()).starts_with("never_retried"), "it did not panic");
    let rises = [("cluster.out.reviews.lb_healthy_panic".to_owned(), 20)].into();
    scene.seen.counters = vec![CounterRecord { proxy: web(), rises }];
    insta::assert_snapshot!(likely(&scene, succeed()), @"panic_routing: panic routing: 20 of 20 went to instances that the caller's proxy held for unhealthy, since too few were left (lb_healthy_panic +20)");
}

#[test]
fn nowhere_to_go_or_nothing_to_look_for() {
    let scene = turned_away(9, 404, "NR", "route_not_found");
    insta::assert_snapshot!(likely(&scene, succeed()), @"unroutable: the caller's proxy had no route for them (NR): 9 of 9 got no further");
    insta::assert_snapshot!(likely(&self::scene(9, &[Hop::Denied(1)]), succeed()), @"denied: access control turned them away: 9 of 9 were denied (rbac_access_denied_matched_policy[none])");
}

#[test]
fn too_slow_for_a_fault_for_retries_or_by_itself() {
    let within = || every(calls(Phase::Whole), Outcome::FinishWithin(ms(50)));
    let delay = touch(Level::Tries, 100, Which::Service, Touch::Delay(ms(300)));
    insta::assert_snapshot!(likely(&standing(20, &[Hop::Delayed(1, 300)], delay), within()), @r#"held_by_fault: the fault held them up: 20 of 20 took 300 ms or longer, while tries reaching "reviews" are delayed by 300 ms (DI); no timeout is set for them"#);
    insta::assert_snapshot!(likely(&scene(20, &[Hop::TimedOut(1, 100), Hop::Ok(2)]), within()), @"slowed_by_retries: retries took the time: 20 of 20 spent most of it before their last try began");
    insta::assert_snapshot!(likely(&scene(20, &[Hop::Slow(1, 80)]), within()), @r#"workload_took_long: "reviews" itself took that long: 20 of 20 spent most of their time in its workload"#);
}

#[test]
fn more_tries_than_the_claim_has_and_the_policy_allows() {
    let scene = with_policy(
        scene(40, &[Hop::Status(1, 503), Hop::Status(2, 503), Hop::Ok(3)]),
        retries(3, &[RetryOn::FiveHundreds]),
    );
    insta::assert_snapshot!(likely(&scene, no(calls(Phase::Whole), Outcome::TriedMoreThan(2))), @"retries_allowed: the policy allows it: 40 of 40 were retried, with up to 3 tries for a call (up to 3 retries are allowed)");
    let amplified = ClaimKind::Total {
        quantity: Quantity::Tries {
            target: target(Which::Service),
            seen_by: SeenBy::Proxy,
            per: Per::Call,
            phase: Phase::Whole,
        },
        bound: Bound { low: None, high: Some(1_500) },
    };
    insta::assert_snapshot!(likely(&scene, amplified), @"retries_allowed: the policy allows it: 40 of 40 were retried, with up to 3 tries for a call (up to 3 retries are allowed), and nothing limits the retries in flight");
    insta::assert_snapshot!(likely(&scene, every(calls(Phase::Whole), Outcome::Fail)), @"saved_by_retry: a retry saved them: 40 of 40 failed at first and succeeded when tried again");
    insta::assert_snapshot!(likely(&self::scene(40, &[Hop::Ok(1)]), every(calls(Phase::Whole), Outcome::Fail)), @"undisturbed: nothing was in their way: 40 of 40 succeeded on their first try");
}

#[test]
fn what_no_policy_says() {
    let good = scene(40, &[Hop::Ok(1)]);
    insta::assert_snapshot!(likely(&good, every(calls(Phase::Whole), Outcome::TimeOut)), @"no_policy: no timeout is set for them: 40 of 40 ended otherwise");
    insta::assert_snapshot!(likely(&good, every(calls(Phase::Whole), Outcome::Shed(None))), @"no_policy: no circuit breaker limits them: 40 of 40 were let through, and succeeded");
    let failed = scene(40, &[Hop::Status(1, 503)]);
    insta::assert_snapshot!(likely(&failed, every(calls(Phase::Whole), Outcome::Retried)), @"no_policy: no policy retries them: 40 of 40 were tried once");
}

#[test]
fn a_retry_that_may_go_anywhere() {
    let again = [Hop::Status(1, 503), Hop::Status(1, 503)];
    let scene = with_policy(scene(40, &again), retries(1, &[RetryOn::FiveHundreds]));
    insta::assert_snapshot!(likely(&scene, no(calls(Phase::Whole), Outcome::TriedTwiceOnOneInstance)), @"same_instance_allowed: retries may go anywhere: 40 of 40 were tried again on an instance that had failed them, and the policy does not ask for another");
}

#[test]
fn too_few_tries_came_to_one_that_was_out() {
    let mut scene = scene(40, &[Hop::Ok(1)]);
    let tries = Quantity::Tries {
        target: target(Which::Instance(2)),
        seen_by: SeenBy::Proxy,
        per: Per::Total,
        phase: Phase::Whole,
    };
    let some = ClaimKind::Total { quantity: tries, bound: Bound { low: Some(10_000), high: None } };
    assert_eq!(likely(&scene, some.clone()), "nothing");
    scene.told(2, Condition::Unhealthy, true, 0);
    insta::assert_snapshot!(likely(&scene, some), @r#"held_out: instance 2 of "reviews" was out: for 40 of 40 the caller's proxy held it for unhealthy"#);
}

#[test]
fn users_that_nothing_leads() {
    let mut scene = Scene::new(plan());
    scene.calls(0, 5, 60, |n| [Hop::Ok(n as u32 / 4 % 3 + 1)]);
    scene.seen.calls.iter_mut().for_each(|call| call.user = call.seq as u32 % 4 + 1);
    let users = Population { unit: Unit::User, ..calls(Phase::Whole) };
    insta::assert_snapshot!(likely(&scene, every(users, Outcome::ReachOnlyOne(Stick::Instance))), @"no_policy: no policy makes them stick: 4 of 4 were led to several");
}

#[test]
fn nobody_checks() {
    let mut scene = scene(40, &[Hop::Ok(1)]);
    scene.seen.tells_states = true;
    let state = State { is: Condition::Unhealthy, of: target(Which::Instance(2)) };
    insta::assert_snapshot!(likely(&scene, ClaimKind::State { what: state, ever: true, phase: Phase::Whole }), @r#"unchecked: nothing checks instances of "reviews": no health check is configured"#);
}

#[test]
fn versions_get_what_the_route_says() {
    let mut scene = Scene::new(plan());
    scene.plan.topology.services[1].instances[2].version = Some(VersionName::from("v2"));
    scene.calls(0, 5, 300, |n| [Hop::Ok(n as u32 % 3 + 1)]);
    let v2 = target(Which::Version("v2".into()));
    let share = ClaimKind::Share {
        of: calls(Phase::Whole),
        outcome: Outcome::Reach(v2.clone()),
        bound: ShareBound::AtMost(Fraction::percent(5)),
    };
    insta::assert_snapshot!(likely(&scene, share.clone()), @r#"as_routed: no route chooses among the instances: version "v2" of "reviews" is 33.3% of them, and 100 of 300 went there"#);
    let to = vec![Destination { share: Fraction::percent(35), target: v2 }];
    insta::assert_snapshot!(likely(&with_policy(scene, PolicyKind::Route { of: Calls::default(), to }), share), @r#"as_routed: the route says so: it leads 35% to version "v2" of "reviews", and 100 of 300 went there"#);
}

#[test]
fn an_ejection_that_did_not_come() {
    let mut scene = Scene::new(plan());
    scene.calls(0, 5, 60, |n| [if n % 4 == 3 { Hop::Ok(2) } else { Hop::Status(2, 500) }]);
    scene.seen.tells_states = true;
    let ejected = |ever| ClaimKind::State {
        what: State { is: Condition::Ejected, of: target(Which::Instance(2)) },
        ever,
        phase: Phase::Whole,
    };
    insta::assert_snapshot!(likely(&scene, ejected(true)), @r#"ejection: nothing ejects instances of "reviews": web-1 saw at most 3 in a row of reviews-2, and no ejection is configured"#);
    let policy = |after| PolicyKind::Ejection { of: "reviews".into(), lasts: ms(1_000), after, at_most: Fraction::ALL };
    insta::assert_snapshot!(likely(&with_policy(scene.clone(), policy(5)), ejected(true)), @"ejection: too few failures in a row: web-1 saw at most 3 in a row of reviews-2, and it takes 5 to be ejected");
    scene.told(2, Condition::Ejected, true, 15);
    insta::assert_snapshot!(likely(&with_policy(scene, policy(3)), ejected(false)), @"ejection: enough failures in a row: web-1 saw up to 3 of reviews-2, and ejects after 3");
}

#[test]
fn nothing_is_said_where_the_evidence_is_of_several_minds() {
    let mut scene = Scene::new(plan());
    scene.calls(0, 5, 100, |n| {
        [match n % 3 {
            0 => Hop::Refused(1),
            1 => Hop::Limited(2),
            _ => Hop::Denied(3),
        }]
    });
    assert_eq!(likely(&scene, succeed()), "nothing");
    // Nine in ten are enough.
    let mut scene = Scene::new(plan());
    scene.calls(0, 5, 100, |n| [if n < 8 { Hop::Denied(3) } else { Hop::Limited(2) }]);
    assert!(likely(&scene, succeed()).starts_with("shed: "));
    let covers = explanation(&scene, succeed()).mechanism.map(|m| (m.covers.hits, m.covers.n));
    assert_eq!(covers, Some((92, 100)));
}

#[test]
fn a_policy_counts_from_when_it_is_in_force() {
    let scene = scene(20, &[Hop::Status(1, 503)]);
    let mut scene = with_policy(with_policy(scene, retries(1, &[RetryOn::ConnectFailure])), retries(0, &[]));
    let act = Act::Change(PolicyId(1));
    scene.plan.timeline.stages[0].cues.push(Cue { at: ms(500), act });
    assert!(likely(&scene, succeed()).starts_with("not_retriable"), "the change has not come yet");
    scene.happened(act, 0, 0);
    assert!(likely(&scene, succeed()).starts_with("never_retried"), "it has");
}
