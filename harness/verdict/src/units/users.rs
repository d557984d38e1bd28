//! Users: whose calls hang together, so that each of them is one unit.

use super::{Member, Sample, Samples, is_under_way, keys::Tally, members};
use crate::{
    doubt::{Doubt, Reading, Readings},
    ruling::Case,
};
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
    let mut all: Vec<Known> = match what {
        Outcome::ReachOnlyOne(stick) => sticking(case, of, *stick),
        _ => by_their_calls(case, of, what),
    };
    // The order must not depend on what they do, as the call that decides would.
    all.sort_by_key(|user| user.first);
    let all: Vec<Sample> = all.into_iter().map(|user| user.sample).collect();
    let sure = all.iter().filter(|user| user.counts()).count() as u64;
    Samples { unchosen: all.len() as u64, sure, all, can_still_change: is_under_way(case) }
}

/// What is known of a user.
struct Known {
    /// Its first call.
    first: usize,
    sample: Sample,
}

/// The calls of one user.
#[derive(Debug, Default)]
struct Made {
    /// That are meant, by each reading.
    calls: Readings<u64>,
    /// And are among those that the claim chooses.
    chosen: Readings<Tally>,
    doubt: Doubt,
    first: Option<usize>,
    /// The first that decides; one that does so whatever is made of its doubt, rather than one that does not.
    decides: Option<Sample>,
}

/// A user does what all of its calls do; it fails if any of them does.
fn by_their_calls(case: Case<'_>, of: &Population, what: &Outcome) -> Vec<Known> {
    let any = matches!(what, Outcome::Fail);
    let lines = User::of_lines(case.plan);
    let mut users: BTreeMap<User<'_>, Made> = BTreeMap::new();
    for member in members(case, &of.calls, of.phase) {
        let Some(user) = User::of(&lines, member.story) else { continue };
        let made = users.entry(user).or_default();
        made.calls = Readings::of(|by| made.calls.by(by) + u64::from(!(by.is_inner() && member.crossing)));
        made.first = made.first.or(Some(member.index));
        if let Some(call) = member.sample(case, of, what) {
            made.push(call, any);
        }
    }
    users.into_values().filter_map(|made| made.known(any)).collect()
}

impl Made {
    fn push(&mut self, call: Sample, any: bool) {
        self.chosen = Readings::of(|by| self.chosen.by(by).with(call.by.by(by)));
        self.doubt = self.doubt.and(call.doubt);
        let surer = |other: &Sample| call.surely(any) && !other.surely(any);
        if call.does == any && self.decides.as_ref().is_none_or(surer) {
            self.decides = Some(call);
        }
    }

    /// A user of whose calls none counts does not count.
    fn known(&self, any: bool) -> Option<Known> {
        let does = |chosen: Tally| if any { chosen.hits > 0 } else { chosen.hits == chosen.n };
        let by = Readings::of(|by| (self.calls.by(by) > 0).then(|| does(self.chosen.by(by))));
        let first = self.first?;
        let story = self.decides.map_or(first, |call| call.story);
        let sample = Sample::new(story, 0, does(self.chosen.by(Reading::Seen)), by, self.doubt);
        Some(Known { first, sample })
    }
}

/// Where an answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place<'a> {
    Instance(&'a InstanceId),
    Version(Option<&'a VersionName>),
}

/// Where the answers of one user came from.
#[derive(Debug, Default)]
struct Led<'a> {
    /// Of all of its calls, and of those that cross no border alone.
    seen: Answers<'a>,
    inner: Answers<'a>,
    /// The first call that was answered, and the first that was from elsewhere.
    first: Option<usize>,
    strays: Option<usize>,
}

#[derive(Debug, Default)]
struct Answers<'a> {
    count: u64,
    places: BTreeSet<Place<'a>>,
}

impl<'a> Answers<'a> {
    fn push(&mut self, place: Place<'a>) -> bool {
        self.count += 1;
        self.places.insert(place)
    }

    /// All came from one place; a user with too few answers is none.
    fn are_of_one(&self) -> Option<bool> {
        (self.count >= ENOUGH).then_some(self.places.len() == 1)
    }
}

impl<'a> Led<'a> {
    fn answered(&mut self, story: usize, place: Place<'a>, crossing: bool) {
        let elsewhere = self.seen.push(place) && self.first.is_some();
        self.first = self.first.or(Some(story));
        self.strays = self.strays.or(elsewhere.then_some(story));
        if !crossing {
            self.inner.push(place);
        }
    }

    fn known(&self) -> Option<Known> {
        let (first, does) = self.first.zip(self.seen.are_of_one())?;
        let inner = self.inner.are_of_one();
        let by = Readings::of(|by| if by.is_inner() { inner } else { Some(does) });
        let doubt = Doubt { crossing: true, ..Doubt::default() };
        Some(Known { first, sample: Sample::new(self.strays.unwrap_or(first), 0, does, by, doubt) })
    }
}

/// Users whose answers all came from one version or one instance, of those with enough answers to tell. Time decides nothing here.
fn sticking(case: Case<'_>, of: &Population, stick: Stick) -> Vec<Known> {
    let Case { plan, evidence, .. } = case;
    let lines = User::of_lines(plan);
    let mut users: BTreeMap<User<'_>, Led<'_>> = BTreeMap::new();
    for Member { index, story, crossing } in members(case, &of.calls, of.phase) {
        let Some((user, instance)) = User::of(&lines, story).zip(evidence.answered_by(story)) else { continue };
        let place = match stick {
            Stick::Instance => Place::Instance(instance),
            Stick::Version => Place::Version(known(&plan.topology, instance).and_then(|i| i.version.as_ref())),
        };
        users.entry(user).or_default().answered(index, place, crossing);
    }
    users.values().filter_map(Led::known).collect()
}

#[cfg(test)]
mod tests;
