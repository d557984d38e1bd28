use super::*;
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn look(hits: u64, n: u64) -> Look {
    Look { n, hits }
}

#[test]
fn the_lady_tasting_tea() {
    // Fisher (1935): four of four right has a chance of 1 in 70, three or more of 17 in 70.
    assert!((ln_fisher(look(4, 4), look(4, 8)).exp() - 1.0 / 70.0).abs() < 1e-12);
    assert!((ln_fisher(look(3, 4), look(4, 8)).exp() - 17.0 / 70.0).abs() < 1e-12);
    assert_eq!(ln_fisher(look(0, 4), look(4, 8)), 0.0);
    assert_eq!(ln_fisher(look(5, 4), look(4, 8)), 0.0, "no part of it");
}

proptest! {
    #[test]
    fn the_tail_is_the_sum_over_all_draws(n in 1u64..40, hits in 0u64..40, part in 0u64..40, seen in 0u64..40) {
        let (hits, part) = (hits.min(n), part.min(n));
        let choose = |n: u64, k: u64| if k > n { 0.0 } else { ln_binomial(n, k).exp() };
        let exact: f64 = (seen..=part).map(|x| choose(hits, x) * choose(n - hits, part - x)).sum::<f64>() / choose(n, part);
        if seen <= part && seen <= hits && part - seen <= n - hits {
            prop_assert!((ln_fisher(look(seen, part), look(hits, n)).exp() - exact).abs() < 1e-9);
        }
    }

    /// Against all stretches, one by one.
    #[test]
    fn the_pick_is_the_likeliest_of_all_stretches(hits in prop::collection::vec(any::<bool>(), 2..40)) {
        let scan = Scan::new(&hits);
        let all = (0..hits.len()).flat_map(|from| (from + 1..=hits.len()).map(move |to| (from, to)));
        let most = all.map(|(from, to)| scan.gain(from, to)).fold(f64::NEG_INFINITY, f64::max);
        match scan.best() {
            Some(best) => prop_assert!((scan.gain(best.from, best.to) - most).abs() < 1e-9),
            None => prop_assert!(most == f64::NEG_INFINITY),
        }
    }
}

#[test]
fn a_fault_from_one_moment_to_another_is_found_to_the_call() {
    let hits: Vec<bool> = (0..600).map(|n| (200..400).contains(&n)).collect();
    let found = stretch(&hits, 1e-3).unwrap();
    assert_eq!((found.from, found.to, found.within), (200, 400, look(200, 200)));
    let to_the_end: Vec<bool> = (0..600).map(|n| n >= 450).collect();
    assert_eq!(stretch(&to_the_end, 1e-3).map(|s| (s.from, s.to)), Some((450, 600)));
}

#[test]
fn a_share_that_rises_is_found_near_where_it_does() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let hits: Vec<bool> = (0..2_000).map(|n| rng.random_bool(if n < 1_000 { 0.05 } else { 0.4 })).collect();
    let found = stretch(&hits, 1e-3).unwrap();
    assert!((960..1_040).contains(&found.from) && found.to > 1_950, "{found:?}");
}

#[test]
fn where_order_means_nothing_nothing_is_found_more_often_than_said() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let mut found = 0;
    for run in 0..400 {
        let share = [0.02, 0.1, 0.5, 0.9][run % 4];
        let hits: Vec<bool> = (0..120).map(|_| rng.random_bool(share)).collect();
        found += usize::from(stretch(&hits, 0.05).is_some());
    }
    // Bonferroni over 7,260 stretches that overlap spends far less than it has.
    assert!(found <= 20, "{found} of 400 at 5%");
    assert_eq!(stretch(&[true; 50], 0.5), None);
    assert_eq!(stretch(&[false; 50], 0.5), None);
    assert_eq!(stretch(&[], 0.5), None);
}

#[test]
fn of_very_many_runs_the_pick_is_near_the_best() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let hits: Vec<bool> = (0..40_000).map(|n| rng.random_bool(if n < 15_000 { 0.3 } else { 0.6 })).collect();
    let found = stretch(&hits, 1e-3).unwrap();
    assert!((14_900..15_100).contains(&found.from), "{found:?}");
}

#[test]
fn odds_are_compared_without_a_division() {
    assert!(odds_differ(look(52, 104), look(52, 300), 3.0), "none of the others");
    assert!(odds_differ(look(93, 100), look(95, 300), 3.0));
    assert!(!odds_differ(look(31, 100), look(91, 300), 3.0));
    assert!(!odds_differ(look(52, 300), look(52, 300), 3.0), "there are no others");
}

#[test]
fn what_is_too_short_to_be_found_anywhere_is_found_where_something_happened() {
    let hits: Vec<bool> = (0..122).map(|n| [104, 107, 110, 113, 116, 119].contains(&n)).collect();
    assert_eq!(stretch(&hits, 1e-3), None);
    let found = stretch_from(&hits, &[102], 1e-3).unwrap();
    assert_eq!((found.from, found.to, found.within), (104, 120, look(6, 16)));
    assert_eq!(stretch_from(&hits, &[10], 1e-3), None, "nothing begins there");
    assert_eq!(stretch_from(&hits, &[], 1e-3), None);
    assert_eq!(stretch_from(&[true; 20], &[5], 1e-3), None);
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let of_chance = |_| {
        let hits: Vec<bool> = (0..120).map(|_| rng.random_bool(0.2)).collect();
        stretch_from(&hits, &[40, 80], 0.05).is_some()
    };
    assert!((0..400).map(of_chance).filter(|found| *found).count() <= 20);
}
