//! Records that are missing, source by source: how many of how many, since when, and who has what they would tell.

use super::due::{Due, State};
use crate::{Evidence, LifeEnd, Process};
use squall_model::{Foreign, InstanceId, Side, Source, Stamp, Witness};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A stretch of time that holds all that is missing, and seldom would by chance: bunched, not now and then.
const BUNCHED: f64 = 1e-5;

/// What one process failed to write down.
#[derive(Debug, Default)]
pub(super) struct Gap {
    records: BTreeMap<(usize, u32), (Stamp, BTreeSet<Witness>)>,
}

/// Whose records of which kind.
pub(super) type Place<'a> = (Source, Option<&'a InstanceId>);

/// All that is missing, and records that are themselves too many.
#[derive(Debug, Default)]
pub(super) struct Gaps<'a> {
    pub(super) missing: BTreeMap<Place<'a>, Gap>,
    pub(super) extra: BTreeMap<Place<'a>, u64>,
}

impl<'a> Gaps<'a> {
    pub(super) fn of(evidence: &'a Evidence) -> Gaps<'a> {
        let mut gaps = Gaps::default();
        super::due::each(evidence, &mut |due: Due<'a>| match due.state {
            State::Found | State::Excused => {}
            State::Extra => *gaps.extra.entry((due.source, due.at)).or_default() += 1,
            State::Missing => {
                let records = &mut gaps.missing.entry((due.source, due.at)).or_default().records;
                let (when, known_to) = records.entry(due.key).or_insert((due.when, BTreeSet::new()));
                *when = due.when.min(*when);
                known_to.extend(due.known_to);
            }
        });
        gaps
    }

    /// How many records of this kind this process failed to write.
    pub(super) fn missing(&self, source: Source, at: &InstanceId) -> u64 {
        self.missing.get(&(source, Some(at))).map_or(0, Gap::len)
    }

    /// What the records that are too many come to.
    pub(super) fn foreign(&self, evidence: &Evidence) -> Vec<squall_model::Discord> {
        let discord = |((source, at), extra): (&Place<'_>, &u64)| squall_model::Discord::ForeignTraffic {
            what: Foreign::Records(*source),
            at: at.cloned(),
            extra: *extra,
            of: times(evidence, *source, *at).len() as u64,
        };
        self.extra.iter().map(discord).collect()
    }
}

impl Gap {
    pub(super) fn len(&self) -> u64 {
        self.records.len() as u64
    }

    /// Who has the counterpart of every one of them.
    pub(super) fn known_to(&self) -> BTreeSet<Witness> {
        let mut all = self.records.values().map(|(_, known_to)| known_to.clone());
        let first = all.next().unwrap_or_default();
        all.fold(first, |common, known_to| &common & &known_to)
    }

    fn span(&self) -> Option<(Stamp, Stamp)> {
        let times = || self.records.values().map(|(when, _)| *when);
        times().min().zip(times().max())
    }

    /// From when, to when they are missing, where they lie closer together than chance would put them; an end that nothing
    /// was written beyond is left open.
    pub(super) fn bunched(&self, found: &[Stamp]) -> (Option<Stamp>, Option<Stamp>) {
        let Some((first, last)) = self.span() else { return (None, None) };
        let (before, after) = (found.iter().any(|t| *t < first), found.iter().any(|t| *t > last));
        let within = found.iter().filter(|t| (first..=last).contains(t)).count() as f64;
        let (missing, all) = (self.records.len() as f64, (found.len() + self.records.len()) as f64);
        // The chance that so many places, drawn at random, lie within so small a part of all.
        let part = (within + missing) / all;
        let chance = missing * part.powf(missing - 1.0) - (missing - 1.0) * part.powf(missing);
        if chance > BUNCHED || (!before && !after) {
            return (None, None);
        }
        (before.then_some(first), after.then_some(last))
    }

    /// The end of the proxy that took them with it: all of them were under way or done by then, and nothing that began after
    /// the first of them was written any more.
    pub(super) fn end<'e>(&self, evidence: &'e Evidence, at: &InstanceId, found: &[Stamp]) -> Option<&'e LifeEnd> {
        let (first, last) = self.span()?;
        let error = Duration::from_nanos(evidence.observed.health.clock_error);
        evidence.observed.lives.iter().find(|life| {
            let gone = life.at + error;
            let silent = !found.iter().any(|t| *t > first + error && *t <= gone);
            life.what == Process::Proxy && life.instance == *at && last <= gone && silent
        })
    }
}

/// When what this process did write down of this kind began.
pub(super) fn times(evidence: &Evidence, source: Source, at: Option<&InstanceId>) -> Vec<Stamp> {
    let observed = &evidence.observed;
    let here = |id: &InstanceId| Some(id) == at;
    let lines = |side: Side| {
        observed.access.iter().filter(move |line| line.side == side && here(&line.proxy)).map(|l| l.began).collect()
    };
    match source {
        Source::Client => observed.calls.iter().map(|call| call.intended).collect(),
        Source::CallersLog => lines(Side::Outbound),
        Source::CalleesLog => lines(Side::Inbound),
        Source::UpstreamLog => observed.tries.iter().filter(|t| here(&t.proxy)).map(|t| t.began).collect(),
        Source::Ledger => {
            let own = observed.ledger.iter().filter(|(id, line)| here(id) && !line.copy);
            own.map(|(_, line)| line.began).collect()
        }
    }
}
