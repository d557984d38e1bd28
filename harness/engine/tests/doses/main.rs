//! A fault is proven by what it touched, whatever the mesh was told: aimed right it is confirmed, aimed wrong it is found out.
//!
//! The whole engine runs on real Envoys, with a mesh between them that renders and arms another fault than the one that was
//! wanted. `SQUALL_ENVOY`, the `PATH` or the user's cache says where Envoy is. Without one these tests say SKIPPED on standard
//! error, and fail where `CI` is set.
//!
//! This program is its own helper: `keeper …` becomes a keeper, `workload …` a workload.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is its own test harness")]

mod misaimed;
mod rig;

use misaimed::Aim;
use squall_model::{Dose, Edge, FaultKind, Fraction, Level, Target, Touch, Traffic, Verdict, Why};
use std::{path::Path, process::ExitCode, time::Duration};

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

/// One way of getting the aim wrong, and what the evidence must say of it.
struct Case {
    name: &'static str,
    aim: Aim,
    dose: fn() -> Dose,
}

const CASES: &[Case] = &[
    Case { name: "as_it_was_meant", aim: |_, _| {}, dose: || Dose::Confirmed },
    Case {
        name: "at_another_service",
        aim: |on, _| on.of.to = Some(Target::service("ratings".into())),
        dose: || leaked("web", "ratings"),
    },
    Case { name: "at_every_service", aim: |on, _| on.of.to = None, dose: || leaked("web", "ratings") },
    Case { name: "whoever_calls", aim: |on, _| on.of.from = None, dose: || leaked("mobile", "reviews") },
    Case { name: "at_the_callers_end", aim: |on, _| on.level = Level::Calls, dose: || leaked("web", "reviews") },
    Case {
        name: "another_touch",
        aim: |_, touch| *touch = Touch::Delay(Duration::from_millis(2)),
        dose: || leaked("web", "reviews"),
    },
    Case { name: "too_often", aim: |on, _| on.share = Fraction::percent(6), dose: || Dose::Stronger },
    Case { name: "not_at_all", aim: |on, _| on.share = Fraction::ZERO, dose: || Dose::Absent },
];

fn leaked(from: &str, to: &str) -> Dose {
    Dose::Leaked(Edge { from: from.into(), to: to.into() })
}

impl Case {
    fn passes(&self, envoy: &Path) -> bool {
        std::panic::catch_unwind(|| self.check(envoy)).is_ok()
    }

    fn check(&self, envoy: &Path) {
        let told = rig::run(FEATURE, envoy, self.aim);
        let [count] = told.doses.as_slice() else { panic!("one fault: {:?}", told.doses) };
        let seen = (&count.dose, count.touched, count.of);
        assert_eq!(count.dose, (self.dose)(), "it touched {} of {}: {:?}", count.touched, count.of, told.verdict);
        match &count.dose {
            Dose::Confirmed => {
                assert_eq!(told.verdict, Verdict::Holds, "{seen:?}");
                assert_eq!(count.of, 2_000, "each of the calls that it was aimed at has one try");
            }
            doubtful => {
                let dose = doubtful.clone();
                let why = Verdict::Inconclusive(Why::Dose { fault: count.fault, dose });
                assert_eq!(told.verdict, why, "what a fault did not do decides nothing: {seen:?}");
            }
        }
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
