//! What is not done to services that somebody else deployed: what they promise is in force already, and nothing of theirs is changed.

use super::super::{asked, concerns};
use squall_mesh::Refusal;
use squall_model::{
    Calls, Claim, ClaimKind, Down, Fault, FaultKind, Happening, Level, Members, Only, Outcome, Part, Plan, PolicyKind,
    Population, Quantity, Service, ServiceName, Shedder, Stick, Target, Topology, Unit, Wires, every_run,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

/// Why a policy is not added to theirs.
pub(super) fn policy(policy: &PolicyKind, topology: &Topology) -> Option<Refusal> {
    let theirs = theirs(policy, topology)?;
    Some(Refusal(format!(
        "\"{theirs}\" is deployed by somebody else: its policies are those that its owners have written, and a scenario adds none"
    )))
}

/// Why a fault is none for them: it would take hands in their namespace. One on calls is made by the caller's proxy, which is ours; one
/// on tries by the callee's, which asks our fault port where it may.
pub(super) fn fault(fault: &FaultKind, topology: &Topology) -> Option<Refusal> {
    let of = |name: &ServiceName| topology.deployed(name).map(|_| name.clone());
    let theirs = match fault {
        FaultKind::Touch { on, .. } if on.level == Level::Calls => None,
        FaultKind::Touch { on, .. } => return tries(&on.of, topology),
        FaultKind::Answers { of: target, .. } => of(&target.service),
        FaultKind::Down { of: Members::Of(target), .. } | FaultKind::Restarted { of: Members::Of(target), .. } => {
            return down(fault, target, topology);
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
        "\"{theirs}\" is deployed by somebody else, and stays as it is: calls and tries to it can be aborted or delayed, and its instances restarted"
    )))
}

/// Why instances of theirs do not go down.
fn down(fault: &FaultKind, target: &Target, topology: &Topology) -> Option<Refusal> {
    let deployed = topology.deployed(&target.service)?;
    let why = match fault {
        FaultKind::Restarted { part: Part::Instance, .. } if deployed.restarted.is_some() => return None,
        FaultKind::Restarted { part: Part::Instance, .. } => {
            "its pods are restarted only with `--allow-edit`, and where each has a controller that starts another"
        }
        FaultKind::Down { how: Down::Paused, .. } => "nothing of it is made to stand still",
        FaultKind::Down { .. } => {
            "none of its instances stays away, since their controllers start others: with `--allow-edit` one `is restarted`"
        }
        _ => "of a pod nothing is restarted alone: with `--allow-edit` an instance is, its whole pod",
    };
    Some(Refusal(format!("\"{}\" is deployed by somebody else: {why}", target.service)))
}

/// Why tries that reach them cannot be broken.
fn tries(of: &Calls, topology: &Topology) -> Option<Refusal> {
    let theirs = |name: &ServiceName| topology.deployed(name).is_some();
    if let (Some(from), None) = (&of.from, &of.to)
        && theirs(from)
    {
        return Some(Refusal(format!("whom \"{from}\" calls nobody knows: say what the tries reach")));
    }
    let meant = |service: &Service| !asked::callers(of, &service.name, topology).is_empty();
    let (service, _) = topology.theirs().find(|(service, of)| of.pods.is_none() && meant(service))?;
    Some(Refusal(format!(
        "\"{}\" is deployed by somebody else, and its proxies do not ask a fault port: only calls to it can be aborted or delayed, by the proxies of those who make them",
        service.name
    )))
}

/// What only a control run would do to them: found before the main run has called them.
pub(super) fn in_controls(plan: &Plan) -> Vec<Refusal> {
    if plan.topology.theirs().next().is_none() {
        return Vec::new();
    }
    let faults = every_run(plan).flat_map(|run| run.faults).filter(|fault| !plan.faults.contains(fault));
    faults.filter_map(|f| fault(&f.does, &plan.topology)).collect()
}

/// Why nobody could tell whether a claim holds: it asks what only those who serve know.
pub(super) fn claim(claim: &Claim, topology: &Topology) -> Option<Refusal> {
    let of = |name: &ServiceName| topology.deployed(name).map(|_| name.clone());
    let theirs = match &claim.kind {
        // What arrives, and is not answered, has no line of ours.
        ClaimKind::Total { quantity: Quantity::Tries { target, .. }, .. } => of(&target.service),
        ClaimKind::Moment { what: Happening::GetsTraffic(target), .. } => of(&target.service),
        ClaimKind::Every { of: units, outcome, .. }
        | ClaimKind::Share { of: units, outcome, .. }
        | ClaimKind::Total { quantity: Quantity::Count { of: units, outcome }, .. } => {
            called(&units.calls, topology).filter(|name| is_behind(units, outcome, topology.service(name)))
        }
        ClaimKind::Moment { .. } | ClaimKind::State { .. } | ClaimKind::Lasts { .. } | ClaimKind::Paired { .. } => None,
    }?;
    Some(Refusal(format!(
        "\"{theirs}\" is deployed by somebody else, and only who calls it tells of it: what its own proxies and workloads do nobody knows ({})",
        claim.text
    )))
}

/// Whether an outcome is known behind the caller's proxy alone: what the callee's does by itself is an answer to the caller's.
fn is_behind(units: &Population, outcome: &Outcome, service: Option<&Service>) -> bool {
    let without_version = || service.is_some_and(|service| service.instances.iter().any(|one| one.version.is_none()));
    let of_tries = matches!(units.unit, Unit::Try | Unit::Retry);
    let outcome = match outcome {
        Outcome::Denied | Outcome::Unroutable => true,
        Outcome::Shed(by) => *by != Some(Shedder::CircuitBreaker),
        Outcome::Reach(_) => of_tries,
        Outcome::ReachOnlyOne(Stick::Version) => without_version(),
        _ => false,
    };
    outcome || units.only == Some(Only::Shed)
}

/// Why it could not be told to whom calls went: two services that are called stand before the same pods.
pub(super) fn shared(faults: &[Fault], topology: &Topology) -> Option<Refusal> {
    let mut seen: BTreeMap<SocketAddr, &ServiceName> = BTreeMap::new();
    let asking: BTreeSet<&ServiceName> = asked::asking(faults.iter(), topology).iter().map(|s| &s.name).collect();
    let is_known = |service: &Service| topology.is_called(&service.name) || asking.contains(&service.name);
    for (service, _) in topology.theirs().filter(|(service, _)| is_known(service)) {
        for at in service.instances.iter().filter_map(|instance| instance.at) {
            if let Some(other) = seen.insert(at, &service.name).filter(|other| **other != service.name) {
                return Some(Refusal(format!(
                    "\"{other}\" and \"{}\" stand before the same pods, so nobody could tell to which of them a try went: call one of them in a scenario",
                    service.name
                )));
            }
        }
    }
    None
}

/// A deployed service that a policy is about.
fn theirs(policy: &PolicyKind, topology: &Topology) -> Option<ServiceName> {
    let of = |name: &ServiceName| topology.deployed(name).map(|_| name.clone());
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
    let mut meant = topology.edges().filter(|edge| concerns(calls, &edge.from, &edge.to));
    meant.find(|edge| topology.deployed(&edge.to).is_some()).map(|edge| edge.to)
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
        shop.deployed = Some(Deployed { namespace: "theirs".into(), port: 80, ..Deployed::default() });
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

    fn claims(outcome: Outcome, unit: Unit) -> Claim {
        let of = Population { unit, only: None, calls: to("shop"), phase: squall_model::Phase::Whole };
        Claim {
            id: squall_model::ClaimId(0),
            text: "it is so".into(),
            kind: ClaimKind::Every { of, all: true, outcome },
        }
    }

    #[test]
    fn what_only_those_who_serve_know_is_not_judged() {
        let topology = topology();
        let told = |outcome: Outcome, unit| claim(&claims(outcome, unit), &topology).is_some();
        let reach = || Outcome::Reach(Target::service("shop".into()));
        for unknown in
            [Outcome::Denied, Outcome::Unroutable, Outcome::Shed(None), Outcome::ReachOnlyOne(Stick::Version)]
        {
            assert!(told(unknown.clone(), Unit::Call), "{unknown:?}");
        }
        assert!(told(reach(), Unit::Try), "a try without an answer may have arrived");
        assert!(!told(reach(), Unit::Call));
        for known in [Outcome::Succeed(None), Outcome::Retried, Outcome::Shed(Some(Shedder::CircuitBreaker))] {
            assert!(!told(known.clone(), Unit::Call), "{known:?}");
        }
        // Of ours everybody tells.
        let mut ours = topology.clone();
        ours.services[2].deployed = None;
        assert_eq!(claim(&claims(Outcome::Denied, Unit::Call), &ours), None);
    }

    #[test]
    fn two_services_before_the_same_pods_are_not_told_apart() {
        let mut topology = topology();
        topology.services[2].instances[0].at = Some(([10, 0, 0, 7], 9080).into());
        let again = Service { name: "again".into(), ..topology.services[2].clone() };
        topology.services.push(again);
        assert_eq!(shared(&[], &topology), None, "nobody calls the other");
        topology.services[0].calls.push("again".into());
        assert!(shared(&[], &topology).is_some());
    }

    #[test]
    fn only_calls_are_broken_and_by_those_who_make_them() {
        let topology = topology();
        assert_eq!(fault(&touch(Level::Calls, to("shop")), &topology), None);
        assert!(fault(&touch(Level::Tries, to("shop")), &topology).is_some());
        assert!(fault(&touch(Level::Tries, Calls::default()), &topology).is_some());
        // Where its proxies ask, tries are told apart there.
        let mut asking = topology.clone();
        let pods = std::iter::once(("app".to_owned(), "shop".to_owned())).collect();
        asking.services[2].deployed = Some(Deployed { pods: Some(pods), ..Deployed::default() });
        assert_eq!(fault(&touch(Level::Tries, to("shop")), &asking), None);
        assert_eq!(fault(&touch(Level::Tries, Calls::default()), &asking), None);
        let anywhere = Calls { from: Some("shop".into()), ..Calls::default() };
        assert!(fault(&touch(Level::Tries, anywhere), &asking).is_some(), "whom it calls nobody knows");
        assert_eq!(fault(&touch(Level::Tries, to("reviews")), &topology), None);
    }

    #[test]
    fn pods_are_restarted_where_that_is_allowed_and_nothing_else_befalls_them() {
        let mut topology = topology();
        let of = |name: &str| Members::Of(Target { service: name.into(), which: Which::Instance(1), place: None });
        let killed = |name: &str| FaultKind::Down { how: Down::Killed, part: Part::Instance, of: of(name) };
        let restarted = |part| FaultKind::Restarted { part, of: of("shop") };
        assert_eq!(fault(&killed("reviews"), &topology), None);
        assert!(fault(&killed("shop"), &topology).is_some());
        let why = fault(&restarted(Part::Instance), &topology).unwrap();
        assert!(why.0.contains("--allow-edit"), "{why}");
        topology.services[2].deployed.as_mut().unwrap().restarted = Some(BTreeMap::new());
        assert_eq!(fault(&restarted(Part::Instance), &topology), None);
        assert!(fault(&restarted(Part::Proxy), &topology).is_some());
        assert!(fault(&killed("shop"), &topology).is_some(), "its controller starts another at once");
    }
}
