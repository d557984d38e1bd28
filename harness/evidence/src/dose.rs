//! Was each fault what it was meant to be? What it touched, against what it could have touched.

mod draw;
mod events;

use crate::{Border, Evidence, Fit, Flags, Window};
use draw::{Armed, Leak, leaks, units};
use squall_model::{Act, Dose, DoseCount, Fault, FaultId, FaultKind, Plan};
use squall_stats::{bounds, share::Look};
use std::time::Duration;

/// Error rate of a dose that is found too weak or too strong: it makes a verdict inconclusive, never green or red.
const ERROR: f64 = 1e-5;

/// When a fault was in place, as observed; `None` if it never took effect.
#[must_use]
pub fn window_of(evidence: &Evidence, fault: FaultId) -> Option<Window> {
    let seen = |act| evidence.observed().effects.iter().filter(move |e| e.act == act).map(|e| Border::from(e.effect));
    let start = seen(Act::Arm(fault)).next()?;
    let end = seen(Act::End(fault)).find(|end| end.asked >= start.asked);
    Some(Window { start, end })
}

/// The dose of every fault and event of the plan.
///
/// A percentage is compared with what was drawn by the exact binomial (Clopper & Pearson 1934) at 1e-5; a leak, a fault
/// that touched nothing, and one of 100 % that spared a single call need no statistics.
#[must_use]
pub fn doses(plan: &Plan, evidence: &Evidence) -> Vec<DoseCount> {
    let armed = Armed::all(plan, evidence);
    let leaks = leaks(evidence, &armed);
    let dose = |fault: &Fault| match armed.iter().find(|a| a.fault.id == fault.id) {
        None => DoseCount { fault: fault.id, dose: Dose::Absent, touched: 0, of: 0 },
        Some(armed_fault) => match &fault.does {
            FaultKind::Touch { .. } => drawn(evidence, &armed, armed_fault, &leaks),
            FaultKind::Answers { of, how } => events::answers(plan, evidence, armed_fault, of, *how),
            FaultKind::Killed { of } => events::killed(plan, evidence, armed_fault, of, crate::Process::Proxy),
            FaultKind::ProcessKilled { of } => {
                events::killed(plan, evidence, armed_fault, of, crate::Process::Workload)
            }
            FaultKind::ControlPlaneKilled => events::control_plane(evidence, armed_fault),
            FaultKind::Resized { .. } => DoseCount { fault: fault.id, dose: Dose::Confirmed, touched: 1, of: 1 },
            FaultKind::Outage { .. } => leaked(&armed, armed_fault, &leaks, events::outage(evidence, armed_fault)),
        },
    };
    plan.faults.iter().map(dose).collect()
}

/// Lines with FI or DI, and how many of them no fault of the plan can have caused though it draws none at all: those of
/// a plan that does are told as leaks, by their edges.
pub(crate) fn unowned(plan: &Plan, evidence: &Evidence) -> (u64, u64) {
    let flagged = units(evidence).filter(|u| Flags(&u.line.flags).has_any(&["FI", "DI"])).count() as u64;
    let draws = plan.faults.iter().any(|f| matches!(f.does, FaultKind::Touch { .. } | FaultKind::Outage { .. }));
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

fn drawn(evidence: &Evidence, armed: &[Armed<'_>], own: &Armed<'_>, leaks: &[Leak]) -> DoseCount {
    let counted = count(evidence, armed, own);
    let Drawn { touched, of, .. } = counted;
    leaked(armed, own, leaks, DoseCount { fault: own.fault.id, dose: counted.dose(), touched, of })
}

fn leaked(armed: &[Armed<'_>], own: &Armed<'_>, leaks: &[Leak], count: DoseCount) -> DoseCount {
    match leak_of(armed, own, leaks) {
        Some(leak) => DoseCount { dose: Dose::Leaked(leak.edge.clone()), ..count },
        None => count,
    }
}

/// The first leak that this fault has to answer for: of its own kind and place; where no fault is of that kind and place, of
/// any.
fn leak_of<'a>(armed: &[Armed<'_>], own: &Armed<'_>, leaks: &'a [Leak]) -> Option<&'a Leak> {
    let is =
        |a: &Armed<'_>, leak: &Leak| a.draw().is_some_and(|(level, flag, _)| level == leak.level && flag == leak.flag);
    leaks.iter().find(|leak| is(own, leak) || !armed.iter().any(|a| is(a, leak)))
}

/// Counts the units that lie under this fault of its kind alone; where there is none, those under several.
fn count(evidence: &Evidence, armed: &[Armed<'_>], own: &Armed<'_>) -> Drawn {
    let Some((level, flag, share)) = own.draw() else { return Drawn::default() };
    let error = Duration::from_nanos(evidence.observed().health.clock_error);
    let mut alone = Drawn { chance: share, ..Drawn::default() };
    let mut together = Drawn::default();
    for unit in units(evidence).filter(|u| u.level == level) {
        if !own.window.surely_at(unit.line.began, error) || own.fits(&unit) != Fit::Yes {
            continue;
        }
        let over = |a: &&Armed<'_>| a.window.possibly_at(unit.line.began, error) && a.fits(&unit) != Fit::No;
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
