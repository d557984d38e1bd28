//! Events collected scenario by scenario: what every reader but the raw record works from.

use squall_model::{
    Absence, Body, Controlled, CueEffect, DoseCount, Finished, GuardMet, InForce, Judged, Origin, PlanKey, Quarantine,
    Queued, RunEvent, RunStarted, Totals, Unsaid, Variation, Verdict,
};
use std::collections::BTreeMap;

/// The reason of a run that was stopped by its first scenario that is not green.
pub const FAIL_FAST: &str = "--fail-fast";

/// A run, read so far.
#[derive(Debug, Clone, Default)]
pub struct Stories {
    /// What it was started with.
    pub started: Option<RunStarted>,
    /// Its scenarios in the order in which they were queued.
    pub scenarios: Vec<(PlanKey, ScenarioStory)>,
    /// Why it was stopped, if it was.
    pub interrupted: Option<String>,
    /// The guard that aborted it.
    pub aborted: Option<GuardMet>,
    /// What it came to, once it is over.
    pub totals: Option<Totals>,
    index: BTreeMap<PlanKey, usize>,
}

/// What is known of one scenario: its main run, and what its control runs came to.
#[derive(Debug, Clone)]
pub struct ScenarioStory {
    /// Its name, place and claims.
    pub queued: Queued,
    /// Claims of the main run, judged.
    pub judged: Vec<Judged>,
    /// Faults of the main run, counted: text, place, count.
    pub doses: Vec<(String, Origin, DoseCount)>,
    /// Cues of the main run.
    pub cues: Vec<CueEffect>,
    /// Ejections and failed checks of the main run, in order of time.
    pub absences: Vec<Absence>,
    /// The policy that proxies had in force at the end of a main run that did not hold.
    pub in_force: Vec<InForce>,
    /// Those that were asked for it, and did not say.
    pub unsaid: Vec<Unsaid>,
    /// Processes of the main run that died unasked, and leases that lapsed, in words.
    pub accidents: Vec<String>,
    /// The main run, once it is over.
    pub finished: Option<Finished>,
    /// Why the main run was made twice; its first time is not in the fields above.
    pub rerun: Option<String>,
    /// What the control runs came to, once they are over.
    pub controlled: Option<Controlled>,
    /// Each control run, in their order.
    pub controls: Vec<ControlStory>,
}

/// What is known of one control run.
#[derive(Debug, Clone)]
pub struct ControlStory {
    /// Which one.
    pub variation: Variation,
    /// Its claims, judged.
    pub judged: Vec<Judged>,
    /// Its faults, counted: text, place, count.
    pub doses: Vec<(String, Origin, DoseCount)>,
}

impl Stories {
    /// Takes the next event in.
    pub fn read(&mut self, event: &RunEvent) {
        match &event.body {
            Body::RunStarted(started) => self.started = Some(started.clone()),
            Body::Interrupted { why } => self.interrupted = Some(why.clone()),
            Body::RunFinished(totals) => self.totals = Some(*totals),
            Body::Queued(queued) => {
                let Some(of) = &event.of else { return };
                self.index.insert(of.plan.clone(), self.scenarios.len());
                self.scenarios.push((of.plan.clone(), ScenarioStory::new(queued.clone())));
            }
            body => {
                if let Body::GuardMet(met) = body {
                    self.aborted = Some(met.clone());
                }
                let Some(of) = &event.of else { return };
                let Some(story) = self.index.get(&of.plan).and_then(|n| self.scenarios.get_mut(*n)) else { return };
                if let Body::Controlled(controlled) = body {
                    story.1.controlled = Some(controlled.clone());
                } else if of.variation == Variation::Main {
                    story.1.read(body);
                } else {
                    story.1.read_control(of.variation, body);
                }
            }
        }
    }

    /// The scenario of this key.
    #[must_use]
    pub fn scenario(&self, key: &PlanKey) -> Option<&ScenarioStory> {
        self.index.get(key).and_then(|n| self.scenarios.get(*n)).map(|(_, story)| story)
    }

    /// Who stopped it, in words: `interrupted by SIGINT`, `aborted by the guard at f.feature:7:5`.
    #[must_use]
    pub fn stopped_by(&self) -> Option<String> {
        if let Some(met) = &self.aborted {
            return Some(format!("aborted by the guard at {}", met.origin));
        }
        self.interrupted.as_deref().map(|why| match why {
            "SIGINT" => "interrupted by Ctrl-C (SIGINT)".to_owned(),
            signal if signal.starts_with("SIG") => format!("interrupted by {signal}"),
            option => format!("stopped by {option}"),
        })
    }

    /// The exit status of the run. What was stopped, unless by its first red, has not been shown to hold. What a guard aborted was not
    /// decided, and that is no matter of the environment: whoever runs again what a machine spoilt must not run this.
    #[must_use]
    pub fn exit_status(&self, allow_unsupported: bool) -> u8 {
        match (self.was_stopped(), self.totals().exit_status(allow_unsupported)) {
            (true, 0 | 4 | 5) => 3,
            (false, 0 | 4) if self.aborted.is_some() => 5,
            (_, status) => status,
        }
    }

    /// Somebody stopped it, or its time was over.
    pub(crate) fn was_stopped(&self) -> bool {
        self.aborted.is_none() && self.interrupted.as_deref().is_some_and(|why| why != FAIL_FAST)
    }

    /// What it came to: the run's own totals, or as far as it got.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.totals.unwrap_or_else(|| {
            let mut totals = Totals::default();
            for (_, story) in &self.scenarios {
                story.count_into(&mut totals);
            }
            totals
        })
    }
}

impl ScenarioStory {
    /// Counts it among others.
    fn count_into(&self, totals: &mut Totals) {
        let controlled = self.controlled.as_ref().map(|c| &c.result);
        match &self.finished {
            Some(finished) => totals.count(&finished.verdict, controlled, self.queued.quarantine.is_some()),
            None => totals.not_run += 1,
        }
    }

    /// The quarantine that keeps it from counting.
    pub(crate) fn kept_out(&self) -> Option<&Quarantine> {
        let mut totals = Totals::default();
        self.count_into(&mut totals);
        self.queued.quarantine.as_ref().filter(|_| totals.quarantined > 0)
    }

    fn new(queued: Queued) -> ScenarioStory {
        ScenarioStory {
            queued,
            judged: Vec::new(),
            doses: Vec::new(),
            cues: Vec::new(),
            absences: Vec::new(),
            in_force: Vec::new(),
            unsaid: Vec::new(),
            accidents: Vec::new(),
            finished: None,
            rerun: None,
            controlled: None,
            controls: Vec::new(),
        }
    }

    fn read(&mut self, body: &Body) {
        match body {
            Body::Judged(judged) => self.judged.push(judged.clone()),
            Body::Dosed { text, origin, count, .. } => self.doses.push((text.clone(), origin.clone(), count.clone())),
            Body::CueEffect(cue) => self.cues.push(cue.clone()),
            Body::Absence(absence) => self.absences.push(absence.clone()),
            Body::InForce(policy) => self.in_force.push(policy.clone()),
            Body::Unsaid(proxy) => self.unsaid.push(proxy.clone()),
            Body::ProxyDied { instance, what, how, log } => {
                let who = if what == "link" { "the link".to_owned() } else { format!("the {what} of {instance}") };
                self.accidents.push(format!("{who} died: it {how}"));
                self.accidents.extend(log.iter().map(|line| format!("  {line}")));
            }
            Body::Lapsed { holder } => self.accidents.push(format!("{holder} ran out before its time")),
            Body::Finished(finished) => self.finished = Some(finished.clone()),
            Body::Rerun { why } => {
                *self = ScenarioStory { rerun: Some(why.clone()), ..ScenarioStory::new(self.queued.clone()) };
            }
            _ => {}
        }
    }

    fn read_control(&mut self, variation: Variation, body: &Body) {
        match body {
            // Also the second time, if the first does not count.
            Body::Started | Body::Rerun { .. } => {
                self.controls.retain(|c| c.variation != variation);
                self.controls.push(ControlStory { variation, judged: Vec::new(), doses: Vec::new() });
            }
            _ => {}
        }
        let Some(run) = self.controls.iter_mut().find(|c| c.variation == variation) else { return };
        match body {
            Body::Judged(judged) => run.judged.push(judged.clone()),
            Body::Dosed { text, origin, count, .. } => run.doses.push((text.clone(), origin.clone(), count.clone())),
            _ => {}
        }
    }

    /// The verdict of the main run; an error where it never ended.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match &self.finished {
            Some(finished) => finished.verdict.clone(),
            None => Verdict::Error("it did not run to its end".into()),
        }
    }
}
