//! Numbers as sentences.

use squall_model::{Compared, Measured, Unit, Verdict};
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
pub(crate) fn sureness(alpha: f64) -> String {
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
#[must_use]
pub fn count(n: u64, noun: &str) -> String {
    let plural = match noun.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None => format!("{noun}s"),
    };
    format!("{n} {}", if n == 1 { noun.to_owned() } else { plural })
}

/// What units are called, where there are many.
pub(crate) fn units(unit: Unit) -> &'static str {
    match unit {
        Unit::Call => "calls",
        Unit::Try => "tries",
        Unit::Retry => "retries",
        Unit::User => "users",
        Unit::Connection => "connections",
    }
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
            format!("{} ({hits} of {n}); {} ({sure} sure)", percent(share), truth(*low, *high))
        }
        Measured::Units { units, hits, n, effective, mean, low, high, alpha } => {
            let worth = effective.map(|m| format!(" (≈ {} independent)", thousands(m))).unwrap_or_default();
            format!(
                "{} on average over {units} units: {hits} of {n} calls{worth}; {} ({} sure)",
                percent(*mean),
                truth(*low, *high),
                sureness(*alpha)
            )
        }
        Measured::Every { against: 0, n } => format!("all of {n} agree"),
        Measured::Every { against, n } => format!("{against} of {n} break it"),
        Measured::Number { low, high } if low == high => milli(*low),
        Measured::Number { low, high } => format!("between {} and {}", milli(*low), milli(*high)),
        Measured::Pairs { half, n, treated, baseline, low, high, alpha } => {
            let (with, without) = pairs(*half, (*treated, *baseline), *n);
            let (low, high, sure) = (points(*low), points(*high), sureness(*alpha));
            format!(
                "{with}, of the others {without}; the true difference lies between {low} and {high} points ({sure} sure)"
            )
        }
        Measured::Time(None) if matches!(verdict, Verdict::Violated) => "it never happened".to_owned(),
        Measured::Time(None) => "it was not seen".to_owned(),
        Measured::Time(Some((low, high))) if high - low < 100_000 => time(*high),
        Measured::Time(Some((low, high))) => format!("between {} and {}", time(*low), time(*high)),
        Measured::NotOver(least) => format!("at least {}, and was not over", time(*least)),
    }
}

/// The bounds of a share: on one side alone where only that one was looked for.
fn truth(low: f64, high: f64) -> String {
    match (low > 0.0, high < 1.0) {
        (false, true) => format!("the truth is at most {}", bound(high)),
        (true, false) => format!("the truth is at least {}", bound(low)),
        _ => format!("the truth lies between {} and {}", bound(low), bound(high)),
    }
}

/// Near the ends a bound has a figure more: 98.97% must not read as the 99% that it excludes.
fn bound(share: f64) -> String {
    if (0.05..=0.95).contains(&share) {
        return percent(share);
    }
    let text = format!("{:.2}", share * 100.0);
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}

/// What was seen of the calls that may be worse, and of the others.
fn pairs(half: Compared, (treated, baseline): (u64, u64), n: u64) -> (String, String) {
    match half {
        Compared::Success => (format!("in success: {treated} of {n} fail"), format!("{baseline} of {n}")),
        Compared::Latency { treated: u64::MAX, .. } | Compared::Latency { baseline: u64::MAX, .. } => {
            let why = "in latency, more than 5% of the pilot having failed";
            (format!("{why}: {treated} of {n} fail"), format!("{baseline} of {n}"))
        }
        Compared::Latency { treated: limit, baseline: other } => (
            format!("in latency: {treated} of {n} fail or take longer than {}", time(limit)),
            format!("{baseline} of {n} longer than {}", time(other)),
        ),
    }
}

/// A difference of two shares, in points of a hundred.
fn points(difference: f64) -> String {
    let text = format!("{:.1}", difference * 100.0);
    let text = text.strip_suffix(".0").unwrap_or(&text);
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
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
    fn a_bound_that_excludes_the_promise_does_not_read_as_it() {
        let share =
            |low, high| measured(&Measured::Share { hits: 184, n: 200, low, high, alpha: 1e-7 }, &Verdict::Violated);
        insta::assert_snapshot!([share(0.0, 0.9897), share(0.125, 1.0), share(0.1, 0.2), share(0.0, 1.0)].join("\n"), @"
        92% (184 of 200); the truth is at most 98.97% (99.99999% sure)
        92% (184 of 200); the truth is at least 12.5% (99.99999% sure)
        92% (184 of 200); the truth lies between 10% and 20% (99.99999% sure)
        92% (184 of 200); the truth lies between 0% and 100% (99.99999% sure)
        ");
        assert_eq!([0.0, 0.0312, 0.05, 0.9, 0.99961, 1.0].map(bound), ["0%", "3.12%", "5%", "90%", "99.96%", "100%"]);
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
        assert_eq!([0.0312, -0.05, -0.0001, 0.3].map(points), ["3.1", "-5", "0", "30"]);
        let ordinals = [1, 2, 3, 4, 11, 12, 13, 21, 112].map(ordinal);
        assert_eq!(ordinals, ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "112th"]);
    }

    #[test]
    fn pairs_name_their_half_and_both_kinds_of_call() {
        let of = |half, treated, baseline| Measured::Pairs {
            half,
            n: 600,
            treated,
            baseline,
            low: 0.0312,
            high: 0.0871,
            alpha: 5e-8,
        };
        let latency = Compared::Latency { treated: 16_250_000, baseline: 11_250_000 };
        let never = Compared::Latency { treated: u64::MAX, baseline: u64::MAX };
        let told = [of(Compared::Success, 31, 0), of(latency, 62, 28), of(never, 62, 60)];
        let told: Vec<String> = told.iter().map(|m| measured(m, &Verdict::Violated)).collect();
        insta::assert_snapshot!(told.join("\n"), @"
        in success: 31 of 600 fail, of the others 0 of 600; the true difference lies between 3.1 and 8.7 points (99.999995% sure)
        in latency: 62 of 600 fail or take longer than 16.2 ms, of the others 28 of 600 longer than 11.2 ms; the true difference lies between 3.1 and 8.7 points (99.999995% sure)
        in latency, more than 5% of the pilot having failed: 62 of 600 fail, of the others 60 of 600; the true difference lies between 3.1 and 8.7 points (99.999995% sure)
        ");
    }
}
