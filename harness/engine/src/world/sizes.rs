//! Services that grow and shrink. Pure.

use squall_model::{FaultKind, Plan, Service, Topology};

/// The topology with every service as large as it ever gets.
pub(super) fn largest(plan: &Plan) -> Topology {
    let mut topology = plan.topology.clone();
    for fault in &plan.faults {
        if let FaultKind::Resized { service, to } = &fault.does
            && let Some(service) = topology.service_mut(service)
            && service.instances.len() < *to as usize
        {
            resized(service, *to as usize);
        }
    }
    topology
}

/// A service of another size: new instances are like the last.
pub(super) fn resized(service: &mut Service, to: usize) {
    let like = service.instances.last().cloned().unwrap_or_default();
    service.instances.resize(to, like);
}
