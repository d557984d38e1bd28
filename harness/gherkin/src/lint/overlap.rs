//! What cannot be done to one process, or to one wire, at one time.

use super::view::{View, Window};
use crate::source::Mistake;
use squall_model::{FaultKind, InstanceId, Members, Part, Topology, Wire, Wires};
use std::collections::BTreeSet;
use std::mem::discriminant;
use std::time::Duration;

/// Looks at every two faults that are in place at one time.
pub(crate) fn check(view: &mut View<'_, '_, '_>) {
    let mut windows = view.windows();
    windows.sort_by_key(start);
    for (number, later) in windows.iter().enumerate() {
        for earlier in windows[..number].iter().filter(|earlier| meet(earlier, later)) {
            if let Some((what, hint)) = clash(view, earlier, later) {
                tell(view, earlier, later, &what, hint);
            }
        }
    }
}

fn tell(view: &mut View<'_, '_, '_>, earlier: &Window, later: &Window, what: &str, hint: &'static str) {
    let Some(first) = view.place(view.fault_line(earlier.fault)) else { return };
    view.tell(view.fault_line(later.fault), |line| {
        Mistake::error("overlap", line.whole(), what).label(format!("line {first} lasts until after this")).hint(hint)
    });
}

fn start(window: &Window) -> (usize, Duration) {
    (window.stage, window.from.unwrap_or_default())
}

/// Whether the first, which begins no later, is still there when the second begins.
fn meet(earlier: &Window, later: &Window) -> bool {
    start(earlier) == start(later) || earlier.to.is_none_or(|end| start(later) < end)
}

/// What is wrong with these two at one time, if anything is.
fn clash(view: &View<'_, '_, '_>, earlier: &Window, later: &Window) -> Option<(String, &'static str)> {
    let plan = view.plan();
    let kind = |window: &Window| plan.fault(window.fault).map(|fault| &fault.does);
    let (one, other) = (kind(earlier)?, kind(later)?);
    if let (Some(one), Some(other)) = (processes(one), processes(other)) {
        let id = common(&plan.topology, one, other)?;
        let hint = "what is down cannot go down again: have the one end before the other begins, or name others";
        return Some((format!("instance {} of \"{}\" is down at that time", id.number, id.service), hint));
    }
    if let (FaultKind::Wire { of: one, damage: first }, FaultKind::Wire { of: other, damage }) = (one, other) {
        let differ = discriminant(first) == discriminant(damage) && first != damage;
        let wire = shared(&plan.topology, one, other).filter(|_| differ)?;
        let hint = "a wire has one delay, one rate, one share of resets: have the one end before the other begins";
        return Some((format!("the wire {wire} {first} at that time"), hint));
    }
    cut_off_and_back(&plan.topology, one, other)
}

/// The processes that a fault takes down: whose, and which.
fn processes(kind: &FaultKind) -> Option<(&Members, Part)> {
    match kind {
        FaultKind::Down { of, part, .. } | FaultKind::Restarted { of, part } => Some((of, *part)),
        _ => None,
    }
}

/// The first instance of which both take down the same process.
fn common(topology: &Topology, one: (&Members, Part), other: (&Members, Part)) -> Option<InstanceId> {
    let both = |has: fn(Part) -> bool| has(one.1) && has(other.1);
    if !(both(Part::has_proxy) || both(Part::has_workload)) {
        return None;
    }
    let others: BTreeSet<InstanceId> = other.0.instances(topology).into_iter().collect();
    one.0.instances(topology).into_iter().find(|id| others.contains(id))
}

fn shared(topology: &Topology, one: &Wires, other: &Wires) -> Option<Wire> {
    let others: BTreeSet<Wire> = other.all(topology).into_iter().collect();
    one.all(topology).into_iter().find(|wire| others.contains(wire))
}

/// A proxy that comes back begins with nothing, and within a site that is cut off nobody tells it anything.
fn cut_off_and_back(topology: &Topology, one: &FaultKind, other: &FaultKind) -> Option<(String, &'static str)> {
    let place = one.site_cut_off().or_else(|| other.site_cut_off())?;
    let (of, part) = processes(one).or_else(|| processes(other))?;
    let within = Members::In(place.clone()).instances(topology);
    let id = of.instances(topology).into_iter().find(|id| part.has_proxy() && within.contains(id))?;
    let what = format!("{place} is cut off while instance {} of \"{}\" is down", id.number, id.service);
    Some((
        what,
        "it would come back without a configuration, as the site hears nothing of the control plane:\nsay `zone` for a place that keeps its control plane, or let the one end before the other begins",
    ))
}
