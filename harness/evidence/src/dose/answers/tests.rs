use crate::{
    dose::tests::dose,
    doses,
    testing::{Hop, Scene, WORK, faulty, plan, speaking_grpc, target},
};
use squall_model::{Act, AnswerCode, Answers, Condition, Dose, FaultId, FaultKind, GrpcStatus, Latency, When, Which};
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

/// Twenty calls while instance 1 is to answer so.
fn answering(how: Answers, hops: [Hop; 2]) -> Scene {
    let of = target(Which::Instance(1));
    let mut scene = Scene::new(faulty(plan(), FaultKind::Answers { of, how }, When::Standing));
    scene.stood(0);
    scene.calls(0, 10, 20, |n| [hops[n as usize % 2]]);
    scene
}

#[test]
fn answers_are_counted_in_the_ledger() {
    let slow = Answers::In(Duration::from_millis(100));
    let table = [
        (Answers::With(AnswerCode::Status(503)), [Hop::Status(1, 503), Hop::Ok(2)], (Dose::Confirmed, 10, 10)),
        (Answers::With(AnswerCode::Status(503)), [Hop::Status(1, 503), Hop::Ok(1)], (Dose::Weaker, 10, 20)),
        (Answers::With(AnswerCode::Status(503)), [Hop::Ok(1), Hop::Ok(1)], (Dose::Absent, 0, 20)),
        (Answers::With(AnswerCode::Status(503)), [Hop::Ok(2), Hop::Ok(3)], (Dose::Absent, 0, 0)),
        (slow, [Hop::Slow(1, 100), Hop::Ok(3)], (Dose::Confirmed, 10, 10)),
        // Its caller gave up on it: that shows nothing against the fault.
        (slow, [Hop::TimedOut(1, 30), Hop::Slow(1, 120)], (Dose::Confirmed, 20, 20)),
        (slow, [Hop::Slow(1, 100), Hop::Slow(1, 90)], (Dose::Weaker, 10, 20)),
    ];
    for (how, hops, expected) in table {
        assert_eq!(dose(&answering(how, hops)), expected, "{how:?} {hops:?}");
    }
}

#[test]
fn a_check_that_fails_at_once_shows_a_bad_answer_that_no_try_saw() {
    let checked = |how| {
        let mut scene = answering(how, [Hop::Ok(2), Hop::Ok(3)]);
        scene.told(1, Condition::Unhealthy, true, 15);
        scene.told(2, Condition::Unhealthy, true, 15);
        dose(&scene)
    };
    assert_eq!(checked(Answers::With(AnswerCode::Status(503))), (Dose::Confirmed, 1, 1));
    assert_eq!(checked(Answers::With(AnswerCode::Status(200))), (Dose::Absent, 0, 0), "a check passes on a good one");
    assert_eq!(checked(Answers::In(50 * MS)), (Dose::Absent, 0, 0));
}

#[test]
fn answers_of_grpc_are_told_by_their_own_status() {
    let unavailable = Answers::With(AnswerCode::Grpc(GrpcStatus::Unavailable));
    let after = Answers::After { status: GrpcStatus::DataLoss, messages: 1 };
    let grpc = |how, hop| {
        let mut scene = answering(how, [Hop::Ok(2), Hop::Ok(2)]);
        scene.plan = speaking_grpc(scene.plan);
        scene.calls(500, 10, 20, |_| [hop]);
        dose(&scene).0
    };
    assert_eq!(grpc(unavailable, Hop::Grpc(1, GrpcStatus::Unavailable)), Dose::Confirmed);
    assert_eq!(grpc(unavailable, Hop::Grpc(1, GrpcStatus::Internal)), Dose::Absent);
    assert_eq!(grpc(after, Hop::Grpc(1, GrpcStatus::DataLoss)), Dose::Confirmed);
    assert_eq!(grpc(after, Hop::Ok(1)), Dose::Absent);
}

#[test]
fn answers_at_once_take_less_than_the_topology_says() {
    let quick = Hop::Slow(1, 0);
    let table = [
        ([quick, quick], (Dose::Confirmed, 20, 20)),
        // A stall of the machine here and there.
        ([quick, Hop::Ok(2)], (Dose::Confirmed, 10, 10)),
        ([Hop::Ok(1), Hop::Ok(1)], (Dose::Absent, 0, 20)),
        ([Hop::Ok(2), Hop::Ok(2)], (Dose::Absent, 0, 0)),
        ([Hop::TimedOut(1, 1), Hop::Ok(2)], (Dose::Absent, 0, 0)),
    ];
    for (hops, expected) in table {
        assert_eq!(dose(&answering(Answers::AtOnce, hops)), expected, "{hops:?}");
    }
    let mut stalled = answering(Answers::AtOnce, [quick, Hop::Ok(2)]);
    stalled.calls(300, 10, 9, |_| [Hop::Slow(1, 200)]);
    assert_eq!(dose(&stalled), (Dose::Confirmed, 10, 19));
    stalled.calls(500, 10, 1, |_| [Hop::Slow(1, 200)]);
    assert_eq!(dose(&stalled), (Dose::Weaker, 10, 20), "half of them are no longer a stall");
}

#[test]
fn answers_as_before_take_as_long_as_the_topology_says_and_are_good() {
    let quick = Hop::Slow(1, 0);
    let table = [
        ([Hop::Ok(1), Hop::Ok(1)], (Dose::Confirmed, 20, 20)),
        ([Hop::Ok(1), Hop::Slow(1, 300)], (Dose::Confirmed, 20, 20)),
        ([quick, quick], (Dose::Weaker, 0, 20)),
        ([Hop::Ok(1), Hop::Status(1, 503)], (Dose::Weaker, 10, 20)),
        ([Hop::Ok(2), Hop::Ok(2)], (Dose::Absent, 0, 0)),
    ];
    for (hops, expected) in table {
        assert_eq!(dose(&answering(Answers::AsBefore, hops)), expected, "{hops:?}");
    }
}

/// Of so many answers so many took less than the median.
fn drawn(how: Answers, faster: u64, of: u64) -> Dose {
    let mut scene = answering(how, [Hop::Ok(2), Hop::Ok(2)]);
    let native = Latency::Uniform { from: Duration::ZERO, to: 20 * MS };
    scene.plan.topology.service_mut(&"reviews".into()).unwrap().latency = native;
    scene.calls(300, 1, of, |n| if n < faster { [Hop::Slow(1, 1)] } else { [Hop::Slow(1, 15)] });
    dose(&scene).0
}

#[test]
fn of_a_drawn_latency_half_the_draws_are_faster_by_chance() {
    assert_eq!(drawn(Answers::AtOnce, 100, 100), Dose::Confirmed);
    assert_eq!(drawn(Answers::AtOnce, 55, 100), Dose::Weaker, "as by chance");
    assert_eq!(drawn(Answers::AtOnce, 5, 5), Dose::Weaker, "too few to tell");
    assert_eq!(drawn(Answers::AsBefore, 55, 100), Dose::Confirmed);
    assert_eq!(drawn(Answers::AsBefore, 45, 100), Dose::Confirmed);
    assert_eq!(drawn(Answers::AsBefore, 100, 100), Dose::Weaker);
}

#[test]
fn a_service_that_answers_at_once_anyway_shows_nothing_against_it() {
    let mut scene = answering(Answers::AtOnce, [Hop::Ok(1), Hop::Ok(1)]);
    scene.plan.topology.service_mut(&"reviews".into()).unwrap().latency = Latency::Fixed(Duration::ZERO);
    assert_eq!(dose(&scene), (Dose::Confirmed, 20, 20));
    assert!(WORK > Duration::ZERO);
}

#[test]
fn a_later_answer_replaces_the_earlier_in_its_own_aspect() {
    let answers = |how| FaultKind::Answers { of: target(Which::Every), how };
    let two = |second: Answers| {
        let plan = faulty(plan(), answers(Answers::With(AnswerCode::Status(503))), When::Standing);
        let mut scene = Scene::new(faulty(plan, answers(second), When::At(Duration::from_millis(100))));
        scene.stood(0);
        scene.happened(Act::Arm(FaultId(1)), 100, 101);
        scene.calls(0, 10, 10, |_| [Hop::Status(1, 503)]);
        scene.calls(110, 10, 10, |_| [Hop::Status(1, 500)]);
        doses(&scene.plan, &scene.evidence()).into_iter().map(|d| (d.dose, d.touched, d.of)).collect::<Vec<_>>()
    };
    assert_eq!(two(Answers::With(AnswerCode::Status(500))), [(Dose::Confirmed, 10, 10), (Dose::Confirmed, 10, 10)]);
    assert_eq!(two(Answers::AsBefore)[0], (Dose::Confirmed, 10, 10));
    assert_eq!(two(Answers::AtOnce)[0], (Dose::Weaker, 10, 20), "latency is another aspect");
}
