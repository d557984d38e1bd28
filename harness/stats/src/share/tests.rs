use super::*;
use crate::plan::{Lattice, Looks, Outcome};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn design(promise: Promise) -> Design {
    Design::new(promise, Risk::default()).unwrap()
}

fn after(promise: Promise, hits: impl IntoIterator<Item = bool>) -> ShareTest {
    let mut test = ShareTest::new(design(promise));
    test.extend(hits);
    test.conclude();
    test
}

#[test]
fn all_is_well() {
    let test = after(Promise::AtLeast(0.99), [true; 1_000]);
    assert_eq!((test.decision(), test.decided_at(), test.n(), test.hits()), (Decision::Holds, Some(860), 1_000, 1_000));
    let test = after(Promise::AtLeast(0.99), [true; 800]);
    assert_eq!((test.decision(), test.decided()), (Decision::Undecided, None));
}

#[test]
fn all_is_lost() {
    let test = after(Promise::AtLeast(0.99), (0..1_000).map(|i| i % 10 != 0));
    assert_eq!(test.decision(), Decision::Violated);
    let Look { n, hits } = test.decided().unwrap();
    assert!(n < 300 && n - hits == n.div_ceil(10), "{n} calls, {hits} hits");
}

#[test]
fn four_failures_at_the_start_are_enough_which_is_why_calls_must_be_exchangeable() {
    assert_eq!(after(Promise::AtLeast(0.99), [false; 4]).decision(), Decision::Violated);
    assert_eq!(after(Promise::AtLeast(0.99), [false; 3]).decision(), Decision::Undecided);
}

#[test]
fn a_range_holds_inside_and_is_violated_on_both_sides() {
    let range = Promise::Between(0.65, 0.75);
    let of_ten = |hits: u32| (0..20_000u32).map(move |i| i % 10 < hits);
    assert_eq!(after(range, of_ten(7)).decision(), Decision::Holds);
    assert_eq!(after(range, of_ten(5)).decision(), Decision::Violated);
    assert_eq!(after(range, of_ten(9)).decision(), Decision::Violated);
}

#[test]
fn looks_are_every_twenty_calls_and_at_the_end() {
    let mut test = ShareTest::new(design(Promise::AtLeast(0.99)));
    test.extend([false; 19]);
    assert_eq!(test.decision(), Decision::Undecided);
    test.push(false);
    assert_eq!((test.decision(), test.decided_at()), (Decision::Violated, Some(20)));
    let mut test = ShareTest::new(design(Promise::AtLeast(0.99)));
    test.extend([false; 19]);
    assert_eq!((test.conclude(), test.decided_at()), (Decision::Violated, Some(19)));
    assert_eq!(ShareTest::new(design(Promise::AtLeast(0.99))).conclude(), Decision::Undecided);
}

#[test]
fn never_is_broken_by_one_call_and_never_shown() {
    let mut test = ShareTest::new(design(Promise::AtMost(0.0)));
    test.extend([false; 100_003]);
    assert_eq!((test.conclude(), test.design().reach()), (Decision::Undecided, Reach::ViolatedOnly));
    test.push(true);
    assert_eq!((test.decision(), test.decided_at()), (Decision::Violated, Some(100_004)));

    let mut test = ShareTest::new(design(Promise::AtLeast(1.0)));
    test.extend([true, false]);
    assert_eq!(
        (test.decision(), test.decided_at(), test.design().reach()),
        (Decision::Violated, Some(2), Reach::ViolatedOnly)
    );
}

#[test]
fn an_exact_share_is_never_shown() {
    let half = Promise::Between(0.5, 0.5);
    assert_eq!(design(half).reach(), Reach::ViolatedOnly);
    assert_eq!(after(half, (0..100_000).map(|i| i % 2 == 0)).decision(), Decision::Undecided);
    assert_eq!(after(half, (0..10_000).map(|i| i % 3 == 0)).decision(), Decision::Violated);
}

#[test]
fn a_range_that_reaches_0_or_1_has_one_limit() {
    assert_eq!(design(Promise::Between(0.0, 0.1)).fences(), design(Promise::AtMost(0.1)).fences());
    assert_eq!(design(Promise::Between(0.9, 1.0)).fences(), design(Promise::AtLeast(0.9)).fences());
    assert_eq!(design(Promise::Between(0.1, 0.2)).fences().len(), 2);
}

#[test]
fn a_range_halves_alpha_and_not_beta() {
    for fence in design(Promise::Between(0.1, 0.2)).fences() {
        assert!((fence.need_beyond - (2e7f64).ln()).abs() < 1e-12);
        assert!((fence.need_within - (1e3f64).ln()).abs() < 1e-12);
    }
}

#[test]
fn a_promise_that_makes_no_sense_says_why() {
    let risk = Risk::default();
    assert_eq!(Design::at_most(1.0, risk), Err(DesignError::Vacuous));
    assert_eq!(Design::at_least(0.0, risk), Err(DesignError::Vacuous));
    assert_eq!(Design::between(0.0, 1.0, risk), Err(DesignError::Vacuous));
    assert_eq!(Design::at_most(1.2, risk), Err(DesignError::NotAShare(1.2)));
    assert!(matches!(Design::at_most(f64::NAN, risk), Err(DesignError::NotAShare(_))));
    assert_eq!(Design::between(0.6, 0.4, risk), Err(DesignError::Backwards { lo: 0.6, hi: 0.4 }));
    assert_eq!(Design::at_most(0.1, Risk { alpha: 0.0, ..risk }), Err(DesignError::NotARisk(0.0)));
    assert_eq!(Design::at_most(0.1, Risk { beta: 1.0, ..risk }), Err(DesignError::NotARisk(1.0)));
}

#[test]
fn a_zone_must_enclose_the_limit() {
    let least = || design(Promise::AtLeast(0.9));
    assert!(least().with_zone(Zone { good: 0.97, bad: 0.7 }).is_ok());
    assert!(least().with_zone(Zone { good: 1.0, bad: 0.0 }).is_ok());
    for (good, bad) in
        [(0.7, 0.97), (0.97, 0.9), (0.9, 0.7), (f64::NAN, 0.7), (0.97, f64::NAN), (1.1, 0.7), (0.97, -0.1)]
    {
        assert!(matches!(least().with_zone(Zone { good, bad }), Err(DesignError::Zone { .. })), "{good} {bad}");
    }
    let range = || design(Promise::Between(0.4, 0.6));
    assert!(range().with_zone(Zone { good: 0.55, bad: 0.7 }).is_ok());
    assert!(range().with_zone(Zone { good: 0.55, bad: 0.3 }).is_ok());
    assert!(range().with_zone(Zone { good: 0.55, bad: 0.45 }).is_err());
    assert!(range().with_zone(Zone { good: 0.3, bad: 0.7 }).is_err());
}

#[test]
fn default_zones() {
    let points = |promise| design(promise).fences().iter().map(|f| (f.good, f.bad)).collect::<Vec<_>>();
    assert_eq!(points(Promise::AtMost(0.01)), [(0.0025, 0.03)]);
    assert_eq!(points(Promise::AtMost(0.5)), [(0.125, 0.75)], "halfway to 1, not 1.5");
    assert_eq!(points(Promise::AtLeast(0.5)), [(0.125, 0.75)]);
    assert_eq!(points(Promise::Between(0.25, 0.75)), [(0.5, 0.875), (0.5, 0.875)]);
}

#[test]
fn a_share_that_changes_contradicts() {
    let mut test = after(Promise::AtLeast(0.99), [true; 900]);
    assert_eq!(test.decision(), Decision::Holds);
    test.extend([false; 100]);
    assert_eq!((test.decision(), test.decided_at()), (Decision::Contradicted, Some(860)));
    test.extend([true; 100_000]);
    assert_eq!(test.decision(), Decision::Contradicted);

    let mut range = after(Promise::Between(0.4, 0.6), [true; 100]);
    assert_eq!(range.decision(), Decision::Violated);
    range.extend([false; 1_000]);
    assert_eq!(range.decision(), Decision::Contradicted, "above and then below");

    let mut half = after(Promise::Between(0.5, 0.5), [true; 100]);
    assert_eq!(half.decision(), Decision::Violated);
    half.extend([false; 1_000]);
    assert_eq!(half.decision(), Decision::Contradicted, "above and then below what is never shown to be kept");
}

#[test]
fn a_million_failures_are_far_beyond_a_double_and_no_trouble() {
    let test = after(Promise::AtMost(0.001), (0..1_000_000).map(|i| i % 2 == 0));
    assert_eq!(test.decision(), Decision::Violated);
    for fence in design(Promise::Between(0.001, 0.999)).fences() {
        for k in [0.0, 1.0, 500_000.0, 999_999.0, 1e6] {
            assert!(!fence.within(1e6, k) || !fence.beyond(1e6, k));
            assert_eq!((fence.within(1e6, k), fence.beyond(1e6, k)), (k < 999_000.0, k > 999_000.0), "{k}");
        }
    }
}

/// The logarithm of a fence's martingale, found by the stake at which it would cross.
fn ln_martingale(fence: &Fence, n: u64, k: u64, beyond: bool) -> f64 {
    let crosses = |need: f64| {
        let asked = Fence { need_within: need, need_beyond: need, ..*fence };
        if beyond { asked.beyond(n as f64, k as f64) } else { asked.within(n as f64, k as f64) }
    };
    let (mut low, mut high) = (-1e5, 1e5);
    for _ in 0..80 {
        let middle = f64::midpoint(low, high);
        if crosses(middle) { low = middle } else { high = middle }
    }
    low
}

proptest! {
    /// At the limit the next call is a fair bet on either martingale, further on the excluded side a losing one: this
    /// is all that Ville's inequality needs.
    #[test]
    fn fair_at_the_limit_and_losing_beyond(
        at in 0.001f64..0.95, n in 0u64..2_000, share in 0.0f64..=1.0, away in 0.0f64..1.0,
    ) {
        let k = (share * n as f64) as u64;
        for fence in design(Promise::AtMost(at)).fences() {
            for beyond in [false, true] {
                let now = ln_martingale(fence, n, k, beyond);
                let grown = |p: f64| {
                    let hit = (ln_martingale(fence, n + 1, k + 1, beyond) - now).exp();
                    let miss = (ln_martingale(fence, n + 1, k, beyond) - now).exp();
                    p * hit + (1.0 - p) * miss
                };
                prop_assert!((grown(at) - 1.0).abs() < 1e-7, "{} at the limit", grown(at));
                let excluded = if beyond { at * away } else { at + (1.0 - at) * away };
                prop_assert!(grown(excluded) <= 1.0 + 1e-7, "{} at {excluded}", grown(excluded));
            }
        }
    }

    #[test]
    fn a_test_starts_with_its_stake_and_no_more(at in 0.001f64..0.95) {
        for fence in design(Promise::AtMost(at)).fences() {
            prop_assert!(ln_martingale(fence, 0, 0, false).abs() < 1e-9);
            prop_assert!(ln_martingale(fence, 0, 0, true).abs() < 1e-9);
        }
    }

    #[test]
    fn more_failures_never_move_toward_holds(
        f0 in 0.02f64..0.5, share in 0.0f64..0.6, seed in any::<u64>(), n in 1usize..1_500, extra in 0.0f64..0.2,
    ) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let fewer: Vec<bool> = (0..n).map(|_| random.random_bool(share)).collect();
        let more: Vec<bool> = fewer.iter().map(|hit| *hit || random.random_bool(extra)).collect();
        let (fewer, more) = (after(Promise::AtMost(f0), fewer), after(Promise::AtMost(f0), more));
        prop_assert!(!more.watched[0].within.crossed || fewer.watched[0].within.crossed);
        prop_assert!(!fewer.watched[0].beyond.crossed || more.watched[0].beyond.crossed);
        if more.decision() == Decision::Holds {
            prop_assert_eq!(fewer.decision(), Decision::Holds);
            prop_assert!(fewer.decided_at() <= more.decided_at());
        }
    }

    #[test]
    fn a_decision_is_final(
        shares in proptest::collection::vec(0.0f64..=1.0, 1..6), seed in any::<u64>(), two in any::<bool>(),
    ) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let promise = if two { Promise::Between(0.3, 0.7) } else { Promise::AtMost(0.3) };
        let mut test = ShareTest::new(design(promise));
        let (mut last, mut decided_at) = (Decision::Undecided, None);
        for share in shares {
            for _ in 0..300 {
                test.push(random.random_bool(share));
                let now = test.decision();
                let lawful = now == last || last == Decision::Undecided || now == Decision::Contradicted;
                prop_assert!(lawful, "{last:?} to {now:?}");
                prop_assert!(decided_at.is_none() || decided_at == test.decided_at());
                (last, decided_at) = (now, test.decided_at());
                prop_assert_eq!(decided_at.is_some(), now != Decision::Undecided);
            }
        }
    }

    #[test]
    fn a_lower_limit_on_hits_is_an_upper_limit_on_misses(
        seed in any::<u64>(), n in 1usize..2_000, share in 0.0f64..=1.0,
    ) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let hits: Vec<bool> = (0..n).map(|_| random.random_bool(share)).collect();
        let misses: Vec<bool> = hits.iter().map(|hit| !hit).collect();
        let (least, most) = (after(Promise::AtLeast(0.875), hits), after(Promise::AtMost(0.125), misses));
        prop_assert_eq!((least.decision(), least.decided_at()), (most.decision(), most.decided_at()));
    }
}

/// What the test ever decides within `calls`, by exact dynamic programming over its own looks.
fn ever(design: &Design, truth: f64, calls: u64) -> Outcome {
    let mut lattice = Lattice::new(design, truth, Looks::AsTested, 1e-18);
    while lattice.n() < calls {
        lattice.step();
    }
    lattice.outcome()
}

#[test]
fn at_the_limit_the_real_error_rates_are_kept_exactly() {
    let risk = Risk::default();
    for (f0, calls) in [(0.001, 60_000), (0.01, 30_000), (0.1, 10_000), (0.5, 6_000)] {
        let Outcome { holds, violated, untracked, .. } = ever(&design(Promise::AtMost(f0)), f0, calls);
        assert!(violated + untracked <= risk.alpha, "{f0}: violated {violated:e} of the true promises");
        assert!(violated > risk.alpha / 100.0, "{f0}: {violated:e} wastes the error rate");
        assert!(holds + untracked <= risk.beta, "{f0}: held {holds:e} of the promises broken by a hair");
        assert!(holds > risk.beta / 10.0, "{f0}: {holds:e} wastes the error rate");
    }
    for (lo, hi) in [(0.08, 0.12), (0.4, 0.6), (0.05, 0.9)] {
        let range = design(Promise::Between(lo, hi));
        for truth in [lo, hi] {
            let Outcome { holds, violated, untracked, .. } = ever(&range, truth, 6_000);
            assert!(violated + untracked <= risk.alpha, "{lo} to {hi} at {truth}: {violated:e}");
            assert!(holds + untracked <= risk.beta, "{lo} to {hi} at {truth}: {holds:e}");
        }
    }
}

#[test]
fn inside_the_promise_errors_are_rarer_still() {
    let most = design(Promise::AtMost(0.01));
    let at_the_limit = ever(&most, 0.01, 10_000);
    assert!(ever(&most, 0.008, 10_000).violated < at_the_limit.violated);
    assert!(ever(&most, 0.012, 10_000).holds < at_the_limit.holds);
    assert!(at_the_limit.contradicted < 1e-12);
}

/// Whoever watches a true promise and stops as soon as it looks broken is wrong in at most α of all runs; with
/// fixed-sample tests at every look it would be several times that.
#[test]
fn stopping_when_it_suits_does_not_raise_the_error_rate() {
    const RUNS: u32 = 3_000;
    for (alpha, seed) in [(0.05, 1), (0.01, 2)] {
        let risk = Risk { alpha, beta: alpha };
        for promise in [Promise::AtMost(0.1), Promise::AtLeast(0.1), Promise::Between(0.1, 0.3)] {
            let design = Design::new(promise, risk).unwrap();
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let wrong = (0..RUNS).filter(|_| {
                let mut test = ShareTest::new(design.clone());
                (0..1_000).any(|_| {
                    test.push(random.random_bool(0.1));
                    test.decision() == Decision::Violated
                })
            });
            let wrong = wrong.count() as f64;
            let expected = f64::from(RUNS) * alpha;
            assert!(wrong <= expected + 4.0 * expected.sqrt(), "{promise:?}: {wrong} of {RUNS} at {alpha}");
            assert!(wrong > expected / 20.0, "{promise:?}: {wrong} of {RUNS} at {alpha} is a test without power");
        }
    }
}
