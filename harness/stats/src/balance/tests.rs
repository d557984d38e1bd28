use super::*;
use proptest::prelude::*;
use std::cmp::Ordering;

/// Earliest deadline first as in Envoy: the deadline of the `j`-th pick of an instance is `(j - start) / weight`; equal
/// deadlines in the order of `rank`. Whole numbers, so that it does not share the rounding of what it tests.
struct Edf {
    weights: Vec<u32>,
    /// In thousandths of a pick, below one: where in its own cycle an instance starts.
    start: Vec<u64>,
    rank: Vec<usize>,
    picked: Vec<u64>,
}

impl Edf {
    fn pick(&mut self) -> usize {
        let deadline = |i: usize| (1_000 * (self.picked[i] + 1) - self.start[i], u64::from(self.weights[i]));
        let earlier = |a: &usize, b: &usize| -> Ordering {
            let ((left, left_weight), (right, right_weight)) = (deadline(*a), deadline(*b));
            (left * right_weight).cmp(&(right * left_weight)).then(self.rank[*a].cmp(&self.rank[*b]))
        };
        let next = (0..self.weights.len()).min_by(earlier).unwrap();
        self.picked[next] += 1;
        next
    }
}

/// The fewest and the most picks of each instance over all windows of `n` in a row.
fn extremes(picks: &[usize], instances: usize, n: usize) -> Vec<(u64, u64)> {
    (0..instances)
        .map(|i| {
            let count = |window: &[usize]| window.iter().filter(|pick| **pick == i).count() as u64;
            let counts = picks.windows(n).map(count);
            (counts.clone().min().unwrap(), counts.max().unwrap())
        })
        .collect()
}

#[test]
fn in_turn() {
    assert_eq!(round_robin(10, 3), Some(Picks { min: 3, max: 4 }));
    assert_eq!(round_robin(9, 3), Some(Picks { min: 3, max: 3 }));
    assert_eq!(round_robin(2, 3), Some(Picks { min: 0, max: 1 }));
    assert_eq!(round_robin(0, 3), Some(Picks { min: 0, max: 0 }));
    assert_eq!(round_robin(7, 1), Some(Picks { min: 7, max: 7 }));
    assert_eq!((round_robin(7, 0), round_robin_across(7, 3, 0)), (None, None));
    assert!(round_robin(10, 3).unwrap().allows(4) && !round_robin(10, 3).unwrap().allows(5));
}

#[test]
fn of_two_instances_no_count_is_off_by_more_than_one() {
    // 90/10 over 5,000 picks: the coin would be off by 21 on the average.
    assert_eq!(weighted_round_robin(5_000, &[90, 10], 1), Some(Picks { min: 499, max: 501 }));
    assert_eq!(weighted_round_robin(5_000, &[90, 10], 0), Some(Picks { min: 4_499, max: 4_501 }));
    assert_eq!(weighted_round_robin(10, &[5, 5, 5], 0), round_robin(10, 3));
    assert_eq!(weighted_round_robin(10, &[5], 0), Some(Picks { min: 10, max: 10 }));
    assert_eq!((weighted_round_robin(10, &[5, 1], 2), weighted_round_robin(10, &[5, 0], 0)), (None, None));
    assert_eq!(weighted_round_robin_across(10, &[5, 1], 0, 0), None);
}

#[test]
fn several_schedulers_in_turn_are_the_worst_of_all_divisions() {
    for (instances, schedulers) in [(2u64, 2u64), (3, 2), (3, 3), (5, 3)] {
        for n in 0..40u64 {
            let (mut min, mut max) = (u64::MAX, 0);
            for first in 0..=n {
                for second in 0..=n - first {
                    let third = n - first - second;
                    if schedulers == 2 && third > 0 {
                        continue;
                    }
                    let parts = [first, second, third];
                    min = min.min(parts.iter().map(|part| part / instances).sum());
                    max = max.max(parts.iter().map(|part| part.div_ceil(instances)).sum());
                }
            }
            assert_eq!(round_robin_across(n, instances, schedulers), Some(Picks { min, max }), "{n} {instances}");
        }
    }
}

proptest! {
    #[test]
    fn no_window_of_a_schedule_leaves_the_range(
        parts in proptest::collection::vec((1u32..12, 0u64..1_000, any::<u32>()), 2..6), n in 1usize..60,
    ) {
        let weights: Vec<u32> = parts.iter().map(|part| part.0).collect();
        let mut rank: Vec<usize> = (0..parts.len()).collect();
        rank.sort_by_key(|i| parts[*i].2);
        let start = parts.iter().map(|part| part.1).collect();
        let mut edf = Edf { weights: weights.clone(), start, rank, picked: vec![0; weights.len()] };
        let picks: Vec<usize> = (0..400).map(|_| edf.pick()).collect();
        let uneven = weights.iter().any(|weight| *weight != weights[0]);
        for (i, (fewest, most)) in extremes(&picks, weights.len(), n).into_iter().enumerate() {
            let range = weighted_round_robin(n as u64, &weights, i).unwrap();
            // Equal weights have no deadlines in Envoy: they are picked in turn.
            if uneven {
                prop_assert!(range.allows(fewest) && range.allows(most), "{range:?}: {fewest} to {most} of {n}");
            }
            // And the range is tight: as wide as the deviation it is derived from.
            let share = f64::from(weights[i]) / f64::from(weights.iter().sum::<u32>());
            prop_assert!((range.max - range.min) as f64 <= 2.0 * (1.0 + share * (weights.len() as f64 - 2.0)));
        }
    }
}

#[test]
fn the_range_is_reached() {
    // Weights 3 : 1 : 1 from the start: a window in which the two light ones come late, and one where they come early.
    let mut edf = Edf { weights: vec![3, 1, 1], start: vec![0, 0, 0], rank: vec![0, 1, 2], picked: vec![0; 3] };
    let picks: Vec<usize> = (0..200).map(|_| edf.pick()).collect();
    let (fewest, most) = extremes(&picks, 3, 7)[0];
    assert_eq!((fewest, most), (3, 5));
    assert_eq!(weighted_round_robin(7, &[3, 1, 1], 0), Some(Picks { min: 3, max: 5 }));
}
