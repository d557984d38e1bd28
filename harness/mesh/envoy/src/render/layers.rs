//! The runtime layer of each proxy, given which faults are armed. Pure.

use super::faults::{is_at_callee, is_at_caller, key};
use crate::channel::{Layer, RuntimeValue};
use squall_mesh::Bindings;
use squall_model::{Fault, FaultId, FaultKind, Fraction, InstanceId, Plan, Topology};
use std::collections::{BTreeMap, BTreeSet};

/// How many epochs a probe can tell apart: pushes are confirmed one by one, so two would do.
pub const EPOCHS: u64 = 8;

/// The runtime key that is on in one epoch only.
pub(crate) fn epoch_key(epoch: u64) -> String {
    format!("squall.epoch.{}", epoch % EPOCHS)
}

/// The layer of every seat: the shares of the armed faults that sit there. The epoch is added when it is pushed.
#[must_use]
pub fn layers(plan: &Plan, at: &Bindings, armed: &BTreeSet<FaultId>) -> BTreeMap<InstanceId, Layer> {
    let topology = with_every_seat(&plan.topology, at);
    at.seats
        .keys()
        .map(|instance| {
            let here = plan.faults.iter().filter(|f| armed.contains(&f.id) && is_here(f, instance, &topology));
            let layer = here.map(|f| (key(f), RuntimeValue::Fraction(share(f)))).collect();
            (instance.clone(), layer)
        })
        .collect()
}

/// The plan's topology, grown to the seats that there are now.
fn with_every_seat(topology: &Topology, at: &Bindings) -> Topology {
    let mut topology = topology.clone();
    for service in &mut topology.services {
        let seats = at.seats.keys().filter(|id| id.service == service.name).count();
        let like = service.instances.last().cloned().unwrap_or_default();
        service.instances.resize(seats.max(service.instances.len()), like);
    }
    topology
}

fn is_here(fault: &Fault, instance: &InstanceId, topology: &Topology) -> bool {
    let calls = topology.service(&instance.service).map_or(&[][..], |s| &s.calls);
    calls.iter().any(|to| is_at_caller(fault, &instance.service, to)) || is_at_callee(fault, instance, topology)
}

fn share(fault: &Fault) -> Fraction {
    match &fault.does {
        FaultKind::Touch { on, .. } => on.share,
        _ => Fraction::ALL,
    }
}
