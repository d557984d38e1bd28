//! The units that a claim speaks of, and what each of them does.

mod keys;
mod users;

use crate::{
    doubt::{Doubt, Readings},
    outcome::{call_does, call_would, is_chosen, time_decides, try_does},
    ruling::Case,
};
pub(crate) use keys::{Group, drawn_by, groups};
use squall_evidence::{CallMatcher, CallStory, Fit, Life, Membership, TryView};
use squall_model::{Calls, Outcome, Phase, Population, Unit};

/// One unit of a population.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sample {
    /// Index of its call, of a user the one that decided.
    pub(crate) story: usize,
    /// Number of the try that it is; 0: it is no try.
    pub(crate) attempt: u32,
    /// It does what the claim says.
    pub(crate) does: bool,
    /// The same by each reading of what is doubtful; `None`: it does not count.
    pub(crate) by: Readings<Option<bool>>,
    /// Why these differ, where they do.
    pub(crate) doubt: Doubt,
}

impl Sample {
    fn new(story: usize, attempt: u32, does: bool, by: Readings<Option<bool>>, doubt: Doubt) -> Sample {
        let doubt = if by.agree() { Doubt::default() } else { doubt };
        Sample { story, attempt, does, by, doubt }
    }

    /// It counts, and does so, whatever is made of the doubts.
    pub(crate) fn surely(&self, does: bool) -> bool {
        self.by.all().iter().all(|by| *by == Some(does))
    }

    /// It counts and does so by one of the readings.
    pub(crate) fn perhaps(&self, does: bool) -> bool {
        self.by.all().contains(&Some(does))
    }

    /// It counts by every reading.
    pub(crate) fn counts(&self) -> bool {
        self.by.all().iter().all(Option::is_some)
    }
}

/// The units of a population, in order of their intended start, up to the oldest unresolved call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Samples {
    pub(crate) all: Vec<Sample>,
    /// Units before `only` chose among them.
    pub(crate) unchosen: u64,
    /// Those of them that count by every reading.
    pub(crate) sure: u64,
    can_still_change: bool,
}

impl Samples {
    /// What is known of these units may be otherwise when more calls have come.
    pub(crate) fn can_still_change(&self) -> bool {
        self.can_still_change
    }
}

/// A unit of several calls (a user, a key) is known only when all of its calls are; until then no verdict rests on it.
pub(crate) fn is_under_way(case: Case<'_>) -> bool {
    !case.evidence.is_complete()
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

/// A call that is meant, in its phase.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member<'a> {
    /// Its index among all calls.
    pub(crate) index: usize,
    pub(crate) story: &'a CallStory,
    /// Something came or went before it was over.
    pub(crate) crossing: bool,
}

/// The calls of a clause in a phase.
pub(crate) fn members<'a>(case: Case<'a>, calls: &'a Calls, phase: Phase) -> impl Iterator<Item = Member<'a>> {
    let matcher = CallMatcher::new(case.plan, calls);
    let evidence = case.evidence;
    evidence.settled().iter().enumerate().filter_map(move |(index, story)| {
        let membership = evidence.membership(phase, Life::from(story));
        let meant = membership != Membership::Outside && matcher.means(evidence, story);
        meant.then_some(Member { index, story, crossing: membership == Membership::Crossing })
    })
}

impl Member<'_> {
    /// What it does by each reading; `None` if `only` does not choose it. The one place that knows of a call's doubts.
    fn sample(&self, case: Case<'_>, of: &Population, what: &Outcome) -> Option<Sample> {
        let Member { index, story, crossing } = *self;
        if !is_chosen(of, story.outcome) {
            return None;
        }
        let does = call_does(case, story, what);
        let hold = time_decides(of, story, what).then(|| case.evidence.held_up(case.plan, story)).flatten();
        let would = match hold {
            Some(hold) => is_chosen(of, hold.outcome).then(|| call_would(hold, what, does)),
            None => Some(does),
        };
        let held = hold.filter(|_| would != Some(does)).map_or(0, |hold| hold.nanos);
        let by = Readings::of(|reading| match reading {
            reading if reading.is_inner() && crossing => None,
            reading if reading.is_unheld() => would,
            _ => Some(does),
        });
        let doubt = Doubt { crossing, held: u64::from(held > 0), longest: held };
        Some(Sample::new(index, 0, does, by, doubt))
    }
}

fn calls(case: Case<'_>, of: &Population, what: &Outcome) -> Samples {
    let mut samples = Samples::default();
    for member in members(case, &of.calls, of.phase) {
        samples.unchosen += 1;
        samples.sure += u64::from(!member.crossing);
        samples.all.extend(member.sample(case, of, what));
    }
    samples
}

/// Tries belong to a phase by their own times. Those *to some instances* are those that went there. Between two proxies nobody
/// can tell what the machine held up.
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
            let crossing = membership == Membership::Crossing;
            samples.unchosen += 1;
            samples.sure += u64::from(!crossing);
            if is_chosen(of, t.outcome()) {
                let does = try_does(case, story, &t, what);
                let by = Readings::of(|reading| (!(reading.is_inner() && crossing)).then_some(does));
                let doubt = Doubt { crossing, ..Doubt::default() };
                samples.all.push(Sample::new(index, t.attempt, does, by, doubt));
            }
        }
    }
    samples
}
