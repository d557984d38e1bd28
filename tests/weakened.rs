//! A policy that is weaker than its promise goes red, with the line and both numbers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test that cannot unwrap should fail, and says what it saw"
)]

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

const ALL: &[Weakened] = &[
    Weakened {
        feature: "retry/retry.feature",
        scenario: "Retries hide a flaky replica",
        from: "are retried up to 2 times on \"5xx\"\n    When 30%",
        to: "are retried up to 1 time on \"5xx\"\n    When 30%",
        red: "every failed call is tried more than 2 times",
        measured: "break it",
    },
    Weakened {
        feature: "retry/retry.feature",
        scenario: "Retries hide a flaky replica",
        from: "Given calls from \"web\" to \"reviews\" are retried up to 2 times on \"5xx\"\n    When 30%",
        to: "When 30%",
        red: "at least 85% of the calls succeed",
        measured: "the truth lies between",
    },
    Weakened {
        feature: "timeout/timeout.feature",
        scenario: "A slow callee does not hold its caller",
        from: "time out after 300 ms\n    When every",
        to: "time out after 900 ms\n    When every",
        red: "every call finishes within 400 ms",
        measured: "break it",
    },
    Weakened {
        feature: "timeout/timeout.feature",
        scenario: "A slow instance is passed over",
        from: "time out after 100 ms",
        to: "time out after 900 ms",
        red: "at least 97% of the calls succeed within 250 ms",
        measured: "the truth lies between",
    },
    Weakened {
        feature: "circuit-breaker/circuit-breaker.feature",
        scenario: "A slow callee is protected and the excess is answered at once",
        from: "at most 10 tries to",
        to: "at most 160 tries to",
        red: "at least 50% of the calls are shed by the circuit breaker during the fault",
        measured: "the truth lies between",
    },
    Weakened {
        feature: "circuit-breaker/circuit-breaker.feature",
        scenario: "Retries have a limit of their own",
        from: "at most 3 retries to",
        to: "at most 300 retries to",
        red: "\"reviews\" receives at most 1.5 tries for each call",
        measured: "4",
    },
    Weakened {
        feature: "canary/canary.feature",
        scenario: "A tenth of the calls go to the canary",
        from: "Given 90% of the calls to \"reviews\" go to version \"v1\" and 10% to",
        to: "Given 50% of the calls to \"reviews\" go to version \"v1\" and 50% to",
        red: "between 5% and 15% of the calls reach version \"v2\" of \"reviews\"",
        measured: "the truth lies between",
    },
    Weakened {
        feature: "chaos/chaos.feature",
        scenario: "Some calls are delayed, and none is lost",
        from: "are delayed by 100 ms\n    And \"web\"",
        to: "are delayed by 20 ms\n    And \"web\"",
        red: "between 15% and 45% of the calls take at least 90 ms",
        measured: "the truth lies between",
    },
];

#[test]
fn every_weakened_policy_goes_red_with_its_line_and_both_numbers() {
    let Some(_turn) = envoy_to_be_had() else { return };
    for weak in ALL {
        let text = fs::read_to_string(root().join("features").join(weak.feature)).unwrap();
        assert!(text.contains(weak.from), "{} no longer says `{}`", weak.feature, weak.from);
        let text = text.replacen(weak.from, weak.to, 1);
        let squall = Squall::new();
        let path = squall.feature("weak.feature", &text);
        let line = |words: &str| text.lines().position(|l| l.contains(words)).unwrap() + 1;
        let scenario = line(weak.scenario);
        let ran = squall.run_when_the_machine_allows(&["run", "--no-controls", &format!("{path}:{scenario}")]);
        let place = format!("weak.feature:{}:", line(weak.red));
        ran.expect(1).says(&[weak.red, &place, weak.measured, "violated"]);
        eprintln!("{}: `{}` is red at line {}", weak.scenario, weak.red, line(weak.red));
    }
}
