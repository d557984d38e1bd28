//! Which counters bear on a claim: what a person would look up next.

use squall_evidence::Evidence;
use squall_model::{
    Claim, ClaimKind, Condition, Damage, Down, FaultKind, Happening, InstanceId, Outcome, Plan, PolicyKind, Quantity,
    ServiceName, Shedder, State,
};
use std::collections::BTreeSet;

/// Counters of a caller's cluster, after `cluster.out.<service>.`, by what they tell of.
const TRIES: &[&str] = &["upstream_rq_total"];
const RETRIES: &[&str] = &[
    "upstream_rq_retry",
    "upstream_rq_retry_success",
    "upstream_rq_retry_limit_exceeded",
    "upstream_rq_retry_overflow",
];
const TIMEOUTS: &[&str] = &["upstream_rq_timeout", "upstream_rq_per_try_timeout"];
// Which of the two moves depends on the release: both are read.
const OVERFLOWS: &[&str] = &["upstream_rq_pending_overflow", "upstream_rq_active_overflow", "upstream_cx_overflow"];
const CONNECTIONS: &[&str] = &[
    "upstream_cx_connect_fail",
    "upstream_cx_connect_timeout",
    "upstream_cx_destroy_local_with_active_rq",
    "upstream_cx_destroy_remote_with_active_rq",
    "upstream_cx_none_healthy",
    "upstream_cx_total",
    "upstream_rq_cancelled",
    "upstream_rq_pending_failure_eject",
    "upstream_rq_rx_reset",
];
const EJECTIONS: &[&str] = &[
    "outlier_detection.ejections_enforced_total",
    "outlier_detection.ejections_enforced_consecutive_5xx",
    "outlier_detection.ejections_overflow",
    "lb_healthy_panic",
];
const HEALTH: &[&str] = &[
    "health_check.attempt",
    "health_check.failure",
    "health_check.network_failure",
    "health_check.success",
    "lb_healthy_panic",
    "upstream_cx_none_healthy",
];
// Of hosts that come, go, or are taken out. Slow start and hashing have none of their own.
const HOSTS: &[&str] = &["membership_change", "lb_healthy_panic"];
/// Counters of a listener, after its prefix.
const FAULTS: &[&str] = &["fault.aborts_injected", "fault.delays_injected"];
const LIMITS: &[&str] = &["http_local_rate_limit.rate_limited", "rbac.denied"];

/// The counters that bear on a claim: whose proxy's, their name, by how much they rose. In order of proxy and name; those
/// that stayed where they were are not among them.
#[must_use]
pub fn bearing(plan: &Plan, claim: &Claim, evidence: &Evidence) -> Vec<(InstanceId, String, u64)> {
    let services = services(plan, claim);
    let (of_cluster, of_listener) = names(plan, claim);
    let bears = |name: &str| match name.strip_prefix("cluster.out.") {
        Some(rest) => {
            let of_service = |s: &ServiceName| rest.strip_prefix(s.as_str()).is_some_and(|rest| rest.starts_with('.'));
            services.iter().any(of_service) && of_cluster.iter().any(|c| ends_with(rest, c))
        }
        None => !name.starts_with("cluster.") && of_listener.iter().any(|c| ends_with(name, c)),
    };
    let mut counters: Vec<_> = evidence
        .observed()
        .counters
        .iter()
        .flat_map(|record| record.rises.iter().map(move |(name, rise)| (&record.proxy, name, *rise)))
        .filter(|(_, name, rise)| *rise > 0 && bears(name))
        .map(|(proxy, name, rise)| (proxy.clone(), name.clone(), rise))
        .collect();
    counters.sort();
    counters
}

/// Is this its last part? `upstream_rq_retry` is no end of `internal_upstream_rq_retry`.
fn ends_with(name: &str, part: &str) -> bool {
    name.strip_suffix(part).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// The services whose calls the claim speaks of; all that are called where it names none.
fn services(plan: &Plan, claim: &Claim) -> BTreeSet<ServiceName> {
    let mut named = BTreeSet::new();
    match &claim.kind {
        ClaimKind::Total { quantity: Quantity::Tries { target, .. }, .. }
        | ClaimKind::Moment {
            what: Happening::Becomes(State { of: target, .. }) | Happening::GetsTraffic(target),
            ..
        }
        | ClaimKind::State { what: State { of: target, .. }, .. }
        | ClaimKind::Lasts { what: State { of: target, .. }, .. } => {
            named.insert(target.service.clone());
        }
        ClaimKind::Moment { what: Happening::Recover(calls), .. } | ClaimKind::Paired { calls, .. } => {
            named.extend(calls.to.as_ref().map(|to| to.service.clone()));
        }
        kind => named.extend(kind.population().and_then(|of| of.calls.to.as_ref()).map(|to| to.service.clone())),
    }
    if named.is_empty() {
        named.extend(plan.lines().map(|line| line.to.service.clone()));
    }
    named
}

/// The ends of the names of counters that bear on a claim: of clusters, of listeners.
fn names(plan: &Plan, claim: &Claim) -> (Vec<&'static str>, Vec<&'static str>) {
    let outcome = match &claim.kind {
        ClaimKind::Every { outcome, .. }
        | ClaimKind::Share { outcome, .. }
        | ClaimKind::Total { quantity: Quantity::Count { outcome, .. }, .. } => Some(outcome),
        ClaimKind::Total { .. }
        | ClaimKind::Moment { .. }
        | ClaimKind::State { .. }
        | ClaimKind::Lasts { .. }
        | ClaimKind::Paired { .. } => None,
    };
    let mut of_cluster: Vec<&str> = TRIES.to_vec();
    match outcome {
        Some(Outcome::TimeOut | Outcome::FinishWithin(_)) => of_cluster.extend(TIMEOUTS),
        Some(Outcome::Shed(None | Some(Shedder::CircuitBreaker))) => of_cluster.extend(OVERFLOWS),
        Some(Outcome::Refused | Outcome::Reset) => of_cluster.extend(CONNECTIONS),
        Some(Outcome::TriedMoreThan(_) | Outcome::Retried | Outcome::TriedTwiceOnOneInstance) => {
            of_cluster.extend(RETRIES);
        }
        _ => {}
    }
    match &claim.kind {
        ClaimKind::Moment { what: Happening::Becomes(what), .. }
        | ClaimKind::State { what, .. }
        | ClaimKind::Lasts { what, .. } => of_cluster.extend(of_state(what)),
        ClaimKind::Moment { .. } => of_cluster.extend(EJECTIONS),
        ClaimKind::Paired { .. } => of_cluster.extend(TIMEOUTS.iter().chain(RETRIES)),
        ClaimKind::Every { .. } | ClaimKind::Total { .. } | ClaimKind::Share { .. } => {}
    }
    for policy in &plan.policies {
        of_cluster.extend(of_policy(&policy.says));
    }
    for fault in &plan.faults {
        of_cluster.extend(of_fault(&fault.does).iter().copied().flatten());
    }
    (of_cluster, FAULTS.iter().chain(LIMITS).copied().collect())
}

fn of_state(state: &State) -> &'static [&'static str] {
    match state.is {
        Condition::Ejected => EJECTIONS,
        Condition::Unhealthy | Condition::Healthy => HEALTH,
    }
}

/// What callers' proxies count of a fault that they are not told of.
fn of_fault(fault: &FaultKind) -> &'static [&'static [&'static str]] {
    match fault {
        FaultKind::Wire { damage: Damage::Reset(_) | Damage::Refuse | Damage::SlowClose(_), .. }
        | FaultKind::Outage { .. }
        | FaultKind::Down { how: Down::Killed | Down::Stopped, .. } => &[CONNECTIONS],
        FaultKind::Wire { .. } | FaultKind::Down { how: Down::Paused, .. } => &[CONNECTIONS, TIMEOUTS],
        FaultKind::Restarted { .. } => &[CONNECTIONS, HOSTS],
        FaultKind::Resized { .. } => &[HOSTS],
        FaultKind::ControlPlaneKilled => &[CONNECTIONS],
        FaultKind::Touch { .. } | FaultKind::Answers { .. } => &[],
    }
}

fn of_policy(policy: &PolicyKind) -> &'static [&'static str] {
    match policy {
        PolicyKind::Retries { .. } | PolicyKind::RetryBudget { .. } => RETRIES,
        PolicyKind::Timeout { .. } | PolicyKind::IdleTimeout { .. } | PolicyKind::KeepDeadline { .. } => TIMEOUTS,
        PolicyKind::InFlight { .. } | PolicyKind::Connections { .. } => OVERFLOWS,
        PolicyKind::Ejection { .. } => EJECTIONS,
        PolicyKind::Check { .. } | PolicyKind::Panic { .. } | PolicyKind::Prefer { .. } => HEALTH,
        PolicyKind::Sticky { .. } | PolicyKind::WarmUp { .. } => HOSTS,
        PolicyKind::Route { .. } | PolicyKind::Balance { .. } => &[],
    }
}

#[cfg(test)]
mod tests;
