//! A share speaks of calls that all have the same chance. A kill, an ejection, a change in the middle makes one draw of them
//! all, however many calls there are: such a share is refused, and a count or *recover* offered instead.

use super::moments::span;
use super::taking::takes_effect;
use super::view::View;
use crate::source::Mistake;
use squall_model::{Act, Anchor, Claim, ClaimKind, FaultId, FaultKind, Outcome, Phase, ShareBound, duration};
use std::time::Duration;

/// Looks at every share.
pub(crate) fn check(view: &mut View<'_, '_, '_>) {
    for claim in &view.built.plan.claims.clone() {
        if let ClaimKind::Share { of, outcome, bound } = &claim.kind {
            is_one_draw(view, claim, of.phase, outcome, instead(outcome, *bound));
        }
    }
}

/// Tells why calls of a phase have not all the same chance; true if that is an error.
pub(super) fn is_one_draw(
    view: &mut View<'_, '_, '_>,
    claim: &Claim,
    phase: Phase,
    outcome: &Outcome,
    instead: &str,
) -> bool {
    step_within(view, claim, phase, instead)
        || event_throughout(view, claim, phase, instead)
        || effect_within(view, claim, phase, outcome)
}

/// What happens in the middle of a phase.
struct Step {
    stage: usize,
    at: Duration,
    /// One burst, not one chance a call.
    is_event: bool,
    line: Option<usize>,
}

/// Something begins or ends strictly within the phase; true if that is an error.
fn step_within(view: &mut View<'_, '_, '_>, claim: &Claim, phase: Phase, instead: &str) -> bool {
    let line = view.claim_line(claim);
    let mut steps: Vec<Step> = steps(view).into_iter().filter(|step| is_within(view, step, phase)).collect();
    steps.sort_by_key(|step| !step.is_event);
    let Some(step) = steps.first() else { return false };
    let what = view.text(step.line);
    let at = duration(step.at);
    let is_event = step.is_event;
    view.tell(line, |line| {
        let span = line.clause("claim");
        if is_event {
            return Mistake::error(
                "share-over-event",
                span,
                "a share over an event is one draw, however many calls are made",
            )
            .label(format!("at {at}: {what}"))
            .hint(format!(
                "write {instead}, or a part of the time without the event: `before the fault`, `from 3 s to 5 s`"
            ));
        }
        Mistake::warning("share-over-step", span, "this share is one number before and another after")
            .label(format!("at {at}: {what}"))
            .hint("say of which part of the time: `during the fault`, `after the fault`, `from 3 s to 5 s`")
    });
    is_event
}

/// What to write instead of a share.
fn instead(outcome: &Outcome, bound: ShareBound) -> &'static str {
    match (outcome, bound) {
        (Outcome::Succeed(_), ShareBound::AtLeast(_) | ShareBound::MoreThan(_)) => {
            "a count, `at most 10 calls fail`, or `calls to … recover within 2 s of the fault`"
        }
        _ => "a count, `at most 10 calls …`",
    }
}

/// What happens to processes and connections hangs together from call to call, as long as it lasts. A part of the time by
/// the clock is taken as said: whoever writes it knows that nothing begins or ends in it.
fn event_throughout(view: &mut View<'_, '_, '_>, claim: &Claim, phase: Phase, instead: &str) -> bool {
    let Some(fault) = event_in(view, phase) else { return false };
    let what = view.text(view.fault_line(fault));
    let line = view.claim_line(claim);
    view.tell(line, |line| {
        Mistake::error(
            "share-over-event",
            line.clause("claim"),
            "calls hang together here: what becomes of one decides over others",
        )
        .label(format!("meanwhile: {what}"))
        .hint(format!(
            "write {instead}; or a part of the time by the clock in which all has settled: `from 3 s to 5 s`"
        ))
    });
    true
}

/// A fault that is no chance for each call by itself, and in place during the phase. Processes that are down from before the
/// traffic on are as good as not there.
fn event_in(view: &View<'_, '_, '_>, phase: Phase) -> Option<FaultId> {
    let during = matches!(phase, Phase::During(Anchor::Fault));
    if !during && phase != Phase::Whole {
        return None;
    }
    let windows = view.fault_windows();
    let found = windows.iter().find(|window| {
        view.plan().fault(window.fault).is_some_and(|fault| match fault.does {
            FaultKind::Wire { .. } => !fault.does.is_steady(),
            _ => during && !fault.does.is_steady() && window.from.is_some(),
        })
    })?;
    Some(found.fault)
}

fn steps(view: &View<'_, '_, '_>) -> Vec<Step> {
    let mut steps = Vec::new();
    for (stage, it) in view.plan().timeline.stages.iter().enumerate() {
        // What stands before a later stage comes between two of them.
        let standing = it.standing.iter().filter(|_| stage > 0).map(|act| (*act, Duration::ZERO));
        for (act, at) in standing.chain(it.cues.iter().map(|cue| (cue.act, cue.at))) {
            steps.push(match act {
                Act::Arm(id) | Act::End(id) => Step {
                    stage,
                    at,
                    is_event: view.plan().fault(id).is_some_and(|f| !f.does.is_steady()),
                    line: view.fault_line(id),
                },
                Act::Change(id) | Act::Revert(id) => Step { stage, at, is_event: true, line: view.policy_line(id) },
            });
        }
    }
    steps
}

/// Strictly within: the edges of a phase belong to no phase.
fn is_within(view: &View<'_, '_, '_>, step: &Step, phase: Phase) -> bool {
    let here = (step.stage, step.at);
    let in_blocks = view.plan().timeline.stages.get(step.stage).is_some_and(|stage| stage.blocks.is_some());
    match phase {
        // What is switched on and off in blocks is in place throughout each of its times.
        Phase::During(Anchor::Fault) if in_blocks => false,
        Phase::Whole => true,
        Phase::Clock { from, to } => from < step.at && to.is_none_or(|to| step.at < to),
        Phase::Before(_) => span(view.plan(), phase).is_some_and(|(start, _)| here < start),
        Phase::During(_) => {
            span(view.plan(), phase).is_some_and(|(start, end)| start < here && end.is_none_or(|end| here < end))
        }
        Phase::After(_) => span(view.plan(), phase).and_then(|(_, end)| end).is_some_and(|end| end < here),
    }
}

/// An ejection or a check beside a fault that it notices: taking effect is an event, whenever it comes.
fn effect_within(view: &mut View<'_, '_, '_>, claim: &Claim, phase: Phase, outcome: &Outcome) -> bool {
    let touched = matches!(
        outcome,
        Outcome::Succeed(_)
            | Outcome::Fail
            | Outcome::Reach(_)
            | Outcome::Answered(_)
            | Outcome::Refused
            | Outcome::Retried
    );
    let Some((noun, fault)) = takes_effect(view, phase).filter(|_| touched) else { return false };
    let what = view.text(view.fault_line(fault));
    let line = view.claim_line(claim);
    view.tell(line, |line| {
        Mistake::error(
            "share-over-event",
            line.clause("claim"),
            format!("a share over {noun} is one draw, however many calls are made"),
        )
        .label("some calls come before an instance is out, the others after it")
        .hint(format!(
            "an instance is out because {what}\nwrite a count: `at most 10 calls fail`, `calls to … recover within 2 s of the fault`;\nor a part of the time in which nobody goes or comes back: `from 4 s to 5 s`"
        ))
    });
    true
}
