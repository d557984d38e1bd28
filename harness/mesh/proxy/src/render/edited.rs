//! What of somebody else's a plan edits: pods that are restarted. Pure.

use super::asked::faults_in;
use squall_model::{Fault, FaultKind, Instance, Members, Plan, Service, Topology};
use std::{collections::BTreeSet, net::IpAddr};

/// The services of others before whose pods some are that a plan restarts, in the order of the topology; with `controls` in its control
/// runs, too. Several may stand before the same pods.
pub fn restarted_in(plan: &Plan, controls: bool) -> Vec<&Service> {
    match plan.topology.theirs().next() {
        Some(_) => restarted(&faults_in(plan, controls), &plan.topology),
        None => Vec::new(),
    }
}

fn restarted<'t>(faults: &[Fault], topology: &'t Topology) -> Vec<&'t Service> {
    let ip = |instance: &Instance| instance.at.map(|at| at.ip());
    let mut pods: BTreeSet<IpAddr> = BTreeSet::new();
    for fault in faults {
        let FaultKind::Restarted { of: Members::Of(target), .. } = &fault.does else { continue };
        if topology.deployed(&target.service).is_some() {
            pods.extend(target.instances(topology).into_iter().filter_map(|id| ip(topology.instance(&id)?)));
        }
    }
    let is_before = |service: &Service| service.instances.iter().filter_map(ip).any(|at| pods.contains(&at));
    topology.theirs().map(|(service, _)| service).filter(|service| is_before(service)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_model::{Deployed, FaultId, Part, Target, When};

    #[test]
    fn whoever_stands_before_a_pod_that_is_restarted() {
        let service = |name: &str, ips: &[u8]| {
            let at = |last: &u8| Instance { at: Some(([10, 0, 0, *last], 9080).into()), ..Instance::default() };
            let deployed = Some(Deployed { namespace: "shop".into(), ..Deployed::default() });
            Service { instances: ips.iter().map(at).collect(), deployed, ..Service::new(name.into()) }
        };
        let services = vec![service("reviews", &[1, 2]), service("reviews-v2", &[2]), service("front", &[3])];
        let topology = Topology { services, ..Topology::default() };
        let told = |target: Target| {
            let does = FaultKind::Restarted { part: Part::Instance, of: Members::Of(target) };
            let faults = vec![Fault { id: FaultId(0), does, when: When::Standing }];
            let names = restarted(&faults, &topology).into_iter().map(|service| service.name.to_string());
            names.collect::<Vec<_>>()
        };
        assert_eq!(told(Target::service("reviews".into())), ["reviews", "reviews-v2"]);
        assert_eq!(told(Target::service("front".into())), ["front"]);
        assert_eq!(told(Target::service("web".into())), [] as [String; 0]);
    }
}
