use super::*;
use crate::betting::Side;
use crate::plan::Course;
use crate::share::{Counts, Promise, Reach, Risk, ShareTest};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn design(promise: Promise) -> Design {
    Design::new(promise, Risk::default()).unwrap()
}

fn after(promise: Promise, values: impl IntoIterator<Item = f64>) -> MeanTest {
    let mut test = MeanTest::new(design(promise));
    values.into_iter().for_each(|value| test.push(value).unwrap());
    test
}

#[test]
fn all_is_well_and_all_is_lost() {
    let well = after(Promise::AtLeast(0.99), [1.0; 1_000]);
    assert_eq!((well.conclude(), well.decided_at(), well.n()), (Decision::Holds, Some(841), 1_000));
    let lost = after(Promise::AtLeast(0.99), [0.9; 1_000]);
    assert_eq!(lost.decision(), Decision::Violated);
    assert!(lost.decided_at().unwrap() < 15, "tenths in each unit vary less than a tenth of the units: {lost:?}");
    assert_eq!(after(Promise::AtLeast(0.99), [1.0; 800]).conclude(), Decision::Undecided);
    assert_eq!(after(Promise::AtLeast(0.99), []).conclude(), Decision::Undecided);
}

#[test]
fn a_value_that_no_unit_can_have_is_refused_and_not_counted() {
    let mut test = MeanTest::new(design(Promise::AtMost(0.1)));
    for value in [-1e-9, 1.000_001, f64::NAN, f64::INFINITY] {
        assert!(test.push(value).is_err(), "{value}");
    }
    assert_eq!(test.push(2.0), Err(OutOfRange(2.0)));
    assert_eq!((test.n(), test.measured()), (0, None));
    test.push(0.25).unwrap();
    test.push(0.75).unwrap();
    assert_eq!((test.n(), test.measured()), (2, Some(0.5)));
}

#[test]
fn a_range_holds_inside_and_is_violated_on_both_sides() {
    let range = Promise::Between(0.3, 0.5);
    let around = |mean: f64| (0..3_000).map(move |i| mean + if i % 2 == 0 { 0.2 } else { -0.2 });
    assert_eq!(after(range, around(0.4)).decision(), Decision::Holds);
    assert_eq!(after(range, around(0.2)).decision(), Decision::Violated);
    assert_eq!(after(range, around(0.6)).decision(), Decision::Violated);
}

#[test]
fn never_and_exactly_are_violated_only() {
    let mut never = after(Promise::AtMost(0.0), [0.0; 5_000]);
    assert_eq!((never.decision(), never.design().reach()), (Decision::Undecided, Reach::ViolatedOnly));
    let shown = never.interval();
    assert!(shown.likely.high > 0.001 && shown.likely.high < 0.002, "it has a bound all the same: {shown:?}");
    never.push(0.01).unwrap();
    assert_eq!((never.decision(), never.decided_at()), (Decision::Violated, Some(5_001)));

    let half = Promise::Between(0.5, 0.5);
    assert_eq!(after(half, (0..5_000).map(|i| f64::from(i % 2))).decision(), Decision::Undecided);
    assert_eq!(after(half, (0..5_000).map(|i| f64::from(i % 3) / 3.0)).decision(), Decision::Violated);
}

#[test]
fn a_mean_that_changes_contradicts() {
    let mut test = after(Promise::AtLeast(0.9), [1.0; 100]);
    assert_eq!(test.decision(), Decision::Holds);
    let shown = test.interval();
    (0..200).for_each(|_| test.push(0.0).unwrap());
    assert_eq!((test.decision(), test.decided_at()), (Decision::Contradicted, Some(80)));
    assert_eq!(test.interval(), shown, "the numbers are those of the first crossing");
}

/// Ten calls a unit, drawn one by one: the spread of a real sample of independent calls.
#[test]
fn units_of_independent_calls_need_fewer_units_than_single_calls() {
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let mut unit = || f64::from((0..10).map(|_| u32::from(random.random_bool(0.03))).sum::<u32>()) / 10.0;
    let mut test = MeanTest::new(design(Promise::AtMost(0.01)));
    while test.decision() == Decision::Undecided {
        test.push(unit()).unwrap();
    }
    assert_eq!(test.decision(), Decision::Violated);
    assert!(test.n() < 400, "{} units, where 1,220 single calls are needed", test.n());
}

/// Of the same truth, for one case of a property.
const PATHS: u64 = 10;

proptest! {
    /// Of values 0 and 1 it is the test of shares: the same thresholds, but for the cells of the mixture. On a single path that comes
    /// near a threshold and moves back that may cost many units; over many paths it costs hardly any.
    #[test]
    fn of_zeros_and_ones_it_is_the_test_of_shares(
        f0 in 0.002f64..0.6, share in 0.0f64..0.9, seed in any::<u64>(), misses in any::<bool>(),
    ) {
        let promise = if misses { Promise::AtLeast(1.0 - f0) } else { Promise::AtMost(f0) };
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let (mut by_calls, mut by_units) = (0, 0);
        for _ in 0..PATHS {
            let (mut calls, mut units) = (ShareTest::new(design(promise)), MeanTest::new(design(promise)));
            while calls.n() < 4_000 && (calls.decided_at().is_none() || units.decided_at().is_none()) {
                let hit = random.random_bool(share) != misses;
                calls.push(hit);
                calls.conclude();
                units.push(f64::from(hit)).unwrap();
            }
            if let (Some(calls_at), Some(units_at)) = (calls.decided_at(), units.decided_at()) {
                prop_assert_eq!(calls.decision(), units.decision());
                (by_calls, by_units) = (by_calls + calls_at, by_units + units_at);
            }
        }
        let gap = by_calls.abs_diff(by_units);
        prop_assert!(gap <= by_calls / 10 + PATHS * (3 + (2.0 / f0) as u64), "{by_calls} calls, {by_units} units");
    }

    /// Ville's inequality needs no more: whatever the values, a ticket is worth no more than its price on average if the
    /// mean is on the other side.
    #[test]
    fn a_ticket_pays_no_more_than_its_price_if_the_other_side_is_true(
        values in proptest::collection::vec(0.0f64..=1.0, 1..12), at in 0.001f64..0.999, two in any::<bool>(),
    ) {
        let promise = if two { Promise::AtLeast(at) } else { Promise::AtMost(at) };
        let design = design(promise);
        let boundary = Boundary::of_share(&design.fences()[0], design.risk());
        for side in [Side::Within, Side::Beyond] {
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            let paid = values.iter().map(|v| boundary.payoff(side, *v)).sum::<f64>() / values.len() as f64;
            let on_its_side = (side == Side::Within) == design.is_kept_by(mean);
            prop_assert!((paid - 1.0) * if on_its_side { 1.0 } else { -1.0 } > -1e-9, "{side:?} {mean}: {paid}");
        }
    }

    #[test]
    fn larger_values_never_move_an_at_most_toward_holds(
        f0 in 0.02f64..0.5, values in proptest::collection::vec(0.0f64..1.0, 1..400), extra in 0.0f64..0.3,
    ) {
        let less = after(Promise::AtMost(f0), values.iter().map(|v| v * f0));
        let more = after(Promise::AtMost(f0), values.iter().map(|v| v * f0 + (1.0 - v * f0) * extra * v));
        if more.decision() == Decision::Holds {
            prop_assert_eq!(less.decision(), Decision::Holds);
            prop_assert!(less.decided_at() <= more.decided_at());
        }
        if less.decision() == Decision::Violated {
            prop_assert_eq!(more.decision(), Decision::Violated);
            prop_assert!(more.decided_at() <= less.decided_at());
        }
    }

    #[test]
    fn a_decision_is_final(
        means in proptest::collection::vec(0.0f64..=1.0, 1..6), seed in any::<u64>(), two in any::<bool>(),
    ) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let promise = if two { Promise::Between(0.3, 0.7) } else { Promise::AtMost(0.3) };
        let mut test = MeanTest::new(design(promise));
        let (mut last, mut decided_at) = (Decision::Undecided, None);
        for mean in means {
            for _ in 0..100 {
                test.push(mean * random.random_range(0.0..=1.0)).unwrap();
                let now = test.decision();
                let lawful = now == last || last == Decision::Undecided || now == Decision::Contradicted;
                prop_assert!(lawful, "{last:?} to {now:?}");
                prop_assert!(decided_at.is_none() || decided_at == test.decided_at());
                (last, decided_at) = (now, test.decided_at());
            }
        }
    }

    #[test]
    fn the_interval_and_the_test_say_the_same(
        lo in 0.02f64..0.5, width in 0.01f64..0.4, kind in 0..3, values in proptest::collection::vec(0.0f64..=1.0, 0..300),
        scale in 0.0f64..1.0,
    ) {
        let hi = lo + width;
        let promise = match kind { 0 => Promise::AtMost(hi), 1 => Promise::AtLeast(lo), _ => Promise::Between(lo, hi) };
        let test = after(promise, values.iter().map(|v| v * scale));
        let shown = test.interval();
        let (low, high) = promise.limits();
        let (within, outside) = (shown.likely.low >= low && shown.likely.high <= high, shown.sure.low > high || shown.sure.high < low);
        match test.decision() {
            // Of a range one side may have been shown before: at the decision the other one is.
            Decision::Holds => prop_assert!(within || kind == 2, "{shown:?}"),
            Decision::Violated => prop_assert!(outside, "{shown:?}"),
            _ => prop_assert!((!within || values.is_empty()) && !outside, "{shown:?}"),
        }
        if let Some(mean) = shown.measured {
            prop_assert!(shown.likely.contains(mean) && shown.sure.contains(mean), "{shown:?}");
        }
    }

    #[test]
    fn the_order_of_the_values_does_not_matter_to_what_they_bound(
        mut values in proptest::collection::vec(0.0f64..=1.0, 1..10),
    ) {
        // So strict that a few values decide nothing: the interval is that of all.
        let strict = Design::between(0.05, 0.95, Risk { alpha: 1e-30, beta: 1e-30 }).unwrap();
        let interval = |values: &[f64]| {
            let mut test = MeanTest::new(strict.clone());
            values.iter().for_each(|value| test.push(*value).unwrap());
            test.interval()
        };
        let one = interval(&values);
        values.sort_by(f64::total_cmp);
        let other = interval(&values);
        prop_assert!((one.likely.low - other.likely.low).abs() < 1e-9 && (one.sure.high - other.sure.high).abs() < 1e-9);
    }
}

/// Every sequence of values 0, ½ and 1, through the test itself: the dynamic programme is the same, to rounding.
#[test]
fn the_course_is_the_enumeration_of_every_sequence() {
    let loose = Risk { alpha: 0.2, beta: 0.3 };
    for (promise, one, half) in [
        (Promise::AtMost(0.3), 0.1, 0.2),
        (Promise::AtMost(0.2), 0.4, 0.4),
        (Promise::AtLeast(0.6), 0.7, 0.2),
        (Promise::AtLeast(0.6), 0.3, 0.0),
        (Promise::Between(0.3, 0.8), 0.3, 0.5),
        (Promise::Between(0.4, 0.6), 0.1, 0.1),
    ] {
        let design = Design::new(promise, loose).unwrap();
        const N: u32 = 9;
        let (mut holds, mut violated) = (0.0, 0.0);
        for sequence in 0..3u32.pow(N) {
            let mut test = MeanTest::new(design.clone());
            let mut weight = 1.0;
            for i in 0..N {
                let digit = sequence / 3u32.pow(i) % 3;
                weight *= [1.0 - one - half, half, one][digit as usize];
                if test.decision() == Decision::Undecided {
                    test.push(f64::from(digit) / 2.0).unwrap();
                }
            }
            match test.decision() {
                Decision::Holds => holds += weight,
                Decision::Violated => violated += weight,
                _ => {}
            }
        }
        let exact = Course::of_units(&design, one, half).unwrap().until(u64::from(N));
        assert!(holds + violated > 0.05, "{promise:?} shows something: {holds} {violated}");
        assert!((exact.holds - holds).abs() < 1e-12, "{promise:?}: {exact:?} {holds} {violated}");
        assert!((exact.violated - violated).abs() < 1e-12, "{promise:?}: {exact:?} {holds} {violated}");
    }
}

/// The confidence sequence itself, at every moment of every sequence of six units.
#[test]
fn the_interval_misses_the_truth_no_more_often_than_it_says_at_any_moment() {
    let risk = Risk { alpha: 0.1, beta: 0.2 };
    for (one, half) in [(0.1, 0.1), (0.3, 0.4), (0.0, 0.9), (0.6, 0.1)] {
        let mean = one + half / 2.0;
        let design = Design::new(Promise::Between(0.1, 0.9), risk).unwrap();
        const N: u32 = 6;
        let mut missed = [0.0; 4];
        for sequence in 0..3u32.pow(N) {
            let (mut test, mut weight, mut ever) = (MeanTest::new(design.clone()), 1.0, [false; 4]);
            for i in 0..N {
                let digit = sequence / 3u32.pow(i) % 3;
                weight *= [1.0 - one - half, half, one][digit as usize];
                test.push(f64::from(digit) / 2.0).unwrap();
                let MeanBounds { likely, sure, .. } = test.interval();
                let outside = [mean < likely.low, mean > likely.high, mean < sure.low, mean > sure.high];
                ever.iter_mut().zip(outside).for_each(|(ever, now)| *ever |= now);
            }
            missed.iter_mut().zip(ever).for_each(|(sum, ever)| *sum += if ever { weight } else { 0.0 });
        }
        let allowed = [risk.beta, risk.beta, risk.alpha / 2.0, risk.alpha / 2.0];
        for (missed, allowed) in missed.into_iter().zip(allowed) {
            assert!(missed <= allowed, "{one} {half}: {missed} of {allowed}");
        }
    }
}

#[test]
fn at_the_limit_the_real_error_rates_are_kept_exactly() {
    let risk = Risk::default();
    for (f0, units) in [(0.01, 8_000), (0.1, 3_000), (0.5, 2_000)] {
        // All or nothing, and with halves: the mean is the limit itself.
        for (one, half, units) in [(f0, 0.0, units), (0.0, 2.0 * f0, 400), (f0 / 2.0, f0, 400)] {
            let reached = Course::of_units(&design(Promise::AtMost(f0)), one, half).unwrap().until(units);
            assert!(reached.violated + reached.untracked <= risk.alpha, "{f0} {half}: {reached:?}");
            assert!(reached.holds + reached.untracked <= risk.beta, "{f0} {half}: {reached:?}");
            assert!(half > 0.0 || reached.violated > risk.alpha / 100.0, "{f0}: {reached:?} wastes the error rate");
        }
    }
}

#[test]
fn misses_are_counted_from_the_other_end() {
    let counts = |promise| design(promise).fences()[0].counts;
    assert_eq!((counts(Promise::AtMost(0.1)), counts(Promise::AtLeast(0.9))), (Counts::Hits, Counts::Misses));
    let mut random = ChaCha8Rng::seed_from_u64(11);
    let values: Vec<f64> = (0..500).map(|_| random.random_range(0.0f64..0.25)).collect();
    let most = after(Promise::AtMost(0.25), values.iter().copied());
    let least = after(Promise::AtLeast(0.75), values.iter().map(|v| 1.0 - v));
    assert_eq!((most.decision(), most.decided_at()), (least.decision(), least.decided_at()));
    let (most, least) = (most.interval(), least.interval());
    assert!((most.likely.high - (1.0 - least.likely.low)).abs() < 1e-9, "{most:?} {least:?}");
}
