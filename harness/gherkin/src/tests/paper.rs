//! Features of the language as they were tried on paper, those whose sentences are all built: they compile without a
//! mistake, and their control runs are what the comments above them say.

use super::support::{compiled, told};
use squall_model::{PolicyId, Variation, controls};

/// The scenarios of a feature in order, each with the control runs that its comment speaks of.
fn controlled(feature: &str) -> Vec<(String, Vec<Variation>)> {
    let plans = compiled(feature).unwrap_or_else(|_| panic!("{}", told(feature))).plans;
    for plan in &plans {
        assert!(plan.needs.is_empty(), "{}: {:?}", plan.title.scenario, plan.needs);
    }
    plans.iter().map(|plan| (plan.title.scenario.clone(), controls(plan))).collect()
}

/// All policies together.
fn together() -> Vec<Variation> {
    vec![Variation::WithoutPolicies]
}

/// All policies together, then each of two alone.
fn each_alone() -> Vec<Variation> {
    let alone = |n| Variation::WithoutPolicy(PolicyId(n));
    vec![Variation::WithoutPolicies, alone(0), alone(1)]
}

fn replaced() -> Vec<Variation> {
    vec![Variation::Replaced]
}

/// What is told of a feature must be these warnings, in order; the control runs of its scenarios these.
fn check(feature: &str, warnings: &[&str], wanted: &[Vec<Variation>]) {
    let found = controlled(feature);
    let controls: Vec<Vec<Variation>> = found.iter().map(|(_, controls)| controls.clone()).collect();
    assert_eq!(controls, wanted, "{found:?}");
    let codes: Vec<String> = compiled(feature).unwrap().warnings.into_iter().map(|d| d.code).collect();
    assert_eq!(codes, warnings, "{}", told(feature));
}

#[test]
fn bulkhead() {
    check(include_str!("language/bulkhead.feature"), &[], &[together()]);
}

#[test]
fn canary() {
    check(include_str!("language/canary.feature"), &[], &[together(), each_alone()]);
}

#[test]
fn circuit_breaker() {
    check(include_str!("language/circuit-breaker.feature"), &[], &[together(), each_alone()]);
}

#[test]
fn health_checking() {
    check(include_str!("language/health-checking.feature"), &[], &[together(), each_alone(), together()]);
}

#[test]
fn multi_zone() {
    check(include_str!("language/multi-zone.feature"), &[], &[each_alone(), each_alone()]);
}

#[test]
fn protocols() {
    check(include_str!("language/protocols.feature"), &[], &[replaced()]);
}

#[test]
fn retry() {
    check(include_str!("language/retry.feature"), &[], &[together(), replaced(), replaced()]);
}

#[test]
fn retry_budget() {
    check(include_str!("language/retry-budget.feature"), &[], &[each_alone(), each_alone()]);
}

#[test]
fn timeout() {
    check(include_str!("language/timeout.feature"), &[], &[together(), each_alone(), replaced()]);
}

/// Failures of the mesh, of the wire and of processes: each kind of chaos that is built.
#[test]
fn chaos() {
    check(
        include_str!("language/chaos.feature"),
        &[],
        &[
            vec![Variation::WithoutFaults],
            vec![Variation::WithoutFaults],
            vec![Variation::Outage],
            vec![Variation::WithoutFaults],
            vec![Variation::Outage],
            vec![Variation::WithoutFaults],
        ],
    );
}
