//! What a single line says wrongly: words, names, numbers, each with its caret.

use super::support::{each, scenario, told};

#[test]
fn lines_that_are_no_sentence() {
    insta::assert_snapshot!(each(&[
        "When \"web\" makes 20 cals to \"reviews\"\nThen evry call succeds",
        "When \"web\" makes 200 calls per sekond to \"reviews\" for 5 s\nThen at least 99 of the calls succeed",
        "Given calls to \"reviews\" time out after 300\nWhen web makes 20 calls to \"reviews\"\nThen every call times out",
        "When \"web\" makes 20 calls \"reviews\"\nThen every single call succeeds",
        "When \"web\" sends 20 requests to \"reviews\"\nThen the breaker opens",
        "Given calls to \"reviews\" are retried up to 2 times when \"5xx\"\nWhen \"web\" makes 20 calls to \"reviews\"\nThen 99% of the calls succeed",
        "When instance 2 of \"reviews\" explodes\nAnd \"web\" makes 20 calls to \"reviews\"\nThen at least 5 calls fail",
        "When all replicas of \"reviews\" return 503\nAnd each pod of \"reviews\" crashes\nAnd \"web\" sends 20 requests to \"reviews\"\nThen requests fail",
        "When \"web\" makes 20 calls to \"reviews\"\nThen the circuit breaker opens after 5 failures\nAnd the p99 latency stays below 50 ms",
        "Given the weather is fine\nWhen \"web\" makes 20 calls to \"reviews\"\nThen every call succeeds",
    ]));
}

#[test]
fn phrases_of_other_tools() {
    insta::assert_snapshot!(each(&[
        "Given \"reviews\" times out after 300 ms\nAnd a timeout of 300 ms for calls to \"reviews\"\nWhen \"web\" makes 20 calls to \"reviews\"\nThen every call timeouts",
        "When 10% of calls to \"reviews\" are aborted with status 503\nAnd \"web\" makes 20 calls to 'reviews'\nThen at least 99% of requests succeed",
        "When \"reviews\" is slow\nAnd the wire to \"reviews\" is slow\nAnd the wire to \"reviews\" drops 10% of its packets\nAnd instance 2 of \"reviews\" is killed for 2 s\nAnd instance 2 of \"reviews\" is resumed at 4 s\nAnd \"web\" makes 20 calls to \"reviews\"\nThen every call is answered with UNAVAILABLE\nAnd instance 2 of \"reviews\" is ejected for 2 s",
    ]));
}

#[test]
fn what_is_put_forward_says_what_the_line_says() {
    insta::assert_snapshot!(each(&[
        "Given calls to \"reviews\" are never retried\nAnd calls to \"reviews\" are mirored to \"web\"\nWhen instance 2 of \"reviews\" is not killed\nAnd instance 2 of \"reviews\" is paused for 1 s\nAnd \"web\" makes 20 calls to \"reviews\"\nThen no more than 5 calls fail",
        "When \"web\" makes 20 calls to \"reviews\"\nThen 5 calls fail\nAnd between 3 and 5 calls fail\nAnd 99 of the calls succeed\nAnd at most 3 of the requests fail",
        "When \"web\" makes 20 calls to \"reviews\"\nThen calls to \"reviews\" recover within 1 s\nAnd calls to \"reviews\" recover in less than a second\nAnd \"reviews\" receives 5 calls\nAnd fewer than 5 calls are not retried",
    ]));
}

#[test]
fn sentences_under_another_keyword() {
    insta::assert_snapshot!(each(&[
        "Given every call succeeds\nWhen a service \"x\"\nAnd \"web\" makes 20 calls to \"reviews\"\nThen instance 2 of \"reviews\" is killed\nAnd calls to \"reviews\" time out after 1 s",
    ]));
}

#[test]
fn names_that_nobody_has() {
    let text = r#"Feature: F
  Background:
    Given a service "web" that calls "reviews" and "rating"
    And a service "reviews" that answers in 5 ms
    And "reviews" has 1 instance of version "v1" and 1 of version "v2"
    And a service "ratings" with 2 instances in zone "east"
    And "revews" has 2 instances in zone "west"
  Scenario: S
    Given 90% of the calls to "reviews" go to version "v1" and 10% to version "w2"
    And calls from "reviews" to "ratings" time out after 1 s
    And each instance of "ratings" has at most 3 tries to "web" in flight
    When instance 3 of "reviews" is killed
    And 5 instances of "ratings" in zone "esat" answers with status 500
    And "webb" makes 20 calls to "ratings"
    And "web" makes 20 calls to "ratings"
    Then every call reaches version "v3" of "ratings"
    And "nobody" receives no tries
    And version "v2" of "reviews" in zone "east" gets traffic
"#;
    insta::assert_snapshot!(told(text));
}

#[test]
fn numbers_that_mean_nothing() {
    insta::assert_snapshot!(each(&[
        "Given calls to \"reviews\" time out after 0 ms\nAnd calls to \"reviews\" are retried up to 0 times on \"5xx\"\nAnd an instance of \"reviews\" is ejected for 0 s after 0 failures in a row, at most 0% at a time\nWhen \"web\" makes 0 calls per second to \"reviews\" for 0 s\nThen at least 130% of the calls succeed",
        "When 0% of the tries reaching \"reviews\" are aborted with status 700\nAnd tries reaching instance 0 of \"reviews\" are delayed by 0 ms\nAnd every instance of \"reviews\" answers with status 99 from 3 s to 2 s\nAnd \"web\" makes 99999999999 calls to \"reviews\"\nThen at least 100% of the calls succeed",
        "When \"reviews\" grows to 0 instances\nAnd \"web\" raises its calls to \"reviews\" from 400 to 50 per second over 1 s\nAnd \"web\" makes 1000000 calls per second to \"reviews\" for 1 s\nThen instance 2 of \"reviews\" is ejected within 0 s of its 0th failure\nAnd between 5% and 3% of the calls fail\nAnd exactly 5% of the calls fail",
        "Given a service \"a b\" with 0 instances\nAnd a service \"c\" with 900 instances that calls \"web\" and \"web\"\nWhen \"web\" makes 20 calls to \"reviews\" with method \"post\" with header \"gold\" as 0 users at random moments\nThen every call on path \"x\" succeeds",
    ]));
}

#[test]
fn policies_that_envoy_would_accept_and_ignore() {
    insta::assert_snapshot!(each(&[
        "Given calls to \"reviews\" are retried up to 2 times on \"5xx, conect-failure, timeout\"\nAnd calls to \"reviews\" are balanced by \"roundrobin\"\nWhen \"web\" makes 20 calls to \"reviews\"\nThen every call succeeds",
        "Given 90% of the calls to \"reviews\" go to \"reviews\" and 20% to \"web\"\nAnd 60% of the calls to \"web\" go to \"reviews\"\nAnd 30% of the calls to \"reviews\" time out after 1 s\nAnd tries reaching \"reviews\" go to \"web\"\nAnd calls on path \"/x\" go to version \"v1\"\nWhen \"web\" makes 20 calls to \"reviews\"\nThen every call succeeds",
    ]));
}

#[test]
fn mesh_files() {
    let text = |name: &str| {
        format!(
            "Feature: F\n  Scenario: S\n    Given the mesh \"{name}\"\n    When \"web\" makes 20 calls to \"reviews\"\n    Then at least 5 calls fail\n"
        )
    };
    insta::assert_snapshot!([text("shoe"), text("broken")].map(|t| told(&t)).join("\n----\n"));
}

#[test]
fn carets_of_an_outline_stand_on_the_placeholders() {
    let text = scenario("").replace("Scenario: S", "Scenario Outline: S <who>")
        + "    When \"web\" makes 20 calls to <who>\n    Then every call is answered with status <status>\n    Examples:\n      | who | status |\n      | \"reviews\" | 503 |\n      | \"revews\" | 999 |\n";
    insta::assert_snapshot!(told(&text));
}
