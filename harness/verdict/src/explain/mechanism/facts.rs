//! What the rules read: the offenders with their records, and what is common to them.

use super::{
    super::offence::{Offence, One},
    policies::Policies,
};
use crate::ruling::Case;
use squall_evidence::{CallMatcher, CallOutcome, CallStory, Fit, Flags, TryView, targets, window_of};
use squall_model::{
    AccessRecord, AnswerCode, Claim, ClaimKind, Fault, FaultKind, Level, Outcome, Quantity, Shedder, Tally, Touch,
};
use std::time::Duration;

/// So large a part of the offenders must show what a rule says.
const NEARLY_ALL: f64 = 0.9;

/// The offenders of a claim, with what the rules ask of the plan.
pub(super) struct Facts<'a> {
    pub(super) case: Case<'a>,
    pub(super) claim: &'a Claim,
    /// Those offend that do what the claim speaks of; else those that do not.
    by_doing: bool,
    pub(super) offenders: Vec<Offender<'a>>,
    pub(super) policies: Policies<'a>,
}

/// A call, or a try, that speaks against the claim.
pub(super) struct Offender<'a> {
    pub(super) story: &'a CallStory,
    /// Its line at the caller's proxy.
    pub(super) line: Option<&'a AccessRecord>,
    /// The tries that left the caller's proxy; of a try it alone.
    pub(super) tries: Vec<TryView<'a>>,
    /// How it ended.
    pub(super) outcome: CallOutcome,
    /// It is a try.
    pub(super) is_try: bool,
}

impl<'a> Offender<'a> {
    fn new(case: Case<'a>, story: &'a CallStory, attempt: u32) -> Offender<'a> {
        let own = |t: &TryView<'_>| t.was_sent() && (attempt == 0 || t.attempt == attempt);
        let tries: Vec<TryView<'a>> = case.evidence.tries(story).filter(own).collect();
        let is_try = attempt > 0;
        let outcome = match tries.last() {
            Some(t) if is_try => t.outcome(),
            _ => story.outcome,
        };
        Offender { story, line: case.evidence.line(story), tries, outcome, is_try }
    }

    /// It has this flag at the caller's proxy.
    pub(super) fn flagged(&self, flag: &str) -> bool {
        self.line.is_some_and(|line| Flags(&line.flags).has(flag))
    }

    /// Response code details of the caller's proxy.
    pub(super) fn details(&self) -> &'a str {
        self.line.map_or("", |line| line.details.as_str())
    }

    pub(super) fn failed(&self) -> bool {
        self.outcome != CallOutcome::Succeeded
    }

    /// From its intended send to its end; of a try as its sender saw it. Nanoseconds.
    pub(super) fn took(&self) -> u64 {
        match self.tries.first() {
            Some(t) if self.is_try => t.took(),
            _ => self.story.took(),
        }
    }
}

impl<'a> Facts<'a> {
    /// Of units that a claim counts, those that offend. Of a moment, whose units are counted over the whole time, the calls
    /// that its ruling names.
    pub(super) fn new(case: Case<'a>, claim: &'a Claim, offence: Option<&Offence<'a>>, named: &[usize]) -> Facts<'a> {
        let by_ruling = matches!(claim.kind, ClaimKind::Moment { .. });
        let offenders = match offence.filter(|_| !by_ruling) {
            Some(offence) => {
                let own = |one: &&One<'a>| one.offends;
                offence.all.iter().filter(own).map(|one| Offender::new(case, one.story, one.attempt)).collect()
            }
            None => {
                let stories = case.evidence.stories();
                named.iter().filter_map(|n| stories.get(*n)).map(|story| Offender::new(case, story, 0)).collect()
            }
        };
        let by_doing = offence.is_some_and(|offence| offence.by_doing);
        Facts { case, claim, by_doing, offenders, policies: Policies::of(case) }
    }

    /// How many offenders are so, if it is nearly all of them.
    pub(super) fn most(&self, is: impl Fn(&Offender<'a>) -> bool) -> Option<Tally> {
        let hits = self.offenders.iter().filter(|o| is(o)).count() as u64;
        let n = self.offenders.len() as u64;
        (hits > 0 && hits as f64 >= NEARLY_ALL * n as f64).then_some(Tally { hits, n })
    }

    /// What nearly all of those that are so have in common.
    pub(super) fn common<T: PartialEq>(&self, of: impl Fn(&Offender<'a>) -> Option<T>) -> Option<T> {
        let mut all: Vec<(T, usize)> = Vec::new();
        for value in self.offenders.iter().filter_map(of) {
            match all.iter_mut().find(|(known, _)| *known == value) {
                Some((_, count)) => *count += 1,
                None => all.push((value, 1)),
            }
        }
        let (value, count) = all.into_iter().max_by_key(|(_, count)| *count)?;
        (count as f64 >= NEARLY_ALL * self.offenders.len() as f64).then_some(value)
    }

    /// What the claim says of a unit; and true if those offend that do it, false if those do that do not.
    pub(super) fn outcome(&self) -> Option<(&'a Outcome, bool)> {
        match &self.claim.kind {
            ClaimKind::Every { outcome, .. }
            | ClaimKind::Share { outcome, .. }
            | ClaimKind::Total { quantity: Quantity::Count { outcome, .. }, .. } => Some((outcome, self.by_doing)),
            _ => None,
        }
    }

    /// The faults that were in place while this lasted, in order of writing.
    pub(super) fn faults_during(&self, offender: &Offender<'a>) -> impl Iterator<Item = &'a Fault> {
        let Case { plan, evidence, .. } = self.case;
        let (from, to) = (offender.story.intended, offender.story.done);
        plan.faults.iter().filter(move |fault| {
            let window = window_of(evidence, fault.id);
            window.is_some_and(|w| w.start.asked <= to && w.possibly_at(from.max(w.start.asked), Duration::ZERO))
        })
    }

    /// The fault that touched nearly all of them: drawn for their calls or tries, and in place.
    pub(super) fn touching(&self, is: impl Fn(Level, Touch) -> bool) -> Option<&'a Fault> {
        self.common(|o| {
            self.faults_during(o).find(|fault| {
                let FaultKind::Touch { on, touch } = &fault.does else { return false };
                let matcher = CallMatcher::new(self.case.plan, &on.of);
                let there = || o.tries.iter().filter_map(|t| t.instance()).any(|id| matcher.names(id));
                is(on.level, *touch) && matcher.fits(o.story) == Fit::Yes && (on.level == Level::Calls || there())
            })
        })
    }

    /// The fault that aborted nearly all of them, at this level.
    pub(super) fn abort(&self, level: Level) -> Option<&'a Fault> {
        self.most(|o| o.outcome == CallOutcome::Aborted)?;
        self.touching(|at, touch| at == level && matches!(touch, Touch::Abort(_)))
    }

    /// The fault in place, of a kind that is asked for, to whose instances or wires nearly all offenders went last.
    pub(super) fn fault_at_callee(&self, is: impl Fn(&FaultKind) -> bool) -> Option<&'a Fault> {
        let topology = &self.case.plan.topology;
        self.common(|o| {
            let to = o.tries.last()?.instance()?;
            let concerns = |fault: &&Fault| match &fault.does {
                FaultKind::Down { of, .. } | FaultKind::Restarted { of, .. } => of.instances(topology).contains(to),
                FaultKind::Wire { of, .. } => of.means(topology, &o.story.caller, to),
                FaultKind::Answers { of, .. } => targets(topology, of, to),
                FaultKind::Outage { of } => of.to.as_ref().is_none_or(|to| to.service == o.story.edge.to),
                FaultKind::Touch { .. } | FaultKind::ControlPlaneKilled | FaultKind::Resized { .. } => false,
            };
            self.faults_during(o).filter(concerns).find(|fault| is(&fault.does))
        })
    }
}

/// What befell a try, to follow `was`: `aborted with 503`.
pub(super) fn befell(t: &TryView<'_>) -> String {
    let status = match t.answer() {
        Some(AnswerCode::Status(status)) => format!("{status}"),
        Some(AnswerCode::Grpc(status)) => format!("{status}"),
        None => String::new(),
    };
    match t.outcome() {
        CallOutcome::Aborted => format!("aborted with {status}"),
        CallOutcome::Answered | CallOutcome::Succeeded => format!("answered {status}"),
        CallOutcome::Refused => "refused a connection".to_owned(),
        CallOutcome::Reset => "broken off".to_owned(),
        CallOutcome::TimedOut => "given up on by a timeout".to_owned(),
        CallOutcome::Shed(Shedder::RateLimit) => "turned away by the rate limit".to_owned(),
        CallOutcome::Shed(_) => "shed".to_owned(),
        CallOutcome::Denied => format!("denied with {status}"),
        CallOutcome::Unroutable => "unroutable".to_owned(),
        CallOutcome::Unfinished => "still in flight at the end".to_owned(),
    }
}

/// `52 of 52`.
pub(super) fn of(covers: Tally) -> String {
    format!("{} of {}", covers.hits, covers.n)
}

/// `up to 1 retry is allowed`.
pub(super) fn allowed(n: u32) -> String {
    if n == 1 { "up to 1 retry is allowed".to_owned() } else { format!("up to {n} retries are allowed") }
}

/// `1 try`, `2 tries`.
pub(super) fn tries(n: usize) -> String {
    if n == 1 { "1 try".to_owned() } else { format!("{n} tries") }
}
