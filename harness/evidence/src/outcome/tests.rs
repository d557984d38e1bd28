use super::*;
use crate::{
    Evidence, Observed,
    testing::{Hop, Scene, plan, reviews, speaking_grpc},
};
use squall_model::Side;

fn of_one(scene: &Scene) -> CallOutcome {
    let evidence = scene.evidence();
    assert_eq!(evidence.stories().len(), 1);
    evidence.stories()[0].outcome
}

/// A call whose tries end so, as its client sees the caller's proxy answer.
fn tried(hops: &[Hop]) -> CallOutcome {
    let mut scene = Scene::new(plan());
    scene.call(0, hops);
    of_one(&scene)
}

/// A call that the caller's proxy answers by itself.
fn local(status: u16, flags: &str, details: &str) -> CallOutcome {
    let mut scene = Scene::new(plan());
    scene.local(0, status, flags, details);
    of_one(&scene)
}

/// A call that ended so for its client, whatever the proxies say.
fn ended(end: ClientEnd, change: impl FnOnce(&mut Observed)) -> Evidence {
    let mut scene = Scene::new(plan());
    scene.call(0, &[Hop::Ok(1)]);
    scene.seen.calls[0].end = end;
    change(&mut scene.seen);
    scene.evidence()
}

#[test]
fn an_intact_answer_succeeds_however_it_came_about() {
    assert_eq!(tried(&[Hop::Ok(1)]), CallOutcome::Succeeded);
    assert_eq!(tried(&[Hop::Aborted(1, 503), Hop::Refused(2), Hop::Ok(3)]), CallOutcome::Succeeded);
    assert_eq!(tried(&[Hop::Status(1, 302)]), CallOutcome::Succeeded);
    // Hedging: the first try's answer is used, and the flag says that retries were exhausted.
    assert_eq!(local(200, "URX", "via_upstream"), CallOutcome::Succeeded);
    assert_eq!(tried(&[Hop::Status(1, 404)]), CallOutcome::Answered);
}

#[test]
fn what_a_proxy_turns_away_for_a_limit_is_shed() {
    assert_eq!(
        local(503, "UO", "upstream_reset_before_response_started{overflow}"),
        CallOutcome::Shed(Shedder::CircuitBreaker)
    );
    assert_eq!(local(429, "RL", "local_rate_limited"), CallOutcome::Shed(Shedder::RateLimit));
    assert_eq!(local(503, "-", "denied_by_admission_control"), CallOutcome::Shed(Shedder::AdmissionControl));
    assert_eq!(local(503, "-", "reached_concurrency_limit"), CallOutcome::Shed(Shedder::AdaptiveConcurrency));
    assert_eq!(tried(&[Hop::Limited(1)]), CallOutcome::Shed(Shedder::RateLimit));
}

#[test]
fn a_call_that_a_workload_has_seen_is_not_shed() {
    assert_eq!(tried(&[Hop::Status(1, 503), Hop::Limited(2)]), CallOutcome::Answered);
}

#[test]
fn an_overflow_with_a_try_is_a_suppressed_retry() {
    let overflowing = |hop| {
        let mut scene = Scene::new(plan());
        scene.call(0, &[hop]);
        scene.seen.access.last_mut().unwrap().flags = "UO".into();
        scene
    };
    assert_eq!(of_one(&overflowing(Hop::Status(1, 503))), CallOutcome::Answered);
    assert_eq!(of_one(&overflowing(Hop::Aborted(1, 503))), CallOutcome::Aborted);
    // The breaker may leave a line in the upstream log for what it turned away: that is no try.
    let mut scene = overflowing(Hop::Refused(1));
    scene.seen.tries[0].flags = "UO".into();
    assert_eq!(of_one(&scene), CallOutcome::Shed(Shedder::CircuitBreaker));
}

#[test]
fn who_or_what_it_is_can_be_denied_by_either_proxy() {
    assert_eq!(local(403, "-", "rbac_access_denied_matched_policy[p]"), CallOutcome::Denied);
    assert_eq!(local(504, "-", "max_duration_timeout"), CallOutcome::TimedOut);
    assert_eq!(local(401, "-", "jwt_authn_access_denied{Jwt_is_missing}"), CallOutcome::Denied);
    assert_eq!(local(403, "UAEX", "ext_authz_denied"), CallOutcome::Denied);
    assert_eq!(local(500, "RLSE", "rate_limiter_error"), CallOutcome::Denied);
    assert_eq!(tried(&[Hop::Denied(1)]), CallOutcome::Denied);
    assert_eq!(tried(&[Hop::Status(1, 403)]), CallOutcome::Answered, "the workload's own 403 is an answer");
}

#[test]
fn time_limits_of_proxies_and_clients() {
    assert_eq!(tried(&[Hop::TimedOut(1, 300)]), CallOutcome::TimedOut);
    assert_eq!(tried(&[Hop::TimedOut(1, 100), Hop::TimedOut(2, 100)]), CallOutcome::TimedOut);
    // Cut off in the middle of the body: the status is 200, the flag is not.
    let cut = ended(ClientEnd::Cut(200), |seen| seen.access.iter_mut().for_each(|l| l.flags = "UT".into()));
    assert_eq!(cut.stories()[0].outcome, CallOutcome::TimedOut);
    let gone = ended(ClientEnd::Deadline, |seen| seen.access.iter_mut().for_each(|l| l.flags = "DI,DC".into()));
    assert_eq!(gone.stories()[0].outcome, CallOutcome::TimedOut);
}

#[test]
fn refused_reset_and_unroutable() {
    assert_eq!(tried(&[Hop::Refused(1)]), CallOutcome::Refused);
    assert_eq!(tried(&[Hop::Refused(1), Hop::Refused(2)]), CallOutcome::Refused);
    assert_eq!(local(503, "UH", "no_healthy_upstream"), CallOutcome::Refused);
    assert_eq!(tried(&[Hop::Broken(1)]), CallOutcome::Reset);
    assert_eq!(local(502, "UPE", "upstream_reset_before_response_started{protocol_error}"), CallOutcome::Reset);
    assert_eq!(local(404, "NR", "route_not_found"), CallOutcome::Unroutable);
    assert_eq!(local(503, "NC", "cluster_not_found"), CallOutcome::Unroutable);
    let cut = ended(ClientEnd::Cut(200), |seen| seen.access.iter_mut().for_each(|l| l.flags = "UPE".into()));
    assert_eq!(cut.stories()[0].outcome, CallOutcome::Reset);
}

#[test]
fn without_a_word_of_a_proxy_the_clients_counts() {
    for (end, outcome) in [
        (ClientEnd::Refused, CallOutcome::Refused),
        (ClientEnd::Reset, CallOutcome::Reset),
        (ClientEnd::Garbled, CallOutcome::Reset),
        (ClientEnd::Cut(200), CallOutcome::Reset),
        (ClientEnd::Deadline, CallOutcome::TimedOut),
        (ClientEnd::Unfinished, CallOutcome::Unfinished),
        (ClientEnd::Answered(503), CallOutcome::Answered),
        (ClientEnd::Answered(204), CallOutcome::Succeeded),
    ] {
        let alone = ended(end, |seen| (seen.access.clear(), seen.tries.clear(), seen.ledger.clear()).0);
        assert_eq!(alone.stories()[0].outcome, outcome, "{end:?}");
    }
}

#[test]
fn our_own_faults_are_aborts_wherever_they_sit() {
    assert_eq!(local(503, "FI", "fault_filter_abort"), CallOutcome::Aborted);
    assert_eq!(local(503, "DI,FI", "fault_filter_abort"), CallOutcome::Aborted);
    assert_eq!(tried(&[Hop::Aborted(1, 503)]), CallOutcome::Aborted);
    assert_eq!(
        tried(&[Hop::Aborted(1, 503), Hop::Status(2, 500)]),
        CallOutcome::Answered,
        "the last try's word counts"
    );
    assert_eq!(tried(&[Hop::Status(1, 500), Hop::Aborted(2, 503)]), CallOutcome::Aborted);
}

#[test]
fn a_dead_workload_behind_a_living_proxy_is_an_answer() {
    let mut scene = Scene::new(plan());
    scene.call(0, &[Hop::Status(1, 503)]);
    let callee = scene.seen.access.iter_mut().find(|l| l.proxy.service.as_str() == "reviews").unwrap();
    (callee.flags, callee.details) = ("UF".into(), "upstream_reset_before_response_started{connection_failure}".into());
    scene.seen.ledger.clear();
    assert_eq!(of_one(&scene), CallOutcome::Answered);
}

#[test]
fn a_callee_without_a_route_makes_its_callers_unroutable() {
    let mut scene = Scene::new(plan());
    scene.call(0, &[Hop::Status(1, 404)]);
    let callee = scene.seen.access.iter_mut().find(|l| l.proxy.service.as_str() == "reviews").unwrap();
    (callee.flags, callee.details) = ("NR".into(), "route_not_found".into());
    scene.seen.ledger.clear();
    assert_eq!(of_one(&scene), CallOutcome::Unroutable);
}

#[test]
fn a_limit_at_the_caller_sheds_only_what_no_workload_saw() {
    let mut scene = Scene::new(plan());
    scene.call(0, &[Hop::Status(1, 503), Hop::Broken(2)]);
    let line = scene.seen.access.last_mut().unwrap();
    (line.flags, line.details, line.status) = ("RL".into(), "request_rate_limited".into(), 429);
    scene.seen.calls[0].end = ClientEnd::Answered(429);
    assert_eq!(of_one(&scene), CallOutcome::Answered);
}

#[test]
fn tries_end_by_the_same_words() {
    let mut scene = Scene::new(plan());
    let hops = [
        (Hop::Ok(1), CallOutcome::Succeeded),
        (Hop::Status(1, 500), CallOutcome::Answered),
        (Hop::Aborted(1, 503), CallOutcome::Aborted),
        (Hop::Limited(1), CallOutcome::Shed(Shedder::RateLimit)),
        (Hop::Denied(1), CallOutcome::Denied),
        (Hop::Refused(1), CallOutcome::Refused),
        (Hop::TimedOut(1, 100), CallOutcome::TimedOut),
        (Hop::Broken(1), CallOutcome::Reset),
    ];
    scene.call(0, &hops.map(|(hop, _)| hop));
    let evidence = scene.evidence();
    let outcomes: Vec<_> = evidence.tries(&evidence.stories()[0]).map(|t| t.outcome()).collect();
    assert_eq!(outcomes, hops.map(|(_, outcome)| outcome));
}

#[test]
fn an_answer_that_broke_off_in_the_midst_is_none() {
    let mut scene = Scene::new(plan());
    scene.call(0, &[Hop::Ok(1)]);
    for (flags, outcome) in [("UPE", CallOutcome::Reset), ("UT", CallOutcome::TimedOut), ("-", CallOutcome::Succeeded)]
    {
        scene.seen.tries[0].flags = flags.into();
        let evidence = scene.evidence();
        assert_eq!(evidence.tries(&evidence.stories()[0]).next().unwrap().outcome(), outcome, "{flags}");
    }
}

fn grpc(hops: &[Hop]) -> Scene {
    let mut scene = Scene::new(speaking_grpc(plan()));
    scene.call(0, hops);
    scene
}

/// Each with how the call ends, and its last try; proxies answer nearly all of them with status 200.
fn ends_of_grpc() -> [(Hop, CallOutcome); 11] {
    [
        (Hop::Ok(1), CallOutcome::Succeeded),
        (Hop::Grpc(1, GrpcStatus::NotFound), CallOutcome::Answered),
        (Hop::Grpc(1, GrpcStatus::Unavailable), CallOutcome::Answered),
        (Hop::Status(1, 503), CallOutcome::Answered),
        (Hop::Aborted(1, 503), CallOutcome::Aborted),
        (Hop::Limited(1), CallOutcome::Shed(Shedder::RateLimit)),
        (Hop::Denied(1), CallOutcome::Denied),
        (Hop::Refused(1), CallOutcome::Refused),
        (Hop::TimedOut(1, 100), CallOutcome::TimedOut),
        (Hop::Unanswered(1, 100), CallOutcome::TimedOut),
        (Hop::Broken(1), CallOutcome::Reset),
    ]
}

#[test]
fn calls_and_tries_of_grpc_end_by_the_same_words() {
    for (hop, outcome) in ends_of_grpc() {
        let scene = grpc(&[hop]);
        assert!(matches!(scene.seen.calls[0].end, ClientEnd::Grpc(_)));
        assert_eq!(of_one(&scene), outcome, "{hop:?}");
        let evidence = scene.evidence();
        assert_eq!(evidence.tries(&evidence.stories()[0]).next().unwrap().outcome(), outcome, "{hop:?}");
        assert_eq!(of_one(&grpc(&[Hop::Aborted(2, 500), hop])), outcome, "{hop:?}, the second time");
    }
}

#[test]
fn what_the_callers_proxy_does_to_a_call_of_grpc_is_told_by_its_flags_and_details() {
    for (status, flags, details, outcome) in [
        (503, "UO", "upstream_reset_before_response_started{overflow}", CallOutcome::Shed(Shedder::CircuitBreaker)),
        (429, "RL", "local_rate_limited", CallOutcome::Shed(Shedder::RateLimit)),
        (504, "UT", "response_timeout", CallOutcome::TimedOut),
        (503, "UH", "no_healthy_upstream", CallOutcome::Refused),
        (404, "NR", "route_not_found", CallOutcome::Unroutable),
        (503, "FI", "fault_filter_abort", CallOutcome::Aborted),
        (403, "-", "some_filter_denied", CallOutcome::Denied),
        (401, "-", "some_filter_denied", CallOutcome::Denied),
    ] {
        let mut scene = Scene::new(speaking_grpc(plan()));
        scene.local(0, status, flags, details);
        assert_eq!(scene.seen.access.last().unwrap().status, 200, "as Envoy answers");
        assert_eq!(of_one(&scene), outcome, "{flags} {details}");
    }
}

#[test]
fn status_200_without_a_status_of_grpc_is_no_success() {
    let mut scene = grpc(&[Hop::Ok(1)]);
    scene.seen.calls[0].end = ClientEnd::Grpc(GrpcStatus::Unknown);
    scene.seen.access.iter_mut().for_each(|l| l.grpc = None);
    scene.seen.tries.iter_mut().for_each(|t| t.grpc = None);
    scene.seen.ledger.iter_mut().for_each(|(_, l)| l.grpc = None);
    assert_eq!(of_one(&scene), CallOutcome::Answered);
    let evidence = scene.evidence();
    let t = evidence.tries(&evidence.stories()[0]).next().unwrap();
    assert_eq!(t.answer(), Some(squall_model::AnswerCode::Grpc(GrpcStatus::Unknown)));
    assert_eq!(t.outcome(), CallOutcome::Answered);
}

#[test]
fn the_answer_that_was_passed_on_is_known_by_its_status_of_grpc() {
    // Hedging: the first try's answer is used.
    let mut scene = grpc(&[Hop::Ok(1), Hop::Grpc(2, GrpcStatus::Unavailable)]);
    let line = scene.seen.access.iter_mut().rfind(|l| l.side == Side::Outbound).unwrap();
    line.grpc = Some(GrpcStatus::Ok);
    let evidence = scene.evidence();
    assert_eq!(evidence.reached(&evidence.stories()[0]), Some(&reviews(1)));
    // The second try's abort is passed on, not the first one's answer.
    let aborted = grpc(&[Hop::Grpc(1, GrpcStatus::Internal), Hop::Aborted(2, 503)]);
    assert_eq!(of_one(&aborted), CallOutcome::Aborted);
    let mut first = grpc(&[Hop::Grpc(1, GrpcStatus::Internal), Hop::Aborted(2, 503)]);
    let line = first.seen.access.iter_mut().rfind(|l| l.side == Side::Outbound).unwrap();
    line.grpc = Some(GrpcStatus::Internal);
    assert_eq!(of_one(&first), CallOutcome::Answered);
}

#[test]
fn what_never_came_back_has_no_status() {
    let scene = grpc(&[Hop::Unanswered(1, 50)]);
    let evidence = scene.evidence();
    let t = evidence.tries(&evidence.stories()[0]).next().unwrap();
    assert_eq!(t.arrived.unwrap().grpc, Some(GrpcStatus::Ok));
    assert_eq!((t.status(), t.grpc(), t.answer()), (0, None, None));
}
