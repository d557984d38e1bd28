//! Claims about a part of the time, or about a moment: there must be such a part, with traffic in it.

use super::view::View;
use crate::source::Mistake;
use squall_model::{Anchor, Claim, ClaimKind, Happening, MomentRef, Phase, Reference, duration};
use std::time::Duration;

/// Calls without a failure that show a recovery, at the defaults.
const SHOWN_BY: f64 = 66.0;

/// Looks at every claim.
pub(crate) fn check(view: &mut View<'_, '_, '_>) {
    for claim in &view.built.plan.claims.clone() {
        match &claim.kind {
            ClaimKind::Moment { what, within, of } => moment(view, claim, what, *within, *of),
            ClaimKind::Paired { reference, .. } => compared(view, claim, *reference),
            other => phase(view, claim, other.phase()),
        }
    }
}

fn phase(view: &mut View<'_, '_, '_>, claim: &Claim, phase: Phase) {
    let line = view.claim_line(claim);
    match phase {
        Phase::Whole => {}
        Phase::Before(anchor) | Phase::During(anchor) | Phase::After(anchor) if !exists(view, anchor) => {
            missing(view, line, anchor, "phase");
        }
        Phase::Before(anchor) => before(view, line, anchor, "phase"),
        Phase::During(_) => {}
        Phase::After(anchor) => after(view, line, anchor, "phase"),
        Phase::Clock { from, .. } => {
            let longest = (0..view.plan().timeline.stages.len()).filter_map(|stage| view.stage_length(stage)).max();
            if let Some(length) = longest.filter(|length| from >= *length) {
                view.tell(line, |line| {
                    let lasts = duration(length);
                    Mistake::error("empty-phase", line.clause("phase"), format!("the traffic is over after {lasts}"))
                        .label("no call lies in this part of the time")
                });
            }
        }
    }
}

/// What is compared with must be there, and come after something.
fn compared(view: &mut View<'_, '_, '_>, claim: &Claim, reference: Reference) {
    let line = view.claim_line(claim);
    let anchor = if reference == Reference::BeforeChange { Anchor::Change } else { Anchor::Fault };
    if !exists(view, anchor) {
        missing(view, line, anchor, "reference");
    } else if reference != Reference::WithoutFault {
        before(view, line, anchor, "reference");
    }
}

fn exists(view: &View<'_, '_, '_>, anchor: Anchor) -> bool {
    match anchor {
        Anchor::Fault => view.faults().next().is_some(),
        Anchor::Change => !view.built.changes.is_empty(),
    }
}

/// Lines that could not be run may have been the fault.
fn may_exist(view: &View<'_, '_, '_>) -> bool {
    !view.plan().needs.is_empty()
}

fn missing(view: &mut View<'_, '_, '_>, line: Option<usize>, anchor: Anchor, clause: &'static str) {
    if may_exist(view) {
        return;
    }
    let events = view.plan().faults.iter().any(|f| f.does.is_event());
    let (message, hint) = match anchor {
        Anchor::Fault if events => {
            ("growing and shrinking are events, not faults", "say the time by the clock: `from 2 s to 4 s`")
        }
        Anchor::Fault if clause == "reference" => ("there is no fault in this scenario", "say one under When"),
        Anchor::Fault => ("there is no fault in this scenario", "say one under When, or leave the phase out"),
        Anchor::Change => {
            ("nothing changes in this scenario", "a change is a policy under When with its time: `… at 2 s`")
        }
    };
    view.tell(line, |line| Mistake::error("empty-phase", line.clause(clause), message).label("which?").hint(hint));
}

fn before(view: &mut View<'_, '_, '_>, line: Option<usize>, anchor: Anchor, clause: &'static str) {
    let stands = anchor == Anchor::Fault
        && view.fault_windows().iter().any(|w| w.stage == 0 && w.from.is_none_or(|from| from.is_zero()));
    if stands {
        view.tell(line, |line| {
            Mistake::error("empty-phase", line.clause(clause), "a fault is in place from the beginning")
                .label("no call comes before it")
                .hint("give the fault a time: `… from 1 s to 3 s`, or put a traffic line above it")
        });
    }
}

fn after(view: &mut View<'_, '_, '_>, line: Option<usize>, anchor: Anchor, clause: &'static str) {
    let endless = view.fault_windows().iter().any(|w| {
        let end = w.to.filter(|(stage, at)| {
            *stage + 1 < view.plan().timeline.stages.len()
                || view.stage_length(*stage).is_none_or(|length| *at < length)
        });
        end.is_none()
    });
    if anchor == Anchor::Fault && endless {
        view.tell(line, |line| {
            Mistake::error("empty-phase", line.clause(clause), "a fault stays until the traffic is over")
                .label("no call comes after it")
                .hint("give the fault an end while calls are still made: `… from 1 s to 3 s`")
        });
    }
}

fn moment(view: &mut View<'_, '_, '_>, claim: &Claim, what: &Happening, within: Duration, of: MomentRef) {
    let line = view.claim_line(claim);
    let anchor = if of == MomentRef::Change { Anchor::Change } else { Anchor::Fault };
    if !matches!(of, MomentRef::Failure(_)) && !exists(view, anchor) {
        missing(view, line, anchor, "moment");
        return;
    }
    if of == MomentRef::FaultEnd {
        after(view, line, Anchor::Fault, "moment");
    }
    match what {
        Happening::Recover(_) => {
            before(view, line, anchor, "calls");
            room_to_recover(view, line, within, of);
        }
        Happening::Becomes(_) | Happening::GetsTraffic(_) => {}
    }
}

/// After moment and time there must be calls enough to show it.
fn room_to_recover(view: &mut View<'_, '_, '_>, line: Option<usize>, within: Duration, of: MomentRef) {
    let windows = view.fault_windows();
    let at = match of {
        MomentRef::FaultEnd => windows.iter().filter_map(|w| w.to).max(),
        MomentRef::FaultStart => windows.iter().filter_map(|w| w.from.map(|from| (w.stage, from))).min(),
        MomentRef::Change | MomentRef::Failure(_) => None,
    };
    let Some((stage, at)) = at else { return };
    let Some(length) = view.stage_length(stage) else { return };
    if stage + 1 < view.plan().timeline.stages.len() {
        return;
    }
    let rates = view.plan().timeline.stages[stage].lines.iter().filter_map(|line| match line.shape {
        squall_model::Shape::Open { rate, .. } | squall_model::Shape::Decide { rate, .. } => Some(rate.hertz()),
        _ => None,
    });
    let rate: f64 = rates.sum();
    let left = length.saturating_sub(at + within);
    if rate > 0.0 && left.as_secs_f64() * rate < SHOWN_BY {
        let wanted = at + within + Duration::from_millis((SHOWN_BY / rate * 1000.0).ceil() as u64);
        view.tell(line, |line| {
            let calls = (left.as_secs_f64() * rate) as u64;
            Mistake::error("no-room", line.clause("time"), format!("only {calls} calls are made after that time"))
                .label("recovery is shown by 66 calls, if none fails")
                .hint(format!("let the traffic last {} at least", duration(wanted)))
        });
    }
}
