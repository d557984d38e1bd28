//! Retries that were all used up, or never made.

use super::{
    Said,
    facts::{Facts, Offender, allowed, befell, of, tries},
};
use squall_evidence::{Flags, TryView};
use squall_model::{AnswerCode, Answers, FaultKind, GrpcStatus, InstanceId, Level, Outcome, RetryOn};

/// As many tries as are allowed, and all of them failed (URX).
pub(super) fn exhausted(facts: &Facts<'_>) -> Said {
    let limit = facts.common(|o| facts.policies.retries(o.story).map(|r| r.up_to))?;
    let all = limit as usize + 1;
    let is_spent = |o: &Offender<'_>| {
        let by_itself = o.details() != "response_timeout";
        !o.is_try && o.failed() && o.tries.len() == all && by_itself && facts.policies.retries(o.story).is_some()
    };
    let covers = facts.most(is_spent)?;
    let each = facts.common(|o| {
        let words: Vec<String> = o.tries.iter().map(befell).collect();
        words.first().filter(|first| words.iter().all(|w| w == *first)).cloned()
    });
    let what = match each {
        Some(befell) => format!("were {befell} on all of their {}", tries(all)),
        None => format!("failed on all of their {}", tries(all)),
    };
    let text = format!("retries were exhausted: {} {what} ({})", of(covers), allowed(limit));
    Some((text + &at_the_same(facts).unwrap_or_default(), covers))
}

/// Nobody's tries left the instance that the first of them had gone to, although there are others; and what sends them there.
fn at_the_same(facts: &Facts<'_>) -> Option<String> {
    let covers = facts.most(|o| only(facts, o).is_some())?;
    let mut text = match facts.common(|o| only(facts, o)) {
        Some(to) => format!("; every try of {} went to {to}", of(covers)),
        None => format!("; every try of {} went to one and the same instance", of(covers)),
    };
    let fault = facts.fault_at_callee(|_| true).or_else(|| facts.touching(|level, _| level == Level::Tries));
    if let Some(fault) = fault {
        text += &format!(", while {}", fault.does);
    }
    let anywhere = |o: &Offender<'_>| facts.policies.retries(o.story).is_some_and(|retried| !retried.elsewhere);
    if facts.most(anywhere).is_some() {
        text += "; with `, each on another instance` a retry goes to one that was not tried yet";
    }
    Some(text)
}

/// The one instance that all tries of a call which was retried went to, of several.
fn only<'a>(facts: &Facts<'a>, o: &Offender<'a>) -> Option<&'a InstanceId> {
    let service = facts.case.plan.topology.service(&o.story.edge.to)?;
    let mut to = o.tries.iter().map(TryView::instance);
    let first = to.next()??;
    (o.tries.len() > 1 && service.instances.len() > 1 && to.all(|to| to == Some(first))).then_some(first)
}

/// Tried again where it had failed, which the policy leaves open.
pub(super) fn same_instance_allowed(facts: &Facts<'_>) -> Said {
    let (Outcome::TriedTwiceOnOneInstance, true) = facts.outcome()? else { return None };
    let covers = facts.most(|o| facts.policies.retries(o.story).is_some_and(|r| !r.elsewhere))?;
    let text = format!(
        "retries may go anywhere: {} were tried again on an instance that had failed them, and the policy does not ask for \
         another",
        of(covers)
    );
    Some((text, covers))
}

/// Retries are allowed and were not used up: what went wrong is not among what is retried.
pub(super) fn not_retriable(facts: &Facts<'_>) -> Said {
    let on = facts.common(|o| facts.policies.retries(o.story).map(|r| r.on))?;
    let is_left_out = |o: &Offender<'_>| {
        let more = facts.policies.retries(o.story).is_some_and(|r| o.tries.len() <= r.up_to as usize);
        let last = o.tries.last();
        let own_end = !matches!(o.details(), "response_timeout" | "max_duration_timeout");
        let unlike = last.is_some_and(|t| !on.iter().any(|on| is_retried(*on, t)));
        !o.is_try && o.failed() && more && own_end && !o.flagged("UO") && unlike
    };
    let covers = facts.most(is_left_out)?;
    let what = facts.common(|o| o.tries.last().map(befell)).map_or("failed".to_owned(), |w| format!("were {w}"));
    let on: Vec<String> = on.iter().map(ToString::to_string).collect();
    let text = format!(
        "what went wrong is not among what is retried: {} {what}, and retried is only on \"{}\"",
        of(covers),
        on.join(", ")
    );
    Some((text, covers))
}

/// No retries are allowed at all.
pub(super) fn never_retried(facts: &Facts<'_>) -> Said {
    let is_alone =
        |o: &Offender<'_>| !o.is_try && o.failed() && o.tries.len() == 1 && facts.policies.retries(o.story).is_none();
    let covers = facts.most(is_alone)?;
    let what = facts.common(|o| o.tries.last().map(befell))?;
    let answers =
        |kind: &FaultKind| matches!(kind, FaultKind::Answers { how: Answers::With(_) | Answers::After { .. }, .. });
    let fault = facts.abort(Level::Tries).or_else(|| facts.fault_at_callee(answers));
    let by = fault.map_or(String::new(), |fault| format!(", while {}", fault.does));
    Some((format!("nothing retries them: {} were {what} on their only try{by}", of(covers)), covers))
}

/// Is what became of a try retried by this condition? As Envoy documents them (router filter, x-envoy-retry-on and
/// x-envoy-retry-grpc-on).
fn is_retried(on: RetryOn, t: &TryView<'_>) -> bool {
    let status = t.status();
    let unanswered = status == 0;
    let flagged = |flag: &str| t.sent.is_some_and(|sent| Flags(&sent.flags).has(flag));
    let grpc = |is: GrpcStatus| t.answer() == Some(AnswerCode::Grpc(is));
    match on {
        RetryOn::FiveHundreds => unanswered || status >= 500,
        RetryOn::GatewayError => unanswered || matches!(status, 502..=504),
        RetryOn::Reset => unanswered,
        RetryOn::ResetBeforeRequest | RetryOn::ConnectFailure => unanswered && flagged("UF"),
        RetryOn::EnvoyRatelimited => t.arrived.is_some_and(|line| Flags(&line.flags).has("RL")),
        RetryOn::Retriable4xx => status == 409,
        RetryOn::RefusedStream => unanswered && flagged("UR"),
        RetryOn::Cancelled => grpc(GrpcStatus::Cancelled),
        RetryOn::DeadlineExceeded => grpc(GrpcStatus::DeadlineExceeded),
        RetryOn::Internal => grpc(GrpcStatus::Internal),
        RetryOn::ResourceExhausted => grpc(GrpcStatus::ResourceExhausted),
        RetryOn::Unavailable => grpc(GrpcStatus::Unavailable),
        RetryOn::Status(wanted) => status == wanted,
    }
}
