//! What is broken, and what happens: the lines of kind F.

use crate::{Calls, Fraction, Level, ServiceName, Target, Traffic, duration, duration_text, duration_text_option};
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// Number of a fault within its plan, from 0, in order of writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FaultId(pub u32);

/// A fault or an event as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Its number.
    pub id: FaultId,
    /// What it does.
    pub does: FaultKind,
    /// When.
    pub when: When,
}

/// What a fault or event does.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum FaultKind {
    /// A share of calls (caller's proxy) or tries (callee's proxy) is aborted or delayed.
    Touch {
        /// Which, and how many of them.
        on: Traffic,
        /// How.
        touch: Touch,
    },
    /// Instances answer otherwise than before.
    Answers {
        /// Which instances.
        of: Target,
        /// How.
        how: Answers,
    },
    /// Instances (workload and proxy) die at once; they come back at the fault's end.
    Killed {
        /// Which instances.
        of: Target,
    },
    /// The workloads alone die; callers then get an answer from the callee's proxy.
    ProcessKilled {
        /// Of which instances.
        of: Target,
    },
    /// The control plane dies; it comes back at the fault's end.
    ControlPlaneKilled,
    /// The service has so many instances from now on: the highest numbers come and go. An event.
    Resized {
        /// Which service.
        service: ServiceName,
        /// To how many.
        to: u32,
    },
    /// The wire of these calls is cut: what a control run of `@control(outage)` does.
    Outage {
        /// Which calls.
        of: Calls,
    },
}

/// How a call or a try is touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Touch {
    /// Answered by the proxy with this HTTP status; it goes no further.
    Abort(u16),
    /// Held for so long, then sent on.
    Delay(#[serde(with = "duration_text")] Duration),
}

/// How instances answer from now on. Status and latency are two aspects: one does not change the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Answers {
    /// With this status.
    Status(u16),
    /// After so long.
    In(#[serde(with = "duration_text")] Duration),
    /// Without delay.
    AtOnce,
    /// As the topology says, in both aspects.
    AsBefore,
}

/// When a fault is in place, counted from the stage's time origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum When {
    /// In place and confirmed before the next traffic begins, until the scenario ends.
    #[default]
    Standing,
    /// From this moment on; what is over in a moment happens then.
    At(#[serde(with = "duration_text")] Duration),
    /// From one moment, and perhaps to another.
    Span {
        /// Its start.
        #[serde(with = "duration_text")]
        from: Duration,
        /// Its end; none: until the scenario ends.
        #[serde(with = "duration_text_option")]
        to: Option<Duration>,
    },
}

impl When {
    /// Its start after the stage's time origin; `None` where it stands before.
    #[must_use]
    pub fn start(self) -> Option<Duration> {
        match self {
            When::Standing => None,
            When::At(at) => Some(at),
            When::Span { from, .. } => Some(from),
        }
    }

    /// Its written end after the stage's time origin.
    #[must_use]
    pub fn end(self) -> Option<Duration> {
        match self {
            When::Span { to, .. } => to,
            When::Standing | When::At(_) => None,
        }
    }
}

impl FaultKind {
    /// An event is no fault: it is what a mesh must live with (growth, a renewed certificate). A control run keeps it.
    #[must_use]
    pub fn is_event(&self) -> bool {
        matches!(self, FaultKind::Resized { .. })
    }

    /// True for what a proxy draws for each call or try by itself: calls within it are exchangeable.
    #[must_use]
    pub fn is_steady(&self) -> bool {
        matches!(self, FaultKind::Touch { .. } | FaultKind::Answers { .. })
    }

    /// The share of traffic that it touches, where that is drawn.
    #[must_use]
    pub fn share(&self) -> Option<Fraction> {
        match self {
            FaultKind::Touch { on, .. } => Some(on.share),
            _ => None,
        }
    }

    /// At which proxy a touch sits.
    #[must_use]
    pub fn level(&self) -> Option<Level> {
        match self {
            FaultKind::Touch { on, .. } => Some(on.level),
            _ => None,
        }
    }
}

/// The fault in the words of the language.
impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FaultKind::Touch { on, touch: Touch::Abort(status) } => write!(f, "{on} are aborted with status {status}"),
            FaultKind::Touch { on, touch: Touch::Delay(time) } => write!(f, "{on} are delayed by {}", duration(*time)),
            FaultKind::Answers { of, how } => match how {
                Answers::Status(status) => write!(f, "{of} answers with status {status}"),
                Answers::In(time) => write!(f, "{of} answers in {}", duration(*time)),
                Answers::AtOnce => write!(f, "{of} answers at once"),
                Answers::AsBefore => write!(f, "{of} answers as before"),
            },
            FaultKind::Killed { of } => write!(f, "{of} is killed"),
            FaultKind::ProcessKilled { of } => write!(f, "the process of {of} is killed"),
            FaultKind::ControlPlaneKilled => f.write_str("the control plane is killed"),
            FaultKind::Resized { service, to } => write!(f, "\"{service}\" has {to} instances"),
            FaultKind::Outage { of } => write!(f, "the wire of the calls{of} is cut"),
        }
    }
}

/// When it happens, in the words of the language, with its own leading blank; nothing where it stands from the start.
impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            When::Standing => Ok(()),
            When::At(at) => write!(f, " at {}", duration(*at)),
            When::Span { from, to: None } => write!(f, " from {}", duration(*from)),
            When::Span { from, to: Some(to) } => write!(f, " from {} to {}", duration(*from), duration(*to)),
        }
    }
}
