//! What ends a whole run before its time: a guard, judged while the traffic of a main run flows.

use crate::{Calls, ClientEnd, Fraction, GrpcStatus, Origin, Outcome, duration};
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// Number of a guard within its plan, from 0, in order of writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GuardId(pub u32);

/// A line that ends the whole run once it is met. Nothing is asked but what clients see: logs may be late, and a guard may not.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guard {
    /// Its number.
    pub id: GuardId,
    /// The line as written, without its keyword.
    pub text: String,
    /// Of which calls it speaks.
    pub says: GuardKind,
}

/// What a guard says.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuardKind {
    /// Of which calls of the traffic lines.
    pub of: Calls,
    /// Of those that failed alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
    /// What they do; one that [clients see](Outcome::is_seen_by_clients).
    pub outcome: Outcome,
    /// How many of them are too many, or too few.
    pub once: Threshold,
}

/// Where a guard is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Threshold {
    /// The share is shown to be larger. `at least` and `more than` are the same to an unknown share.
    Above(Fraction),
    /// The share is shown to be smaller.
    Below(Fraction),
    /// So many of them, and no fewer.
    Count(u64),
}

/// A guard that was met: why a run was aborted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuardMet {
    /// The line as written.
    pub text: String,
    /// Where.
    pub origin: Origin,
    /// From the stage's time origin to the moment at which it was seen, in nanoseconds.
    pub at: u64,
    /// What was measured.
    pub measured: Tripped,
}

/// What was measured when a guard was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tripped {
    /// So many calls did what the guard speaks of.
    pub hits: u64,
    /// Of so many; calls that were still in flight count among them where they may have been meant.
    pub n: u64,
    /// Only of the latest calls; else of all since the traffic began.
    pub latest: bool,
}

/// `41 of the latest 50 calls (82%)`.
impl fmt::Display for Tripped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tripped { hits, n, latest } = *self;
        let latest = if latest { "the latest " } else { "" };
        let calls = if n == 1 { "call" } else { "calls" };
        let percent = (hits * 1000).checked_div(n).unwrap_or(0);
        write!(f, "{hits} of {latest}{n} {calls} ({}.{}%)", percent / 10, percent % 10)
    }
}

/// `the guard at f.feature:7:5 was met at 2.31 s by 41 of the latest 50 calls (82.0%): the run is aborted once …`.
impl fmt::Display for GuardMet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = duration(Duration::from_millis(self.at / 1_000_000));
        write!(f, "the guard at {} was met at {at} by {}: {}", self.origin, self.measured, self.text)
    }
}

impl Outcome {
    /// Whether the client alone can tell, as soon as the call has ended. Who reached whom, who turned it away and how often it was
    /// tried stands in logs.
    #[must_use]
    pub fn is_seen_by_clients(&self) -> bool {
        match self {
            Outcome::Succeed(_)
            | Outcome::Fail
            | Outcome::FinishWithin(_)
            | Outcome::TakeAtLeast(_)
            | Outcome::Answered(_) => true,
            Outcome::TimeOut
            | Outcome::Shed(_)
            | Outcome::Refused
            | Outcome::Reset
            | Outcome::Unroutable
            | Outcome::Denied
            | Outcome::Reach(_)
            | Outcome::ReachOnlyOne(_)
            | Outcome::TriedMoreThan(_)
            | Outcome::TriedTwiceOnOneInstance
            | Outcome::Retried
            | Outcome::LoggedWithFlag(_) => false,
        }
    }
}

impl ClientEnd {
    /// A complete, intact, successful answer: a status below 400, of gRPC OK.
    #[must_use]
    pub fn is_success(self) -> bool {
        matches!(self, ClientEnd::Answered(200..=399) | ClientEnd::Grpc(GrpcStatus::Ok))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guard_that_was_met_says_where_when_and_by_how_much() {
        let met = GuardMet {
            text: "the run is aborted once more than 20% of the calls fail".into(),
            origin: Origin { file: "f.feature".into(), line: 7, column: 5, length: 9 },
            at: 2_314_159_265,
            measured: Tripped { hits: 41, n: 50, latest: true },
        };
        assert_eq!(
            met.to_string(),
            "the guard at f.feature:7:5 was met at 2.314 s by 41 of the latest 50 calls (82.0%): \
             the run is aborted once more than 20% of the calls fail"
        );
        assert_eq!(Tripped { hits: 1, n: 1, latest: false }.to_string(), "1 of 1 call (100.0%)");
    }
}
