//! Instances that answer otherwise: seen in the ledgers of their workloads.

use super::{ERROR, counted, draw::Armed, noticed, parts_of, windows::Windows};
use crate::{Evidence, targets};
use squall_model::{
    AnswerCode, Answers, Dose, DoseCount, Fault, FaultKind, InstanceId, Latency, LedgerRecord, Meant, Plan, Target,
};
use squall_stats::{bounds, share::Look};
use std::{collections::BTreeMap, time::Duration};

/// Tries that the target served, from start to end, while the fault was in place: all must have been answered as asked.
pub(super) fn answers(plan: &Plan, evidence: &Evidence, own: &Armed<'_>, of: &Target, how: Answers) -> DoseCount {
    let limited = plan.topology.service(&of.service).is_some_and(|s| s.capacity.is_some());
    let served = served(plan, evidence, own, of, how);
    // A try that its caller gave up on (status 0) shows nothing against the fault, nor does one that found the workload full.
    let excused = |line: &LedgerRecord| line.status == 0 || (limited && line.status == 503);
    let told: Vec<&LedgerRecord> = served.iter().map(|(_, line)| *line).filter(|line| !excused(line)).collect();
    let native = plan.topology.service(&of.service).map_or(Latency::Fixed(Duration::ZERO), |s| s.latency);
    match how {
        Answers::AtOnce => at_once(own, &told, native),
        Answers::AsBefore => as_before(own, &told, native),
        Answers::With(_) | Answers::After { .. } | Answers::In(_) => {
            if served.is_empty() && !good(how) {
                // Where checks kept all tries away from the first moment on, a check that failed is what shows it.
                let noticed = noticed(evidence, own, |id| targets(&plan.topology, of, id));
                return counted(own, noticed, noticed);
            }
            let mut parts: BTreeMap<&InstanceId, (u64, u64)> = BTreeMap::new();
            for (instance, line) in &served {
                let (as_meant, of) = parts.entry(instance).or_default();
                (*as_meant, *of) = (*as_meant + u64::from(excused(line) || is_as_meant(line, how)), *of + 1);
            }
            let as_meant = parts.values().map(|(as_meant, _)| as_meant).sum();
            let count = counted(own, as_meant, served.len() as u64);
            DoseCount { parts: if parts.len() > 1 { parts_of(parts) } else { Vec::new() }, ..count }
        }
    }
}

/// The lines of the ledgers that the fault alone decided.
fn served<'a>(
    plan: &Plan,
    evidence: &'a Evidence,
    own: &Armed<'_>,
    of: &Target,
    how: Answers,
) -> Vec<(&'a InstanceId, &'a LedgerRecord)> {
    let later = later_answers(plan, evidence, own, how);
    let mut served = Vec::new();
    for (instance, line) in &evidence.observed.ledger {
        let ours = !line.copy && line.id.starts_with(&evidence.observed.prefix);
        let covered = own.windows.surely_throughout(line.began, line.ended, Duration::ZERO)
            && targets(&plan.topology, of, instance);
        let replaced = || {
            later.iter().any(|(windows, target)| {
                windows.possibly_at(line.began, Duration::ZERO) && targets(&plan.topology, target, instance)
            })
        };
        if ours && covered && !replaced() {
            served.push((instance, line));
        }
    }
    served
}

fn is_as_meant(line: &LedgerRecord, how: Answers) -> bool {
    match how {
        Answers::With(code) => line.answer() == code,
        Answers::After { status, .. } => line.answer() == AnswerCode::Grpc(status),
        Answers::In(time) => line.ended.since(line.began) >= time,
        Answers::AtOnce | Answers::AsBefore => true,
    }
}

/// Whether a check passes all the same.
fn good(how: Answers) -> bool {
    match how {
        Answers::With(code) => code.is_success(),
        Answers::After { .. } => false,
        Answers::In(_) | Answers::AtOnce | Answers::AsBefore => true,
    }
}

/// The faults armed after this one that replace what it says of the same instances.
fn later_answers<'a>(plan: &'a Plan, evidence: &Evidence, own: &Armed<'_>, how: Answers) -> Vec<(Windows, &'a Target)> {
    let latency = |how: Answers| matches!(how, Answers::In(_) | Answers::AtOnce | Answers::AsBefore);
    let status = |how: Answers| matches!(how, Answers::With(_) | Answers::After { .. } | Answers::AsBefore);
    let order = |windows: &Windows, id| (windows.first().start.asked, id);
    let later = |fault: &'a Fault| match &fault.does {
        FaultKind::Answers { of, how: other } => {
            let windows = Windows::of(evidence, fault.id)?;
            let after = order(&windows, fault.id) > order(&own.windows, own.fault.id);
            let same = (latency(how) && latency(*other)) || (status(how) && status(*other));
            (after && same).then_some((windows, of))
        }
        _ => None,
    };
    plan.faults.iter().filter_map(later).collect()
}

/// Half of the answers took less than the topology's latency says, and more than chance explains: a single stall of the
/// machine spoils nothing.
fn at_once(own: &Armed<'_>, told: &[&LedgerRecord], native: Latency) -> DoseCount {
    let pace = Pace::of(told, native);
    if pace.median.is_zero() {
        return counted(own, pace.n, pace.n);
    }
    let dose = match pace.faster {
        0 => Dose::Absent,
        _ if pace.is_faster() => Dose::Confirmed,
        _ => Dose::Weaker,
    };
    DoseCount::new(own.fault.id, dose, pace.faster, pace.n).meaning(Meant::Some)
}

/// Every answer is good, and they do not take less than the topology's latency says.
fn as_before(own: &Armed<'_>, told: &[&LedgerRecord], native: Latency) -> DoseCount {
    let pace = Pace::of(told, native);
    let good = told.iter().filter(|line| line.answer().is_success()).count() as u64;
    if pace.is_faster() {
        return DoseCount::new(own.fault.id, Dose::Weaker, pace.n - pace.faster, pace.n).meaning(Meant::Each);
    }
    counted(own, good, pace.n)
}

/// How the times of answers lie to the median that the topology says.
struct Pace {
    n: u64,
    /// Answers that took less.
    faster: u64,
    median: Duration,
    /// The topology's latency is one number: nothing takes less.
    fixed: bool,
}

impl Pace {
    fn of(told: &[&LedgerRecord], native: Latency) -> Pace {
        let (median, fixed) = match native {
            Latency::Fixed(time) => (time, true),
            Latency::Uniform { from, to } => ((from + to) / 2, false),
            Latency::Exponential { mean } => (mean.mul_f64(std::f64::consts::LN_2), false),
            Latency::LogNormal { median, .. } => (median, false),
        };
        let faster = told.iter().filter(|line| line.ended.since(line.began) < median).count() as u64;
        Pace { n: told.len() as u64, faster, median, fixed }
    }

    /// The median lies below the topology's: of a fixed latency that of those seen does; of a drawn one by a sign test, as
    /// half of its draws do by chance.
    fn is_faster(&self) -> bool {
        let seen = Look { n: self.n, hits: self.faster };
        match self.fixed {
            true => 2 * self.faster > self.n,
            false => bounds::clopper_pearson_lower(seen, ERROR).is_some_and(|low| low > 0.5),
        }
    }
}

#[cfg(test)]
mod tests;
