//! Faults that are not drawn: their effect is seen in ledgers, in processes that ended, in calls that failed.

use super::draw::Armed;
use crate::{CallOutcome, Evidence, Fit, Process, Window, targets};
use squall_model::{Answers, Dose, DoseCount, FaultKind, InstanceId, LedgerRecord, Plan, Stamp, Target, Which};
use std::{collections::BTreeSet, time::Duration};

fn counted(own: &Armed<'_>, touched: u64, of: u64) -> DoseCount {
    let dose = match touched {
        0 => Dose::Absent,
        _ if touched < of => Dose::Weaker,
        _ => Dose::Confirmed,
    };
    DoseCount { fault: own.fault.id, dose, touched, of }
}

/// Tries that the target served, from start to end, while the fault was in place: all must have been answered as asked.
pub(super) fn answers(plan: &Plan, evidence: &Evidence, own: &Armed<'_>, of: &Target, how: Answers) -> DoseCount {
    let later = later_answers(plan, evidence, own, how);
    let limited = plan.topology.service(&of.service).is_some_and(|s| s.capacity.is_some());
    let (mut as_meant, mut all) = (0, 0);
    for (instance, line) in &evidence.observed().ledger {
        let ours = !line.copy && line.id.starts_with(&evidence.observed().prefix);
        let covered = within(&own.window, line.began, line.ended) && targets(&plan.topology, of, instance);
        let replaced = || {
            later.iter().any(|(window, target)| {
                window.possibly_at(line.began, Duration::ZERO) && targets(&plan.topology, target, instance)
            })
        };
        if ours && covered && !replaced() {
            all += 1;
            as_meant += u64::from(is_as_meant(line, how, limited));
        }
    }
    counted(own, as_meant, all)
}

fn within(window: &Window, began: Stamp, ended: Stamp) -> bool {
    window.surely_at(began, Duration::ZERO) && window.surely_at(ended, Duration::ZERO)
}

/// A try that its caller gave up on (status 0) shows nothing against the fault, nor does one that found the workload full.
fn is_as_meant(line: &LedgerRecord, how: Answers, limited: bool) -> bool {
    let excused = line.status == 0 || (limited && line.status == 503);
    excused
        || match how {
            Answers::Status(status) => line.status == status,
            Answers::In(time) => line.ended.since(line.began) >= time,
            Answers::AtOnce | Answers::AsBefore => true,
        }
}

/// The faults armed after this one that replace what it says of the same instances.
fn later_answers<'a>(plan: &'a Plan, evidence: &Evidence, own: &Armed<'_>, how: Answers) -> Vec<(Window, &'a Target)> {
    let latency = |how: Answers| matches!(how, Answers::In(_) | Answers::AtOnce | Answers::AsBefore);
    let status = |how: Answers| matches!(how, Answers::Status(_) | Answers::AsBefore);
    let order = |window: &Window, id| (window.start.asked, id);
    let later = |fault: &'a squall_model::Fault| match &fault.does {
        FaultKind::Answers { of, how: other } => {
            let window = super::window_of(evidence, fault.id)?;
            let after = order(&window, fault.id) > order(&own.window, own.fault.id);
            let same = (latency(how) && latency(*other)) || (status(how) && status(*other));
            (after && same).then_some((window, of))
        }
        _ => None,
    };
    plan.faults.iter().filter_map(later).collect()
}

/// Instances whose process ended when asked to, while there was traffic to their service.
pub(super) fn killed(plan: &Plan, evidence: &Evidence, own: &Armed<'_>, of: &Target, what: Process) -> DoseCount {
    let meant = instances(plan, of);
    let asked_for =
        |life: &&crate::LifeEnd| life.what == what && life.asked.is_some() && meant.contains(&life.instance);
    let in_time = |life: &&crate::LifeEnd| own.window.start.asked <= life.at;
    let ended: BTreeSet<&InstanceId> =
        evidence.observed().lives.iter().filter(asked_for).filter(in_time).map(|life| &life.instance).collect();
    let traffic = evidence
        .stories()
        .iter()
        .any(|s| s.edge.to == of.service && own.window.possibly_at(s.intended, Duration::ZERO));
    counted(own, if traffic { ended.len() as u64 } else { 0 }, meant.len() as u64)
}

/// The instances that a target means, one that came later included.
fn instances(plan: &Plan, of: &Target) -> BTreeSet<InstanceId> {
    let mut instances: BTreeSet<InstanceId> = of.instances(&plan.topology).into_iter().collect();
    if let Which::Instance(number) = of.which {
        instances.insert(InstanceId { service: of.service.clone(), number });
    }
    instances
}

/// The control plane was away while there was traffic.
pub(super) fn control_plane(evidence: &Evidence, own: &Armed<'_>) -> DoseCount {
    let traffic = evidence.stories().iter().any(|s| own.window.possibly_at(s.intended, Duration::ZERO));
    counted(own, u64::from(traffic), 1)
}

/// Calls that were cut off: at least one that was sent meanwhile failed.
pub(super) fn outage(evidence: &Evidence, own: &Armed<'_>) -> DoseCount {
    let Some(matcher) = &own.matcher else { return counted(own, 0, 0) };
    let meanwhile = |s: &&crate::CallStory| own.window.surely_at(s.intended, Duration::ZERO);
    let (mut failed, mut all) = (0, 0);
    for story in evidence.stories().iter().filter(meanwhile).filter(|s| matcher.fits(s) == Fit::Yes) {
        all += 1;
        failed += u64::from(story.outcome != CallOutcome::Succeeded);
    }
    let dose = if failed > 0 { Dose::Confirmed } else { Dose::Absent };
    DoseCount { fault: own.fault.id, dose, touched: failed, of: all }
}
