//! What is not done to services that somebody else deployed: what they promise is in force already, and nothing of theirs is changed.

use squall_mesh::Refusal;
use squall_model::{
    Calls, Claim, ClaimKind, FaultKind, Level, Members, PolicyKind, Quantity, SeenBy, ServiceName, Topology, Wires,
};

/// Why a policy is not added to theirs.
pub(super) fn policy(policy: &PolicyKind, topology: &Topology) -> Option<Refusal> {
    let theirs = theirs(policy, topology)?;
    Some(Refusal(format!(
        "\"{theirs}\" is deployed by somebody else: its policies are those that its owners have written, and a scenario adds none"
    )))
}

/// Why a fault is none for them: it would take objects, or hands, in their namespace. One on calls is made by the caller's proxy,
/// which is ours.
pub(super) fn fault(fault: &FaultKind, topology: &Topology) -> Option<Refusal> {
    let of = |name: &ServiceName| topology.is_deployed(name).then(|| name.clone());
    let theirs = match fault {
        FaultKind::Touch { on, .. } if on.level == Level::Calls => None,
        FaultKind::Touch { on, .. } => called(&on.of, topology),
        FaultKind::Answers { of: target, .. } => of(&target.service),
        FaultKind::Down { of: Members::Of(target), .. } | FaultKind::Restarted { of: Members::Of(target), .. } => {
            of(&target.service)
        }
        FaultKind::Wire { of: Wires::Between { from, to }, .. } => {
            of(&to.service).or_else(|| from.as_ref().and_then(of))
        }
        FaultKind::Resized { service, .. } => of(service),
        FaultKind::Outage { of: calls } => called(calls, topology),
        // They are in no place.
        FaultKind::Down { of: Members::In(_), .. }
        | FaultKind::Restarted { of: Members::In(_), .. }
        | FaultKind::Wire { of: Wires::Of(_), .. }
        | FaultKind::ControlPlaneKilled => None,
    }?;
    Some(Refusal(format!(
        "\"{theirs}\" is deployed by somebody else, and stays untouched: of it only calls can be aborted or delayed, by the proxies of those who make them"
    )))
}

/// Why a claim is not known to hold or not: it asks those who serve.
pub(super) fn claim(claim: &Claim, topology: &Topology) -> Option<Refusal> {
    let ClaimKind::Total { quantity: Quantity::Tries { target, seen_by: SeenBy::Workload, .. }, .. } = &claim.kind
    else {
        return None;
    };
    topology.is_deployed(&target.service).then(|| {
        Refusal(format!(
            "\"{}\" is deployed by somebody else, and keeps no ledger for us: what its workloads see nobody tells",
            target.service
        ))
    })
}

/// A deployed service that a policy is about.
fn theirs(policy: &PolicyKind, topology: &Topology) -> Option<ServiceName> {
    let of = |name: &ServiceName| topology.is_deployed(name).then(|| name.clone());
    match policy {
        PolicyKind::Timeout { of: traffic, .. } | PolicyKind::IdleTimeout { of: traffic, .. } => {
            called(&traffic.of, topology)
        }
        PolicyKind::Route { of: calls, to } => {
            called(calls, topology).or_else(|| to.iter().find_map(|leg| of(&leg.target.service)))
        }
        PolicyKind::Retries { of: calls, .. }
        | PolicyKind::RetryBudget { of: calls, .. }
        | PolicyKind::Prefer { of: calls, .. }
        | PolicyKind::Sticky { of: calls, .. }
        | PolicyKind::KeepDeadline { of: calls }
        | PolicyKind::Balance { of: calls, .. } => called(calls, topology),
        PolicyKind::InFlight { to, .. } | PolicyKind::Connections { to, .. } => of(to),
        PolicyKind::Ejection { of: service, .. }
        | PolicyKind::Check { of: service, .. }
        | PolicyKind::Panic { of: service, .. }
        | PolicyKind::WarmUp { of: service, .. } => of(service),
    }
}

/// A deployed service that some of these calls are made to.
fn called(calls: &Calls, topology: &Topology) -> Option<ServiceName> {
    let made = |from: &ServiceName| calls.from.as_ref().is_none_or(|caller| caller == from);
    let meant = |to: &ServiceName| calls.to.as_ref().is_none_or(|target| target.service == *to);
    let mut edges = topology.edges().filter(|edge| made(&edge.from) && meant(&edge.to));
    edges.find(|edge| topology.is_deployed(&edge.to)).map(|edge| edge.to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_model::{AnswerCode, Deployed, Fraction, Service, Target, Touch, Traffic, Which};
    use std::time::Duration;

    /// `web`, which is ours, calls `reviews`, which is ours, and `shop`, which is not.
    fn topology() -> Topology {
        let mut web = Service::new("web".into());
        web.calls = vec!["reviews".into(), "shop".into()];
        let mut shop = Service::new("shop".into());
        shop.deployed = Some(Deployed { namespace: "theirs".into(), port: 80 });
        Topology { services: vec![web, Service::new("reviews".into()), shop], ..Topology::default() }
    }

    fn to(name: &str) -> Calls {
        Calls { to: Some(Target::service(name.into())), ..Calls::default() }
    }

    fn touch(level: Level, of: Calls) -> FaultKind {
        let touch = Touch::Abort(AnswerCode::Status(503));
        FaultKind::Touch { on: Traffic { share: Fraction::ALL, level, of }, touch }
    }

    #[test]
    fn policies_are_those_of_the_owners() {
        let topology = topology();
        let timeout = |of: Calls| PolicyKind::Timeout {
            of: Traffic { share: Fraction::ALL, level: Level::Calls, of },
            after: Duration::from_secs(1),
        };
        assert_eq!(policy(&timeout(to("reviews")), &topology), None);
        assert!(policy(&timeout(to("shop")), &topology).is_some());
        // Of all calls some are made to it.
        assert!(policy(&timeout(Calls::default()), &topology).is_some());
        let panic = |of: &str| PolicyKind::Panic { of: of.into(), below: Fraction::ZERO };
        assert_eq!(policy(&panic("reviews"), &topology), None);
        assert!(policy(&panic("shop"), &topology).is_some());
    }

    #[test]
    fn only_calls_are_broken_and_by_those_who_make_them() {
        let topology = topology();
        assert_eq!(fault(&touch(Level::Calls, to("shop")), &topology), None);
        assert!(fault(&touch(Level::Tries, to("shop")), &topology).is_some());
        assert!(fault(&touch(Level::Tries, Calls::default()), &topology).is_some());
        assert_eq!(fault(&touch(Level::Tries, to("reviews")), &topology), None);
        let killed = |name: &str| FaultKind::Down {
            how: squall_model::Down::Killed,
            part: squall_model::Part::Instance,
            of: Members::Of(Target { service: name.into(), which: Which::Instance(1), place: None }),
        };
        assert_eq!(fault(&killed("reviews"), &topology), None);
        assert!(fault(&killed("shop"), &topology).is_some());
    }
}
