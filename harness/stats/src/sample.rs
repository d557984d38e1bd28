//! The two numbers that reports take from a slice.

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
fn nearest_rank(n: usize, q: f64) -> Option<usize> {
    if n == 0 || !(0.0..=1.0).contains(&q) {
        return None;
    }
    // 0.95 × 20 is 19.000000000000004 in some products of doubles: rounding must not name the next rank.
    let exact = q * n as f64;
    let rank = (exact * (1.0 - 4.0 * f64::EPSILON)).ceil() as usize;
    Some(rank.clamp(1, n))
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
