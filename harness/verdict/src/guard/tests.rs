use super::*;
use squall_evidence::testing::plan;
use squall_model::{Calls, Course, GuardId, Target};

/// Calls a second.
const RATE: u64 = 100;
/// What a call takes, in milliseconds.
const TAKES: u64 = 5;

fn ms(ms: u64) -> Stamp {
    Stamp(ms * 1_000_000)
}

fn call(seq: u64, took: u64, end: ClientEnd) -> CallRecord {
    let intended = ms(seq * 1000 / RATE);
    let done = intended + Duration::from_millis(took);
    CallRecord { seq, line: 0, caller: 1, user: 0, intended, sent: intended, done, end, course: Course::default() }
}

fn guarded(outcome: Outcome, once: Threshold) -> Plan {
    let says = GuardKind { of: Calls::default(), failed: false, outcome, once };
    let mut plan = plan();
    plan.guards = vec![Guard { id: GuardId(0), text: "a guard".into(), says }];
    plan
}

fn above(percent: u32) -> Threshold {
    Threshold::Above(Fraction::percent(percent))
}

/// The number of the call up to which a guard had to see to be met, and what it measured. `ends`: how the n-th call ends, and after
/// how many milliseconds; it is looked at every 100 ms.
fn met(plan: &Plan, calls: u64, ends: impl Fn(u64) -> (ClientEnd, u64)) -> Option<(u64, Tripped)> {
    let mut test = GuardTest::new(plan, &plan.guards[0], &Settings::default());
    let mut open: Vec<CallRecord> = Vec::new();
    for look in 1..=calls * 10 / RATE {
        let (now, sent) = (ms(look * 100), look * RATE / 10);
        open.extend((sent - RATE / 10..sent).map(|n| call(n, ends(n).1, ends(n).0)));
        let (ended, flying): (Vec<_>, Vec<_>) = open.into_iter().partition(|call| call.done <= now);
        open = flying;
        test.take(&ended);
        let flying: Vec<InFlight> = open.iter().map(|call| InFlight { line: 0, intended: call.intended }).collect();
        let unresolved = flying.iter().map(|call| call.intended).min().unwrap_or(now);
        if let Some(tripped) = test.look(now, Some(unresolved), &flying) {
            return Some((sent, tripped));
        }
    }
    None
}

fn ok() -> (ClientEnd, u64) {
    (ClientEnd::Answered(200), TAKES)
}

fn failed() -> (ClientEnd, u64) {
    (ClientEnd::Answered(503), TAKES)
}

#[test]
fn a_break_is_seen_within_a_second_and_after_ten_minutes_that_were_well_no_later() {
    let plan = guarded(Outcome::Fail, above(20));
    for before in [0, RATE, 600 * RATE] {
        let (at, tripped) =
            met(&plan, before + 10 * RATE, |n| if n < before || n % 5 == 0 { ok() } else { failed() }).unwrap();
        assert!(at - before <= RATE, "{} calls after {before}: {tripped}", at - before);
        assert!(tripped.hits * 5 > tripped.n, "{tripped}");
    }
}

#[test]
fn a_few_calls_are_noise() {
    let plan = guarded(Outcome::Fail, above(20));
    for n in 1..=10 {
        assert_eq!(
            met(&plan, 10 * RATE, |seq| if seq < n { failed() } else { ok() }),
            None,
            "{n} failures and no call before them"
        );
    }
    assert!(met(&plan, 10 * RATE, |seq| if seq < 20 { failed() } else { ok() }).is_some(), "20 are none");
}

#[test]
fn the_allowed_share_is_allowed() {
    // Well mixed, in a fixed order.
    let draw = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
    let plan = guarded(Outcome::Fail, above(20));
    assert_eq!(met(&plan, 600 * RATE, |n| if draw(n) % 100 < 20 { failed() } else { ok() }), None);
    let (at, tripped) = met(&plan, 600 * RATE, |n| if draw(n) % 100 < 26 { failed() } else { ok() }).unwrap();
    assert!(at < 60 * RATE, "a little too many take longer: {at}, {tripped}");
}

#[test]
fn a_call_that_hangs_does_not_put_it_off() {
    let plan = guarded(Outcome::Fail, above(20));
    let hangs = |n| if n % 50 == 0 { (ClientEnd::Deadline, 10_000) } else { failed() };
    let (at, tripped) = met(&plan, 10 * RATE, |n| if n < 2 * RATE { ok() } else { hangs(n) }).unwrap();
    assert!(at <= 3 * RATE && tripped.latest, "{at}: {tripped}");
}

#[test]
fn slow_answers_that_are_still_to_come_count_as_good() {
    // One in ten fails at once, the others take three seconds: what has ended first has all failed.
    let plan = guarded(Outcome::Fail, above(20));
    assert_eq!(met(&plan, 20 * RATE, |n| if n % 10 == 0 { failed() } else { (ClientEnd::Answered(200), 3000) }), None);
}

#[test]
fn too_few_are_seen_as_too_many_are() {
    let plan = guarded(Outcome::Succeed(None), Threshold::Below(Fraction::percent(80)));
    assert_eq!(met(&plan, 10 * RATE, |n| if n % 10 == 0 { failed() } else { ok() }), None);
    let (at, tripped) = met(&plan, 10 * RATE, |n| if n < 2 * RATE { ok() } else { failed() }).unwrap();
    assert!(at <= 3 * RATE && tripped.hits * 10 < tripped.n * 8, "those that succeed are told: {tripped}");
}

#[test]
fn a_number_is_counted() {
    let plan = guarded(Outcome::Fail, Threshold::Count(11));
    let up_to = |failures| met(&plan, 10 * RATE, move |n| if n < failures { failed() } else { ok() });
    assert_eq!(up_to(10), None);
    let (_, tripped) = up_to(11).unwrap();
    assert_eq!((tripped.hits, tripped.latest), (11, false));
}

#[test]
fn what_clients_see_is_told_apart() {
    let call = |took, end| call(0, took, end);
    let (good, broken) = (ClientEnd::Answered(302), ClientEnd::Cut(200));
    let limit = Duration::from_millis(50);
    for (what, took, end, wanted) in [
        (Outcome::Succeed(None), 900, good, true),
        (Outcome::Succeed(Some(limit)), 51, good, false),
        (Outcome::Fail, 1, broken, true),
        (Outcome::Fail, 1, ClientEnd::Unfinished, true),
        (Outcome::FinishWithin(limit), 50, broken, true),
        (Outcome::FinishWithin(limit), 1, ClientEnd::Unfinished, false),
        (Outcome::TakeAtLeast(limit), 50, good, true),
        (Outcome::TakeAtLeast(limit), 1, ClientEnd::Unfinished, true),
        (Outcome::Answered(AnswerCode::Status(302)), 1, good, true),
        (Outcome::Answered(AnswerCode::Status(200)), 1, broken, false),
    ] {
        assert_eq!(does(&call(took, end), &what), wanted, "{what:?} {end:?}");
    }
}

#[test]
fn other_calls_are_none_of_its() {
    let mut plan = guarded(Outcome::Fail, above(20));
    plan.guards[0].says.of.to = Some(Target::service("ratings".into()));
    assert_eq!(met(&plan, 10 * RATE, |_| failed()), None);
}

#[test]
fn a_high_limit_is_met_at_a_low_rate_when_everything_breaks() {
    // Of 95% it takes over 300 calls in a row, more than come in a second: the window is as long as that.
    let plan = guarded(Outcome::Fail, above(95));
    let (sent, tripped) = met(&plan, 4_000, |n| if n < 3_000 { ok() } else { failed() }).expect("all of them fail");
    assert!(sent < 3_600, "{sent}");
    assert!(tripped.latest && tripped.hits > 300, "{tripped:?}");
}
