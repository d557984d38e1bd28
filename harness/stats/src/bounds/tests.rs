use super::*;
use crate::share::{Promise, Risk};
use proptest::prelude::*;

fn look(n: u64, hits: u64) -> Look {
    Look { n, hits }
}

#[test]
fn clopper_pearson_of_the_textbook() {
    let three_of_ten = clopper_pearson(look(10, 3), 0.05).unwrap();
    assert!((three_of_ten.low - 0.066_739_51).abs() < 1e-7, "{three_of_ten:?}");
    assert!((three_of_ten.high - 0.652_452_84).abs() < 1e-7, "{three_of_ten:?}");
    // Without a failure the upper bound has a closed form; three over n, as the rule goes.
    let none = clopper_pearson_upper(look(1_000, 0), 0.05).unwrap();
    assert!((none - (1.0 - 0.05f64.powf(1e-3))).abs() < 1e-12 && (none - 0.003).abs() < 1e-4);
    assert_eq!(clopper_pearson(look(0, 0), 0.05), Some(Interval::ALL));
    assert_eq!(clopper_pearson_upper(look(7, 7), 0.05), Some(1.0));
    assert_eq!((clopper_pearson(look(3, 4), 0.05), clopper_pearson(look(3, 2), 0.0)), (None, None));
}

#[test]
fn clopper_pearson_keeps_its_digits_where_errors_are_tiny() {
    let one_in_a_million = clopper_pearson(look(1_000_000, 1), 2e-7).unwrap();
    // P(K >= 1) = 1e-7 at 1e-13; P(K <= 1) = 1e-7 where e^-x (1 + x) is, at x = 19.1.
    assert!((one_in_a_million.low / 1e-13 - 1.0).abs() < 1e-4, "{one_in_a_million:?}");
    assert!((one_in_a_million.high * 1e6 - 19.12).abs() < 0.05, "{one_in_a_million:?}");
}

/// The binomial chances themselves, by multiplication.
fn binomial(n: u64, p: f64) -> Vec<f64> {
    let mut chances = vec![1.0];
    for _ in 0..n {
        chances.resize(chances.len() + 1, 0.0);
        for k in (0..chances.len()).rev() {
            let below = if k > 0 { chances[k - 1] } else { 0.0 };
            chances[k] = chances[k] * (1.0 - p) + below * p;
        }
    }
    chances
}

#[test]
fn clopper_pearson_covers_every_share() {
    for n in [1u64, 2, 5, 17, 40] {
        for error in [0.1, 0.01] {
            let sides: Vec<_> = (0..=n)
                .map(|k| {
                    (
                        clopper_pearson_lower(look(n, k), error).unwrap(),
                        clopper_pearson_upper(look(n, k), error).unwrap(),
                    )
                })
                .collect();
            for percent in 0..=100u32 {
                let p = f64::from(percent) / 100.0;
                let missed = |miss: &dyn Fn(&(f64, f64)) -> bool| {
                    binomial(n, p)
                        .iter()
                        .zip(&sides)
                        .filter(|(_, side)| miss(side))
                        .map(|(chance, _)| chance)
                        .sum::<f64>()
                };
                assert!(missed(&|side| p < side.0) <= error + 1e-12, "{n} at {p}: below");
                assert!(missed(&|side| p > side.1) <= error + 1e-12, "{n} at {p}: above");
            }
        }
    }
}

#[test]
fn ranks_of_the_textbook() {
    // The median of ten values: P(Binomial(10, ½) <= 1) = 1.07 %, <= 2 is 5.47 %.
    assert_eq!(percentile_ranks(10, 0.5, 0.05), Some(Ranks { lower: Some(2), upper: Some(9) }));
    // No value bounds the 99th percentile from above before 0.99^n is small enough.
    assert_eq!(percentile_ranks(687, 0.99, 1e-3).unwrap().upper, None);
    assert_eq!(percentile_ranks(688, 0.99, 1e-3).unwrap().upper, Some(688));
    assert_eq!(percentile_ranks(0, 0.5, 0.05), Some(Ranks { lower: None, upper: None }));
    assert_eq!((percentile_ranks(10, 1.0, 0.05), percentile_ranks(10, 0.5, 0.0)), (None, None));
}

#[test]
fn ranks_cover_the_percentile() {
    for n in [5u64, 20, 60] {
        for (q, error) in [(0.5, 0.05), (0.9, 0.01), (0.95, 0.1)] {
            let Ranks { lower, upper } = percentile_ranks(n, q, error).unwrap();
            let below = binomial(n, q); // how many of the values lie below the percentile
            let up_to = |rank: u64| below.iter().take(rank as usize).sum::<f64>();
            // The value of a rank is above the percentile if fewer values than that lie below it.
            if let Some(rank) = lower {
                assert!(up_to(rank) <= error && up_to(rank + 1) > error, "{n} {q} {rank}: not the best or not valid");
            }
            let beyond = |rank: u64| 1.0 - up_to(rank);
            match upper {
                Some(rank) => assert!(beyond(rank) <= error && beyond(rank - 1) > error, "{n} {q} {rank}"),
                None => assert!(beyond(n) > error, "{n} {q}: the largest value would have done"),
            }
        }
    }
}

#[test]
fn the_bound_of_a_test_is_wider_than_that_of_a_fixed_sample() {
    let design = Design::at_most(0.01, Risk::default()).unwrap();
    let bound = anytime(&design, look(3_000, 9)).unwrap();
    let fixed = clopper_pearson_upper(bound.seen, 1e-3).unwrap();
    assert_eq!((bound.measured(), bound.likely.low, bound.sure.high), (Some(0.003), 0.0, 1.0));
    assert!(bound.likely.high > fixed && bound.likely.high < 1.3 * fixed, "{bound:?} {fixed}");
    assert_eq!(anytime(&design, look(3, 4)), None);
    assert_eq!(
        anytime(&design, look(0, 0)).map(|b| (b.measured(), b.likely, b.sure)),
        Some((None, Interval::ALL, Interval::ALL))
    );
}

#[test]
fn a_promise_that_is_never_shown_still_has_a_bound_to_show() {
    let never = Design::at_most(0.0, Risk::default()).unwrap();
    let bound = anytime(&never, look(10_000, 0)).unwrap();
    assert!(bound.likely.high > 0.0006 && bound.likely.high < 0.001, "{bound:?}");
    let every = Design::at_least(1.0, Risk::default()).unwrap();
    let mirrored = anytime(&every, look(10_000, 10_000)).unwrap();
    assert!((mirrored.likely.low - (1.0 - bound.likely.high)).abs() < 1e-12);
}

proptest! {
    #[test]
    fn the_bound_and_the_test_say_the_same(
        lo in 0.02f64..0.5, width in 0.01f64..0.4, kind in 0..3,
        n in 1u64..20_000, share in 0.0f64..=1.0, near in any::<bool>(),
    ) {
        let hi = lo + width;
        let promise = match kind { 0 => Promise::AtMost(hi), 1 => Promise::AtLeast(lo), _ => Promise::Between(lo, hi) };
        let design = Design::new(promise, Risk::default()).unwrap();
        // Half of the cases close to a limit, where the answer is in doubt.
        let share = if near { (lo + (share - 0.5) * 0.2).clamp(0.0, 1.0) } else { share };
        let seen = look(n, (share * n as f64) as u64);
        let bound = anytime(&design, seen).unwrap();
        let (low, high) = promise.limits();
        let (mut shown, mut broken) = (true, false);
        for fence in design.fences() {
            let k = fence.counts.of(n as f64, seen.hits as f64);
            shown &= fence.within(n as f64, k);
            broken |= fence.beyond(n as f64, k);
        }
        let doubtful = [bound.likely.low - low, bound.likely.high - high, bound.sure.low - high, bound.sure.high - low]
            .iter().any(|gap| gap.abs() < 1e-9 && *gap != 0.0);
        prop_assume!(!doubtful);
        prop_assert_eq!(shown, bound.likely.low >= low && bound.likely.high <= high, "{:?}", bound);
        prop_assert_eq!(broken, bound.sure.low > high || bound.sure.high < low, "{:?}", bound);
        let measured = bound.measured().unwrap();
        prop_assert!(bound.likely.contains(measured) && bound.sure.contains(measured));
    }

    /// The inversion is sound: what is excluded stays excluded further out.
    #[test]
    fn limits_further_out_are_excluded_too(
        at in 0.005f64..0.9, n in 1u64..20_000, share in 0.0f64..1.0, out in 0.0f64..1.0,
    ) {
        let design = Design::at_most(at, Risk::default()).unwrap();
        let fence = &design.fences()[0];
        let (n, k) = (n as f64, (share * n as f64).floor());
        let upper = upper_limit(fence, n, k);
        prop_assert!(upper >= 1.0 || fence.moved(upper + (0.999_999 - upper).max(0.0) * out).within(n, k));
        let lower = lower_limit(fence, n, k);
        prop_assert!(lower <= 0.0 || fence.moved(lower * (1.0 - out).max(1e-6)).beyond(n, k));
    }

    #[test]
    fn a_clopper_pearson_bound_is_where_the_tail_is_the_error(
        n in 1u64..1_000_000, share in 0.0f64..1.0, exponent in -9.0f64..-0.5,
    ) {
        let seen = look(n, (share * n as f64) as u64);
        let error = 10f64.powf(exponent);
        let Interval { low, high } = clopper_pearson(seen, error).unwrap();
        let near = |ln_tail: f64| (ln_tail - (error / 2.0).ln()).abs() < 1e-6;
        prop_assert!(high >= 1.0 || near(ln_binomial_at_most(seen.hits, n, high)));
        prop_assert!(low <= 0.0 || near(ln_binomial_at_least(seen.hits, n, low)));
        prop_assert!(low <= high);
    }
}
