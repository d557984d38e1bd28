//! What one line does to another: it replaces it, ends it, changes it, or stands in for it in the control run.

use super::support::{plan, scenario};
use squall_model::{
    Act, AnswerCode, Answers, ControlRule, FaultId, FaultKind, Plan, PolicyId, PolicyKind, Replacement, When,
};
use std::time::Duration;

#[test]
fn a_change_is_a_policy_with_cues() {
    let plan = plan(&scenario(
        r#"
        Given calls to "reviews" time out after 1 s
        When calls to "reviews" time out after 300 ms from 1 s to 2 s
        And every instance of "reviews" answers in 500 ms
        And "web" makes 100 calls per second to "reviews" for 3 seconds
        Then every call succeeds before the change
        And every call times out during the change
        "#,
    ));
    assert_eq!(plan.policies.len(), 2, "a change replaces nothing: before it the other holds");
    let cues: Vec<(u64, Act)> = plan.timeline.stages[0].cues.iter().map(|c| (c.at.as_secs(), c.act)).collect();
    assert_eq!(cues, [(1, Act::Change(PolicyId(1))), (2, Act::Revert(PolicyId(1)))]);
}

#[test]
fn an_untimed_policy_under_when_is_in_place_from_the_start() {
    let plan = plan(&scenario(
        r#"
        Given calls to "reviews" time out after 1 s
        When calls to "reviews" time out after 300 ms
        And every instance of "reviews" answers in 500 ms
        And "web" makes 100 calls per second to "reviews" for 3 seconds
        Then every call times out
        "#,
    ));
    assert_eq!(plan.policies.len(), 1);
    assert_eq!(plan.timeline.stages[0].cues, []);
}

#[test]
fn the_scenarios_line_replaces_the_backgrounds() {
    let text = r#"Feature: F
  Background:
    Given a service "web" that calls "reviews"
    And a service "reviews" with 3 instances that answer in 5 ms
    And calls to "reviews" are retried up to 1 time on "5xx"
    And calls to "reviews" time out after 1 s
    When every instance of "reviews" answers with status 500
  Scenario: S
    Given calls from "web" to "reviews" are retried up to 2 times on "5xx"
    When every instance of "reviews" answers with status 503
    And "web" makes 20 calls to "reviews"
    Then every call is answered with status 503
"#;
    assert_eq!(super::support::codes(text), [""; 0], "nothing to warn of");
    let plan = plan(text);
    let own: Vec<(bool, bool)> =
        plan.policies.iter().map(|p| (p.own, matches!(p.says, PolicyKind::Retries { up_to: 2, .. }))).collect();
    assert_eq!(own, [(false, false), (true, true)], "nobody else calls reviews: the same subject");
    assert_eq!(plan.faults.len(), 1);
    assert_eq!(plan.timeline.stages[0].standing, [Act::Arm(FaultId(0))]);
}

#[test]
fn opposite_events_end_what_stands() {
    let plan = plan(&scenario(
        r#"
        When every instance of "reviews" answers with status 503
        And every instance of "reviews" answers in 100 ms from 500 ms
        And every instance of "reviews" answers as before at 1 s
        And the control plane is killed at 1 s
        And the control plane comes back at 2 s
        And "web" makes 100 calls per second to "reviews" for 3 seconds
        Then every call succeeds after the fault
        And every call fails during the fault
        "#,
    ));
    let at = |s: u64| Duration::from_millis(s);
    let whens: Vec<When> = plan.faults.iter().map(|f| f.when).collect();
    let span = |from, to| When::Span { from: at(from), to: Some(at(to)) };
    assert_eq!(whens, [When::Standing, span(500, 1000), span(1000, 2000)]);
    let stage = &plan.timeline.stages[0];
    assert_eq!(stage.standing, [Act::Arm(FaultId(0))]);
    let cues: Vec<(u128, Act)> = stage.cues.iter().map(|c| (c.at.as_millis(), c.act)).collect();
    assert_eq!(
        cues,
        [
            (500, Act::Arm(FaultId(1))),
            (1000, Act::End(FaultId(0))),
            (1000, Act::End(FaultId(1))),
            (1000, Act::Arm(FaultId(2))),
            (2000, Act::End(FaultId(2))),
        ]
    );
}

#[test]
fn who_went_down_or_was_cut_off_comes_back() {
    let text = r#"Feature: F
  Background:
    Given a service "web" that calls "reviews"
    And a service "reviews"
    And "reviews" has 2 instances in zone "east" and 1 in site "edge"
  Scenario: S
    When zone "east" is paused at 1 s
    And zone "east" comes back at 2 s
    And site "edge" is cut off at 1 s
    And site "edge" comes back at 3 s
    And the process of instance 1 of "reviews" is killed at 3 s
    And the process of instance 1 of "reviews" comes back at 4 s
    And the wire to "reviews" is slowed by 10 ms at 1 s
    And the wire to "reviews" is slowed by 20 ms at 2 s
    And the wire to "reviews" carries at most 10 KB/s at 2 s
    And "reviews" shrinks to 2 instances at 4 s
    And "web" makes 100 calls per second to "reviews" for 5 seconds
    Then at least 1 call fails
"#;
    let plan = plan(text);
    let told: Vec<String> = plan.faults.iter().map(|f| format!("{}{}", f.does, f.when)).collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn some_of_those_that_answer_otherwise_answer_as_before() {
    let plan = plan(&scenario(
        r#"
        When every instance of "reviews" answers with status 503
        And instance 2 of "reviews" answers as before at 1 s
        And "web" makes 100 calls per second to "reviews" for 3 seconds
        Then instance 2 of "reviews" receives at least 10 tries
        And at least 10 calls fail
        "#,
    ));
    let how = |n: usize| match &plan.faults[n].does {
        FaultKind::Answers { how, .. } => *how,
        other => panic!("{other:?}"),
    };
    assert_eq!((how(0), how(1)), (Answers::With(AnswerCode::Status(503)), Answers::AsBefore));
    assert_eq!(plan.timeline.stages[0].cues.len(), 1);
}

/// The number of the line that each line of the control run stands in for.
fn instead_of(plan: &Plan) -> Vec<Option<u32>> {
    let ControlRule::Replace(all) = &plan.control else { panic!("{:?}", plan.control) };
    let line = |r: &Replacement| match r {
        Replacement::Policy { instead_of, .. } => instead_of.map(|id| id.0),
        Replacement::Fault { instead_of, .. } => instead_of.map(|id| id.0),
    };
    all.iter().map(line).collect()
}

#[test]
fn in_the_control_run_replaces_the_line_of_the_same_subject() {
    let plan = plan(&scenario(
        r#"
        Given calls to "reviews" with method "GET" are retried up to 2 times on "5xx"
        And in the control run calls to "reviews" are retried up to 2 times on "5xx"
        And in the control run calls to "reviews" are balanced by "random"
        When every instance of "reviews" answers in 5 ms
        And 30% of the calls to "reviews" with method "POST" are aborted with status 503
        And in the control run 30% of the tries reaching "reviews" are aborted with status 503
        And "web" makes 50 calls to "reviews" with method "POST"
        Then no call is tried more than 1 time
        "#,
    ));
    assert_eq!(instead_of(&plan), [Some(0), None, Some(1)]);
}

#[test]
fn in_the_control_run_the_same_subject_comes_first_then_its_kind() {
    let plan = plan(&scenario(
        r#"
        Given each instance of "reviews" is checked every 100 ms by tcp
        And in the control run each instance of "reviews" is checked every 1 s by tcp
        And calls to "reviews" stay on one instance by user
        And in the control run calls to "reviews" stay on one instance by header "x-tier"
        When the wire to instance 1 of "reviews" is slowed by 10 ms
        And the wire to instance 2 of "reviews" is slowed by 10 ms
        And in the control run the wire to instance 2 of "reviews" is slowed by 1 s
        And instance 3 of "reviews" is killed at 1 s
        And in the control run instance 3 of "reviews" is restarted at 1 s
        And in the control run the wire to "reviews" is cut
        And "web" makes 100 calls per second to "reviews" as 5 users for 3 s
        Then at least 1 call fails
        "#,
    ));
    assert_eq!(instead_of(&plan), [Some(0), Some(1), Some(1), Some(2), Some(0)]);
}

#[test]
fn control_tags_are_read_and_the_nearest_wins() {
    let text = r#"@control(faults)
Feature: F
  @slow @control(none: "the lines (all) @ once say it")
  Scenario: S
    Given a service "web" that calls "reviews"
    And a service "reviews"
    When "web" makes 20 calls to "reviews"
    Then every call succeeds
"#;
    let plan = plan(text);
    assert_eq!(plan.control, ControlRule::None("the lines (all) @ once say it".into()));
    assert_eq!(plan.title.tags.len(), 3);
    assert_eq!(plan.title.tags[1], "@slow");
}
