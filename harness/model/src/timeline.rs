//! When things happen: stages of traffic, and the cues within them.

use crate::{FaultId, Filter, PolicyId, Rate, ServiceName, Stamp, Target, duration_text};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The stages of a scenario, run one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timeline {
    /// In order.
    pub stages: Vec<Stage>,
}

/// A traffic line with its `meanwhile` lines. Its time origin is the first intended send of its first line.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// What is brought about, and confirmed, before its traffic: in this order.
    pub standing: Vec<Act>,
    /// What is sent.
    pub lines: Vec<TrafficLine>,
    /// What happens while it is sent, in order of time.
    pub cues: Vec<Cue>,
}

impl Stage {
    /// Everything that is brought about in it: before its traffic, then while it runs.
    pub fn acts(&self) -> impl Iterator<Item = Act> + '_ {
        self.standing.iter().copied().chain(self.cues.iter().map(|cue| cue.act))
    }
}

/// One thing that happens at a moment of a stage.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cue {
    /// When, after the stage's time origin.
    #[serde(with = "duration_text")]
    pub at: Duration,
    /// What.
    pub act: Act,
}

/// What a cue does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// A fault begins, an event happens.
    Arm(FaultId),
    /// A fault ends.
    End(FaultId),
    /// A policy takes effect.
    Change(PolicyId),
    /// A policy change is taken back.
    Revert(PolicyId),
}

/// A line of kind L.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrafficLine {
    /// Its number over the whole plan, from 0.
    pub number: u16,
    /// Who calls. Calls are spread over its instances in turn.
    pub caller: ServiceName,
    /// Who is called.
    pub to: Target,
    /// What each request looks like: path (default `/`), method (default GET), header, user.
    pub with: Filter,
    /// `as N users`: `user-1` … `user-N` in turn.
    pub users: Option<u32>,
    /// How the calls are spread over time.
    pub shape: Shape,
}

/// How calls are spread over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Shape {
    /// Open loop: by schedule, whatever the answers do.
    Open {
        /// How many per second.
        rate: Rate,
        /// For how long.
        #[serde(with = "duration_text")]
        length: Duration,
        /// Evenly spaced, or at random moments (Poisson).
        arrivals: Arrivals,
    },
    /// Open loop until every claim is decided, `cap` at the longest.
    Decide {
        /// How many per second.
        rate: Rate,
        /// The longest.
        #[serde(with = "duration_text")]
        cap: Duration,
    },
    /// One after another, one in flight. Closed loop.
    Serial {
        /// How many.
        calls: u32,
    },
    /// So many users, each waiting for its answer, then thinking. Closed loop.
    Closed {
        /// How many users.
        users: u32,
        /// For how long.
        #[serde(with = "duration_text")]
        length: Duration,
        /// Between an answer and the next call.
        #[serde(with = "duration_text")]
        thinking: Duration,
    },
    /// Open loop, linearly from one rate to another.
    Ramp {
        /// Calls per second at the start.
        from: u32,
        /// Calls per second at the end.
        to: u32,
        /// Over how long.
        #[serde(with = "duration_text")]
        length: Duration,
    },
}

/// The moments of an open loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrivals {
    /// Evenly spaced.
    #[default]
    Even,
    /// At random moments: a Poisson process.
    Random,
}

impl Shape {
    /// The calls that it plans; `None` where the answers decide (closed loop).
    #[must_use]
    pub fn calls(&self) -> Option<u64> {
        match *self {
            Shape::Open { rate, length, .. } => Some((rate.hertz() * length.as_secs_f64()).round() as u64),
            Shape::Decide { rate, cap } => Some((rate.hertz() * cap.as_secs_f64()).round() as u64),
            Shape::Serial { calls } => Some(u64::from(calls)),
            Shape::Closed { .. } => None,
            Shape::Ramp { from, to, length } => {
                Some((f64::from(from + to) / 2.0 * length.as_secs_f64()).round() as u64)
            }
        }
    }

    /// How long it sends; `None` where the answers decide.
    #[must_use]
    pub fn length(&self) -> Option<Duration> {
        match *self {
            Shape::Open { length, .. } | Shape::Closed { length, .. } | Shape::Ramp { length, .. } => Some(length),
            Shape::Decide { cap, .. } => Some(cap),
            Shape::Serial { .. } => None,
        }
    }
}

/// When a cue took effect, as observed. Phases are cut by these, never by the plan.
///
/// Calls whose intended send lies in `[asked, effective]` of a start, or in `[asked, last_old]` of an end, belong to no phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effect {
    /// When it was asked for.
    pub asked: Stamp,
    /// When the last proxy acknowledged it (or the process was seen gone).
    pub acked: Stamp,
    /// From when on a probe of every proxy saw the new state.
    pub effective: Stamp,
    /// The last moment at which the old state was still seen.
    pub last_old: Stamp,
}
