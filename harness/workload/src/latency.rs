//! Draws how long a try is worked on. Pure: the same seed gives the same delays in the same order.

use crate::BehaviourError;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use squall_model::Latency;
use std::{f64::consts::TAU, time::Duration};

/// No try is worked on longer than this, whatever the tail of its distribution.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The 0.99 quantile of the standard normal distribution.
const Z99: f64 = 2.326_347_874_040_841;

/// A source of uniform numbers.
#[derive(Debug)]
pub(crate) struct Draws(ChaCha8Rng);

impl Draws {
    /// The same seed gives the same numbers to the same instance, and others to any other.
    pub(crate) fn new(seed: u64, instance: &str) -> Draws {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(fnv1a(instance.as_bytes()));
        Draws(rng)
    }

    /// Uniform over (0, 1]: never 0, so that its logarithm is finite.
    fn uniform(&mut self) -> f64 {
        ((self.0.next_u64() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    /// Standard normal, by Box and Muller (1958).
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        radius * (TAU * self.uniform()).cos()
    }
}

/// FNV-1a, 64 bits: unlike the standard library's hashes it is the same in every release.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &b| (hash ^ u64::from(b)).wrapping_mul(0x100_0000_01b3))
}

/// A latency whose parameters are known to make sense. Times in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Sampler {
    Fixed(Duration),
    Uniform { from: f64, span: f64 },
    Exponential { mean: f64 },
    LogNormal { mu: f64, sigma: f64 },
}

impl TryFrom<Latency> for Sampler {
    type Error = BehaviourError;

    fn try_from(latency: Latency) -> Result<Sampler, BehaviourError> {
        match latency {
            Latency::Fixed(d) => Ok(Sampler::Fixed(d)),
            Latency::Uniform { from, to } if to < from => Err(BehaviourError::Backwards { from, to }),
            Latency::Uniform { from, to } => {
                Ok(Sampler::Uniform { from: from.as_secs_f64(), span: (to - from).as_secs_f64() })
            }
            Latency::Exponential { mean } => Ok(Sampler::Exponential { mean: mean.as_secs_f64() }),
            Latency::LogNormal { median, p99 } if median.is_zero() || p99 <= median => {
                Err(BehaviourError::NoTail { median, p99 })
            }
            Latency::LogNormal { median, p99 } => {
                let (median, p99) = (median.as_secs_f64(), p99.as_secs_f64());
                Ok(Sampler::LogNormal { mu: median.ln(), sigma: (p99 / median).ln() / Z99 })
            }
        }
    }
}

impl Sampler {
    /// The delay of one try.
    pub(crate) fn draw(self, draws: &mut Draws) -> Duration {
        let seconds = match self {
            Sampler::Fixed(d) => return d,
            Sampler::Uniform { from, span } => from + span * draws.uniform(),
            Sampler::Exponential { mean } => -mean * draws.uniform().ln(),
            Sampler::LogNormal { mu, sigma } => (mu + sigma * draws.normal()).exp(),
        };
        Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST).min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const N: usize = 20_000;

    /// `N` delays of a fixed seed in seconds, ascending.
    fn sorted(latency: Latency) -> Vec<f64> {
        let sampler = Sampler::try_from(latency).unwrap();
        let mut draws = Draws::new(7, "web-1");
        let mut all: Vec<f64> = (0..N).map(|_| sampler.draw(&mut draws).as_secs_f64()).collect();
        all.sort_by(f64::total_cmp);
        all
    }

    /// The largest distance between the empirical distribution and `cdf` (Kolmogorov–Smirnov).
    fn distance(sample: &[f64], cdf: impl Fn(f64) -> f64) -> f64 {
        let n = sample.len() as f64;
        sample
            .iter()
            .enumerate()
            .map(|(i, &x)| (cdf(x) - i as f64 / n).abs().max((cdf(x) - (i + 1) as f64 / n).abs()))
            .fold(0.0, f64::max)
    }

    /// What a correct sampler exceeds once in a million seeds: sqrt(-ln(α/2) / 2n) (Massart 1990).
    fn limit() -> f64 {
        ((2.0f64 / 1e-6).ln() / (2.0 * N as f64)).sqrt()
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn fixed_is_fixed() {
        assert!(sorted(Latency::Fixed(ms(20))).iter().all(|&s| s == 0.02));
    }

    #[test]
    fn uniform_fills_its_bounds() {
        let all = sorted(Latency::Uniform { from: ms(10), to: ms(30) });
        assert!(distance(&all, |x| ((x - 0.01) / 0.02).clamp(0.0, 1.0)) < limit());
    }

    #[test]
    fn exponential_has_its_mean_and_tail() {
        let all = sorted(Latency::Exponential { mean: ms(50) });
        assert!(distance(&all, |x| 1.0 - (-x / 0.05).exp()) < limit());
    }

    #[test]
    fn log_normal_has_its_median_and_p99() {
        let all = sorted(Latency::LogNormal { median: ms(20), p99: ms(200) });
        // Of the values below a quantile the count is binomial: 5 standard deviations are 1 seed in two million.
        let below = |x: f64| all.iter().filter(|&&s| s <= x).count() as f64;
        let band = |p: f64| 5.0 * (N as f64 * p * (1.0 - p)).sqrt();
        assert!((below(0.02) - N as f64 * 0.5).abs() < band(0.5));
        assert!((below(0.2) - N as f64 * 0.99).abs() < band(0.99));
        // One more point of the curve, so that a wrong shape between the two does not pass: Φ(1) = 0.841345.
        let one_sigma = 0.02 * (10f64.ln() / Z99).exp();
        assert!((below(one_sigma) - N as f64 * 0.841_345).abs() < band(0.841_345));
    }

    #[test]
    fn senseless_parameters_are_refused() {
        let refused = |latency: Latency| Sampler::try_from(latency).unwrap_err().to_string();
        assert_eq!(
            refused(Latency::Uniform { from: ms(30), to: ms(10) }),
            "a uniform latency from 30 ms to 10 ms runs backwards"
        );
        assert_eq!(
            refused(Latency::LogNormal { median: ms(30), p99: ms(30) }),
            "a log-normal latency needs a median above 0 ms and a p99 above its median, not 30 ms and 30 ms"
        );
        assert!(Sampler::try_from(Latency::LogNormal { median: ms(0), p99: ms(30) }).is_err());
        assert!(Sampler::try_from(Latency::Uniform { from: ms(10), to: ms(10) }).is_ok());
    }

    #[test]
    fn a_seed_replays_its_delays() {
        let sampler = Sampler::try_from(Latency::Exponential { mean: ms(50) }).unwrap();
        let run = |seed, instance| {
            let mut draws = Draws::new(seed, instance);
            (0..100).map(|_| sampler.draw(&mut draws)).collect::<Vec<_>>()
        };
        assert_eq!(run(1, "web-1"), run(1, "web-1"));
        assert_ne!(run(1, "web-1"), run(2, "web-1"));
        assert_ne!(run(1, "web-1"), run(1, "web-2"));
    }

    proptest! {
        #[test]
        fn every_draw_is_a_delay_within_bounds(seed: u64, from in 0u64..1_000, span in 0u64..1_000) {
            let (from, to) = (ms(from), ms(from + span));
            let sampler = Sampler::try_from(Latency::Uniform { from, to }).unwrap();
            let drawn = sampler.draw(&mut Draws::new(seed, "web-1"));
            // The bounds are exact in nanoseconds, the draw is made in binary fractions of a second.
            let slack = Duration::from_nanos(1);
            prop_assert!(drawn + slack >= from && drawn <= to + slack, "{drawn:?}");
        }

        #[test]
        fn absurd_tails_are_cut(seed: u64) {
            let sampler = Sampler::try_from(Latency::LogNormal { median: ms(1), p99: Duration::from_secs(1 << 40) }).unwrap();
            prop_assert!(sampler.draw(&mut Draws::new(seed, "web-1")) <= LONGEST);
        }
    }
}
