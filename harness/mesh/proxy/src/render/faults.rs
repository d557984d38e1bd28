//! Which faults can be armed where: slots of the fault filters, filled from the baseline on at 0 %.

use super::{
    CALLER, concerns, is_checked,
    requests::{Condition, kind},
};
use serde::Serialize;
use squall_mesh::{Desired, Refusal};
use squall_model::{
    AnswerCode, Calls, Fault, FaultId, FaultKind, Filter, InstanceId, Level, ServiceName, Topology, Touch,
};
use std::{collections::BTreeSet, fmt::Write as _, time::Duration};

/// Fault filters in every chain: so many different faults can stand at one spot.
pub const SLOTS: usize = 2;

/// One slot at one spot (extensions/filters/http/fault/v3/fault.proto): faults of the plan that do the same to the same
/// requests share one. Its percentage is a runtime key, 0 where that is unset.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FaultSlot {
    /// The runtime key of its percentage: it names the faults, so a key means the same at every spot.
    pub key: String,
    /// The faults.
    #[serde(skip)]
    pub of: Vec<FaultId>,
    /// What it does.
    pub does: SlotTouch,
    /// Which requests it is for: all of this must hold.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub only: BTreeSet<Condition>,
}

/// What a fault filter does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SlotTouch {
    /// Answers with this status.
    Abort(AnswerCode),
    /// Holds for so long.
    Delay(#[serde(with = "squall_model::duration_text")] Duration),
}

/// Faults on calls that this caller makes to this service.
pub(crate) fn outbound(faults: &[Fault], caller: &ServiceName, to: &ServiceName) -> Result<Vec<FaultSlot>, Refusal> {
    let here = faults.iter().filter(|f| is_at_caller(f, caller, to)).filter_map(touching);
    let spot = || format!("calls from \"{caller}\" to \"{to}\"");
    slots(here.map(|(id, does, of)| (id, does, kind(&of.filter))), spot)
}

/// Faults on tries that reach this instance. A check of its health is no try: it names no caller.
pub(crate) fn inbound(want: &Desired<'_>, instance: &InstanceId) -> Result<Vec<FaultSlot>, Refusal> {
    let slots = at_callee(want.faults, instance, want.topology)?;
    let checked = is_checked(want, &instance.service);
    let names_caller =
        |slot: &FaultSlot| slot.only.iter().any(|c| matches!(c, Condition::Header(name, _) if name == CALLER));
    let slots = slots.into_iter().map(|mut slot| {
        if checked && !names_caller(&slot) {
            slot.only.insert(Condition::Has(CALLER.into()));
        }
        slot
    });
    Ok(slots.collect())
}

/// The slots of faults on tries that reach this instance.
pub(crate) fn at_callee(
    faults: &[Fault],
    instance: &InstanceId,
    topology: &Topology,
) -> Result<Vec<FaultSlot>, Refusal> {
    let here = faults.iter().filter(|f| is_at_callee(f, instance, topology)).filter_map(touching);
    let from = |of: &Calls| of.from.as_ref().map(|from| Condition::Header(CALLER.into(), from.to_string()));
    let spot = || format!("tries reaching {instance}");
    slots(here.map(|(id, does, of)| (id, does, kind(&of.filter).into_iter().chain(from(of)).collect())), spot)
}

/// What faults on calls from this caller to this service ask of them.
pub(crate) fn filters<'f>(
    faults: &'f [Fault],
    caller: &'f ServiceName,
    to: &'f ServiceName,
) -> impl Iterator<Item = &'f Filter> {
    let touched = faults.iter().filter_map(touching).map(|(_, _, of)| of);
    touched.filter(move |of| concerns(of, caller, to)).map(|of| &of.filter)
}

/// Whether a fault on calls sits at this caller's way to this service.
fn is_at_caller(fault: &Fault, caller: &ServiceName, to: &ServiceName) -> bool {
    let FaultKind::Touch { on, .. } = &fault.does else { return false };
    on.level == Level::Calls && concerns(&on.of, caller, to)
}

/// Whether a fault on tries sits at this instance.
fn is_at_callee(fault: &Fault, instance: &InstanceId, topology: &Topology) -> bool {
    let of = match &fault.does {
        FaultKind::Touch { on, .. } if on.level == Level::Tries => &on.of,
        _ => return false,
    };
    of.to.as_ref().is_none_or(|target| target.instances(topology).contains(instance))
}

/// What a fault does to which calls; `None` where it is no business of a proxy.
pub(crate) fn touching(fault: &Fault) -> Option<(FaultId, SlotTouch, &Calls)> {
    match &fault.does {
        FaultKind::Touch { on, touch: Touch::Abort(status) } => Some((fault.id, SlotTouch::Abort(*status), &on.of)),
        FaultKind::Touch { on, touch: Touch::Delay(time) } => Some((fault.id, SlotTouch::Delay(*time), &on.of)),
        _ => None,
    }
}

/// Faults that do the same to the same requests share a slot; different ones need one each. Those that delay come first,
/// whatever the order of writing: who is held may be aborted after it, who is aborted can be held no more. So each is drawn for
/// all that it was aimed at.
fn slots(
    faults: impl Iterator<Item = (FaultId, SlotTouch, BTreeSet<Condition>)>,
    spot: impl Fn() -> String,
) -> Result<Vec<FaultSlot>, Refusal> {
    let mut slots: Vec<FaultSlot> = Vec::new();
    for (id, does, only) in faults {
        match slots.iter_mut().find(|slot| slot.does == does && slot.only == only) {
            Some(slot) => slot.of.push(id),
            None => slots.push(FaultSlot { key: String::new(), of: vec![id], does, only }),
        }
    }
    slots.sort_by_key(|slot| matches!(slot.does, SlotTouch::Abort(_)));
    slots.iter_mut().for_each(|slot| slot.key = key(&slot.of));
    match slots.len() {
        0..=SLOTS => Ok(slots),
        more => Err(Refusal(format!("{more} different faults on {}: there is room for {SLOTS} at one spot", spot()))),
    }
}

/// The runtime key of the faults of one slot: `squall.f0.share`, `squall.f0-2.share`.
fn key(of: &[FaultId]) -> String {
    let mut names = String::new();
    for id in of {
        let joined = if names.is_empty() { "" } else { "-" };
        let _ = write!(names, "{joined}{}", id.0);
    }
    format!("squall.f{names}.share")
}
