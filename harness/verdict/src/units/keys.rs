//! Calls or tries by what their way is drawn by: a user, a header, an address.

use super::{Sample, users::User};
use crate::{
    doubt::{Doubt, Readings},
    ruling::Case,
};
use squall_evidence::{CallMatcher, CallStory};
use squall_model::{Calls, DrawnBy, HashKey, InstanceId, Outcome, Plan};
use squall_stats::share::Look;
use std::collections::BTreeMap;

/// All units of one key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Group {
    /// The call of its first unit.
    story: usize,
    /// Its units by each reading of what is doubtful.
    pub(crate) by: Readings<Tally>,
    /// Why these may differ.
    pub(crate) doubt: Doubt,
}

/// Units, and those of them with the outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tally {
    pub(crate) n: u64,
    pub(crate) hits: u64,
}

impl Tally {
    /// One more; `None`: it does not count.
    pub(crate) fn with(self, hit: Option<bool>) -> Tally {
        Tally { n: self.n + u64::from(hit.is_some()), hits: self.hits + u64::from(hit == Some(true)) }
    }

    /// The share with the outcome; `None` of none.
    pub(crate) fn share(self) -> Option<f64> {
        (self.n > 0).then(|| self.hits as f64 / self.n as f64)
    }

    pub(crate) fn look(self) -> Look {
        Look { n: self.n, hits: self.hits }
    }
}

/// What a call's way is drawn by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Key<'a> {
    User(User<'a>),
    Header(&'a str),
    Address(&'a InstanceId),
    /// It has no key, and goes anywhere by itself.
    None(usize),
}

/// What the way of these calls is drawn by, where it decides this.
pub(crate) fn drawn_by(case: Case<'_>, calls: &Calls, what: &Outcome) -> DrawnBy {
    let matcher = CallMatcher::new(case.plan, calls);
    case.plan.drawn_by(calls, what, case.plan.lines().filter(|line| matcher.means_line(line)))
}

/// Calls or tries by their key and callee, in order of the first of each.
pub(crate) fn groups(case: Case<'_>, all: &[Sample], by: &DrawnBy) -> Vec<Group> {
    let lines = User::of_lines(case.plan);
    let mut groups: BTreeMap<_, Group> = BTreeMap::new();
    for sample in all {
        let Some(story) = case.evidence.stories().get(sample.story) else { continue };
        let key = by.get(&story.edge.to).and_then(|by| key(case.plan, &lines, story, by));
        let key = (&story.edge.to, key.unwrap_or(Key::None(sample.story)));
        groups.entry(key).or_insert_with(|| Group::of_none(sample.story)).push(sample);
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    groups.sort_by_key(|group| group.story);
    groups
}

impl Group {
    fn of_none(story: usize) -> Group {
        Group { story, by: Readings::default(), doubt: Doubt::default() }
    }

    fn push(&mut self, sample: &Sample) {
        self.by = Readings::of(|reading| self.by.by(reading).with(sample.by.by(reading)));
        self.doubt = self.doubt.and(sample.doubt);
    }
}

fn key<'a>(plan: &'a Plan, lines: &BTreeMap<u16, User<'a>>, story: &'a CallStory, by: &HashKey) -> Option<Key<'a>> {
    match by {
        HashKey::Header(name) if name != "x-squall-user" => {
            let line = plan.lines().find(|line| Some(line.number) == story.line)?;
            line.with.header.as_ref().filter(|(header, _)| header == name).map(|(_, value)| Key::Header(value))
        }
        // Each user has a cookie of its own.
        HashKey::User | HashKey::Cookie(_) | HashKey::Header(_) => User::of(lines, story).map(Key::User),
        HashKey::SourceAddress => Some(Key::Address(&story.caller)),
    }
}
