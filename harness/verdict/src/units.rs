//! The units that a claim speaks of, and what each of them does.

mod users;

use crate::{
    outcome::{call_does, shed_by, try_does},
    ruling::Case,
};
use squall_evidence::{CallMatcher, CallOutcome, CallStory, Fit, Life, Membership, TryView};
use squall_model::{Only, Outcome, Population, Unit};

/// One unit of a population.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sample {
    /// Index of its call, of a user the one that decided.
    pub(crate) story: usize,
    /// Number of the try that it is; 0: it is no try.
    pub(crate) attempt: u32,
    /// It does what the claim says.
    pub(crate) does: bool,
    /// Something came or went before it was over: a verdict must not depend on it.
    pub(crate) crossing: bool,
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
            samples.all.push(Sample { story: index, attempt: 0, does: call_does(case, story, what), crossing });
        }
    }
    samples
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
                let crossing = membership == Membership::Crossing;
                let does = try_does(case, story, &t, what);
                samples.all.push(Sample { story: index, attempt: t.attempt, does, crossing });
            }
        }
    }
    samples
}
