//! Text to plan: what the engine gets of each line.

use super::support::{compiled, plan, scenario};

/// A plan without what all of these share: topology and places.
macro_rules! assert_plan {
    ($text:expr) => {
        let plan = plan(&scenario($text));
        insta::assert_yaml_snapshot!((
            plan.policies,
            plan.faults,
            plan.timeline,
            plan.claims,
            plan.control,
            plan.needs
        ));
    };
}

#[test]
fn the_whole_of_a_plan() {
    let text = r#"
        Given calls from "web" to "reviews" are retried up to 2 times on "5xx, reset"
        When 30% of the tries reaching "reviews" are aborted with status 503
        And "web" makes 300 calls per second to "reviews" for 2 seconds
        Then at least 90% of the calls succeed
        And no call is tried more than 3 times
    "#;
    insta::assert_yaml_snapshot!(plan(&scenario(text)));
}

#[test]
fn every_policy() {
    assert_plan!(
        r#"
        Given calls to "reviews" with method "GET" are retried up to 1 time on "connect-failure, 503", each on another instance
        And calls to "reviews" time out after 300 ms
        And tries reaching "reviews" time out after 100 ms
        And calls to "reviews" time out when idle for 1 s
        And retries of calls stay within 20% of the tries in flight, and at least 1
        And each instance of "web" has at most 20 tries to "reviews" in flight
        And each instance of "web" has at most 20 connections to "reviews" and 10 calls waiting
        And an instance of "reviews" is ejected for 2 s after 5 failures in a row, at most 50% at a time
        And each instance of "reviews" is checked every 200 ms by http on path "/healthz", out after 1 failure, back after 2 passes
        And "reviews" is called on every instance when fewer than 50% are healthy
        And calls to "reviews" stay on one instance by header "X-Session"
        And calls to "reviews" are balanced by "least request"
        And calls to "reviews" keep their deadline
        And an instance of "reviews" warms up for 3 s
        When "web" makes 20 calls to "reviews"
        Then every call succeeds
        "#
    );
}

#[test]
fn a_split_between_versions() {
    let text = r#"Feature: Canary
  Background:
    Given a service "web" that calls "reviews"
    And a service "reviews" that answers in 5 ms
    And "reviews" has 1 instance of version "v1", 1 of version "v2" and 2 in zone "east"
    And each instance of "reviews" handles at most 20 calls at a time
  @smoke
  Scenario: A tenth
    Given 90% of the calls to "reviews" go to version "v1" and 10% to version "v2"
    When "web" makes enough calls to "reviews" to decide
    Then between 5% and 15% of the calls reach version "v2" of "reviews"
"#;
    insta::assert_yaml_snapshot!(plan(text));
}

#[test]
fn every_fault_on_a_timeline_of_two_stages() {
    assert_plan!(
        r#"
        When every instance of "reviews" answers with status 503
        And every instance of "reviews" answers in 200 ms
        And "web" makes 100 calls per second to "reviews" for 2 seconds
        And instance 2 of "reviews" is killed at 1 s
        And instance 2 of "reviews" comes back at 2 s
        And the process of instance 3 of "reviews" is killed from 500 ms to 1 s
        And the control plane is stopped from 1 s
        And "reviews" grows to 4 instances at 1500 ms
        And the proxy of instance 1 of "reviews" is paused from 500 ms to 800 ms
        And instance 1 of "reviews" is restarted at 1 s
        And the wire from "web" to instance 1 of "reviews" is slowed by 20 ms, give or take 5 ms from 1 s to 2 s
        And the wire to "reviews" resets 10% of its connections at 2 s
        And 10% of the calls of user "alice" to "reviews" on path "/x" are delayed by 10 ms
        And every instance of "reviews" answers at once at 2 s
        And "web" makes 100 calls per second to "reviews" on path "/x" as 5 users for 3 seconds
        And meanwhile "web" raises its calls to "reviews" from 10 to 20 per second over 3 s
        And meanwhile 5 users of "web" call "reviews" with method "POST" for 3 s, thinking 100 ms
        Then at least 1 call fails
        "#
    );
}

#[test]
fn every_kind_of_claim() {
    assert_plan!(
        r#"
        When instance 2 of "reviews" is killed from 1 s to 2 s
        And "web" makes 500 calls per second to "reviews" as 20 users at random moments for 4 seconds
        Then at least 90% of the calls succeed within 50 ms before the fault
        And every shed call finishes within 50 ms during the fault
        And no call to "reviews" is answered with status 503 after the fault
        And at most 10 calls fail from 3 s
        And more than 5 failed calls are refused
        And exactly 0 calls time out
        And calls to "reviews" recover within 500 ms of the end of the fault
        And "reviews" receives at most 1.35 tries for each call
        And instance 2 of "reviews" serves between 10 and 20 tries per second from 2500 ms to 3 s
        And instance 2 of "reviews" receives no tries during the fault
        And between 20% and 40% of the tries to "reviews" reach instance 1 of "reviews" after the fault
        And instance 1 of "reviews" receives between 20% and 40% of the tries after the fault
        And instance 2 of "reviews" gets traffic again within 1 s of its return
        And instance 1 of "reviews" gets traffic during the fault
        And each user reaches only one instance of "reviews"
        And every call from "web" reaches every instance of "reviews"
        And no call is logged with flag "UF" before the fault
        "#
    );
}

#[test]
fn own_defaults_are_noted_with_the_topology() {
    let plan = plan(&scenario(
        r#"
        Given the mesh keeps its own defaults for calls to "reviews" with method "GET"
        And the mesh keeps its own defaults for calls to "reviews" with method "GET"
        And calls to "reviews" time out after 100 ms
        When every instance of "reviews" answers in 1 s
        And "web" makes 20 calls to "reviews"
        Then every call times out
        "#,
    ));
    let told: Vec<String> = plan.topology.own_defaults.iter().map(|calls| format!("calls{calls}")).collect();
    assert_eq!(told, ["calls to \"reviews\" with method \"GET\""]);
}

#[test]
fn a_rule_has_a_background_and_tags_of_its_own() {
    let text = r#"@feature
Feature: F
  Background:
    Given a service "web" that calls "reviews"
  @rule
  Rule: R
    Background:
      Given a service "reviews"
      And calls to "reviews" are retried up to 1 time on "5xx"
    @scenario
    Scenario: S
      Given calls to "reviews" time out after 1 s
      When every instance of "reviews" answers in 2 s
      And "web" makes 20 calls to "reviews"
      Then every call times out
"#;
    let plan = plan(text);
    assert_eq!(plan.title.tags, ["@feature", "@rule", "@scenario"]);
    assert_eq!(plan.policies.iter().map(|p| p.own).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn an_outline_is_a_scenario_a_row() {
    let text = r#"Feature: F
  Background:
    Given a service "web" that calls "reviews"
    And a service "reviews" with 3 instances that answer in 5 ms
  @outline
  Scenario Outline: Status <status> is retried
    Given calls to "reviews" are retried up to <retries> times on "5xx"
    When every instance of "reviews" answers with status <status>
    And "web" makes 20 calls to "reviews"
    Then every call is tried more than <retries> times

    @server
    Examples:
      | status | retries |
      | 500    | 1       |
      # 501 is another story
      | 503    | 2       |
    Examples: more
      | status | retries |
      | 599    | 3       |
"#;
    let compiled = compiled(text).unwrap();
    let shown: Vec<String> = compiled
        .plans
        .iter()
        .map(|p| format!("{} {} {:?} {}", p.key, p.title.scenario, p.title.tags, p.origins.scenario))
        .collect();
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn keys_do_not_depend_on_places() {
    let text = scenario(
        r#"
        When instance 2 of "reviews" answers with status 503
        And "web" makes 20 calls to "reviews"
        Then at least 5 calls fail
        "#,
    );
    let key = |text: &str| plan(text).key;
    assert_eq!(key(&text), key(&text.replace("  Scenario: S", "\n  # a comment\n\n  @tag\n  Scenario: S")));
    assert_eq!(key(&text), key(&text.replace("makes 20 calls", "makes 30 calls")), "the schedule may change");
    assert_ne!(key(&text), key(&text.replace("at least 5", "at least 6")));
    assert_ne!(key(&text), key(&text.replace("Scenario: S", "Scenario: T")));
}

#[test]
fn a_mesh_file_is_a_topology() {
    let text = "Feature: F\n  Scenario: S\n    Given the mesh \"shop\"\n    And a service \"ratings\"\n    And calls to \"reviews\" time out after 1 s\n    When \"web\" makes 20 calls to \"reviews\"\n    Then every call succeeds\n";
    let plan = plan(text);
    let names: Vec<(&str, usize)> =
        plan.topology.services.iter().map(|s| (s.name.as_str(), s.instances.len())).collect();
    assert_eq!(names, [("web", 1), ("reviews", 2), ("ratings", 1)]);
}

#[test]
fn what_cannot_be_run_is_a_need_with_its_own_words() {
    let plan = plan(&scenario(
        r#"
        Given a service "quotes" speaking tcp outside the mesh
        And calls to "reviews" are mirrored to "quotes"
        And calls to "reviews" are retried up to 2 times on "5xx", waiting at least 100 ms
        When the certificate of "reviews" is renewed at 1 s
        And every instance of "reviews" in cluster "east" is killed
        And instance 1 of "reviews" is cut off
        And the control plane is paused
        And instance 1 of "reviews" answers with close code 1000
        And "web" makes 100 calls per second to "reviews" for 3 seconds
        Then every new connection to "reviews" uses mTLS
        And every call conforms to "contract.json"
        And the change is rejected
        And the proxy of "reviews" is healthy within 1 s of the fault
        And calls to "reviews" are as good as without the proxy
        "#,
    ));
    let needs: Vec<String> = plan.needs.iter().map(|n| format!("{}: {}", n.origin, n.what)).collect();
    insta::assert_snapshot!(needs.join("\n"));
    assert!(plan.claims.is_empty() && plan.faults.is_empty() && plan.policies.is_empty());
}

#[test]
fn one_call_is_one_call() {
    let every = |rate: &str| {
        let text = format!("When \"web\" makes {rate} to \"reviews\" for 60 seconds\nThen at least 1 call succeeds");
        plan(&scenario(&text)).timeline.stages[0].lines[0].shape
    };
    assert_eq!(every("1 call per second"), every("1 calls per second"));
    assert_eq!(every("60 calls per minute"), every("60 call per minute"));
    assert_ne!(every("1 call per second"), every("1 call per minute"));
}
