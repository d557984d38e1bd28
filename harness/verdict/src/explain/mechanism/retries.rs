//! Retries that were all used up, or never made.

use super::{
    Said,
    facts::{Facts, Offender, allowed, befell, of, tries},
};
use squall_evidence::{Flags, TryView};
use squall_model::{AnswerCode, Answers, FaultKind, GrpcStatus, Level, Outcome, RetryOn};

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
    Some((text, covers))
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
