//! Processes that went down: killed and stopped ones ended, restarted ones came again, paused ones answered nothing.

use super::{counted, draw::Armed, noticed, parts_of};
use crate::{CallStory, Evidence, LifeEnd, Process, TryView, balance::is_from_workload, sizes::members_at};
use squall_model::{ClientEnd, Dose, DoseCount, InstanceId, Meant, Members, Part, Plan, ServiceName, Target, Which};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Instances whose processes ended when they were asked to, while there was traffic that could miss them.
pub(super) fn killed(plan: &Plan, evidence: &Evidence, own: &Armed<'_>, of: &Members, part: Part) -> DoseCount {
    let in_time = |life: &LifeEnd| life.asked.is_some_and(|asked| own.windows.possibly_at(asked, Duration::ZERO));
    ended(plan, evidence, own, of, part, in_time)
}

/// Instances whose processes ended when they were asked to. That others came is what the effect says: it is not settled
/// before they are up.
pub(super) fn restarted(plan: &Plan, evidence: &Evidence, own: &Armed<'_>, of: &Members, part: Part) -> DoseCount {
    let start = own.windows.first().start;
    let in_time = |life: &LifeEnd| {
        life.asked.is_some_and(|asked| start.asked <= asked && asked <= start.settled) && life.at <= start.settled
    };
    ended(plan, evidence, own, of, part, in_time)
}

fn ended(
    plan: &Plan,
    evidence: &Evidence,
    own: &Armed<'_>,
    of: &Members,
    part: Part,
    in_time: impl Fn(&LifeEnd) -> bool,
) -> DoseCount {
    let meant = instances(plan, evidence, own, of);
    let of_it = |id: &InstanceId, what: Process| {
        evidence.observed.lives.iter().any(|life| life.instance == *id && life.what == what && in_time(life))
    };
    let is_down = |id: &&InstanceId| {
        let hosts = plan.topology.is_called(&id.service);
        (!part.has_proxy() || of_it(id, Process::Proxy))
            && (!(part.has_workload() && hosts) || of_it(id, Process::Workload))
    };
    let reached = reached(plan, evidence, &meant);
    let concerns = |s: &CallStory| meant.iter().any(|id| misses(plan, &reached, s, id));
    let traffic = evidence.stories().iter().any(|s| own.windows.possibly_at(s.intended, Duration::ZERO) && concerns(s));
    if !traffic {
        return counted(own, 0, meant.len() as u64);
    }
    let parts: Vec<_> = meant.iter().map(|id| (id, (u64::from(is_down(&id)), 1))).collect();
    let touched = parts.iter().map(|(_, (down, _))| down).sum();
    let count = counted(own, touched, meant.len() as u64);
    DoseCount { parts: if parts.len() > 1 { parts_of(parts) } else { Vec::new() }, ..count }
}

/// Those of somebody else's among these to which some try of the run went: its owners' routes say which of a service are called.
fn reached<'m>(plan: &Plan, evidence: &Evidence, meant: &'m BTreeSet<InstanceId>) -> BTreeSet<&'m InstanceId> {
    if meant.iter().all(|id| plan.topology.deployed(&id.service).is_none()) {
        return BTreeSet::new();
    }
    evidence.stories().iter().flat_map(|s| evidence.tries(s)).filter_map(|t| meant.get(t.instance()?)).collect()
}

/// Whether a call would miss an instance that is gone; `reached`: those of somebody else's that are called at all.
fn misses(plan: &Plan, reached: &BTreeSet<&InstanceId>, call: &CallStory, id: &InstanceId) -> bool {
    let deployed = |service: &ServiceName| plan.topology.deployed(service);
    match deployed(&id.service) {
        None => id.service == call.edge.to || *id == call.caller,
        Some(_) if id.service == call.edge.to => reached.contains(id),
        // Whom services of an application call among themselves for a call of ours nobody says: it may be any of them.
        Some(of) => deployed(&call.edge.to).is_some_and(|to| to.namespace == of.namespace),
    }
}

/// The instances that are meant: of those that there were when they were asked to go down. One that is named counts even
/// if it was not there.
fn instances(plan: &Plan, evidence: &Evidence, own: &Armed<'_>, of: &Members) -> BTreeSet<InstanceId> {
    let mut instances: BTreeSet<InstanceId> =
        members_at(plan, evidence, of, own.windows.first().start.asked).into_iter().collect();
    if let Members::Of(Target { service, which: Which::Instance(number), .. }) = of {
        instances.insert(InstanceId { service: service.clone(), number: *number });
    }
    instances
}

/// What was asked of instances that stood still, of which none may have been answered before they went on.
///
/// Exact: the kernel goes on accepting for a stopped process, but nobody reads. Where the checks of callers' proxies kept all
/// tries away, that they failed shows the fault.
pub(super) fn paused(plan: &Plan, evidence: &Evidence, own: &Armed<'_>, of: &Members, part: Part) -> DoseCount {
    let meant = instances(plan, evidence, own, of);
    let still = Still { own, part, error: Duration::from_nanos(evidence.observed.health.clock_error) };
    let (mut asked, mut answered) = (0, 0);
    let mut parts: BTreeMap<&InstanceId, (u64, u64)> = BTreeMap::new();
    let mut count = |id, was_answered: bool| {
        asked += 1;
        answered += u64::from(was_answered);
        let (touched, of) = parts.entry(id).or_default();
        (*touched, *of) = (*touched + u64::from(!was_answered), *of + 1);
    };
    for story in evidence.stories() {
        let tries = evidence.tries(story).filter(TryView::was_sent);
        for (t, id) in tries.filter(|t| still.surely(t)).filter_map(|t| Some((t, meant.get(t.instance()?)?))) {
            count(id, still.answered_try(&t));
        }
        if let Some(id) = meant.get(&story.caller).filter(|_| still.holds_call(story)) {
            count(id, still.answered_call(story));
        }
    }
    if asked == 0 {
        let noticed = noticed(evidence, own, |id| meant.contains(id));
        return counted(own, noticed, noticed);
    }
    let dose = if answered > 0 { Dose::Weaker } else { Dose::Confirmed };
    let parts = if parts.len() > 1 { parts_of(parts) } else { Vec::new() };
    DoseCount { parts, ..DoseCount::new(own.fault.id, dose, asked - answered, asked).meaning(Meant::Each) }
}

/// The time for which processes stood still.
struct Still<'a> {
    own: &'a Armed<'a>,
    part: Part,
    error: Duration,
}

impl Still<'_> {
    fn surely(&self, t: &TryView<'_>) -> bool {
        self.own.windows.surely_at(t.began(), self.error)
    }

    /// Behind a workload that stands still its proxy goes on answering: only what the workload answered counts.
    fn answered_try(&self, t: &TryView<'_>) -> bool {
        let by_it = self.part.has_proxy() || t.arrived.is_some_and(is_from_workload);
        t.status() != 0 && by_it && self.own.windows.surely_throughout(t.began(), t.ended(), self.error)
    }

    /// A call that the caller's own proxy should have carried meanwhile.
    fn holds_call(&self, story: &CallStory) -> bool {
        self.part.has_proxy() && story.is_clients() && self.own.windows.surely_at(story.intended, Duration::ZERO)
    }

    fn answered_call(&self, story: &CallStory) -> bool {
        let answered = matches!(story.end, ClientEnd::Answered(_) | ClientEnd::Grpc(_) | ClientEnd::Cut(_));
        answered && self.own.windows.surely_throughout(story.intended, story.done, Duration::ZERO)
    }
}

#[cfg(test)]
mod tests;
