//! Times as HDR histograms, merged without loss: dense for the whole; for each second as [`Sparse`].
//!
//! Nanoseconds with three significant digits: a bucket is at most a thousandth of its value wide. Least, greatest and sum are
//! kept exactly.

use crate::{sparse::Sparse, told};
use hdrhistogram::{Histogram, iterators::IterationValue};
use serde::{Deserialize, Serialize};
use squall_stats::bounds::{Percentile, percentile_by};
use std::time::Duration;

/// The bucket that a time fell into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// The least time that falls into it.
    pub low: Duration,
    /// The greatest one, or the greatest that was recorded at all.
    pub high: Duration,
}

/// A histogram of times. It travels as its buckets that are not empty.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Sparse", into = "Sparse")]
pub struct Latencies {
    nanos: Histogram<u64>,
    ends: Ends,
}

/// What buckets would round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ends {
    min: u64,
    max: u64,
    #[serde(with = "told::sum")]
    sum: u128,
}

impl Default for Ends {
    fn default() -> Self {
        Ends { min: u64::MAX, max: 0, sum: 0 }
    }
}

impl Ends {
    pub(crate) fn record(&mut self, nanos: u64) {
        self.add(Ends { min: nanos, max: nanos, sum: u128::from(nanos) });
    }

    pub(crate) fn add(&mut self, other: Ends) {
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.sum += other.sum;
    }
}

/// Nanoseconds up to which there is room from the beginning, a minute: a histogram that grows with the slowest call is written anew, at the
/// worst of moments.
const USUAL: u64 = 1 << 36;

impl Default for Latencies {
    #[expect(clippy::expect_used, reason = "three digits and these ends are what hdrhistogram takes")]
    fn default() -> Self {
        let mut nanos = Histogram::new_with_max(USUAL, 3).expect("3 digits up to a minute");
        nanos.auto(true);
        Latencies { nanos, ends: Ends::default() }
    }
}

impl Latencies {
    /// Counts one time.
    pub fn record(&mut self, time: Duration) {
        let nanos = nanos(time);
        // The histogram grows by itself, and `nanos` keeps to what it can grow to.
        let _ = self.nanos.record(nanos);
        self.ends.record(nanos);
    }

    /// Adds all times of another one.
    pub fn add(&mut self, other: &Latencies) {
        // Both grow by themselves and have the same buckets, so there is nothing that would not fit.
        let _ = self.nanos.add(&other.nanos);
        self.ends.add(other.ends);
    }

    /// Adds the times of one second.
    pub fn add_sparse(&mut self, other: &Sparse) {
        for (low, count) in other.buckets() {
            let _ = self.nanos.record_n(low, count);
        }
        self.ends.add(other.ends());
    }

    /// The histogram itself, of nanoseconds.
    pub(crate) fn histogram(&self) -> &Histogram<u64> {
        &self.nanos
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.nanos.len()
    }

    /// None at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nanos.is_empty()
    }

    /// The least, exactly; zero of none.
    #[must_use]
    pub fn min(&self) -> Duration {
        Duration::from_nanos(if self.is_empty() { 0 } else { self.ends.min })
    }

    /// The greatest, exactly; zero of none.
    #[must_use]
    pub fn max(&self) -> Duration {
        Duration::from_nanos(self.ends.max)
    }

    /// The sum, exactly, in seconds.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.ends.sum as f64 / 1e9
    }

    /// The mean in seconds; zero of none.
    #[must_use]
    pub fn mean(&self) -> f64 {
        if self.is_empty() { 0.0 } else { self.sum() / self.len() as f64 }
    }

    /// The standard deviation in seconds, to the width of the buckets.
    #[must_use]
    pub fn deviation(&self) -> f64 {
        self.nanos.stdev() / 1e9
    }

    /// The bucket of the time with this rank, from 1 in ascending order; the last one beyond.
    #[must_use]
    pub fn at_rank(&self, rank: u64) -> Bucket {
        let mut seen = 0;
        let at = self.nanos.iter_recorded().find_map(|step| {
            seen += step.count_since_last_iteration();
            (seen >= rank).then_some(step.value_iterated_to())
        });
        self.bucket(at.unwrap_or(self.ends.max))
    }

    /// How many are at most so long, to the width of a bucket.
    #[must_use]
    pub fn count_until(&self, time: Duration) -> u64 {
        if self.is_empty() { 0 } else { self.nanos.count_between(0, nanos(time)) }
    }

    /// The `q`-quantile of these times and `unanswered` calls that are later than all of them, with exact bounds by order
    /// statistics, each wrong with a chance of at most half the `error`. `None` of no call.
    #[must_use]
    pub fn percentile(&self, unanswered: u64, q: f64, error: f64) -> Option<Percentile<Bucket>> {
        percentile_by(self.len(), unanswered, q, error, |rank| self.at_rank(rank))
    }

    fn bucket(&self, nanos: u64) -> Bucket {
        Bucket {
            low: Duration::from_nanos(self.nanos.lowest_equivalent(nanos)),
            high: Duration::from_nanos(self.nanos.highest_equivalent(nanos).min(self.ends.max)),
        }
    }
}

impl From<Sparse> for Latencies {
    fn from(sparse: Sparse) -> Self {
        let mut all = Latencies::default();
        all.add_sparse(&sparse);
        all
    }
}

impl From<Latencies> for Sparse {
    fn from(all: Latencies) -> Self {
        let step = |step: IterationValue<u64>| (step.value_iterated_to(), step.count_since_last_iteration());
        Sparse::of(all.nanos.iter_recorded().map(step), all.ends)
    }
}

/// A century is as good as any longer time.
pub(crate) fn nanos(time: Duration) -> u64 {
    const MOST: u64 = 1 << 61;
    u64::try_from(time.as_nanos()).map_or(MOST, |nanos| nanos.min(MOST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use squall_stats::bounds::{Position, percentile};

    fn of(nanos: &[u64]) -> Latencies {
        let mut all = Latencies::default();
        nanos.iter().for_each(|n| all.record(Duration::from_nanos(*n)));
        all
    }

    fn times() -> impl Strategy<Value = Vec<u64>> {
        // From nanoseconds to hours, as likely in each decade.
        proptest::collection::vec((0.0f64..13.0).prop_map(|e| 10f64.powf(e) as u64), 1..300)
    }

    proptest! {
        /// Whatever is cut into whatever parts: the parts together are the whole.
        #[test]
        fn merged_parts_are_the_whole(times in times(), cut in 0usize..300) {
            let (first, second) = times.split_at(cut.min(times.len()));
            let mut merged = of(first);
            merged.add(&of(second));
            let whole = of(&times);
            prop_assert_eq!(&merged, &whole);
            let mut sparse = Sparse::default();
            second.iter().for_each(|n| sparse.record(Duration::from_nanos(*n)));
            let mut from_sparse = of(first);
            from_sparse.add_sparse(&sparse);
            prop_assert_eq!(&from_sparse, &whole);
        }

        /// The true order statistic lies in its bucket, which is a thousandth wide; so do the bounds of every percentile.
        #[test]
        fn percentiles_are_those_of_the_sorted_times(mut times in times(), q in 0.01f64..0.99, unanswered in 0u64..20) {
            let all = of(&times);
            times.sort_unstable();
            let exact = percentile(&times, unanswered, q, 0.1).unwrap();
            let ours = all.percentile(unanswered, q, 0.1).unwrap();
            for (exact, ours) in [(exact.lower, ours.lower), (exact.measured, ours.measured), (exact.upper, ours.upper)] {
                match (exact, ours) {
                    (Position::At(exact), Position::At(Bucket { low, high })) => {
                        let exact = Duration::from_nanos(exact);
                        prop_assert!((low..=high).contains(&exact), "{exact:?} in {low:?} to {high:?}");
                        prop_assert!((high - low).as_secs_f64() <= low.as_secs_f64() / 999.0);
                    }
                    (Position::Unanswered, Position::Unanswered) | (Position::Open, Position::Open) => {}
                    other => prop_assert!(false, "{other:?}"),
                }
            }
        }
    }

    #[test]
    fn of_nothing() {
        let none = Latencies::default();
        assert_eq!((none.min(), none.max(), none.len()), (Duration::ZERO, Duration::ZERO, 0));
        assert_eq!(none.percentile(0, 0.5, 1e-3), None);
        assert_eq!(none.count_until(Duration::from_secs(1)), 0);
    }
}
