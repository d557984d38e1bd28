//! By which mechanism: rules from evidence to a sentence, in the terms of the field.
//!
//! A rule speaks only of what the records show, and only if that is so of at least nine in ten offenders. The first that has
//! something to say is heard: the special ones come before the general ones.

mod amounts;
mod connections;
mod facts;
mod faults;
mod limits;
mod policies;
mod retries;
mod slow;
mod states;
mod timeouts;

use super::offence::Offence;
use crate::ruling::Case;
use facts::Facts;
use squall_model::{Claim, Mechanism, Tally};

/// What a rule says: its sentence, and how many offenders show it.
type Said = Option<(String, Tally)>;

/// A rule and its name.
type Rule = (&'static str, fn(&Facts<'_>) -> Said);

const RULES: &[Rule] = &[
    ("shed_by_circuit_breaker", limits::shed_by_breaker),
    ("shed", limits::shed),
    ("retry_suppressed", limits::retry_suppressed),
    ("aborted_at_caller", faults::aborted_at_caller),
    ("unroutable", connections::unroutable),
    ("denied", connections::denied),
    ("no_healthy_upstream", connections::no_healthy_upstream),
    ("held_out", connections::held_out),
    ("panic_routing", connections::panic_routing),
    ("no_policy", amounts::no_policy),
    ("timeout_too_long", timeouts::too_long),
    ("retries_allowed", amounts::retries_allowed),
    ("same_instance_allowed", retries::same_instance_allowed),
    ("retries_exhausted", retries::exhausted),
    ("timeout_too_short", timeouts::too_short),
    ("timeout_too_late", timeouts::too_late),
    ("client_deadline", timeouts::client_deadline),
    ("not_retriable", retries::not_retriable),
    ("connection_failed", connections::failed),
    ("connection_broke", connections::broke),
    ("never_retried", retries::never_retried),
    ("held_by_fault", slow::held_by_fault),
    ("slowed_by_retries", slow::slowed_by_retries),
    ("workload_took_long", slow::workload_took_long),
    ("as_routed", amounts::as_routed),
    ("saved_by_retry", amounts::saved_by_retry),
    ("undisturbed", amounts::undisturbed),
];

/// What likely brought it about; `None` where the evidence singles nothing out.
pub(super) fn likely(
    case: Case<'_>,
    claim: &Claim,
    offence: Option<&Offence<'_>>,
    offenders: &[usize],
) -> Option<Mechanism> {
    if let Some(said) = states::ejection(case, claim) {
        return Some(mechanism("ejection", said));
    }
    if let Some(said) = states::unchecked(case, claim) {
        return Some(mechanism("unchecked", said));
    }
    let facts = Facts::new(case, claim, offence, offenders);
    let (name, said) = RULES.iter().find_map(|(name, rule)| Some((*name, rule(&facts)?)))?;
    Some(mechanism(name, said))
}

fn mechanism(rule: &str, (text, covers): (String, Tally)) -> Mechanism {
    Mechanism { rule: rule.to_owned(), text, covers }
}

#[cfg(test)]
mod tests;
