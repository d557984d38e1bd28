//! Thresholds: what makes a run fail, judged by what the calls show of the server and not by what they happened to be.
//!
//! A percentile or a share of a sample is a guess at that of the server. A threshold is *broken* only if the whole range that the
//! calls leave open is beyond it, *kept* only if none of it is, and *undecided* else; each of the first two is wrong with a chance
//! of at most [`ERROR`]. What is said of every single call (the maximum, a share against 0% or 100%) needs no statistics.

use crate::{ERROR, latencies::Bucket, recorder::Recorder};
use squall_model::{QuantityError, parse_duration};
use squall_stats::{
    bounds::{Position, clopper_pearson_lower, clopper_pearson_upper},
    share::Look,
};
use std::{fmt, str::FromStr};
use thiserror::Error;

/// Why a text is no threshold.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ThresholdError {
    /// Not three parts.
    #[error("`{0}` is no threshold: write what, how and how much, like `p99 > 250ms` or `success < 99%`")]
    Form(String),
    /// Nothing that is measured.
    #[error(
        "`{0}` is not measured: use p50, p99, p99.9…, max, success or errors, `service p99` for the time from the actual send"
    )]
    Metric(String),
    /// No time where one is due.
    #[error(transparent)]
    Time(#[from] QuantityError),
    /// No share where one is due.
    #[error("`{0}` is no share: use one from 0% to 100%")]
    Share(String),
}

/// A promise, as the condition that breaks it.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    metric: Metric,
    compare: Compare,
    /// Nanoseconds or a share from 0 to 1.
    value: f64,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Metric {
    /// From the intended start, or from the actual send.
    Percentile {
        q: f64,
        service: bool,
    },
    Max {
        service: bool,
    },
    Success,
    Errors,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compare {
    Above,
    AtLeast,
    Below,
    AtMost,
}

impl Compare {
    fn of(self, left: f64, right: f64) -> bool {
        match self {
            Compare::Above => left > right,
            Compare::AtLeast => left >= right,
            Compare::Below => left < right,
            Compare::AtMost => left <= right,
        }
    }
}

/// What the calls say of a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Kept.
    Fine,
    /// Shown to be broken.
    Broken,
    /// Neither is shown.
    Undecided(Undecided),
}

impl Verdict {
    /// True where it is kept.
    #[must_use]
    pub fn is_fine(self) -> bool {
        self == Verdict::Fine
    }
}

/// Why nothing is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undecided {
    /// No number of calls below this bounds the percentile on both sides.
    TooFew {
        /// Calls that it takes.
        need: u64,
    },
    /// Too near to the threshold for so many calls.
    TooNear,
    /// The generator did not keep its schedule, so the times are its own as well.
    Saturated,
    /// There was no call.
    NoCalls,
    /// An agent was lost, and nobody knows what became of its calls.
    Lost,
}

/// A threshold with its verdict, and the range that the calls leave open: nanoseconds or shares. Infinite: among the calls
/// without an answer, or not bounded.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// As it was written.
    pub text: String,
    /// What came of it.
    pub verdict: Verdict,
    /// Lower end.
    pub low: f64,
    /// Of the calls themselves.
    pub measured: f64,
    /// Upper end.
    pub high: f64,
    /// Whether these are shares.
    pub is_share: bool,
}

impl Judged {
    /// What is left of it where calls are missing that nobody knows: nothing.
    #[must_use]
    pub fn of_a_part(self) -> Judged {
        let (low, high) = (f64::NEG_INFINITY, f64::INFINITY);
        Judged { verdict: Verdict::Undecided(Undecided::Lost), low, measured: f64::NAN, high, ..self }
    }
}

/// A range with what was measured in it.
struct Range {
    low: f64,
    measured: f64,
    high: f64,
}

impl Range {
    fn exact(measured: f64) -> Range {
        Range { low: measured, measured, high: measured }
    }
}

impl Threshold {
    /// Judges it by the calls of a run; where the generator was `saturated`, no time shows anything.
    #[must_use]
    pub fn judge(&self, calls: &Recorder, saturated: bool) -> Judged {
        let range = self.range(calls);
        let verdict = match &range {
            None => Verdict::Undecided(Undecided::NoCalls),
            Some(_) if saturated && !self.is_share() => Verdict::Undecided(Undecided::Saturated),
            Some(range) => self.verdict(range, calls.counts().calls),
        };
        let Range { low, measured, high } =
            range.unwrap_or(Range { low: 0.0, measured: f64::NAN, high: f64::INFINITY });
        Judged { text: self.text.clone(), verdict, low, measured, high, is_share: self.is_share() }
    }

    fn verdict(&self, range: &Range, calls: u64) -> Verdict {
        match (self.compare.of(range.low, self.value), self.compare.of(range.high, self.value)) {
            (true, true) => Verdict::Broken,
            (false, false) => Verdict::Fine,
            _ => Verdict::Undecided(match self.needed() {
                Some(need) if calls < need => Undecided::TooFew { need },
                _ => Undecided::TooNear,
            }),
        }
    }

    fn is_share(&self) -> bool {
        matches!(self.metric, Metric::Success | Metric::Errors)
    }

    /// Calls that it takes to show anything: of a percentile, all below it or all above must be rarer than the error; of a share, that
    /// every single call was a success, or an error.
    #[must_use]
    pub fn needed(&self) -> Option<u64> {
        match self.metric {
            Metric::Percentile { q, .. } => Some((ERROR.ln() / q.max(1.0 - q).ln()).ceil() as u64),
            Metric::Success | Metric::Errors if self.value > 0.0 && self.value < 1.0 => {
                let likely = if self.metric == Metric::Success { self.value } else { 1.0 - self.value };
                Some((ERROR.ln() / likely.ln()).ceil() as u64)
            }
            _ => None,
        }
    }

    fn range(&self, calls: &Recorder) -> Option<Range> {
        let counts = calls.counts();
        if counts.calls == 0 {
            return None;
        }
        let times = |service| if service { calls.service().clone() } else { calls.latency() };
        match self.metric {
            Metric::Max { .. } if counts.unanswered() > 0 => Some(Range::exact(f64::INFINITY)),
            Metric::Max { service } => Some(Range::exact(times(service).max().as_nanos() as f64)),
            Metric::Percentile { q, service } => {
                let found = times(service).percentile(counts.unanswered(), q, 2.0 * ERROR)?;
                Some(Range {
                    low: end(found.lower, 0.0, |b| b.low),
                    measured: end(found.measured, f64::NAN, |b| b.high),
                    high: end(found.upper, f64::INFINITY, |b| b.high),
                })
            }
            Metric::Success => self.share(Look { n: counts.calls, hits: counts.succeeded }),
            Metric::Errors => self.share(Look { n: counts.calls, hits: counts.failed() }),
        }
    }

    fn share(&self, seen: Look) -> Option<Range> {
        let measured = seen.hits as f64 / seen.n as f64;
        // "Every call" is said of these calls: no number of them could show that it always holds, and one breaks it.
        if self.value <= 0.0 || self.value >= 1.0 {
            return Some(Range::exact(measured));
        }
        let (low, high) = (clopper_pearson_lower(seen, ERROR)?, clopper_pearson_upper(seen, ERROR)?);
        Some(Range { low, measured, high })
    }
}

fn end(position: Position<Bucket>, open: f64, side: impl Fn(Bucket) -> std::time::Duration) -> f64 {
    match position {
        Position::At(bucket) => side(bucket).as_nanos() as f64,
        Position::Unanswered => f64::INFINITY,
        Position::Open => open,
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Threshold {
    type Err = ThresholdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = || ThresholdError::Form(text.into());
        let at = text.find(['<', '>']).ok_or_else(form)?;
        let (metric, rest) = text.split_at(at);
        let (compare, value) = match rest.strip_prefix(">=").map(|v| (Compare::AtLeast, v)) {
            Some(found) => found,
            None => match rest.strip_prefix("<=").map(|v| (Compare::AtMost, v)) {
                Some(found) => found,
                None if rest.starts_with('>') => (Compare::Above, &rest[1..]),
                None => (Compare::Below, &rest[1..]),
            },
        };
        let (metric, value) = (metric.trim(), value.trim());
        if metric.is_empty() || value.is_empty() {
            return Err(form());
        }
        let metric = self::metric(metric)?;
        let value = match metric {
            Metric::Success | Metric::Errors => share(value)?,
            _ => parse_duration(value)?.as_nanos() as f64,
        };
        Ok(Threshold { metric, compare, value, text: text.trim().to_owned() })
    }
}

fn metric(word: &str) -> Result<Metric, ThresholdError> {
    let unknown = || ThresholdError::Metric(word.into());
    let (service, name) = match word.strip_prefix("service ") {
        Some(name) => (true, name.trim()),
        None => (false, word),
    };
    match name {
        "max" => Ok(Metric::Max { service }),
        "success" if !service => Ok(Metric::Success),
        "errors" if !service => Ok(Metric::Errors),
        _ => {
            let number = name.strip_prefix('p').filter(|n| n.bytes().all(|b| b.is_ascii_digit() || b == b'.'));
            let percent: f64 = number.and_then(|n| n.parse().ok()).ok_or_else(unknown)?;
            let within = percent > 0.0 && percent < 100.0;
            within.then_some(Metric::Percentile { q: percent / 100.0, service }).ok_or_else(unknown)
        }
    }
}

fn share(text: &str) -> Result<f64, ThresholdError> {
    let wrong = || ThresholdError::Share(text.into());
    let number = text.strip_suffix('%').map_or(text, str::trim_end);
    let percent: f64 = number.parse().map_err(|_| wrong())?;
    // A bare 0 means none; any other share says of what it is a share.
    let clear = text.ends_with('%') || percent == 0.0;
    (clear && (0.0..=100.0).contains(&percent)).then_some(percent / 100.0).ok_or_else(wrong)
}

#[cfg(test)]
mod tests;
