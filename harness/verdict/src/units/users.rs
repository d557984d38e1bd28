//! Users: whose calls hang together, so that each of them is one unit.

use super::{Sample, Samples, at_border, is_chosen, members};
use crate::{outcome::call_does, ruling::Case};
use squall_evidence::{CallStory, known};
use squall_model::{InstanceId, Outcome, Plan, Population, Stick, VersionName};
use std::collections::{BTreeMap, BTreeSet};

/// So many answers show where a user is led; by fewer chance alone may keep it in one place.
const ENOUGH: u64 = 5;

/// One user, the same over all traffic lines: known by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum User<'a> {
    Numbered(u32),
    Named(&'a str),
}

impl<'a> User<'a> {
    /// The users of a plan's lines, by number of the line, where each of a line's calls is one user's.
    pub(super) fn of_lines(plan: &'a Plan) -> BTreeMap<u16, User<'a>> {
        let named = plan.lines().filter_map(|line| Some((line.number, line.with.user.as_deref()?)));
        let numbered = |name: &'a str| match name.strip_prefix("user-").and_then(|n| n.parse().ok()) {
            Some(number) => User::Numbered(number),
            None => User::Named(name),
        };
        named.map(|(line, name)| (line, numbered(name))).collect()
    }

    pub(super) fn of(lines: &BTreeMap<u16, User<'a>>, story: &CallStory) -> Option<User<'a>> {
        match story.user {
            0 => lines.get(&story.line?).copied(),
            number => Some(User::Numbered(number)),
        }
    }
}

pub(super) fn users(case: Case<'_>, of: &Population, what: &Outcome) -> Samples {
    let mut all: Vec<Sample> = match what {
        Outcome::ReachOnlyOne(stick) => sticking(case, of, *stick),
        _ => by_their_calls(case, of, what),
    };
    all.sort_by_key(|user| user.story);
    Samples { unchosen: all.len() as u64, all }
}

/// A user does what all of its calls do; it fails if any of them does.
fn by_their_calls(case: Case<'_>, of: &Population, what: &Outcome) -> Vec<Sample> {
    let any = matches!(what, Outcome::Fail);
    let lines = User::of_lines(case.plan);
    let mut users: BTreeMap<User<'_>, Sample> = BTreeMap::new();
    for (index, story, crossing) in members(case, of) {
        let Some(user) = User::of(&lines, story) else { continue };
        let does = call_does(case, story, what);
        let chosen = is_chosen(of, story.outcome);
        let user = users.entry(user).or_insert(Sample { story: index, attempt: 0, does: !any, doubt: None });
        // The first call that decides, and one that crosses no border rather than one that does.
        if chosen && does == any && (user.does != any || (user.doubt.is_some() && !crossing)) {
            *user = Sample { story: index, attempt: 0, does: any, doubt: at_border(crossing) };
        }
    }
    users.into_values().collect()
}

/// Where an answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place<'a> {
    Instance(&'a InstanceId),
    Version(Option<&'a VersionName>),
}

/// Where the answers of one user came from: of all of its calls, and of those that cross no border alone.
#[derive(Debug, Default)]
struct Led<'a> {
    answers: u64,
    inner_answers: u64,
    places: BTreeSet<Place<'a>>,
    inner_places: BTreeSet<Place<'a>>,
    /// The first call that was answered from elsewhere, before that the first one.
    story: usize,
}

impl<'a> Led<'a> {
    fn answered(&mut self, story: usize, place: Place<'a>, crossing: bool) {
        self.answers += 1;
        if self.places.insert(place) && self.places.len() <= 2 {
            self.story = story;
        }
        if !crossing {
            self.inner_answers += 1;
            self.inner_places.insert(place);
        }
    }

    /// A user with too few answers is none.
    fn sample(&self) -> Option<Sample> {
        let does = self.places.len() == 1;
        let crossing = self.inner_answers < ENOUGH || (!does && self.inner_places.len() < 2);
        (self.answers >= ENOUGH).then_some(Sample { story: self.story, attempt: 0, does, doubt: at_border(crossing) })
    }
}

/// Users whose answers all came from one version or one instance, of those with enough answers to tell.
fn sticking(case: Case<'_>, of: &Population, stick: Stick) -> Vec<Sample> {
    let Case { plan, evidence, .. } = case;
    let lines = User::of_lines(plan);
    let mut users: BTreeMap<User<'_>, Led<'_>> = BTreeMap::new();
    for (index, story, crossing) in members(case, of) {
        let Some((user, instance)) = User::of(&lines, story).zip(evidence.answered_by(story)) else { continue };
        let place = match stick {
            Stick::Instance => Place::Instance(instance),
            Stick::Version => Place::Version(known(&plan.topology, instance).and_then(|i| i.version.as_ref())),
        };
        users.entry(user).or_default().answered(index, place, crossing);
    }
    users.values().filter_map(Led::sample).collect()
}

#[cfg(test)]
mod tests;
