//! `--tags` and `PATH:LINE`.

use super::support::compiled_by;
use crate::Selection;

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
    compiled_by(TEXT, by).unwrap().plans.into_iter().map(|p| p.title.scenario).collect()
}

const ROWS: [&str; 2] = ["Two (time 100 ms)", "Two (time 200 ms)"];

#[test]
fn by_tags() {
    let by = |tags: &str| chosen(&Selection { tags: Some(tags.parse().unwrap()), lines: Vec::new() });
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
    let by = |line: u32| chosen(&Selection { tags: None, lines: vec![line] });
    assert_eq!(by(10), ["One"]);
    assert_eq!(by(12), ["One"], "any of its lines");
    assert_eq!(by(21), ROWS[..1]);
    assert_eq!(by(16), ROWS, "the outline means all its rows");
    assert_eq!(by(20), ROWS, "the heading row too");
    assert_eq!(by(4).len(), 3, "the background means all");
}

#[test]
fn by_both() {
    let by = Selection { tags: Some("@slow".parse().unwrap()), lines: vec![16] };
    assert_eq!(chosen(&by), [""; 0]);
}

#[test]
fn a_mistake_elsewhere_is_no_reason_not_to_run_this() {
    let broken = TEXT.replace("makes 20 calls to \"reviews\"\n    Then every call succeeds\n\n", "makes 20 cows\n\n");
    assert_ne!(broken, TEXT);
    let by = |lines: &[u32]| compiled_by(&broken, &Selection { tags: None, lines: lines.to_vec() });
    assert!(by(&[]).is_err() && by(&[10]).is_err() && by(&[1]).is_err());
    let titles: Vec<String> = by(&[15]).unwrap().plans.into_iter().map(|p| p.title.scenario).collect();
    assert_eq!(titles, ROWS);
    let background = broken.replace("Given a service", "Given a servant");
    assert!(compiled_by(&background, &Selection { tags: None, lines: vec![15] }).is_err(), "its own Background counts");
}
