//! Damage where none was ordered: exact, no test.

use super::{super::draw::Armed, means};
use crate::{Evidence, Window};
use squall_model::{Damage, Edge, FaultKind, Fraction, Hurt, InstanceId, Plan, Wire, WireEnd, WireRecord};
use std::time::Duration;

/// A damage where no fault of the plan meant it.
pub(in super::super) struct WireLeak {
    by: Damage,
    pub(in super::super) edge: Edge,
    /// Where the wire leads to.
    pub(in super::super) at: InstanceId,
}

/// Every damage to a connection that no fault of the plan can have done.
pub(in super::super) fn wire_leaks(plan: &Plan, evidence: &Evidence, armed: &[Armed<'_>]) -> Vec<WireLeak> {
    let foreign = |r: &WireRecord, hurt: &Hurt| !armed.iter().any(|a| owns(plan, a, &r.wire, hurt));
    let edge = |wire: &Wire| Edge { from: wire.from.service.clone(), to: wire.to.service.clone() };
    let leaks = evidence.observed.wires.iter().flat_map(|r| r.hurt.iter().map(move |hurt| (r, hurt)));
    leaks
        .filter(|(r, h)| foreign(r, h))
        .map(|(r, h)| WireLeak { by: h.by, edge: edge(&r.wire), at: r.wire.to.clone() })
        .collect()
}

/// The leaks that this fault has to answer for: of its own damage; where no fault does that damage, all.
pub(in super::super) fn wire_leaks_of<'l>(
    armed: &[Armed<'_>],
    own: &Armed<'_>,
    leaks: &'l [WireLeak],
) -> impl Iterator<Item = &'l WireLeak> {
    let damages = |a: &Armed<'_>| matches!(a.fault.does, FaultKind::Wire { .. } | FaultKind::Outage { .. });
    let is = |a: &Armed<'_>, leak: &WireLeak| does(&a.fault.does, leak.by);
    leaks.iter().filter(move |leak| is(own, leak) || (damages(own) && !armed.iter().any(|a| is(a, leak))))
}

/// Damages of connections, and how many of them no fault of the plan can have done though it damages no wire at all: those
/// of a plan that does are told as leaks. A reset by the link that is put down to no damage is always one.
pub(crate) fn unowned_damages(plan: &Plan, evidence: &Evidence) -> (u64, u64) {
    let damages = plan.faults.iter().any(|f| matches!(f.does, FaultKind::Wire { .. } | FaultKind::Outage { .. }));
    let wires = &evidence.observed.wires;
    let hurts = wires.iter().map(|r| r.hurt.len() as u64).sum::<u64>();
    let bare = wires.iter().filter(|r| r.end == WireEnd::Damage && r.hurt.is_empty()).count() as u64;
    (hurts + bare, if damages { bare } else { hurts + bare })
}

/// Does this fault do this damage?
fn does(fault: &FaultKind, by: Damage) -> bool {
    match fault {
        FaultKind::Wire { damage, .. } => *damage == by,
        // Whoever calls is told at once: what is open is reset, what is new is refused.
        FaultKind::Outage { .. } => matches!(by, Damage::Reset(Fraction::ALL) | Damage::Refuse),
        _ => false,
    }
}

/// Can this fault have done this to a connection of this wire?
fn owns(plan: &Plan, own: &Armed<'_>, wire: &Wire, hurt: &Hurt) -> bool {
    let meant = match &own.fault.does {
        FaultKind::Wire { of, .. } => means(&plan.topology, of, wire),
        FaultKind::Outage { of } => of.wires(&plan.topology).iter().any(|of| means(&plan.topology, of, wire)),
        _ => false,
    };
    let began = own.windows.possibly_at(hurt.first, Duration::ZERO);
    // A link notes of each damage to a connection the first moment and the last: of one in blocks they lie in different ones.
    let until = |window: &Window| {
        window.start.asked <= hurt.last && window.end.is_none_or(|end| hurt.last <= end.settled + aftermath(hurt.by))
    };
    meant && began && own.windows.all().any(until) && does(&own.fault.does, hurt.by)
}

/// What was held back when the damage ended comes so much later.
fn aftermath(damage: Damage) -> Duration {
    match damage {
        Damage::Slow { by, jitter } => by + jitter,
        Damage::SlowClose(time) => time,
        _ => Duration::ZERO,
    }
}
