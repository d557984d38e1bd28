//! What Envoy accepts and then ignores, and what a proxy of ours will not know.

mod deadlines;
mod health;
mod words;

use super::concerns;
use squall_model::{
    Calls, Diagnostic, FaultKind, Plan, PolicyId, PolicyKind, Protocol, ServiceName, Severity, TrafficLine,
};

/// Every such thing in a plan, in order of writing.
#[must_use]
pub fn lint(plan: &Plan) -> Vec<Diagnostic> {
    let policies = plan.policies.iter().flat_map(|policy| of_policy(plan, policy.id, &policy.says));
    let hosts = plan.lines().filter_map(|line| host_of_nobody(plan, line));
    policies.chain(hosts).collect()
}

fn of_policy(plan: &Plan, id: PolicyId, says: &PolicyKind) -> Vec<Diagnostic> {
    let found = match says {
        PolicyKind::Retries { of, on, .. } => words::retries(plan, of, on),
        PolicyKind::Connections { to, waiting, .. } => words::waiting(plan, to, *waiting),
        PolicyKind::Check { of, by, out_after, .. } => health::check(of, by, *out_after),
        PolicyKind::Panic { of, .. } => health::panic(plan, of),
        PolicyKind::WarmUp { of, .. } => health::warm_up(plan, of),
        PolicyKind::Prefer { of, places } => health::prefer(plan, of, places),
        PolicyKind::Route { of: _, to } => health::split(plan, to),
        PolicyKind::KeepDeadline { of } => deadlines::keep(plan, of),
        _ => None,
    };
    found.and_then(|found| found.at(plan, id)).into_iter().collect()
}

/// A warning about a policy, without its place.
struct Found {
    code: &'static str,
    message: String,
    label: String,
    hint: String,
}

impl Found {
    /// Where the policy was written.
    fn at(self, plan: &Plan, id: PolicyId) -> Option<Diagnostic> {
        Some(Diagnostic {
            code: self.code.into(),
            severity: Severity::Warning,
            message: self.message,
            origin: plan.origins.policies.get(&id)?.clone(),
            label: self.label,
            hint: Some(self.hint),
        })
    }
}

/// The services that these calls are made to.
fn called<'p>(plan: &'p Plan, of: &Calls) -> Vec<&'p ServiceName> {
    let edges = plan.topology.edges().filter(|edge| concerns(of, &edge.from, &edge.to));
    edges.filter_map(|edge| plan.topology.service(&edge.to)).map(|service| &service.name).collect()
}

fn speaks(plan: &Plan, service: &ServiceName) -> Option<Protocol> {
    plan.topology.service(service).map(|service| service.protocol)
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
        PolicyKind::Retries { of, .. } | PolicyKind::Route { of, .. } | PolicyKind::Sticky { of, .. } => Some(of),
        PolicyKind::Timeout { of, .. } | PolicyKind::IdleTimeout { of, .. } => Some(&of.of),
        _ => None,
    });
    let faults = plan.faults.iter().filter_map(|fault| match &fault.does {
        FaultKind::Touch { on, .. } => Some(&on.of),
        _ => None,
    });
    let of_service = policies.chain(faults).filter(move |of| of.to.as_ref().is_none_or(|t| t.service == *to));
    of_service.filter_map(|of| of.filter.host.as_ref())
}
