//! Services that grow and shrink: how large each of them was when.

use crate::{Border, Evidence};
use squall_model::{Act, FaultKind, InstanceId, Members, Plan, ServiceName, Stamp, Topology};

/// Each time that this service was resized, and to how many instances.
pub(crate) fn sizes(plan: &Plan, evidence: &Evidence, service: &ServiceName) -> Vec<(Border, u32)> {
    let resized = |act: Act| {
        let (Act::Arm(id) | Act::End(id)) = act else { return None };
        match (&plan.fault(id)?.does, act) {
            (FaultKind::Resized { service: of, to }, Act::Arm(_)) if of == service => Some(*to),
            (FaultKind::Resized { service: of, .. }, Act::End(_)) if of == service => Some(at_first(plan, service)),
            _ => None,
        }
    };
    evidence.observed.effects.iter().filter_map(|e| Some((Border::from(e.effect), resized(e.act)?))).collect()
}

/// How many instances a service has before anything happens.
pub(crate) fn at_first(plan: &Plan, service: &ServiceName) -> u32 {
    plan.topology.service(service).map_or(0, |s| s.instances.len() as u32)
}

/// Those to whom something happens that was asked for at this moment, of the instances that there were: those that had come
/// by growth, and are like the last of their service, included; those that had gone, or came later, not.
pub(crate) fn members_at(plan: &Plan, evidence: &Evidence, of: &Members, asked: Stamp) -> Vec<InstanceId> {
    of.instances(&topology_at(plan, evidence, asked))
}

fn topology_at(plan: &Plan, evidence: &Evidence, asked: Stamp) -> Topology {
    let mut topology = plan.topology.clone();
    for service in &mut topology.services {
        let before = sizes(plan, evidence, &service.name).into_iter().filter(|(at, _)| at.asked < asked);
        if let Some((_, size)) = before.max_by_key(|(at, _)| at.asked) {
            let like = service.instances.last().cloned().unwrap_or_default();
            service.instances.resize(size as usize, like);
        }
    }
    topology
}
