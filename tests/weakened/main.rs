//! A policy that is weaker than its promise goes red, with the line and both numbers. `SQUALL_WEAKENED=failover` tries those
//! features alone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test that cannot unwrap should fail, and says what it saw"
)]

mod cases;
#[path = "../support/mod.rs"]
mod support;

use std::fs;
use support::{Squall, envoy_to_be_had, root};

/// A feature with one of its policies weakened.
struct Weakened {
    feature: &'static str,
    scenario: &'static str,
    from: &'static str,
    to: &'static str,
    /// The line that goes red, as written, and a word of what was measured.
    red: &'static str,
    measured: &'static str,
}

#[test]
fn every_weakened_policy_goes_red_with_its_line_and_both_numbers() {
    let Some(_turn) = envoy_to_be_had() else { return };
    let mut missed = Vec::new();
    let only = std::env::var("SQUALL_WEAKENED").unwrap_or_default();
    for weak in cases::ALL.iter().filter(|weak| weak.feature.contains(&only)) {
        let text = fs::read_to_string(root().join("features").join(weak.feature)).unwrap();
        let begin = text.find(&format!("Scenario: {}", weak.scenario)).unwrap_or_else(|| panic!("{}", weak.scenario));
        let (before, rest) = text.split_at(begin);
        assert!(rest.contains(weak.from), "{} no longer says `{}`", weak.feature, weak.from);
        let text = format!("{before}{}", rest.replacen(weak.from, weak.to, 1));
        let squall = Squall::new();
        let path = squall.feature("weak.feature", &text);
        let line = |words: &str| {
            let lines = text.lines().enumerate().skip(before.lines().count() - 1);
            lines.clone().find(|(_, line)| line.contains(words)).unwrap_or_else(|| panic!("{words}")).0 + 1
        };
        let scenario = line(weak.scenario);
        let ran = squall.run_when_the_machine_allows(&["run", "--no-controls", &format!("{path}:{scenario}")]);
        let place = format!("weak.feature:{}:", line(weak.red));
        let says_so = [weak.red, &place, weak.measured, "violated"].iter().all(|words| ran.out.contains(words));
        if ran.status == Some(1) && says_so {
            eprintln!("{}: `{}` is red at line {}", weak.scenario, weak.red, line(weak.red));
        } else {
            missed.push(format!("{} with `{}`: `{}`\n{}", weak.scenario, weak.to, weak.red, ran.all()));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}
