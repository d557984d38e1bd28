//! Several things at one time: each begins and ends by its own times, and leaves alone what the others did.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail")]

mod support;

use std::time::Duration;
use support::{Squall, envoy_to_be_had};

const GROWTH: &str = r#"Feature: F
  Background:
    Given a service "web" that calls "reviews"
    And a service "reviews" with 3 instances that answer in 5 ms

  @control(none: "not what this is about")
  Scenario: Who comes while the others are dead is none of them
    When every instance of "reviews" is killed from 500 ms to 1 s
    And "reviews" grows to 5 instances at 750 ms
    And "web" makes 100 calls per second to "reviews" for 2 seconds
    Then at least 10 calls fail
    And every call succeeds from 1500 ms
"#;

const OUTAGE: &str = r#"Feature: F
  Background:
    Given a service "web" that calls "reviews"
    And a service "reviews" with 3 instances that answer in 5 ms

  @control(outage)
  Scenario: An outage comes to wires that are damaged already
    Given calls to "reviews" are retried up to 5 times on "reset,connect-failure"
    When the wire from "web" to "reviews" is slowed by 20 ms from 500 ms to 1 s
    And "web" makes 100 calls per second to "reviews" on path "/a" for 2 seconds
    And meanwhile "web" makes 100 calls per second to "reviews" on path "/b" for 2 seconds
    Then every call to "reviews" on path "/a" finishes within 3 s
    And every call to "reviews" on path "/b" succeeds
"#;

fn holds(text: &str, more: &[&str]) {
    let Some(_turn) = envoy_to_be_had() else { return };
    let squall = Squall::new();
    let feature = squall.feature("overlap.feature", text);
    let args: Vec<&str> = ["run"].into_iter().chain(more.iter().copied()).chain([feature.as_str()]).collect();
    squall.run_when_the_machine_allows(&args).expect(0).says(&["1 scenario: 1 hold"]);
    assert_eq!(squall.left_after(Duration::from_secs(5)), Vec::<String>::new());
}

#[test]
fn who_comes_while_the_others_are_dead_is_left_alone_when_they_come_back() {
    holds(GROWTH, &[]);
}

#[test]
fn an_outage_for_two_claims_comes_to_wires_that_are_damaged_already() {
    holds(OUTAGE, &["--controls"]);
}
