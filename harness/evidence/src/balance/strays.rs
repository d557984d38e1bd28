//! Records with an id of ours that belong to no call: of an onward call whose own line is lost, of a call whose client has no
//! record, or somebody else's.

use super::{
    gaps::{Place, times},
    lost_with,
};
use crate::{Evidence, Process, join::Id};
use squall_model::{Discord, Foreign, InstanceId, Lost, Side, Source, Stamp, Witness};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// A record that belongs to no call.
pub(super) struct Stray<'a> {
    source: Source,
    /// Who wrote it; the client is nobody's.
    at: Option<&'a InstanceId>,
    id: &'a str,
    /// The proxy of its caller may have taken the call's own line with it.
    pub(super) excused: bool,
}

/// Tells of every record that belongs to no call.
pub(super) fn each<'a>(evidence: &'a Evidence, tell: &mut impl FnMut(Stray<'a>)) {
    let (observed, strays) = (&evidence.observed, &evidence.strays);
    let lost = |caller: Option<&str>, began: Stamp, took: u64| {
        let of_caller = |id: &InstanceId| caller.is_some_and(|caller| id.service.as_str() == caller);
        lost_with(evidence, Process::Proxy, of_caller, began, Stamp(began.0.saturating_add(took)))
    };
    for line in strays.access.iter().filter_map(|i| observed.access.get(*i as usize)) {
        let inbound = line.side == Side::Inbound;
        let excused = lost(inbound.then_some(line.caller.as_str()), line.began, line.took);
        let source = if inbound { Source::CalleesLog } else { Source::CallersLog };
        tell(Stray { source, at: Some(&line.proxy), id: &line.id, excused });
    }
    for sent in strays.tries.iter().filter_map(|i| observed.tries.get(*i as usize)) {
        let excused = lost(Some(sent.proxy.service.as_str()), sent.began, sent.took);
        tell(Stray { source: Source::UpstreamLog, at: Some(&sent.proxy), id: &sent.id, excused });
    }
    for (instance, line) in strays.ledger.iter().filter_map(|i| observed.ledger.get(*i as usize)) {
        let excused = lost(Some(&line.caller), line.began, line.ended.0.saturating_sub(line.began.0));
        tell(Stray { source: Source::Ledger, at: Some(instance), id: &line.id, excused });
    }
    for _ in &strays.calls {
        tell(Stray { source: Source::Client, at: None, id: "", excused: false });
    }
}

/// Everything that is known of onward calls that lack a line of their own.
#[derive(Debug, Default)]
struct Unrecorded<'a> {
    /// The proxy that made its tries, where one says so.
    at: Option<&'a InstanceId>,
    known_to: BTreeSet<Witness>,
}

/// What the records that belong to no call come to.
#[derive(Debug, Default)]
pub(super) struct Strays<'a> {
    /// How many each process wrote.
    pub(super) counts: BTreeMap<Place<'a>, u64>,
    /// Onward calls without their line at the proxy of the workload that made them: how many, and who has all of them.
    lines: BTreeMap<Option<&'a InstanceId>, (u64, BTreeSet<Witness>)>,
    /// Calls of which the client has no record, though it has the ones before and after.
    clients: u64,
    foreign: BTreeMap<Place<'a>, u64>,
}

impl<'a> Strays<'a> {
    pub(super) fn of(evidence: &'a Evidence) -> Strays<'a> {
        let observed = &evidence.observed;
        let ours: HashSet<u64> = observed.calls.iter().map(|call| call.seq).collect();
        let last = ours.iter().max().copied();
        let mut onward: BTreeMap<&str, Unrecorded<'_>> = BTreeMap::new();
        let mut unrecorded: BTreeSet<u64> = BTreeSet::new();
        let mut strays = Strays::default();
        each(evidence, &mut |stray| {
            let place = (stray.source, stray.at);
            *strays.counts.entry(place).or_default() += 1;
            match Id::read(&observed.prefix, stray.id) {
                _ if stray.excused => {}
                Some(Id { seq, onward: Some(_) }) if ours.contains(&seq) && stray.source != Source::CallersLog => {
                    let call = onward.entry(stray.id).or_default();
                    call.at = call.at.or(stray.at.filter(|_| stray.source == Source::UpstreamLog));
                    call.known_to.extend(witness(stray.source));
                }
                // Our numbers have no gaps: whoever carries one that lies between two of them was sent by our client.
                Some(Id { seq, .. }) if !ours.contains(&seq) && last.is_some_and(|last| seq < last) => {
                    unrecorded.insert(seq);
                }
                _ => *strays.foreign.entry(place).or_default() += 1,
            }
        });
        strays.clients = unrecorded.len() as u64;
        for Unrecorded { at, known_to } in onward.into_values() {
            let (missing, common) = strays.lines.entry(at).or_insert_with(|| (0, known_to.clone()));
            *missing += 1;
            *common = &*common & &known_to;
        }
        strays
    }

    /// How many lines of onward calls this proxy failed to write.
    pub(super) fn lines(&self, at: &InstanceId) -> u64 {
        self.lines.get(&Some(at)).map_or(0, |(missing, _)| *missing)
    }

    /// The causes; `counted` says what the counters of a proxy have beyond its lines of calls.
    pub(super) fn discords(&self, evidence: &Evidence, counted: impl Fn(&InstanceId) -> Option<u64>) -> Vec<Discord> {
        let lost = |source, at: Option<&InstanceId>, missing, known_to: BTreeSet<Witness>| {
            let of = times(evidence, source, at).len() as u64 + missing;
            let known_to = known_to.into_iter().collect();
            Discord::LostTelemetry(Lost { source, at: at.cloned(), missing, of, since: None, until: None, known_to })
        };
        let line = |(at, (missing, known_to)): (&Option<&InstanceId>, &(u64, BTreeSet<Witness>))| {
            let mut known_to = known_to.clone();
            known_to.extend(at.and_then(&counted).filter(|beyond| beyond >= missing).map(|_| Witness::Counters));
            lost(Source::CallersLog, *at, *missing, known_to)
        };
        let foreign = |((source, at), extra): (&Place<'_>, &u64)| match source {
            Source::Client => Discord::Unexplained(format!("{extra} calls are recorded twice by the client")),
            source => {
                let of = times(evidence, *source, *at).len() as u64;
                Discord::ForeignTraffic { what: Foreign::Records(*source), at: at.cloned(), extra: *extra, of }
            }
        };
        let mut all: Vec<Discord> = self.lines.iter().map(line).collect();
        if self.clients > 0 {
            all.push(lost(Source::Client, None, self.clients, BTreeSet::new()));
        }
        all.extend(self.foreign.iter().map(foreign));
        all
    }
}

fn witness(source: Source) -> Option<Witness> {
    match source {
        Source::UpstreamLog => Some(Witness::UpstreamLog),
        Source::CalleesLog => Some(Witness::CalleesLog),
        Source::Ledger => Some(Witness::Ledger),
        Source::Client | Source::CallersLog => None,
    }
}
