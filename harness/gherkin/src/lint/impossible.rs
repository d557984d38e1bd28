//! What no run can show, whatever the mesh does: more calls than are made, answers sooner than anybody gives them. And what
//! every run shows, so that nothing is claimed.

use super::envoy::callee;
use super::planned::planned;
use super::populations::is_meant;
use super::predict::only_callee;
use super::view::View;
use crate::source::Mistake;
use squall_model::{
    Answers, Arrivals, Bound, Claim, ClaimKind, Fault, FaultKind, Latency, Level, Outcome, Phase, Plan, PolicyKind,
    Population, Quantity, ServiceName, Shape, ShareBound, Touch, Unit, duration,
};
use std::ops::Range;
use std::time::Duration;

/// What a timeout, or an answer, may be late by: scheduling, and two proxies.
const SLACK: Duration = Duration::from_millis(50);

/// Looks at every claim.
pub(crate) fn check(view: &mut View<'_, '_, '_>) {
    if !view.plan().needs.is_empty() {
        // What cannot be run may be what makes it possible.
        return;
    }
    for claim in &view.built.plan.claims.clone() {
        if let ClaimKind::Total { quantity: Quantity::Count { of, .. }, bound } = &claim.kind {
            counts(view, claim, of, *bound);
        }
        if let Some((of, outcome)) = expected(&claim.kind) {
            times(view, claim, of, outcome);
        }
    }
}

/// A count against all calls that are made.
fn counts(view: &mut View<'_, '_, '_>, claim: &Claim, of: &Population, bound: Bound) {
    if let Bound { low: Some(0), high: None } = bound {
        let line = view.claim_line(claim);
        view.tell(line, |line| no_claim(line.clause("claim"), "there are never fewer than 0"));
        return;
    }
    let Some(most) = most(view, of) else { return };
    let noun = if of.unit == Unit::User { "users" } else { "calls" };
    let line = view.claim_line(claim);
    view.tell_maybe(line, |line| {
        let span = line.clause("claim");
        match bound {
            Bound { low: Some(low), .. } if low / 1000 > most => Some(
                Mistake::error("impossible", span, format!("the traffic makes no more than {most} {noun}"))
                    .label(if of.phase == Phase::Whole {
                        "never so many"
                    } else {
                        "never so many in this part of the time"
                    })
                    .hint("let the traffic last longer, or expect fewer"),
            ),
            Bound { low: None, high: Some(high) } if high / 1000 >= most && of.phase == Phase::Whole => {
                Some(no_claim(span, format!("the traffic makes no more than {most} {noun}")))
            }
            _ => None,
        }
    });
}

/// What every run shows.
fn no_claim(span: Range<usize>, why: impl Into<String>) -> Mistake {
    Mistake::error("no-claim", span, why).label("true whatever comes of them").hint("claim a bound that can be broken")
}

/// The most units that there can be; `None` where the answers decide, or chance.
fn most(view: &View<'_, '_, '_>, of: &Population) -> Option<u64> {
    let plan = view.plan();
    let random = |shape: &Shape| matches!(shape, Shape::Open { arrivals: Arrivals::Random, .. });
    if plan.lines().any(|line| random(&line.shape)) {
        return None;
    }
    // A workload makes calls of its own.
    if of.calls.from.as_ref().is_some_and(|from| plan.lines().any(|line| line.to.service == *from)) {
        return None;
    }
    if of.unit == Unit::Call && of.phase == Phase::Whole {
        let meant = plan.lines().filter(|line| is_meant(&of.calls, line, &plan.topology));
        return meant.map(|line| line.shape.calls()).sum();
    }
    // An edge may cut between two calls on either side.
    planned(plan, &Population { only: None, ..of.clone() }).map(|units| units + 1)
}

/// What a claim says that some or all of its units do.
fn expected(kind: &ClaimKind) -> Option<(&Population, &Outcome)> {
    match kind {
        ClaimKind::Every { of, all: true, outcome }
        | ClaimKind::Share {
            of,
            outcome,
            bound: ShareBound::AtLeast(_) | ShareBound::MoreThan(_) | ShareBound::Between(..),
        }
        | ClaimKind::Total { quantity: Quantity::Count { of, outcome }, bound: Bound { low: Some(1..), .. } } => {
            Some((of, outcome))
        }
        _ => None,
    }
}

/// A time against what the instances take, and what is waited for.
fn times(view: &mut View<'_, '_, '_>, claim: &Claim, of: &Population, outcome: &Outcome) {
    let plan = view.plan();
    let Some(service) = callee(&of.calls).or_else(|| only_callee(plan)) else { return };
    let Some(fastest) = fastest(plan, service) else { return };
    let shown = duration(fastest);
    let by_itself = format!("no instance of \"{service}\" answers in less than {shown}");
    let mistake = match outcome {
        Outcome::Succeed(Some(within)) if *within < fastest => Some((by_itself, "never so soon", allow(fastest))),
        Outcome::FinishWithin(within) if *within < fastest && nothing_cuts_short(plan) => {
            Some((by_itself, "never so soon", allow(fastest)))
        }
        Outcome::Succeed(_) => gives_up(view, service).filter(|after| *after < fastest).map(|after| {
            let message = format!("{by_itself}, and after {} it is given up", duration(after));
            (message, "never so", "let the timeout be longer than an answer takes".to_owned())
        }),
        Outcome::TakeAtLeast(time) => {
            let over = |after: &Duration| *after + SLACK < *time && nothing_holds_back(plan);
            gives_up(view, service).filter(over).map(|after| {
                let message = format!("calls to \"{service}\" time out after {}", duration(after));
                (
                    message,
                    "never so long",
                    format!("say a time that the timeout allows: `at least {}`", duration(after)),
                )
            })
        }
        _ => None,
    };
    let Some((message, label, hint)) = mistake else { return };
    let line = view.claim_line(claim);
    view.tell(line, |line| Mistake::error("impossible", line.clause("outcome"), message).label(label).hint(hint));
}

fn allow(fastest: Duration) -> String {
    let time = duration(fastest * 2 + SLACK);
    format!("allow for the instance and for the proxies before it: `within {time}`")
}

/// The soonest that a workload of the service answers; `None` where that is not fixed, or somebody else may answer.
fn fastest(plan: &Plan, service: &ServiceName) -> Option<Duration> {
    let routed = |says: &PolicyKind| matches!(says, PolicyKind::Route { to, .. } if to.iter().any(|leg| leg.target.service != *service));
    if plan.policies.iter().any(|policy| routed(&policy.says)) {
        return None;
    }
    let usual = match plan.topology.service(service)?.latency {
        Latency::Fixed(time) | Latency::Uniform { from: time, .. } => time,
        Latency::Exponential { .. } | Latency::LogNormal { .. } => return None,
    };
    let other = plan.faults.iter().filter_map(|fault| match &fault.does {
        FaultKind::Answers { of, how: Answers::In(time) } if of.service == *service => Some(*time),
        FaultKind::Answers { of, how: Answers::AtOnce } if of.service == *service => Some(Duration::ZERO),
        _ => None,
    });
    other.chain([usual]).min()
}

/// Nothing ends a call before a workload has answered it.
fn nothing_cuts_short(plan: &Plan) -> bool {
    let slow = |fault: &Fault| {
        matches!(
            fault.does,
            FaultKind::Touch { touch: Touch::Delay(_), .. } | FaultKind::Answers { how: Answers::In(_), .. }
        )
    };
    let harmless = |says: &PolicyKind| {
        matches!(
            says,
            PolicyKind::Retries { .. }
                | PolicyKind::Balance { .. }
                | PolicyKind::Route { .. }
                | PolicyKind::Sticky { .. }
        )
    };
    plan.faults.iter().all(slow) && plan.policies.iter().all(|policy| harmless(&policy.says))
}

/// Nothing lies before the timer of a call, or stops it.
fn nothing_holds_back(plan: &Plan) -> bool {
    !plan.faults.iter().any(|fault| match &fault.does {
        FaultKind::Touch { on, touch: Touch::Delay(_) } => on.level == Level::Calls,
        FaultKind::Down { .. } | FaultKind::Restarted { .. } => true,
        _ => false,
    })
}

/// After how long every call to the service is given up, all the time.
fn gives_up(view: &View<'_, '_, '_>, service: &ServiceName) -> Option<Duration> {
    let plan = view.plan();
    let found = plan.policies.iter().filter(|policy| !view.built.changes.contains(&policy.id)).filter_map(|policy| {
        let PolicyKind::Timeout { of, after } = &policy.says else { return None };
        let all = of.of.from.is_none() && of.of.filter.is_empty() && callee(&of.of).is_none_or(|to| to == service);
        (all && of.level == Level::Calls).then_some(*after)
    });
    found.filter(|_| view.built.changes.is_empty()).min()
}
