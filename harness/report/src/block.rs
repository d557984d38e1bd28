//! What a person reads about one claim that did not hold, or about a fault that was not as meant.
//!
//! In order: which claim, what was measured against it, since when, where, how long it took, the likely mechanism; then the
//! calls that show it, and what the proxies say.

use crate::{
    explain, help, proof,
    style::{Colour, Style},
    words::{measured, units},
};
use squall_model::{Dose, DoseCount, Judged, Measured, Origin, Since, Verdict};
use std::fmt::Write;

/// Width of the column of labels.
const LABEL: usize = 9;

/// The block of one claim: its line, what was promised and measured, what explains it, the calls that show it, what the proxies say.
/// `before`: those of the same scenario that are shown above. `verbose`: with all that is recorded.
pub(crate) fn claim(judged: &Judged, before: &[&Judged], verbose: bool, style: Style) -> String {
    let mut text = String::new();
    let verdict = &judged.finding.verdict;
    let mark = mark(verdict, style);
    let _ = writeln!(text, "    {mark} {}", style.paint(Colour::Blue, &judged.origin));
    let mut row = |label: &str, value: &str| text.push_str(&self::row(label, value, style));
    row("promised", &style.paint(Colour::Bold, &judged.text));
    row("measured", &measured(&judged.finding.measured, verdict));
    if *verdict != Verdict::Holds {
        row("so", &self::verdict(verdict));
    }
    if let Some(first) = decided_by(judged) {
        row("decided", &first);
    }
    explain::rows(&judged.finding.explanation).iter().for_each(|(label, value)| row(label, value));
    if let Some(help) = help::of(verdict) {
        row("help", help);
    }
    proof::rows(judged, before, verbose).iter().for_each(|(label, value)| row(label, value));
    text
}

/// How many of the units decided, where there were more: a sequential test stops at the first moment at which it can.
fn decided_by(judged: &Judged) -> Option<String> {
    let Measured::Share { n, .. } = judged.finding.measured else { return None };
    let (all, unit) = match &judged.finding.explanation.since {
        Some(Since::First { all, unit, .. }) => (all.n, *unit),
        Some(Since::Stretch { within, without, unit, .. }) => (within.n + without.n, *unit),
        _ => return None,
    };
    (n < all).then(|| format!("by the first {n} of {all} {}", units(unit)))
}

/// A label with what it says, in the columns that all blocks have.
pub(crate) fn row(label: &str, value: &str, style: Style) -> String {
    format!("      {} {value}\n", style.paint(Colour::Faint, format!("{label:<LABEL$}")))
}

/// A verdict with its cause: `inconclusive: too few calls to decide`.
pub(crate) fn verdict(verdict: &Verdict) -> String {
    let word = verdict.word();
    match verdict {
        Verdict::Inconclusive(why) => format!("{word}: {why}"),
        Verdict::Unsupported(why) | Verdict::Error(why) => format!("{word}: {why}"),
        Verdict::Holds | Verdict::Violated => word.to_owned(),
    }
}

/// One line on a fault that was not as meant.
pub(crate) fn dose(what: &str, origin: &Origin, count: &DoseCount, style: Style) -> String {
    let says = crate::dose::says(count);
    let mark = match count.dose {
        Dose::Confirmed => style.paint(Colour::Green, "✓"),
        _ => style.paint(Colour::Yellow, "?"),
    };
    format!(
        "    {mark} {}\n      {}\n      {says}\n",
        style.paint(Colour::Bold, what),
        style.paint(Colour::Blue, format!("at {origin}"))
    )
}

pub(crate) fn mark(verdict: &Verdict, style: Style) -> String {
    match verdict {
        Verdict::Holds => style.paint(Colour::Green, "✓"),
        Verdict::Violated => style.paint(Colour::Red, "✗"),
        Verdict::Inconclusive(_) => style.paint(Colour::Yellow, "?"),
        Verdict::Unsupported(_) => style.paint(Colour::Yellow, "–"),
        Verdict::Error(_) => style.paint(Colour::Red, "!"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_model::{
        ClaimId, ClientEnd, Exemplar, ExemplarTry, Explanation, Finding, InstanceId, Mechanism, Moment, Tally, Unit,
    };

    #[test]
    fn a_block_says_what_was_promised_what_came_of_it_and_why() {
        let moment = |ms: u64| Moment { stage: 0, at: ms * 1_000_000 };
        let explanation = Explanation {
            since: Some(Since::First {
                first: moment(23),
                last: moment(1_983),
                all: Tally { hits: 52, n: 600 },
                unit: Unit::Call,
            }),
            mechanism: Some(Mechanism {
                rule: "retries_exhausted".into(),
                text: "retries were exhausted: 52 of 52 were aborted with 503 on all of their 2 tries (up to 1 retry is allowed)".into(),
                covers: Tally { hits: 52, n: 52 },
            }),
            ..Explanation::default()
        };
        let finding = Finding {
            claim: ClaimId(3),
            verdict: Verdict::Violated,
            measured: Measured::Every { against: 52, n: 52 },
            exemplars: vec![Exemplar {
                id: "r0.7".into(),
                at: 23_000_000,
                took: 4_960_000,
                end: ClientEnd::Answered(503),
                outcome: "aborted".into(),
                flags: "URX".into(),
                details: "via_upstream".into(),
                tries: vec![ExemplarTry {
                    attempt: 1,
                    instance: Some(InstanceId { service: "reviews".into(), number: 1 }),
                    at: 120_000,
                    took: 5_000_000,
                    status: 503,
                    grpc: None,
                    flags: "FI".into(),
                    served: false,
                }],
            }],
            explanation,
        };
        let judged = Judged {
            text: "every failed call is tried more than 2 times".into(),
            origin: Origin { file: "retry.feature".into(), line: 18, column: 9, length: 1 },
            finding,
            counters: vec![(InstanceId { service: "web".into(), number: 1 }, "upstream_rq_retry".into(), 178)],
            log: vec!["{}".into()],
        };
        insta::assert_snapshot!(claim(&judged, &[], false, Style::PLAIN), @"
        ✗ retry.feature:18:9
          promised  every failed call is tried more than 2 times
          measured  52 of 52 break it
          so        violated
          since     0.023 s to 1.983 s: 8.7% (52 of 600) of the calls, with no change over time that chance does not explain
          likely    retries were exhausted: 52 of 52 were aborted with 503 on all of their 2 tries (up to 1 retry is allowed)
          calls     r0.7     at   0.023 s  took  4.96 ms  aborted, answered 503  flags URX  via_upstream
                      try 1 reviews-1      +120 µs  took  5.00 ms  503 FI, not seen by the workload
          counters  web-1        upstream_rq_retry +178
        ");
    }

    #[test]
    fn a_share_says_how_many_calls_decided_it() {
        let so = |all: u64| {
            let at = |at| Moment { stage: 0, at };
            let all = Tally { hits: 33, n: all };
            let since = Since::First { first: at(50), last: at(60), all, unit: Unit::Call };
            let finding = Finding {
                claim: ClaimId(3),
                verdict: Verdict::Violated,
                measured: Measured::Share { hits: 184, n: 200, low: 0.0, high: 0.98, alpha: 1e-7 },
                exemplars: Vec::new(),
                explanation: Explanation { since: Some(since), ..Explanation::default() },
            };
            let origin = Origin { file: "retry.feature".into(), line: 18, column: 9, length: 1 };
            let text = "at least 99% of the calls succeed".into();
            claim(&Judged { text, origin, finding, counters: vec![], log: vec![] }, &[], false, Style::PLAIN)
        };
        assert!(
            so(400).contains("      so        violated\n      decided   by the first 200 of 400 calls\n"),
            "{}",
            so(400)
        );
        assert!(!so(200).contains("decided"), "{}", so(200));
    }
}
