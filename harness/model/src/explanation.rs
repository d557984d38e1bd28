//! Why a claim was violated, as far as the evidence tells: when it began, what carries it, and which mechanism did it.
//!
//! For people. No verdict rests on any of it.

use crate::Unit;
use serde::{Deserialize, Serialize};

/// What explains a finding. Everything in it is left out where nothing explains it clearly.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Explanation {
    /// From when on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Since>,
    /// Which part of the traffic carries it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<Split>,
    /// Of a claim about time: how long it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<Times>,
    /// What the proxies did, where the evidence singles one thing out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mechanism: Option<Mechanism>,
}

impl Explanation {
    /// Nothing explains it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Explanation::default()
    }
}

/// So many of so many units offend against the claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Units that offend.
    pub hits: u64,
    /// Units in all.
    pub n: u64,
}

impl Tally {
    /// The share that offends; 0 of none.
    #[must_use]
    pub fn share(self) -> f64 {
        if self.n == 0 { 0.0 } else { self.hits as f64 / self.n as f64 }
    }
}

/// A moment of the traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// In which stage, from 0.
    pub stage: u32,
    /// Nanoseconds after its time origin, the first intended send.
    pub at: u64,
}

/// From when on, and until when, units offend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Since {
    /// From the beginning on; nothing changes that chance does not explain.
    First {
        /// When the first of them that offends began.
        first: Moment,
        /// When the last of them began.
        last: Moment,
        /// How many do.
        all: Tally,
        /// What is counted.
        unit: Unit,
    },
    /// The first one was later than that, but there are too few of them to tell a change from chance.
    Scattered {
        /// The first.
        first: Moment,
        /// The last.
        last: Moment,
    },
    /// A stretch of time in which significantly more of them do than before and after.
    Stretch {
        /// The first that offends.
        from: Moment,
        /// The last that offends; `None`: it goes on to the end of the traffic.
        to: Option<Moment>,
        /// In the stretch.
        within: Tally,
        /// Before and after it.
        without: Tally,
        /// What is counted.
        unit: Unit,
        /// What took effect just before, as it was written.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cue: Option<Onset>,
    },
}

/// Something of the timeline after which it began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Onset {
    /// The line as written: `instance 2 of "reviews" is killed`.
    pub text: String,
    /// It ended then, and did not begin.
    pub ended: bool,
    /// Nanoseconds from the moment at which it was asked for.
    pub after: u64,
}

/// The part of the traffic that carries it: by the attribute and the value that explain most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// By what.
    pub by: Attribute,
    /// Its value, as it was written.
    pub value: String,
    /// Of those that have it.
    pub within: Tally,
    /// Of the others.
    pub without: Tally,
    /// What is counted.
    pub unit: Unit,
}

/// What traffic can be told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "docs/terminology.md defines the words")]
pub enum Attribute {
    Version,
    Zone,
    Instance,
    Path,
    Method,
    Host,
    Header,
    User,
    Line,
    CallerZone,
    Caller,
    Edge,
    Attempt,
}

/// Percentiles of how long the units of a claim took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Times {
    /// Each percentile.
    pub percentiles: Vec<PercentileOf>,
    /// Units in all.
    pub n: u64,
    /// Units without an end that counts: later than all others.
    pub unanswered: u64,
    /// The error rate of each pair of bounds.
    pub error: f64,
}

/// One percentile with its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PercentileOf {
    /// Which: 99 is the p99.
    pub percent: f64,
    /// The true one is below this with a chance of at most half the error.
    pub low: Reading,
    /// Of what was seen, by nearest rank.
    pub seen: Reading,
    /// The true one is above this with a chance of at most half the error.
    pub high: Reading,
}

/// A time of an order statistic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    /// So many nanoseconds.
    At(u64),
    /// Beyond all answers.
    Never,
    /// There are too few to say.
    Open,
}

/// What the proxies did, in one sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mechanism {
    /// Its name: `retries_exhausted`. The table is in `squall-verdict`.
    pub rule: String,
    /// The sentence.
    pub text: String,
    /// Offending units that show it; of all.
    pub covers: Tally,
}
