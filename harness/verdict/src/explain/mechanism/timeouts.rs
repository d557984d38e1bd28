//! Given up on: by the timeout of a call or of a try, or by the client.

use super::{
    Said,
    facts::{Facts, Offender, of},
    slow::held,
};
use squall_evidence::CallOutcome;
use squall_model::{ClientEnd, Level, duration};
use std::time::Duration;

/// A timeout that a policy sets ended them (UT); and what held them up for longer, where that is known.
pub(super) fn too_short(facts: &Facts<'_>) -> Said {
    let level = facts.common(level)?;
    let after = facts.common(|o| facts.policies.timeout(o.story, level))?;
    let covers = facts.most(|o| o.outcome == CallOutcome::TimedOut && self::level(o) == Some(level))?;
    let whose = if level == Level::Calls { "a call" } else { "a try" };
    let held = held(facts);
    let is_shorter = held.as_ref().and_then(|held| held.by).is_some_and(|by| by >= after);
    let title = if is_shorter { "is too short" } else { "ended them" };
    let text = format!(
        "the timeout of {} for {whose} {title}: {} ran into it (UT){}",
        duration(after),
        of(covers),
        held.map_or(String::new(), |held| format!(", while {}", held.why)),
    );
    Some((text, covers))
}

/// Whose timeout it was, by the details that the caller's proxy gives.
fn level(o: &Offender<'_>) -> Option<Level> {
    match o.details() {
        "response_timeout" => Some(Level::Calls),
        "upstream_per_try_timeout" | "upstream_per_try_idle_timeout" => Some(Level::Tries),
        _ => None,
    }
}

/// The client gave up, and no proxy had before.
pub(super) fn client_deadline(facts: &Facts<'_>) -> Said {
    let covers = facts.most(|o| o.story.end == ClientEnd::Deadline)?;
    let waited = facts.common(|o| Some(Duration::from_secs((o.story.took() + 500_000_000) / 1_000_000_000)))?;
    let text = format!(
        "no proxy's timeout ended them: {} waited until the client's own deadline of {}{}",
        of(covers),
        duration(waited),
        held(facts).map_or(String::new(), |held| format!(", while {}", held.why)),
    );
    Some((text, covers))
}
