//! What took so long.

use super::{
    Said,
    facts::{Facts, Offender, of},
    timeouts,
};
use squall_evidence::{Flags, TryView};
use squall_model::{Answers, Damage, Down, FaultKind, Latency, Outcome, Touch, duration};
use std::time::Duration;

/// What held nearly all offenders up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    /// For how long, where that is fixed.
    pub(super) by: Option<Duration>,
    /// What did.
    pub(super) why: String,
}

/// What held nearly all offenders up: a delay that the proxies flagged, instances that answer late or not at all, a damaged
/// wire, or a workload that takes so long by its topology.
pub(super) fn held(facts: &Facts<'_>) -> Option<Held> {
    delayed(facts).or_else(|| at_callee(facts)).or_else(|| by_topology(facts))
}

/// By a delay that was injected (DI).
fn delayed(facts: &Facts<'_>) -> Option<Held> {
    facts.most(is_delayed)?;
    let fault = facts.touching(|_, touch| matches!(touch, Touch::Delay(_)))?;
    let FaultKind::Touch { touch: Touch::Delay(by), .. } = fault.does else { return None };
    Some(Held { by: Some(by), why: format!("{} (DI)", fault.does) })
}

fn is_delayed(o: &Offender<'_>) -> bool {
    let at_callee = |t: &TryView<'_>| t.arrived.is_some_and(|line| Flags(&line.flags).has("DI"));
    o.flagged("DI") || o.tries.iter().any(at_callee)
}

fn at_callee(facts: &Facts<'_>) -> Option<Held> {
    let holds = |kind: &FaultKind| match kind {
        FaultKind::Answers { how, .. } => matches!(how, Answers::In(_)),
        FaultKind::Down { how, .. } => *how == Down::Paused,
        FaultKind::Wire { damage, .. } => !matches!(damage, Damage::Refuse | Damage::Reset(_)),
        FaultKind::Outage { .. } => true,
        _ => false,
    };
    let fault = facts.fault_at_callee(holds)?;
    let by = match fault.does {
        FaultKind::Answers { how: Answers::In(by), .. } => Some(by),
        FaultKind::Wire { damage: Damage::Slow { by, .. }, .. } => Some(by),
        _ => None,
    };
    Some(Held { by, why: fault.does.to_string() })
}

/// The workload had them, and by the topology it takes at least half of the time that they took.
fn by_topology(facts: &Facts<'_>) -> Option<Held> {
    let to = facts.common(|o| Some(&o.story.edge.to))?;
    let Latency::Fixed(by) = facts.case.plan.topology.service(to)?.latency else { return None };
    facts.most(|o| o.tries.iter().any(|t| t.served.is_some()) && by.as_nanos() * 2 >= u128::from(o.took()))?;
    (by >= Duration::from_millis(1))
        .then(|| Held { by: Some(by), why: format!("\"{to}\" takes {} to answer", duration(by)) })
}

/// The claim is about time, and these were too slow.
fn is_slow(facts: &Facts<'_>) -> bool {
    match facts.outcome() {
        Some((Outcome::Succeed(Some(_)) | Outcome::FinishWithin(_), offends)) => !offends,
        Some((Outcome::TakeAtLeast(_), offends)) => offends,
        _ => false,
    }
}

/// Too slow, for a fault that held them up.
pub(super) fn held_by_fault(facts: &Facts<'_>) -> Said {
    let held = Some(()).filter(|()| is_slow(facts)).and_then(|()| delayed(facts).or_else(|| at_callee(facts)))?;
    let long = |o: &Offender<'_>| held.by.is_none_or(|by| u128::from(o.took()) >= by.as_nanos());
    let covers = facts.most(long)?;
    let long = held.by.map_or("too long".to_owned(), |by| format!("{} or longer", duration(by)));
    let text = format!("the fault held them up: {} took {long}, while {}{}", of(covers), held.why, unended(facts));
    Some((text, covers))
}

/// What did not end them sooner.
fn unended(facts: &Facts<'_>) -> String {
    let good = |o: &Offender<'_>| !o.failed();
    if facts.most(|o| good(o) && timeouts::set(facts, o).is_none()).is_some() {
        return "; no timeout is set for them".to_owned();
    }
    let longer = |o: &Offender<'_>, after: Duration| u128::from(o.took()) < after.as_nanos();
    let set = facts.common(|o| timeouts::set(facts, o).filter(|(_, after)| good(o) && longer(o, *after)));
    set.map_or(String::new(), |(level, after)| {
        format!("; their timeout of {} for {} is longer than they took", duration(after), timeouts::whose(level))
    })
}

/// Too slow, since the tries before the last took most of the time.
pub(super) fn slowed_by_retries(facts: &Facts<'_>) -> Said {
    if !is_slow(facts) {
        return None;
    }
    let late = |o: &Offender<'_>| {
        let last = o.tries.last().filter(|_| !o.is_try && o.tries.len() > 1);
        last.is_some_and(|t| t.began().since(o.story.intended).as_nanos() * 2 >= u128::from(o.took()))
    };
    let covers = facts.most(late)?;
    let text = format!("retries took the time: {} spent most of it before their last try began", of(covers));
    Some((text, covers))
}

/// Too slow, and the workload itself had them for most of the time.
pub(super) fn workload_took_long(facts: &Facts<'_>) -> Said {
    if !is_slow(facts) {
        return None;
    }
    let worked = |o: &Offender<'_>| {
        let served = o.tries.last().and_then(|t| t.served);
        served.is_some_and(|(_, line)| u128::from(o.took()) <= line.ended.since(line.began).as_nanos() * 10 / 8)
    };
    let covers = facts.most(worked)?;
    let to = facts.common(|o| Some(&o.story.edge.to))?;
    Some((format!("\"{to}\" itself took that long: {} spent most of their time in its workload", of(covers)), covers))
}
