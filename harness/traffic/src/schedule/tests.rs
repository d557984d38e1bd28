//! Each law against what it says.

use super::*;
use proptest::prelude::*;

fn even(hz: f64, length: Duration) -> Vec<Duration> {
    Schedule::open(hz, length, Arrivals::Even).collect()
}

#[test]
fn even_calls_are_counted_and_placed_exactly() {
    let calls = even(300.0, Duration::from_secs(3));
    assert_eq!(calls.len(), 900);
    assert_eq!(calls[0], Duration::ZERO);
    assert_eq!(calls[1], Duration::from_nanos(3_333_333));
    assert_eq!(
        calls[300],
        Duration::from_secs(1),
        "the 300th call is due after one second, whatever rounding came before"
    );
    assert_eq!(calls[899], Duration::from_nanos(2_996_666_666));
}

#[test]
fn rates_below_one_a_second_are_rates() {
    assert_eq!(even(0.5, Duration::from_secs(5)), [0, 2, 4].map(Duration::from_secs));
}

#[test]
fn a_day_at_full_rate_has_not_drifted() {
    let mut law = Law::Even(Profile::new(&[Piece::level(2_500.0, Duration::from_secs(100_000))]));
    assert_eq!(law.offset(2_500 * 86_400), Some(86_400_000_000_000));
}

#[test]
fn ramp_from_nothing() {
    // N(t) = 50 t²/2: the 100th call, number 99, at sqrt(2·99/50).
    let calls: Vec<_> = Schedule::ramp(0.0, 100.0, Duration::from_secs(2)).collect();
    assert_eq!(calls.len(), 100);
    let last = (2.0f64 * 99.0 / 50.0).sqrt();
    assert!((calls[99].as_secs_f64() - last).abs() < 1e-8);
}

#[test]
fn the_same_seed_gives_the_same_moments() {
    let draw =
        |seed| -> Vec<Duration> { Schedule::open(100.0, Duration::from_secs(2), Arrivals::Random { seed }).collect() };
    assert_eq!(draw(7), draw(7));
    assert_ne!(draw(7), draw(8));
}

/// Calls in each of `windows` equal parts of the length.
fn counts(schedule: Schedule, length: Duration, windows: usize) -> Vec<f64> {
    let mut counts = vec![0.0; windows];
    for at in schedule {
        counts[(at.as_secs_f64() / length.as_secs_f64() * windows as f64) as usize] += 1.0;
    }
    counts
}

/// Fisher's test of dispersion: of counts of a Poisson process, Σ (c − c̄)² / c̄ has a chi-squared distribution with one degree
/// of freedom fewer than there are counts. Its quantiles by Wilson & Hilferty (1931), at one error in a million, half on each
/// side: for a thousand degrees that is exact to three digits.
fn is_dispersed_like_poisson(counts: &[f64]) -> bool {
    let mean = counts.iter().sum::<f64>() / counts.len() as f64;
    let index: f64 = counts.iter().map(|c| (c - mean).powi(2) / mean).sum();
    let freedom = counts.len() as f64 - 1.0;
    let quantile = |z: f64| freedom * (1.0 - 2.0 / (9.0 * freedom) + z * (2.0 / (9.0 * freedom)).sqrt()).powi(3);
    (quantile(-4.892)..=quantile(4.892)).contains(&index)
}

/// 100 seeds at one error in a million each; the seeds stand, so the test never turns by chance.
#[test]
fn random_calls_are_a_poisson_process_and_the_others_are_none() {
    let length = Duration::from_secs(100);
    let made = |arrivals| counts(Schedule::open(200.0, length, arrivals), length, 1_000);
    for seed in 0..100 {
        let random = made(Arrivals::Random { seed });
        assert!(is_dispersed_like_poisson(&random), "seed {seed}");
        // The count of all is Poisson with mean 20,000: within 4.9 standard deviations of 141.
        let all: f64 = random.iter().sum();
        assert!((all - 20_000.0).abs() < 4.9 * 141.5, "seed {seed}: {all}");
    }
    assert!(!is_dispersed_like_poisson(&made(Arrivals::Even)));
    assert!(!is_dispersed_like_poisson(&made(Arrivals::Jitter { seed: 1 })));
}

/// In windows that are each due as many calls, a ramp at random is dispersed like any Poisson process.
#[test]
fn random_calls_of_a_ramp_are_one_too() {
    // N(t) = 20 t² of 100 s: 200,000 calls; window i of 1,000 ends at 100·sqrt(i / 1,000) s.
    let ramp = [Piece { from_hz: 0.0, to_hz: 4_000.0, length: Duration::from_secs(100) }];
    for seed in 0..20 {
        let mut counts = vec![0.0; 1_000];
        for at in Schedule::of(&ramp, Arrivals::Random { seed }) {
            counts[((at.as_secs_f64() / 100.0).powi(2) * 1_000.0) as usize] += 1.0;
        }
        assert!(is_dispersed_like_poisson(&counts), "seed {seed}");
    }
}

#[test]
fn jitter_puts_one_call_into_each_slot() {
    let length = Duration::from_secs(10);
    let calls: Vec<_> = Schedule::open(100.0, length, Arrivals::Jitter { seed: 3 }).collect();
    assert_eq!(calls.len(), 1_000);
    let slot = Duration::from_millis(10);
    assert!(calls.iter().zip(0u32..).all(|(at, k)| (slot * k..slot * (k + 1)).contains(at)));
    // The place in the slot is uniform: mean 1/2, to 5 of its standard errors of 0.289 / sqrt(1,000).
    let place = |(at, k): (&Duration, u32)| (*at - slot * k).as_secs_f64() / slot.as_secs_f64();
    let mean = calls.iter().zip(0..).map(place).sum::<f64>() / 1_000.0;
    assert!((mean - 0.5).abs() < 5.0 * 0.289 / 1_000.0f64.sqrt(), "{mean}");
}

#[test]
fn a_pause_between_steps_has_no_call() {
    let second = Duration::from_secs(1);
    let steps = [Piece::level(10.0, second), Piece::level(0.0, second), Piece::level(5.0, second)];
    let calls: Vec<_> = Schedule::of(&steps, Arrivals::Even).collect();
    let expected: Vec<_> =
        (0..10).map(|k| second * k / 10).chain((0..5).map(|k| second * 2 + second * k / 5)).collect();
    assert_eq!(calls, expected);
    let random: Vec<_> = Schedule::of(&steps, Arrivals::Random { seed: 1 }).collect();
    assert!(random.iter().all(|at| !(second..second * 2).contains(at)));
    let silent = [Piece::level(0.0, second), Piece::level(10.0, second), Piece::level(0.0, second)];
    assert_eq!(Schedule::of(&silent, Arrivals::Jitter { seed: 1 }).count(), 10);
    assert_eq!(Schedule::of(&silent, Arrivals::Even).next(), Some(second));
}

#[test]
fn bursts_come_all_at_once() {
    let ms = Duration::from_millis;
    let calls: Vec<_> = Schedule::bursts(3, ms(500), ms(1_200)).collect();
    assert_eq!(calls, [0, 0, 0, 500, 500, 500, 1_000, 1_000, 1_000].map(ms));
    assert_eq!(Schedule::bursts(0, ms(1), ms(5)).count(), 0);
}

#[test]
fn recorded_moments_come_again() {
    let ms = Duration::from_millis;
    let recorded: Arc<[Duration]> = [3, 3, 7, 40].map(ms).into();
    assert_eq!(Schedule::replay(Arc::clone(&recorded), ms(40)).collect::<Vec<_>>(), [3, 3, 7].map(ms));
    assert_eq!(Schedule::replay(recorded, ms(41)).count(), 4);
}

proptest! {
    #[test]
    fn even_count_is_rate_times_length(hz in 1u32..3_000, ms in 1u64..10_000) {
        let calls = even(f64::from(hz), Duration::from_millis(ms));
        prop_assert_eq!(calls.len() as u64, (u64::from(hz) * ms).div_ceil(1_000));
    }

    #[test]
    fn offsets_ascend_and_stay_within(hz in 0.1f64..5_000.0, to in 0.0f64..5_000.0, ms in 1u64..3_000, seed: u64) {
        let length = Duration::from_millis(ms);
        for schedule in [
            Schedule::open(hz, length, Arrivals::Even),
            Schedule::open(hz, length, Arrivals::Random { seed }),
            Schedule::ramp(hz, to, length),
            Schedule::open(hz, length, Arrivals::Jitter { seed }),
            Schedule::of(&pieces(hz, to, length), Arrivals::Even),
            Schedule::of(&pieces(hz, to, length), Arrivals::Jitter { seed }),
            Schedule::of(&pieces(hz, to, length), Arrivals::Random { seed }),
        ] {
            let calls: Vec<_> = schedule.collect();
            prop_assert!(calls.is_sorted());
            prop_assert!(calls.iter().all(|c| *c < length));
        }
    }

    /// Up to any moment, a ramp has sent the integral of its rate, to within one call.
    #[test]
    fn ramp_follows_its_integral(from in 0.0f64..2_000.0, to in 0.0f64..2_000.0, ms in 100u64..5_000, part in 0.0f64..1.0) {
        let seconds = ms as f64 / 1e3;
        let until = seconds * part;
        let due = from * until + (to - from) / seconds * until * until / 2.0;
        let sent = Schedule::ramp(from, to, Duration::from_millis(ms))
            .filter(|at| at.as_secs_f64() < until)
            .count() as f64;
        prop_assert!((sent - due).abs() <= 1.0 + 1e-6, "sent {sent}, due {due}");
    }

    #[test]
    fn a_level_ramp_is_even(hz in 1u32..2_000, ms in 1u64..2_000) {
        let length = Duration::from_millis(ms);
        let ramp: Vec<_> = Schedule::ramp(f64::from(hz), f64::from(hz), length).collect();
        let even = even(f64::from(hz), length);
        prop_assert_eq!(ramp.len(), even.len());
        prop_assert!(ramp.iter().zip(&even).all(|(r, e)| r.abs_diff(*e) <= Duration::from_nanos(10)));
    }

    /// The shares of a schedule together are the schedule, whatever it draws.
    #[test]
    fn shares_are_the_whole(hz in 1.0f64..2_000.0, to in 0.0f64..2_000.0, ms in 1u64..2_000, of in 1u32..5, seed: u64) {
        let length = Duration::from_millis(ms);
        for whole in [
            Schedule::open(hz, length, Arrivals::Even),
            Schedule::of(&pieces(hz, to, length), Arrivals::Jitter { seed }),
            Schedule::of(&pieces(hz, to, length), Arrivals::Random { seed }),
            Schedule::bursts(7, Duration::from_millis(50), length),
        ] {
            let share = |nth| whole.clone().share(Share { nth, of }).collect::<Vec<_>>();
            let shares: Vec<Vec<Duration>> = (0..of).map(share).collect();
            let in_turn = (0..).map_while(|k: usize| shares[k % of as usize].get(k / of as usize).copied());
            prop_assert_eq!(in_turn.collect::<Vec<_>>(), whole.collect::<Vec<_>>());
        }
    }

    /// Steps, evenly and with jitter: as many calls as the steps' rates times their lengths come to.
    #[test]
    fn steps_have_the_calls_of_all_their_parts(
        steps in proptest::collection::vec((0u32..1_000, 1u64..1_000), 1..6), seed: u64,
    ) {
        let pieces: Vec<Piece> =
            steps.iter().map(|(hz, ms)| Piece::level(f64::from(*hz), Duration::from_millis(*ms))).collect();
        let calls = steps.iter().map(|(hz, ms)| u64::from(*hz) * ms).sum::<u64>().div_ceil(1_000);
        for arrivals in [Arrivals::Even, Arrivals::Jitter { seed }] {
            let made = Schedule::of(&pieces, arrivals).count() as u64;
            // Sums of thousandths are not exact in a double: a call that is due at the very end may or may not be.
            prop_assert!(made.abs_diff(calls) <= u64::from(calls > 0), "{made} of {calls}");
        }
    }
}

/// A ramp between two steps.
fn pieces(hz: f64, to: f64, length: Duration) -> [Piece; 3] {
    let ramp = Piece { from_hz: hz, to_hz: to, length: length / 2 };
    [Piece::level(hz, length / 4), ramp, Piece::level(to, length / 4)]
}

proptest! {
    #[test]
    fn a_plan_counts_the_calls_that_are_due(count in 1u32..2_000, minute: bool, ms in 1u64..20_000) {
        use squall_model::{Arrivals as When, Rate, Shape};
        let rate = Rate { count, per: Duration::from_secs(if minute { 60 } else { 1 }) };
        let length = Duration::from_millis(ms);
        let planned = Shape::Open { rate, length, arrivals: When::Even }.calls().unwrap();
        let due = even(rate.hertz(), length).len() as u64;
        // A rate by the minute is no whole number a second: the call at the very end may be due just before it.
        prop_assert!(planned == due || minute && planned + 1 == due, "{} {}", planned, due);
        let ramp = Shape::Ramp { from: count, to: count + 100, length }.calls();
        let due = Schedule::ramp(f64::from(count), f64::from(count + 100), length).count() as u64;
        prop_assert!(ramp.unwrap().abs_diff(due) <= 1, "rounded at the last call: {:?} {}", ramp, due);
    }
}
