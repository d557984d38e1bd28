//! Claims about a part of the time, or about a moment: there must be such a part, with traffic in it.

use super::planned::planned;
use super::view::{View, Window};
use crate::source::Mistake;
use squall_model::{
    Anchor, Calls, Claim, ClaimKind, FaultId, Happening, MomentRef, Phase, Population, Reference, Unit, duration,
};
use std::time::Duration;

/// Calls without a failure that show a recovery, at the defaults.
const SHOWN_BY: f64 = 66.0;
/// Calls before that it is compared with, at least…
const KNOWN_BY: u64 = 80;
/// …and so many are sent, since some are on their way when the fault begins.
const SENT: u64 = 100;

/// What an end takes until it is seen everywhere, with some to spare: what was killed has to start.
const SETTLED: Duration = Duration::from_secs(1);

/// Looks at every claim.
pub(crate) fn check(view: &mut View<'_, '_, '_>) {
    for claim in &view.built.plan.claims.clone() {
        match &claim.kind {
            ClaimKind::Moment { what, within, of } => moment(view, claim, what, *within, *of),
            ClaimKind::Paired { reference, .. } => compared(view, claim, *reference),
            other => phase(view, claim, other.phase()),
        }
    }
}

fn phase(view: &mut View<'_, '_, '_>, claim: &Claim, phase: Phase) {
    let line = view.claim_line(claim);
    match phase {
        Phase::Whole => {}
        Phase::Before(anchor) | Phase::During(anchor) | Phase::After(anchor) if !exists(view, anchor) => {
            missing(view, line, anchor, "phase");
        }
        Phase::Before(anchor) => before(view, line, anchor, "phase"),
        Phase::During(_) => {}
        Phase::After(anchor) => after(view, line, anchor, "phase"),
        Phase::Clock { from, to } => by_the_clock(view, line, from, to),
    }
}

/// A part of the time by the clock of a stage: some stage must be as long.
fn by_the_clock(view: &mut View<'_, '_, '_>, line: Option<usize>, from: Duration, to: Option<Duration>) {
    let stages = &view.plan().timeline.stages;
    let longest = (0..stages.len()).filter_map(|stage| view.stage_length(stage)).max();
    let none_has_a_length = longest.is_none() && !stages.is_empty();
    let over = |length: Duration| format!("the traffic is over after {}", duration(length));
    view.tell_maybe(line, |line| match longest {
        Some(length) if from >= length => Some(
            Mistake::error("empty-phase", line.clause("phase"), over(length))
                .label("no call lies in this part of the time"),
        ),
        Some(length) if to.is_some_and(|to| to > length) => Some(
            Mistake::warning("empty-phase", line.clause("phase"), over(length))
                .label("nobody calls in what comes behind that")
                .hint(format!("let the traffic last longer, or write ` from {}`", duration(from))),
        ),
        None if none_has_a_length && from > Duration::ZERO => Some(
            Mistake::warning("no-clock", line.clause("phase"), "calls one after another have no length of their own")
                .label("they may all be over by then")
                .hint("say a rate and a time: `makes 100 calls per second to … for 5 seconds`"),
        ),
        _ => None,
    });
}

/// What is compared with must be there, and come after something.
fn compared(view: &mut View<'_, '_, '_>, claim: &Claim, reference: Reference) {
    let line = view.claim_line(claim);
    let anchor = if reference == Reference::BeforeChange { Anchor::Change } else { Anchor::Fault };
    if !exists(view, anchor) {
        missing(view, line, anchor, "reference");
    } else if reference != Reference::WithoutFault {
        before(view, line, anchor, "reference");
    }
}

fn exists(view: &View<'_, '_, '_>, anchor: Anchor) -> bool {
    match anchor {
        Anchor::Fault => view.faults().next().is_some(),
        Anchor::Change => !view.built.changes.is_empty(),
    }
}

/// Lines that could not be run may have been the fault.
fn may_exist(view: &View<'_, '_, '_>) -> bool {
    !view.plan().needs.is_empty()
}

fn missing(view: &mut View<'_, '_, '_>, line: Option<usize>, anchor: Anchor, clause: &'static str) {
    if may_exist(view) {
        return;
    }
    let events = view.plan().faults.iter().any(|f| f.does.is_event());
    let (message, hint) = match anchor {
        Anchor::Fault if events => {
            ("growing and shrinking are events, not faults", "say the time by the clock: `from 2 s to 4 s`")
        }
        Anchor::Fault if clause == "reference" => ("there is no fault in this scenario", "say one under When"),
        Anchor::Fault => ("there is no fault in this scenario", "say one under When, or leave the phase out"),
        Anchor::Change => {
            ("nothing changes in this scenario", "a change is a policy under When with its time: `… at 2 s`")
        }
    };
    view.tell(line, |line| Mistake::error("empty-phase", line.clause(clause), message).label("which?").hint(hint));
}

fn before(view: &mut View<'_, '_, '_>, line: Option<usize>, anchor: Anchor, clause: &'static str) {
    if anchor != Anchor::Fault {
        return;
    }
    let stands = |w: &&Window| w.stage == 0 && w.from.is_none_or(|from| from.is_zero());
    let Some(fault) = view.fault_windows().iter().find(stands).map(|w| w.fault) else { return };
    let (whose, within) = (line_of(view, fault), within_the_traffic(view, 0));
    view.tell(line, |line| {
        Mistake::error("empty-phase", line.clause(clause), "a fault is in place from the beginning")
            .label("no call comes before it")
            .hint(format!("give the fault{whose} a time: `… {within}`, or put a traffic line above it"))
    });
}

fn after(view: &mut View<'_, '_, '_>, line: Option<usize>, anchor: Anchor, clause: &'static str) {
    let ends_in_time = |w: &Window| {
        w.to.is_some_and(|(stage, at)| {
            stage + 1 < view.plan().timeline.stages.len() || view.stage_length(stage).is_none_or(|length| at < length)
        })
    };
    let endless = view.fault_windows().iter().find(|w| !ends_in_time(w)).map(|w| (w.fault, w.stage));
    let Some((fault, stage)) = endless.filter(|_| anchor == Anchor::Fault) else { return };
    let (whose, within) = (line_of(view, fault), within_the_traffic(view, stage));
    view.tell(line, |line| {
        Mistake::error("empty-phase", line.clause(clause), "a fault stays until the traffic is over")
            .label("no call comes after it")
            .hint(format!("give the fault{whose} an end while calls are still made: `… {within}`"))
    });
}

/// A time for a fault with calls before and after it: the middle half of what the traffic lasts, where that is known.
fn within_the_traffic(view: &View<'_, '_, '_>, stage: usize) -> String {
    let length = view.stage_length(stage).unwrap_or(Duration::from_secs(4));
    let tenths = |part: Duration| Duration::from_millis(part.as_millis() as u64 / 100 * 100);
    let [from, to] = [tenths(length / 4), tenths(length * 3 / 4)];
    format!("from {} to {}", duration(from), duration(to))
}

/// ` of line 7`: the mistake is shown at another line than the one to be changed.
fn line_of(view: &View<'_, '_, '_>, fault: FaultId) -> String {
    view.place(view.fault_line(fault)).map_or(String::new(), |line| format!(" of line {line}"))
}

fn moment(view: &mut View<'_, '_, '_>, claim: &Claim, what: &Happening, within: Duration, of: MomentRef) {
    let line = view.claim_line(claim);
    let anchor = if of == MomentRef::Change { Anchor::Change } else { Anchor::Fault };
    if !matches!(of, MomentRef::Failure(_)) && !exists(view, anchor) {
        missing(view, line, anchor, "moment");
        return;
    }
    if of == MomentRef::FaultEnd {
        after(view, line, Anchor::Fault, "moment");
    }
    match what {
        Happening::Recover(calls) => {
            before(view, line, anchor, "calls");
            calls_to_compare_with(view, line, calls, anchor);
            room_to_recover(view, line, within, of);
        }
        Happening::Becomes(_) | Happening::GetsTraffic(_) => {}
    }
}

/// Against few calls nothing looks worse: what they were like must be known.
fn calls_to_compare_with(view: &mut View<'_, '_, '_>, line: Option<usize>, calls: &Calls, anchor: Anchor) {
    let of = Population { unit: Unit::Call, only: None, calls: calls.clone(), phase: Phase::Before(anchor) };
    // That there are none is told elsewhere.
    let Some(made) = planned(view.plan(), &of).filter(|made| (1..KNOWN_BY).contains(made)) else { return };
    view.tell(line, |line| {
        let what = if anchor == Anchor::Change { "change" } else { "fault" };
        Mistake::error("no-room", line.clause("calls"), format!("only {made} calls are made before the {what}"))
            .label(format!("it takes {KNOWN_BY} to tell how they fared, and some are on their way when it comes"))
            .hint(format!("let {SENT} be made before it: a later {what}, or more calls per second"))
    });
}

/// After moment and time there must be calls enough to show it.
fn room_to_recover(view: &mut View<'_, '_, '_>, line: Option<usize>, within: Duration, of: MomentRef) {
    let windows = view.fault_windows();
    let at = match of {
        MomentRef::FaultEnd => windows.iter().filter_map(|w| w.to).max(),
        MomentRef::FaultStart => windows.iter().filter_map(|w| w.from.map(|from| (w.stage, from))).min(),
        MomentRef::Change | MomentRef::Failure(_) => None,
    };
    let Some((stage, at)) = at else { return };
    let Some(length) = view.stage_length(stage) else { return };
    if stage + 1 < view.plan().timeline.stages.len() {
        return;
    }
    let rates = view.plan().timeline.stages[stage].lines.iter().filter_map(|line| match line.shape {
        squall_model::Shape::Open { rate, .. } | squall_model::Shape::Decide { rate, .. } => Some(rate.hertz()),
        _ => None,
    });
    let rate: f64 = rates.sum();
    let left = length.saturating_sub(at + within);
    if rate > 0.0 && left.as_secs_f64() * rate < SHOWN_BY {
        let wanted = at + within + Duration::from_millis((SHOWN_BY / rate * 1000.0).ceil() as u64) + SETTLED;
        view.tell(line, |line| {
            let calls = (left.as_secs_f64() * rate) as u64;
            Mistake::error("no-room", line.clause("time"), format!("only {calls} calls are made after that time"))
                .label("recovery is shown by 66 calls, if none fails")
                .hint(format!("let the traffic last {} at least", duration(wanted)))
        });
    }
}
