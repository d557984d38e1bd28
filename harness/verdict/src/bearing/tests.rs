use super::*;
use crate::testing::{calls, every};
use squall_evidence::testing::{Hop, Scene, calls_to, claiming, damage, plan, target, web};
use squall_model::{CounterRecord, Members, Part, Phase, Policy, PolicyId, RetryOn, When, Which};

fn scene() -> Scene {
    let mut scene = Scene::new(plan());
    scene.calls(0, 10, 5, |_| vec![Hop::Status(1, 503), Hop::Ok(2)]);
    scene.local(60, 503, "UO", "upstream_reset_before_response_started{overflow}");
    scene.seen.counters = scene.observed().counters;
    scene.seen.counters.push(CounterRecord {
        proxy: web(),
        rises: [
            ("cluster.out.reviews.upstream_rq_timeout".to_owned(), 2),
            ("cluster.out.reviews.upstream_rq_retry_success".to_owned(), 0),
            ("cluster.out.reviews.internal_upstream_rq_total".to_owned(), 3),
            ("cluster.out.details.upstream_rq_total".to_owned(), 3),
            ("cluster.out.reviews.v2.upstream_rq_total".to_owned(), 4),
            ("http.in.fault.aborts_injected".to_owned(), 5),
            ("server.uptime".to_owned(), 6),
        ]
        .into(),
    });
    scene
}

fn names(plan: &Plan, outcome: Outcome) -> Vec<String> {
    let plan = claiming(plan.clone(), every(calls(Phase::Whole), outcome));
    let found = bearing(&plan, &plan.claims[0], &scene().evidence());
    found.into_iter().map(|(proxy, name, rise)| format!("{proxy} {name} {rise}")).collect()
}

const BASE: [&str; 3] = [
    "web-1 cluster.out.reviews.upstream_rq_total 10",
    "web-1 cluster.out.reviews.v2.upstream_rq_total 4",
    "web-1 http.in.fault.aborts_injected 5",
];

fn with(more: &[&str]) -> Vec<String> {
    let mut all: Vec<String> = BASE.iter().chain(more).map(|s| (*s).to_owned()).collect();
    all.sort();
    all
}

#[test]
fn counters_are_chosen_by_what_is_claimed() {
    assert_eq!(names(&plan(), Outcome::Succeed(None)), with(&[]));
    assert_eq!(names(&plan(), Outcome::TimeOut), with(&["web-1 cluster.out.reviews.upstream_rq_timeout 2"]));
    assert_eq!(names(&plan(), Outcome::Retried), with(&["web-1 cluster.out.reviews.upstream_rq_retry 5"]));
    assert_eq!(names(&plan(), Outcome::Shed(None)), with(&["web-1 cluster.out.reviews.upstream_rq_active_overflow 1"]));
}

/// The counters of these names, as a caller's proxy has them of its cluster.
fn counted(plan: &Plan, kind: ClaimKind, counters: &[&str]) -> Vec<String> {
    let plan = claiming(plan.clone(), kind);
    let mut scene = Scene::new(plan.clone());
    let rises = counters.iter().map(|name| (format!("cluster.out.reviews.{name}"), 1)).collect();
    scene.seen.counters.push(CounterRecord { proxy: web(), rises });
    let found = bearing(&plan, &plan.claims[0], &scene.evidence());
    found.into_iter().map(|(_, name, _)| name.trim_start_matches("cluster.out.reviews.").to_owned()).collect()
}

const ALL: [&str; 8] = [
    "health_check.failure",
    "lb_healthy_panic",
    "membership_change",
    "outlier_detection.ejections_enforced_total",
    "upstream_cx_connect_timeout",
    "upstream_cx_destroy_remote_with_active_rq",
    "upstream_rq_retry",
    "upstream_rq_timeout",
];

#[test]
fn the_counters_of_a_state_bear_on_what_is_claimed_of_it() {
    let state = |is| {
        let what = State { is, of: target(Which::Instance(1)) };
        counted(&plan(), ClaimKind::State { what, ever: true, phase: Phase::Whole }, &ALL)
    };
    assert_eq!(state(Condition::Ejected), ["lb_healthy_panic", "outlier_detection.ejections_enforced_total"]);
    assert_eq!(state(Condition::Healthy), ["health_check.failure", "lb_healthy_panic"]);
    assert_eq!(state(Condition::Unhealthy), state(Condition::Healthy));
}

#[test]
fn the_counters_of_a_fault_bear_on_every_claim() {
    let faulty = |does| {
        let plan = squall_evidence::testing::faulty(plan(), does, When::Standing);
        counted(&plan, every(calls(Phase::Whole), Outcome::Succeed(None)), &ALL)
    };
    let connections = ["upstream_cx_connect_timeout", "upstream_cx_destroy_remote_with_active_rq"];
    assert_eq!(faulty(damage(Which::Service, Damage::Refuse)), connections);
    assert_eq!(faulty(FaultKind::Outage { of: calls_to(Which::Service) }), connections);
    let silent = [connections[0], connections[1], "upstream_rq_timeout"];
    assert_eq!(faulty(damage(Which::Service, Damage::Cut)), silent);
    assert_eq!(faulty(damage(Which::Service, Damage::SwallowAnswers)), silent);
    let of = || Members::Of(target(Which::Instance(1)));
    assert_eq!(faulty(FaultKind::Down { how: Down::Paused, part: Part::Proxy, of: of() }), silent);
    assert_eq!(faulty(FaultKind::Down { how: Down::Killed, part: Part::Proxy, of: of() }), connections);
    let resized = FaultKind::Resized { service: "reviews".into(), to: 4 };
    assert_eq!(faulty(resized), ["lb_healthy_panic", "membership_change"]);
}

#[test]
fn the_counters_of_a_policy_bear_on_every_claim() {
    let mut plan = plan();
    let says = PolicyKind::Retries {
        of: calls_to(Which::Service),
        up_to: 1,
        on: vec![RetryOn::FiveHundreds],
        elsewhere: false,
    };
    plan.policies.push(Policy { id: PolicyId(0), own: true, says });
    assert_eq!(names(&plan, Outcome::Succeed(None)), with(&["web-1 cluster.out.reviews.upstream_rq_retry 5"]));
}

#[test]
fn the_counters_of_the_policies_on_instances_bear_on_every_claim() {
    let with = |says| {
        let mut plan = plan();
        plan.policies.push(Policy { id: PolicyId(0), own: true, says });
        counted(&plan, every(calls(Phase::Whole), Outcome::Succeed(None)), &ALL)
    };
    let (of, over) = ("reviews".into(), std::time::Duration::from_secs(1));
    assert_eq!(with(PolicyKind::WarmUp { of, over }), ["lb_healthy_panic", "membership_change"]);
    let prefer = PolicyKind::Prefer { of: calls_to(Which::Service), places: Vec::new() };
    assert_eq!(with(prefer), ["health_check.failure", "lb_healthy_panic"]);
    assert_eq!(with(PolicyKind::KeepDeadline { of: calls_to(Which::Service) }), ["upstream_rq_timeout"]);
}
