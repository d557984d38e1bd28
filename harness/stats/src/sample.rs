//! The numbers that reports take from a slice.

use crate::share::Look;

/// The arithmetic mean; `None` of nothing.
#[must_use]
pub fn mean(values: &[f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    Some(values.iter().sum::<f64>() / values.len() as f64)
}

/// The `q`-quantile by nearest rank: the smallest value with at least a share `q` of the slice at or below it.
///
/// Always a value that was really measured, never between two. `sorted` is in ascending order, `q` in `[0, 1]` (0
/// gives the smallest value); `None` of an empty slice or another `q`.
#[must_use]
pub fn quantile<T: Copy>(sorted: &[T], q: f64) -> Option<T> {
    sorted.get(nearest_rank(sorted.len(), q)?.checked_sub(1)?).copied()
}

/// The 1-based nearest rank of the `q`-quantile among `n` values.
pub(crate) fn nearest_rank(n: usize, q: f64) -> Option<usize> {
    if n == 0 || !(0.0..=1.0).contains(&q) {
        return None;
    }
    // 0.95 × 20 is 19.000000000000004 in some products of doubles: rounding must not name the next rank.
    let exact = q * n as f64;
    let rank = (exact * (1.0 - 4.0 * f64::EPSILON)).ceil() as usize;
    Some(rank.clamp(1, n))
}

/// How much less than independent calls the calls of a sample say, because those of a unit hang together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DesignEffect {
    /// The variance of the measured share over that of as many independent calls: 1 if they are, more if the calls of a
    /// unit are alike.
    pub deff: f64,
    /// As many independent calls would say as much: `n / deff`, but never more than there are.
    pub effective: f64,
}

/// Kish's design effect (*Survey sampling*, 1965) of units (users, connections, seconds) with their calls and hits, by
/// the variance of their means around the share of all calls.
///
/// For showing only: it is an estimate, and a verdict takes the units themselves ([`crate::mean`]). `None` with fewer
/// than two units that have calls, and where all calls or none are hits, which shows no variance at all.
#[must_use]
pub fn design_effect(units: &[Look]) -> Option<DesignEffect> {
    let filled: Vec<&Look> = units.iter().filter(|unit| unit.n > 0).collect();
    let sum = |of: fn(&Look) -> u64| filled.iter().map(|unit| of(unit)).sum::<u64>() as f64;
    let (calls, hits, number) = (sum(|unit| unit.n), sum(|unit| unit.hits), filled.len() as f64);
    if number < 2.0 || hits <= 0.0 || hits >= calls {
        return None;
    }
    let share = hits / calls;
    let squares: f64 = filled.iter().map(|unit| (unit.hits as f64 - share * unit.n as f64).powi(2)).sum();
    let deff = squares * number / (number - 1.0) / (calls * share * (1.0 - share));
    Some(DesignEffect { deff, effective: if deff > 1.0 { calls / deff } else { calls } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nearest_ranks_of_the_textbook() {
        let five = [15, 20, 35, 40, 50];
        let picked = [0.0, 0.05, 0.3, 0.4, 0.5, 1.0].map(|q| quantile(&five, q).unwrap());
        assert_eq!(picked, [15, 15, 20, 20, 35, 50]);
        assert_eq!(quantile::<u32>(&[], 0.5), None);
        assert_eq!((quantile(&five, 1.1), quantile(&five, -0.1), quantile(&five, f64::NAN)), (None, None, None));
    }

    #[test]
    fn rounding_does_not_name_the_next_rank() {
        let hundred: Vec<u32> = (1..=100).collect();
        for percent in 1..=100u32 {
            assert_eq!(quantile(&hundred, f64::from(percent) / 100.0), Some(percent));
        }
    }

    #[test]
    fn mean_of_nothing_is_nothing() {
        assert_eq!(mean(&[]), None);
        assert_eq!(mean(&[1.0, 2.0, 6.0]), Some(3.0));
    }

    #[test]
    fn calls_that_hang_together_say_as_much_as_their_units() {
        let unit = |n, hits| Look { n, hits };
        // 50 users with 20 calls each, all or nothing: 50 draws, not 1,000.
        let sticky: Vec<Look> = (0..50).map(|i| unit(20, if i % 10 == 0 { 20 } else { 0 })).collect();
        let DesignEffect { deff, effective } = design_effect(&sticky).unwrap();
        assert!((deff - 20.0 * 50.0 / 49.0).abs() < 1e-9 && (effective - 49.0).abs() < 1e-9, "{deff} {effective}");
        // As evenly as can be: no calls are gained by that.
        let even = vec![unit(20, 2); 50];
        assert_eq!(design_effect(&even).map(|d| (d.deff, d.effective)), Some((0.0, 1_000.0)));
        for nothing in [vec![], vec![unit(20, 2)], vec![unit(20, 0); 3], vec![unit(20, 20); 3], vec![unit(0, 0); 3]] {
            assert_eq!(design_effect(&nothing), None, "{nothing:?}");
        }
    }

    /// A single call a unit: independent calls, by the identity of the binomial variance.
    #[test]
    fn units_of_one_call_have_no_effect() {
        let units: Vec<Look> = (0..100).map(|i| Look { n: 1, hits: u64::from(i % 5 == 0) }).collect();
        let effect = design_effect(&units).unwrap();
        assert!((effect.deff - 100.0 / 99.0).abs() < 1e-12, "{effect:?}");
    }

    proptest! {
        #[test]
        fn enough_values_lie_at_or_below_and_not_one_too_many(
            mut values in proptest::collection::vec(0u32..50, 1..80), percent in 0u32..=100,
        ) {
            values.sort_unstable();
            let q = f64::from(percent) / 100.0;
            let picked = quantile(&values, q).unwrap();
            let below = values.iter().filter(|v| **v < picked).count();
            let up_to = values.iter().filter(|v| **v <= picked).count();
            // In whole numbers, so that the test does not share the rounding of what it tests.
            prop_assert!(up_to * 100 >= percent as usize * values.len());
            prop_assert!(below == 0 || below * 100 < percent as usize * values.len());
        }
    }
}
