//! When calls are due: arithmetic, no clock.
//!
//! Every offset is computed from the origin and never from the offset before it (the gaps of a Poisson process are the
//! exception, being drawn), so rounding does not add up and nothing that happens while sending can move what follows.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::time::Duration;

/// How the calls of an open line are spread over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrivals {
    /// Evenly: call k (from 0) at k / rate.
    Even,
    /// At random moments: a Poisson process, whose gaps are exponential with mean 1 / rate, drawn from this seed. The number of
    /// calls is random too, with mean rate × length.
    Random {
        /// The same seed gives the same moments.
        seed: u64,
    },
}

/// The offsets from the origin at which calls are due, ascending, all below the length.
#[derive(Debug, Clone)]
pub struct Schedule {
    law: Law,
    length: u64,
    /// Number of the next call.
    next: u64,
}

#[derive(Debug, Clone)]
enum Law {
    Even { hz: f64 },
    Random { hz: f64, rng: Box<ChaCha8Rng>, at: u64 },
    Ramp { from_hz: f64, to_hz: f64, seconds: f64 },
}

impl Schedule {
    /// A constant rate in calls per second.
    #[must_use]
    pub fn open(rate_hz: f64, length: Duration, arrivals: Arrivals) -> Schedule {
        let law = match arrivals {
            Arrivals::Even => Law::Even { hz: rate_hz },
            Arrivals::Random { seed } => {
                Law::Random { hz: rate_hz, rng: Box::new(ChaCha8Rng::seed_from_u64(seed)), at: 0 }
            }
        };
        Schedule { law, length: nanos(length), next: 0 }
    }

    /// A rate that changes linearly from one value to another over the length.
    ///
    /// With rate f + a·t, a = (g − f) / T, the calls due until t are N(t) = f·t + a·t²/2; call k is due where N(t) = k.
    #[must_use]
    pub fn ramp(from_hz: f64, to_hz: f64, length: Duration) -> Schedule {
        Schedule { law: Law::Ramp { from_hz, to_hz, seconds: length.as_secs_f64() }, length: nanos(length), next: 0 }
    }
}

impl Iterator for Schedule {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let offset = self.law.offset(self.next)?;
        if offset >= self.length {
            return None;
        }
        self.next += 1;
        Some(Duration::from_nanos(offset))
    }
}

impl Law {
    /// Nanoseconds from the origin to call `k`; `None` where the law has no such call. Asked for in order.
    fn offset(&mut self, k: u64) -> Option<u64> {
        let k = k as f64;
        match self {
            // Multiplied first: the product is exact for as many calls as a double counts, the quotient rounded once.
            Law::Even { hz } => Some((k * 1e9 / *hz) as u64),
            Law::Random { hz, rng, at } => {
                // 1 − u is in (0, 1], so the logarithm is finite.
                let gap = -(1.0 - rng.random::<f64>()).ln() / *hz;
                *at = at.saturating_add((gap * 1e9) as u64);
                Some(*at)
            }
            Law::Ramp { from_hz, to_hz, seconds } => {
                if k == 0.0 {
                    return Some(0);
                }
                // The root of f·t + a·t²/2 = k in the form that stays exact when a is small, and for a = 0.
                let slope = (*to_hz - *from_hz) / *seconds;
                let root = (*from_hz * *from_hz + 2.0 * slope * k).sqrt();
                (!root.is_nan()).then(|| (2.0 * k / (*from_hz + root) * 1e9) as u64)
            }
        }
    }
}

fn nanos(length: Duration) -> u64 {
    u64::try_from(length.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn even(hz: f64, length: Duration) -> Vec<Duration> {
        Schedule::open(hz, length, Arrivals::Even).collect()
    }

    #[test]
    fn even_calls_are_counted_and_placed_exactly() {
        let calls = even(300.0, Duration::from_secs(3));
        assert_eq!(calls.len(), 900);
        assert_eq!(calls[0], Duration::ZERO);
        assert_eq!(calls[1], Duration::from_nanos(3_333_333));
        assert_eq!(
            calls[300],
            Duration::from_secs(1),
            "the 300th call is due after one second, whatever rounding came before"
        );
        assert_eq!(calls[899], Duration::from_nanos(2_996_666_666));
    }

    proptest! {
        #[test]
        fn a_plan_counts_the_calls_that_are_due(count in 1u32..2_000, minute: bool, ms in 1u64..20_000) {
            use squall_model::{Arrivals as When, Rate, Shape};
            let rate = Rate { count, per: Duration::from_secs(if minute { 60 } else { 1 }) };
            let length = Duration::from_millis(ms);
            let planned = Shape::Open { rate, length, arrivals: When::Even }.calls().unwrap();
            let due = even(rate.hertz(), length).len() as u64;
            // A rate by the minute is no whole number a second: the call at the very end may be due just before it.
            prop_assert!(planned == due || minute && planned + 1 == due, "{} {}", planned, due);
            let ramp = Shape::Ramp { from: count, to: count + 100, length }.calls();
            let due = Schedule::ramp(f64::from(count), f64::from(count + 100), length).count() as u64;
            prop_assert!(ramp.unwrap().abs_diff(due) <= 1, "rounded at the last call: {:?} {}", ramp, due);
        }
    }

    #[test]
    fn rates_below_one_a_second_are_rates() {
        assert_eq!(even(0.5, Duration::from_secs(5)), [0, 2, 4].map(Duration::from_secs));
    }

    #[test]
    fn a_day_at_full_rate_has_not_drifted() {
        let mut law = Law::Even { hz: 2_500.0 };
        assert_eq!(law.offset(2_500 * 86_400), Some(86_400_000_000_000));
    }

    #[test]
    fn ramp_from_nothing() {
        // N(t) = 50 t²/2: the 100th call, number 99, at sqrt(2·99/50).
        let calls: Vec<_> = Schedule::ramp(0.0, 100.0, Duration::from_secs(2)).collect();
        assert_eq!(calls.len(), 100);
        let last = (2.0f64 * 99.0 / 50.0).sqrt();
        assert!((calls[99].as_secs_f64() - last).abs() < 1e-8);
    }

    #[test]
    fn the_same_seed_gives_the_same_moments() {
        let draw = |seed| -> Vec<Duration> {
            Schedule::open(100.0, Duration::from_secs(2), Arrivals::Random { seed }).collect()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    /// The counts of 400 Poisson schedules of mean 200: mean and variance are both 200, known to 4.5 standard errors
    /// (mean: sqrt(200/400) = 0.71; variance: 200·sqrt(2/399) = 14.2).
    #[test]
    fn random_calls_are_a_poisson_process() {
        let counts: Vec<f64> = (0..400)
            .map(|seed| Schedule::open(100.0, Duration::from_secs(2), Arrivals::Random { seed }).count() as f64)
            .collect();
        let mean = counts.iter().sum::<f64>() / 400.0;
        let variance = counts.iter().map(|c| (c - mean).powi(2)).sum::<f64>() / 399.0;
        assert!((mean - 200.0).abs() < 3.2, "mean {mean}");
        assert!((variance - 200.0).abs() < 64.0, "variance {variance}");
    }

    proptest! {
        #[test]
        fn even_count_is_rate_times_length(hz in 1u32..3_000, ms in 1u64..10_000) {
            let calls = even(f64::from(hz), Duration::from_millis(ms));
            prop_assert_eq!(calls.len() as u64, (u64::from(hz) * ms).div_ceil(1_000));
        }

        #[test]
        fn offsets_ascend_and_stay_within(hz in 0.1f64..5_000.0, to in 0.0f64..5_000.0, ms in 1u64..3_000, seed: u64) {
            let length = Duration::from_millis(ms);
            for schedule in [
                Schedule::open(hz, length, Arrivals::Even),
                Schedule::open(hz, length, Arrivals::Random { seed }),
                Schedule::ramp(hz, to, length),
            ] {
                let calls: Vec<_> = schedule.collect();
                prop_assert!(calls.is_sorted());
                prop_assert!(calls.iter().all(|c| *c < length));
            }
        }

        /// Up to any moment, a ramp has sent the integral of its rate, to within one call.
        #[test]
        fn ramp_follows_its_integral(from in 0.0f64..2_000.0, to in 0.0f64..2_000.0, ms in 100u64..5_000, part in 0.0f64..1.0) {
            let seconds = ms as f64 / 1e3;
            let until = seconds * part;
            let due = from * until + (to - from) / seconds * until * until / 2.0;
            let sent = Schedule::ramp(from, to, Duration::from_millis(ms))
                .filter(|at| at.as_secs_f64() < until)
                .count() as f64;
            prop_assert!((sent - due).abs() <= 1.0 + 1e-6, "sent {sent}, due {due}");
        }

        #[test]
        fn a_level_ramp_is_even(hz in 1u32..2_000, ms in 1u64..2_000) {
            let length = Duration::from_millis(ms);
            let ramp: Vec<_> = Schedule::ramp(f64::from(hz), f64::from(hz), length).collect();
            let even = even(f64::from(hz), length);
            prop_assert_eq!(ramp.len(), even.len());
            prop_assert!(ramp.iter().zip(&even).all(|(r, e)| r.abs_diff(*e) <= Duration::from_nanos(10)));
        }
    }
}
