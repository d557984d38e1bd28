//! What percentage faults are drawn for: calls at their caller's proxy, tries at their callee's.

use super::windows::Windows;
use crate::{CallMatcher, CallStory, Evidence, Fit, Flags};
use squall_model::{AccessRecord, Edge, Fault, FaultKind, InstanceId, Level, Plan, Side, Touch, Traffic};
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
        its_own && self.windows.possibly_at(unit.line.began, error) && self.fits(unit) != Fit::No
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
