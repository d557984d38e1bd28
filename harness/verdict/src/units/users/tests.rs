use crate::{
    Settings, decided,
    doubt::Reading,
    ruling::Case,
    testing::{BORDER, EMPTY, every, finding, no, units, verdict},
    units::samples,
};
use squall_evidence::testing::{Hop, Scene, claiming, faulty, plan, span, touch};
use squall_model::{
    Act, Anchor, Bound, ClaimKind, FaultId, Fraction, Level, Measured, Outcome, Phase, Population, Quantity,
    ShareBound, Stick, Touch, Unit, Verdict, Which,
};
use std::time::Duration;

fn one(stick: Stick) -> Outcome {
    Outcome::ReachOnlyOne(stick)
}

fn users() -> Population {
    units(Unit::User, Which::Service)
}

/// Two users call in turn, every 10 ms, so often each; instances 1 and 2 are of version v1, instance 3 of v2.
fn scene(each: u64, hop: impl Fn(u64) -> Hop) -> Scene {
    let mut plan = plan();
    plan.timeline.stages[0].lines[0].users = Some(2);
    for (instance, version) in plan.topology.services[1].instances.iter_mut().zip(["v1", "v1", "v2"]) {
        instance.version = Some(version.into());
    }
    let mut scene = Scene::new(plan);
    scene.calls(0, 10, 2 * each, |n| [hop(n)]);
    scene.seen.calls.iter_mut().for_each(|c| c.user = 1 + (c.seq % 2) as u32);
    scene
}

/// User 1 is led to instance 1, user 2 to instance 3.
fn stuck(n: u64) -> Hop {
    Hop::Ok(if n.is_multiple_of(2) { 1 } else { 3 })
}

fn measured(scene: &Scene, stick: Stick) -> Measured {
    finding(scene, every(users(), one(stick))).measured
}

fn against(against: u64, n: u64) -> Measured {
    Measured::Every { against, n }
}

#[test]
fn a_user_is_led_to_one_place_or_to_several() {
    let stays = scene(6, stuck);
    assert_eq!([Stick::Version, Stick::Instance].map(|s| measured(&stays, s)), [against(0, 2), against(0, 2)]);
    assert_eq!(verdict(&stays, every(users(), one(Stick::Instance))), Verdict::Holds);
    // Another instance of the same version.
    let moves = scene(6, |n| if n == 4 { Hop::Ok(2) } else { stuck(n) });
    assert_eq!([Stick::Version, Stick::Instance].map(|s| measured(&moves, s)), [against(0, 2), against(1, 2)]);
    let leaves = scene(6, |n| if n == 4 { Hop::Ok(3) } else { stuck(n) });
    assert_eq!([Stick::Version, Stick::Instance].map(|s| measured(&leaves, s)), [against(1, 2), against(1, 2)]);
    let found = finding(&leaves, every(users(), one(Stick::Version)));
    assert_eq!(found.verdict, Verdict::Violated);
    assert_eq!(found.exemplars.iter().map(|e| e.id.as_str()).collect::<Vec<_>>(), ["t-4"], "the one that went astray");
    let twice = scene(6, |n| if n == 4 || n == 8 { Hop::Ok(n as u32 / 2) } else { stuck(n) });
    let found = finding(&twice, every(users(), one(Stick::Instance)));
    assert_eq!(found.exemplars[0].id, "t-4", "the first of two");
    assert_eq!(verdict(&leaves, no(users(), one(Stick::Version))), Verdict::Violated, "user 2 stayed");
}

#[test]
fn a_user_with_few_answers_does_not_count() {
    assert_eq!(measured(&scene(5, stuck), Stick::Version), against(0, 2));
    assert_eq!(verdict(&scene(4, stuck), every(users(), one(Stick::Version))), EMPTY);
    // Calls that no instance answered lead nowhere: a time-out, one that a proxy turned away.
    let unanswered = |hop| scene(6, move |n| if n == 2 || n == 4 { hop } else { stuck(n) });
    assert_eq!(measured(&unanswered(Hop::TimedOut(3, 5)), Stick::Version), against(0, 1));
    assert_eq!(measured(&unanswered(Hop::Refused(3)), Stick::Version), against(0, 1));
    // A bad answer is an answer.
    assert_eq!(measured(&unanswered(Hop::Status(3, 500)), Stick::Version), against(1, 2));
}

#[test]
fn the_answer_counts_and_not_the_tries_before_it() {
    let mut scene = scene(5, stuck);
    let retried = scene.call(200, &[Hop::Status(3, 503), Hop::Ok(1)]);
    scene.seen.calls[retried as usize].user = 1;
    assert_eq!(measured(&scene, Stick::Version), against(0, 2));
}

#[test]
fn calls_without_a_user_are_nobodys() {
    let mut scene = scene(6, stuck);
    scene.seen.calls.iter_mut().filter(|c| c.user == 2).for_each(|c| c.user = 0);
    assert_eq!(measured(&scene, Stick::Version), against(0, 1));
}

#[test]
fn a_user_is_the_same_over_all_lines_by_its_name() {
    let mut scene = scene(3, stuck);
    let mut named = scene.plan.timeline.stages[0].lines[0].clone();
    (named.number, named.users, named.with.user) = (1, None, Some("user-1".into()));
    let mut alice = named.clone();
    (alice.number, alice.with.user) = (2, Some("alice".into()));
    scene.plan.timeline.stages[0].lines.extend([named, alice]);
    for line in [1, 1, 1, 2, 2, 2, 2, 2] {
        let seq = scene.call(100, &[Hop::Ok(if line == 1 { 3 } else { 2 })]);
        scene.seen.calls[seq as usize].line = line;
    }
    // user-1 has three answers by each of two lines, from different versions; alice has five, user-2 three.
    assert_eq!(measured(&scene, Stick::Version), against(1, 2));
    assert_eq!(measured(&scene, Stick::Instance), against(1, 2));
}

#[test]
fn an_instance_that_came_by_growth_is_of_the_last_version() {
    let scene = scene(6, |n| if n == 5 { Hop::Ok(4) } else { stuck(n) });
    assert_eq!([Stick::Version, Stick::Instance].map(|s| measured(&scene, s)), [against(0, 2), against(1, 2)]);
}

#[test]
fn a_user_does_not_hang_on_a_call_that_crosses_the_border() {
    // Everything is delayed from the start to 99 ms: the call at 80 ms (user 1's fifth) is held up beyond that.
    let delay = touch(Level::Tries, 100, Which::Service, Touch::Delay(Duration::from_millis(1)));
    let crossing = |to: u32, third: u32| {
        let mut scene = scene(5, move |n| match (n, stuck(n)) {
            (4, _) => Hop::Delayed(third, 1),
            (8, _) => Hop::Delayed(to, 60),
            (_, Hop::Ok(at)) => Hop::Delayed(at, 1),
            (_, other) => other,
        });
        scene.plan = faulty(scene.plan, delay.clone(), span(0, 99));
        scene.stood(0);
        scene.happened(Act::End(FaultId(0)), 99, 100);
        let during = Population { phase: Phase::During(Anchor::Fault), ..users() };
        verdict(&scene, every(during, one(Stick::Version)))
    };
    assert_eq!(crossing(1, 1), Verdict::Holds, "user 2 counts, and stays");
    assert_eq!(crossing(3, 1), BORDER);
    // Without it user 1 has four answers, and does not count, wherever they came from.
    assert_eq!(crossing(1, 3), BORDER);
}

#[test]
fn a_clear_call_decides_whatever_one_that_crosses_the_border_does() {
    // Everything is delayed from the start to 99 ms. Of user 1, the call at 40 ms is slow and held up beyond that; the one at
    // 60 ms is over before.
    let delay = touch(Level::Tries, 100, Which::Service, Touch::Delay(Duration::from_millis(1)));
    let with = |clear: u64| {
        let mut scene = scene(5, move |n| match (n, stuck(n)) {
            (4, _) => Hop::Delayed(1, 60),
            (6, _) => Hop::Delayed(1, clear),
            (_, Hop::Ok(at)) => Hop::Delayed(at, 1),
            (_, other) => other,
        });
        scene.plan = faulty(scene.plan, delay.clone(), span(0, 99));
        scene.stood(0);
        scene.happened(Act::End(FaultId(0)), 99, 100);
        scene
    };
    let during = Population { phase: Phase::During(Anchor::Fault), ..users() };
    let quick = Outcome::Succeed(Some(Duration::from_millis(20)));
    assert_eq!(verdict(&with(1), every(during.clone(), quick.clone())), BORDER);
    let found = finding(&with(30), every(during, quick));
    assert_eq!(found.verdict, Verdict::Violated);
    assert_eq!(found.exemplars.iter().map(|e| e.id.as_str()).collect::<Vec<_>>(), ["t-6"], "the one that decides");
}

/// Everything is delayed from the start to 99 ms. User 1 calls quickly but for a call that lasts beyond that, user 2 only so.
fn crossing_users() -> Scene {
    let delay = touch(Level::Tries, 100, Which::Service, Touch::Delay(Duration::from_millis(1)));
    let mut scene = scene(5, |n| match n {
        8 => Hop::Delayed(1, 60),
        n if n % 2 == 1 => Hop::Delayed(3, 110),
        _ => Hop::Delayed(1, 1),
    });
    scene.plan = faulty(scene.plan, delay, span(0, 99));
    scene.stood(0);
    scene.happened(Act::End(FaultId(0)), 99, 100);
    scene
}

#[test]
fn a_user_counts_with_the_calls_that_do_and_else_not_at_all() {
    let mut scene = crossing_users();
    let quick = || Outcome::Succeed(Some(Duration::from_millis(20)));
    let during = Population { phase: Phase::During(Anchor::Fault), ..users() };
    let by = |scene: &Scene| {
        let (evidence, settings) = (scene.evidence(), Settings::default());
        let case = Case { plan: &scene.plan, evidence: &evidence, settings: &settings };
        let users = samples(case, &during, &quick()).unwrap();
        users.all.iter().map(|user| Reading::ALL.map(|reading| user.by.by(reading))).collect::<Vec<_>>()
    };
    let (no, yes) = (Some(false), Some(true));
    // User 1 is quick without its last call; without those that cross nothing is known of user 2.
    assert_eq!(by(&scene), [[no, yes, no, yes], [no, None, no, None]]);
    // The machine held up user 1's third call, too: by one doubt alone it stays slow.
    scene.seen.calls[4].done = scene.seen.calls[4].done + Duration::from_millis(30);
    assert_eq!(by(&scene)[0], [no, no, no, yes]);
    assert_eq!(verdict(&scene, every(during, quick())), BORDER);
}

#[test]
fn users_come_in_an_order_that_says_nothing_of_what_they_do() {
    // Every other user fails with its second call. By the calls that decide the good ones would come first.
    let mut scene = Scene::new(plan());
    scene.calls(0, 1, 400, |n| if n >= 200 && n % 2 == 0 { [Hop::Status(1, 500)] } else { [Hop::Ok(1)] });
    scene.seen.calls.iter_mut().for_each(|c| c.user = 1 + (c.seq % 200) as u32);
    let bound = ShareBound::AtLeast(Fraction::percent(90));
    let claim = ClaimKind::Share { of: users(), outcome: Outcome::Succeed(None), bound };
    assert_eq!(verdict(&scene, claim), Verdict::Violated);
}

#[test]
fn a_user_is_not_judged_while_it_may_still_call() {
    let mut scene = scene(100, |n| if n < 2 { Hop::Status(1, 500) } else { Hop::Ok(1) });
    let open = |scene: &Scene, kind: ClaimKind| {
        let plan = claiming(scene.plan.clone(), kind);
        !decided(&plan, &scene.evidence(), &Settings { minimum: 1, ..Settings::default() })
    };
    let no_more = |most: u64| ClaimKind::Total {
        quantity: Quantity::Count { of: users(), outcome: Outcome::Fail },
        bound: Bound { low: None, high: Some(most * 1_000) },
    };
    let claims = || {
        let fails = || Outcome::Fail;
        [no(users(), fails()), every(users(), fails()), no_more(1), no_more(2)]
    };
    assert!(claims().into_iter().all(|claim| !open(&scene, claim)), "all have called");
    scene.seen.quiet = false;
    assert!(claims().into_iter().all(|claim| open(&scene, claim)), "others may fail, and be too many");
}

#[test]
fn users_that_stick_can_be_a_share() {
    let scene = scene(6, |n| if n == 4 { Hop::Ok(3) } else { stuck(n) });
    let bound = squall_model::ShareBound::AtLeast(Fraction::percent(20));
    let claim = squall_model::ClaimKind::Share { of: users(), outcome: one(Stick::Version), bound };
    let Measured::Share { hits, n, .. } = finding(&scene, claim).measured else { panic!("a share") };
    assert_eq!((hits, n), (1, 2));
}
