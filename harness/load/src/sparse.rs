//! The times of one stretch of a run: in the same buckets as those of the whole, without the empty ones.

use crate::{
    latencies::{Ends, nanos},
    packed::Packed,
    told,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// Two to the power of this is the number of buckets of the same width from any time to twice that.
const DIGITS: u32 = 10;

/// Times in the buckets of [`Latencies`](crate::Latencies), taking no room for those that are empty, and hardly any for the others once it is
/// sealed. What it says does not depend on whether it is.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "Told", into = "Told")]
pub struct Sparse {
    cells: Cells,
    len: u64,
    ends: Ends,
}

/// Counts by the number of their bucket, either so or so.
#[derive(Debug, Clone, Default)]
struct Cells {
    open: BTreeMap<u32, u64>,
    sealed: Option<Packed>,
}

impl Cells {
    /// To be written to.
    fn open(&mut self) -> &mut BTreeMap<u32, u64> {
        if let Some(packed) = self.sealed.take() {
            self.open = packed.each().collect();
        }
        &mut self.open
    }

    fn add(&mut self, other: &Cells) {
        match self.sealed.take() {
            Some(packed) => self.sealed = Some(Packed::of(joined(packed.each(), other.each()))),
            None => other.each().for_each(|(bucket, count)| *self.open.entry(bucket).or_default() += count),
        }
    }

    fn each(&self) -> impl Iterator<Item = (u32, u64)> {
        let open = self.open.iter().map(|(bucket, count)| (*bucket, *count));
        open.chain(self.sealed.iter().flat_map(Packed::each))
    }

    fn seal(&mut self) {
        if self.sealed.is_none() {
            self.sealed = Some(Packed::of(std::mem::take(&mut self.open).into_iter()));
        }
    }

    fn len(&self) -> usize {
        self.sealed.as_ref().map_or(self.open.len(), Packed::cells)
    }
}

/// The counts of both, each of them by ascending numbers.
fn joined(
    own: impl Iterator<Item = (u32, u64)>,
    theirs: impl Iterator<Item = (u32, u64)>,
) -> impl Iterator<Item = (u32, u64)> {
    let (mut own, mut theirs) = (own.peekable(), theirs.peekable());
    std::iter::from_fn(move || match (own.peek().copied(), theirs.peek().copied()) {
        (Some((a, n)), Some((b, m))) if a == b => {
            theirs.next();
            own.next().map(|_| (a, n + m))
        }
        (Some((a, _)), Some((b, _))) if a < b => own.next(),
        (Some(_), None) => own.next(),
        _ => theirs.next(),
    })
}

impl Sparse {
    /// Counts one time.
    pub fn record(&mut self, time: Duration) {
        let nanos = nanos(time);
        self.ends.record(nanos);
        self.len += 1;
        *self.cells.open().entry(bucket(nanos)).or_default() += 1;
    }

    /// Adds all times of another one. It stays what it is: one that is sealed is not unpacked for that.
    pub fn add(&mut self, other: &Sparse) {
        self.cells.add(&other.cells);
        self.len += other.len;
        self.ends.add(other.ends);
    }

    /// Nothing more is expected: it takes as little room as can be. What comes nevertheless opens it again.
    pub fn seal(&mut self) {
        self.cells.seal();
    }

    /// The buckets that are not empty: the least time of each, and how many fell into it.
    pub(crate) fn buckets(&self) -> impl Iterator<Item = (u64, u64)> {
        self.cells.each().map(|(bucket, count)| (low(bucket), count))
    }

    pub(crate) fn ends(&self) -> Ends {
        self.ends
    }

    /// How many buckets are not empty: what it takes up is in proportion to this.
    #[must_use]
    pub fn width(&self) -> usize {
        self.cells.len()
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// None at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl PartialEq for Sparse {
    fn eq(&self, other: &Self) -> bool {
        (self.len, self.ends) == (other.len, other.ends) && self.cells.each().eq(other.cells.each())
    }
}

impl Eq for Sparse {}

/// How it travels.
#[derive(Serialize, Deserialize)]
struct Told {
    /// By the least time of the bucket.
    #[serde(with = "told::pairs")]
    buckets: BTreeMap<u64, u64>,
    ends: Ends,
}

impl From<Sparse> for Told {
    fn from(sparse: Sparse) -> Told {
        Told { buckets: sparse.buckets().collect(), ends: sparse.ends }
    }
}

impl From<Told> for Sparse {
    fn from(told: Told) -> Sparse {
        Sparse::of(told.buckets.into_iter(), told.ends)
    }
}

impl Sparse {
    /// Of buckets that any of their times stands for.
    pub(crate) fn of(buckets: impl Iterator<Item = (u64, u64)>, ends: Ends) -> Sparse {
        let open: BTreeMap<u32, u64> = buckets.map(|(nanos, count)| (bucket(nanos), count)).collect();
        Sparse { len: open.values().sum(), cells: Cells { open, sealed: None }, ends }
    }
}

/// The number of the bucket that a time falls into: each, up to twice the time at which they begin to have a width, has one of its own.
fn bucket(nanos: u64) -> u32 {
    let wider = (64 - nanos.leading_zeros()).saturating_sub(DIGITS + 1);
    (wider << DIGITS) + (nanos >> wider) as u32
}

/// The least time of a bucket.
fn low(bucket: u32) -> u64 {
    let wider = (bucket >> DIGITS).saturating_sub(1);
    u64::from(bucket - (wider << DIGITS)) << wider
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Latencies;
    use proptest::prelude::*;

    fn of(times: &[u64]) -> Sparse {
        let mut sparse = Sparse::default();
        times.iter().for_each(|n| sparse.record(Duration::from_nanos(*n)));
        sparse
    }

    proptest! {
        /// The buckets are those of the histograms that hold the whole.
        #[test]
        fn buckets_are_those_of_the_whole(bits in 0u32..62, nanos: u64) {
            let nanos = (nanos & ((1 << bits) - 1)).min(1 << 61);
            let mut all = Latencies::default();
            all.record(Duration::from_nanos(nanos));
            prop_assert_eq!(low(bucket(nanos)), all.histogram().lowest_equivalent(nanos));
            let next = all.histogram().next_non_equivalent(nanos);
            prop_assert_eq!(bucket(next), bucket(nanos) + 1);
        }

        /// Sealed or not, opened again or not: the same.
        #[test]
        fn a_seal_changes_nothing(times in proptest::collection::vec(0u64..1 << 40, 0..200), cut in 0usize..200) {
            let (first, second) = times.split_at(cut.min(times.len()));
            let whole = of(&times);
            let (mut one, mut two) = (of(first), of(second));
            one.seal();
            prop_assert_eq!(&one, &of(first));
            second.iter().for_each(|n| one.record(Duration::from_nanos(*n)));
            prop_assert_eq!(&one, &whole);
            one = of(first);
            one.seal();
            two.seal();
            one.add(&two);
            one.seal();
            prop_assert_eq!((&one, one.width(), one.len()), (&whole, whole.width(), times.len() as u64));
        }
    }
}
