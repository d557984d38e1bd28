//! The join: raw records to stories, by the id of the call and the number of the try.
//!
//! It is run several times a second on a run under way, so it touches each record a constant number of times, clones none,
//! and finds a call by its number, not by its id.

mod index;

use crate::{
    CallOutcome, CallStory, Evidence, Flags, Grade, Observed, Origin, Strays, TryStory, TryView, outcome,
    phase::{spans, windows},
    story::view,
};
pub(crate) use index::Id;
use index::{Gathered, Index, Numbers};
use squall_model::{
    AccessRecord, ClientEnd, Edge, GrpcStatus, InstanceId, Plan, Protocol, ServiceName, Side, Stamp, Topology,
};

/// Joins everything observed of a run of this plan, under way or over. The order of the records does not matter.
#[must_use]
pub fn join(plan: &Plan, observed: Observed) -> Evidence {
    let mut strays = Strays::default();
    let mut stories = client_stories(plan, &observed, &mut strays);
    stories.extend(onward_stories(plan, &observed));
    stories.sort_by_key(|story| (story.intended, story.seq));

    let index = Index::new(&observed, &stories);
    let sides = Sides::new(&observed, &index, stories.len(), &mut strays);
    let mut tries = Vec::with_capacity(observed.tries.len());
    for (story, number) in stories.iter_mut().zip(0..) {
        let first = tries.len();
        merge(&observed, &sides, number, blank(&plan.topology, &story.edge.to), &mut tries);
        story.tries = first as u32..tries.len() as u32;
        story.access = story.access.or(sides.lines[number as usize]);
        finish(&observed, story, &tries[first..]);
    }
    let windows = windows(plan, &observed);
    let spans = spans(&observed, &stories);
    let mut evidence = Evidence { observed, stories, tries, strays, settled_until: None, windows, spans };
    evidence.settled_until = settled_until(plan, &evidence);
    evidence
}

/// A story of each client's record, as far as the client knows it.
fn client_stories(plan: &Plan, observed: &Observed, strays: &mut Strays) -> Vec<CallStory> {
    let unknown = || Edge { from: "?".into(), to: "?".into() };
    let last = plan.lines().map(|line| usize::from(line.number) + 1).max().unwrap_or(0);
    let mut edges = vec![None; last];
    for line in plan.lines() {
        edges[usize::from(line.number)] = Some(Edge { from: line.caller.clone(), to: line.to.service.clone() });
    }
    let mut seen = Numbers::of(observed.calls.iter().map(|c| c.seq));
    let mut stories = Vec::with_capacity(observed.calls.len());
    for (call, number) in observed.calls.iter().zip(0u32..) {
        if !seen.insert(call.seq, number) {
            strays.calls.push(number);
            continue;
        }
        let edge = edges.get(usize::from(call.line)).cloned().flatten().unwrap_or_else(unknown);
        stories.push(CallStory {
            seq: call.seq,
            origin: Origin::Client(number),
            line: Some(call.line),
            caller: InstanceId { service: edge.from.clone(), number: call.caller },
            edge,
            user: call.user,
            intended: call.intended,
            met: call.sent,
            done: call.done,
            end: call.end,
            outcome: CallOutcome::Unfinished,
            grade: Grade::Exact,
            access: None,
            tries: 0..0,
            resolved: true,
        });
    }
    stories
}

/// What a service speaks.
fn protocol(topology: &Topology, service: &ServiceName) -> Protocol {
    topology.service(service).map(|s| s.protocol).unwrap_or_default()
}

/// What is known of a try to a service before any record of it.
fn blank(topology: &Topology, to: &ServiceName) -> TryStory {
    let service = topology.service(to);
    TryStory {
        protocol: service.map(|s| s.protocol).unwrap_or_default(),
        one_sided: service.is_some_and(|s| s.deployed.is_some()),
        ..TryStory::default()
    }
}

/// How an onward call ended for the workload that made it, as far as the line of its proxy knows.
fn end_of(line: &AccessRecord, protocol: Protocol) -> ClientEnd {
    match (line.status, protocol) {
        (0, _) => ClientEnd::Reset,
        (status, Protocol::Grpc) => ClientEnd::Grpc(line.grpc.unwrap_or_else(|| GrpcStatus::of_http(status))),
        (status, _) => ClientEnd::Answered(status),
    }
}

/// A story of each onward call: its line at the proxy of the workload that made it stands for the client's record.
fn onward_stories<'a>(plan: &'a Plan, observed: &'a Observed) -> impl Iterator<Item = CallStory> + 'a {
    observed.access.iter().zip(0u32..).filter(|(line, _)| line.side == Side::Outbound).filter_map(
        move |(line, number)| {
            let Id { seq, onward } = Id::read(&observed.prefix, &line.id)?;
            let to: ServiceName = onward?.rsplit('.').nth(1)?.into();
            let done = Stamp(line.began.0.saturating_add(line.took));
            let end = end_of(line, protocol(&plan.topology, &to));
            Some(CallStory {
                seq,
                origin: Origin::Onward(seq),
                line: None,
                edge: Edge { from: line.proxy.service.clone(), to },
                caller: line.proxy.clone(),
                user: 0,
                intended: line.began,
                met: line.began,
                done,
                end,
                outcome: CallOutcome::Unfinished,
                grade: Grade::Exact,
                access: Some(number),
                tries: 0..0,
                resolved: true,
            })
        },
    )
}

/// The records of all observers but the client, gathered by story.
struct Sides {
    /// The line of each call at its caller's proxy.
    lines: Vec<Option<u32>>,
    sent: Gathered,
    arrived: Gathered,
    served: Gathered,
}

impl Sides {
    fn new(observed: &Observed, index: &Index<'_>, stories: usize, strays: &mut Strays) -> Sides {
        let on = |side: Side| observed.access.iter().map(move |line| (line.side == side).then_some(line.id.as_str()));
        let mut gather = |side| Gathered::new(on(side), index, stories, &mut strays.access);
        let (outbound, arrived) = (gather(Side::Outbound), gather(Side::Inbound));
        let sent = observed.tries.iter().map(|t| Some(t.id.as_str()));
        let sent = Gathered::new(sent, index, stories, &mut strays.tries);
        let served = observed.ledger.iter().map(|(_, line)| (!line.copy).then_some(line.id.as_str()));
        let served = Gathered::new(served, index, stories, &mut strays.ledger);
        // A call has one line at its caller's proxy. More than one: the first by time is it, the others belong to no call.
        let lines: Vec<_> = (0..stories as u32).map(|story| first_line(observed, outbound.of(story))).collect();
        for (story, line) in (0..).zip(&lines) {
            strays.access.extend(outbound.of(story).iter().filter(|other| Some(**other) != *line));
        }
        strays.access.sort_unstable();
        Sides { lines, sent, arrived, served }
    }
}

fn first_line(observed: &Observed, lines: &[u32]) -> Option<u32> {
    let order = |line: &u32| observed.access.get(*line as usize).map(|l| (l.began, l.took, l.proxy.number));
    lines.iter().copied().min_by_key(order)
}

/// Puts the records of one story's tries together.
///
/// Records of one try carry the same number and name the same instance. Should a number occur twice, the earlier records
/// go together, then the later ones.
fn merge(observed: &Observed, sides: &Sides, story: u32, blank: TryStory, tries: &mut Vec<TryStory>) {
    let first = tries.len();
    for sent in sides.sent.of(story) {
        let attempt = observed.tries[*sent as usize].attempt;
        tries.push(TryStory { attempt, sent: Some(*sent), ..blank });
    }
    tries[first..].sort_by_key(|t| (t.attempt, began(observed, t)));
    for arrived in in_order(sides.arrived.of(story), |i| observed.access[i as usize].began) {
        let line = &observed.access[arrived as usize];
        let free = |t: &TryStory| t.arrived.is_none();
        match place(observed, &tries[first..], line.attempts, &line.proxy, free) {
            Some(at) => tries[first + at].arrived = Some(arrived),
            None => tries.push(TryStory { attempt: line.attempts, arrived: Some(arrived), ..blank }),
        }
    }
    for served in in_order(sides.served.of(story), |i| observed.ledger[i as usize].1.began) {
        let (instance, line) = &observed.ledger[served as usize];
        let free = |t: &TryStory| t.served.is_none();
        match place(observed, &tries[first..], line.attempt, instance, free) {
            Some(at) => tries[first + at].served = Some(served),
            None => tries.push(TryStory { attempt: line.attempt, served: Some(served), ..blank }),
        }
    }
    tries[first..].sort_by_key(|t| (t.attempt, began(observed, t)));
}

fn began(observed: &Observed, t: &TryStory) -> Stamp {
    view(observed, t).began()
}

fn in_order(records: &[u32], began: impl Fn(u32) -> Stamp) -> Vec<u32> {
    let mut records = records.to_vec();
    records.sort_by_key(|record| began(*record));
    records
}

/// Where among these tries a record of this number and instance belongs: a try of the same instance, else one of unknown
/// instance. A record without a number (0) goes by its instance alone.
fn place(
    observed: &Observed,
    tries: &[TryStory],
    attempt: u32,
    instance: &InstanceId,
    free: impl Fn(&TryStory) -> bool,
) -> Option<usize> {
    let candidate = |t: &TryStory| free(t) && (t.attempt == attempt || attempt == 0);
    let same = tries.iter().position(|t| candidate(t) && view(observed, t).instance() == Some(instance));
    same.or_else(|| tries.iter().position(|t| candidate(t) && view(observed, t).instance().is_none()))
}

/// Fills in what only all observers together know of a call.
fn finish(observed: &Observed, story: &mut CallStory, tries: &[TryStory]) {
    let mut few = [view(observed, &TryStory::default()); 4];
    let many: Vec<TryView<'_>>;
    let views: &[TryView<'_>] = if tries.len() <= few.len() {
        few.iter_mut().zip(tries).for_each(|(place, t)| *place = view(observed, t));
        &few[..tries.len()]
    } else {
        many = tries.iter().map(|t| view(observed, t)).collect();
        &many
    };
    let line = story.access.and_then(|i| observed.access.get(i as usize));
    story.outcome = outcome::classify(story.end, line, views);
    story.met = met(story.met, line, views);
    let due = line.is_some() || may_lack_a_line(story.end);
    let whole = due && views.len() >= tries_due(line) && views.iter().all(is_whole);
    story.resolved = whole;
    story.grade = match (line, views) {
        (None, []) => Grade::ClientOnly,
        _ if whole && line.is_some() => Grade::Exact,
        _ => Grade::Partial,
    };
}

/// When the call met the first proxy that could do anything to it: the callee's, unless the caller's held it before.
fn met(sent: Stamp, line: Option<&AccessRecord>, tries: &[TryView<'_>]) -> Stamp {
    match (line, tries.first()) {
        (Some(line), _) if Flags(&line.flags).has_any(&["DI", "FI"]) => line.began.max(sent),
        (_, Some(first)) => first.met().max(sent),
        (Some(line), None) => line.began.max(sent),
        (None, None) => sent,
    }
}

/// The client alone ended it, perhaps before its proxy had read it: there may be no line.
fn may_lack_a_line(end: ClientEnd) -> bool {
    end.is_without_a_connection()
}

/// How many lines of the upstream log the line of the caller's proxy promises: one for each try that it counts, be it turned
/// away by the breaker, but none for a last one that found no host or no cluster.
pub(crate) fn tries_due(line: Option<&AccessRecord>) -> usize {
    let Some(line) = line else { return 0 };
    let hostless = Flags(&line.flags).has_any(&["UH", "NR", "NC"]);
    (line.attempts as usize).saturating_sub(usize::from(hostless))
}

/// Every record of this try that is due is there: an answered try has a line, a line that passes on an answer a ledger line.
fn is_whole(t: &TryView<'_>) -> bool {
    let arrived = t.one_sided || t.status() == 0 || t.arrived.is_some();
    let served = !t.arrived.is_some_and(crate::balance::is_from_workload) || t.served.is_some();
    arrived && served && t.sent.is_some()
}

/// Up to where a run under way may be judged.
fn settled_until(plan: &Plan, evidence: &Evidence) -> Option<Stamp> {
    if evidence.observed.quiet {
        return None;
    }
    let unresolved = evidence.stories.iter().find(|s| !s.resolved).map(|s| s.intended);
    let pending = crate::phase::pending_from(plan, &evidence.observed);
    let until = [evidence.observed.unresolved_from, unresolved, pending].into_iter().flatten().min();
    // Nothing is known to be missing, but nobody has said that nothing is: lines may be late, calls are not.
    until.or(Some(Stamp(u64::MAX)))
}

#[cfg(test)]
mod tests;
