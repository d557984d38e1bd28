//! What came of a claim.

use crate::{ClaimId, ClientEnd, Discord, Dose, Explanation, FaultId, GrpcStatus, GuardMet, InstanceId, duration};
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// What came of a claim, a scenario or a run. Only `Holds` is green.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The evidence excludes that the promise is false.
    Holds,
    /// The evidence excludes that the promise is true.
    Violated,
    /// Neither, or the evidence cannot be trusted.
    Inconclusive(Why),
    /// This mesh cannot do what the scenario needs.
    Unsupported(String),
    /// Squall or the machine failed.
    Error(String),
}

/// Why a verdict is inconclusive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Too few calls; about so many would decide.
    Undecided {
        /// Calls needed in all, where that is known.
        needed: Option<u64>,
    },
    /// A fault was not what it was meant to be.
    Dose {
        /// Which fault.
        fault: FaultId,
        /// What it was.
        dose: Dose,
        /// Where it was that, as far as that is known: partial, leaked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        discord: Option<Discord>,
    },
    /// Observers disagree: the causes, the one that explains most first.
    Books(#[serde(deserialize_with = "Discord::read_all")] Vec<Discord>),
    /// The machine was in trouble; the text says which and by how much.
    Environment(String),
    /// Nothing was there to judge: the population is empty.
    Empty,
    /// The answer depends on calls that crossed the border of a phase.
    Border,
    /// The answer depends on calls that the machine held up between the client and its proxy, where no mesh does anything.
    HeldUp {
        /// How many.
        calls: u64,
        /// For how long the longest of them, in nanoseconds.
        longest: u64,
    },
    /// What calls are compared with did not stay as it was, so that it would be no measure of them.
    Drifted {
        /// What 95 of 100 of the calls that the limit comes from took, nanoseconds…
        first: u64,
        /// …and of the others that nothing was done to.
        others: u64,
    },
    /// What was to be measured went on when nobody looked any more.
    NotOver,
    /// What calls are compared with fails by itself.
    Failing {
        /// So many of the calls that nothing was done to failed…
        failed: u64,
        /// …of so many.
        of: u64,
    },
    /// The control run decided nothing.
    ControlUndecided,
    /// A guard ended the run: what was to be shown was cut off.
    Aborted(Box<GuardMet>),
}

/// The order in which verdicts outweigh each other; the worst of a scenario's is the scenario's.
impl Verdict {
    /// 0 for holds; the higher, the worse.
    #[must_use]
    pub fn weight(&self) -> u8 {
        match self {
            Verdict::Holds => 0,
            Verdict::Unsupported(_) => 1,
            Verdict::Inconclusive(_) => 2,
            Verdict::Error(_) => 3,
            Verdict::Violated => 4,
        }
    }

    /// The evidence excludes one of the two.
    #[must_use]
    pub fn is_decided(&self) -> bool {
        matches!(self, Verdict::Holds | Verdict::Violated)
    }

    /// One word.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Holds => "holds",
            Verdict::Violated => "violated",
            Verdict::Inconclusive(_) => "inconclusive",
            Verdict::Unsupported(_) => "unsupported",
            Verdict::Error(_) => "error",
        }
    }

    /// The worst of several; `Holds` where there are none.
    #[must_use]
    pub fn worst<'a>(verdicts: impl IntoIterator<Item = &'a Verdict>) -> Verdict {
        verdicts.into_iter().max_by_key(|v| v.weight()).cloned().unwrap_or(Verdict::Holds)
    }
}

/// What was measured for a claim.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measured {
    /// Nothing could be.
    Nothing,
    /// A proportion: `hits` of `n`, with an interval that is valid at whatever moment the run was stopped.
    Share {
        /// Units with the outcome.
        hits: u64,
        /// Units in all.
        n: u64,
        /// Lower end of the confidence sequence.
        low: f64,
        /// Upper end of the confidence sequence.
        high: f64,
        /// Its error rate.
        alpha: f64,
    },
    /// A proportion of calls that hang together, each user's (or other key's) being one draw: the mean over the units, with an
    /// interval that is valid at whatever moment the run was stopped.
    Units {
        /// Units: users, say.
        units: u64,
        /// Calls of theirs with the outcome.
        hits: u64,
        /// Calls of theirs in all.
        n: u64,
        /// As many independent calls would say as much, by Kish's design effect; `None` where they show no variance.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        effective: Option<u64>,
        /// The mean of the units' own proportions.
        mean: f64,
        /// Lower end of the confidence sequence.
        low: f64,
        /// Upper end of the confidence sequence.
        high: f64,
        /// Its error rate.
        alpha: f64,
    },
    /// Counter-examples among `n` units.
    Every {
        /// How many broke the claim.
        against: u64,
        /// Units in all.
        n: u64,
    },
    /// A number, in thousandths, with what is uncertain of it at the borders of the phase.
    Number {
        /// The least that it can have been.
        low: u64,
        /// The most that it can have been.
        high: u64,
    },
    /// A time in nanoseconds, known as an interval; `None`: it never came.
    Time(Option<(u64, u64)>),
    /// A time in nanoseconds that was not over: it lasted so long at the least.
    NotOver(u64),
    /// Calls of two kinds, pair by pair: the half of *as good as* that decided, or is furthest from it.
    Pairs {
        /// In what they were compared.
        half: Compared,
        /// So many pairs.
        n: u64,
        /// Of those with the fault (or after the change), so many were bad.
        treated: u64,
        /// Of the others, so many were.
        baseline: u64,
        /// Lower end of the confidence sequence of the difference of the two shares, from -1 to 1.
        low: f64,
        /// Upper end.
        high: f64,
        /// Its error rate.
        alpha: f64,
    },
}

/// In what calls of two kinds are compared, and which of them are bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compared {
    /// In success: those that failed.
    Success,
    /// In latency: those that were not answered, or failed, or took longer than this, in nanoseconds.
    Latency {
        /// Those that may be worse: the other limit and what the margin allows.
        treated: u64,
        /// The others: what 95 of 100 calls of the pilot took.
        baseline: u64,
    },
}

/// What came of one claim.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Which claim.
    pub claim: ClaimId,
    /// What came of it.
    pub verdict: Verdict,
    /// What was measured.
    pub measured: Measured,
    /// Up to five calls that show it.
    pub exemplars: Vec<Exemplar>,
    /// What explains it, if it is violated.
    #[serde(default, skip_serializing_if = "Explanation::is_empty")]
    pub explanation: Explanation,
}

/// One call with all its tries, for people to read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Exemplar {
    /// `x-request-id`.
    pub id: String,
    /// Nanoseconds from the stage's time origin to its intended send.
    pub at: u64,
    /// Nanoseconds from the intended send to its end.
    pub took: u64,
    /// How it ended for its client.
    pub end: ClientEnd,
    /// What that is called: `succeeded`, `shed`, `timed out`…
    pub outcome: String,
    /// Response flags of the caller's proxy.
    pub flags: String,
    /// Response code details of the caller's proxy.
    pub details: String,
    /// Every try.
    pub tries: Vec<ExemplarTry>,
}

/// One try of an exemplar.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExemplarTry {
    /// Its number, from 1.
    pub attempt: u32,
    /// Where it went.
    pub instance: Option<InstanceId>,
    /// Nanoseconds from the call's intended send to its beginning.
    pub at: i64,
    /// How long it lasted, nanoseconds.
    pub took: u64,
    /// Its status; 0 if none.
    pub status: u16,
    /// Its status of gRPC, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grpc: Option<GrpcStatus>,
    /// Flags of the caller's upstream log, then of the callee's access log, where they say anything.
    pub flags: String,
    /// True if the workload saw it.
    pub served: bool,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Undecided { needed: Some(needed) } => write!(f, "too few calls to decide: about {needed} would"),
            Why::Undecided { needed: None } => f.write_str("too few calls to decide"),
            Why::Dose { discord: Some(discord), .. } => discord.fmt(f),
            Why::Dose { dose, .. } => dose.fmt(f),
            Why::Books(causes) => books(f, causes),
            Why::Environment(text) => write!(f, "the run proves nothing: {text}"),
            Why::Empty => f.write_str("there was nothing to judge"),
            Why::Border => f.write_str("it depends on calls that crossed the border of the phase"),
            Why::HeldUp { calls, longest } => {
                let calls = if *calls == 1 { "a call".to_owned() } else { format!("{calls} calls") };
                let longest = duration(Duration::from_millis(longest / 1_000_000));
                write!(
                    f,
                    "it depends on {calls} that lay {longest} between the client and its proxy, and that is the machine's"
                )
            }
            Why::Drifted { first, others } => {
                let [first, others] = [first, others].map(|nanos| duration(Duration::from_nanos(*nanos)));
                write!(
                    f,
                    "what it is compared with changed by itself: 95 of 100 of the calls that the limit comes from took {first}, of the others {others}"
                )
            }
            Why::Failing { failed, of } => {
                write!(f, "what it is compared with fails by itself: {failed} of {of} calls did")
            }
            Why::NotOver => f.write_str("it was not over when the traffic was, or was ended with it"),
            Why::ControlUndecided => f.write_str("the control run decided nothing"),
            Why::Aborted(met) => write!(f, "nothing was proven, {met}"),
        }
    }
}

/// The first few causes; the others are counted.
fn books(f: &mut fmt::Formatter<'_>, causes: &[Discord]) -> fmt::Result {
    const SHOWN: usize = 3;
    let shown: Vec<String> = causes.iter().take(SHOWN).map(ToString::to_string).collect();
    f.write_str(&shown.join("; "))?;
    match causes.len().saturating_sub(SHOWN) {
        0 => Ok(()),
        more => write!(f, "; and {more} more"),
    }
}
