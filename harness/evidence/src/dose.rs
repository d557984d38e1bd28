//! Was each fault what it was meant to be? What it touched, against what it could have touched.

mod answers;
mod asked;
mod down;
mod draw;
mod events;
mod windows;
mod wires;

use crate::{Evidence, Fit, Flags, Window};
use draw::{Armed, Drawn, Leak, drawn, leaks, units};
use squall_model::{
    Condition, Dose, DoseCount, DoseLeak, DosePart, Down, Edge, Fault, FaultId, FaultKind, Fraction, InstanceId, Level,
    Meant, Plan, Spared, StateRecord, Unit,
};
use squall_stats::{bounds, share::Look};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use windows::Windows;
pub(crate) use wires::unowned_damages;
use wires::{WireLeak, wire_leaks, wire_leaks_of};

/// Error rate of a dose that is found too weak or too strong: it makes a verdict inconclusive, never green or red.
const ERROR: f64 = 1e-5;

/// When a fault was first in place, as observed; `None` if it never took effect.
#[must_use]
pub fn window_of(evidence: &Evidence, fault: FaultId) -> Option<Window> {
    Windows::of(evidence, fault).map(|windows| windows.first())
}

/// The dose of every fault and event of the plan.
///
/// A percentage is compared with what was drawn by the exact binomial (Clopper & Pearson 1934) at 1e-5, over all and at each
/// proxy that draws (at 1e-5 for all of these together); a leak, a fault that touched nothing, and one of 100 % that spared a
/// single call need no statistics.
#[must_use]
pub fn doses(plan: &Plan, evidence: &Evidence) -> Vec<DoseCount> {
    let armed = Armed::all(plan, evidence);
    let leaks = Leaks { drawn: leaks(evidence, &armed), wires: wire_leaks(plan, evidence, &armed) };
    let dose = |fault: &Fault| match armed.iter().find(|a| a.fault.id == fault.id) {
        None => DoseCount::new(fault.id, Dose::Absent, 0, 0),
        Some(own) => leaked(&armed, own, &leaks, count(plan, evidence, &armed, own)),
    };
    plan.faults.iter().map(dose).collect()
}

/// What a fault touched of what it was meant to.
fn count(plan: &Plan, evidence: &Evidence, armed: &[Armed<'_>], own: &Armed<'_>) -> DoseCount {
    match &own.fault.does {
        FaultKind::Touch { .. } => touched(plan, evidence, armed, own),
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
    DoseCount::new(own.fault.id, whole(touched, of), touched, of).meaning(Meant::Each)
}

fn whole(touched: u64, of: u64) -> Dose {
    match touched {
        0 => Dose::Absent,
        _ if touched < of => Dose::Weaker,
        _ => Dose::Confirmed,
    }
}

/// What a fault was at each of several instances, each of which must be touched as a whole: touched, of how many.
fn parts_of<'a>(all: impl IntoIterator<Item = (&'a InstanceId, (u64, u64))>) -> Vec<DosePart> {
    let part =
        |(at, (touched, of)): (&InstanceId, _)| DosePart { at: at.clone(), dose: whole(touched, of), touched, of };
    all.into_iter().map(part).collect()
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

/// Every FI and DI, for a plan that orders none.
pub(crate) fn unowned_leaks(evidence: &Evidence) -> Vec<DoseLeak> {
    let flagged = units(evidence).filter(|u| Flags(&u.line.flags).has_any(&["FI", "DI"]));
    grouped(flagged.map(|unit| (unit.edge(), unit.line.proxy.clone())))
}

/// Units that a fault could have touched, and those that it did; over all, and by the proxy that draws.
#[derive(Debug, Clone, Default)]
struct Draws<'a> {
    all: Look,
    parts: BTreeMap<&'a InstanceId, Look>,
    /// The chance of each; of units under several faults of a kind, that of any of them (those of the first such unit).
    chance: f64,
}

impl<'a> Draws<'a> {
    fn push(&mut self, at: &'a InstanceId, hit: bool) {
        for look in [&mut self.all, self.parts.entry(at).or_default()] {
            look.n += 1;
            look.hits += u64::from(hit);
        }
    }

    fn compared(&self, seen: Look, error: f64) -> Dose {
        match bounds::clopper_pearson(seen, error) {
            Some(bounds) if self.chance > bounds.high && seen.hits == 0 => Dose::Absent,
            Some(bounds) if self.chance > bounds.high => Dose::Weaker,
            Some(bounds) if self.chance < bounds.low => Dose::Stronger,
            _ => Dose::Confirmed,
        }
    }

    /// A proxy that draws otherwise than it was told to makes it another fault, even where the sum is as meant.
    fn dose(&self, parts: &[DosePart]) -> Dose {
        let part = |of: fn(&DosePart) -> bool| parts.iter().any(of);
        match self.compared(self.all, ERROR) {
            _ if self.all.hits == 0 => Dose::Absent,
            Dose::Confirmed if part(DosePart::is_short) => Dose::Weaker,
            Dose::Confirmed if part(|p| p.dose == Dose::Stronger) => Dose::Stronger,
            dose => dose,
        }
    }

    fn parts(&self) -> Vec<DosePart> {
        let error = ERROR / self.parts.len().max(1) as f64;
        let part = |(at, seen): (&&InstanceId, &Look)| {
            let dose = self.compared(*seen, error);
            DosePart { at: (*at).clone(), dose, touched: seen.hits, of: seen.n }
        };
        self.parts.iter().map(part).collect()
    }

    fn meant(&self) -> Option<Meant> {
        let bounds = bounds::clopper_pearson(self.all, ERROR).filter(|_| self.all.n > 0)?;
        Some(drawn_at(self.chance, bounds))
    }
}

/// Each was drawn with this chance, and what was counted bounds it so.
fn drawn_at(chance: f64, bounds: bounds::Interval) -> Meant {
    let (low, high) = (fraction(bounds.low), fraction(bounds.high));
    Meant::Share { of: fraction(chance), low, high, error: fraction(ERROR) }
}

fn fraction(x: f64) -> Fraction {
    Fraction::from_ppm((x * 1e6).round().clamp(0.0, 1e6) as u32).unwrap_or_default()
}

/// Nobody of those that were drawn was taken, as is to be expected now and then: of so few, or with so small a chance.
fn none_drawn(unit: Unit, chance: f64, seen: Look) -> Option<Spared> {
    let none = (1.0 - chance).powf(seen.n as f64);
    let by_chance = seen.hits == 0 && seen.n > 0 && none >= ERROR;
    by_chance.then(|| Spared::NoneDrawn { unit, chance: fraction(none) })
}

fn touched(plan: &Plan, evidence: &Evidence, armed: &[Armed<'_>], own: &Armed<'_>) -> DoseCount {
    let mut drawn = draws(evidence, armed, own);
    let asked = asked::asked(plan, evidence, own);
    asked.draws.iter().for_each(|(at, hit)| drawn.push(at, *hit));
    let parts = drawn.parts();
    let count = DoseCount::new(own.fault.id, drawn.dose(&parts), drawn.all.hits, drawn.all.n);
    // One proxy alone is the whole.
    let parts = if parts.len() > 1 { parts } else { Vec::new() };
    let unit = own.draw().map_or(Unit::Call, |(level, ..)| if level == Level::Tries { Unit::Try } else { Unit::Call });
    let spared = asked.missed().filter(|_| count.dose.is_short()).or_else(|| none_drawn(unit, drawn.chance, drawn.all));
    DoseCount { meant: drawn.meant(), parts, spared, ..count }
}

/// Touches where no fault was aimed.
struct Leaks {
    drawn: Vec<Leak>,
    wires: Vec<WireLeak>,
}

fn leaked(armed: &[Armed<'_>], own: &Armed<'_>, leaks: &Leaks, count: DoseCount) -> DoseCount {
    let drawn = leaks_of(armed, own, &leaks.drawn).map(|leak| (leak.edge.clone(), leak.at.clone()));
    let wires = wire_leaks_of(armed, own, &leaks.wires).map(|leak| (leak.edge.clone(), leak.at.clone()));
    let leaks = grouped(drawn.chain(wires));
    match leaks.first() {
        Some(first) => DoseCount { dose: Dose::Leaked(first.edge.clone()), leaks, ..count },
        None => count,
    }
}

/// How often each of these occurs, in the order in which they first do.
fn grouped(all: impl Iterator<Item = (Edge, InstanceId)>) -> Vec<DoseLeak> {
    let mut groups: Vec<DoseLeak> = Vec::new();
    for (edge, at) in all {
        match groups.iter_mut().find(|group| group.edge == edge && group.at == at) {
            Some(group) => group.touched += 1,
            None => groups.push(DoseLeak { edge, at, touched: 1 }),
        }
    }
    groups
}

/// The leaks that this fault has to answer for: of its own kind and place; where no fault is of that kind and place, all.
fn leaks_of<'l>(armed: &[Armed<'_>], own: &Armed<'_>, leaks: &'l [Leak]) -> impl Iterator<Item = &'l Leak> {
    let is =
        |a: &Armed<'_>, leak: &Leak| a.draw().is_some_and(|(level, flag, _)| level == leak.level && flag == leak.flag);
    leaks.iter().filter(move |leak| is(own, leak) || (own.draw().is_some() && !armed.iter().any(|a| is(a, leak))))
}

/// Counts the units that lie under this fault of its kind alone; where there is none, those under several.
fn draws<'e>(evidence: &'e Evidence, armed: &[Armed<'_>], own: &Armed<'_>) -> Draws<'e> {
    let Some((level, flag, share)) = own.draw() else { return Draws::default() };
    let health = &evidence.observed().health;
    let error = Duration::from_nanos(health.clock_error);
    // A proxy that is held up longer than this makes a run that proves nothing.
    let late = Duration::from_nanos(health.queued_limit);
    let mut alone = Draws { chance: share, ..Draws::default() };
    let mut together = alone.clone();
    for unit in units(evidence).filter(|u| u.level == level) {
        let from = unit.line.began;
        let to = match drawn(&unit, flag, armed, error) {
            Drawn::AtOnce => from,
            Drawn::Later(at) => at + late,
            Drawn::Never => continue,
        };
        if !own.windows.surely_throughout(from, to, error) || own.fits(&unit) != Fit::Yes {
            continue;
        }
        let over = |a: &&Armed<'_>| a.windows.meeting(from - error, to + error).is_some() && a.fits(&unit) != Fit::No;
        let others = armed.iter().filter(|a| a.fault.id != own.fault.id).filter(over).filter_map(Armed::draw);
        let same: Vec<_> = others.filter(|d| d.0 == level && d.1 == flag).collect();
        let into = if same.is_empty() { &mut alone } else { &mut together };
        if into.all.n == 0 && !same.is_empty() {
            into.chance = 1.0 - same.iter().fold(1.0 - share, |spared, (_, _, share)| spared * (1.0 - share));
        }
        into.push(&unit.line.proxy, unit.has(flag));
    }
    if alone.all.n > 0 { alone } else { together }
}

#[cfg(test)]
mod tests;
