//! Was each fault what it was meant to be? What it touched, against what it could have touched.

mod answers;
mod down;
mod draw;
mod events;
mod windows;
mod wires;

use crate::{Evidence, Fit, Flags, Window};
use draw::{Armed, Leak, leaks, units};
use squall_model::{Condition, Dose, DoseCount, Down, Fault, FaultId, FaultKind, InstanceId, Plan, StateRecord};
use squall_stats::{bounds, share::Look};
use std::{collections::BTreeSet, time::Duration};
use windows::Windows;
pub(crate) use wires::unowned_damages;
use wires::{WireLeak, wire_leak_of, wire_leaks};

/// Error rate of a dose that is found too weak or too strong: it makes a verdict inconclusive, never green or red.
const ERROR: f64 = 1e-5;

/// When a fault was first in place, as observed; `None` if it never took effect.
#[must_use]
pub fn window_of(evidence: &Evidence, fault: FaultId) -> Option<Window> {
    Windows::of(evidence, fault).map(|windows| windows.first())
}

/// The dose of every fault and event of the plan.
///
/// A percentage is compared with what was drawn by the exact binomial (Clopper & Pearson 1934) at 1e-5; a leak, a fault
/// that touched nothing, and one of 100 % that spared a single call need no statistics.
#[must_use]
pub fn doses(plan: &Plan, evidence: &Evidence) -> Vec<DoseCount> {
    let armed = Armed::all(plan, evidence);
    let leaks = Leaks { drawn: leaks(evidence, &armed), wires: wire_leaks(plan, evidence, &armed) };
    let dose = |fault: &Fault| match armed.iter().find(|a| a.fault.id == fault.id) {
        None => DoseCount { fault: fault.id, dose: Dose::Absent, touched: 0, of: 0 },
        Some(own) => leaked(&armed, own, &leaks, count(plan, evidence, &armed, own)),
    };
    plan.faults.iter().map(dose).collect()
}

/// What a fault touched of what it was meant to.
fn count(plan: &Plan, evidence: &Evidence, armed: &[Armed<'_>], own: &Armed<'_>) -> DoseCount {
    match &own.fault.does {
        FaultKind::Touch { .. } => drawn(evidence, armed, own),
        FaultKind::Answers { of, how } => answers::answers(plan, evidence, own, of, *how),
        FaultKind::Down { how: Down::Killed | Down::Stopped, part, of } => down::killed(plan, evidence, own, of, *part),
        FaultKind::Down { how: Down::Paused, part, of } => down::paused(plan, evidence, own, of, *part),
        FaultKind::Restarted { part, of } => down::restarted(plan, evidence, own, of, *part),
        FaultKind::Wire { of, damage } => wires::damaged(plan, evidence, own, of, *damage),
        FaultKind::ControlPlaneKilled => events::control_plane(evidence, own),
        FaultKind::Resized { service, to } => events::resized(plan, evidence, own, service, *to),
        FaultKind::Outage { .. } => events::outage(evidence, own),
    }
}

/// A dose of what must be whole: one that was spared is too many.
fn counted(own: &Armed<'_>, touched: u64, of: u64) -> DoseCount {
    let dose = match touched {
        0 => Dose::Absent,
        _ if touched < of => Dose::Weaker,
        _ => Dose::Confirmed,
    };
    DoseCount { fault: own.fault.id, dose, touched, of }
}

/// Instances among these that some caller's proxy found unhealthy by its checks while the fault was in place.
fn noticed(evidence: &Evidence, own: &Armed<'_>, meant: impl Fn(&InstanceId) -> bool) -> u64 {
    failed_checks(evidence, own).map(|s| &s.of).filter(|of| meant(of)).collect::<BTreeSet<_>>().len() as u64
}

/// What callers' proxies told of instances that they found unhealthy by their checks while the fault was in place.
fn failed_checks<'a>(evidence: &'a Evidence, own: &'a Armed<'_>) -> impl Iterator<Item = &'a StateRecord> {
    let error = Duration::from_nanos(evidence.observed.health.clock_error);
    let begun = evidence.observed.states.iter().filter(|s| s.what == Condition::Unhealthy && s.begins);
    begun.filter(move |s| own.windows.possibly_at(s.at, error))
}

/// Lines with FI or DI, and how many of them no fault of the plan can have caused though it draws none at all: those of
/// a plan that does are told as leaks, by their edges.
pub(crate) fn unowned(plan: &Plan, evidence: &Evidence) -> (u64, u64) {
    let flagged = units(evidence).filter(|u| Flags(&u.line.flags).has_any(&["FI", "DI"])).count() as u64;
    let draws = plan.faults.iter().any(|f| matches!(f.does, FaultKind::Touch { .. }));
    (flagged, if draws { 0 } else { flagged })
}

/// Units that a fault could have touched, and those that it did.
#[derive(Debug, Clone, Copy, Default)]
struct Drawn {
    touched: u64,
    of: u64,
    /// The chance of each; of units under several faults of a kind, that of any of them (those of the first such unit).
    chance: f64,
}

impl Drawn {
    fn dose(self) -> Dose {
        let seen = Look { n: self.of, hits: self.touched };
        let Some(bounds) = bounds::clopper_pearson(seen, ERROR).filter(|_| self.touched > 0) else {
            return Dose::Absent;
        };
        match self.chance {
            chance if chance > bounds.high => Dose::Weaker,
            chance if chance < bounds.low => Dose::Stronger,
            _ => Dose::Confirmed,
        }
    }
}

fn drawn(evidence: &Evidence, armed: &[Armed<'_>], own: &Armed<'_>) -> DoseCount {
    let counted = draws(evidence, armed, own);
    let Drawn { touched, of, .. } = counted;
    DoseCount { fault: own.fault.id, dose: counted.dose(), touched, of }
}

/// Touches where no fault was aimed.
struct Leaks {
    drawn: Vec<Leak>,
    wires: Vec<WireLeak>,
}

fn leaked(armed: &[Armed<'_>], own: &Armed<'_>, leaks: &Leaks, count: DoseCount) -> DoseCount {
    let drawn = leak_of(armed, own, &leaks.drawn).map(|leak| &leak.edge);
    match drawn.or_else(|| wire_leak_of(armed, own, &leaks.wires).map(|leak| &leak.edge)) {
        Some(edge) => DoseCount { dose: Dose::Leaked(edge.clone()), ..count },
        None => count,
    }
}

/// The first leak that this fault has to answer for: of its own kind and place; where no fault is of that kind and place, of
/// any.
fn leak_of<'a>(armed: &[Armed<'_>], own: &Armed<'_>, leaks: &'a [Leak]) -> Option<&'a Leak> {
    let is =
        |a: &Armed<'_>, leak: &Leak| a.draw().is_some_and(|(level, flag, _)| level == leak.level && flag == leak.flag);
    leaks.iter().find(|leak| is(own, leak) || (own.draw().is_some() && !armed.iter().any(|a| is(a, leak))))
}

/// Counts the units that lie under this fault of its kind alone; where there is none, those under several.
fn draws(evidence: &Evidence, armed: &[Armed<'_>], own: &Armed<'_>) -> Drawn {
    let Some((level, flag, share)) = own.draw() else { return Drawn::default() };
    let error = Duration::from_nanos(evidence.observed().health.clock_error);
    let mut alone = Drawn { chance: share, ..Drawn::default() };
    let mut together = Drawn::default();
    for unit in units(evidence).filter(|u| u.level == level) {
        if !own.windows.surely_at(unit.line.began, error) || own.fits(&unit) != Fit::Yes {
            continue;
        }
        let over = |a: &&Armed<'_>| a.windows.possibly_at(unit.line.began, error) && a.fits(&unit) != Fit::No;
        let others = armed.iter().filter(|a| a.fault.id != own.fault.id).filter(over).filter_map(Armed::draw);
        let (same, other): (Vec<_>, Vec<_>) = others.filter(|d| d.0 == level).partition(|d| d.1 == flag);
        // What another fault aborted may never have come to this one.
        let preempted = !other.is_empty() && flag == "DI" && unit.has("FI") && !unit.has("DI");
        if preempted {
            continue;
        }
        let into = if same.is_empty() { &mut alone } else { &mut together };
        if into.of == 0 && !same.is_empty() {
            into.chance = 1.0 - same.iter().fold(1.0 - share, |spared, (_, _, share)| spared * (1.0 - share));
        }
        into.of += 1;
        into.touched += u64::from(unit.has(flag));
    }
    if alone.of > 0 { alone } else { together }
}

#[cfg(test)]
mod tests;
