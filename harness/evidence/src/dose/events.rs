//! Events, the control plane and outages: seen in who was called, in traffic meanwhile, in calls that failed.

use super::{counted, draw::Armed, parts_of};
use crate::{
    CallOutcome, CallStory, Evidence, Fit, TryView, Window,
    sizes::{at_first, sizes},
};
use squall_model::{Dose, DoseCount, InstanceId, Meant, Plan, ServiceName};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Instances that came and were called, or went and were called no more, while there was traffic to their service.
pub(super) fn resized(plan: &Plan, evidence: &Evidence, own: &Armed<'_>, service: &ServiceName, to: u32) -> DoseCount {
    let before = size_before(plan, evidence, own, service);
    let (few, many) = (before.min(to), before.max(to));
    let changed: BTreeSet<InstanceId> =
        (few + 1..=many).map(|number| InstanceId { service: service.clone(), number }).collect();
    let error = Duration::from_nanos(evidence.observed.health.clock_error);
    let window = until_resized_again(plan, evidence, own, service);
    let (mut called, mut traffic) = (BTreeSet::new(), false);
    for story in evidence.stories().iter().filter(|s| s.edge.to == *service) {
        for t in evidence.tries(story).filter(TryView::was_sent).filter(|t| window.surely_at(t.began(), error)) {
            traffic = true;
            // One that came must have been reached; one that went must not even have been asked.
            let reached = to < before || t.has_arrived();
            called.extend(t.instance().filter(|id| reached && changed.contains(*id)));
        }
    }
    let of = changed.len() as u64;
    let as_meant = if to > before { called.len() as u64 } else { of - called.len() as u64 };
    counted(own, if traffic { as_meant } else { 0 }, of)
}

/// How many instances the service had before: the topology's, or what an earlier event made of it.
fn size_before(plan: &Plan, evidence: &Evidence, own: &Armed<'_>, service: &ServiceName) -> u32 {
    let earlier =
        sizes(plan, evidence, service).into_iter().filter(|(at, _)| at.asked < own.windows.first().start.asked);
    earlier.max_by_key(|(at, _)| at.asked).map_or_else(|| at_first(plan, service), |(_, to)| to)
}

/// Its time, until the next event of its kind takes over.
fn until_resized_again(plan: &Plan, evidence: &Evidence, own: &Armed<'_>, service: &ServiceName) -> Window {
    let later = sizes(plan, evidence, service).into_iter().filter(|(at, _)| at.asked > own.windows.first().start.asked);
    let next = later.map(|(at, _)| at).min_by_key(|at| at.asked);
    let own = own.windows.first();
    Window { end: own.end.or(next), ..own }
}

/// The control plane was away while there was traffic: proxies say so, and not one of them that it has it.
pub(super) fn control_plane(evidence: &Evidence, own: &Armed<'_>) -> DoseCount {
    let meanwhile = |at| own.windows.possibly_at(at, Duration::ZERO);
    let traffic = evidence.stories().iter().any(|s| meanwhile(s.intended));
    let mut asked: BTreeMap<&InstanceId, bool> = BTreeMap::new();
    for said in evidence.observed().control.iter().filter(|said| meanwhile(said.at)) {
        *asked.entry(&said.proxy).or_default() |= said.connected;
    }
    let parts: Vec<_> = asked.into_iter().map(|(id, connected)| (id, (u64::from(traffic && !connected), 1))).collect();
    let touched = parts.iter().map(|(_, (away, _))| away).sum();
    let count = counted(own, touched, parts.len() as u64);
    DoseCount { parts: if parts.len() > 1 { parts_of(parts) } else { Vec::new() }, ..count }
}

/// Calls that were cut off: at least one that was sent meanwhile failed.
pub(super) fn outage(evidence: &Evidence, own: &Armed<'_>) -> DoseCount {
    let Some(matcher) = &own.matcher else { return counted(own, 0, 0) };
    let meanwhile = |s: &&CallStory| own.windows.surely_at(s.intended, Duration::ZERO);
    let (mut failed, mut all) = (0, 0);
    for story in evidence.stories().iter().filter(meanwhile).filter(|s| matcher.fits(s) == Fit::Yes) {
        all += 1;
        failed += u64::from(story.outcome != CallOutcome::Succeeded);
    }
    let dose = if failed > 0 { Dose::Confirmed } else { Dose::Absent };
    DoseCount::new(own.fault.id, dose, failed, all).meaning(Meant::Some)
}

#[cfg(test)]
mod tests;
