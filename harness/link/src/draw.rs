//! Draws: numbers that look random, and are the same in every run with the same seed.

use squall_model::{Fraction, Wire};

/// Mixes a number until nothing of it is left to be seen: the finaliser of SplitMix64 (Steele, Lea, Flood 2014).
fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// FNV-1a, 64 bits: unlike the standard library's hashes it is the same in every release.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &b| (hash ^ u64::from(b)).wrapping_mul(0x100_0000_01b3))
}

/// A number drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Draw(u64);

impl Draw {
    /// What a wire's draws begin with.
    pub(crate) fn of_wire(seed: u64, wire: &Wire) -> Draw {
        Draw(mix(seed ^ mix(fnv1a(wire.to_string().as_bytes()))))
    }

    /// The `n`th that follows from this one.
    pub(crate) fn nth(self, n: u64) -> Draw {
        Draw(mix(self.0 ^ mix(n)))
    }

    /// Is it among so many of all?
    pub(crate) fn is_within(self, share: Fraction) -> bool {
        (u128::from(self.0) * u128::from(Fraction::ALL.ppm())) >> 64 < u128::from(share.ppm())
    }

    /// Uniform over [-1, 1).
    pub(crate) fn signed_unit(self) -> f64 {
        (self.0 >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_model::InstanceId;

    fn wire(to: u32) -> Wire {
        let id = |service: &str, number| InstanceId { service: service.into(), number };
        Wire { from: id("web", 1), to: id("reviews", to) }
    }

    #[test]
    fn a_share_is_drawn_as_large_as_it_is() {
        let base = Draw::of_wire(7, &wire(1));
        let drawn = |share| (0..100_000).filter(|&n| base.nth(n).is_within(share)).count();
        assert_eq!(drawn(Fraction::ZERO), 0);
        assert_eq!(drawn(Fraction::ALL), 100_000);
        // Five standard deviations of a binomial count; the seed is fixed, so this holds for ever or never.
        let third = drawn(Fraction::percent(30));
        assert!((29_275..30_725).contains(&third), "{third}");
    }

    #[test]
    fn wires_and_seeds_draw_by_themselves() {
        let share = Fraction::percent(50);
        let pattern = |seed, to| -> Vec<bool> {
            let base = Draw::of_wire(seed, &wire(to));
            (0..64).map(|n| base.nth(n).is_within(share)).collect()
        };
        assert_eq!(pattern(1, 1), pattern(1, 1));
        assert_ne!(pattern(1, 1), pattern(2, 1));
        assert_ne!(pattern(1, 1), pattern(1, 2));
    }

    #[test]
    fn a_greater_share_draws_the_same_and_more() {
        let base = Draw::of_wire(1, &wire(1));
        let within = |n, percent| base.nth(n).is_within(Fraction::percent(percent));
        assert!((0..1_000).all(|n| !within(n, 20) || within(n, 40)));
    }

    #[test]
    fn a_signed_unit_is_even_around_zero() {
        let units: Vec<f64> = (0..10_000).map(|n| Draw::of_wire(1, &wire(1)).nth(n).signed_unit()).collect();
        assert!(units.iter().all(|u| (-1.0..1.0).contains(u)));
        assert!(units.iter().sum::<f64>().abs() / 10_000.0 < 0.03);
        assert!(units.iter().any(|&u| u < -0.99) && units.iter().any(|&u| u > 0.99));
    }
}
