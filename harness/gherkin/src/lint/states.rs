//! Claims about what an instance is to its callers' proxies: some policy must make it so, and in the time that is said.

use super::view::View;
use crate::source::Mistake;
use squall_model::{ClaimKind, Condition, Happening, MomentRef, Plan, PolicyKind, ServiceName, State, duration};
use std::time::Duration;

/// An ejection ends at a sweep; ours come this often.
const SWEEP: Duration = Duration::from_millis(100);

/// Looks at every claim about a state.
pub(crate) fn check(view: &mut View<'_, '_, '_>) {
    for claim in &view.built.plan.claims.clone() {
        let line = view.claim_line(claim);
        let (ClaimKind::Moment { what: Happening::Becomes(state), .. }
        | ClaimKind::State { what: state, .. }
        | ClaimKind::Lasts { what: state, .. }) = &claim.kind
        else {
            continue;
        };
        if !is_made(view, line, state) {
            continue;
        }
        match claim.kind {
            ClaimKind::Moment { within, of, .. } => in_time(view, line, state, within, of),
            ClaimKind::Lasts { least, most, .. } if state.is == Condition::Ejected => {
                lasts(view, line, &state.of.service, least, most);
            }
            _ => {}
        }
    }
}

/// Some policy can make it so; told where none can.
fn is_made(view: &mut View<'_, '_, '_>, line: Option<usize>, state: &State) -> bool {
    let service = &state.of.service;
    let found = match state.is {
        Condition::Ejected => ejection(view.plan(), service).is_some(),
        Condition::Healthy | Condition::Unhealthy => checks(view.plan(), service).is_some(),
    };
    if state.is == Condition::Ejected && view.plan().topology.deployed(service).is_some() {
        // By a policy of its owners', if at all.
        return false;
    }
    if found || !view.plan().needs.is_empty() {
        // Lines that could not be run may have been the policy.
        return found;
    }
    let ejects = state.is == Condition::Ejected;
    let (code, verb) = if ejects { ("no-ejection", "ejects") } else { ("no-check", "checks") };
    let (label, hint) = match ejects {
        true => (
            "without the policy nobody is ejected",
            format!("say it: `Given an instance of \"{service}\" is ejected for 2 s after 5 failures in a row`"),
        ),
        false => (
            "healthy and unhealthy are what active checks say",
            format!(
                "say it: `Given each instance of \"{service}\" is checked every 200 ms by http on path \"/healthz\"`;\nwhom failed calls take out `is ejected`"
            ),
        ),
    };
    view.tell(line, |line| {
        Mistake::error(code, line.clause("state"), format!("nothing {verb} an instance of \"{service}\""))
            .label(label)
            .hint(hint)
    });
    false
}

fn ejection(plan: &Plan, service: &ServiceName) -> Option<(Duration, u32)> {
    plan.policies.iter().find_map(|p| match &p.says {
        PolicyKind::Ejection { of, lasts, after, .. } if of == service => Some((*lasts, *after)),
        _ => None,
    })
}

/// How often it is checked, and how many failures and passes it takes.
fn checks(plan: &Plan, service: &ServiceName) -> Option<(Duration, u32, u32)> {
    plan.policies.iter().find_map(|p| match &p.says {
        PolicyKind::Check { of, every, out_after, back_after, .. } if of == service => {
            Some((*every, *out_after, *back_after))
        }
        _ => None,
    })
}

/// It takes so many failures, or so many checks.
fn in_time(view: &mut View<'_, '_, '_>, line: Option<usize>, state: &State, within: Duration, of: MomentRef) {
    let service = &state.of.service;
    if let (Condition::Ejected, MomentRef::Failure(n), Some((_, after))) =
        (state.is, of, ejection(view.plan(), service))
        && n < after
    {
        view.tell(line, |line| {
            let message = format!("it is ejected after {after} failures in a row");
            Mistake::error("no-ejection", line.clause("moment"), message).label(format!("not by then: {n} are fewer"))
        });
    }
    let Some((every, out_after, back_after)) = checks(view.plan(), service) else { return };
    let (number, noun) = match state.is {
        Condition::Ejected => return,
        Condition::Unhealthy => (out_after, "failures"),
        Condition::Healthy => (back_after, "passes"),
    };
    let needed = every * number;
    if within < needed {
        view.tell(line, |line| {
            let message = format!("{number} {noun} in a row take up to {}", duration(needed));
            Mistake::warning("no-time", line.clause("time"), message)
                .label("it may come later than this")
                .hint(format!("allow for the checks and some more: `within {}`", duration(needed + every)))
        });
    }
}

/// The bounds are for the first ejection: it lasts as long as was said, and ends at a sweep.
fn lasts(
    view: &mut View<'_, '_, '_>,
    line: Option<usize>,
    service: &ServiceName,
    least: Option<Duration>,
    most: Option<Duration>,
) {
    let Some((first, _)) = ejection(view.plan(), service) else { return };
    let checked = checks(view.plan(), service).is_some();
    let shown = duration(first);
    let mistake = match (least, most) {
        (_, Some(most)) if most < first && !checked => Some((true, format!("no ejection is over before {shown}"))),
        (Some(least), _) if least > first + SWEEP => Some((true, format!("the first ejection lasts {shown}"))),
        (_, Some(most)) if most < first + SWEEP && !checked => {
            Some((false, format!("an ejection for {shown} ends at the next sweep after it")))
        }
        _ => None,
    };
    let Some((wrong, message)) = mistake else { return };
    let hint = format!(
        "the first one is meant, the n-th lasts n times as long; sweeps come every {}:\nwrite `for between {shown} and {}`",
        duration(SWEEP),
        duration(first + first / 2)
    );
    view.tell(line, |line| {
        let span = line.clause("span");
        let mistake =
            if wrong { Mistake::error("lasts", span, message) } else { Mistake::warning("lasts", span, message) };
        mistake.label(if wrong { "never so" } else { "may be too short by a sweep" }).hint(hint)
    });
}
