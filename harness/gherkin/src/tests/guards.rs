//! What ends a run: read, refused, carried by the plan.

use super::support::{codes, each, plan, scenario};
use squall_model::{ControlRule, Variation, controls, vary};

const TRAFFIC: &str = "\nWhen 80% of the calls to \"reviews\" are aborted with status 503\nAnd \"web\" makes 100 calls per second to \"reviews\" for 10 seconds\nThen at least 60% of the calls fail";

fn with(guard: &str) -> String {
    format!("Given the run is aborted once {guard}{TRAFFIC}")
}

#[test]
fn a_plan_has_its_guards_and_so_have_its_control_runs() {
    let plan = plan(&scenario(&format!(
        "Given the run is aborted once more than 20% of the calls to \"reviews\" fail\nAnd the run is aborted once at most 50% of the failed calls finish within 50 ms\nAnd the run is aborted once more than 10 calls are answered with status 500{TRAFFIC}"
    )));
    insta::assert_yaml_snapshot!((&plan.guards, &plan.origins.guards));
    assert_eq!(plan.control, ControlRule::Default);
    assert_eq!(controls(&plan), [Variation::WithoutFaults]);
    assert_eq!(vary(&plan, Variation::WithoutFaults).guards, plan.guards);
}

#[test]
fn what_cannot_be_judged_while_traffic_flows_is_refused() {
    let refused: Vec<String> = [
        "every call fails",
        "no call succeeds",
        "between 20% and 30% of the calls fail",
        "at most 10 calls succeed",
        "exactly 10 calls fail",
        "more than 20% of the tries fail",
        "more than 20% of the users fail",
        "more than 20% of the shed calls fail",
        "more than 20% of the calls are shed",
        "more than 20% of the calls to instance 2 of \"reviews\" fail",
    ]
    .iter()
    .map(|guard| with(guard))
    .collect();
    insta::assert_snapshot!(each(&refused.iter().map(String::as_str).collect::<Vec<_>>()));
}

#[test]
fn names_and_calls_have_to_be_there() {
    insta::assert_snapshot!(each(&[
        &with("more than 20% of the calls to \"review\" fail"),
        &with("more than 20% of the calls on path \"/x\" fail"),
        &with("more than 20% of the calls fail").replace("Given the", "Given in the control run the"),
        &format!("When the run is aborted once more than 20% of the calls fail{}", TRAFFIC.replace("When", "And")),
    ]));
}

#[test]
fn a_background_may_have_one() {
    let text = scenario(TRAFFIC.trim())
        .replace("\n  Scenario", "\n    And the run is aborted once more than 20% of the calls fail\n  Scenario");
    assert_eq!(codes(&text), [""; 0]);
    assert_eq!(plan(&text).guards.len(), 1);
}

#[test]
fn an_experiment_says_it_as_a_sentence() {
    let text = "feature: F\nservices:\n  - {name: web, calls: [reviews]}\n  - {name: reviews, latency: {fixed: 5 ms}}\nscenarios:\n  - name: S\n    given:\n      - the run is aborted once more than 20% of the calls fail\n    when:\n      - 80% of the calls to \"reviews\" are aborted with status 503\n      - '\"web\" makes 100 calls per second to \"reviews\" for 2 seconds'\n    then:\n      - at least 60% of the calls fail\n";
    let source = crate::Source::new("t.yaml", text);
    let read = crate::experiment_from_yaml(&source, &crate::Defaults::default(), &crate::Selection::default());
    let plans = read.unwrap_or_else(|told| panic!("{told:?}")).plans;
    assert_eq!(plans[0].guards.len(), 1);
    assert_eq!(plans[0].origins.guards.values().map(|at| at.line).collect::<Vec<_>>(), [8]);
}
