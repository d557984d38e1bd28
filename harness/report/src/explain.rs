//! What explains a violated claim, in words: since when, where, how long it took, by which mechanism.

use crate::words::{ordinal, percent, sureness, time, units};
use squall_model::{Attribute, Explanation, Moment, Onset, PercentileOf, Reading, Since, Split, Tally, Times};

/// Labels with their sentences, in order.
pub(crate) fn rows(explanation: &Explanation) -> Vec<(&'static str, String)> {
    let rows = [
        explanation.since.as_ref().map(|s| ("since", since(s))),
        explanation.split.as_ref().map(|s| ("where", split(s))),
        explanation.times.as_ref().map(|t| ("times", times(t))),
        explanation.mechanism.as_ref().map(|m| ("likely", m.text.clone())),
    ];
    rows.into_iter().flatten().collect()
}

fn since(since: &Since) -> String {
    match since {
        Since::First { first, last, all, unit } if all.hits == all.n => {
            format!("{} to {}: all {} {}", at(first), at(last), all.n, units(*unit))
        }
        Since::First { first, last, all, unit } => format!(
            "{} to {}: {} of the {}, with no change over time that chance does not explain",
            at(first),
            at(last),
            share(*all),
            units(*unit)
        ),
        Since::Scattered { first, last } if first == last => format!("{}, once", at(first)),
        Since::Scattered { first, last } => {
            format!("{} to {}: too few to tell a change from chance", at(first), at(last))
        }
        Since::Stretch { from, to, within, without, unit, cue } => {
            let to = to.as_ref().map_or_else(|| "the end".to_owned(), at);
            let cue = cue.as_ref().map_or(String::new(), onset);
            let others = match without.hits {
                0 => format!("none of the {} others", without.n),
                _ => format!("{} of the others", share(*without)),
            };
            format!("{} to {to}{cue}: {} of the {} then, {others}", at(from), share(*within), units(*unit))
        }
    }
}

/// The line of the feature after which it began.
fn onset(onset: &Onset) -> String {
    let end = if onset.ended { "the end of " } else { "" };
    match onset.after {
        0 => format!(", at {end}“{}”", onset.text),
        after => format!(", {} after {end}“{}”", time(after), onset.text),
    }
}

/// `0.700 s`; with its stage where it is not in the first.
fn at(moment: &Moment) -> String {
    let seconds = format!("{:.3} s", moment.at as f64 / 1e9);
    match moment.stage {
        0 => seconds,
        stage => format!("{seconds} of stage {}", stage + 1),
    }
}

fn share(tally: Tally) -> String {
    format!("{} ({} of {})", percent(tally.share()), tally.hits, tally.n)
}

fn split(split: &Split) -> String {
    let Split { by, value, within, without, unit } = split;
    let (what, whose) = (units(*unit), whose(*by, value));
    match (without.hits, within.hits == within.n) {
        (0, true) => format!("exactly the {} {what} {whose}", within.hits),
        (0, false) => format!(
            "all {} are among the {} {what} {whose} ({}), none among the {} others",
            within.hits,
            within.n,
            percent(within.share()),
            without.n
        ),
        _ => format!("{} of the {what} {whose}, {} of the others", share(*within), share(*without)),
    }
}

/// The part of the traffic, to follow `calls`.
fn whose(by: Attribute, value: &str) -> String {
    match by {
        Attribute::Version | Attribute::Instance | Attribute::Zone => format!("that went to {value}"),
        Attribute::Path => format!("on path {value}"),
        Attribute::Method => format!("with method {value}"),
        Attribute::Host => format!("to host {value}"),
        Attribute::Header => format!("with header {value}"),
        Attribute::User => format!("of user {value}"),
        Attribute::Line => format!("of the traffic line at {value}"),
        Attribute::CallerZone => format!("made in {value}"),
        Attribute::Caller => format!("made by {value}"),
        Attribute::Edge => format!("over {value}"),
        Attribute::Attempt => match value.parse() {
            Ok(number) => format!("that were the {} try of their call", ordinal(number)),
            Err(_) => format!("number {value}"),
        },
    }
}

fn times(times: &Times) -> String {
    let each: Vec<String> = times.percentiles.iter().map(percentile).collect();
    let lost = match times.unanswered {
        0 => String::new(),
        some => format!("; {some} of {} never", times.n),
    };
    format!("{} ({} sure{lost})", each.join(" · "), sureness(times.error))
}

/// `p99 41.2 ms [38.0 ms – 52.1 ms]`. What is not bounded on a side says so.
fn percentile(p: &PercentileOf) -> String {
    let one = |reading: Reading, open: &str| match reading {
        Reading::At(ns) => time(ns),
        Reading::Never => "never".to_owned(),
        Reading::Open => open.to_owned(),
    };
    let (low, seen, high) = (one(p.low, "?"), one(p.seen, "?"), one(p.high, "?"));
    format!("p{} {seen} [{low} – {high}]", p.percent)
}

#[cfg(test)]
mod tests;
