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
    let (title, held) = match held(facts) {
        Some(held) => {
            let shorter = held.by.filter(|by| *by >= after).map(|by| format!(" is shorter than the {}", duration(by)));
            (shorter.unwrap_or_else(|| " ended them".to_owned()), format!(": {}", held.why))
        }
        None => (" ended them".to_owned(), String::new()),
    };
    let text = format!("the timeout of {} for {whose}{title}{held}; {} ran into it (UT)", duration(after), of(covers));
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
    let held = held(facts).map_or(String::new(), |held| format!(": {}", held.why));
    let text = format!(
        "no timeout of a proxy ended them before the client's own deadline{held}; {} were given up on by the client \
         after {}",
        of(covers),
        duration(waited)
    );
    Some((text, covers))
}
