//! Numbers as sentences.

use squall_model::{Measured, Verdict};
use std::time::Duration;

/// A proportion as people read it: enough digits to tell it from its neighbours, no more.
pub(crate) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let digits = if (0.1..=99.9).contains(&percent) { 1 } else { 3 };
    let text = format!("{percent:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}%")
}

/// The complement of an error rate, with as many digits as it takes: 1e-7 is 99.99999%.
fn sureness(alpha: f64) -> String {
    let digits = (-alpha.log10()).ceil().clamp(2.0, 14.0) as usize - 2;
    format!("{:.digits$}%", (1.0 - alpha) * 100.0)
}

/// A whole number with its thousands apart.
pub(crate) fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let groups: Vec<&str> = {
        let first = digits.len() % 3;
        let (head, tail) = digits.split_at(first);
        let rest = (0..tail.len() / 3).map(|g| &tail[g * 3..g * 3 + 3]);
        Some(head).filter(|h| !h.is_empty()).into_iter().chain(rest).collect()
    };
    groups.join(",")
}

/// Nanoseconds as people read them, three figures.
pub(crate) fn time(ns: u64) -> String {
    let unit = |value: f64, unit: &str| {
        let digits = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
        format!("{value:.digits$} {unit}")
    };
    match ns {
        0..1_000_000 => unit(ns as f64 / 1e3, "µs"),
        1_000_000..1_000_000_000 => unit(ns as f64 / 1e6, "ms"),
        _ => unit(ns as f64 / 1e9, "s"),
    }
}

/// A number in thousandths.
pub(crate) fn milli(value: u64) -> String {
    match value % 1000 {
        0 => format!("{}", value / 1000),
        _ => format!("{}.{:03}", value / 1000, value % 1000).trim_end_matches('0').to_owned(),
    }
}

/// `1 call`, `2 calls`.
pub(crate) fn count(n: u64, noun: &str) -> String {
    let plural = match noun.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None => format!("{noun}s"),
    };
    format!("{n} {}", if n == 1 { noun.to_owned() } else { plural })
}

/// `1st`, `2nd`, `3rd`, `4th`, `11th`, `21st`.
pub(crate) fn ordinal(n: u32) -> String {
    let end = match (n % 10, n % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{n}{end}")
}

/// What was measured for a claim, in one sentence.
#[must_use]
pub fn measured(measured: &Measured, verdict: &Verdict) -> String {
    match measured {
        Measured::Nothing => "nothing could be measured".to_owned(),
        Measured::Share { hits, n, low, high, alpha } => {
            let share = if *n == 0 { 0.0 } else { *hits as f64 / *n as f64 };
            let sure = sureness(*alpha);
            format!(
                "{} ({hits} of {n}); the truth lies between {} and {} ({sure} sure)",
                percent(share),
                percent(*low),
                percent(*high)
            )
        }
        Measured::Units { units, hits, n, effective, mean, low, high, alpha } => {
            let worth = effective.map(|m| format!(" (≈ {} independent)", thousands(m))).unwrap_or_default();
            format!(
                "{} on average over {units} units: {hits} of {n} calls{worth}; the truth lies between {} and {} ({} sure)",
                percent(*mean),
                percent(*low),
                percent(*high),
                sureness(*alpha)
            )
        }
        Measured::Every { against: 0, n } => format!("all of {n} agree"),
        Measured::Every { against, n } => format!("{against} of {n} break it"),
        Measured::Number { low, high } if low == high => milli(*low),
        Measured::Number { low, high } => format!("between {} and {}", milli(*low), milli(*high)),
        Measured::Time(None) if matches!(verdict, Verdict::Violated) => "it never happened".to_owned(),
        Measured::Time(None) => "it was not seen".to_owned(),
        Measured::Time(Some((low, high))) if high - low < 100_000 => time(*high),
        Measured::Time(Some((low, high))) => format!("between {} and {}", time(*low), time(*high)),
    }
}

/// A duration of a whole step, from nanoseconds.
pub(crate) fn seconds(ns: u64) -> String {
    format!("{:.1} s", Duration::from_nanos(ns).as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_that_hang_together_say_what_they_are_worth() {
        let (low, high) = (0.03, 0.21);
        let seen =
            Measured::Units { units: 50, hits: 100, n: 1_000, effective: Some(49), mean: 0.1, low, high, alpha: 1e-3 };
        insta::assert_snapshot!(measured(&seen, &Verdict::Holds), @"10% on average over 50 units: 100 of 1000 calls (≈ 49 independent); the truth lies between 3% and 21% (99.9% sure)");
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(percent(0.702), "70.2%");
        assert_eq!(percent(0.9), "90%");
        assert_eq!(percent(1.0 - 1e-7), "100%");
        assert_eq!(percent(0.9996), "99.96%");
        assert_eq!(time(340_000), "340 µs");
        assert_eq!(time(5_210_000), "5.21 ms");
        assert_eq!(time(1_500_000_000), "1.50 s");
        assert_eq!(milli(1350), "1.35");
        assert_eq!(milli(4000), "4");
        assert_eq!(sureness(1e-7), "99.99999%");
        assert_eq!(sureness(1e-3), "99.9%");
        assert_eq!(thousands(2_500_000), "2,500,000");
        assert_eq!(thousands(12), "12");
        assert_eq!(count(1, "try"), "1 try");
        assert_eq!(count(2, "try"), "2 tries");
        let ordinals = [1, 2, 3, 4, 11, 12, 13, 21, 112].map(ordinal);
        assert_eq!(ordinals, ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "112th"]);
    }
}
