//! A guard that is met ends the whole run at once, says where and why, and leaves nothing behind.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test that cannot unwrap should fail, and says what it saw"
)]

mod support;

use serde_json::Value;
use std::{fs, time::Duration};
use support::{Ran, Squall, envoy_to_be_had};

/// How long everything may take to be gone.
const GONE: Duration = Duration::from_secs(5);

/// When the fault begins, in seconds after the traffic.
const FAULT: f64 = 2.0;

/// The line of the guard in the features of these tests.
const GUARD: &str = "guard.feature:7:11";

/// Two scenarios, the first with a fault on eight of ten calls; the second would hold.
fn feature(guard: &str) -> String {
    format!(
        r#"Feature: F
  Background:
    Given a service "web" that calls "reviews"
    And a service "reviews" that answers in 5 ms

  Scenario: It breaks
    Given {guard}
    When 80% of the calls to "reviews" are aborted with status 503 from 2 s to 12 s
    And "web" makes 100 calls per second to "reviews" for 14 seconds
    Then at least 60% of the calls fail during the fault
    And at least 95% of the calls succeed before the fault

  @control(none: "not what this is about")
  Scenario: It is well
    When "web" makes 100 calls per second to "reviews" for 1 seconds
    Then every call succeeds
"#
    )
}

/// What was recorded of a run.
fn events(squall: &Squall) -> Vec<Value> {
    let runs = fs::read_dir(squall.home.path().join("runs")).unwrap().flatten();
    let text: String = runs.map(|run| fs::read_to_string(run.path().join("events.jsonl")).unwrap()).collect();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The last of the events that have a body of this kind: when it was, in seconds, and what it says.
fn last<'e>(events: &'e [Value], kind: &str) -> Option<(f64, &'e Value)> {
    let of_kind = events.iter().rev().find(|event| event["body"].get(kind).is_some())?;
    Some((of_kind["at"].as_f64()? / 1e9, &of_kind["body"][kind]))
}

fn run(squall: &Squall, guard: &str) -> Ran {
    let path = squall.feature("guard.feature", &feature(guard));
    let summary = squall.home.path().join("summary.json");
    squall.run_when_the_machine_allows(&["run", "--controls", "--summary", summary.to_str().unwrap(), &path])
}

#[test]
fn a_guard_that_is_met_ends_the_whole_run() {
    let Some(_turn) = envoy_to_be_had() else { return };
    let squall = Squall::new();
    let ran = run(&squall, "the run is aborted once more than 20% of the calls fail");
    ran.expect(5).says(&[
        GUARD,
        "inconclusive: nothing was proven, the guard at ",
        "more than 20% of the calls fail",
        "aborted by the guard at ",
        "2 scenarios: 1 inconclusive, 1 not run",
        "exit status 5: a guard aborted the run before all of it was judged",
    ]);
    let events = events(&squall);
    let (_, met) = last(&events, "guard_met").unwrap();
    let (at, hits, n) = (met["at"].as_f64().unwrap() / 1e9, &met["measured"]["hits"], &met["measured"]["n"]);
    assert!((FAULT..FAULT + 2.0).contains(&at), "met at {at} s");
    assert!(hits.as_f64().unwrap() > 0.2 * n.as_f64().unwrap(), "{met}");
    let begun = last(&events, "stage_began").unwrap().0;
    let finished = last(&events, "finished").unwrap().0;
    assert!(finished - begun < FAULT + 4.0, "all was over {} s after the traffic began", finished - begun);
    let cues = events.iter().filter_map(|event| event["body"].get("cue_effect"));
    assert_eq!(cues.map(|cue| cue["what"].as_str().unwrap()).collect::<Vec<_>>(), ["armed", "ended"]);
    let began = events.iter().filter(|event| event["body"] == "started").count();
    assert_eq!(began, 1, "neither a control run nor the other scenario");
    let summary = fs::read_to_string(squall.home.path().join("summary.json")).unwrap();
    let summary: Value = serde_json::from_str(&summary).unwrap();
    assert_eq!((&summary["not_run"], &summary["not_green"][0]["line"]), (&Value::from(1), &Value::from(7)));
    assert_eq!(squall.left_after(GONE), Vec::<String>::new());
}

#[test]
fn a_guard_that_is_never_met_changes_nothing() {
    let Some(_turn) = envoy_to_be_had() else { return };
    let squall = Squall::new();
    let ran = run(&squall, "the run is aborted once more than 95% of the calls fail");
    ran.expect(0).says(&["2 scenarios: 2 hold", "1 red"]);
    assert!(last(&events(&squall), "guard_met").is_none());
    assert_eq!(squall.left_after(GONE), Vec::<String>::new());
}
