//! The units that a claim speaks of, and what each of them does.

mod keys;
mod users;

use crate::{
    outcome::{call_does, call_would, shed_by, try_does},
    ruling::Case,
};
pub(crate) use keys::{Group, groups};
use squall_evidence::{CallMatcher, CallOutcome, CallStory, Fit, Life, Membership, TryView};
use squall_model::{Only, Outcome, Population, Unit, Why};

/// One unit of a population.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sample {
    /// Index of its call, of a user the one that decided.
    pub(crate) story: usize,
    /// Number of the try that it is; 0: it is no try.
    pub(crate) attempt: u32,
    /// It does what the claim says.
    pub(crate) does: bool,
    /// Why a verdict must not depend on it.
    pub(crate) doubt: Option<Doubt>,
}

/// Why a verdict must not depend on a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// Something came or went before it was over.
    Border,
    /// It would have done otherwise had the machine not held it up for so many nanoseconds.
    HeldUp(u64),
}

impl Sample {
    /// What it would do if its doubt were justified; `None`: it would not count.
    pub(crate) fn otherwise(&self) -> Option<bool> {
        match self.doubt {
            None => Some(self.does),
            Some(Doubt::Border) => None,
            Some(Doubt::HeldUp(_)) => Some(!self.does),
        }
    }
}

/// Why nothing can be said where it depends on these.
pub(crate) fn why<'a>(doubtful: impl IntoIterator<Item = &'a Sample>) -> Why {
    let (mut calls, mut longest) = (0, 0);
    for doubt in doubtful.into_iter().filter_map(|sample| sample.doubt) {
        match doubt {
            Doubt::Border => return Why::Border,
            Doubt::HeldUp(nanos) => (calls, longest) = (calls + 1, nanos.max(longest)),
        }
    }
    if calls > 0 { Why::HeldUp { calls, longest } } else { Why::Border }
}

fn at_border(crossing: bool) -> Option<Doubt> {
    crossing.then_some(Doubt::Border)
}

/// The units of a population, in order of their intended start, up to the oldest unresolved call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Samples {
    pub(crate) all: Vec<Sample>,
    /// Units before `only` chose among them.
    pub(crate) unchosen: u64,
}

/// Connections leave no record of their own yet.
pub(crate) const UNOBSERVED: &str = "connections are not observed one by one";

/// Every unit, with what it does; `None` for a unit that nobody observes.
pub(crate) fn samples(case: Case<'_>, of: &Population, what: &Outcome) -> Option<Samples> {
    match of.unit {
        Unit::Call => Some(calls(case, of, what)),
        Unit::Try => Some(tries(case, of, what, 1)),
        Unit::Retry => Some(tries(case, of, what, 2)),
        Unit::User => Some(users::users(case, of, what)),
        Unit::Connection => None,
    }
}

fn is_chosen(of: &Population, outcome: CallOutcome) -> bool {
    match of.only {
        None => true,
        Some(Only::Shed) => shed_by(outcome).is_some(),
        Some(Only::Failed) => outcome != CallOutcome::Succeeded,
    }
}

/// The calls of a population, whatever `only` says: index, call, and whether it crosses the border of the phase.
pub(crate) fn members<'a>(case: Case<'a>, of: &'a Population) -> impl Iterator<Item = (usize, &'a CallStory, bool)> {
    let matcher = CallMatcher::new(case.plan, &of.calls);
    let evidence = case.evidence;
    evidence.settled().iter().enumerate().filter_map(move |(index, story)| {
        let membership = evidence.membership(of.phase, Life::from(story));
        let meant = membership != Membership::Outside && matcher.means(evidence, story);
        meant.then_some((index, story, membership == Membership::Crossing))
    })
}

fn calls(case: Case<'_>, of: &Population, what: &Outcome) -> Samples {
    let mut samples = Samples::default();
    for (index, story, crossing) in members(case, of) {
        samples.unchosen += 1;
        if is_chosen(of, story.outcome) {
            let does = call_does(case, story, what);
            let doubt = at_border(crossing).or_else(|| held_up(case, story, what, does));
            samples.all.push(Sample { story: index, attempt: 0, does, doubt });
        }
    }
    samples
}

/// A call that a busy machine held up for longer than sends may be late, where that decides what it does.
fn held_up(case: Case<'_>, story: &CallStory, what: &Outcome, does: bool) -> Option<Doubt> {
    let nanos = case.evidence.held_up(case.plan, story);
    let much = nanos > case.evidence.observed().health.late_p99_limit;
    (much && does != call_would(story, nanos, what, does)).then_some(Doubt::HeldUp(nanos))
}

/// Tries belong to a phase by their own times. Those *to some instances* are those that went there.
fn tries(case: Case<'_>, of: &Population, what: &Outcome, first: u32) -> Samples {
    let matcher = CallMatcher::new(case.plan, &of.calls);
    let named = |story: &CallStory| story.is_clients() || of.calls.from.is_some();
    let mut samples = Samples::default();
    for (index, story) in case.evidence.settled().iter().enumerate() {
        if !named(story) || matcher.fits(story) != Fit::Yes {
            continue;
        }
        for t in case.evidence.tries(story).filter(TryView::was_sent).filter(|t| t.attempt >= first) {
            let membership = case.evidence.membership(of.phase, Life::from(&t));
            if membership == Membership::Outside || !t.instance().is_some_and(|i| matcher.names(i)) {
                continue;
            }
            samples.unchosen += 1;
            if is_chosen(of, t.outcome()) {
                let doubt = at_border(membership == Membership::Crossing);
                let does = try_does(case, story, &t, what);
                samples.all.push(Sample { story: index, attempt: t.attempt, does, doubt });
            }
        }
    }
    samples
}
