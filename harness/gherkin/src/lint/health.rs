//! Ejection, active checks, panic, warm-up: what takes an instance out, and what follows from that.

use super::breaks::{fails_at_once, struck};
use super::envoy::{callee, overlap};
use super::taking::sees;
use super::view::View;
use crate::source::Mistake;
use crate::words::balancer;
use squall_model::{
    Answers, Balancer, Bound, Claim, ClaimKind, FaultKind, Outcome, Phase, Plan, Policy, PolicyKind, Probe, Quantity,
    Service, ServiceName,
};

/// Looks at every such policy.
pub(crate) fn check(view: &mut View<'_, '_, '_>) {
    let plan = view.plan().clone();
    for policy in &plan.policies {
        match &policy.says {
            PolicyKind::Ejection { .. } => {
                ejection(view, &plan, policy);
                let_through(view, &plan, policy);
            }
            PolicyKind::Check { .. } => checked(view, &plan, policy),
            PolicyKind::Panic { of, .. } if takes_out(&plan, of) == (false, false) => {
                let line = view.policy_line(policy.id);
                view.tell(line, |line| {
                    Mistake::warning("panic", line.whole(), format!("nothing takes an instance of \"{of}\" out"))
                        .label("all are healthy: nothing to panic about")
                        .hint(format!("say what does: `an instance of \"{of}\" is ejected …`, `each instance of \"{of}\" is checked …`"))
                });
            }
            PolicyKind::Prefer { of, .. } => prefer(view, &plan, policy, callee(of)),
            PolicyKind::WarmUp { .. } => warm_up(view, &plan, policy),
            _ => {}
        }
    }
}

/// Whether instances of a service are ejected, and whether they are checked.
fn takes_out(plan: &Plan, service: &ServiceName) -> (bool, bool) {
    let any = |is: fn(&PolicyKind) -> Option<&ServiceName>| plan.policies.iter().any(|p| is(&p.says) == Some(service));
    let ejected = any(|says| match says {
        PolicyKind::Ejection { of, .. } => Some(of),
        _ => None,
    });
    let checked = any(|says| match says {
        PolicyKind::Check { of, .. } => Some(of),
        _ => None,
    });
    (ejected, checked)
}

/// By each caller's proxy for itself, one instance at least (outlier_detection.proto, max_ejection_percent).
fn ejection(view: &mut View<'_, '_, '_>, plan: &Plan, policy: &Policy) {
    let PolicyKind::Ejection { of, after, at_most, .. } = &policy.says else { return };
    let line = view.policy_line(policy.id);
    let instances = plan.topology.service(of).map_or(0, |s| s.instances.len());
    let allowed = at_most.as_f64() * instances as f64;
    if instances > 0 && allowed < 1.0 {
        view.tell(line, |line| {
            let message = format!("{at_most} of {instances} instances are less than one");
            Mistake::warning("ejection", line.clause("limit"), message).label("Envoy ejects one all the same")
        });
    }
    let panics = plan.policies.iter().any(|p| matches!(&p.says, PolicyKind::Panic { of: all, .. } if all == of));
    if instances == 1 && !panics {
        view.tell(line, |line| {
            Mistake::warning("ejection", line.clause("service"), format!("\"{of}\" has one instance"))
                .label("ejected, it leaves nobody to call: 503 for all")
        });
    }
    let callers: usize = plan.topology.callers(of).map(|s| s.instances.len()).sum();
    if callers > 1 {
        let all = callers * *after as usize;
        view.tell(line, |line| {
            Mistake::warning(
                "ejection",
                line.clause("n"),
                format!("{callers} proxies call \"{of}\", and each counts alone"),
            )
            .label(format!("{all} failures until all have ejected it"))
            .hint("let one instance call, or allow for that many failures")
        });
    }
}

/// So many failures pass for each caller and each instance that fails, before the first is ejected.
fn let_through(view: &mut View<'_, '_, '_>, plan: &Plan, policy: &Policy) {
    let PolicyKind::Ejection { of: service, after, .. } = &policy.says else { return };
    let retried = plan
        .policies
        .iter()
        .any(|p| matches!(&p.says, PolicyKind::Retries { of, .. } if overlap(callee(of), Some(service))));
    let failing = plan
        .faults
        .iter()
        .filter(|f| fails_at_once(&f.does))
        .map(|f| struck(plan, &f.does, service).len() as u64)
        .max()
        .unwrap_or(0);
    let calls = |caller: &&Service| {
        let direct = plan.lines().any(|line| line.caller == caller.name && line.to.service == *service);
        direct || plan.lines().any(|line| line.to.service == caller.name)
    };
    let callers: u64 = plan.topology.callers(service).filter(calls).map(|s| s.instances.len() as u64).sum();
    let least = u64::from(*after) * callers.max(1) * failing;
    if retried || least == 0 {
        return;
    }
    for claim in plan.claims.iter().filter(|claim| allowed(claim, service).is_some_and(|allowed| allowed < least)) {
        let line = view.claim_line(claim);
        view.tell(line, |line| {
            let message = format!("{least} calls fail before all who fail are ejected");
            Mistake::warning("let-through", line.clause("claim"), message).label("expected to be violated").hint(
                format!(
                    "{after} failures in a row, for each of {} and each of {}: allow for that many",
                    plural(callers.max(1), "caller"),
                    plural(failing, "failing instance")
                ),
            )
        });
    }
}

fn plural(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// How many calls a claim allows to fail, where it speaks of all calls to the service.
fn allowed(claim: &Claim, service: &ServiceName) -> Option<u64> {
    let of = claim.kind.population().filter(|of| of.calls.filter.is_empty() && of.only.is_none())?;
    let whole = matches!(of.phase, Phase::Whole | Phase::During(_));
    if !whole || callee(&of.calls).is_some_and(|to| to != service) {
        return None;
    }
    match &claim.kind {
        ClaimKind::Total {
            quantity: Quantity::Count { outcome: Outcome::Fail, .. },
            bound: Bound { high: Some(high), .. },
        } => Some(high / 1000),
        ClaimKind::Every { all: false, outcome: Outcome::Fail, .. }
        | ClaimKind::Every { all: true, outcome: Outcome::Succeed(_), .. } => Some(0),
        _ => None,
    }
}

fn checked(view: &mut View<'_, '_, '_>, plan: &Plan, policy: &Policy) {
    let PolicyKind::Check { of: service, by, out_after, .. } = &policy.says else { return };
    let line = view.policy_line(policy.id);
    if takes_out(plan, service).0 {
        view.tell(line, |line| {
            let message = format!("instances of \"{service}\" are ejected, too");
            Mistake::warning("ejection-and-check", line.whole(), message)
                .label("a check that passes ends an ejection")
                .hint("Envoy takes back whom an active check finds healthy: test the two apart, or let the check fail with the calls")
        });
    }
    let faults = || plan.faults.iter().filter(|f| !struck(plan, &f.does, service).is_empty());
    if faults().next().is_some() && faults().all(|f| !sees(by, &f.does)) {
        view.tell(line, |line| {
            Mistake::warning("blind-check", line.clause("check"), "this check does not see what is broken here")
                .label("it passes all the same")
                .hint("a proxy accepts connections for its workload, and the kernel for a process that stands still:\ncheck by http on a path, or by grpc, which are answered as calls are")
        });
    }
    let answered = |f: &&squall_model::Fault| matches!(f.does, FaultKind::Answers { how: Answers::With(_), .. });
    if matches!(by, Probe::Http(_)) && *out_after > 1 && faults().find(answered).is_some() {
        view.tell(line, |line| {
            let message = format!("one answer that is not 200 is enough, not {out_after}");
            Mistake::warning("out-after", line.clause("check"), message)
                .label("Envoy counts only checks that are not answered")
                .hint("`out after` holds for refused connections and timeouts; write `out after 1 failure` to say what happens")
        });
    }
}

/// Failover needs somebody who finds out that a place is gone.
fn prefer(view: &mut View<'_, '_, '_>, plan: &Plan, policy: &Policy, service: Option<&ServiceName>) {
    let Some(service) = service else { return };
    let broken = plan.faults.iter().any(|f| !struck(plan, &f.does, service).is_empty());
    let line = view.policy_line(policy.id);
    if broken && takes_out(plan, service) == (false, false) {
        view.tell(line, |line| {
            let message = format!("nothing takes an instance of \"{service}\" out");
            Mistake::warning("no-failover", line.whole(), message)
                .label("all stay healthy to their callers: failover never starts")
                .hint(format!(
                    "say what finds out: `an instance of \"{service}\" is ejected for 10 s after 3 failures in a row`,\n`each instance of \"{service}\" is checked every 200 ms by tcp`"
                ))
        });
    }
}

/// Slow start is for those who are new or healthy again, and for two algorithms (cluster.proto, SlowStartConfig).
fn warm_up(view: &mut View<'_, '_, '_>, plan: &Plan, policy: &Policy) {
    let PolicyKind::WarmUp { of: service, .. } = &policy.says else { return };
    let line = view.policy_line(policy.id);
    let by = plan.policies.iter().rev().find_map(|p| match &p.says {
        PolicyKind::Balance { of, by } if overlap(callee(of), Some(service)) => Some(*by),
        _ => None,
    });
    if let Some(by) = by.filter(|by| !matches!(by, Balancer::RoundRobin | Balancer::LeastRequest)) {
        view.tell(line, |line| {
            let message = format!("calls to \"{service}\" are balanced by {}", balancer(by));
            Mistake::warning("warm-up", line.whole(), message)
                .label("Envoy warms up under round robin and least request only")
        });
    }
    let comes = plan.faults.iter().any(|f| match &f.does {
        FaultKind::Resized { service: grown, .. } => grown == service,
        does => !struck(plan, does, service).is_empty(),
    });
    if !comes {
        view.tell(line, |line| {
            Mistake::warning("warm-up", line.whole(), format!("no instance of \"{service}\" is new or comes back"))
                .label("nobody to warm up")
                .hint(format!("let it grow: `\"{service}\" grows to 4 instances at 2 s`"))
        });
    }
}
