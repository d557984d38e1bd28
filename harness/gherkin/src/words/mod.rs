//! Nouns as sentences: what a noun of the model is called in the language. Reading the sentence gives the noun back.

mod claim;
mod policy;
#[cfg(test)]
mod tests;
mod traffic;

pub(crate) use claim::claim;
#[cfg(test)]
pub(crate) use claim::outcome;
pub(crate) use policy::{balancer, policy};
pub(crate) use traffic::traffic;

use squall_model::FaultKind;

/// A fault, without its time; `None` for what only a control run does.
pub(crate) fn fault(does: &FaultKind) -> Option<String> {
    match does {
        FaultKind::Outage { .. } => None,
        FaultKind::Resized { service, to } => Some(format!("\"{service}\" grows to {to} instances")),
        other => Some(other.to_string()),
    }
}

/// `1 time`, `2 times`.
fn counted(number: u32, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
