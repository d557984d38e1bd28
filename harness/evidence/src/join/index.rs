//! From ids to stories: each record finds its call by number, in constant time.

use crate::{CallStory, Observed};
use std::collections::HashMap;

/// An `x-request-id` of ours: the prefix, the number of the client's call, and for onward calls what was appended.
pub(crate) struct Id<'a> {
    pub(crate) seq: u64,
    pub(crate) onward: Option<&'a str>,
}

impl<'a> Id<'a> {
    /// `None` for the ids of settling traffic and of mirrored copies (`7-shadow`): they are no calls of ours.
    pub(crate) fn read(prefix: &str, id: &'a str) -> Option<Id<'a>> {
        let rest = id.strip_prefix(prefix)?;
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let seq = rest[..digits].parse().ok()?;
        match &rest[digits..] {
            "" => Some(Id { seq, onward: None }),
            onward if onward.starts_with('.') && !onward.contains("-shadow") => Some(Id { seq, onward: Some(onward) }),
            _ => None,
        }
    }
}

/// Numbers of calls to indices: a table where they lie close together, as they do, else a map.
pub(super) enum Numbers {
    Table { first: u64, at: Vec<u32> },
    Map(HashMap<u64, u32>),
}

const NONE: u32 = u32::MAX;

impl Numbers {
    pub(super) fn of(numbers: impl Iterator<Item = u64> + Clone) -> Numbers {
        let (count, first, last) = numbers.fold((0usize, u64::MAX, 0), |(n, lo, hi), x| (n + 1, lo.min(x), hi.max(x)));
        match last.checked_sub(first).and_then(|width| usize::try_from(width).ok()) {
            Some(width) if width < 8 * count + 1024 => Numbers::Table { first, at: vec![NONE; width + 1] },
            _ => Numbers::Map(HashMap::with_capacity(count)),
        }
    }

    /// False if the number is taken.
    pub(super) fn insert(&mut self, number: u64, index: u32) -> bool {
        match self {
            Numbers::Table { first, at } => {
                let place = number.checked_sub(*first).and_then(|n| at.get_mut(usize::try_from(n).ok()?));
                place.is_some_and(|place| {
                    let free = *place == NONE;
                    if free {
                        *place = index;
                    }
                    free
                })
            }
            Numbers::Map(map) => match map.entry(number) {
                std::collections::hash_map::Entry::Vacant(place) => {
                    place.insert(index);
                    true
                }
                std::collections::hash_map::Entry::Occupied(_) => false,
            },
        }
    }

    fn get(&self, number: u64) -> Option<u32> {
        match self {
            Numbers::Table { first, at } => {
                at.get(usize::try_from(number.checked_sub(*first)?).ok()?).copied().filter(|i| *i != NONE)
            }
            Numbers::Map(map) => map.get(&number).copied(),
        }
    }
}

/// Finds the story of an id.
pub(super) struct Index<'a> {
    prefix: &'a str,
    clients: Numbers,
    onward: HashMap<&'a str, u32>,
}

impl<'a> Index<'a> {
    pub(super) fn new(observed: &'a Observed, stories: &[CallStory]) -> Index<'a> {
        let of_clients = stories.iter().zip(0u32..).filter(|(s, _)| s.is_clients());
        let mut clients = Numbers::of(of_clients.clone().map(|(s, _)| s.seq));
        for (story, number) in of_clients {
            clients.insert(story.seq, number);
        }
        let onward = stories.iter().zip(0u32..).filter(|(s, _)| !s.is_clients());
        let onward =
            onward.filter_map(|(s, number)| Some((observed.access.get(s.access? as usize)?.id.as_str(), number)));
        Index { prefix: &observed.prefix, clients, onward: onward.collect() }
    }

    fn find(&self, id: &str) -> Found {
        match Id::read(self.prefix, id) {
            None => Found::NotOurs,
            Some(Id { seq, onward: None }) => self.clients.get(seq).map_or(Found::Stray, Found::Story),
            Some(Id { onward: Some(_), .. }) => self.onward.get(id).copied().map_or(Found::Stray, Found::Story),
        }
    }
}

enum Found {
    Story(u32),
    Stray,
    NotOurs,
}

/// Records of one kind, gathered by story: those of story n are `at[from[n]..from[n + 1]]`.
pub(super) struct Gathered {
    from: Vec<u32>,
    at: Vec<u32>,
}

impl Gathered {
    pub(super) fn new<'a>(
        ids: impl Iterator<Item = Option<&'a str>>,
        index: &Index<'_>,
        stories: usize,
        strays: &mut Vec<u32>,
    ) -> Self {
        let mut from = vec![0u32; stories + 1];
        let mut place = Vec::with_capacity(ids.size_hint().0);
        for (id, number) in ids.zip(0u32..) {
            let found = match id.map_or(Found::NotOurs, |id| index.find(id)) {
                Found::Story(story) => {
                    from[story as usize + 1] += 1;
                    story
                }
                Found::Stray => {
                    strays.push(number);
                    NONE
                }
                Found::NotOurs => NONE,
            };
            place.push(found);
        }
        for story in 1..from.len() {
            from[story] += from[story - 1];
        }
        let mut next = from.clone();
        let mut at = vec![0u32; from.last().copied().unwrap_or(0) as usize];
        for (story, number) in place.into_iter().zip(0u32..).filter(|(story, _)| *story != NONE) {
            let slot = &mut next[story as usize];
            at[*slot as usize] = number;
            *slot += 1;
        }
        Gathered { from, at }
    }

    pub(super) fn of(&self, story: u32) -> &[u32] {
        let story = story as usize;
        &self.at[self.from[story] as usize..self.from[story + 1] as usize]
    }
}
