//! Phrases that take some reckoning: `fewer than 5 calls`, `is killed for 1 s`.

use super::repair::denials;
use regex::Captures;
use squall_model::{duration, parse_duration};
use std::time::Duration;

fn number(found: &Captures<'_>, group: usize) -> Option<u64> {
    found.get(group)?.as_str().parse().ok()
}

fn time(found: &Captures<'_>, group: usize) -> Option<Duration> {
    parse_duration(found.get(group)?.as_str()).ok()
}

/// `fewer than 5 calls`: at most 4.
pub(super) fn fewer(found: &Captures<'_>) -> Option<String> {
    match number(found, 1)? {
        0 => None,
        1 => Some(format!("no {}", &found[2])),
        than => Some(format!("at most {} {}", than - 1, &found[2])),
    }
}

/// `more than 5 tries`: at least 6.
pub(super) fn more(found: &Captures<'_>) -> Option<String> {
    Some(format!("at least {} {}", number(found, 1)?.checked_add(1)?, &found[2]))
}

/// `one`.
pub(super) fn digits(found: &Captures<'_>) -> Option<String> {
    let words = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
    let number = words.iter().position(|word| *word == &found[1])? + 1;
    Some(number.to_string())
}

/// `at 2 s for 1 s`.
pub(super) fn until(found: &Captures<'_>) -> Option<String> {
    Some(span(time(found, 1)?, time(found, 2)?))
}

/// `for 1 s from 2 s`.
pub(super) fn from_until(found: &Captures<'_>) -> Option<String> {
    Some(span(time(found, 2)?, time(found, 1)?))
}

/// ` for 1 s`, and not from when: as long as that, from the first second on.
pub(super) fn from_one_second(found: &Captures<'_>) -> Option<String> {
    Some(format!(" {}", span(Duration::from_secs(1), time(found, 1)?)))
}

fn span(from: Duration, lasts: Duration) -> String {
    format!("from {} to {}", duration(from), duration(from + lasts))
}

/// `while instance 2 is killed`. What is denied is no fault.
pub(super) fn during(found: &Captures<'_>) -> Option<String> {
    (denials(&found[0]) == 0).then(|| "during the fault".to_owned())
}
