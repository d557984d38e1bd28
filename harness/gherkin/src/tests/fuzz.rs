//! Whatever is written, something sensible is told: no panic, and every mistake lies in the file.

use super::experiments::FLAKY;
use super::support::compiled;
use crate::{Defaults, Selection, Source, experiment_from_yaml};
use proptest::prelude::*;

const TEXT: &str = r#"@a @control(none: "x y")
Feature: F
  Prose.
  Background:
    Given a service "web" that calls "reviews"
    And a service "reviews" with 3 instances that answer in 5 ms
    And "reviews" has 1 instance of version "v1" and 2 of version "v2"

  # comment
  Scenario: One
    Given 90% of the calls to "reviews" go to version "v1" and 10% to version "v2"
    And calls from "web" to "reviews" with method "GET" are retried up to 2 times on "5xx, 503", each on another instance
    And calls to "reviews" prefer zone "east", then site "edge", then zone "west"
    And each instance of "reviews" is checked every 200 ms by http on path "/h", out after 3 failures, back after 1 pass
    And calls to "reviews" stay on one version by cookie "c"
    When the wires of zone "east" are slowed by 10 ms, give or take 5 ms from 1 s to 2 s
    And the process of site "edge" is paused at 1 s
    And every instance of "reviews" answers with grpc status "UNAVAILABLE" after 1 message
    And 30% of the tries reaching instance 2 of "reviews" are aborted with status 503 from 1 s to 2 s
    And in the control run tries reaching "reviews" are delayed by 1.5 s
    And "web" makes 300 calls per second to "reviews" on path "/x" as 5 users at random moments for 3 seconds
    Then at least 90% of the calls succeed within 50 ms during the fault
    And calls to "reviews" recover within 500 ms of the end of the fault
    And instance 2 of "reviews" is ejected for between 2 s and 3 s
    And each user reaches only one version of "reviews" after the fault
  Rule: R
    @t
    Scenario Outline: <a>
      When the control plane is killed at <a>
      And "web" makes enough calls to "reviews" to decide
      Then "reviews" receives between 1 and 1.35 tries for each call
        """
        doc
        """
      Examples:
        | a   |
        | 1 s |
"#;

/// What may be put somewhere: pieces that mean something to some reader.
const PIECES: [&str; 32] = [
    "\"",
    "\"\"\"",
    "<a>",
    "<",
    ">",
    "|",
    "@",
    "#",
    "*",
    ":",
    "%",
    "(",
    ")",
    "\n",
    "\r\n",
    "\t",
    "é",
    "🦀",
    " ",
    "0",
    "99999999999",
    "Given ",
    "Then",
    "Scenario:",
    "Examples:",
    "Feature:",
    "Background:",
    "Rule:",
    "at least ",
    " of the ",
    "# language: de",
    "```",
];

/// Where, how much goes, what comes.
fn edit() -> impl Strategy<Value = (usize, usize, &'static str)> {
    (0..TEXT.len(), 0..40usize, prop::sample::select(&PIECES[..]))
}

fn edited(text: &str, edits: &[(usize, usize, &str)]) -> String {
    let mut text: Vec<char> = text.chars().collect();
    for (at, goes, comes) in edits {
        let start = (*at).min(text.len());
        let end = (start + goes).min(text.len());
        text.splice(start..end, comes.chars());
    }
    text.into_iter().collect()
}

/// Every diagnostic lies in the text.
fn lies_in(text: &str, diagnostics: &[squall_model::Diagnostic]) -> Result<(), TestCaseError> {
    for d in diagnostics {
        let line = text.split('\n').nth(d.origin.line as usize - 1);
        prop_assert!(line.is_some(), "{d:?}");
        let width = line.map_or(0, |l| l.chars().count());
        prop_assert!(d.origin.column as usize <= width + 1, "{d:?}");
        prop_assert!(d.origin.length >= 1, "{d:?}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_text_is_judged(edits in prop::collection::vec(edit(), 1..4)) {
        let text = edited(TEXT, &edits);
        let diagnostics = match compiled(&text) {
            Ok(compiled) => compiled.warnings,
            Err(diagnostics) => {
                prop_assert!(!diagnostics.is_empty());
                diagnostics
            }
        };
        lies_in(&text, &diagnostics)?;
    }

    #[test]
    fn any_experiment_is_judged(edits in prop::collection::vec(edit(), 1..4)) {
        let text = edited(FLAKY, &edits);
        let source = Source::new("t.yaml", text.as_str());
        match experiment_from_yaml(&source, &Defaults::default(), &Selection::default()) {
            Ok(compiled) => lies_in(&text, &compiled.warnings)?,
            Err(diagnostics) => {
                prop_assert!(!diagnostics.is_empty());
                lies_in(&text, &diagnostics)?;
            }
        }
    }
}

#[test]
fn the_text_itself_is_read() {
    let diagnostics = compiled(TEXT).unwrap_err();
    let codes: Vec<&str> = diagnostics.iter().map(|d| d.code.as_str()).collect();
    assert!(
        !codes.iter().any(|c| matches!(*c, "syntax" | "no-sentence" | "misspelt-keyword" | "stray-text")),
        "{codes:?}"
    );
}

#[test]
fn columns_count_characters() {
    let text = "Feature: F\n  Scenario: S\n    Given a service \"web\"\n    When \"web\" makes 20 calls to \"web\" on path \"/ä🦀\" with method \"get\"\n    Then every call succeeds\n";
    let diagnostics = compiled(text).unwrap_err();
    let found = diagnostics.iter().find(|d| d.code == "method").unwrap();
    let line: Vec<char> = text.lines().nth(3).unwrap().chars().collect();
    let start = found.origin.column as usize - 1;
    assert_eq!(line[start..start + found.origin.length as usize].iter().collect::<String>(), "get");
}
