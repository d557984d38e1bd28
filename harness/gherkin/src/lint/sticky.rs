//! Stickiness: somebody must be there to stick, and something to stick to.

use super::envoy::{callee, overlap};
use super::populations::{has_users, is_meant};
use super::view::View;
use crate::source::Mistake;
use squall_model::{Balancer, Calls, HashKey, Plan, Policy, PolicyKind, ServiceName, Stick, TrafficLine};

/// Looks at every policy that draws by hash.
pub(crate) fn check(view: &mut View<'_, '_, '_>) {
    let plan = view.plan().clone();
    for policy in &plan.policies {
        match &policy.says {
            PolicyKind::Sticky { of, to, by } => {
                nobody_sticks(view, &plan, policy, of, by);
                nothing_to_stick_to(view, &plan, policy, callee(of), *to);
                if *to == Stick::Instance {
                    balanced_otherwise(view, &plan, policy, callee(of));
                }
            }
            PolicyKind::Balance { of, by: Balancer::RingHash | Balancer::Maglev } => {
                // Without a key of its own, the hash is taken of the user.
                let keyed = plan.policies.iter().any(
                    |p| matches!(&p.says, PolicyKind::Sticky { of: sticky, .. } if overlap(callee(sticky), callee(of))),
                );
                if !keyed {
                    nobody_sticks(view, &plan, policy, of, &HashKey::User);
                }
            }
            _ => {}
        }
    }
}

/// Calls without the key go anywhere.
fn nobody_sticks(view: &mut View<'_, '_, '_>, plan: &Plan, policy: &Policy, of: &Calls, by: &HashKey) {
    let has_key = |line: &TrafficLine| match by {
        HashKey::User | HashKey::Cookie(_) => has_users(line),
        HashKey::Header(name) => {
            line.with.header.as_ref().is_some_and(|(header, _)| header == name)
                || name == "x-squall-user" && has_users(line)
        }
        HashKey::SourceAddress => true,
    };
    let mut meant = plan.lines().filter(|line| is_meant(of, line, &plan.topology)).peekable();
    if meant.peek().is_none() || meant.any(has_key) || !plan.needs.is_empty() {
        return;
    }
    let (what, hint) = match by {
        HashKey::Header(name) => {
            (format!("no call has the header `{name}`"), format!("write `… with header \"{name}: a\"`"))
        }
        _ => ("no call is made by a user".to_owned(), "say whose calls they are: `… as 50 users for 5 s`".to_owned()),
    };
    let line = view.policy_line(policy.id);
    view.tell(line, |line| {
        Mistake::warning("nobody-sticks", line.whole(), what)
            .label("nobody to stick: each call goes anywhere")
            .hint(hint)
    });
}

fn nothing_to_stick_to(
    view: &mut View<'_, '_, '_>,
    plan: &Plan,
    policy: &Policy,
    service: Option<&ServiceName>,
    to: Stick,
) {
    let Some(service) = service.and_then(|name| plan.topology.service(name)) else { return };
    let name = service.name.clone();
    let line = view.policy_line(policy.id);
    let (message, hint) = match to {
        Stick::Instance if service.instances.len() == 1 => {
            (format!("\"{name}\" has one instance"), format!("say `a service \"{name}\" with 3 instances`"))
        }
        Stick::Version => {
            let mut versions: Vec<_> = service.instances.iter().map(|i| i.version.as_ref()).collect();
            versions.sort();
            versions.dedup();
            match versions.as_slice() {
                [None] => (
                    format!("the instances of \"{name}\" have no versions"),
                    format!("say `\"{name}\" has 1 instance of version \"v1\" and 1 of version \"v2\"`"),
                ),
                [Some(_)] => (
                    format!("\"{name}\" has one version"),
                    format!("say `\"{name}\" has 1 instance of version \"v1\" and 1 of version \"v2\"`"),
                ),
                _ => return,
            }
        }
        Stick::Instance => return,
    };
    view.tell(line, |line| {
        Mistake::warning("one-choice", line.clause("calls"), message)
            .label("all stick to it anyway: its control run would hold too")
            .hint(hint)
    });
}

/// Who sticks to an instance is not balanced by anything else (route.proto, `hash_policy`: for hashing balancers).
fn balanced_otherwise(view: &mut View<'_, '_, '_>, plan: &Plan, policy: &Policy, service: Option<&ServiceName>) {
    let other = plan.policies.iter().find(|p| match &p.says {
        PolicyKind::Balance { of, by } => {
            overlap(callee(of), service) && !matches!(by, Balancer::RingHash | Balancer::Maglev)
        }
        _ => false,
    });
    let Some(other) = other else { return };
    let says = view.text(view.policy_line(policy.id));
    let line = view.policy_line(other.id);
    view.tell(line, |line| {
        Mistake::warning("balanced-twice", line.whole(), "these calls stick to an instance: they are drawn by hash")
            .label("ignored for calls that have the key")
            .hint(format!("beside this line: {says}\nleave this one out, or take \"ring hash\" or \"Maglev\""))
    });
}
