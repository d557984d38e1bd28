use super::*;
use crate::plan::{Arms, Course, chance_of_pairs, pairs_to_decide};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn design(margin: f64) -> PairedDesign {
    PairedDesign::new(margin, Risk::default()).unwrap()
}

fn after(margin: f64, pairs: impl IntoIterator<Item = (f64, f64)>) -> PairedTest {
    let mut test = PairedTest::new(design(margin));
    pairs.into_iter().for_each(|(treated, baseline)| test.push(treated, baseline).unwrap());
    test
}

/// What the house plans with, simulated with some hundred runs a row: medians, and 99 % of the runs, which 600 runs tell
/// to within a tenth or two.
#[test]
fn sizes_are_no_larger_than_the_planning_table_says() {
    for (margin, clean, median, most) in [(0.01, 920, 3_170, 7_550), (0.02, 460, 920, 2_480), (0.05, 180, 240, 510)] {
        let of = |bad| pairs_to_decide(&design(margin), Arms { treated: bad, baseline: bad }).unwrap();
        let (without, with) = (of(0.0), of(0.01));
        assert!(without.exact && without.most <= clean, "{margin}: {without:?}");
        assert!(with.exact && with.median <= median && with.holds > 0.999, "{margin}: {with:?}");
        assert!(with.most <= most * 23 / 20, "{margin}: {with:?}");
    }
}

#[test]
fn no_difference_found_for_lack_of_data_shows_nothing() {
    let few = after(0.01, [(0.0, 0.0); 500]);
    assert_eq!((few.conclude(), few.decided_at(), few.measured()), (Decision::Undecided, None, Some(0.0)));
    assert!(few.interval().likely.high > 0.01, "the bound lies beyond the margin: {:?}", few.interval());
    assert_eq!(after(0.01, []).conclude(), Decision::Undecided);
}

#[test]
fn as_good_as_and_worse() {
    let bad = |of_a_hundred: i32| move |i: i32| f64::from((i * 37) % 100 < of_a_hundred);
    let run = |treated: i32, baseline: i32| {
        let (treated, baseline) = (bad(treated), bad(baseline));
        after(0.05, (0..2_000).map(|i| (treated(i), baseline(i / 100 + i * 11))))
    };
    let equal = run(3, 3);
    assert_eq!(equal.decision(), Decision::Holds);
    assert!(equal.decided_at().unwrap() < 700, "{equal:?}");
    assert_eq!(run(1, 3).decision(), Decision::Holds, "better is as good");
    assert_eq!(run(30, 3).decision(), Decision::Violated);
    assert_eq!(run(10, 3).decision(), Decision::Undecided, "2 points beyond the margin take more pairs");
}

#[test]
fn what_both_arms_share_does_not_count() {
    // Half of all calls fail, with the fault and without: pairs that hang together differ no more for that.
    let test = after(0.05, (0..300).map(|i| (f64::from(i % 2), f64::from(i % 2))));
    assert_eq!((test.decision(), test.decided_at()), (Decision::Holds, Some(169)));
}

#[test]
fn a_difference_that_changes_contradicts() {
    let mut test = after(0.05, [(0.0, 0.0); 200]);
    assert_eq!(test.decision(), Decision::Holds);
    (0..300).for_each(|_| test.push(1.0, 0.0).unwrap());
    assert_eq!((test.decision(), test.decided_at()), (Decision::Contradicted, Some(169)));
}

#[test]
fn a_margin_that_makes_no_sense_says_why() {
    let risk = Risk::default();
    for margin in [0.0, 1.0, -0.1, 1.5, f64::NAN] {
        assert!(matches!(PairedDesign::new(margin, risk), Err(MarginError::NotAMargin(_))), "{margin}");
    }
    assert_eq!(PairedDesign::new(0.1, Risk { beta: 0.0, ..risk }), Err(MarginError::NotARisk(0.0)));
    let mut test = PairedTest::new(design(0.1));
    assert!(test.push(1.5, 0.0).is_err() && test.push(0.0, f64::NAN).is_err());
    assert_eq!(test.n(), 0);
}

/// Every sequence of pairs, through the test itself.
#[test]
fn the_course_is_the_enumeration_of_every_sequence() {
    let loose = Risk { alpha: 0.2, beta: 0.3 };
    for (margin, arms) in [
        (0.2, Arms { treated: 0.1, baseline: 0.1 }),
        (0.2, Arms { treated: 0.8, baseline: 0.1 }),
        (0.3, Arms { treated: 0.4, baseline: 0.1 }),
    ] {
        let design = PairedDesign::new(margin, loose).unwrap();
        const N: u32 = 8;
        let (mut holds, mut violated) = (0.0, 0.0);
        for sequence in 0..4u32.pow(N) {
            let (mut test, mut weight) = (PairedTest::new(design.clone()), 1.0);
            for i in 0..N {
                let digit = sequence / 4u32.pow(i) % 4;
                let (treated, baseline) = (digit & 1 == 1, digit & 2 == 2);
                weight *= if treated { arms.treated } else { 1.0 - arms.treated };
                weight *= if baseline { arms.baseline } else { 1.0 - arms.baseline };
                if test.decision() == Decision::Undecided {
                    test.push(f64::from(treated), f64::from(baseline)).unwrap();
                }
            }
            match test.decision() {
                Decision::Holds => holds += weight,
                Decision::Violated => violated += weight,
                _ => {}
            }
        }
        let exact = Course::of_pairs(&design, arms).unwrap().until(u64::from(N));
        assert!(holds + violated > 0.05, "{margin} shows something: {holds} {violated}");
        assert!((exact.holds - holds).abs() < 1e-12 && (exact.violated - violated).abs() < 1e-12, "{exact:?}");
        // Plans look as often while pairs are few.
        let planned = chance_of_pairs(&design, u64::from(N), arms).unwrap().unwrap();
        assert!((planned.holds - holds).abs() < 1e-6 && (planned.violated - violated).abs() < 1e-6, "{planned:?}");
    }
}

/// Whatever the baseline: it is a nuisance that the bound must not hang on.
#[test]
fn at_the_margin_the_real_error_rates_are_kept_exactly() {
    let risk = Risk::default();
    for (margin, baseline, pairs) in
        [(0.05, 0.0, 3_000), (0.05, 0.01, 2_000), (0.05, 0.4, 250), (0.05, 0.95, 1_000), (0.2, 0.3, 300)]
    {
        let at_the_margin = Arms { treated: baseline + margin, baseline };
        let reached = Course::of_pairs(&design(margin), at_the_margin).unwrap().until(pairs);
        assert!(reached.violated + reached.untracked <= risk.alpha, "{margin} {baseline}: {reached:?}");
        assert!(reached.holds + reached.untracked <= risk.beta, "{margin} {baseline}: {reached:?}");
        assert!(reached.holds > risk.beta / 50.0, "{margin} {baseline}: {reached:?} wastes the error rate");
    }
}

#[test]
fn plans_that_would_take_long_fall_back_to_a_single_look() {
    let (margin, arms) = (design(0.01), Arms { treated: 0.3, baseline: 0.3 });
    let forecast = pairs_to_decide(&margin, arms).unwrap();
    assert!(!forecast.exact && (50_000..200_000).contains(&forecast.median), "{forecast:?}");
    assert!(forecast.most > forecast.median);
    assert_eq!(chance_of_pairs(&margin, 1_000_000, arms).unwrap(), None);
    let on_the_margin = Arms { treated: 0.02, baseline: 0.01 };
    assert!(pairs_to_decide(&margin, on_the_margin).is_err());
    assert!(pairs_to_decide(&margin, Arms { treated: 1.2, baseline: 0.0 }).is_err());
    // Where both can be had, the single look is an upper limit, and no useless one.
    let near = Arms { treated: 0.11, baseline: 0.1 };
    let (one, exact) = (pairs_to_decide(&design(0.05), near).unwrap(), pairs_to_decide(&design(0.2), near).unwrap());
    assert!(exact.exact && exact.most < one.most, "{one:?} {exact:?}");
}

#[test]
fn runs_of_the_test_itself_end_when_the_plan_says() {
    let arms = Arms { treated: 0.02, baseline: 0.02 };
    let forecast = pairs_to_decide(&design(0.05), arms).unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(3);
    const RUNS: u32 = 1_000;
    let decided = (0..RUNS).filter(|_| {
        let mut test = PairedTest::new(design(0.05));
        (0..forecast.median).for_each(|_| {
            let fails = |random: &mut ChaCha8Rng, share| f64::from(random.random_bool(share));
            let (treated, baseline) = (fails(&mut random, arms.treated), fails(&mut random, arms.baseline));
            test.push(treated, baseline).unwrap();
        });
        test.decision() == Decision::Holds
    });
    let expected = f64::from(RUNS) * chance_of_pairs(&design(0.05), forecast.median, arms).unwrap().unwrap().holds;
    let off = (decided.count() as f64 - expected).abs();
    assert!(off < 5.0 * f64::from(RUNS).sqrt() / 2.0, "{off} of {expected}");
}

proptest! {
    #[test]
    fn one_more_treated_failure_never_moves_toward_holds(
        margin in 0.01f64..0.3, seed in any::<u64>(), n in 1usize..600, share in 0.0f64..0.4, extra in 0.0f64..0.2,
    ) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut draw = |share| f64::from(random.random_bool(share));
        let pairs: Vec<(f64, f64, f64)> = (0..n).map(|_| {
            let treated: f64 = draw(share);
            (treated, treated.max(draw(extra)), draw(share))
        }).collect();
        let fewer = after(margin, pairs.iter().map(|(treated, _, baseline)| (*treated, *baseline)));
        let more = after(margin, pairs.iter().map(|(_, treated, baseline)| (*treated, *baseline)));
        if more.decision() == Decision::Holds {
            prop_assert_eq!(fewer.decision(), Decision::Holds);
            prop_assert!(fewer.decided_at() <= more.decided_at());
        }
        if fewer.decision() == Decision::Violated {
            prop_assert_eq!(more.decision(), Decision::Violated);
            prop_assert!(more.decided_at() <= fewer.decided_at());
        }
    }

    #[test]
    fn the_interval_and_the_test_say_the_same(
        margin in 0.01f64..0.5, pairs in proptest::collection::vec((0.0f64..=1.0, 0.0f64..=1.0), 0..300), scale in 0.0f64..1.0,
    ) {
        let test = after(margin, pairs.iter().map(|(treated, baseline)| (*treated, baseline * scale)));
        let shown = test.interval();
        // Back and forth between the two scales costs a digit.
        match test.decision() {
            Decision::Holds => prop_assert!(shown.likely.high <= margin + 1e-12, "{shown:?}"),
            Decision::Violated => prop_assert!(shown.sure.low >= margin - 1e-12, "{shown:?}"),
            _ => prop_assert!(shown.likely.high >= margin - 1e-12 && shown.sure.low <= margin + 1e-12, "{shown:?}"),
        }
        prop_assert!(shown.likely.low <= -1.0 && shown.sure.high >= 1.0, "the other ends are never bounded");
        if let Some(mean) = shown.measured {
            prop_assert!(shown.sure.low <= mean + 1e-12 && mean <= shown.likely.high + 1e-12, "{shown:?}");
        }
    }
}
