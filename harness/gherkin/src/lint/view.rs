//! A compiled scenario as lint looks at it: each element with its line, faults and changes with their times.

use super::moments;
pub(crate) use super::moments::Window;
use crate::compile::{Built, Line, Sink};
use crate::source::Mistake;
use squall_model::{Claim, Fault, FaultId, Plan, PolicyId, TrafficLine};
use std::time::Duration;

/// A scenario and where to tell its mistakes.
pub(crate) struct View<'a, 'b, 's> {
    pub(crate) built: &'a Built<'b>,
    pub(crate) sink: &'a mut Sink<'s>,
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

    /// Where a line stands in the file, from 1.
    pub(crate) fn place(&self, number: Option<usize>) -> Option<u32> {
        let line = self.line(number.as_ref())?;
        Some(self.sink.origin(line.step, line.whole()).line)
    }

    /// Whether a mistake of this kind was told about a line.
    pub(crate) fn was_told(&self, number: Option<usize>, code: &str) -> bool {
        let Some(line) = number.and_then(|n| self.built.lines.get(n)) else { return false };
        let origin = self.sink.origin(line.step, line.whole());
        self.sink.out.iter().any(|d| d.code == code && d.origin.file == origin.file && d.origin.line == origin.line)
    }

    /// Tells a mistake about a line, if there is one.
    pub(crate) fn tell_maybe(&mut self, number: Option<usize>, mistake: impl FnOnce(&Line<'_>) -> Option<Mistake>) {
        let Some(line) = number.and_then(|n| self.built.lines.get(n)) else { return };
        if let Some(mistake) = mistake(line) {
            self.sink.tell(line.step, mistake);
        }
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
        moments::windows(self.plan())
    }

    /// The faults proper: events are no faults.
    pub(crate) fn faults(&self) -> impl Iterator<Item = &Fault> {
        moments::faults(self.plan())
    }

    /// The windows of the faults proper.
    pub(crate) fn fault_windows(&self) -> Vec<Window> {
        moments::fault_windows(self.plan())
    }

    /// How long the traffic of a stage lasts, where its lines say.
    pub(crate) fn stage_length(&self, stage: usize) -> Option<Duration> {
        moments::stage_length(self.plan(), stage)
    }

    pub(crate) fn traffic(&self) -> Vec<&TrafficLine> {
        self.plan().lines().collect()
    }
}
