//! A percentile of latencies as it is shown: with its bounds, and with the calls that never ended.

use super::percentile_ranks;
use crate::sample::nearest_rank;

/// What is known of an order statistic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position<T> {
    /// It is this measured value.
    At(T),
    /// It is beyond all answers, among the calls without one: no time can be given, however long one waits.
    Unanswered,
    /// The sample is too small to say.
    Open,
}

/// A percentile and its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Percentile<T> {
    /// The true percentile is below this with a chance of at most half the error.
    pub lower: Position<T>,
    /// Of the sample, by nearest rank.
    pub measured: Position<T>,
    /// The true percentile is above this with a chance of at most half the error.
    pub upper: Position<T>,
}

/// The `q`-quantile of calls of which `sorted` (ascending) were answered and `unanswered` were not, with exact,
/// distribution-free bounds by [`percentile_ranks`] at a confidence of `1 - error`, half of the error on either side.
///
/// A call without an answer is later than any answer: leaving it out would make a mesh look the faster the more it
/// loses. The bounds are those of a number of calls fixed in advance: for showing, while verdicts on latency are shares
/// of "within T". `None` if `q` or `error` is not in `(0, 1)` or there is no call.
#[must_use]
pub fn percentile<T: Copy>(sorted: &[T], unanswered: u64, q: f64, error: f64) -> Option<Percentile<T>> {
    percentile_by(sorted.len() as u64, unanswered, q, error, |rank| sorted[rank as usize - 1])
}

/// The same of values that are kept otherwise, as in a histogram: `at` tells the answered call of a rank, from 1 in ascending
/// order to `answered`.
#[must_use]
pub fn percentile_by<T>(
    answered: u64,
    unanswered: u64,
    q: f64,
    error: f64,
    at: impl Fn(u64) -> T,
) -> Option<Percentile<T>> {
    let n = answered + unanswered;
    let ranks = percentile_ranks(n, q, error / 2.0)?;
    let at = |rank: Option<u64>| match rank {
        None => Position::Open,
        Some(rank) if rank > answered => Position::Unanswered,
        Some(rank) => Position::At(at(rank)),
    };
    let measured = nearest_rank(n as usize, q)? as u64;
    Some(Percentile { lower: at(ranks.lower), measured: at(Some(measured)), upper: at(ranks.upper) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use Position::{At, Open, Unanswered};

    #[test]
    fn of_a_thousand_calls() {
        let times: Vec<u32> = (1..=1_000).collect();
        let p99 = percentile(&times, 0, 0.99, 1e-3).unwrap();
        assert_eq!((p99.lower, p99.measured, p99.upper), (At(978), At(990), At(999)));
        let p999 = percentile(&times, 0, 0.999, 1e-3).unwrap();
        assert_eq!((p999.measured, p999.upper), (At(999), Open), "it takes ln(2000) / 0.001 = 7,600 calls");
    }

    #[test]
    fn calls_without_an_answer_are_beyond_all() {
        let times: Vec<u32> = (1..=985).collect();
        let p99 = percentile(&times, 15, 0.99, 1e-3).unwrap();
        assert_eq!((p99.lower, p99.measured, p99.upper), (At(978), Unanswered, Unanswered));
        let none = percentile::<u32>(&[], 1_000, 0.5, 1e-3).unwrap();
        assert_eq!((none.lower, none.measured, none.upper), (Unanswered, Unanswered, Unanswered));
    }

    #[test]
    fn what_is_no_percentile_is_none() {
        for (n, q, error) in [(0usize, 0.5, 0.1), (3, 0.0, 0.1), (3, 1.0, 0.1), (3, f64::NAN, 0.1), (3, 0.5, 0.0)] {
            assert_eq!(percentile(&vec![1u32; n], 0, q, error), None, "{n} {q} {error}");
        }
        let one = percentile(&[7u32], 0, 0.5, 0.1).unwrap();
        assert_eq!((one.lower, one.measured, one.upper), (Open, At(7), Open));
    }

    /// Every sample of a distribution with ties and calls without an answer, weighed: either bound errs as rarely as it
    /// says.
    #[test]
    fn by_enumeration_of_all_samples_no_bound_errs_more_often_than_it_says() {
        // Times 1, 2, 3 and none.
        let chances = [0.2, 0.45, 0.25, 0.1];
        let place = |position: Position<u32>, open: u32| match position {
            At(time) => time,
            Unanswered => 4,
            Open => open,
        };
        for n in [1u32, 3, 6, 8] {
            for (q, error) in [(0.5, 0.3), (0.2, 0.4), (0.65, 0.5), (0.9, 0.6), (0.95, 0.3)] {
                // The quantile: at q = 0.2, 0.65 and 0.9 any time between two of them is one.
                let cumulated = |time: u32| chances[..time as usize].iter().sum::<f64>();
                let least = (1..=4).find(|time| cumulated(*time) >= q - 1e-12).unwrap();
                let most = (1..=4).rev().find(|time| cumulated(time - 1) <= q + 1e-12).unwrap();
                let (mut too_high, mut too_low, mut all) = (0.0, 0.0, 0.0);
                for sample in 0..4u32.pow(n) {
                    let mut times: Vec<u32> = (0..n).map(|i| sample / 4u32.pow(i) % 4 + 1).collect();
                    let weight: f64 = times.iter().map(|time| chances[*time as usize - 1]).product();
                    times.sort_unstable();
                    let answered: Vec<u32> = times.iter().copied().filter(|time| *time < 4).collect();
                    let shown = percentile(&answered, u64::from(n) - answered.len() as u64, q, error).unwrap();
                    all += weight;
                    too_high += if place(shown.lower, 0) > least { weight } else { 0.0 };
                    too_low += if place(shown.upper, 5) < most { weight } else { 0.0 };
                }
                assert!((all - 1.0).abs() < 1e-9);
                assert!(too_high <= error / 2.0 + 1e-12, "{n} {q} {error}: {too_high}");
                assert!(too_low <= error / 2.0 + 1e-12, "{n} {q} {error}: {too_low}");
            }
        }
    }
}
