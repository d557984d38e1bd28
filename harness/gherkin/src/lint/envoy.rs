//! What Envoy accepts and ignores, or does otherwise than the words lead one to think.

use super::view::View;
use crate::source::Mistake;
use squall_model::{
    Balancer, Calls, ControlRule, Fault, FaultKind, InFlight, Level, Plan, Policy, PolicyKind, Replacement,
    ServiceName, Shape, Touch, duration,
};

/// Looks at faults and policies side by side.
pub(crate) fn check(view: &mut View<'_, '_, '_>) {
    faults_before_policies(view);
    tries_longer_than_calls(view);
    retries_with_nowhere_to_go(view);
    budgets(view);
}

/// The service that calls are to.
pub(crate) fn callee(calls: &Calls) -> Option<&ServiceName> {
    calls.to.as_ref().map(|to| &to.service)
}

pub(crate) fn overlap(a: Option<&ServiceName>, b: Option<&ServiceName>) -> bool {
    a.is_none() || b.is_none() || a == b
}

/// A fault on calls sits in the caller's proxy before its router: its retries and timeouts never see it (Envoy, fault filter).
fn faults_before_policies(view: &mut View<'_, '_, '_>) {
    let plan = view.plan().clone();
    for fault in &plan.faults {
        let FaultKind::Touch { on, touch } = &fault.does else { continue };
        if on.level != Level::Calls || is_replaced(&plan, fault) {
            continue;
        }
        let to = callee(&on.of);
        let Some((policy, why, word)) = plan.policies.iter().find_map(|p| passed_over(p, *touch, to)) else { continue };
        let policy_line = view.policy_line(policy.id);
        let says = view.line(policy_line.as_ref()).map_or(String::new(), |l| l.text().to_owned());
        let line = view.fault_line(fault.id);
        view.tell(line, |line| {
            Mistake::warning("fault-before-policy", line.clause("traffic"), why)
                .label("touched before the caller's proxy routes, retries or times them")
                .hint(format!("in front of: {says}\nif that policy is to meet the fault, write {word}"))
        });
    }
}

/// A policy that a touch of calls comes before: what that means, and what to write.
fn passed_over<'a>(
    policy: &'a Policy,
    touch: Touch,
    to: Option<&ServiceName>,
) -> Option<(&'a Policy, &'static str, &'static str)> {
    let tries = "`tries reaching … are aborted`, or `… answers with status 503`";
    let slow = "`tries reaching … are delayed`, or `… answers in 1 s`";
    match (&policy.says, touch) {
        (PolicyKind::Retries { of, .. }, Touch::Abort(_)) if overlap(callee(of), to) => {
            Some((policy, "an aborted call is not retried", tries))
        }
        (PolicyKind::Timeout { of, .. }, Touch::Delay(_)) if overlap(callee(&of.of), to) => {
            Some((policy, "a delayed call does not time out by its own proxy's timer", slow))
        }
        (PolicyKind::Ejection { of, .. }, Touch::Abort(_)) if overlap(Some(of), to) => {
            Some((policy, "an aborted call reaches no instance, so none is ejected for it", tries))
        }
        (PolicyKind::InFlight { to: of, .. } | PolicyKind::Connections { to: of, .. }, Touch::Delay(_))
            if overlap(Some(of), to) =>
        {
            Some((policy, "a call that is held by the fault is not in flight to anybody", slow))
        }
        _ => None,
    }
}

/// The control run does it otherwise: then the difference is what the scenario shows.
fn is_replaced(plan: &Plan, fault: &Fault) -> bool {
    match &plan.control {
        ControlRule::Replace(all) => {
            all.iter().any(|r| matches!(r, Replacement::Fault { instead_of: Some(id), .. } if *id == fault.id))
        }
        _ => false,
    }
}

/// A try may not be longer than its call: Envoy ignores such a timeout (x-envoy-upstream-rq-per-try-timeout-ms).
fn tries_longer_than_calls(view: &mut View<'_, '_, '_>) {
    let plan = view.plan().clone();
    let timeouts = |level: Level| {
        plan.policies.iter().filter_map(move |p| match &p.says {
            PolicyKind::Timeout { of, after } if of.level == level => Some((p, of, *after)),
            _ => None,
        })
    };
    for (policy, tries, each) in timeouts(Level::Tries) {
        let Some((_, _, all)) = timeouts(Level::Calls)
            .find(|(_, calls, all)| overlap(callee(&calls.of), callee(&tries.of)) && each >= *all)
        else {
            continue;
        };
        let line = view.policy_line(policy.id);
        view.tell(line, |line| {
            Mistake::warning(
                "timeouts",
                line.clause("time"),
                format!("the whole call times out after {}", duration(all)),
            )
            .label("Envoy ignores a timeout of tries that is not shorter")
            .hint(format!("write less than {}", duration(all)))
        });
    }
}

fn retries_with_nowhere_to_go(view: &mut View<'_, '_, '_>) {
    let plan = view.plan().clone();
    for policy in &plan.policies {
        let PolicyKind::Retries { of, up_to, elsewhere: true, .. } = &policy.says else { continue };
        let line = view.policy_line(policy.id);
        let Some(service) = callee(of).and_then(|name| plan.topology.service(name)) else { continue };
        let instances = u32::try_from(service.instances.len()).unwrap_or(u32::MAX);
        if *up_to >= instances {
            let tries = up_to + 1;
            view.tell(line, |line| {
                Mistake::warning(
                    "elsewhere",
                    line.clause("retrying"),
                    format!("{tries} tries, but {instances} instances to try"),
                )
                .label("the last ones must go where one has been")
            });
        }
        let by = plan.policies.iter().rev().find_map(|p| match &p.says {
            PolicyKind::Balance { of, by } if overlap(callee(of), Some(&service.name)) => Some(*by),
            _ => None,
        });
        // Calls beside each other move the pointer on between a try and its retry, and the retry may come back to where it failed.
        let mut traffic = plan.timeline.stages.iter().flat_map(|stage| &stage.lines);
        let alone = traffic.all(|line| line.to.service != service.name || matches!(line.shape, Shape::Serial { .. }));
        if matches!(by, None | Some(Balancer::RoundRobin)) && instances > 1 && alone {
            let name = service.name.clone();
            view.tell(line, |line| {
                Mistake::warning(
                    "elsewhere",
                    line.clause("retrying"),
                    "one after another, round robin moves on to another instance anyway",
                )
                .label("changes nothing that a test could see")
                .hint(format!("say `calls to \"{name}\" are balanced by \"random\"` if this is what is tested"))
            });
        }
    }
}

/// A budget and a limit of retries need retries; Envoy's budget overrides the limit (circuit_breaker.proto, retry_budget).
fn budgets(view: &mut View<'_, '_, '_>) {
    let plan = view.plan().clone();
    let retried = |to: Option<&ServiceName>| {
        plan.policies.iter().any(|p| matches!(&p.says, PolicyKind::Retries { of, .. } if overlap(callee(of), to)))
    };
    for policy in &plan.policies {
        let line = view.policy_line(policy.id);
        let to = match &policy.says {
            PolicyKind::RetryBudget { of, .. } => callee(of),
            PolicyKind::InFlight { unit: InFlight::Retries, to, .. } => Some(to),
            _ => continue,
        };
        if !retried(to) {
            view.tell(line, |line| {
                Mistake::warning("no-retries", line.whole(), "nothing is retried here").label("bounds nothing")
            });
        }
        let limited = plan.policies.iter().any(|p| {
            matches!(&p.says, PolicyKind::InFlight { unit: InFlight::Retries, to: of, .. } if overlap(Some(of), to))
        });
        if limited && matches!(policy.says, PolicyKind::RetryBudget { .. }) {
            view.tell(line, |line| {
                Mistake::warning(
                    "budget-and-limit",
                    line.whole(),
                    "Envoy lets a retry budget override a limit of retries",
                )
                .label("the line `… retries … in flight` is ignored")
                .hint("keep one of them")
            });
        }
    }
}
