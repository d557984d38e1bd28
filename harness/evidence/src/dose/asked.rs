//! Faults on tries that reach services of others: their proxies ask about each, and what was answered is known for each fault by itself. Whether
//! it was obeyed is seen by whoever sent the try.

use super::draw::Armed;
use crate::{CallStory, Evidence, Fit, TryView};
use squall_model::{AskedRecord, FaultId, FaultKind, InstanceId, Level, Plan, Spared, Touch};
use std::{collections::BTreeMap, time::Duration};

/// A try as both sides know it: its call, its number, and whom it reached.
type Key<'e> = (&'e str, u32, &'e InstanceId);

/// By so much less than it lasted a try may seem to have taken: one without an answer is told in milliseconds.
const ROUNDING: Duration = Duration::from_millis(1);

/// What this fault was drawn for at proxies that ask.
#[derive(Debug, Default)]
pub(super) struct Asked<'e> {
    /// At whose proxy, and whether it struck and was obeyed.
    pub(super) draws: Vec<(&'e InstanceId, bool)>,
    /// Of these, tries that were answered and that nobody asked about.
    unasked: u64,
    /// Of these, tries that were struck and went on as if they were not.
    unheeded: u64,
}

impl<'e> Asked<'e> {
    fn push(&mut self, at: &'e InstanceId, struck: bool, is_heeded: bool) {
        self.draws.push((at, struck && is_heeded));
        self.unheeded += u64::from(struck && !is_heeded);
    }

    /// Why it touched less than it was meant to, where it did.
    pub(super) fn missed(&self) -> Option<Spared> {
        let Asked { unasked, unheeded, .. } = *self;
        (unasked + unheeded > 0).then_some(Spared::PortMissed { unasked, unheeded })
    }
}

/// A try that was answered and that nobody asked about was spared. An answer that came late, where nobody of ours saw what came of it, may not
/// have been waited for.
pub(super) fn asked<'e>(plan: &Plan, evidence: &'e Evidence, own: &Armed<'_>) -> Asked<'e> {
    let mut all = Asked::default();
    if own.draw().is_none_or(|(level, ..)| level != Level::Tries) || plan.topology.theirs().next().is_none() {
        return all;
    }
    let ours = ours(plan, evidence, own);
    let mut asked: BTreeMap<Key<'_>, &'e AskedRecord> = BTreeMap::new();
    let mut unseen = Vec::new();
    for one in &evidence.observed.asked {
        // One that asked twice about the same: neither can be told from the other, and both were drawn.
        unseen.extend(asked.insert((&one.id, one.attempt, &one.at), one));
    }
    for (id, t) in &ours {
        let Some(instance) = t.instance() else { continue };
        match asked.remove(&(id.as_str(), t.attempt, instance)) {
            Some(one) => {
                if let Some((at, struck)) = drawn(one, own.fault.id) {
                    all.push(at, struck, is_obeyed(plan, one, own.fault.id, t));
                }
            }
            None if is_spared(evidence, own, t) => {
                all.push(instance, false, true);
                all.unasked += 1;
            }
            None => {}
        }
    }
    // What they send each other has no line of ours.
    for one in unseen.into_iter().chain(asked.into_values()) {
        if let Some((at, struck)) = drawn(one, own.fault.id) {
            all.push(at, struck, !one.late);
        }
    }
    all
}

/// At whose proxy a fault was drawn, and whether it struck; `None`: it was not.
fn drawn(one: &AskedRecord, fault: FaultId) -> Option<(&InstanceId, bool)> {
    one.meant.contains(&fault).then(|| (&one.at, one.struck.contains(&fault)))
}

/// The tries of ours that the fault means at services of others, whenever they were sent.
fn ours<'e>(plan: &Plan, evidence: &'e Evidence, own: &Armed<'_>) -> Vec<(String, TryView<'e>)> {
    let meant = |story: &&CallStory| {
        plan.topology.deployed(&story.edge.to).is_some()
            && own.matcher.as_ref().is_some_and(|m| m.fits(story) == Fit::Yes)
    };
    let named = |t: &TryView<'_>| t.instance().is_some_and(|id| own.matcher.as_ref().is_some_and(|m| m.names(id)));
    let of_story = |story| evidence.tries(story).map(|t| (evidence.id(story), t));
    evidence.stories().iter().filter(meant).flat_map(of_story).filter(|(_, t)| named(t)).collect()
}

/// Nobody asked about it, though it was answered, and the fault was in place all the while.
fn is_spared(evidence: &Evidence, own: &Armed<'_>, t: &TryView<'_>) -> bool {
    let error = Duration::from_nanos(evidence.observed.health.clock_error);
    t.status() != 0 && own.windows.surely_throughout(t.began(), t.ended(), error)
}

/// Whether what struck is what came back. Of one that its sender gave up on nobody knows.
fn is_obeyed(plan: &Plan, one: &AskedRecord, fault: FaultId, t: &TryView<'_>) -> bool {
    let touch = |id: &FaultId| match plan.fault(*id).map(|fault| &fault.does) {
        Some(FaultKind::Touch { touch, .. }) => Some(*touch),
        _ => None,
    };
    match touch(&fault) {
        _ if t.status() == 0 => true,
        // Of several that abort one is what came back.
        Some(Touch::Abort(_)) => one
            .struck
            .iter()
            .filter_map(touch)
            .any(|touch| matches!(touch, Touch::Abort(code) if Some(code) == t.answer())),
        Some(Touch::Delay(time)) => Duration::from_nanos(t.took()) + ROUNDING >= time,
        None => false,
    }
}

#[cfg(test)]
mod tests;
