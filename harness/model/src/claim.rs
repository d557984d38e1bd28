//! What is expected: the lines of kind E, as claims about something unknown.

use crate::{AnswerCode, Calls, Fraction, Margin, Reference, Stick, Target, duration_text, duration_text_option};
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// Number of a claim within its plan, from 0, in order of writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClaimId(pub u32);

/// One expectation.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Its number.
    pub id: ClaimId,
    /// The line as written, without its keyword.
    pub text: String,
    /// What it claims.
    pub kind: ClaimKind,
}

/// The kinds of claim. The exact ones need no statistics; `Share` and `Paired` do.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ClaimKind {
    /// Of all units, or of none: one counter-example violates, an empty set is inconclusive.
    Every {
        /// Of which units.
        of: Population,
        /// True for `every`, false for `no`.
        all: bool,
        /// What they do, or do not.
        outcome: Outcome,
    },
    /// A realised number that a mechanism bounds.
    Total {
        /// Which number.
        quantity: Quantity,
        /// Its bounds.
        bound: Bound,
    },
    /// The time of one event; n = 1.
    Moment {
        /// What happens.
        what: Happening,
        /// How soon.
        #[serde(with = "duration_text")]
        within: Duration,
        /// After what.
        of: MomentRef,
    },
    /// A state is seen at some moment of a phase, or at none.
    State {
        /// Which, of whom.
        what: State,
        /// True for `is …`, false for `is never …`.
        ever: bool,
        /// In this part of the time.
        phase: Phase,
    },
    /// How long the first interval of a state is; ends included.
    Lasts {
        /// Which, of whom.
        what: State,
        /// The shortest.
        #[serde(with = "duration_text_option")]
        least: Option<Duration>,
        /// The longest.
        #[serde(with = "duration_text_option")]
        most: Option<Duration>,
    },
    /// An unknown proportion, judged sequentially.
    Share {
        /// Of which units.
        of: Population,
        /// Of what they do.
        outcome: Outcome,
        /// Between which proportions.
        bound: ShareBound,
    },
    /// Calls fare as well with the fault (or the change) as without it, up to a margin: judged pair by pair, sequentially.
    Paired {
        /// Which calls.
        calls: Calls,
        /// As what.
        reference: Reference,
        /// By how much they may be worse.
        margin: Margin,
    },
}

/// A set of units of traffic.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Population {
    /// What is counted.
    pub unit: Unit,
    /// Only some of them.
    pub only: Option<Only>,
    /// Made for these calls.
    pub calls: Calls,
    /// In this part of the time.
    pub phase: Phase,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "docs/terminology.md defines each")]
pub enum Unit {
    Call,
    Try,
    Retry,
    User,
    Connection,
}

/// `shed call`, `failed call`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Only {
    /// Those that were shed.
    Shed,
    /// Those that failed.
    Failed,
}

/// What a unit does.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome {
    /// A complete, intact, successful answer; within a time from the intended send.
    Succeed(#[serde(with = "duration_text_option")] Option<Duration>),
    /// Not succeed.
    Fail,
    /// Any end, within a time from the intended send.
    FinishWithin(#[serde(with = "duration_text")] Duration),
    /// Any end, no sooner than this.
    TakeAtLeast(#[serde(with = "duration_text")] Duration),
    /// Given up on by a proxy's timeout or the client's deadline.
    TimeOut,
    /// Turned away for a limit, no workload having seen it.
    Shed(Option<Shedder>),
    /// Refused at the connection, or no healthy upstream.
    Refused,
    /// Broken off.
    Reset,
    /// No route, no cluster.
    Unroutable,
    /// Turned away for who or what it is: 401, 403.
    Denied,
    /// Answered with this status.
    Answered(AnswerCode),
    /// Its answer came from one of these.
    Reach(Target),
    /// All of its calls that were answered came from one version, or one instance: of a user with several.
    ReachOnlyOne(Stick),
    /// More tries than this were made for it.
    TriedMoreThan(u32),
    /// Two of its tries went to one instance.
    TriedTwiceOnOneInstance,
    /// More than one try was made for it.
    Retried,
    /// The caller's proxy logged this response flag.
    LoggedWithFlag(String),
}

/// Who sheds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the language's own words")]
pub enum Shedder {
    CircuitBreaker,
    RateLimit,
    AdmissionControl,
    AdaptiveConcurrency,
}

/// Bounds on a proportion, ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShareBound {
    /// No less than.
    AtLeast(Fraction),
    /// No more than.
    AtMost(Fraction),
    /// More than.
    MoreThan(Fraction),
    /// Both.
    Between(Fraction, Fraction),
}

/// Bounds on a number, ends included, in thousandths so that `1.35 tries` is exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bound {
    /// The least, in thousandths.
    pub low: Option<u64>,
    /// The most, in thousandths.
    pub high: Option<u64>,
}

/// A number that evidence gives.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Quantity {
    /// Units with this outcome: `at most 10 calls fail`.
    Count {
        /// Of which units.
        of: Population,
        /// With which outcome.
        outcome: Outcome,
    },
    /// Tries of a target: `receives` (they reached its proxy) or `serves` (its workload saw them).
    Tries {
        /// Whose.
        target: Target,
        /// Where they were counted.
        seen_by: SeenBy,
        /// As what.
        per: Per,
        /// In this part of the time.
        phase: Phase,
    },
}

/// Where a try was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeenBy {
    /// By the callee's proxy.
    Proxy,
    /// By the workload.
    Workload,
}

/// A count as what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// As it is.
    Total,
    /// For each call of the traffic lines to its service.
    Call,
    /// Per second, mean over the phase.
    Second,
}

/// A part of the time of a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Phase {
    /// All of it.
    #[default]
    Whole,
    /// Before anything of this was asked for.
    Before(Anchor),
    /// While it was in place, confirmed.
    During(Anchor),
    /// After it had ended, confirmed.
    After(Anchor),
    /// By the clock of the stage.
    Clock {
        /// From.
        #[serde(with = "duration_text")]
        from: Duration,
        /// To; none: the end.
        #[serde(with = "duration_text_option")]
        to: Option<Duration>,
    },
}

/// What a phase lies before, during or after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Anchor {
    /// The faults, all of them together.
    Fault,
    /// The changes.
    Change,
}

/// What a Moment claim waits for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Happening {
    /// Calls fail as seldom as in the phase before, up to a margin, and no 50 of them in a row look worse.
    Recover(Calls),
    /// The first try after the moment reaches one of these.
    GetsTraffic(Target),
    /// It comes to be so.
    Becomes(State),
}

/// A state of instances, as a caller's proxy sees them: each for itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Which.
    pub is: Condition,
    /// Of whom; every one of them.
    pub of: Target,
}

/// What an instance can be to a caller's proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// Out, by outlier detection.
    Ejected,
    /// Out, by active checks.
    Unhealthy,
    /// In, by active checks.
    Healthy,
}

/// `is ejected`, `is healthy`.
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Condition::Ejected => "is ejected",
            Condition::Unhealthy => "is unhealthy",
            Condition::Healthy => "is healthy",
        })
    }
}

/// The moment that a Moment claim counts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MomentRef {
    /// The start of the fault.
    FaultStart,
    /// The end of the fault.
    FaultEnd,
    /// The change.
    Change,
    /// The n-th failure of the subject, from 1.
    Failure(u32),
}

impl Outcome {
    /// The instances that the outcome speaks of, where it does.
    #[must_use]
    pub fn target(&self) -> Option<&Target> {
        match self {
            Outcome::Reach(target) => Some(target),
            _ => None,
        }
    }
}

impl ClaimKind {
    /// The population that it reads, where it has one.
    #[must_use]
    pub fn population(&self) -> Option<&Population> {
        match self {
            ClaimKind::Every { of, .. }
            | ClaimKind::Share { of, .. }
            | ClaimKind::Total { quantity: Quantity::Count { of, .. }, .. } => Some(of),
            ClaimKind::Total { .. }
            | ClaimKind::Moment { .. }
            | ClaimKind::State { .. }
            | ClaimKind::Lasts { .. }
            | ClaimKind::Paired { .. } => None,
        }
    }

    /// The phase that it reads; a Moment reads the whole, and so does what compares two of them.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self {
            ClaimKind::Total { quantity: Quantity::Tries { phase, .. }, .. } | ClaimKind::State { phase, .. } => *phase,
            other => other.population().map_or(Phase::Whole, |p| p.phase),
        }
    }
}
