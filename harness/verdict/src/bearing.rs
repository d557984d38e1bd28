//! Which counters and log lines bear on a claim: what a person would look up next.

use squall_evidence::{Evidence, Flags};
use squall_model::{
    AccessRecord, Claim, ClaimKind, Exemplar, Happening, InstanceId, Outcome, Plan, PolicyKind, Quantity, ServiceName,
    Shedder, Side, TryRecord, duration,
};
use std::{collections::BTreeSet, time::Duration};

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
const CONNECTIONS: &[&str] =
    &["upstream_cx_connect_fail", "upstream_cx_connect_timeout", "upstream_cx_none_healthy", "upstream_rq_rx_reset"];
const EJECTIONS: &[&str] = &[
    "outlier_detection.ejections_enforced_total",
    "outlier_detection.ejections_enforced_consecutive_5xx",
    "outlier_detection.ejections_overflow",
    "lb_healthy_panic",
];
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
        | ClaimKind::Moment { what: Happening::Ejected(target) | Happening::GetsTraffic(target), .. } => {
            named.insert(target.service.clone());
        }
        ClaimKind::Moment { what: Happening::Recover(calls), .. } => {
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
        ClaimKind::Total { .. } | ClaimKind::Moment { .. } => None,
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
    if matches!(claim.kind, ClaimKind::Moment { .. }) {
        of_cluster.extend(EJECTIONS);
    }
    for policy in &plan.policies {
        of_cluster.extend(of_policy(&policy.says));
    }
    if plan.faults.iter().any(|f| !f.does.is_steady()) {
        of_cluster.extend(CONNECTIONS);
    }
    (of_cluster, FAULTS.iter().chain(LIMITS).copied().collect())
}

fn of_policy(policy: &PolicyKind) -> &'static [&'static str] {
    match policy {
        PolicyKind::Retries { .. } | PolicyKind::RetryBudget { .. } => RETRIES,
        PolicyKind::Timeout { .. } | PolicyKind::IdleTimeout { .. } => TIMEOUTS,
        PolicyKind::InFlight { .. } | PolicyKind::Connections { .. } => OVERFLOWS,
        PolicyKind::Ejection { .. } => EJECTIONS,
        PolicyKind::Route { .. } | PolicyKind::Balance { .. } => &[],
    }
}

/// The log lines of these calls, in order of time: of the caller's proxy, of each try as it was sent, of the callee's proxy, of
/// the ledger.
#[must_use]
pub fn log(evidence: &Evidence, exemplars: &[Exemplar]) -> Vec<String> {
    let seen = evidence.observed();
    let mut lines = Vec::new();
    for id in exemplars.iter().map(|e| e.id.as_str()) {
        let mut of_call = Vec::new();
        of_call.extend(seen.access.iter().filter(|l| l.id == id).map(|l| (l.began, rank(l.side), access(l))));
        of_call.extend(seen.tries.iter().filter(|t| t.id == id).map(|t| (t.began, 1, sent(t))));
        of_call.extend(seen.ledger.iter().filter(|(_, l)| l.id == id).map(|(instance, l)| {
            let took = duration(l.ended.since(l.began));
            (l.began, 3, format!("{id} try {} served by {instance}: {} after {took}", l.attempt, status(l.status)))
        }));
        of_call.sort();
        lines.extend(of_call.into_iter().map(|(.., line)| line));
    }
    lines
}

fn rank(side: Side) -> u8 {
    match side {
        Side::Outbound => 0,
        Side::Inbound => 2,
    }
}

fn access(line: &AccessRecord) -> String {
    let what = match line.side {
        Side::Outbound => format!("left {} with {} tries", line.proxy, line.attempts),
        Side::Inbound => format!("try {} at {}", line.attempts, line.proxy),
    };
    let (flags, took) = (Flags(&line.flags).said().unwrap_or("-"), duration(Duration::from_nanos(line.took)));
    format!("{} {what}: {} {flags} {} after {took}", line.id, status(line.status), line.details)
}

fn sent(t: &TryRecord) -> String {
    let to = t.upstream.as_ref().map_or("nowhere".to_owned(), ToString::to_string);
    let (flags, took) = (Flags(&t.flags).said().unwrap_or("-"), duration(Duration::from_nanos(t.took)));
    format!("{} try {} sent by {} to {to}: {} {flags} after {took}", t.id, t.attempt, t.proxy, status(t.status))
}

fn status(status: u16) -> String {
    if status == 0 { "no answer".into() } else { status.to_string() }
}

#[cfg(test)]
mod tests;
