//! Lints about gRPC beside plain HTTP.

use super::support::{codes, told};

fn text(given: &str, when: &str, then: &str) -> String {
    format!(
        r#"Feature: F
  Background:
    Given a service "web" that calls "quotes" and "reviews"
    And a service "quotes" speaking grpc with 2 instances
    And a service "reviews" with 2 instances
  Scenario: S
    {given}
    {when}
    And "web" makes 50 calls to "quotes"
    And meanwhile "web" makes 50 calls to "reviews"
    {then}
"#
    )
}

const RETRIED: &str = "Given calls to \"quotes\" are retried up to 2 times on \"unavailable\"";
const ABORTED: &str = "When tries reaching \"quotes\" are aborted with grpc status \"UNAVAILABLE\"";
const ANSWERED: &str = "Then every call to \"quotes\" is answered with grpc status \"UNAVAILABLE\"";

#[test]
fn codes_are_those_of_the_protocol() {
    insta::assert_snapshot!(
        [
            text(RETRIED, "When tries reaching \"quotes\" are aborted with status 503", ANSWERED),
            text(RETRIED, "When tries reaching \"reviews\" are aborted with grpc status \"UNAVAILABLE\"", ANSWERED),
            text(
                RETRIED,
                "When every instance of \"reviews\" answers with grpc status \"INTERNAL\" after 1 message",
                ANSWERED
            ),
            text(RETRIED, ABORTED, "Then no call to \"quotes\" is answered with status 503"),
            text(RETRIED, ABORTED, "Then at least 1 call to \"reviews\" is answered with grpc status \"OK\""),
            text(RETRIED, "When every instance of \"quotes\" answers with grpc status \"UNAVAILBLE\"", ANSWERED),
        ]
        .map(|t| told(&t))
        .join("\n----\n")
    );
    assert_eq!(codes(&text(RETRIED, ABORTED, ANSWERED)), [""; 0]);
    let half = "When every instance of \"quotes\" answers with grpc status \"UNAVAILABLE\" after 1 message";
    assert_eq!(codes(&text(RETRIED, half, ANSWERED)), [""; 0]);
    let foreign = "When every instance of \"quotes\" answers with status 503";
    assert_eq!(codes(&text(RETRIED, foreign, ANSWERED)), [""; 0], "an answer without a status of gRPC");
}

#[test]
fn retries_methods_and_checks_are_those_of_the_protocol() {
    insta::assert_snapshot!(
        [
            text("Given calls to \"quotes\" are retried up to 2 times on \"5xx, gateway-error\"", ABORTED, ANSWERED),
            text(
                "Given each instance of \"quotes\" is checked every 200 ms by http on path \"/healthz\"",
                ABORTED,
                ANSWERED
            ),
            text("Given each instance of \"reviews\" is checked every 200 ms by grpc", ABORTED, ANSWERED),
            text(RETRIED, ABORTED, ANSWERED)
                .replace("makes 50 calls to \"quotes\"", "makes 50 calls to \"quotes\" with method \"GET\""),
        ]
        .map(|t| told(&t))
        .join("\n----\n")
    );
    let some = "Given calls to \"quotes\" are retried up to 2 times on \"connect-failure\"";
    assert_eq!(codes(&text(some, ABORTED, ANSWERED)), [""; 0]);
}
