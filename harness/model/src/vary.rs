//! Control runs: Plan → Plan, the one function that takes away what a scenario tests.

use crate::{Act, Calls, ClaimKind, ControlRule, Cue, Fault, FaultId, FaultKind, Outcome, Plan, Policy, PolicyId};
use crate::{Replacement, Variation, When};
use std::collections::HashSet;

/// The control runs of a plan, in the order in which they are tried: the first that goes red is enough.
///
/// Own policies are taken away all together, then each alone (a retry budget's control is "without the budget", not
/// "without retries and budget"). Without policies the faults go; without faults, the events. Empty for
/// `@control(none: "reason")` and where there is nothing to take away.
#[must_use]
pub fn controls(plan: &Plan) -> Vec<Variation> {
    let own: Vec<PolicyId> = plan.policies.iter().filter(|p| p.own).map(|p| p.id).collect();
    let policies = || {
        let alone = own.iter().map(|id| Variation::WithoutPolicy(*id)).filter(|_| own.len() > 1);
        std::iter::once(Variation::WithoutPolicies).filter(|_| !own.is_empty()).chain(alone).collect::<Vec<_>>()
    };
    match &plan.control {
        ControlRule::None(_) => Vec::new(),
        ControlRule::Replace(_) => vec![Variation::Replaced],
        ControlRule::Outage => vec![Variation::Outage],
        ControlRule::Policies => policies(),
        ControlRule::Faults => vec![Variation::WithoutFaults],
        ControlRule::Default if !own.is_empty() => policies(),
        ControlRule::Default if plan.faults.iter().any(|f| !f.does.is_event()) => vec![Variation::WithoutFaults],
        ControlRule::Default if !plan.faults.is_empty() => vec![Variation::WithoutEvents],
        ControlRule::Default => Vec::new(),
    }
}

/// The plan with what the variation takes away taken away. Topology, traffic and claims stay; so does the seed.
#[must_use]
pub fn vary(plan: &Plan, variation: Variation) -> Plan {
    let mut varied = plan.clone();
    varied.variation = variation;
    match variation {
        Variation::Main => {}
        Variation::WithoutPolicies => keep_policies(&mut varied, |p| !p.own),
        Variation::WithoutPolicy(id) => keep_policies(&mut varied, |p| p.id != id),
        Variation::WithoutFaults => keep_faults(&mut varied, |f| f.does.is_event()),
        Variation::WithoutEvents => keep_faults(&mut varied, |f| !f.does.is_event()),
        Variation::Replaced => replace(&mut varied),
        Variation::Outage => cut_claimed_calls(&mut varied),
    }
    varied
}

/// The plan as it was written, and each of its control runs.
pub fn every_run(plan: &Plan) -> impl Iterator<Item = Plan> + '_ {
    let varied = controls(plan).into_iter().map(|variation| vary(plan, variation));
    std::iter::once(plan.clone()).chain(varied)
}

fn keep_policies(plan: &mut Plan, keep: impl Fn(&Policy) -> bool) {
    plan.policies.retain(|p| keep(p));
    let left: Vec<PolicyId> = plan.policies.iter().map(|p| p.id).collect();
    keep_acts(plan, |act| match act {
        Act::Change(id) | Act::Revert(id) => left.contains(&id),
        Act::Arm(_) | Act::End(_) => true,
    });
}

fn keep_faults(plan: &mut Plan, keep: impl Fn(&Fault) -> bool) {
    plan.faults.retain(|f| keep(f));
    let left: Vec<FaultId> = plan.faults.iter().map(|f| f.id).collect();
    keep_acts(plan, |act| match act {
        Act::Arm(id) | Act::End(id) => left.contains(&id),
        Act::Change(_) | Act::Revert(_) => true,
    });
}

fn keep_acts(plan: &mut Plan, keep: impl Fn(Act) -> bool) {
    for stage in &mut plan.timeline.stages {
        stage.standing.retain(|act| keep(*act));
        stage.cues.retain(|cue| keep(cue.act));
    }
}

fn replace(plan: &mut Plan) {
    let ControlRule::Replace(replacements) = plan.control.clone() else { return };
    for replacement in replacements {
        match replacement {
            Replacement::Policy { instead_of: Some(id), says } => {
                plan.policies.iter_mut().filter(|p| p.id == id).for_each(|p| p.says = says.clone());
            }
            Replacement::Policy { instead_of: None, says } => {
                let id = PolicyId(plan.policies.iter().map(|p| p.id.0 + 1).max().unwrap_or(0));
                plan.policies.push(Policy { id, own: true, says });
            }
            Replacement::Fault { instead_of, fault } => replace_fault(plan, instead_of, fault),
        }
    }
}

/// The new fault takes the number of the old one, so that the timeline goes on naming it, unless its times differ.
fn replace_fault(plan: &mut Plan, instead_of: Option<FaultId>, fault: Fault) {
    let fault = Fault { id: next_fault(plan), ..fault };
    let in_blocks = plan.timeline.stages.iter().position(|stage| stage.blocks.is_some());
    let Some(old) = instead_of.and_then(|id| plan.faults.iter_mut().find(|f| f.id == id)) else {
        return place(plan, in_blocks.unwrap_or(0), fault);
    };
    if old.when == fault.when {
        old.does = fault.does;
        return;
    }
    let gone = old.id;
    let stage = plan.timeline.stages.iter().position(|stage| stage.acts().any(|act| act == Act::Arm(gone)));
    keep_faults(plan, |f| f.id != gone);
    place(plan, stage.unwrap_or(0), fault);
}

fn next_fault(plan: &Plan) -> FaultId {
    FaultId(plan.faults.iter().map(|f| f.id.0 + 1).max().unwrap_or(0))
}

/// Puts a fault into this stage, standing or by its times; where those that stand are switched on and off, this one is too.
fn place(plan: &mut Plan, stage: usize, fault: Fault) {
    if let Some(stage) = plan.timeline.stages.get_mut(stage) {
        match (fault.when.start(), stage.blocks) {
            (None, Some(blocks)) => stage.cues.extend(blocks.cues(fault.id)),
            (None, None) => stage.standing.push(Act::Arm(fault.id)),
            (Some(at), _) => stage.cues.push(Cue { at, act: Act::Arm(fault.id) }),
        }
        stage.cues.extend(fault.when.end().map(|at| Cue { at, act: Act::End(fault.id) }));
        stage.cues.sort_by_key(|cue| cue.at);
    }
    plan.faults.push(fault);
}

/// Cuts the wire of the claimed calls in the window of each fault, so that a claim of "no harm" must notice.
fn cut_claimed_calls(plan: &mut Plan) {
    let fault = |act: Act| match act {
        Act::Arm(id) => plan.fault(id).filter(|f| !f.does.is_event()),
        Act::End(_) | Act::Change(_) | Act::Revert(_) => None,
    };
    let stages = plan.timeline.stages.iter().enumerate();
    let begun = stages.flat_map(|(n, stage)| stage.acts().filter_map(fault).map(move |f| (n, f.when)));
    let mut windows: Vec<(usize, When)> = Vec::new();
    for window in begun {
        // One that is switched on and off begins many times, and of two at the same time one outage is enough.
        if !windows.contains(&window) {
            windows.push(window);
        }
    }
    for (stage, when) in windows {
        for of in claimed_calls(plan) {
            let outage = Fault { id: next_fault(plan), does: FaultKind::Outage { of }, when };
            place(plan, stage, outage);
        }
    }
}

/// The calls that claims speak of; those of all traffic lines where a claim names none.
fn claimed_calls(plan: &Plan) -> Vec<Calls> {
    let of_lines = || {
        plan.lines()
            .map(|line| Calls { from: Some(line.caller.clone()), to: Some(line.to.clone()), ..Calls::default() })
            .collect::<Vec<_>>()
    };
    let named: Vec<Calls> = plan
        .claims
        .iter()
        .filter_map(|claim| match &claim.kind {
            ClaimKind::Every { of, outcome, .. } | ClaimKind::Share { of, outcome, .. } => {
                (!matches!(outcome, Outcome::Fail)).then(|| of.calls.clone())
            }
            ClaimKind::Paired { calls, .. } => Some(calls.clone()),
            ClaimKind::Total { .. } | ClaimKind::Moment { .. } | ClaimKind::State { .. } | ClaimKind::Lasts { .. } => {
                None
            }
        })
        .filter(|calls| calls.to.is_some())
        .collect();
    let mut calls = if named.is_empty() { of_lines() } else { named };
    // Each once: two lines may speak of the same calls.
    let mut seen = HashSet::new();
    calls.retain(|calls| seen.insert(calls.clone()));
    calls
}
