//! When an ejection or an active check takes an instance out and gives it back: events that no line says.

use super::breaks::struck;
use super::view::{View, Window};
use squall_model::{AnswerCode, Answers, Down, Fault, FaultId, FaultKind, Part, Phase, PolicyKind, Probe};
use std::time::Duration;

/// A policy that takes an instance out, or gives it back, within the phase because of a fault: what it is called, and the fault.
pub(crate) fn takes_effect(view: &View<'_, '_, '_>, phase: Phase) -> Option<(&'static str, FaultId)> {
    if matches!(phase, Phase::Before(_)) {
        return None;
    }
    let windows = view.fault_windows();
    view.plan().policies.iter().find_map(|policy| {
        let by = |window: &&Window| view.plan().fault(window.fault).is_some_and(|f| notices(view, &policy.says, f));
        let found = windows.iter().filter(by).find(|window| !is_settled(&policy.says, window, phase))?;
        let noun = match policy.says {
            PolicyKind::Ejection { .. } => "an ejection",
            _ => "a health check",
        };
        Some((noun, found.fault))
    })
}

/// The policy takes an instance out because of the fault.
fn notices(view: &View<'_, '_, '_>, says: &PolicyKind, fault: &Fault) -> bool {
    match says {
        PolicyKind::Ejection { of, .. } => !struck(view.plan(), &fault.does, of).is_empty(),
        // What stands before the traffic is noticed before it too.
        PolicyKind::Check { of, by, .. } => {
            fault.when.start().is_some() && sees(by, &fault.does) && !struck(view.plan(), &fault.does, of).is_empty()
        }
        _ => false,
    }
}

/// What an active check sees of a fault: a connection comes to be as long as somebody accepts, and a proxy accepts for its
/// workload, the kernel for a process that stands still.
pub(crate) fn sees(by: &Probe, does: &FaultKind) -> bool {
    let accepts = match does {
        FaultKind::Answers { .. } | FaultKind::Touch { .. } => true,
        FaultKind::Down { part: Part::Workload, .. } | FaultKind::Restarted { part: Part::Workload, .. } => true,
        FaultKind::Down { how, .. } => *how == Down::Paused,
        _ => false,
    };
    match (by, does) {
        (Probe::Tcp, _) => !accepts,
        (Probe::Http(_), FaultKind::Answers { how: Answers::With(code), .. }) => *code != AnswerCode::Status(200),
        _ => true,
    }
}

/// By the clock, and nobody goes or comes back in that time: after the first has gone and before anybody comes back, or when
/// all are back. Written for a fault with a start; where it ends, the last ejection is as long as there have been ejections.
fn is_settled(says: &PolicyKind, window: &Window, phase: Phase) -> bool {
    let Phase::Clock { from, to } = phase else { return false };
    let Some(start) = window.from else { return false };
    if to.is_some_and(|to| to <= start) {
        return true;
    }
    let end = window.to.filter(|(stage, _)| *stage == window.stage).map(|(_, at)| at);
    match says {
        PolicyKind::Ejection { lasts, .. } => {
            let out = start < from && to.is_some_and(|to| to <= start + *lasts);
            out || end.is_some_and(|end| from >= end + last_ejection(end.saturating_sub(start), *lasts))
        }
        PolicyKind::Check { every, out_after, back_after, .. } => {
            let out = from >= start + *every * *out_after && end.is_none_or(|end| to.is_some_and(|to| to <= end));
            out || end.is_some_and(|end| from >= end + *every * *back_after)
        }
        _ => true,
    }
}

/// The n-th ejection lasts n times the first (Envoy, outlier detection): how long the last may be that begins within a fault.
fn last_ejection(fault: Duration, first: Duration) -> Duration {
    let (mut number, mut over) = (1u32, first);
    while over < fault && number < 1000 {
        number += 1;
        over += first * number;
    }
    first * number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ejections_grow_longer() {
        let s = Duration::from_secs;
        assert_eq!(last_ejection(s(1), s(2)), s(2));
        assert_eq!(last_ejection(s(3), s(2)), s(4), "the second begins at 2 s and lasts 4 s");
        assert_eq!(last_ejection(s(7), s(2)), s(6));
    }
}
