//! The test against everything that can happen to it.

use super::*;
use crate::plan::{Course, Looks, Outcome};
use proptest::prelude::*;

fn add(sum: &mut Outcome, decision: Decision, chance: f64) {
    match decision {
        Decision::Holds => sum.holds += chance,
        Decision::Violated => sum.violated += chance,
        Decision::Contradicted => sum.contradicted += chance,
        Decision::Undecided => {}
    }
}

fn cases() -> [(Promise, f64); 7] {
    [
        (Promise::AtMost(0.1), 0.02),
        (Promise::AtMost(0.1), 0.1),
        (Promise::AtLeast(0.8), 0.6),
        (Promise::AtLeast(0.6), 0.9),
        (Promise::Between(0.2, 0.7), 0.45),
        (Promise::Between(0.2, 0.7), 0.9),
        (Promise::AtMost(0.0), 0.01),
    ]
}

#[track_caller]
fn assert_same(exact: Outcome, enumerated: Outcome, text: &str) {
    assert!(enumerated.decided() > 1e-4, "{text} shows something: {enumerated:?}");
    let gaps = [
        exact.holds - enumerated.holds,
        exact.violated - enumerated.violated,
        exact.contradicted - enumerated.contradicted,
    ];
    assert!(gaps.iter().all(|gap| gap.abs() < 1e-12), "{text}: {exact:?} {enumerated:?}");
}

/// Every sequence of 16 calls, concluded after each of them: whoever stops when it suits.
#[test]
fn a_course_with_every_look_is_the_enumeration_of_every_sequence() {
    const N: u64 = 16;
    let loose = Risk { alpha: 0.1, beta: 0.2 };
    for (promise, truth) in cases() {
        let design = Design::new(promise, loose).unwrap();
        let mut enumerated = Outcome::default();
        for sequence in 0..1u32 << N {
            let mut test = ShareTest::new(design.clone());
            for i in 0..N {
                test.push(sequence >> i & 1 == 1);
                if test.conclude() != Decision::Undecided {
                    break;
                }
            }
            let hits = sequence.count_ones() as i32;
            add(&mut enumerated, test.decision(), truth.powi(hits) * (1.0 - truth).powi(N as i32 - hits));
        }
        let exact = Course::of_calls(&design, truth, Looks::EveryCall).unwrap().until(N);
        assert_same(exact, enumerated, &format!("{promise:?} at {truth}"));
    }
}

/// Three looks, every number of hits between them.
#[test]
fn a_course_as_tested_is_the_enumeration_of_every_look() {
    let loose = Risk { alpha: 0.1, beta: 0.2 };
    let calls = LOOK_EVERY as i32;
    for (promise, truth) in cases().into_iter().filter(|(promise, _)| *promise != Promise::AtMost(0.0)) {
        let design = Design::new(promise, loose).unwrap();
        let chance = |hits: i32| {
            let ways = statrs::function::factorial::binomial(LOOK_EVERY, hits as u64);
            ways * truth.powi(hits) * (1.0 - truth).powi(calls - hits)
        };
        let mut enumerated = Outcome::default();
        for blocks in 0..(calls + 1).pow(3) {
            let mut test = ShareTest::new(design.clone());
            let mut weight = 1.0;
            for hits in [blocks / (calls + 1).pow(2), blocks / (calls + 1) % (calls + 1), blocks % (calls + 1)] {
                weight *= chance(hits);
                if test.decision() == Decision::Undecided {
                    test.extend((0..calls).map(|i| i < hits));
                }
            }
            add(&mut enumerated, test.decision(), weight);
        }
        let exact = Course::of_calls(&design, truth, Looks::AsTested).unwrap().until(3 * LOOK_EVERY);
        assert_same(exact, enumerated, &format!("{promise:?} at {truth}"));
    }
}

proptest! {
    /// Looks that are skipped could not have decided: as if both martingales of each fence were evaluated every time.
    #[test]
    fn skipped_looks_decide_nothing(
        lo in 0.0f64..0.5, width in 0.0f64..0.5, shares in proptest::collection::vec(0.0f64..=1.0, 1..5), seed in any::<u64>(),
    ) {
        use rand::{RngExt, SeedableRng};
        prop_assume!(lo > 0.0 || lo + width < 1.0);
        let design = Design::between(lo, lo + width, Risk::default()).unwrap();
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let mut test = ShareTest::new(design.clone());
        let mut crossed = [Crossed::default(); 2];
        for share in shares {
            for _ in 0..400 {
                test.push(random.random_bool(share));
                test.conclude();
                for (fence, crossed) in design.fences().iter().zip(&mut crossed) {
                    let (n, k) = (test.n() as f64, fence.counts.of(test.n() as f64, test.hits() as f64));
                    crossed.within |= fence.within(n, k);
                    crossed.beyond |= fence.beyond(n, k);
                }
                let plain = decide(crossed.iter().copied().take(design.fences().len()));
                prop_assert_eq!(test.decision(), plain, "after {} calls", test.n());
            }
        }
    }
}
