use super::*;
use crate::testing::{Hop, PREFIX, Scene, at, plan, reviews, speaking_grpc, web};
use proptest::prelude::*;
use squall_model::{CallRecord, GrpcStatus};

/// Everything that a story says, free of the order in which its records came.
fn told(evidence: &Evidence) -> Vec<String> {
    let of = |s: &CallStory| {
        let tries: Vec<_> =
            evidence.tries(s).map(|t| format!("{}:{:?}:{:?}:{:?}", t.attempt, t.sent, t.arrived, t.served)).collect();
        let line = evidence.line(s);
        let head = format!("{} {:?} {:?} {:?} {:?} {}", evidence.id(s), s.outcome, s.grade, line, s.met, s.resolved);
        format!("{head} {} {tries:?}", s.edge)
    };
    evidence.stories().iter().map(of).collect()
}

#[test]
fn one_call_with_three_tries_is_one_story() {
    let mut scene = Scene::new(plan());
    scene.call(10, &[Hop::Aborted(1, 503), Hop::Refused(2), Hop::Ok(3)]);
    let evidence = scene.evidence();
    let story = &evidence.stories()[0];
    assert_eq!(story.grade, Grade::Exact);
    assert_eq!(evidence.line(story).unwrap().attempts, 3);
    let tries: Vec<_> = evidence.tries(story).collect();
    let seen: Vec<_> =
        tries.iter().map(|t| (t.attempt, t.instance().cloned(), t.arrived.is_some(), t.served.is_some())).collect();
    assert_eq!(
        seen,
        [(1, Some(reviews(1)), true, false), (2, Some(reviews(2)), false, false), (3, Some(reviews(3)), true, true)]
    );
    assert_eq!(evidence.reached(story), Some(&reviews(3)));
    assert_eq!(evidence.id(story), format!("{PREFIX}0"));
}

#[test]
fn the_instance_that_answered_is_that_of_the_answer_passed_on() {
    let mut scene = Scene::new(plan());
    scene.call(0, &[Hop::Ok(1), Hop::TimedOut(2, 10)]);
    scene.seen.access.last_mut().unwrap().status = 200;
    let evidence = scene.evidence();
    assert_eq!(evidence.reached(&evidence.stories()[0]), Some(&reviews(1)), "hedging");
    let mut refused = Scene::new(plan());
    refused.call(0, &[Hop::Refused(2)]);
    let evidence = refused.evidence();
    assert_eq!(evidence.reached(&evidence.stories()[0]), None);
}

#[test]
fn a_client_is_answered_by_an_instance_only_if_its_very_answer_came_through() {
    let by = |hops: &[Hop], end: Option<ClientEnd>| {
        let mut scene = Scene::new(plan());
        scene.call(0, hops);
        scene.seen.calls[0].end = end.unwrap_or(scene.seen.calls[0].end);
        let evidence = scene.evidence();
        evidence.answered_by(&evidence.stories()[0]).cloned()
    };
    assert_eq!(by(&[Hop::Status(1, 503), Hop::Ok(2)], None), Some(reviews(2)));
    assert_eq!(by(&[Hop::Aborted(1, 503)], None), Some(reviews(1)), "its proxy answered for it");
    // The caller's proxy made the second 503 itself: it is not the first one's answer.
    assert_eq!(by(&[Hop::Status(1, 503), Hop::Refused(2)], None), None);
    assert_eq!(by(&[Hop::TimedOut(1, 10)], None), None);
    assert_eq!(by(&[Hop::Ok(1)], Some(ClientEnd::Cut(200))), None);
}

#[test]
fn stories_come_in_order_of_intended_send() {
    let mut scene = Scene::new(plan());
    scene.calls(0, 5, 20, |_| [Hop::Ok(1)]);
    scene.seen.calls.reverse();
    let evidence = scene.evidence();
    let seqs: Vec<_> = evidence.stories().iter().map(|s| s.seq).collect();
    assert_eq!(seqs, (0..20).collect::<Vec<_>>());
}

#[test]
fn what_is_missing_shows_in_the_grade() {
    let mut scene = Scene::new(plan());
    scene.call(0, &[Hop::Ok(1)]);
    let grade = |change: fn(&mut Observed)| {
        let mut seen = scene.observed();
        change(&mut seen);
        join(&scene.plan, seen).stories()[0].grade
    };
    assert_eq!(grade(|_| ()), Grade::Exact);
    assert_eq!(grade(|seen| seen.ledger.clear()), Grade::Partial);
    assert_eq!(grade(|seen| seen.tries.clear()), Grade::Partial);
    assert_eq!(grade(|seen| seen.access.retain(|l| l.side == Side::Outbound)), Grade::Partial);
    assert_eq!(grade(|seen| seen.access.retain(|l| l.side == Side::Inbound)), Grade::Partial);
    let nothing = |seen: &mut Observed| (seen.access.clear(), seen.tries.clear(), seen.ledger.clear()).0;
    assert_eq!(grade(nothing), Grade::ClientOnly);
}

#[test]
fn ids_of_others_are_left_out_and_ours_without_a_call_are_strays() {
    let mut scene = Scene::new(plan());
    scene.call(0, &[Hop::Ok(1)]);
    scene.call(5, &[Hop::Ok(2)]);
    scene.seen.calls.pop();
    for line in scene.seen.access.clone() {
        let id = format!("settle-{}", line.id);
        scene.seen.access.push(AccessRecord { id, ..line });
    }
    scene.seen.access.push(AccessRecord { id: format!("{PREFIX}0-shadow.ratings.1"), ..scene.seen.access[0].clone() });
    let evidence = scene.evidence();
    let Strays { access, tries, ledger, calls } = evidence.strays();
    assert_eq!((access.len(), tries.len(), ledger.len(), calls.len()), (2, 1, 1, 0));
}

#[test]
fn mirrored_copies_are_no_tries() {
    let mut scene = Scene::new(plan());
    scene.call(0, &[Hop::Ok(1)]);
    let (instance, mut line) = scene.seen.ledger[0].clone();
    line.copy = true;
    scene.seen.ledger.push((instance, line));
    let evidence = scene.evidence();
    assert_eq!(evidence.tries(&evidence.stories()[0]).count(), 1);
    assert!(evidence.strays().ledger.is_empty());
}

#[test]
fn an_onward_call_is_a_story_of_its_own() {
    let mut scene = Scene::new(plan());
    let seq = scene.call(0, &[Hop::Ok(2)]);
    let id = scene.onward(seq, 1, 2, 1);
    let evidence = scene.evidence();
    let onward = &evidence.stories()[1];
    assert_eq!((evidence.id(onward), onward.origin), (id, Origin::Onward(seq)));
    assert_eq!((onward.edge.to_string(), onward.grade), ("reviews → ratings".to_owned(), Grade::Exact));
    assert_eq!(onward.outcome, CallOutcome::Succeeded);
    assert_eq!(evidence.tries(&evidence.stories()[0]).count(), 1, "its tries are not its parent's");
}

#[test]
fn an_onward_call_of_grpc_ends_by_its_status_of_grpc() {
    let end = |grpc: Option<GrpcStatus>, status: u16| {
        let mut plan = plan();
        let mut ratings = squall_model::Service::new("ratings".into());
        ratings.protocol = Protocol::Grpc;
        plan.topology.services.push(ratings);
        let mut scene = Scene::new(plan);
        let seq = scene.call(0, &[Hop::Ok(2)]);
        let id = scene.onward(seq, 1, 2, 1);
        let line = scene.seen.access.iter_mut().find(|l| l.id == id && l.side == Side::Outbound).unwrap();
        (line.grpc, line.status) = (grpc, status);
        let evidence = scene.evidence();
        (evidence.stories()[1].end, evidence.stories()[1].outcome)
    };
    assert_eq!(end(Some(GrpcStatus::Ok), 200), (ClientEnd::Grpc(GrpcStatus::Ok), CallOutcome::Succeeded));
    assert_eq!(end(Some(GrpcStatus::Internal), 200), (ClientEnd::Grpc(GrpcStatus::Internal), CallOutcome::Answered));
    assert_eq!(end(None, 503), (ClientEnd::Grpc(GrpcStatus::Unavailable), CallOutcome::Answered));
    assert_eq!(end(None, 0), (ClientEnd::Reset, CallOutcome::Reset));
}

#[test]
fn a_line_twice_is_one_too_many() {
    let mut scene = Scene::new(plan());
    scene.call(0, &[Hop::Ok(1)]);
    let twice = scene.seen.access.iter().find(|l| l.side == Side::Outbound).unwrap().clone();
    scene.seen.access.push(AccessRecord { began: twice.began + std::time::Duration::from_millis(1), ..twice });
    assert_eq!(scene.evidence().strays().access, [2]);
}

#[test]
fn a_call_is_met_by_the_first_proxy_that_can_hold_it() {
    let mut scene = Scene::new(plan());
    scene.call(0, &[Hop::Ok(1)]);
    scene.call(10, &[Hop::Ok(1)]);
    let held = scene.seen.access.iter_mut().filter(|l| l.side == Side::Outbound).nth(1).unwrap();
    held.flags = "DI".into();
    let evidence = scene.evidence();
    let [free, held] = evidence.stories() else { panic!("two calls") };
    assert_eq!(free.met, evidence.tries(free).next().unwrap().arrived.unwrap().began);
    assert_eq!(held.met, evidence.line(held).unwrap().began);
    assert!(evidence.line(held).unwrap().proxy == web());
}

#[test]
fn a_run_under_way_is_settled_up_to_the_oldest_unresolved_call() {
    let mut scene = Scene::new(plan());
    scene.calls(0, 5, 10, |_| [Hop::Ok(1)]);
    let settled = |change: &dyn Fn(&mut Observed)| {
        let mut seen = scene.observed();
        seen.quiet = false;
        change(&mut seen);
        join(&scene.plan, seen).settled().len()
    };
    assert_eq!(settled(&|_| ()), 10);
    assert_eq!(settled(&|seen| seen.unresolved_from = Some(at(20))), 4);
    let id = format!("{PREFIX}2");
    assert_eq!(settled(&|seen| seen.ledger.retain(|(_, l)| l.id != id)), 2, "the ledger");
    assert_eq!(settled(&|seen| seen.tries.retain(|t| t.id != id)), 2, "the upstream log");
    assert_eq!(settled(&|seen| seen.access.retain(|l| l.id != id || l.side == Side::Inbound)), 2, "the caller's line");
    assert_eq!(settled(&|seen| seen.access.retain(|l| l.id != id || l.side == Side::Outbound)), 2, "the callee's line");
}

#[test]
fn observations_survive_a_file() {
    let mut scene = Scene::new(plan());
    scene.calls(0, 5, 3, |n| [Hop::Aborted(1, 503), Hop::Ok(n as u32 + 1)]);
    scene.stood(0);
    scene.killed(reviews(1), crate::Process::Proxy, 3);
    let seen = scene.observed();
    let text = serde_json::to_string(&seen).unwrap();
    assert_eq!(serde_json::from_str::<Observed>(&text).unwrap(), seen);
}

#[test]
fn numbers_far_apart_are_found_too() {
    let mut scene = Scene::new(plan());
    scene.call(0, &[Hop::Ok(1)]);
    let far = CallRecord { seq: u64::MAX, intended: at(1), ..scene.seen.calls[0].clone() };
    scene.seen.calls.push(far);
    let id = format!("{PREFIX}{}", u64::MAX);
    let lines: Vec<_> = scene.seen.access.iter().map(|l| AccessRecord { id: id.clone(), ..l.clone() }).collect();
    scene.seen.access.extend(lines);
    let evidence = scene.evidence();
    assert!(evidence.strays().access.is_empty());
    assert_eq!(evidence.line(&evidence.stories()[1]).unwrap().id, id);
}

fn hop() -> impl Strategy<Value = Hop> {
    let instance = 1u32..=3;
    prop_oneof![
        instance.clone().prop_map(Hop::Ok),
        instance.clone().prop_map(|n| Hop::Status(n, 503)),
        instance.clone().prop_map(|n| Hop::Aborted(n, 503)),
        instance.clone().prop_map(|n| Hop::Delayed(n, 20)),
        instance.clone().prop_map(Hop::Limited),
        instance.clone().prop_map(Hop::Refused),
        instance.clone().prop_map(|n| Hop::TimedOut(n, 10)),
        instance.clone().prop_map(|n| Hop::Unheard(n, 10)),
        instance.clone().prop_map(|n| Hop::Unanswered(n, 10)),
        instance.clone().prop_map(|n| Hop::Nobody(n, 10)),
        instance.clone().prop_map(|n| Hop::Grpc(n, GrpcStatus::Unavailable)),
        instance.prop_map(Hop::Broken),
    ]
}

fn calls() -> impl Strategy<Value = Vec<Vec<Hop>>> {
    prop::collection::vec(prop::collection::vec(hop(), 1..4), 1..30)
}

proptest! {
    #[test]
    fn the_order_of_records_does_not_matter(calls in calls(), turn in 0usize..40, reverse: bool) {
        let mut scene = Scene::new(plan());
        scene.calls(0, 2, calls.len() as u64, |n| calls[n as usize].clone());
        let straight = scene.evidence();
        let mut seen = scene.observed();
        macro_rules! stir {
            ($($records:expr),*) => {$(
                let turn = turn % $records.len().max(1);
                $records.rotate_left(turn);
                if reverse { $records.reverse(); }
            )*};
        }
        stir!(seen.calls, seen.access, seen.tries, seen.ledger, seen.counters);
        let stirred = join(&scene.plan, seen);
        prop_assert_eq!(told(&straight), told(&stirred));
        prop_assert_eq!(crate::balances(&scene.plan, &straight), crate::balances(&scene.plan, &stirred));
    }

    #[test]
    fn every_record_of_a_whole_run_finds_its_call(calls in calls(), grpc: bool) {
        let mut scene = Scene::new(if grpc { speaking_grpc(plan()) } else { plan() });
        scene.calls(0, 2, calls.len() as u64, |n| calls[n as usize].clone());
        let evidence = scene.evidence();
        prop_assert_eq!(evidence.strays(), &Strays::default());
        prop_assert!(evidence.stories().iter().all(|s| s.grade == Grade::Exact), "{:?}", told(&evidence));
        let tries: usize = evidence.stories().iter().map(|s| evidence.tries(s).count()).sum();
        prop_assert_eq!(tries, calls.iter().map(Vec::len).sum::<usize>());
        let whose = |b: &crate::Balance| !matches!(b.law, crate::LawId::FaultOwned);
        let broken: Vec<_> = crate::balances(&scene.plan, &evidence).into_iter().filter(whose).filter(|b| b.finding == crate::Books::Broken).collect();
        prop_assert!(broken.is_empty(), "{broken:?}");
    }
}
