use super::*;
use crate::testing::call;
use squall_model::{ClientEnd, Stamp};

fn run(calls: impl IntoIterator<Item = (u64, ClientEnd)>) -> Recorder {
    let mut recorder = Recorder::new(Stamp(0));
    for (ms, end) in calls {
        recorder.record(&call(0, ms * 1_000, end));
    }
    recorder
}

fn verdict(threshold: &str, calls: &Recorder) -> Verdict {
    threshold.parse::<Threshold>().unwrap().judge(calls, false).verdict
}

const OK: ClientEnd = ClientEnd::Answered(200);

#[test]
fn thresholds_that_are_none() {
    for (text, error) in [
        ("p99", ThresholdError::Form("p99".into())),
        ("p99 >", ThresholdError::Form("p99 >".into())),
        ("> 5ms", ThresholdError::Form("> 5ms".into())),
        ("p100 > 5ms", ThresholdError::Metric("p100".into())),
        ("p0 > 5ms", ThresholdError::Metric("p0".into())),
        ("mood < 5%", ThresholdError::Metric("mood".into())),
        ("service success < 5%", ThresholdError::Metric("service success".into())),
        ("success < 101%", ThresholdError::Share("101%".into())),
        ("success < 99", ThresholdError::Share("99".into())),
        ("success < NaN%", ThresholdError::Share("NaN%".into())),
        ("p99 > 5", ThresholdError::Time(QuantityError::Unit(String::new()))),
    ] {
        assert_eq!(text.parse::<Threshold>(), Err(error));
    }
}

#[test]
fn a_percentile_is_judged_by_its_bounds() {
    // 1 to 1,000 ms: p99 is 990, with bounds by order statistics at 978 and 998 or so.
    let calls = run((1..=1_000).map(|ms| (ms, OK)));
    assert_eq!(verdict("p99 > 900ms", &calls), Verdict::Broken);
    assert_eq!(verdict("p99 > 985ms", &calls), Verdict::Undecided(Undecided::TooNear), "though the sample's is 990");
    assert_eq!(verdict("p99 > 1s", &calls), Verdict::Fine);
    assert_eq!(verdict("p99 < 900 ms", &calls), Verdict::Fine);
    assert_eq!(verdict("p99 <= 1s", &calls), Verdict::Broken);
    assert_eq!(verdict("service p50 >= 400ms", &calls), Verdict::Broken);
    assert_eq!(verdict("p99.9 > 5s", &calls), Verdict::Undecided(Undecided::TooFew { need: 6_905 }));
}

#[test]
fn calls_without_an_answer_are_beyond_every_percentile_that_they_reach() {
    let calls = run((0..1_000).map(|k| if k < 50 { (1, ClientEnd::Refused) } else { (1, OK) }));
    assert_eq!(verdict("p99 > 10s", &calls), Verdict::Broken);
    assert_eq!(verdict("p90 > 2ms", &calls), Verdict::Fine);
    assert_eq!(verdict("max > 1min", &calls), Verdict::Broken);
}

#[test]
fn a_share_is_judged_by_its_bounds_and_the_whole_exactly() {
    let calls = run((0..1_000).map(|k| (1, ClientEnd::Answered(if k < 20 { 503 } else { 200 }))));
    assert_eq!(verdict("success < 99.9%", &calls), Verdict::Broken);
    assert_eq!(verdict("success < 97.9%", &calls), Verdict::Undecided(Undecided::TooNear), "98% of these calls");
    assert_eq!(verdict("success < 95%", &calls), Verdict::Fine);
    assert_eq!(verdict("errors > 0", &calls), Verdict::Broken);
    assert_eq!(verdict("success < 100%", &calls), Verdict::Broken);
    assert_eq!(verdict("errors > 5%", &calls), Verdict::Fine);
    let fine = run((0..10).map(|_| (1, OK)));
    assert_eq!(verdict("success < 100%", &fine), Verdict::Fine);
    assert_eq!(verdict("errors > 0%", &fine), Verdict::Fine);
    assert_eq!(
        verdict("success < 99%", &fine),
        Verdict::Undecided(Undecided::TooFew { need: 688 }),
        "ten calls show no 99%"
    );
}

#[test]
fn a_generator_that_was_late_shows_nothing_of_times() {
    let calls = run((1..=1_000).map(|ms| (ms, OK)));
    let judged = |text: &str| text.parse::<Threshold>().unwrap().judge(&calls, true).verdict;
    assert_eq!(judged("p99 > 1ms"), Verdict::Undecided(Undecided::Saturated));
    assert_eq!(judged("errors > 1%"), Verdict::Fine);
    assert_eq!(verdict("p99 > 1ms", &run([])), Verdict::Undecided(Undecided::NoCalls));
}

/// Calls drawn from a server whose p90 is exactly at the threshold: it may neither be found broken nor kept more often than
/// once in a thousand. Of 4,000 runs that is 4 on either side; 15 or more has a chance of 2 in 100,000.
#[test]
fn verdicts_err_as_rarely_as_they_say() {
    use rand::{RngExt as _, SeedableRng as _};
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let (mut broken, mut fine) = (0, 0);
    for _ in 0..4_000 {
        // One call in ten takes 20 ms, the rest 10: any time between is a p90.
        let calls = run((0..200).map(|_| (if rng.random::<f64>() < 0.1 { 20 } else { 10 }, OK)));
        match verdict("p90 > 15ms", &calls) {
            Verdict::Broken => broken += 1,
            Verdict::Fine => fine += 1,
            Verdict::Undecided(_) => {}
        }
    }
    assert!(broken < 15 && fine < 15, "{broken} broken, {fine} fine of 4,000");
}
