//! How well the load engine itself did its work.
//!
//! A schedule that was not kept means that the mesh was not asked what the scenario says: such a stage proves nothing.

use hdrhistogram::Histogram;
use std::time::Duration;
use thiserror::Error;

/// How late sends may be before a schedule counts as missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScheduleBound {
    /// Bound on the 99th percentile.
    pub p99: Duration,
    /// Bound on every single call.
    pub any: Duration,
}

impl ScheduleBound {
    /// 10 ms for 99 of 100 calls, 100 ms for each.
    pub const DEFAULT: ScheduleBound =
        ScheduleBound { p99: Duration::from_millis(10), any: Duration::from_millis(100) };
}

impl Default for ScheduleBound {
    fn default() -> Self {
        ScheduleBound::DEFAULT
    }
}

/// How late the engine set about its calls, over all lines of a run.
///
/// Measured up to the moment the engine turns to the call. What the cap on connections then holds it back is counted for itself
/// ([`ScheduleHealth::held`]); what the target takes to accept a connection is the target's, and part of the call's latency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScheduleHealth {
    /// Calls set about.
    pub calls: u64,
    /// Median lateness.
    pub p50: Duration,
    /// 99th percentile; of fewer than 100 calls, the latest.
    pub p99: Duration,
    /// The latest.
    pub max: Duration,
    /// Calls later than the default bound on the 99th percentile, 10 ms.
    pub late: u64,
    /// Calls that found no room: the cap on connections was reached, or the machine refused a socket.
    pub starved: u64,
    /// Those of them that the cap held back; the rest found no room on the machine.
    pub held: u64,
    /// The longest that the cap held a call back.
    pub held_max: Duration,
}

/// By how much a schedule was missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ScheduleMiss {
    /// Too many sends were late.
    #[error("1% of the {calls} sends were more than {p99:?} late, where {bound:?} is allowed")]
    Often {
        /// Calls set about.
        calls: u64,
        /// Their 99th percentile of lateness.
        p99: Duration,
        /// What is allowed.
        bound: Duration,
    },
    /// One send was far too late.
    #[error("a send was {max:?} late, where {bound:?} is allowed")]
    Far {
        /// The latest.
        max: Duration,
        /// What is allowed.
        bound: Duration,
    },
    /// Calls had to wait for a connection of their own.
    #[error("{starved} of {calls} calls found no free connection: this machine holds no more of them open")]
    Starved {
        /// Calls that found no room.
        starved: u64,
        /// Calls set about.
        calls: u64,
    },
}

impl ScheduleHealth {
    /// Whether the schedule was kept. Calls without a connection are named first: they are what made the others late.
    ///
    /// # Errors
    /// Where it was missed, with the extent.
    pub fn verdict(&self, bound: ScheduleBound) -> Result<(), ScheduleMiss> {
        if self.starved > 0 {
            return Err(ScheduleMiss::Starved { starved: self.starved, calls: self.calls });
        }
        if self.max > bound.any {
            return Err(ScheduleMiss::Far { max: self.max, bound: bound.any });
        }
        if self.p99 > bound.p99 {
            return Err(ScheduleMiss::Often { calls: self.calls, p99: self.p99, bound: bound.p99 });
        }
        Ok(())
    }
}

/// Collects what [`ScheduleHealth`] sums up.
#[derive(Debug)]
pub(crate) struct Lateness {
    micros: Histogram<u32>,
    max: Duration,
    late: u64,
    starved: u64,
    held: u64,
    held_max: Duration,
}

impl Lateness {
    #[expect(clippy::expect_used, reason = "the bounds are constants that hdrhistogram accepts")]
    pub(crate) fn new() -> Lateness {
        let hour = 3_600_000_000;
        let micros = Histogram::new_with_bounds(1, hour, 3).expect("1 µs to 1 h with 3 digits");
        Lateness { micros, max: Duration::ZERO, late: 0, starved: 0, held: 0, held_max: Duration::ZERO }
    }

    pub(crate) fn record(&mut self, by: Duration) {
        self.micros.saturating_record(u64::try_from(by.as_micros()).unwrap_or(u64::MAX));
        self.max = self.max.max(by);
        self.late += u64::from(by > ScheduleBound::DEFAULT.p99);
    }

    pub(crate) fn starved(&mut self) {
        self.starved += 1;
    }

    /// The cap holds a call back.
    pub(crate) fn held(&mut self) {
        self.starved += 1;
        self.held += 1;
    }

    /// It did so for this long.
    pub(crate) fn held_for(&mut self, time: Duration) {
        self.held_max = self.held_max.max(time);
    }

    pub(crate) fn sum_up(&self) -> ScheduleHealth {
        let quantile = |q| Duration::from_micros(self.micros.value_at_quantile(q)).min(self.max);
        ScheduleHealth {
            calls: self.micros.len(),
            p50: quantile(0.5),
            p99: quantile(0.99),
            max: self.max,
            late: self.late,
            starved: self.starved,
            held: self.held,
            held_max: self.held_max,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn health(on_time: u32, late: &[u64]) -> ScheduleHealth {
        let mut lateness = Lateness::new();
        (0..on_time).for_each(|_| lateness.record(Duration::from_micros(80)));
        late.iter().for_each(|by| lateness.record(ms(*by)));
        lateness.sum_up()
    }

    #[test]
    fn a_schedule_is_kept_until_one_call_in_a_hundred_is_late() {
        assert_eq!(health(990, &[20; 10]).verdict(ScheduleBound::DEFAULT), Ok(()));
        let missed = health(989, &[20; 11]);
        assert_eq!((missed.calls, missed.late, missed.max), (1_000, 11, ms(20)));
        assert_eq!(
            missed.verdict(ScheduleBound::DEFAULT),
            Err(ScheduleMiss::Often { calls: 1_000, p99: ms(20), bound: ms(10) })
        );
    }

    #[test]
    fn one_call_far_too_late_is_enough() {
        let miss = health(100_000, &[101]).verdict(ScheduleBound::DEFAULT).unwrap_err();
        assert_eq!(miss, ScheduleMiss::Far { max: ms(101), bound: ms(100) });
        assert_eq!(miss.to_string(), "a send was 101ms late, where 100ms is allowed");
    }

    #[test]
    fn no_room_for_a_call_is_a_miss_even_if_it_went_out_in_time() {
        let mut lateness = Lateness::new();
        lateness.record(ms(1));
        lateness.starved();
        let miss = lateness.sum_up().verdict(ScheduleBound::DEFAULT);
        assert_eq!(miss, Err(ScheduleMiss::Starved { starved: 1, calls: 1 }));
    }

    #[test]
    fn nothing_sent_is_nothing_missed() {
        assert_eq!(health(0, &[]), ScheduleHealth::default());
    }
}
