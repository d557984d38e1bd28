//! Which unit is compared with which.

/// The two kinds of block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Arm {
    /// Without the fault.
    Baseline,
    /// With it.
    Treated,
}

impl Arm {
    /// The kind of the `block`-th block, from 0: baseline, treated, treated, baseline, and again. A steady drift raises
    /// the difference of one pair of blocks and lowers that of the next; and there is half the switching.
    #[must_use]
    pub fn in_turn(block: usize) -> Self {
        if matches!(block % 4, 1 | 2) { Self::Treated } else { Self::Baseline }
    }
}

/// The units of a block, in order of their intended start: a value in `[0, 1]` each.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// With the fault or without.
    pub arm: Arm,
    /// Values of its units.
    pub values: Vec<f64>,
}

/// Two units to compare.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// Value of the treated one.
    pub treated: f64,
    /// Value of the other.
    pub baseline: f64,
}

/// Pairs up neighbouring blocks, two by two, and in them the units of the same place: what a switch leaves behind at the
/// start of a block meets its like. Left out are a block that has no neighbour of the other kind and the units that the
/// longer of two blocks has more: by their place, never by their values.
pub fn matched(blocks: &[Block]) -> impl Iterator<Item = Pair> {
    blocks.chunks_exact(2).filter(|two| two[0].arm != two[1].arm).flat_map(|two| {
        let (treated, baseline) = if two[0].arm == Arm::Treated { (&two[0], &two[1]) } else { (&two[1], &two[0]) };
        treated.values.iter().zip(&baseline.values).map(|(&treated, &baseline)| Pair { treated, baseline })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(arm: Arm, values: &[f64]) -> Block {
        Block { arm, values: values.to_vec() }
    }

    #[test]
    fn blocks_alternate_so_that_neighbours_differ_and_drift_cancels() {
        let arms: Vec<Arm> = (0..8).map(Arm::in_turn).collect();
        assert!(arms.chunks(2).all(|two| two[0] != two[1]));
        // The sum of the places of either kind: a steady drift weighs the same on both.
        let places = |arm| (0..8).filter(|i| Arm::in_turn(*i) == arm).sum::<usize>();
        assert_eq!(places(Arm::Baseline), places(Arm::Treated));
    }

    #[test]
    fn units_meet_those_of_the_same_place() {
        use Arm::{Baseline, Treated};
        let blocks = [
            block(Baseline, &[0.1, 0.2, 0.3]),
            block(Treated, &[0.4, 0.5]),
            block(Treated, &[0.6]),
            block(Baseline, &[0.7]),
            block(Baseline, &[0.8]),
        ];
        let pairs: Vec<(f64, f64)> = matched(&blocks).map(|pair| (pair.treated, pair.baseline)).collect();
        assert_eq!(pairs, [(0.4, 0.1), (0.5, 0.2), (0.6, 0.7)]);
        assert_eq!(matched(&[block(Treated, &[0.1]), block(Treated, &[0.2])]).count(), 0);
    }
}
