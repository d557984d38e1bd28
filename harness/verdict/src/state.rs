//! *Is ejected during the fault*, *is never unhealthy*, *is ejected for between 2 s and 3 s*: states of instances, as the
//! callers' proxies tell of them.
//!
//! Every instance of the target, to every caller's proxy that has to do with it, must be so.

use crate::ruling::{Case, Ruling, Standing};
use squall_evidence::{Spell, spells, targets, watchers};
use squall_model::{InstanceId, Measured, Phase, Stamp, State, Target, Verdict, Why};
use std::{collections::BTreeSet, time::Duration};

/// A caller's proxy and an instance that it has to do with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) by: InstanceId,
    pub(crate) of: InstanceId,
}

impl Pair {
    /// Its own among all spells.
    pub(crate) fn of<'a>(&'a self, spells: &'a [Spell]) -> impl Iterator<Item = &'a Spell> {
        spells.iter().filter(|s| s.by == self.by && s.of == self.of)
    }

    /// The calls with a try between the two that were meant to be sent since: their indices among all calls.
    pub(crate) fn calls(&self, case: Case<'_>, since: Stamp) -> Vec<usize> {
        let stories = case.evidence.settled().iter().enumerate();
        let own = stories.filter(|(_, s)| s.caller == self.by && s.intended >= since);
        own.filter(|(_, s)| case.evidence.tries(s).any(|t| t.instance() == Some(&self.of))).map(|(n, _)| n).collect()
    }
}

/// Every pair that a claim about this target speaks of; instances that came later count where they were told of.
pub(crate) fn pairs(case: Case<'_>, target: &Target) -> Vec<Pair> {
    let Case { plan, evidence, .. } = case;
    let told = evidence.observed().states.iter().map(|s| &s.of).filter(|id| targets(&plan.topology, target, id));
    let instances: BTreeSet<InstanceId> = target.instances(&plan.topology).into_iter().chain(told.cloned()).collect();
    let watched = |of: &InstanceId| {
        let by = watchers(evidence, of).into_iter().cloned();
        by.map(|by| Pair { by, of: of.clone() }).collect::<Vec<_>>()
    };
    instances.iter().flat_map(watched).collect()
}

/// The mesh does not tell of what the claim asks for.
pub(crate) fn untold() -> Ruling {
    let verdict = Verdict::Unsupported("this mesh does not tell of ejections and health checks".into());
    Ruling { verdict, measured: Measured::Nothing, standing: Standing::Final, offenders: Vec::new() }
}

/// How a state stands to a phase, at some moment of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Surely,
    /// Only if the clocks are off in one direction.
    Perhaps,
    Not,
}

/// It is so at some moment of the phase, or at none.
pub(crate) fn ever(case: Case<'_>, what: &State, ever: bool, phase: Phase) -> Ruling {
    if !case.evidence.tells_states() {
        return untold();
    }
    let (times, pairs) = (case.evidence.times(phase), pairs(case, &what.of));
    if times.is_empty() || pairs.is_empty() {
        return Ruling::empty();
    }
    let spells = spells(case.plan, case.evidence, what.is);
    let looks: Vec<Seen> = pairs.iter().map(|pair| seen(pair.of(&spells), &times)).collect();
    let count = |wanted: Seen| looks.iter().filter(|s| **s == wanted).count();
    let (surely, perhaps, not) = (count(Seen::Surely), count(Seen::Perhaps), count(Seen::Not));
    let broken = if ever { not } else { surely };
    let complete = case.evidence.is_complete();
    let (verdict, standing) = match () {
        // What has not been seen yet may still be.
        () if ever && not > 0 && !complete => (Verdict::Inconclusive(Why::Undecided { needed: None }), Standing::Open),
        () if broken > 0 => (Verdict::Violated, Standing::Final),
        () if perhaps > 0 => (Verdict::Inconclusive(Why::Border), Standing::Open),
        () if ever => (Verdict::Holds, Standing::Final),
        () if case.evidence.settled().len() as u64 >= case.settings.minimum => (Verdict::Holds, Standing::Enough),
        () => (Verdict::Holds, Standing::Open),
    };
    let begun = times.first().map_or(Stamp::default(), |(from, _)| *from);
    let against = pairs.iter().zip(&looks).filter(|(_, s)| **s != if ever { Seen::Surely } else { Seen::Not });
    let offenders = against.flat_map(|(pair, _)| pair.calls(case, begun)).collect();
    let measured = Measured::Every { against: (broken + perhaps) as u64, n: pairs.len() as u64 };
    Ruling { verdict, measured, standing, offenders }
}

fn seen<'a>(spells: impl Iterator<Item = &'a Spell>, times: &[(Stamp, Stamp)]) -> Seen {
    let end = Stamp(u64::MAX);
    let mut best = Seen::Not;
    for spell in spells {
        let (surely_to, perhaps_to) = spell.to.map_or((end, end), |to| (to.asked, to.settled));
        for (from, to) in times {
            if spell.from.settled < *to && surely_to > *from {
                return Seen::Surely;
            }
            if spell.from.asked < *to && perhaps_to > *from {
                best = Seen::Perhaps;
            }
        }
    }
    best
}

/// The first spell of it lasts so long.
pub(crate) fn lasts(case: Case<'_>, what: &State, least: Option<Duration>, most: Option<Duration>) -> Ruling {
    if !case.evidence.tells_states() {
        return untold();
    }
    let (pairs, spells) = (pairs(case, &what.of), spells(case.plan, case.evidence, what.is));
    let rulings = pairs.iter().map(|pair| first(case, pair, pair.of(&spells).next(), least, most));
    rulings.max_by_key(|r| r.verdict.weight()).unwrap_or_else(Ruling::empty)
}

fn first(
    case: Case<'_>,
    pair: &Pair,
    spell: Option<&Spell>,
    least: Option<Duration>,
    most: Option<Duration>,
) -> Ruling {
    let undecided = (Verdict::Inconclusive(Why::Undecided { needed: None }), Standing::Open);
    let Some(spell) = spell else {
        // An event that fails to come, once nothing can come any more.
        let never = (Verdict::Violated, Standing::Final);
        let (verdict, standing) = if case.evidence.is_complete() { never } else { undecided };
        let offenders = pair.calls(case, case.evidence.begun());
        return Ruling { verdict, measured: Measured::Time(None), standing, offenders };
    };
    // What was not over, or was ended by the harness, would have lasted longer, nobody knows by how much.
    let ended = spell.to.filter(|_| !spell.cut);
    let until = spell.to.map_or_else(|| case.evidence.over(), |to| to.asked);
    let low = ended.map_or(until, |to| to.asked).since(spell.from.settled);
    let high = ended.map(|to| to.settled.since(spell.from.asked));
    let (too_short, too_long) = (
        |time: Duration| least.is_some_and(|least| time < least),
        |time: Duration| most.is_some_and(|most| time > most),
    );
    let (verdict, standing) = match high {
        _ if too_long(low) => (Verdict::Violated, Standing::Final),
        Some(high) if too_short(high) => (Verdict::Violated, Standing::Final),
        Some(high) if !too_short(low) && !too_long(high) => (Verdict::Holds, Standing::Final),
        Some(_) => (Verdict::Inconclusive(Why::Border), Standing::Open),
        None if !too_short(low) && most.is_none() => (Verdict::Holds, Standing::Final),
        None => (Verdict::Inconclusive(Why::NotOver), Standing::Open),
    };
    let nanos = |d: Duration| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX);
    let measured = match high {
        Some(high) => Measured::Time(Some((nanos(low), nanos(high)))),
        None => Measured::NotOver(nanos(low)),
    };
    Ruling { verdict, measured, standing, offenders: pair.calls(case, spell.from.asked) }
}

#[cfg(test)]
mod tests;
