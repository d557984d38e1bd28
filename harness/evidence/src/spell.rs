//! What callers' proxies held instances for: ejected, unhealthy, healthy again, each as spells of time.
//!
//! A mesh that tells of it writes one record when it begins and one when it ends. Two ends it does not write: an instance that
//! comes back under another address is a new host to outlier detection, and a proxy that died has forgotten everything.

use crate::{Border, Evidence, Process, TryView, sizes::members_at};
use squall_model::{Absence, Act, Condition, Down, FaultKind, InstanceId, Plan, PolicyKind, ServiceName, Stamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// A time for which a caller's proxy held an instance for something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spell {
    /// Whose proxy.
    pub by: InstanceId,
    /// Which instance.
    pub of: InstanceId,
    /// Its number among those of its kind between these two, from 1.
    pub nth: u32,
    /// When it began, give or take the clock error.
    pub from: Border,
    /// When it ended; `None`: it was not over when the run was.
    pub to: Option<Border>,
    /// It did not end by the mesh's own doing: the instance or the proxy was replaced.
    pub cut: bool,
}

/// What can happen to a spell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Begins,
    Ends,
    Cut,
}

/// Every spell of a condition that was not over before the traffic began, by proxy and instance, in order of time.
#[must_use]
pub fn spells(plan: &Plan, evidence: &Evidence, is: Condition) -> Vec<Spell> {
    let origin = evidence.begun();
    let mut all = Vec::new();
    for ((by, of), turns) in turns(plan, evidence, is) {
        // Once the pools are settled an instance that is checked is healthy, until its checks say otherwise.
        let since = (is == Condition::Healthy && is_checked(plan, &of.service)).then(|| Border::at(origin));
        let own = in_turn(turns, since).into_iter().filter(|(_, to, _)| to.is_none_or(|to| to.settled > origin));
        let spell = |((from, to, cut), nth)| Spell { by: by.clone(), of: of.clone(), nth, from, to, cut };
        all.extend(own.zip(1..).map(spell));
    }
    all
}

/// The callers' proxies that have to do with an instance: they sent tries to it, or told of it.
#[must_use]
pub fn watchers<'a>(evidence: &'a Evidence, of: &InstanceId) -> BTreeSet<&'a InstanceId> {
    let told = evidence.observed.states.iter().filter(|s| s.of == *of).map(|s| &s.by);
    let to_it = |t: &TryView<'_>| t.was_sent() && t.instance() == Some(of);
    let called = evidence.settled().iter().filter(|s| s.edge.to == of.service && evidence.tries(s).any(|t| to_it(&t)));
    told.chain(called.map(|s| &s.caller)).collect()
}

/// What was told of each pair of proxy and instance, and what ended without a word.
fn turns<'a>(
    plan: &Plan,
    evidence: &'a Evidence,
    is: Condition,
) -> BTreeMap<(&'a InstanceId, &'a InstanceId), Vec<(Border, Turn)>> {
    let mut all: BTreeMap<_, Vec<(Border, Turn)>> = BTreeMap::new();
    // A mesh tells of the bad states only: what ends the one begins the other.
    let told = if is == Condition::Healthy { Condition::Unhealthy } else { is };
    for record in evidence.observed.states.iter().filter(|s| s.what == told) {
        let turn = if record.begins == (is == told) { Turn::Begins } else { Turn::Ends };
        all.entry((&record.by, &record.of)).or_default().push((evidence.around(record.at), turn));
    }
    if is == Condition::Healthy {
        let pairs = evidence.settled().iter().filter(|s| is_checked(plan, &s.edge.to));
        for (by, of) in pairs.flat_map(|s| evidence.tries(s).filter_map(|t| Some((&s.caller, t.instance()?)))) {
            all.entry((by, of)).or_default();
        }
    }
    let returned = if is == Condition::Ejected { returns(plan, evidence) } else { Vec::new() };
    for ((by, of), turns) in &mut all {
        let died = evidence.observed.lives.iter().filter(|l| l.what == Process::Proxy && l.instance == **by);
        let died = died.map(|l| Border { asked: l.asked.unwrap_or(l.at), settled: l.at });
        let replaced = returned.iter().filter(|(id, _)| id == *of).map(|(_, at)| *at);
        turns.extend(died.chain(replaced).map(|at| (at, Turn::Cut)));
    }
    all
}

/// Each instance that came back under another address, and when.
fn returns(plan: &Plan, evidence: &Evidence) -> Vec<(InstanceId, Border)> {
    let mut all = Vec::new();
    for fault in &plan.faults {
        let (back, of) = match &fault.does {
            FaultKind::Down { how: Down::Killed | Down::Stopped, part, of } if part.has_proxy() => {
                (Act::End(fault.id), of)
            }
            FaultKind::Restarted { part, of } if part.has_proxy() => (Act::Arm(fault.id), of),
            _ => continue,
        };
        let seen = |act| evidence.observed.effects.iter().filter(move |e| e.act == act);
        // Those who went down come back: who has come since does not.
        let Some(down) = seen(Act::Arm(fault.id)).next() else { continue };
        for effect in seen(back) {
            let whom = members_at(plan, evidence, of, down.effect.asked);
            all.extend(whom.into_iter().map(|id| (id, Border::from(effect.effect))));
        }
    }
    all
}

fn is_checked(plan: &Plan, service: &ServiceName) -> bool {
    plan.policies.iter().any(|p| matches!(&p.says, PolicyKind::Check { of, .. } if of == service))
}

/// Beginnings and ends in turn. What begins while it lasts, or ends while it does not, changes nothing; of several at one
/// stamp each is taken where it makes sense, since logs have milliseconds only.
fn in_turn(mut turns: Vec<(Border, Turn)>, since: Option<Border>) -> Vec<(Border, Option<Border>, bool)> {
    turns.sort_by_key(|(at, _)| at.asked);
    let mut spells = Vec::new();
    let mut lasting = since;
    for moment in turns.chunk_by(|a, b| a.0.asked == b.0.asked) {
        let mut left = moment.to_vec();
        while let Some(next) = left.iter().position(|(_, turn)| (*turn == Turn::Begins) == lasting.is_none()) {
            let (at, turn) = left.remove(next);
            match lasting.take() {
                None => lasting = Some(at),
                Some(from) => spells.push((from, Some(at), turn == Turn::Cut)),
            }
        }
    }
    spells.extend(lasting.map(|from| (from, None, false)));
    spells
}

/// Every time for which a caller's proxy took an instance out, with the tries that it began to it all the same; in order of
/// time. What people are told of.
#[must_use]
pub fn absences(plan: &Plan, evidence: &Evidence) -> Vec<Absence> {
    let mut all: Vec<(Stamp, Absence)> = Vec::new();
    for what in [Condition::Ejected, Condition::Unhealthy] {
        for spell in spells(plan, evidence, what) {
            let told = spell.from.middle();
            all.push((told, absence(evidence, &spell, what, told)));
        }
    }
    all.sort_by_key(|(told, absence)| (*told, absence.of.clone(), absence.by.clone()));
    all.into_iter().map(|(_, absence)| absence).collect()
}

fn absence(evidence: &Evidence, spell: &Spell, what: Condition, told: Stamp) -> Absence {
    let (mut in_flight, mut late) = (0, Vec::new());
    for story in evidence.stories().iter().filter(|s| s.caller == spell.by && s.edge.to == spell.of.service) {
        for t in evidence.tries(story).filter(|t| t.was_sent() && t.instance() == Some(&spell.of)) {
            let began = t.began();
            in_flight += u64::from(began <= spell.from.settled && t.ended() >= spell.from.asked);
            if began > spell.from.settled && spell.to.is_none_or(|to| began < to.asked) {
                late.push(began);
            }
        }
    }
    let nanos = |from: Stamp, to: Stamp| to.0.saturating_sub(from.0);
    Absence {
        by: spell.by.clone(),
        of: spell.of.clone(),
        what,
        nth: spell.nth,
        at: nanos(evidence.origin_of(told).unwrap_or(told), told),
        lasted: spell.to.map(|to| nanos(told, to.middle())),
        in_flight,
        late_tries: late.len() as u64,
        last_late: late.into_iter().max().map(|last| nanos(told, last)),
    }
}

impl Evidence {
    /// The mesh tells of ejections and health checks: what it does not tell of has not been.
    #[must_use]
    pub fn tells_states(&self) -> bool {
        self.observed.tells_states || !self.observed.states.is_empty()
    }

    /// A moment by a proxy's clock, as exactly as it is known.
    #[must_use]
    pub fn around(&self, at: Stamp) -> Border {
        let error = Duration::from_nanos(self.observed.health.clock_error);
        Border { asked: at - error, settled: at + error }
    }
}

#[cfg(test)]
mod tests;
