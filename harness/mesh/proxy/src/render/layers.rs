//! The runtime layer of each proxy, given which faults are armed. Pure.

use super::faults::{self, FaultSlot};
use crate::channel::{Layer, RuntimeValue};
use squall_mesh::{Bindings, Refusal};
use squall_model::{Fault, FaultId, FaultKind, Fraction, InstanceId, Plan, Topology};
use std::collections::{BTreeMap, BTreeSet};

/// How many epochs a probe can tell apart: pushes are confirmed one by one, so two would do.
pub const EPOCHS: u64 = 8;

/// What a probe answers where no faults are in place.
pub const NO_EPOCH: &str = "none";

/// The runtime key that is on in one epoch only.
pub fn epoch_key(epoch: u64) -> String {
    format!("squall.epoch.{}", epoch % EPOCHS)
}

/// The layer of every seat: the shares of the armed faults that sit there, and nothing at all where none does. The epoch is
/// added when it is pushed.
///
/// # Errors
/// Where a spot has no room for the plan's faults.
pub fn layers(plan: &Plan, at: &Bindings, armed: &BTreeSet<FaultId>) -> Result<BTreeMap<InstanceId, Layer>, Refusal> {
    let topology = with_every_seat(&plan.topology, at);
    let layer = |instance: &InstanceId| {
        let slots = slots_of(plan, instance, &topology)?;
        let shares = slots.into_iter().map(|slot| (share(plan, &slot, armed), slot.key));
        let layer = shares.filter(|(share, _)| *share > Fraction::ZERO);
        Ok((instance.clone(), layer.map(|(share, key)| (key, RuntimeValue::Fraction(share))).collect()))
    };
    at.seats.keys().map(layer).collect()
}

/// Every slot of a proxy, on all its ways out and on its way in.
fn slots_of(plan: &Plan, instance: &InstanceId, topology: &Topology) -> Result<Vec<FaultSlot>, Refusal> {
    let mut slots = faults::at_callee(&plan.faults, instance, topology)?;
    for to in topology.service(&instance.service).map_or(&[][..], |s| &s.calls) {
        slots.extend(faults::outbound(&plan.faults, &instance.service, to)?);
    }
    Ok(slots)
}

/// The plan's topology, grown to the seats that there are now: a new instance is like the last.
fn with_every_seat(topology: &Topology, at: &Bindings) -> Topology {
    let mut topology = topology.clone();
    for service in &mut topology.services {
        let numbers = at.seats.keys().filter(|id| id.service == service.name).map(|id| id.number as usize);
        let highest = numbers.max().unwrap_or(0);
        let like = service.instances.last().cloned().unwrap_or_default();
        service.instances.resize(highest.max(service.instances.len()), like);
    }
    topology
}

/// The chance that one of the armed faults of a slot strikes: they draw independently of each other.
fn share(plan: &Plan, slot: &FaultSlot, armed: &BTreeSet<FaultId>) -> Fraction {
    let here = plan.faults.iter().filter(|fault| slot.of.contains(&fault.id) && armed.contains(&fault.id));
    let spared = here.fold(f64::from(Fraction::ALL.ppm()), |spared, fault| spared * own_share(fault).rest().as_f64());
    Fraction::from_ppm(spared.round() as u32).unwrap_or(Fraction::ALL).rest()
}

fn own_share(fault: &Fault) -> Fraction {
    match &fault.does {
        FaultKind::Touch { on, .. } => on.share,
        _ => Fraction::ALL,
    }
}
