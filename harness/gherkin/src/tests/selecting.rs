//! `--tags` and `PATH:LINE`.

use super::support::compiled;
use crate::{Selection, select};

const TEXT: &str = r#"@f
Feature: F
  Background:
    Given a service "web" that calls "reviews"
    And a service "reviews" that answers in 5 ms
    And calls to "reviews" time out after 1 s

  @a @slow
  @control(none: "only names are looked at")
  Scenario: One
    When "web" makes 20 calls to "reviews"
    Then every call succeeds

  @a
  Scenario Outline: Two
    Given calls to "reviews" time out after <time>
    When "web" makes 20 calls to "reviews"
    Then every call succeeds
    Examples:
      | time   |
      | 100 ms |
      | 200 ms |
"#;

fn chosen(by: &Selection) -> Vec<String> {
    let selected = select(compiled(TEXT).unwrap(), by);
    assert_eq!(selected.plans.len(), selected.lines.len());
    selected.plans.into_iter().map(|p| p.title.scenario).collect()
}

const ROWS: [&str; 2] = ["Two (time 100 ms)", "Two (time 200 ms)"];

#[test]
fn by_tags() {
    let by = |tags: &str| chosen(&Selection { tags: Some(tags.parse().unwrap()), line: None });
    assert_eq!(by("@a and not @slow"), ROWS);
    assert_eq!(by("@slow or @b"), ["One"]);
    assert_eq!(by("@f").len(), 3);
    assert_eq!(by("not @f").len(), 0);
}

#[test]
fn a_tag_expression_that_cannot_be_read_says_where() {
    let error = "@a nor @b".parse::<crate::TagExpression>().unwrap_err();
    assert_eq!(error.column, 4);
    assert!(error.to_string().starts_with("`@a nor @b` is no tag expression"));
}

#[test]
fn by_line() {
    let by = |line: u32| chosen(&Selection { tags: None, line: Some(line) });
    assert_eq!(by(10), ["One"]);
    assert_eq!(by(12), ["One"], "any of its lines");
    assert_eq!(by(21), ROWS[..1]);
    assert_eq!(by(16), ROWS, "the outline means all its rows");
    assert_eq!(by(20), ROWS, "the heading row too");
    assert_eq!(by(4).len(), 3, "the background means all");
}

#[test]
fn by_both() {
    let by = Selection { tags: Some("@slow".parse().unwrap()), line: Some(16) };
    assert_eq!(chosen(&by), [""; 0]);
}
