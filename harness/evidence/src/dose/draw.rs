//! What percentage faults are drawn for: calls at their caller's proxy, tries at their callee's.

use super::windows::Windows;
use crate::{CallMatcher, CallStory, Evidence, Fit, Flags, balance::is_from_workload};
use squall_model::{AccessRecord, Edge, Fault, FaultKind, InstanceId, Level, Plan, Side, Stamp, Touch, Traffic};
use std::time::Duration;

/// A fault that took effect.
pub(super) struct Armed<'a> {
    pub(super) fault: &'a Fault,
    pub(super) windows: Windows,
    pub(super) matcher: Option<CallMatcher<'a>>,
}

impl<'a> Armed<'a> {
    pub(super) fn all(plan: &'a Plan, evidence: &Evidence) -> Vec<Armed<'a>> {
        let armed = |fault: &'a Fault| {
            let matcher = match &fault.does {
                FaultKind::Touch { on: Traffic { of, .. }, .. } | FaultKind::Outage { of } => {
                    Some(CallMatcher::new(plan, of))
                }
                _ => None,
            };
            Some(Armed { fault, windows: Windows::of(evidence, fault.id)?, matcher })
        };
        plan.faults.iter().filter_map(armed).collect()
    }

    /// How the fault is drawn: at which proxy, by which flag, with what chance.
    pub(super) fn draw(&self) -> Option<(Level, &'static str, f64)> {
        match &self.fault.does {
            FaultKind::Touch { on, touch } => Some((on.level, flag(*touch), on.share.as_f64())),
            _ => None,
        }
    }

    /// Can this fault have put this flag on this unit?
    fn owns(&self, unit: &Unit<'_>, flag: &str, error: Duration) -> bool {
        let its_own = self.draw().is_some_and(|(level, of, _)| level == unit.level && of == flag);
        let (from, to) = unit.drawn_within(flag);
        its_own && self.windows.meeting(from - error, to + error).is_some() && self.fits(unit) != Fit::No
    }

    /// For how long it holds this unit, if it was the one that did.
    fn holds(&self, unit: &Unit<'_>, error: Duration) -> Option<Duration> {
        match self.fault.does {
            FaultKind::Touch { touch: Touch::Delay(time), .. } if self.owns(unit, "DI", error) => Some(time),
            _ => None,
        }
    }

    /// Does the fault mean this unit, wherever in time it lies?
    pub(super) fn fits(&self, unit: &Unit<'_>) -> Fit {
        let Some(matcher) = &self.matcher else { return Fit::No };
        match (unit.story, unit.level) {
            (Some(story), Level::Calls) => matcher.fits(story),
            (Some(story), Level::Tries) if matcher.names(&unit.line.proxy) => matcher.fits(story),
            (Some(_), Level::Tries) => Fit::No,
            (None, _) => Fit::Maybe,
        }
    }
}

fn flag(touch: Touch) -> &'static str {
    match touch {
        Touch::Abort(_) => "FI",
        Touch::Delay(_) => "DI",
    }
}

/// What a fault is drawn for: a call at its caller's proxy, a try at its callee's.
pub(super) struct Unit<'a> {
    pub(super) level: Level,
    /// The line of that proxy.
    pub(super) line: &'a AccessRecord,
    /// Its call; `None` for a stray.
    story: Option<&'a CallStory>,
}

impl Unit<'_> {
    pub(super) fn has(&self, flag: &str) -> bool {
        Flags(&self.line.flags).has(flag)
    }

    /// When a fault with this flag can have been drawn for it. A proxy holds first and aborts after that.
    fn drawn_within(&self, flag: &str) -> (Stamp, Stamp) {
        let began = self.line.began;
        let is_late = flag == "FI" && self.has("DI");
        (began, if is_late { began + Duration::from_nanos(self.line.took) } else { began })
    }

    pub(super) fn edge(&self) -> Edge {
        match (self.story, self.level) {
            (Some(story), _) => story.edge.clone(),
            (None, Level::Calls) => Edge { from: self.line.proxy.service.clone(), to: "?".into() },
            (None, Level::Tries) => {
                Edge { from: self.line.caller.as_str().into(), to: self.line.proxy.service.clone() }
            }
        }
    }
}

/// Every call and every try that a fault could have been drawn for.
pub(super) fn units(evidence: &Evidence) -> impl Iterator<Item = Unit<'_>> {
    let of_story = |story| {
        let call = evidence.line(story).map(|line| Unit { level: Level::Calls, line, story: Some(story) });
        let tries = evidence.tries(story).filter_map(|t| t.arrived);
        call.into_iter().chain(tries.map(move |line| Unit { level: Level::Tries, line, story: Some(story) }))
    };
    let stray = |line: &u32| evidence.observed().access.get(*line as usize);
    let strays = evidence.strays().access.iter().filter_map(stray).map(|line| {
        let level = match line.side {
            Side::Outbound => Level::Calls,
            Side::Inbound => Level::Tries,
        };
        Unit { level, line, story: None }
    });
    evidence.stories().iter().flat_map(of_story).chain(strays)
}

/// When a fault was drawn for a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Drawn {
    /// When its head was read.
    AtOnce,
    /// When the delay was over that held it: until this moment, unless its proxy was late.
    Later(Stamp),
    /// Not at all: it was over before its delay was.
    Never,
}

/// When faults with this flag were drawn for a unit that lies under these.
pub(super) fn drawn(unit: &Unit<'_>, flag: &str, armed: &[Armed<'_>], error: Duration) -> Drawn {
    if flag != "FI" || !unit.has("DI") {
        return Drawn::AtOnce;
    }
    let Some(held) = armed.iter().filter_map(|a| a.holds(unit, error)).max() else { return Drawn::AtOnce };
    let went_on = unit.has("FI") || is_from_workload(unit.line);
    let is_over = Duration::from_nanos(unit.line.took) >= held;
    if went_on || is_over { Drawn::Later(unit.line.began + held) } else { Drawn::Never }
}

/// A touch where no fault was aimed.
pub(super) struct Leak {
    pub(super) level: Level,
    pub(super) flag: &'static str,
    pub(super) edge: Edge,
    /// At whose proxy.
    pub(super) at: InstanceId,
}

pub(super) fn leaks(evidence: &Evidence, armed: &[Armed<'_>]) -> Vec<Leak> {
    let error = Duration::from_nanos(evidence.observed().health.clock_error);
    let mut leaks = Vec::new();
    for unit in units(evidence).filter(|u| Flags(&u.line.flags).said().is_some()) {
        for flag in ["FI", "DI"].into_iter().filter(|flag| unit.has(flag)) {
            if !armed.iter().any(|a| a.owns(&unit, flag, error)) {
                leaks.push(Leak { level: unit.level, flag, edge: unit.edge(), at: unit.line.proxy.clone() });
            }
        }
    }
    leaks
}
