//! What is broken, and what happens: the lines of kind F.

use crate::{
    AnswerCode, Calls, Damage, Fraction, GrpcStatus, Level, Members, Place, PlaceKind, ServiceName, Target, Traffic,
    Wires, duration, duration_text, duration_text_option,
};
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
    /// Processes go down at once, and come back at the fault's end: those that were killed under another address, those that
    /// were paused where they were.
    Down {
        /// How.
        how: Down,
        /// Which of an instance's processes.
        part: Part,
        /// Of which instances.
        of: Members,
    },
    /// Processes are ended in order and started again at once; they come back under another address. Over in a moment.
    Restarted {
        /// Which of an instance's processes.
        part: Part,
        /// Of which instances.
        of: Members,
    },
    /// The wire between proxies is damaged.
    Wire {
        /// Which wires.
        of: Wires,
        /// How.
        damage: Damage,
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
    /// The wire of these calls is cut, and whoever calls is told at once: what a control run of `@control(outage)` does.
    Outage {
        /// Which calls.
        of: Calls,
    },
}

/// How a process goes down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Down {
    /// At once, with nothing said (SIGKILL). Connections to it are refused.
    Killed,
    /// In order: it stops accepting, finishes what is in flight, and ends (SIGTERM).
    Stopped,
    /// It stands still (SIGSTOP): the kernel goes on accepting for it, and nothing is answered.
    Paused,
}

/// Which of an instance's processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Workload and proxy.
    Instance,
    /// The workload alone: callers get an answer from the callee's proxy.
    Workload,
    /// The proxy alone: nobody reaches the workload, and it reaches nobody.
    Proxy,
}

impl Part {
    /// The workload goes.
    #[must_use]
    pub fn has_workload(self) -> bool {
        matches!(self, Part::Instance | Part::Workload)
    }

    /// The proxy goes.
    #[must_use]
    pub fn has_proxy(self) -> bool {
        matches!(self, Part::Instance | Part::Proxy)
    }
}

/// How a call or a try is touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Touch {
    /// Answered by the proxy with this status; it goes no further.
    Abort(AnswerCode),
    /// Held for so long, then sent on.
    Delay(#[serde(with = "duration_text")] Duration),
}

/// How instances answer from now on. Status and latency are two aspects: one does not change the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Answers {
    /// With this status.
    With(AnswerCode),
    /// With this status of gRPC in the trailers, after so many messages of a good answer.
    After {
        /// Which.
        status: GrpcStatus,
        /// How many, at least 1.
        messages: u32,
    },
    /// After so long.
    In(#[serde(with = "duration_text")] Duration),
    /// Without delay.
    AtOnce,
    /// As the topology says, in both aspects.
    AsBefore,
}

impl Answers {
    fn is_harm(self) -> bool {
        match self {
            Answers::With(code) => !code.is_success(),
            Answers::After { status, .. } => !AnswerCode::Grpc(status).is_success(),
            Answers::In(_) => true,
            Answers::AtOnce | Answers::AsBefore => false,
        }
    }
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
    /// An event is no fault: it is what a mesh must live with (growth, shrinking). A control run keeps it.
    #[must_use]
    pub fn is_event(&self) -> bool {
        matches!(self, FaultKind::Resized { .. })
    }

    /// True for what can only make things worse. Not so an answer that is good, or sooner than before; nor an event, which may do
    /// either: where less of these was in place than was meant, that may be the very harm.
    #[must_use]
    pub fn is_harm(&self) -> bool {
        match self {
            FaultKind::Touch { touch: Touch::Abort(code), .. } => !code.is_success(),
            FaultKind::Answers { how, .. } => how.is_harm(),
            FaultKind::Resized { .. } => false,
            FaultKind::Touch { touch: Touch::Delay(_), .. }
            | FaultKind::Down { .. }
            | FaultKind::Restarted { .. }
            | FaultKind::Wire { .. }
            | FaultKind::ControlPlaneKilled
            | FaultKind::Outage { .. } => true,
        }
    }

    /// True for what does the same to each call or try by itself: calls within it are exchangeable. Not so what happens to
    /// processes and connections: a kill is one event, however many calls it hits.
    #[must_use]
    pub fn is_steady(&self) -> bool {
        match self {
            FaultKind::Touch { .. } | FaultKind::Answers { .. } => true,
            FaultKind::Wire { damage, .. } => {
                matches!(damage, Damage::Slow { .. } | Damage::SwallowAnswers | Damage::SwallowRequests)
            }
            _ => false,
        }
    }

    /// The site that it cuts off: from the other instances and, unlike a zone, from the control plane too.
    #[must_use]
    pub fn site_cut_off(&self) -> Option<&Place> {
        match self {
            FaultKind::Wire { of: Wires::Of(place), damage: Damage::Cut } => {
                Some(place).filter(|place| place.kind == PlaceKind::Site)
            }
            _ => None,
        }
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
            FaultKind::Touch { on, touch: Touch::Abort(code) } => write!(f, "{on} are aborted with {code}"),
            FaultKind::Touch { on, touch: Touch::Delay(time) } => write!(f, "{on} are delayed by {}", duration(*time)),
            FaultKind::Answers { of, how } => write!(f, "{of} {how}"),
            FaultKind::Down { how, part, of } => write!(f, "{}{of} {how}", whose(*part)),
            FaultKind::Restarted { part, of } => write!(f, "{}{of} is restarted", whose(*part)),
            FaultKind::Wire { of: Wires::Of(place), damage: Damage::Cut } => write!(f, "{place} is cut off"),
            FaultKind::Wire { of, damage } => write!(f, "{of} {damage}"),
            FaultKind::ControlPlaneKilled => f.write_str("the control plane is killed"),
            FaultKind::Resized { service, to } => write!(f, "\"{service}\" has {to} instances"),
            FaultKind::Outage { of } => write!(f, "the wire of the calls{of} is cut"),
        }
    }
}

fn whose(part: Part) -> &'static str {
    match part {
        Part::Instance => "",
        Part::Workload => "the process of ",
        Part::Proxy => "the proxy of ",
    }
}

impl fmt::Display for Down {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Down::Killed => "is killed",
            Down::Stopped => "is stopped",
            Down::Paused => "is paused",
        })
    }
}

impl fmt::Display for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answers::With(code) => write!(f, "answers with {code}"),
            Answers::After { status, messages: 1 } => {
                write!(f, "answers with grpc status \"{status}\" after 1 message")
            }
            Answers::After { status, messages } => {
                write!(f, "answers with grpc status \"{status}\" after {messages} messages")
            }
            Answers::In(time) => write!(f, "answers in {}", duration(*time)),
            Answers::AtOnce => f.write_str("answers at once"),
            Answers::AsBefore => f.write_str("answers as before"),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_make_things_better_is_no_harm() {
        let answers = |how| FaultKind::Answers { of: Target::service("reviews".into()), how };
        let ok = AnswerCode::Status(200);
        let bad = AnswerCode::Grpc(GrpcStatus::Unavailable);
        let abort = |code| FaultKind::Touch {
            on: Traffic { level: Level::Tries, share: Fraction::ALL, of: Calls::default() },
            touch: Touch::Abort(code),
        };
        for cure in [
            answers(Answers::With(ok)),
            answers(Answers::With(AnswerCode::Grpc(GrpcStatus::Ok))),
            answers(Answers::AtOnce),
            answers(Answers::AsBefore),
            abort(ok),
            FaultKind::Resized { service: "reviews".into(), to: 9 },
        ] {
            assert!(!cure.is_harm(), "{cure}");
        }
        for harm in [
            answers(Answers::With(bad)),
            answers(Answers::After { status: GrpcStatus::Internal, messages: 1 }),
            answers(Answers::In(Duration::from_secs(1))),
            abort(bad),
            FaultKind::ControlPlaneKilled,
        ] {
            assert!(harm.is_harm(), "{harm}");
        }
    }
}
