//! What Envoy accepts and then ignores, and what a proxy of ours will not know.

use squall_model::{Diagnostic, FaultKind, Plan, PolicyId, PolicyKind, RetryOn, ServiceName, Severity, TrafficLine};

/// Every such thing in a plan, in order of writing.
#[must_use]
pub fn lint(plan: &Plan) -> Vec<Diagnostic> {
    let words = plan.policies.iter().filter_map(|policy| words_of_grpc(plan, policy.id, &policy.says));
    let hosts = plan.lines().filter_map(|line| host_of_nobody(plan, line));
    words.chain(hosts).collect()
}

/// Statuses of gRPC are never seen on plain HTTP (router filter, `x-envoy-retry-grpc-on`), and only that is run here.
fn words_of_grpc(plan: &Plan, id: PolicyId, policy: &PolicyKind) -> Option<Diagnostic> {
    let PolicyKind::Retries { on, .. } = policy else { return None };
    let is_grpc = |on: &&RetryOn| {
        matches!(
            on,
            RetryOn::Cancelled
                | RetryOn::DeadlineExceeded
                | RetryOn::Internal
                | RetryOn::ResourceExhausted
                | RetryOn::Unavailable
        )
    };
    let word = on.iter().find(is_grpc)?;
    Some(Diagnostic {
        code: "retry-on-grpc".into(),
        severity: Severity::Warning,
        message: format!("`{word}` is a status of gRPC, and these calls are plain HTTP: it is never seen"),
        origin: plan.origins.policies.get(&id)?.clone(),
        label: "retries on what does not happen".into(),
        hint: Some("`5xx`, `gateway-error`, `reset` and `connect-failure` are seen on HTTP".into()),
    })
}

/// A caller's proxy knows a service by its name and by the hosts that policies and faults name; calls to others are
/// unroutable (404, flag NR).
fn host_of_nobody(plan: &Plan, line: &TrafficLine) -> Option<Diagnostic> {
    let host = line.with.host.as_ref()?;
    let to = &line.to.service;
    if host == to.as_str() || named_hosts(plan, to).any(|named| named == host) {
        return None;
    }
    Some(Diagnostic {
        code: "host-of-nobody".into(),
        severity: Severity::Warning,
        message: format!("no policy names the host \"{host}\" for \"{to}\": these calls are unroutable"),
        origin: plan.origins.lines.get(&line.number)?.clone(),
        label: "answered with 404 by the caller's proxy".into(),
        hint: Some(format!("a policy or a fault on `calls to \"{to}\" on host \"{host}\"` makes it known")),
    })
}

fn named_hosts<'p>(plan: &'p Plan, to: &'p ServiceName) -> impl Iterator<Item = &'p String> {
    let policies = plan.policies.iter().filter_map(|policy| match &policy.says {
        PolicyKind::Retries { of, .. } | PolicyKind::Route { of, .. } => Some(of),
        PolicyKind::Timeout { of, .. } | PolicyKind::IdleTimeout { of, .. } => Some(&of.of),
        _ => None,
    });
    let faults = plan.faults.iter().filter_map(|fault| match &fault.does {
        FaultKind::Touch { on, .. } => Some(&on.of),
        FaultKind::Outage { of } => Some(of),
        _ => None,
    });
    let of_service = policies.chain(faults).filter(move |of| of.to.as_ref().is_none_or(|t| t.service == *to));
    of_service.filter_map(|of| of.filter.host.as_ref())
}
