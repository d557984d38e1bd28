//! *As good as* compares shares: the calls of either kind must have the same chance each. *Without the fault* asks for more:
//! faults that can be switched on and off within a moment, and a stage that has room for its blocks.

use super::breaks::{fails_at_once, struck};
use super::decide::drawn_by;
use super::exchangeable::is_one_draw;
use super::taking::sees;
use super::view::View;
use crate::source::Mistake;
use squall_model::{
    Act, Blocks, Calls, Claim, ClaimKind, ControlRule, Fault, FaultId, Outcome, PolicyKind, Replacement, ServiceName,
    Shape, When, duration,
};
use std::time::Duration;

/// Calls that a pilot takes: 95 of 100 of fewer are nobody's.
const PILOT: f64 = 20.0;
const INSTEAD: &str = "a count, `at most 10 calls fail`, or `calls to … recover within 2 s of the fault`";

/// Looks at every comparison.
pub(crate) fn check(view: &mut View<'_, '_, '_>) {
    if !view.plan().needs.is_empty() {
        // A fault that cannot be run may be the one that is compared with.
        return;
    }
    for claim in &view.built.plan.claims.clone() {
        let ClaimKind::Paired { calls, reference, .. } = &claim.kind else { continue };
        if hangs_together(view, claim, calls) {
            continue;
        }
        match reference.phases() {
            Some((treated, baseline)) => {
                let _ = is_one_draw(view, claim, treated, &Outcome::Fail, INSTEAD)
                    || is_one_draw(view, claim, baseline, &Outcome::Fail, INSTEAD);
            }
            None if view.faults().next().is_some() => without_fault(view, claim),
            // That there is none is told where phases are looked at.
            None => {}
        }
    }
}

/// Calls with one key fare alike: a pair of them is no draw of its own. True if that is an error.
fn hangs_together(view: &mut View<'_, '_, '_>, claim: &Claim, calls: &Calls) -> bool {
    let Some((callee, _)) = drawn_by(view, calls, &Outcome::Fail).into_iter().next() else { return false };
    let line = view.claim_line(claim);
    view.tell(line, |line| {
        Mistake::error(
            "hangs-together",
            line.clause("calls"),
            format!("calls to \"{callee}\" stick by a key, and all with one key fare alike"),
        )
        .label("a part of the service is broken: a key is one draw, however many pairs its calls make")
        .hint("write a share of the users, `at least 90% of the users succeed`, or let the calls not stick")
    });
    true
}

fn without_fault(view: &mut View<'_, '_, '_>, claim: &Claim) {
    let standing: Vec<FaultId> = stands(view);
    let mut sound = true;
    for fault in view.faults().cloned().collect::<Vec<_>>() {
        sound &= can_be_switched(view, &fault, standing.contains(&fault.id));
    }
    sound &= nothing_changes(view) & control_stands(view);
    if sound && has_room(view, claim) {
        taken_out(view, claim);
    }
}

/// The faults that stand in the last stage, or are switched on and off in it, and that no line ends.
fn stands(view: &View<'_, '_, '_>) -> Vec<FaultId> {
    let stages = &view.plan().timeline.stages;
    let acts_of = |id: FaultId| {
        let of_it = move |act: &Act| matches!(act, Act::Arm(of) | Act::End(of) if *of == id);
        stages.iter().map(move |stage| stage.acts().filter(of_it).collect::<Vec<_>>())
    };
    let is_so = |id: &FaultId| {
        let Some((last, earlier)) = stages.split_last() else { return false };
        let own: Vec<Vec<Act>> = acts_of(*id).collect();
        let meant = match last.blocks {
            Some(blocks) => blocks.cues(*id).map(|cue| cue.act).collect(),
            None => vec![Act::Arm(*id)],
        };
        own.last() == Some(&meant) && own.iter().take(earlier.len()).all(Vec::is_empty)
    };
    view.faults().filter(|fault| fault.when == When::Standing).map(|fault| fault.id).filter(is_so).collect()
}

/// In place for the whole of the last stage, and the same to each call by itself.
fn can_be_switched(view: &mut View<'_, '_, '_>, fault: &Fault, stands: bool) -> bool {
    let line = view.fault_line(fault.id);
    let timed = fault.when != When::Standing;
    let steady = fault.does.is_steady();
    if stands && steady {
        return true;
    }
    view.tell(line, |line| match (steady, timed) {
        (false, _) => Mistake::error(
            "not-in-blocks",
            line.whole(),
            "this cannot be switched on and off from one block to the next",
        )
        .label("what happens to processes and connections is one event, however many calls it hits")
        .hint(format!("write {INSTEAD}")),
        (true, true) => Mistake::error("not-in-blocks", line.clause("when"), "this fault has times of its own")
            .label("`as good as without the fault` switches faults on and off itself")
            .hint("take the time away; or compare with `before the fault`"),
        (true, false) => {
            Mistake::error("not-in-blocks", line.whole(), "this fault is not in place for all of the last traffic line")
                .label("`as good as without the fault` switches it on and off while that one runs")
                .hint("put it above the last traffic line, and let no line end it; or compare with `before the fault`")
        }
    });
    false
}

/// A change in the middle is one event for all calls behind it.
fn nothing_changes(view: &mut View<'_, '_, '_>) -> bool {
    let changes = view.built.changes.clone();
    for id in &changes {
        let line = view.policy_line(*id);
        view.tell(line, |line| {
            Mistake::error(
                "not-in-blocks",
                line.whole(),
                "a policy changes while calls are compared with those without the fault",
            )
            .label("the calls behind it are not those before it")
            .hint("take the change out, or compare with `before the change`")
        });
    }
    changes.is_empty()
}

/// What replaces a fault in the control run is switched on and off as well.
fn control_stands(view: &mut View<'_, '_, '_>) -> bool {
    let ControlRule::Replace(all) = &view.plan().control else { return true };
    let timed = |r: &Replacement| match r {
        Replacement::Fault { fault, .. } => fault.when != When::Standing || !fault.does.is_steady(),
        Replacement::Policy { .. } => false,
    };
    if !all.iter().any(timed) {
        return true;
    }
    let mistake = Mistake::error(
        "not-in-blocks",
        0..0,
        "the control run replaces a fault by one that cannot be switched on and off",
    )
    .label("calls are compared with those without the fault")
    .hint("let it be without a time, and of a kind that touches each call by itself");
    view.tell_scenario(mistake);
    false
}

/// At least so many blocks, and in each of them enough calls for a pilot.
fn has_room(view: &mut View<'_, '_, '_>, claim: &Claim) -> bool {
    let Some(stage) = view.plan().timeline.stages.last().cloned() else { return false };
    let line = view.claim_line(claim);
    let Some(blocks) = stage.blocks else {
        let lengths: Option<Vec<Duration>> = stage.lines.iter().map(|line| line.shape.length()).collect();
        let length = lengths.and_then(|lengths| lengths.into_iter().max());
        view.tell(line, |line| {
            let least = duration(Blocks::shortest());
            let message = match length {
                Some(length) => format!("{} is too short to switch the fault on and off in turn", duration(length)),
                None => "calls one after another have no length of their own".to_owned(),
            };
            Mistake::error("no-room", line.clause("reference"), message)
                .label(format!("{} blocks of {} are the fewest", Blocks::FEWEST, duration(Blocks::LENGTH)))
                .hint(format!("let the traffic last {least} at least: `makes 300 calls per second to … for {least}`"))
        });
        return false;
    };
    let rate: f64 = stage.lines.iter().filter_map(|line| hertz(line.shape)).sum();
    let calls = rate * blocks.length.as_secs_f64();
    if rate > 0.0 && calls < PILOT {
        view.tell(line, |line| {
            let each = duration(blocks.length);
            let wanted = (PILOT / blocks.length.as_secs_f64()).ceil();
            Mistake::error(
                "no-room",
                line.clause("reference"),
                format!("only {calls:.0} calls are made in a block of {each}"),
            )
            .label("what is slow is learned from the first of them")
            .hint(format!("make at least {wanted} calls per second"))
        });
        return false;
    }
    true
}

/// Calls per second of a line that says so; the slowest of a ramp.
pub(super) fn hertz(shape: Shape) -> Option<f64> {
    match shape {
        Shape::Open { rate, .. } | Shape::Decide { rate, .. } => Some(rate.hertz()),
        Shape::Ramp { from, to, .. } => Some(f64::from(from.min(to))),
        Shape::Serial { .. } | Shape::Closed { .. } => None,
    }
}

/// Somebody goes or comes back among the calls that are compared: which fault does it, and what to do about it.
fn taken_out(view: &mut View<'_, '_, '_>, claim: &Claim) {
    let trouble = view.plan().policies.iter().find_map(|policy| match &policy.says {
        PolicyKind::Ejection { of, lasts, after, .. } => ejected(view, of, *lasts, *after),
        // A check finds the same instance out again in each block.
        PolicyKind::Check { of, by, .. } => {
            let fault = hitting(view, of).find(|fault| sees(by, &fault.does))?;
            Some((fault.id, "take the check out, or let an ejection find the instance".to_owned()))
        }
        _ => None,
    });
    let Some((fault, hint)) = trouble else { return };
    let what = view.text(view.fault_line(fault));
    let line = view.claim_line(claim);
    view.tell(line, |line| {
        Mistake::error(
            "share-over-event",
            line.clause("reference"),
            "an instance goes and comes back among the calls that are compared",
        )
        .label(format!("because {what}"))
        .hint(format!("{hint};\nor write {INSTEAD}"))
    });
}

/// The faults that make tries to instances of a service fail.
fn hitting<'v>(view: &'v View<'_, '_, '_>, of: &'v ServiceName) -> impl Iterator<Item = &'v Fault> + 'v {
    view.plan().faults.iter().filter(|fault| !struck(view.plan(), &fault.does, of).is_empty())
}

/// Whoever is ejected must be found out within the pilot, and stay out to the end: then it is no event among the calls that are
/// compared.
fn ejected(view: &View<'_, '_, '_>, of: &ServiceName, lasts: Duration, after: u32) -> Option<(FaultId, String)> {
    let plan = view.plan();
    let stage = plan.timeline.stages.last()?;
    let (blocks, length) = (stage.blocks?, view.stage_length(plan.timeline.stages.len() - 1)?);
    let rate: f64 = stage.lines.iter().filter_map(|line| hertz(line.shape)).sum();
    let instances = plan.topology.service(of).map_or(1, |s| s.instances.len());
    let callers = plan.topology.callers(of).map(|s| s.instances.len()).sum::<usize>().max(1);
    // Each caller's proxy counts for itself; in turn, each instance gets its part of the tries.
    let takes = f64::from(after) * (instances * callers) as f64 / rate.max(1.0);
    let in_pilot = takes <= blocks.length.as_secs_f64() / 2.0;
    let settles = in_pilot && lasts >= length && hitting(view, of).all(|fault| fails_at_once(&fault.does));
    let hint = format!("let the fault fail every try to the instance, and eject it for {} at least", duration(length));
    hitting(view, of).next().filter(|_| !settles).map(|fault| (fault.id, hint))
}
