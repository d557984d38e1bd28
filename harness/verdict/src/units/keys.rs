//! Calls by what their way is drawn by: a user, a header, an address.

use super::{is_chosen, members, users::User};
use crate::{outcome::call_does, ruling::Case};
use squall_evidence::CallStory;
use squall_model::{HashKey, InstanceId, Outcome, Plan, Population};
use squall_stats::share::Look;
use std::collections::BTreeMap;

/// All calls of one key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Group {
    /// Index of its first call.
    pub(crate) story: usize,
    /// All of its calls.
    pub(crate) all: Tally,
    /// Those that cross no border of the phase.
    pub(crate) inner: Tally,
}

/// Calls, and those of them with the outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tally {
    pub(crate) n: u64,
    pub(crate) hits: u64,
}

impl Tally {
    fn push(&mut self, hit: bool) {
        self.n += 1;
        self.hits += u64::from(hit);
    }

    /// The share with the outcome; 0 of none.
    pub(crate) fn share(self) -> f64 {
        self.hits as f64 / self.n.max(1) as f64
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

/// The calls of a population by their key, in order of the first of each.
pub(crate) fn groups(case: Case<'_>, of: &Population, what: &Outcome, by: &HashKey) -> Vec<Group> {
    let lines = User::of_lines(case.plan);
    let mut groups: BTreeMap<Key<'_>, Group> = BTreeMap::new();
    for (index, story, crossing) in members(case, of).filter(|(_, story, _)| is_chosen(of, story.outcome)) {
        let key = key(case.plan, &lines, story, by).unwrap_or(Key::None(index));
        let blank = Group { story: index, all: Tally::default(), inner: Tally::default() };
        let group = groups.entry(key).or_insert(blank);
        let does = call_does(case, story, what);
        group.all.push(does);
        if !crossing {
            group.inner.push(does);
        }
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    groups.sort_by_key(|group| group.story);
    groups
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
