//! Given up on: by the timeout of a call or of a try, or by the client.

use super::{
    Said,
    facts::{Facts, Offender, of},
    slow::held,
};
use squall_evidence::CallOutcome;
use squall_model::{ClientEnd, Level, Outcome, duration};
use std::time::Duration;

/// A timeout that a policy sets ended them (UT); and what held them up for longer, where that is known.
pub(super) fn too_short(facts: &Facts<'_>) -> Said {
    let level = facts.common(level)?;
    let after = facts.common(|o| facts.policies.timeout(o.story, level))?;
    let covers = facts.most(|o| o.outcome == CallOutcome::TimedOut && self::level(o) == Some(level))?;
    let held = held(facts);
    let is_shorter = held.as_ref().and_then(|held| held.by).is_some_and(|by| by >= after);
    let title = if is_shorter { "is too short" } else { "ended them" };
    let text = format!(
        "the timeout of {} for {} {title}: {} ran into it (UT){}",
        duration(after),
        whose(level),
        of(covers),
        held.map_or(String::new(), |held| format!(", while {}", held.why)),
    );
    Some((text, covers))
}

/// They should have been given up on, and were over before the timeout that is set for them.
pub(super) fn too_long(facts: &Facts<'_>) -> Said {
    let (Outcome::TimeOut, false) = facts.outcome()? else { return None };
    let (level, after) = facts.common(|o| set(facts, o))?;
    let covers = facts.most(|o| set(facts, o).is_some() && u128::from(o.took()) < after.as_nanos())?;
    let text = format!(
        "the timeout of {} for {} is longer than they took: {} were over before{}",
        duration(after),
        whose(level),
        of(covers),
        held(facts).map_or(String::new(), |held| format!(", while {}", held.why)),
    );
    Some((text, covers))
}

/// They should have been over sooner, and what ended them was a timeout: which, by the details that the caller's proxy gives.
pub(super) fn too_late(facts: &Facts<'_>) -> Said {
    let (Outcome::FinishWithin(_), false) = facts.outcome()? else { return None };
    let details = facts.common(|o| Some(o.details()).filter(|details| details.ends_with("_timeout")))?;
    let ended = |o: &Offender<'_>| o.outcome == CallOutcome::TimedOut && o.details() == details;
    let covers = facts.most(ended)?;
    let least = facts.offenders.iter().filter(|o| ended(o)).map(Offender::took).min()?;
    let text = format!(
        "a timeout ended them too late: {} were given up on after {} or longer ({details}){}",
        of(covers),
        duration(Duration::from_millis(least / 1_000_000)),
        held(facts).map_or(String::new(), |held| format!(", while {}", held.why)),
    );
    Some((text, covers))
}

/// The timeout that is set for an offender: that of a call, else that of a try.
pub(super) fn set(facts: &Facts<'_>, o: &Offender<'_>) -> Option<(Level, Duration)> {
    let of = |level| Some((level, facts.policies.timeout(o.story, level)?));
    of(Level::Calls).or_else(|| of(Level::Tries))
}

pub(super) fn whose(level: Level) -> &'static str {
    if level == Level::Calls { "a call" } else { "a try" }
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
