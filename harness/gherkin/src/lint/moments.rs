//! When what is in place: by the plan, as far as it says.

use squall_model::{Act, Anchor, Fault, FaultId, FaultKind, Phase, Plan};
use std::time::Duration;

/// From when to when a fault is in place: stage and time in it. No start: it stands before the stage's traffic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Window {
    pub(crate) fault: FaultId,
    pub(crate) stage: usize,
    pub(crate) from: Option<Duration>,
    pub(crate) to: Option<(usize, Duration)>,
}

/// The windows of all faults, events among them, in order of the timeline.
pub(super) fn windows(plan: &Plan) -> Vec<Window> {
    let mut windows: Vec<Window> = Vec::new();
    for (number, stage) in plan.timeline.stages.iter().enumerate() {
        let standing = stage.standing.iter().map(|act| (*act, None));
        for (act, at) in standing.chain(stage.cues.iter().map(|cue| (cue.act, Some(cue.at)))) {
            match act {
                Act::Arm(fault) => {
                    let over = is_over_at_once(plan, fault).then_some((number, at.unwrap_or_default()));
                    windows.push(Window { fault, stage: number, from: at, to: over });
                }
                Act::End(fault) => {
                    let end = Some((number, at.unwrap_or_default()));
                    windows.iter_mut().filter(|w| w.fault == fault && w.to.is_none()).for_each(|w| w.to = end);
                }
                Act::Change(_) | Act::Revert(_) => {}
            }
        }
    }
    windows
}

fn is_over_at_once(plan: &Plan, fault: FaultId) -> bool {
    plan.fault(fault).is_some_and(|f| matches!(f.does, FaultKind::Restarted { .. }))
}

/// The faults proper: events are no faults.
pub(super) fn faults(plan: &Plan) -> impl Iterator<Item = &Fault> {
    plan.faults.iter().filter(|f| !f.does.is_event())
}

/// The windows of the faults proper.
pub(super) fn fault_windows(plan: &Plan) -> Vec<Window> {
    let proper: Vec<FaultId> = faults(plan).map(|f| f.id).collect();
    windows(plan).into_iter().filter(|w| proper.contains(&w.fault)).collect()
}

/// How long the traffic of a stage lasts, where its lines say.
pub(super) fn stage_length(plan: &Plan, stage: usize) -> Option<Duration> {
    let lines = &plan.timeline.stages.get(stage)?.lines;
    lines.iter().map(|line| line.shape.length()).collect::<Option<Vec<_>>>()?.into_iter().max()
}

type Instant = (usize, Duration);

/// From the first start to the last end of what a phase is about.
pub(super) fn span(plan: &Plan, phase: Phase) -> Option<(Instant, Option<Instant>)> {
    let (Phase::Before(anchor) | Phase::During(anchor) | Phase::After(anchor)) = phase else { return None };
    let windows: Vec<(Instant, Option<Instant>)> = match anchor {
        Anchor::Fault => fault_windows(plan).iter().map(|w| ((w.stage, w.from.unwrap_or_default()), w.to)).collect(),
        Anchor::Change => changes(plan),
    };
    let start = windows.iter().map(|(start, _)| *start).min()?;
    let end = windows.iter().map(|(_, end)| *end).collect::<Option<Vec<_>>>().and_then(|ends| ends.into_iter().max());
    Some((start, end))
}

fn changes(plan: &Plan) -> Vec<(Instant, Option<Instant>)> {
    let cues = plan.timeline.stages.iter().enumerate().flat_map(|(stage, s)| s.cues.iter().map(move |c| (stage, c)));
    let cues: Vec<_> = cues.collect();
    let reverts = |id| cues.iter().find(|(_, c)| c.act == Act::Revert(id)).map(|(stage, c)| (*stage, c.at));
    cues.iter()
        .filter_map(|(stage, cue)| match cue.act {
            // A change that stays is "during" only in the moment that it takes: what follows is after it.
            Act::Change(id) => Some(((*stage, cue.at), Some(reverts(id).unwrap_or((*stage, cue.at))))),
            _ => None,
        })
        .collect()
}
