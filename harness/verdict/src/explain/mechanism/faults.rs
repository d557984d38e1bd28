//! What a fault did at the caller's own proxy.

use super::{
    Said,
    facts::{Facts, of},
};
use squall_evidence::CallOutcome;
use squall_model::Level;

/// Aborted at the caller's proxy, where no retry can help: FI on the call, and no try was sent.
pub(super) fn aborted_at_caller(facts: &Facts<'_>) -> Said {
    let covers = facts.most(|o| o.outcome == CallOutcome::Aborted && o.flagged("FI") && o.tries.is_empty())?;
    let by = facts.abort(Level::Calls).map_or(String::new(), |fault| format!(", while {}", fault.does));
    let text = format!(
        "no retry can help them: {} were aborted at the caller's own proxy, before its retries (FI){by}",
        of(covers)
    );
    Some((text, covers))
}
