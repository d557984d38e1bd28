//! The buckets of a histogram that is not written to any more, in as few bits as that takes.
//!
//! Buckets go by their number, ascending. Each is two numbers of at least 1, its distance from the one before and its count, and both are mostly
//! small: where times lie close together the distance is 1, where they do not the count is. So they are written as Elias wrote numbers (gamma):
//! as many zeros as there are bits after the first, then the bits; 1 is a single bit. Equal buckets are equal bytes.

/// Buckets with their counts, packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packed {
    bits: Box<[u8]>,
    cells: u32,
}

impl Packed {
    /// Of buckets in ascending order, each with at least one.
    pub(crate) fn of(cells: impl Iterator<Item = (u32, u64)>) -> Packed {
        let (mut bits, mut number, mut before) = (Bits::default(), 0, 0);
        for (bucket, count) in cells {
            // Counted from 1, so that the first may be bucket 0.
            let bucket = u64::from(bucket) + 1;
            bits.push(bucket - before);
            bits.push(count);
            before = bucket;
            number += 1;
        }
        Packed { bits: bits.bytes.into_boxed_slice(), cells: number }
    }

    /// How many buckets.
    pub(crate) fn cells(&self) -> usize {
        self.cells as usize
    }

    /// The buckets as they were.
    pub(crate) fn each(&self) -> impl Iterator<Item = (u32, u64)> {
        let (mut at, mut bucket) = (0, 0);
        (0..self.cells).map(move |_| {
            bucket += pull(&self.bits, &mut at);
            ((bucket - 1) as u32, pull(&self.bits, &mut at))
        })
    }
}

/// Bits one after the other, the highest of each byte first.
#[derive(Debug, Default)]
struct Bits {
    bytes: Vec<u8>,
    used: usize,
}

impl Bits {
    fn push(&mut self, number: u64) {
        let digits = 64 - number.leading_zeros();
        (1..digits).for_each(|_| self.push_bit(false));
        (0..digits).rev().for_each(|digit| self.push_bit(number >> digit & 1 == 1));
    }

    fn push_bit(&mut self, bit: bool) {
        if self.used.is_multiple_of(8) {
            self.bytes.push(0);
        }
        self.bytes[self.used / 8] |= u8::from(bit) << (7 - self.used % 8);
        self.used += 1;
    }
}

/// The number that begins at this bit. There is one: as many are pulled as were pushed.
fn pull(bytes: &[u8], at: &mut usize) -> u64 {
    let mut bit = || {
        let bit = bytes.get(*at / 8).is_none_or(|byte| byte >> (7 - *at % 8) & 1 == 1);
        *at += 1;
        bit
    };
    let mut more = 0;
    while !bit() {
        more += 1;
    }
    (0..more).fold(1, |number, _| number << 1 | u64::from(bit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        /// Whatever buckets, whatever counts.
        #[test]
        fn what_is_packed_is_unpacked(
            cells in proptest::collection::btree_map(prop_oneof![0u32..100, any::<u32>()], prop_oneof![1u64..9, 1u64..], 0..300),
        ) {
            let packed = Packed::of(cells.iter().map(|(bucket, count)| (*bucket, *count)));
            prop_assert_eq!(packed.cells(), cells.len());
            prop_assert_eq!(packed.each().collect::<BTreeMap<_, _>>(), cells);
        }
    }

    #[test]
    fn buckets_side_by_side_take_a_byte_at_most() {
        let packed = Packed::of((1_000..2_000).map(|bucket| (bucket, u64::from(bucket % 8) + 1)));
        assert!(packed.bits.len() < 800, "{} bytes for 1,000 buckets", packed.bits.len());
    }
}
