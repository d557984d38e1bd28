//! Turned away for a limit, or not retried for one.

use super::{
    Said,
    facts::{Facts, Offender, of},
};
use squall_evidence::CallOutcome;
use squall_model::{InFlight, PolicyKind, Shedder};

/// Shed by the caller's circuit breaker: UO, and no try was sent.
pub(super) fn shed_by_breaker(facts: &Facts<'_>) -> Said {
    let covers = facts.most(|o| o.outcome == CallOutcome::Shed(Shedder::CircuitBreaker) && o.tries.is_empty())?;
    let limit = facts.common(|o| breaker(facts, o));
    let at = limit.map_or(String::new(), |limit| format!("; {limit}"));
    let text = format!(
        "the circuit breaker shed them: {} were turned away at the caller's proxy before a try was sent (UO){at}",
        of(covers)
    );
    Some((text, covers))
}

/// The breaker's limit for the calls between two services.
fn breaker(facts: &Facts<'_>, o: &Offender<'_>) -> Option<String> {
    let edge = &o.story.edge;
    facts.policies.of_call(o.story).find_map(|says| match says {
        PolicyKind::InFlight { caller, at_most, unit: InFlight::Tries, to }
            if *caller == edge.from && *to == edge.to =>
        {
            Some(format!("\"{caller}\" may have {at_most} tries to \"{to}\" in flight"))
        }
        PolicyKind::Connections { caller, at_most, waiting, to } if *caller == edge.from && *to == edge.to => Some(
            format!("\"{caller}\" may have {at_most} connections to \"{to}\", and {waiting} calls waiting for one"),
        ),
        _ => None,
    })
}

/// Shed by another limit than the circuit breaker's.
pub(super) fn shed(facts: &Facts<'_>) -> Said {
    let by = facts.common(|o| match o.outcome {
        CallOutcome::Shed(by) if by != Shedder::CircuitBreaker => Some(by),
        _ => None,
    })?;
    let covers = facts.most(|o| o.outcome == CallOutcome::Shed(by))?;
    let limit = match by {
        Shedder::RateLimit => "the rate limit",
        Shedder::AdmissionControl => "admission control",
        Shedder::AdaptiveConcurrency => "adaptive concurrency",
        Shedder::CircuitBreaker => "the circuit breaker",
    };
    Some((format!("{limit} shed them: {} were turned away before any workload saw them", of(covers)), covers))
}

/// A retry was due and not made, for a limit on retries in flight: UO, although a try was sent (and counted as
/// `upstream_rq_retry_overflow`).
pub(super) fn retry_suppressed(facts: &Facts<'_>) -> Said {
    let covers = facts.most(|o| !o.is_try && o.failed() && o.flagged("UO") && !o.tries.is_empty())?;
    let limit = facts.common(|o| {
        facts.policies.of_call(o.story).find_map(|says| match says {
            PolicyKind::RetryBudget { share, at_least, .. } => {
                Some(format!("the retry budget ({share} of the tries in flight, at least {at_least})"))
            }
            PolicyKind::InFlight { caller, at_most, unit: InFlight::Retries, to }
                if *caller == o.story.edge.from && *to == o.story.edge.to =>
            {
                Some(format!("the circuit breaker (at most {at_most} retries in flight)"))
            }
            _ => None,
        })
    });
    let by = limit.unwrap_or_else(|| "the limit on retries in flight".to_owned());
    let counted = overflows(facts);
    let counter = if counted > 0 { format!(", upstream_rq_retry_overflow +{counted}") } else { String::new() };
    let text = format!("{by} suppressed the retry: {} failed and were not tried again (UO{counter})", of(covers));
    Some((text, covers))
}

fn overflows(facts: &Facts<'_>) -> u64 {
    let records = facts.case.evidence.observed().counters.iter().flat_map(|c| c.rises.iter());
    records.filter(|(name, _)| name.ends_with(".upstream_rq_retry_overflow")).map(|(_, rise)| *rise).sum()
}
