use super::*;
use crate::testing::{calls, every};
use squall_evidence::testing::{Hop, Scene, calls_to, claiming, plan, web};
use squall_model::{CounterRecord, Phase, Policy, PolicyId, RetryOn, Which};

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
