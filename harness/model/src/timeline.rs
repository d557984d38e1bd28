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
    /// The faults that stand are switched on and off in turn: these are its cues. None: they stand throughout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks: Option<Blocks>,
}

/// Short parts of a stage, one behind the other, with the faults that stand and without them: what *as good as without the
/// fault* compares.
///
/// The order is without, with, with, without, and again (`squall_stats::paired::Arm::in_turn`): a steady drift weighs the
/// same on both, and there is half the switching.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blocks {
    /// How long each is.
    #[serde(with = "duration_text")]
    pub length: Duration,
    /// How many there are.
    pub count: u32,
}

impl Blocks {
    /// No block is much shorter than this: some ten times as long as it takes to switch a fault.
    pub const LENGTH: Duration = Duration::from_millis(250);
    /// With fewer, a burst in one of them would weigh too much.
    pub const FEWEST: u32 = 8;

    /// As many as fit into so long, in pairs, and none of it left over; `None` where too few fit.
    #[must_use]
    pub fn within(length: Duration) -> Option<Blocks> {
        let fit = u32::try_from(length.as_micros() / Blocks::LENGTH.as_micros()).unwrap_or(u32::MAX);
        let count = fit - fit % 2;
        (count >= Blocks::FEWEST).then(|| Blocks { length: length / count, count })
    }

    /// The shortest stage that has room for them.
    #[must_use]
    pub fn shortest() -> Duration {
        Blocks::LENGTH * Blocks::FEWEST
    }

    /// Are the faults in place in this block, from 0?
    #[must_use]
    pub fn has_faults(block: u32) -> bool {
        matches!(block % 4, 1 | 2)
    }

    /// For how long the faults are in place, all their blocks together; what switching takes is not taken off.
    #[must_use]
    pub fn time_with_faults(&self) -> Duration {
        let with = (0..self.count).filter(|block| Blocks::has_faults(*block)).count();
        self.length * u32::try_from(with).unwrap_or(u32::MAX)
    }

    /// When a block begins, from 0; the one behind the last: when they are over.
    #[must_use]
    pub fn begin(&self, block: u32) -> Duration {
        self.length * block
    }

    /// When the faults are switched, and whether they begin then.
    pub fn switches(self) -> impl Iterator<Item = (Duration, bool)> {
        let changed = |block: &u32| Blocks::has_faults(*block) != Blocks::has_faults(*block - 1);
        (1..self.count).filter(changed).map(move |block| (self.begin(block), Blocks::has_faults(block)))
    }

    /// The cues that switch a fault.
    pub fn cues(self, fault: FaultId) -> impl Iterator<Item = Cue> {
        self.switches().map(move |(at, begins)| Cue { at, act: if begins { Act::Arm(fault) } else { Act::End(fault) } })
    }
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
    /// `as N users`: `user-1` … `user-N` in turn, each round beginning with another one.
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

/// How many moments that lie so far apart, which is not zero, a second has at the most: two of 900 ms.
#[must_use]
pub fn within_a_second(apart: Duration) -> f64 {
    Duration::from_secs(1).as_nanos().div_ceil(apart.as_nanos()) as f64
}

impl Shape {
    /// The calls that it plans: one at the origin, and all that are due before the end, as the schedule has them; at random
    /// moments the mean. `None` where the answers decide (closed loop).
    #[must_use]
    pub fn calls(&self) -> Option<u64> {
        match *self {
            Shape::Open { rate, length, arrivals: Arrivals::Random } => {
                Some((rate.hertz() * length.as_secs_f64()).round() as u64)
            }
            Shape::Open { rate, length, .. } | Shape::Decide { rate, cap: length } => {
                Some(due(u128::from(rate.count), rate.per, length))
            }
            Shape::Serial { calls } => Some(u64::from(calls)),
            Shape::Closed { .. } => None,
            // At half of both rates together; so many in two seconds are whole.
            Shape::Ramp { from, to, length } => {
                Some(due(u128::from(from) + u128::from(to), Duration::from_secs(2), length))
            }
        }
    }

    /// The most calls that it sends within a second, at random moments the mean; `None` where the answers decide. Who sends one after another
    /// may send all of them within one, and a user again as soon as he has thought.
    #[must_use]
    pub fn peak(&self) -> Option<f64> {
        match *self {
            Shape::Open { rate, .. } | Shape::Decide { rate, .. } => Some(rate.hertz()),
            Shape::Ramp { from, to, .. } => Some(f64::from(from.max(to))),
            Shape::Serial { calls } => Some(f64::from(calls)),
            Shape::Closed { thinking: Duration::ZERO, .. } => None,
            Shape::Closed { users, thinking, .. } => Some(f64::from(users) * within_a_second(thinking)),
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

/// Calls due before the end of a length, the first at its beginning.
fn due(count: u128, per: Duration, length: Duration) -> u64 {
    let calls = (count * length.as_nanos()).div_ceil(per.as_nanos().max(1));
    u64::try_from(calls).unwrap_or(u64::MAX)
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

impl Effect {
    /// Of what was there at one moment, acknowledged and in force.
    #[must_use]
    pub fn at(asked: Stamp, moment: Stamp) -> Effect {
        Effect { asked, acked: moment, effective: moment, last_old: moment }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_fill_a_stage_in_pairs() {
        let within = |ms: u64| Blocks::within(Duration::from_millis(ms));
        assert_eq!(within(1999), None);
        assert_eq!(within(2000), Some(Blocks { length: Blocks::LENGTH, count: 8 }));
        assert_eq!(within(2400), Some(Blocks { length: Duration::from_millis(300), count: 8 }));
        assert_eq!(within(30_000).map(|b| b.count), Some(120));
        assert_eq!(Blocks::shortest(), Duration::from_secs(2));
    }

    #[test]
    fn the_first_call_is_due_at_once() {
        let open = |rate, ms| Shape::Open { rate, length: Duration::from_millis(ms), arrivals: Arrivals::Even }.calls();
        assert_eq!(open(Rate::per_second(1), 400), Some(1));
        assert_eq!(open(Rate { count: 10, per: Duration::from_secs(60) }, 1000), Some(1));
        assert_eq!(open(Rate::per_second(100), 70), Some(7), "no call at the end itself");
        assert_eq!(open(Rate::per_second(3), 1001), Some(4));
        let ramp = |from, to, s| Shape::Ramp { from, to, length: Duration::from_secs(s) }.calls();
        assert_eq!((ramp(50, 400, 10), ramp(0, 1, 1)), (Some(2250), Some(1)));
    }

    #[test]
    fn faults_are_switched_where_neighbours_differ() {
        let blocks = Blocks { length: Duration::from_millis(250), count: 8 };
        let switches: Vec<_> = blocks.switches().map(|(at, begins)| (at.as_millis(), begins)).collect();
        assert_eq!(switches, [(250, true), (750, false), (1250, true), (1750, false)]);
        assert_eq!(blocks.time_with_faults(), Duration::from_secs(1));
        let acts: Vec<Act> = blocks.cues(FaultId(3)).map(|cue| cue.act).collect();
        assert_eq!(acts, [Act::Arm(FaultId(3)), Act::End(FaultId(3)), Act::Arm(FaultId(3)), Act::End(FaultId(3))]);
    }
}
