//! What Gherkin would pass over in silence, and what it cannot read.

use super::support::{BACKGROUND, codes, scenario, told};

#[test]
fn a_misspelt_keyword_is_no_prose() {
    let text = r#"Feature: F
  The data plane carries the traffic.
  When a caller is slow, this is prose and stays prose.
  Any line may begin so,
  and go on.

  Background:
    Givn a service "web" that calls "reviews"
    Given a service "reviews"

  Scenario: One
    given calls to "reviews" time out after 300 ms
    Wehn "web" makes 20 calls to "reviews"
    Thenn every call times out

  Scenario: Two
    When "web" makes 20 calls to "reviews"
    Thn every call succeeds
    And every call finishes within 10 ms
    every call is retried
    this is no step at all
"#;
    insta::assert_snapshot!(told(text));
}

#[test]
fn a_misspelt_heading_loses_what_follows() {
    let text = r#"Feature: F
  Background:
    Given a service "web" that calls "reviews"
    And a service "reviews"
  Scenerio: One
    When "web" makes 20 calls to "reviewz"
  Scenario Two
    When "web" makes 20 calls to "reviewz"
    Then every call succeeds
  scenario: Three
    Given nonsense
"#;
    insta::assert_snapshot!(told(text));
}

#[test]
fn stars_steps_outside_and_tags_of_nothing() {
    let text = r#"# language: en
@ok
Feature: F
  Given a service "web" that calls "reviews"

  @retry(3).after(1s) no-tag
  Scenario: One
    * a service "web"
    When "web" makes 20 calls to "web"
    Then every call succeeds
      """
      text
      """
    And no call fails
      | a | b |
  @tagged
"#;
    insta::assert_snapshot!(told(text));
}

#[test]
fn files_that_cannot_be_read() {
    let texts = [
        "",
        "Featur: F\n",
        "Scenario: S\n  Given a service \"a\"\n",
        "Feature: F\nFeature: G\n",
        "Feature: F\n  Scenario: S\n    Background:\n      Given a service \"a\"\n",
        "Feature: F\n  Examples:\n    | a |\n  Scenario: S\n    Given\n",
        "# language: de\nFeature: F\n  Scenario: S\n",
        "Feature: F\n  Scenario: S\n    Given a service \"a\"\n      \"\"\"\n      never closed\n",
        "Feature: F\n",
    ];
    insta::assert_snapshot!(texts.map(told).join("\n----\n"));
}

#[test]
fn windows_line_ends_are_read() {
    let text = scenario("When \"web\" makes 20 calls to \"reviews\"\nThen at least 5 cals fail").replace('\n', "\r\n");
    let shown = told(&text);
    assert!(
        shown.contains("10 |     Then at least 5 cals fail") || shown.contains("7 |     Then at least 5 cals fail"),
        "{shown}"
    );
    assert!(shown.contains("^^^^ write `calls`"), "{shown}");
}

#[test]
fn bones_of_a_scenario() {
    let texts = [
        format!("{BACKGROUND}  Scenario: Empty\n"),
        scenario("When \"web\" makes 20 calls to \"reviews\""),
        scenario("Given calls to \"reviews\" time out after 1 s\nThen every call times out"),
        scenario(
            "When \"web\" makes 20 calls to \"reviews\"\nThen every call succeeds\nGiven calls to \"reviews\" time out after 1 s\nWhen \"web\" makes 20 calls to \"reviews\"\nThen no call fails",
        ),
        format!(
            "{BACKGROUND}  Scenario:\n    When \"web\" makes 20 calls to \"reviews\"\n    Then at least 5 calls fail\n"
        ),
    ];
    insta::assert_snapshot!(texts.map(|text| told(&text)).join("\n----\n"));
}

#[test]
fn names_tell_scenarios_apart() {
    let one = "    When \"web\" makes 20 calls to \"reviews\"\n    Then at least 5 calls fail\n";
    let text = format!(
        "{BACKGROUND}  Scenario: S\n{one}  Scenario: S\n{one}  Scenario Outline: T\n    When \"web\" makes <n> calls to \"reviews\"\n    Then at least 5 calls fail\n    Examples:\n      | n  | unused |\n      | 20 | x |\n      | 20 | x |\n  Scenario Outline: U <m>\n    When \"web\" makes <N> calls to \"reviews\"\n    Then at least 5 calls fail\n    Examples:\n      | n |\n      | 20 |\n  Scenario Outline: V\n{one}"
    );
    insta::assert_snapshot!(told(&text));
}

#[test]
fn a_line_that_cannot_be_read_is_no_second_mistake() {
    let text = r#"Feature: F
  Background:
    Given a service "web" that calls "reviews"
    And a servce "reviews" with 3 instances
  Scenario: S
    Wehn "web" makes 20 calls to "reviews"
    Thn every call succeeds
"#;
    let codes = codes(text);
    assert!(!codes.iter().any(|c| c == "no-then" || c == "no-traffic" || c == "no-control"), "{codes:?}");
}
