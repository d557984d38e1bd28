//! A compiled scenario as lint looks at it: each element with its line, faults and changes with their times.

use crate::compile::{Built, Line, Sink};
use crate::source::Mistake;
use squall_model::{Act, Claim, Fault, FaultId, FaultKind, Plan, PolicyId, TrafficLine};
use std::time::Duration;

/// A scenario and where to tell its mistakes.
pub(crate) struct View<'a, 'b, 's> {
    pub(crate) built: &'a Built<'b>,
    pub(crate) sink: &'a mut Sink<'s>,
}

/// From when to when a fault is in place: stage and time in it. No start: it stands before the stage's traffic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Window {
    pub(crate) fault: FaultId,
    pub(crate) stage: usize,
    pub(crate) from: Option<Duration>,
    pub(crate) to: Option<(usize, Duration)>,
}

impl<'b> View<'_, 'b, '_> {
    pub(crate) fn plan(&self) -> &Plan {
        &self.built.plan
    }

    pub(crate) fn line(&self, number: Option<&usize>) -> Option<&Line<'b>> {
        number.and_then(|n| self.built.lines.get(*n))
    }

    /// What a line says, without its keyword.
    pub(crate) fn text(&self, number: Option<usize>) -> String {
        self.line(number.as_ref()).map_or(String::new(), |line| line.text().to_owned())
    }

    /// Tells a mistake about a line of the scenario.
    pub(crate) fn tell(&mut self, number: Option<usize>, mistake: impl FnOnce(&Line<'_>) -> Mistake) {
        let Some(line) = number.and_then(|n| self.built.lines.get(n)) else { return };
        self.sink.tell(line.step, mistake(line));
    }

    /// Tells a mistake about the scenario as a whole.
    pub(crate) fn tell_scenario(&mut self, mistake: Mistake) {
        self.sink.out.push(mistake.at(self.built.case.origin.clone()));
    }

    pub(crate) fn policy_line(&self, id: PolicyId) -> Option<usize> {
        self.built.policy_lines.get(id.0 as usize).copied()
    }

    pub(crate) fn fault_line(&self, id: FaultId) -> Option<usize> {
        self.built.fault_lines.get(id.0 as usize).copied()
    }

    pub(crate) fn claim_line(&self, claim: &Claim) -> Option<usize> {
        self.built.claim_lines.get(claim.id.0 as usize).copied()
    }

    /// The windows of all faults, events among them, in order of the timeline.
    pub(crate) fn windows(&self) -> Vec<Window> {
        let mut windows: Vec<Window> = Vec::new();
        for (number, stage) in self.plan().timeline.stages.iter().enumerate() {
            let standing = stage.standing.iter().map(|act| (*act, None));
            for (act, at) in standing.chain(stage.cues.iter().map(|cue| (cue.act, Some(cue.at)))) {
                match act {
                    Act::Arm(fault) => {
                        let over = self.is_over_at_once(fault).then_some((number, at.unwrap_or_default()));
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

    fn is_over_at_once(&self, fault: FaultId) -> bool {
        self.plan().fault(fault).is_some_and(|f| matches!(f.does, FaultKind::Restarted { .. }))
    }

    /// The faults proper: events are no faults.
    pub(crate) fn faults(&self) -> impl Iterator<Item = &Fault> {
        self.plan().faults.iter().filter(|f| !f.does.is_event())
    }

    /// The windows of the faults proper.
    pub(crate) fn fault_windows(&self) -> Vec<Window> {
        let proper: Vec<FaultId> = self.faults().map(|f| f.id).collect();
        self.windows().into_iter().filter(|w| proper.contains(&w.fault)).collect()
    }

    /// How long the traffic of a stage lasts, where its lines say.
    pub(crate) fn stage_length(&self, stage: usize) -> Option<Duration> {
        let lines = &self.plan().timeline.stages.get(stage)?.lines;
        lines.iter().map(|line| line.shape.length()).collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    pub(crate) fn traffic(&self) -> Vec<&TrafficLine> {
        self.plan().lines().collect()
    }
}
