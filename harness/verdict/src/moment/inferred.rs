//! *Is ejected within T of M*, of a mesh that tells nothing: inferred from the tries that stay away.

use super::{Came, came, each, last, moment, verdict};
use crate::ruling::{Case, Ruling, Standing};
use squall_evidence::{Border, CallStory, TryView};
use squall_model::{InstanceId, Measured, MomentRef, Stamp, Target, Verdict};
use std::time::Duration;

/// Chance, at most, that an instance which is in is left out for as long as makes it look ejected.
const ERROR: f64 = 1e-5;

/// Every instance of the target must be; the last one counts.
pub(super) fn rule(case: Case<'_>, target: &Target, within: Duration, of: MomentRef) -> Ruling {
    last(each(case, target).map(|(instance, one)| ruling(case, &instance, moment(case, &one, of), within)))
}

fn ruling(case: Case<'_>, instance: &InstanceId, moment: Option<Border>, within: Duration) -> Ruling {
    let evidence = case.evidence;
    let Some(moment) = moment else { return Ruling::empty() };
    let callers = || evidence.settled().iter().enumerate().filter(|(_, s)| s.edge.to == instance.service);
    let Some(horizon) = callers().map(|(_, s)| s.intended).max() else { return Ruling::empty() };
    let ejected = stayed_away(case, instance, moment);
    let early = came(ejected.map(|e| e.asked), horizon, moment.settled + within);
    let late = came(ejected.map(|e| e.settled), horizon, moment.asked + within);
    let (mut verdict, mut standing) = verdict(early, late);
    if late == Came::InTime && !is_counted(case, instance) {
        // The tries stayed away, but no outlier detection says that it had to do with it.
        (verdict, standing) = match evidence.is_complete() {
            true => (Verdict::Violated, Standing::Final),
            false => (verdict, Standing::Open),
        };
    }
    let measured = Measured::Time(
        ejected.map(|e| (e.asked.0.saturating_sub(moment.settled.0), e.settled.0.saturating_sub(moment.asked.0))),
    );
    let at_it = |s: &CallStory| evidence.tries(s).any(|t| t.instance() == Some(instance));
    let offenders = callers().filter(|(_, s)| s.intended >= moment.asked && at_it(s)).map(|(index, _)| index).collect();
    Ruling { verdict, measured, standing, offenders }
}

/// The last try to the instance before tries stayed away from it for longer than chance explains, even if each try were
/// drawn at random among all instances. It was ejected between that try's beginning and its end.
fn stayed_away(case: Case<'_>, instance: &InstanceId, moment: Border) -> Option<Border> {
    let evidence = case.evidence;
    let instances = case.plan.topology.service(&instance.service).map_or(1, |s| s.instances.len());
    let passed_by = missed(instances);
    let mut tries: Vec<(Stamp, Stamp, bool)> = Vec::new();
    for story in evidence.settled().iter().filter(|s| s.edge.to == instance.service) {
        let sent = evidence.tries(story).filter(TryView::was_sent).filter(|t| t.instance().is_some());
        tries.extend(sent.map(|t| (t.began(), t.ended(), t.instance() == Some(instance))));
    }
    tries.sort_unstable();
    let mut last: Option<(Stamp, Stamp)> = None;
    let mut elsewhere = 0u64;
    for (began, ended, here) in tries {
        if here {
            last = Some((began, ended));
            elsewhere = 0;
        } else {
            elsewhere += 1;
        }
        let gone = last.filter(|(_, ended)| elsewhere >= passed_by && *ended >= moment.asked);
        if let Some((began, ended)) = gone {
            return Some(Border { asked: began, settled: ended });
        }
    }
    None
}

/// So many tries in a row do not pass an instance by, each with a chance of `1 - 1/instances`, but once in 1e5.
fn missed(instances: usize) -> u64 {
    if instances < 2 {
        return u64::MAX;
    }
    let other = 1.0 - 1.0 / instances as f64;
    (ERROR.ln() / other.ln()).ceil() as u64
}

/// Some caller's outlier detection counted an ejection from the cluster of this instance.
fn is_counted(case: Case<'_>, instance: &InstanceId) -> bool {
    let cluster = format!("cluster.out.{}.", instance.service);
    let counts = |(name, rise): (&String, &u64)| {
        *rise > 0 && name.starts_with(&cluster) && name.ends_with("outlier_detection.ejections_enforced_total")
    };
    case.evidence.observed().counters.iter().any(|record| record.rises.iter().any(counts))
}
