//! A fault is proven by what it touched, whatever the mesh was told: aimed right it is confirmed, aimed wrong it is found out.
//! So are lines of logs that are lost.
//!
//! The whole engine runs on real Envoys, with a mesh between them that renders and arms another fault than the one that was
//! wanted, or that loses lines. `SQUALL_ENVOY`, the `PATH` or the user's cache says where Envoy is. Without one these tests say SKIPPED on standard
//! error, and fail where `CI` is set.
//!
//! This program is its own helper: `keeper …` becomes a keeper, `workload …` a workload.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is its own test harness")]

mod misaimed;
mod rig;

use misaimed::{Aim, Loses};
use rig::Told;
use squall_model::{
    AccessRecord, Discord, Dose, DoseCount, Edge, FaultKind, Fraction, Level, Lost, Meant, Side, Source, Target, Touch,
    Traffic, Verdict, Which, Why, Witness,
};
use std::{
    hash::{DefaultHasher, Hash, Hasher},
    path::Path,
    process::ExitCode,
    time::Duration,
};

/// One per cent is hardest to prove: some twenty of two thousand tries. That chance alone makes it another dose, or lets a leak
/// of 1,500 touch nobody, happens once in a million runs.
const FEATURE: &str = r#"
Feature: Doses
  @control(none: "it is the dose that is tested")
  Scenario: One per cent
    Given a service "web" that calls "reviews" and "ratings"
    And a service "mobile" that calls "reviews"
    And a service "reviews" with 2 instances
    And a service "ratings"
    When 1% of the tries from "web" reaching "reviews" are aborted with status 503
    And "web" makes 2000 calls to "reviews"
    And meanwhile "web" makes 1500 calls to "ratings"
    And meanwhile "mobile" makes 1500 calls to "reviews"
    Then no call is tried more than 1 time
"#;

/// A share that a few hundred tries show, at each of the instances.
const HALF: &str = r#"
Feature: Doses
  @control(none: "it is the dose that is tested")
  Scenario: Half
    Given a service "web" that calls "reviews"
    And a service "reviews" with 2 instances
    When 50% of the tries reaching "reviews" are aborted with status 503
    And "web" makes 400 calls to "reviews"
    Then no call is tried more than 1 time
"#;

/// One thing that goes wrong, and what the evidence must say of it.
struct Case {
    name: &'static str,
    feature: &'static str,
    aim: Aim,
    loses: Loses,
    says: fn(&Told),
}

const RIGHT: Case =
    Case { name: "as_it_was_meant", feature: FEATURE, aim: |_, _| {}, loses: |_| false, says: confirmed };

const CASES: &[Case] = &[
    RIGHT,
    Case {
        name: "at_another_service",
        aim: |on, _| on.of.to = Some(Target::service("ratings".into())),
        says: |told| leaked(told, "web", "ratings", "ratings-1"),
        ..RIGHT
    },
    Case {
        name: "at_every_service",
        aim: |on, _| on.of.to = None,
        says: |told| leaked(told, "web", "ratings", "ratings-1"),
        ..RIGHT
    },
    Case {
        name: "whoever_calls",
        aim: |on, _| on.of.from = None,
        says: |told| leaked(told, "mobile", "reviews", "reviews-"),
        ..RIGHT
    },
    Case {
        name: "at_the_callers_end",
        aim: |on, _| on.level = Level::Calls,
        says: |told| leaked(told, "web", "reviews", "web-1"),
        ..RIGHT
    },
    Case {
        name: "another_touch",
        aim: |_, touch| *touch = Touch::Delay(Duration::from_millis(2)),
        says: |told| leaked(told, "web", "reviews", "reviews-"),
        ..RIGHT
    },
    Case {
        name: "at_one_of_two_instances",
        feature: HALF,
        aim: |on, _| on.of.to = Some(second_of_reviews()),
        says: partial,
        ..RIGHT
    },
    Case {
        name: "too_often",
        aim: |on, _| on.share = Fraction::percent(6),
        says: |told| doubtful(told, &Dose::Stronger),
        ..RIGHT
    },
    Case {
        name: "not_at_all",
        aim: |on, _| on.share = Fraction::ZERO,
        says: |told| doubtful(told, &Dose::Absent),
        ..RIGHT
    },
    Case { name: "five_per_cent_of_the_lines_of_a_callee_are_lost", loses: of_callee, says: lost_at_callee, ..RIGHT },
    Case { name: "five_per_cent_of_the_lines_of_a_caller_are_lost", loses: of_caller, says: lost_at_caller, ..RIGHT },
];

fn second_of_reviews() -> Target {
    Target { which: Which::Instance(2), ..Target::service("reviews".into()) }
}

/// One in twenty, by its id: whatever the order of the calls, and the same in every run.
fn one_in_twenty(line: &AccessRecord) -> bool {
    let mut hasher = DefaultHasher::new();
    (&line.id, line.attempts).hash(&mut hasher);
    hasher.finish().is_multiple_of(20)
}

fn of_callee(line: &AccessRecord) -> bool {
    line.side == Side::Inbound && line.proxy.to_string() == "reviews-2" && one_in_twenty(line)
}

fn of_caller(line: &AccessRecord) -> bool {
    line.side == Side::Outbound && line.proxy.to_string() == "mobile-1" && one_in_twenty(line)
}

/// So many, but for the last few: the fault ends when they have, and what lies within the clock error of that counts for nothing.
fn nearly(of: u64, all: u64) -> bool {
    (all - 5..=all).contains(&of)
}

fn the_count(told: &Told) -> &DoseCount {
    let [count] = told.doses.as_slice() else { panic!("one fault: {:?}", told.doses) };
    count
}

fn confirmed(told: &Told) {
    let count = the_count(told);
    assert_eq!(count.dose, Dose::Confirmed, "{count:?}");
    assert_eq!(told.verdict, Verdict::Holds, "{count:?}");
    assert!(nearly(count.of, 2_000), "each of the calls that it was aimed at has one try: {count:?}");
    assert!(matches!(count.meant, Some(Meant::Share { .. })) && count.parts.len() == 2, "{count:?}");
}

/// What a fault did not do decides nothing.
fn doubtful(told: &Told, dose: &Dose) {
    let count = the_count(told);
    assert_eq!(&count.dose, dose, "{count:?}, {:?}", told.verdict);
    let Verdict::Inconclusive(Why::Dose { fault, dose: why, .. }) = &told.verdict else { panic!("{:?}", told.verdict) };
    assert_eq!((*fault, why), (count.fault, dose));
}

/// One per cent of the wrong calls: which, at whose proxy, how many.
fn leaked(told: &Told, from: &str, to: &str, at: &str) {
    doubtful(told, &Dose::Leaked(Edge { from: from.into(), to: to.into() }));
    let count = the_count(told);
    assert!(count.leaks.iter().all(|leak| leak.at.to_string().starts_with(at)), "{count:?}");
    let touched: u64 = count.leaks.iter().map(|leak| leak.touched).sum();
    // Some fifteen or twenty: beyond these bounds once in a million runs.
    assert!((1..=50).contains(&touched), "{count:?}");
    let why = told.verdict_text();
    assert!(why.starts_with("fault leaked: it touched ") && why.contains(&format!("{from} → {to} at {at}")), "{why}");
    eprintln!("{why}");
}

/// A quarter over all: half at one instance, none at the other.
fn partial(told: &Told) {
    doubtful(told, &Dose::Weaker);
    let [first, second] = the_count(told).parts.as_slice() else { panic!("two instances: {:?}", told.doses) };
    assert_eq!((&first.dose, first.touched, nearly(first.of, 200)), (&Dose::Absent, 0, true), "{first:?}");
    assert_eq!((&second.dose, nearly(second.of, 200)), (&Dose::Confirmed, true), "{second:?}");
    let why = told.verdict_text();
    let absent = format!("fault partial: absent at reviews-1 (0 of {}), as meant at reviews-2 (", first.of);
    assert!(why.starts_with(&absent), "{why}");
    eprintln!("{why}");
}

fn lost_at_callee(told: &Told) {
    // Every try was answered, so its sender knows of it; the one per cent that was aborted has no line of a ledger.
    let lost = the_loss(told);
    assert_eq!((lost.source, lost.at.as_ref().unwrap().to_string().as_str()), (Source::CalleesLog, "reviews-2"));
    assert!([Witness::Counters, Witness::UpstreamLog].iter().all(|who| lost.known_to.contains(who)), "{lost}");
    assert!((1_740..=1_760).contains(&lost.of), "half of 3,500 tries: {lost}");
}

fn lost_at_caller(told: &Told) {
    let lost = the_loss(told);
    assert_eq!((lost.source, lost.at.as_ref().unwrap().to_string().as_str()), (Source::CallersLog, "mobile-1"));
    let all = [Witness::Counters, Witness::Client, Witness::UpstreamLog, Witness::CalleesLog, Witness::Ledger];
    assert_eq!(lost.known_to, all, "{lost}");
    assert_eq!(lost.of, 1_500, "{lost}");
}

/// The one cause of the verdict: some five per cent of the lines of one log, now and then.
fn the_loss(told: &Told) -> &Lost {
    let Verdict::Inconclusive(Why::Books(causes)) = &told.verdict else { panic!("{:?}", told.verdict) };
    let [Discord::LostTelemetry(lost)] = causes.as_slice() else { panic!("one cause: {}", told.verdict_text()) };
    assert!((lost.of / 50..=lost.of / 12).contains(&lost.missing), "{lost}");
    assert_eq!((lost.since, lost.until), (None, None), "{lost}");
    eprintln!("{}", told.verdict_text());
    lost
}

impl Case {
    fn passes(&self, envoy: &Path) -> bool {
        std::panic::catch_unwind(|| (self.says)(&rig::run(self.feature, envoy, self.aim, self.loses))).is_ok()
    }
}

/// For a fault that is not about traffic, an aim has nothing to change.
fn aimed(aim: Aim, fault: &mut FaultKind) {
    let FaultKind::Touch { on, touch } = fault else { return };
    let on: &mut Traffic = on;
    aim(on, touch);
}

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    match args.next().as_deref().and_then(|word| word.to_str()) {
        // Before there is a second thread: the keeper forks.
        Some("keeper") => squall_place::keeper_main(args),
        Some("workload") => rig::workload(args),
        _ => run(),
    }
}

/// As much of libtest as cargo and cargo-nextest need.
fn run() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| args.iter().any(|arg| arg == flag);
    let words: Vec<&String> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    let names = |name: &str, word: &str| if has("--exact") { name == word } else { name.contains(word) };
    let wanted = |case: &&Case| words.is_empty() || words.iter().any(|word| names(case.name, word));
    // No test here is an ignored one.
    let chosen: Vec<&Case> = CASES.iter().filter(wanted).filter(|_| !has("--ignored")).collect();
    if has("--list") {
        chosen.iter().for_each(|case| println!("{}: test", case.name));
        return ExitCode::SUCCESS;
    }
    let Some(envoy) = rig::envoy() else { return ExitCode::SUCCESS };
    let mut all = true;
    for case in chosen {
        let passed = case.passes(&envoy);
        println!("test {} ... {}", case.name, if passed { "ok" } else { "FAILED" });
        all &= passed;
    }
    if all { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
