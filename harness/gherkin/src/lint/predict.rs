//! The true share that a mechanism gives, where it is plain enough to be known beforehand.
//!
//! Thirty in a hundred tries aborted and two retries: 2.7% of the calls fail. Anything that depends on how things meet (limits,
//! ejection, timeouts, several faults at once) has no number here.

use super::envoy::callee;
use super::scene::Scene;
use super::view::View;
use squall_model::{Fault, Outcome, Phase, Plan, Population, ServiceName, Stick, Unit};

/// The share of the population that has the outcome in the main run.
pub(crate) fn truth(view: &View<'_, '_, '_>, of: &Population, outcome: &Outcome) -> Option<f64> {
    let plan = view.plan();
    let service = callee(&of.calls).or_else(|| only_callee(plan))?;
    if of.only.is_some() || !view.built.changes.is_empty() || onward(plan, service) {
        return None;
    }
    let faults = in_place(view, of.phase)?;
    let scene = Scene { plan, service, faults };
    match (of.unit, outcome) {
        (Unit::Call, Outcome::Succeed(None)) => scene.fails().map(|fails| 1.0 - fails),
        (Unit::Call, Outcome::Fail) => scene.fails(),
        (Unit::Call, Outcome::Retried) => scene.retried(),
        (Unit::Call, Outcome::Reach(target)) if scene.faults.is_empty() => scene.reaches(&of.calls, target),
        // Each user is drawn once, and stays.
        (Unit::User, Outcome::Reach(target)) if scene.faults.is_empty() && scene.sticks() == Some(Stick::Version) => {
            scene.routed(&of.calls, target).unwrap_or_default()
        }
        _ => None,
    }
}

pub(super) fn only_callee(plan: &Plan) -> Option<&ServiceName> {
    let mut callees = plan.lines().map(|line| &line.to.service);
    let first = callees.next()?;
    callees.all(|callee| callee == first).then_some(first)
}

/// What a service does depends on what it calls itself; and what somebody else deployed does, nobody knows.
fn onward(plan: &Plan, service: &ServiceName) -> bool {
    plan.topology.service(service).is_none_or(|s| !s.calls.is_empty() || s.capacity.is_some() || s.deployed.is_some())
}

/// The faults that are in place throughout the phase; `None` where some are so in a part of it.
fn in_place<'a>(view: &'a View<'_, '_, '_>, phase: Phase) -> Option<Vec<&'a Fault>> {
    let windows = view.windows();
    let always: Vec<_> =
        windows.iter().filter(|w| w.stage == 0 && w.from.is_none() && w.to.is_none()).map(|w| w.fault).collect();
    let timed = windows.len() - always.len();
    let pick = |all: bool| view.plan().faults.iter().filter(|f| all || always.contains(&f.id)).collect::<Vec<_>>();
    // Those that are switched on and off in blocks come and go together.
    let together = timed == 1 || view.plan().timeline.stages.iter().any(|stage| stage.blocks.is_some());
    match phase {
        _ if timed == 0 => Some(pick(false)),
        Phase::Before(_) | Phase::After(_) => Some(pick(false)),
        Phase::During(_) if together => Some(pick(true)),
        Phase::Whole | Phase::During(_) | Phase::Clock { .. } => None,
    }
}
