//! Looks at the evidence while traffic runs, and says when there is nothing left to learn.

use crate::gather::Gatherer;
use squall_evidence::{Happened, LifeEnd, Observed, Planned, StageTimes, join};
use squall_model::{Act, CallRecord, ControlRecord, Effect, Plan, Shape, Stamp};
use squall_verdict::Settings;
use std::time::Duration;

/// How long after a call's end its log lines have surely been read, if the mesh writes them at once: Envoy's flush takes 3 ms at most, a
/// look 100 ms.
const LINES_LAG: Duration = Duration::from_millis(20);

/// When a stage may end before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// A main run: only where the traffic line says `enough … to decide`, once every claim is decided.
    UntilDecided,
    /// A control run: as soon as one claim is violated, which is final.
    UntilViolated,
    /// Any run that is to have its whole length.
    Never,
}

/// What there is to look at in the midst of a stage.
pub(crate) struct Look<'l> {
    pub(crate) stage: usize,
    /// The stage's time origin.
    pub(crate) origin: Stamp,
    /// Every call meant for an earlier moment has ended.
    pub(crate) unresolved: Option<Stamp>,
    pub(crate) now: Stamp,
    pub(crate) calls: &'l mut Vec<CallRecord>,
    pub(crate) gatherer: &'l mut Gatherer,
    pub(crate) effects: &'l [(Act, Effect)],
    pub(crate) lives: Vec<LifeEnd>,
    pub(crate) control: &'l [ControlRecord],
}

/// Looks at one run of one plan.
pub(crate) struct Watch<'p> {
    plan: &'p Plan,
    /// How long after a call's end its log lines have surely been read.
    lines_lag: Duration,
    settings: Settings,
    patience: Patience,
    prefix: String,
    planned: Vec<Planned>,
    /// What earlier stages left.
    pub(crate) stages: Vec<StageTimes>,
    pub(crate) effects: Vec<Happened>,
    over: bool,
}

impl<'p> Watch<'p> {
    pub(crate) fn new(
        plan: &'p Plan,
        settings: Settings,
        patience: Patience,
        prefix: &str,
        planned: Vec<Planned>,
        unwritten: Duration,
    ) -> Watch<'p> {
        Watch {
            plan,
            lines_lag: LINES_LAG + unwritten,
            settings,
            patience,
            prefix: prefix.to_owned(),
            planned,
            stages: Vec::new(),
            effects: Vec::new(),
            over: false,
        }
    }

    /// True once a look has found that there is nothing left to learn; later stages need not run.
    pub(crate) fn over(&self) -> bool {
        self.over
    }

    /// True if there is nothing left to learn, or was at an earlier look.
    pub(crate) fn look(&mut self, look: &mut Look<'_>) -> bool {
        if self.over || look.calls.is_empty() || !self.worth_looking(look.stage) {
            return self.over;
        }
        // What was read is lent to the join and taken back: it grows with the run, and a look must not copy it.
        let seen = Observed {
            calls: std::mem::take(look.calls),
            access: std::mem::take(&mut look.gatherer.access),
            tries: std::mem::take(&mut look.gatherer.tries),
            ledger: std::mem::take(&mut look.gatherer.ledger),
            states: std::mem::take(&mut look.gatherer.states),
            wires: std::mem::take(&mut look.gatherer.wires),
            asked: std::mem::take(&mut look.gatherer.asked),
            ..self.so_far(look)
        };
        let evidence = join(self.plan, seen);
        self.over = match self.patience {
            Patience::UntilDecided => squall_verdict::decided(self.plan, &evidence, &self.settings),
            Patience::UntilViolated => squall_verdict::violated_already(self.plan, &evidence, &self.settings),
            Patience::Never => false,
        };
        let Observed { calls, access, tries, ledger, states, wires, asked, .. } = evidence.into_observed();
        *look.calls = calls;
        (look.gatherer.access, look.gatherer.tries, look.gatherer.ledger) = (access, tries, ledger);
        (look.gatherer.states, look.gatherer.wires, look.gatherer.asked) = (states, wires, asked);
        self.over
    }

    /// Everything but the records themselves.
    fn so_far(&self, look: &Look<'_>) -> Observed {
        let read_up_to = look.now - self.lines_lag;
        let here = StageTimes { origin: look.origin, last_intended: read_up_to, ended: read_up_to };
        Observed {
            prefix: self.prefix.clone(),
            effects: self.effects.iter().copied().chain(happened(look.stage, look.effects)).collect(),
            planned: self.planned.clone(),
            tells_states: look.gatherer.tells_states(),
            stages: self.stages.iter().copied().chain([here]).collect(),
            lives: look.lives.clone(),
            control: look.control.to_vec(),
            unresolved_from: Some(look.unresolved.map_or(read_up_to, |at| at.min(read_up_to))),
            ..Observed::default()
        }
    }

    fn worth_looking(&self, stage: usize) -> bool {
        let stages = &self.plan.timeline.stages;
        let lines = stages.get(stage).map_or(&[][..], |s| &s.lines);
        // Claims may read what a later stage does: a main run ends early in its last stage only.
        let last = stage + 1 == stages.len();
        match self.patience {
            Patience::UntilViolated => true,
            Patience::UntilDecided => last && lines.iter().any(|l| matches!(l.shape, Shape::Decide { .. })),
            Patience::Never => false,
        }
    }
}

/// Effects of a stage as evidence has them.
pub(crate) fn happened(stage: usize, effects: &[(Act, Effect)]) -> impl Iterator<Item = Happened> + '_ {
    effects.iter().map(move |(act, effect)| Happened { act: *act, stage: stage as u32, effect: *effect })
}
