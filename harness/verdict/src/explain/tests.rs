use crate::testing::{calls, every, explanation, units};
use squall_evidence::testing::{Hop, Scene, at, faulty, plan, span, target, touch};
use squall_model::{
    Act, AnswerCode, Attribute, Bound, Calls, ClaimKind, Explanation, FaultId, FaultKind, Filter, Fraction, Happening,
    Instance, Level, MomentRef, Only, Origin, Outcome, Per, Phase, Place, Population, Quantity, Reading, SeenBy,
    ShareBound, Since, Split, Touch, Unit, VersionName, When, Which,
};
use std::time::Duration;

fn succeed() -> ClaimKind {
    every(calls(Phase::Whole), Outcome::Succeed(None))
}

/// 300 calls in a second and a half, the n-th with this try.
fn scene(hop: impl Fn(u64) -> Hop) -> Scene {
    let mut scene = Scene::new(plan());
    scene.calls(0, 5, 300, |n| [hop(n)]);
    scene
}

fn since(scene: &Scene) -> Since {
    explanation(scene, succeed()).since.unwrap()
}

fn split(scene: &Scene, kind: ClaimKind) -> Option<Split> {
    explanation(scene, kind).split
}

#[test]
fn a_stretch_of_time_is_named_with_what_took_effect_before_it() {
    let mut scene = scene(|n| if (100..200).contains(&n) { Hop::Status(1, 503) } else { Hop::Ok(1) });
    insta::assert_yaml_snapshot!(since(&scene), @r#"
    stretch:
      from:
        stage: 0
        at: 500000000
      to:
        stage: 0
        at: 995000000
      within:
        hits: 100
        n: 100
      without:
        hits: 0
        n: 200
      unit: call
    "#);
    let abort = touch(Level::Tries, 100, Which::Service, Touch::Abort(AnswerCode::Status(503)));
    scene.plan = faulty(scene.plan, abort, span(490, 990));
    scene.happened(Act::Arm(FaultId(0)), 490, 495);
    scene.happened(Act::End(FaultId(0)), 990, 995);
    let Since::Stretch { cue: Some(cue), .. } = since(&scene) else { panic!("a stretch with its cue") };
    insta::assert_yaml_snapshot!(cue, @r#"
    text: "tries reaching \"reviews\" are aborted with status 503"
    ended: false
    after: 10000000
    "#);
}

#[test]
fn what_is_cleared_away_after_the_last_call_began_brought_nothing_about() {
    let mut scene = Scene::new(plan());
    scene.calls(0, 5, 100, |n| if n >= 50 { [Hop::Slow(1, 800)] } else { [Hop::Ok(1)] });
    let abort = touch(Level::Tries, 100, Which::Service, Touch::Delay(Duration::from_millis(800)));
    scene.plan = faulty(scene.plan, abort, When::Standing);
    scene.happened(Act::End(FaultId(0)), 900, 905);
    let slow = every(calls(Phase::Whole), Outcome::FinishWithin(Duration::from_millis(100)));
    let Some(Since::Stretch { from, cue, .. }) = explanation(&scene, slow).since else { panic!("a stretch") };
    assert_eq!((from.at, cue), (250_000_000, None));
}

#[test]
fn what_goes_on_to_the_end_has_no_end() {
    let scene = scene(|n| if n >= 220 && n % 3 != 1 { Hop::Status(1, 503) } else { Hop::Ok(1) });
    let Since::Stretch { from, to, within, without, .. } = since(&scene) else { panic!("a stretch") };
    assert_eq!((from.stage, from.at, to), (0, 1_105_000_000, None), "220 is a third that is good");
    assert_eq!((within.hits, without.hits), (53, 0));
}

#[test]
fn without_a_change_it_is_from_the_first_on_or_too_few_to_tell() {
    let even = since(&scene(|n| if n % 7 == 2 { Hop::Status(1, 503) } else { Hop::Ok(1) }));
    let Since::First { first, last, all, .. } = even else { panic!("{even:?}") };
    assert_eq!((first.at, last.at, all.hits, all.n), (10_000_000, 1_480_000_000, 43, 300));
    assert!(matches!(since(&scene(|_| Hop::Status(1, 503))), Since::First { .. }));
    let late = since(&scene(|n| if [210, 280, 290].contains(&n) { Hop::Status(1, 503) } else { Hop::Ok(1) }));
    assert!(matches!(late, Since::Scattered { .. }), "three in the last third: chance does it once in 27 times");
}

#[test]
fn a_restart_that_few_calls_felt_is_told_by_its_moment() {
    let felt = [104, 107, 110, 113, 116, 119, 122];
    let mut scene = Scene::new(plan());
    scene.calls(0, 5, 130, |n| [if felt.contains(&n) { Hop::Refused(2) } else { Hop::Ok(1) }]);
    assert!(matches!(since(&scene), Since::Scattered { .. }));
    scene.plan = faulty(scene.plan, FaultKind::Outage { of: Calls::default() }, span(512, 620));
    scene.happened(Act::Arm(FaultId(0)), 512, 513);
    scene.happened(Act::End(FaultId(0)), 620, 620);
    let Since::Stretch { from, to: Some(to), cue: Some(cue), .. } = since(&scene) else {
        panic!("{:?}", since(&scene))
    };
    assert_eq!((from.at, to.at, cue.ended, cue.after), (520_000_000, 610_000_000, false, 8_000_000));
}

#[test]
fn a_call_that_was_under_way_is_the_beginnings_and_not_the_ends() {
    let mut scene = scene(|n| if (100..150).contains(&n) { Hop::Nobody(2, 900) } else { Hop::Ok(1) });
    scene.plan = faulty(scene.plan, FaultKind::Outage { of: Calls::default() }, span(503, 1_000));
    scene.happened(Act::Arm(FaultId(0)), 503, 504);
    scene.happened(Act::End(FaultId(0)), 1_000, 1_001);
    let Since::Stretch { cue: Some(cue), .. } = since(&scene) else { panic!("a stretch") };
    assert_eq!((cue.ended, cue.after), (false, 0));
}

#[test]
fn seconds_are_those_of_the_stage() {
    let mut scene = scene(|n| if n >= 200 { Hop::Status(1, 503) } else { Hop::Ok(1) });
    let mut second = scene.seen.stages[0];
    second.origin = at(900);
    scene.seen.stages.push(second);
    let Since::Stretch { from, .. } = since(&scene) else { panic!("a stretch") };
    assert_eq!((from.stage, from.at), (1, 100_000_000));
}

#[test]
fn the_instance_or_the_version_that_carries_it() {
    let mut one = scene(|n| if n % 3 == 1 { Hop::Status(2, 503) } else { Hop::Ok(n as u32 % 3 + 1) });
    insta::assert_yaml_snapshot!(split(&one, succeed()), @r#"
    by: instance
    value: reviews-2
    within:
      hits: 100
      n: 100
    without:
      hits: 0
      n: 200
    unit: call
    "#);
    one.plan.topology.services[1].instances[1].version = Some(VersionName::from("v2"));
    let named = split(&one, succeed()).unwrap();
    assert_eq!((named.by, named.value.as_str()), (Attribute::Version, "reviews v2"), "what was written comes first");
    one.plan.topology.services[1].instances[1] = Instance { version: None, place: Some(Place::zone("east")), at: None };
    assert_eq!(split(&one, succeed()).unwrap().value, "zone \"east\"");
    // A claim about which version is reached says so itself.
    let reach = Outcome::Reach(target(Which::Instance(1)));
    assert_eq!(split(&one, every(calls(Phase::Whole), reach)), None);
}

#[test]
fn nothing_stands_out_where_chance_explains_it() {
    let hop =
        |n: u64| if n.is_multiple_of(10) { Hop::Status(n as u32 / 10 % 3 + 1, 503) } else { Hop::Ok(n as u32 % 3 + 1) };
    assert_eq!(split(&scene(hop), succeed()), None);
    assert_eq!(split(&scene(|_| Hop::Status(1, 503)), succeed()), None, "there are no others");
}

#[test]
fn lines_are_told_apart_by_what_their_requests_look_like() {
    let mut scene = scene(|n| if n % 2 == 1 { Hop::Status(1, 503) } else { Hop::Ok(1) });
    let lines = &mut scene.plan.timeline.stages[0].lines;
    lines[0].with = Filter { method: Some("POST".into()), ..Filter::default() };
    let mut other = lines[0].clone();
    (other.number, other.with) = (1, Filter::default());
    lines.push(other);
    scene.seen.calls.iter_mut().for_each(|call| call.line = u16::from(call.seq % 2 == 0));
    let found = split(&scene, succeed()).unwrap();
    assert_eq!(
        (found.by, found.value.as_str(), found.within.hits, found.without.hits),
        (Attribute::Method, "POST", 150, 0)
    );
    scene.plan.timeline.stages[0].lines[0].with = Filter::default();
    let origin = Origin { file: "a.feature".into(), line: 7, column: 5, length: 1 };
    scene.plan.origins.lines.insert(0, origin);
    let found = split(&scene, succeed()).unwrap();
    assert_eq!((found.by, found.value.as_str()), (Attribute::Line, "a.feature:7:5"));
}

#[test]
fn users_callers_and_numbers_of_tries() {
    let mut by_user = scene(|n| if n % 3 == 1 { Hop::Status(1, 503) } else { Hop::Ok(1) });
    by_user.seen.calls.iter_mut().for_each(|call| call.user = call.seq as u32 % 3 + 1);
    let found = split(&by_user, succeed()).unwrap();
    assert_eq!((found.by, found.value.as_str()), (Attribute::User, "user-2"));
    let mut retried = Scene::new(plan());
    retried.calls(0, 5, 100, |_| [Hop::Status(1, 503), Hop::Ok(2)]);
    let tries = every(units(Unit::Try, Which::Service), Outcome::Succeed(None));
    let found = split(&retried, tries).unwrap();
    assert_eq!((found.by, found.unit), (Attribute::Instance, Unit::Try));
    let one_instance = {
        let mut scene = Scene::new(plan());
        scene.calls(0, 5, 100, |_| [Hop::Status(1, 503), Hop::Ok(1)]);
        scene
    };
    let tries = every(units(Unit::Try, Which::Service), Outcome::Succeed(None));
    let found = split(&one_instance, tries).unwrap();
    assert_eq!((found.by, found.value.as_str()), (Attribute::Attempt, "1"));
}

#[test]
fn of_those_that_failed_all_calls_are_looked_at() {
    let scene = scene(|n| if n % 3 == 1 { Hop::Status(2, 503) } else { Hop::Ok(1) });
    let failed = Population { only: Some(Only::Failed), ..calls(Phase::Whole) };
    let told = explanation(&scene, every(failed, Outcome::TriedMoreThan(1)));
    let Some(Since::First { all, .. }) = told.since else { panic!("from the first on") };
    assert_eq!((all.hits, all.n), (100, 300));
    assert_eq!(told.split.map(|s| s.value), Some("reviews-2".into()));
}

#[test]
fn percentiles_have_bounds_and_what_never_succeeds_is_the_slowest() {
    let scene = scene(|n| match n % 100 {
        7 => Hop::Status(1, 503),
        n => Hop::Slow(1, 10 + n),
    });
    let within = every(calls(Phase::Whole), Outcome::Succeed(Some(Duration::from_millis(50))));
    let times = explanation(&scene, within).times.unwrap();
    assert_eq!((times.n, times.unanswered), (300, 3));
    let p99 = times.percentiles[2];
    assert!(matches!((p99.percent, p99.seen, p99.high), (99.0, Reading::At(_), Reading::Open)), "{p99:?}");
    assert_eq!(explanation(&scene, succeed()).times, None, "the claim is not about time");
}

#[test]
fn tries_for_each_call_and_recovery_are_told_by_their_calls() {
    let mut scene = Scene::new(plan());
    scene.calls(0, 5, 300, |n| if n >= 200 { vec![Hop::Status(1, 503), Hop::Ok(2)] } else { vec![Hop::Ok(1)] });
    let quantity =
        Quantity::Tries { target: target(Which::Service), seen_by: SeenBy::Proxy, per: Per::Call, phase: Phase::Whole };
    let amplified = ClaimKind::Total { quantity, bound: Bound { low: None, high: Some(1_200) } };
    let Some(Since::Stretch { from, to: None, within, .. }) = explanation(&scene, amplified).since else {
        panic!("a stretch")
    };
    assert_eq!((from.at, within.hits), (1_000_000_000, 100));
    let mut scene = self::scene(|n| if (100..250).contains(&n) { Hop::Status(1, 503) } else { Hop::Ok(1) });
    scene.plan = faulty(
        scene.plan,
        FaultKind::Outage { of: Calls::default() },
        When::Span { from: Duration::from_millis(500), to: Some(Duration::from_millis(800)) },
    );
    scene.happened(Act::Arm(FaultId(0)), 500, 500);
    scene.happened(Act::End(FaultId(0)), 800, 800);
    let recover = ClaimKind::Moment {
        what: Happening::Recover(Calls::default()),
        within: Duration::from_millis(100),
        of: MomentRef::FaultEnd,
    };
    let told = explanation(&scene, recover);
    assert!(matches!(told.since, Some(Since::Stretch { to: Some(to), .. }) if to.at == 1_245_000_000));
    assert_eq!(
        told.mechanism.map(|m| (m.rule, m.covers.n)),
        Some(("never_retried".into(), 69)),
        "those that came too late"
    );
}

#[test]
fn an_old_record_has_no_explanation() {
    assert!(Explanation::default().is_empty());
    let share = ClaimKind::Share {
        of: calls(Phase::Whole),
        outcome: Outcome::Succeed(None),
        bound: ShareBound::AtLeast(Fraction::percent(90)),
    };
    assert!(explanation(&scene(|_| Hop::Ok(1)), share).is_empty(), "nothing offends");
}
