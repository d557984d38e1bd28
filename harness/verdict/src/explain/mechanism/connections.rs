//! Connections that never came to be, or broke; calls that had nowhere to go.

use super::{
    Said,
    facts::{Facts, Offender, of},
};
use squall_evidence::{CallOutcome, Flags, Spell, spells};
use squall_model::{ClaimKind, Condition, Damage, Down, FaultKind, InstanceId, Quantity, Stamp};

/// No route, or no cluster: NR, NC.
pub(super) fn unroutable(facts: &Facts<'_>) -> Said {
    let covers = facts.most(|o| o.outcome == CallOutcome::Unroutable)?;
    let what = match facts.most(|o| o.flagged("NC")) {
        Some(_) => "the route leads to a cluster that the caller's proxy does not have (NC)",
        None => "the caller's proxy had no route for them (NR)",
    };
    Some((format!("{what}: {} got no further", of(covers)), covers))
}

/// Denied for who or what they are.
pub(super) fn denied(facts: &Facts<'_>) -> Said {
    let covers = facts.most(|o| o.outcome == CallOutcome::Denied)?;
    let details = facts.common(|o| {
        let callee = o.tries.last().and_then(|t| t.arrived).map(|line| line.details.as_str());
        Some(callee.unwrap_or(o.details())).filter(|d| !matches!(*d, "" | "-" | "via_upstream"))
    });
    let by = details.map_or(String::new(), |details| format!(" ({details})"));
    Some((format!("access control turned them away: {} were denied{by}", of(covers)), covers))
}

/// No healthy upstream (UH): and why there was none, where the callers' proxies told.
pub(super) fn no_healthy_upstream(facts: &Facts<'_>) -> Said {
    let covers = facts.most(|o| o.outcome == CallOutcome::Refused && o.flagged("UH"))?;
    let out =
        [(Condition::Ejected, "ejected"), (Condition::Unhealthy, "unhealthy")].into_iter().find_map(|(is, word)| {
            let spells = spells(facts.case.plan, facts.case.evidence, is);
            facts.most(|o| {
                let service = facts.case.plan.topology.service(&o.story.edge.to);
                let mut ids = service.into_iter().flat_map(|s| s.ids());
                o.flagged("UH") && ids.all(|id| is_out(&spells, &o.story.caller, &id, o.story.intended))
            })?;
            let to = facts.common(|o| Some(&o.story.edge.to))?;
            Some(format!(", while the caller's proxy held every instance of \"{to}\" for {word}"))
        });
    let why = out.unwrap_or_default();
    Some((format!("there was no healthy upstream: {} were turned away without a try (UH){why}", of(covers)), covers))
}

/// Too few were healthy, so that all were called: tries that went to instances that the caller's proxy itself held for out.
pub(super) fn panic_routing(facts: &Facts<'_>) -> Said {
    let evidence = facts.case.evidence;
    let panics = evidence.observed().counters.iter().flat_map(|c| c.rises.iter());
    let panics: u64 = panics.filter(|(name, _)| name.ends_with(".lb_healthy_panic")).map(|(_, rise)| *rise).sum();
    if panics == 0 {
        return None;
    }
    let out: Vec<Spell> = [Condition::Ejected, Condition::Unhealthy]
        .into_iter()
        .flat_map(|is| spells(facts.case.plan, evidence, is))
        .collect();
    let to_the_unhealthy = |o: &Offender<'_>| {
        let last = o.tries.last();
        o.failed() && last.is_some_and(|t| t.instance().is_some_and(|to| is_out(&out, &o.story.caller, to, t.began())))
    };
    let covers = facts.most(to_the_unhealthy)?;
    let text = format!(
        "panic routing: {} went to instances that the caller's proxy held for unhealthy, since too few were left \
         (lb_healthy_panic +{panics})",
        of(covers)
    );
    Some((text, covers))
}

/// Too few tries came to an instance, which the callers' proxies held for out all that time.
pub(super) fn held_out(facts: &Facts<'_>) -> Said {
    let ClaimKind::Total { quantity: Quantity::Tries { target, .. }, bound } = &facts.claim.kind else { return None };
    let ids = target.instances(&facts.case.plan.topology);
    if bound.low.is_none() || ids.is_empty() {
        return None;
    }
    [(Condition::Ejected, "ejected"), (Condition::Unhealthy, "unhealthy")].into_iter().find_map(|(is, word)| {
        let spells = spells(facts.case.plan, facts.case.evidence, is);
        let out = |o: &Offender<'_>| ids.iter().all(|id| is_out(&spells, &o.story.caller, id, o.story.intended));
        let covers = facts.most(out)?;
        let text = format!("{target} was out: for {} the caller's proxy held it for {word}", of(covers));
        Some((text, covers))
    })
}

/// Surely out, to this caller's proxy, at this moment.
fn is_out(spells: &[Spell], by: &InstanceId, of: &InstanceId, at: Stamp) -> bool {
    let at_it = |s: &&Spell| s.by == *by && s.of == *of;
    spells.iter().filter(at_it).any(|s| s.from.asked <= at && s.to.is_none_or(|to| at <= to.settled))
}

/// Connections failed (UF): and what was done to whom they were for.
pub(super) fn failed(facts: &Facts<'_>) -> Said {
    let of_tries = |o: &Offender<'_>| o.tries.last().and_then(|t| t.sent).is_some_and(|t| Flags(&t.flags).has("UF"));
    let covers = facts.most(|o| o.outcome == CallOutcome::Refused && (o.flagged("UF") || of_tries(o)))?;
    let breaks = |kind: &FaultKind| match kind {
        FaultKind::Down { .. } | FaultKind::Restarted { .. } | FaultKind::Outage { .. } => true,
        FaultKind::Wire { damage, .. } => matches!(damage, Damage::Refuse | Damage::Cut | Damage::Reset(_)),
        _ => false,
    };
    let text =
        format!("connections failed: {} found nobody who accepted (UF){}{}", of(covers), to(facts), why(facts, breaks));
    Some((text + &unretried(facts), covers))
}

/// Connections broke before, or in the midst of, an answer (UC, UPE, a reset).
pub(super) fn broke(facts: &Facts<'_>) -> Said {
    let covers = facts.most(|o| o.outcome == CallOutcome::Reset)?;
    let breaks = |kind: &FaultKind| match kind {
        FaultKind::Down { how, .. } => *how != Down::Paused,
        FaultKind::Restarted { .. } => true,
        FaultKind::Wire { damage, .. } => matches!(damage, Damage::Reset(_) | Damage::HalfOpen | Damage::SlowClose(_)),
        _ => false,
    };
    let flag = facts.common(|o| ["UC", "UPE", "UR", "LR", "DPE"].into_iter().find(|flag| o.flagged(flag)));
    let flag = flag.map_or(String::new(), |flag| format!(" ({flag})"));
    let text = format!("connections broke: {} were broken off{flag}{}{}", of(covers), to(facts), why(facts, breaks));
    Some((text + &unretried(facts), covers))
}

/// The instance that nearly all of them went to last.
fn to(facts: &Facts<'_>) -> String {
    let common = facts.common(|o| o.tries.last().and_then(|t| t.instance()));
    common.map_or(String::new(), |to| format!(" at {to}"))
}

fn why(facts: &Facts<'_>, is: impl Fn(&FaultKind) -> bool) -> String {
    facts.fault_at_callee(is).map_or(String::new(), |fault| format!(", while {}", fault.does))
}

fn unretried(facts: &Facts<'_>) -> String {
    match facts.most(|o| !o.is_try && facts.policies.retries(o.story).is_none()) {
        Some(_) => "; nothing retries them".to_owned(),
        None => String::new(),
    }
}
