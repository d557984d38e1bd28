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
            FaultKind::Outage { .. } => events::outage(evidence, armed_fault),
        },
    };
    plan.faults.iter().map(dose).collect()
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
    /// The chance of each; of units under several faults of a kind, that of any of them.
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
    let leaked = leak_of(armed, own, leaks).map(|leak| Dose::Leaked(leak.edge.clone()));
    let dose = leaked.unwrap_or_else(|| counted.dose());
    DoseCount { fault: own.fault.id, dose, touched: counted.touched, of: counted.of }
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
        let others = armed.iter().filter(|a| a.fault.id != own.fault.id).filter(over);
        // What another fault aborted may never have come to this one.
        let aborted_before = flag == "DI" && unit.has("FI") && !unit.has("DI");
        let mut spared = 1.0 - share;
        let (mut crowded, mut preempted) = (false, false);
        for (other_level, other_flag, other_share) in others.filter_map(Armed::draw).filter(|d| d.0 == level) {
            debug_assert_eq!(other_level, level, "drawn at the same place");
            crowded |= other_flag == flag;
            preempted |= other_flag != flag && aborted_before;
            spared *= if other_flag == flag { 1.0 - other_share } else { 1.0 };
        }
        if preempted {
            continue;
        }
        if crowded && together.of == 0 {
            together.chance = 1.0 - spared;
        }
        if crowded && (1.0 - spared - together.chance).abs() > f64::EPSILON {
            continue;
        }
        let into = if crowded { &mut together } else { &mut alone };
        into.of += 1;
        into.touched += u64::from(unit.has(flag));
    }
    if alone.of > 0 { alone } else { together }
}

#[cfg(test)]
mod tests;
