//! What a person reads about one claim that did not hold, or about a fault that was not as meant.
//!
//! In order: which claim, what was measured against it, since when, where, how long it took, the likely mechanism; then the
//! calls that show it, and what the proxies say.

use crate::{
    explain,
    style::{Colour, Style},
    words::{measured, percent, time},
};
use squall_model::{ClientEnd, Dose, DoseCount, Exemplar, ExemplarTry, Judged, Origin, Verdict};
use std::fmt::Write;

/// Width of the column of labels.
const LABEL: usize = 9;

/// The block of one claim: its line, what was promised and measured, what explains it, the calls that show it, what the proxies say.
pub(crate) fn claim(judged: &Judged, style: Style) -> String {
    let mut text = String::new();
    let verdict = &judged.finding.verdict;
    let mark = mark(verdict, style);
    let _ = writeln!(text, "    {mark} {}", style.paint(Colour::Blue, &judged.origin));
    let mut row = |label: &str, value: &str| {
        let _ = writeln!(text, "      {} {value}", style.paint(Colour::Faint, format!("{label:<LABEL$}")));
    };
    row("promised", &style.paint(Colour::Bold, &judged.text));
    row("measured", &measured(&judged.finding.measured, verdict));
    match verdict {
        Verdict::Inconclusive(why) => row("so", &format!("inconclusive: {why}")),
        Verdict::Unsupported(why) => row("so", &format!("unsupported: {why}")),
        Verdict::Error(why) => row("so", &format!("error: {why}")),
        Verdict::Violated => row("so", "violated"),
        Verdict::Holds => {}
    }
    explain::rows(&judged.finding.explanation).iter().for_each(|(label, value)| row(label, value));
    for (n, exemplar) in judged.finding.exemplars.iter().enumerate() {
        row(if n == 0 { "calls" } else { "" }, &call(exemplar));
        exemplar.tries.iter().for_each(|t| row("", &format!("  {}", one_try(t))));
    }
    for (n, (proxy, counter, rise)) in judged.counters.iter().enumerate() {
        row(if n == 0 { "counters" } else { "" }, &format!("{:<12} {counter} +{rise}", proxy.to_string()));
    }
    judged.log.iter().enumerate().for_each(|(n, line)| row(if n == 0 { "log" } else { "" }, line));
    text
}

/// One line on a fault that was not as meant.
pub(crate) fn dose(what: &str, origin: &Origin, count: &DoseCount, style: Style) -> String {
    let of = format!("touched {} of {}", count.touched, count.of);
    let says = match &count.dose {
        Dose::Confirmed => of,
        Dose::Absent if count.of == 0 => "it touched nothing: no traffic came its way".to_owned(),
        other => format!("{other}: {of} ({})", percent(count.touched as f64 / count.of.max(1) as f64)),
    };
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

fn call(exemplar: &Exemplar) -> String {
    let end = match exemplar.end {
        ClientEnd::Answered(status) => format!("answered {status}"),
        ClientEnd::Grpc(status) => format!("answered {status}"),
        ClientEnd::Cut(status) => format!("{status}, body cut"),
        ClientEnd::Refused => "refused".to_owned(),
        ClientEnd::Insecure(_) => "TLS failed".to_owned(),
        ClientEnd::Reset => "reset".to_owned(),
        ClientEnd::Garbled => "no HTTP".to_owned(),
        ClientEnd::Deadline => "client's deadline".to_owned(),
        ClientEnd::Unfinished => "unfinished".to_owned(),
    };
    let mut text = format!(
        "{:<8} at {:>7.3} s  took {:>8}  {}, {end}",
        exemplar.id,
        exemplar.at as f64 / 1e9,
        time(exemplar.took),
        exemplar.outcome,
    );
    if !matches!(exemplar.flags.as_str(), "" | "-") {
        let _ = write!(text, "  flags {}", exemplar.flags);
    }
    if !exemplar.details.is_empty() {
        let _ = write!(text, "  {}", exemplar.details);
    }
    text
}

fn one_try(t: &ExemplarTry) -> String {
    let at = format!("{}{}", if t.at < 0 { "-" } else { "+" }, time(t.at.unsigned_abs()));
    let to = t.instance.as_ref().map_or_else(|| "no instance".to_owned(), ToString::to_string);
    let status = match (t.status, t.grpc) {
        (0, _) => "no answer".to_owned(),
        // On gRPC nearly every answer has status 200: its own status tells.
        (_, Some(grpc)) => grpc.to_string(),
        (status, None) => status.to_string(),
    };
    let served = if t.served { "" } else { ", not seen by the workload" };
    // Proxies log the length of a try in whole milliseconds.
    let took = if t.took == 0 { "< 1 ms".to_owned() } else { time(t.took) };
    let flags = if t.flags.is_empty() { String::new() } else { format!(" {}", t.flags) };
    format!("try {} {to:<12} {at:>9}  took {took:>8}  {status}{flags}{served}", t.attempt)
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_model::{
        ClaimId, Explanation, Finding, GrpcStatus, InstanceId, Measured, Mechanism, Moment, Since, Tally, Unit,
    };

    fn one(attempt: u32, status: u16, grpc: Option<GrpcStatus>, flags: &str) -> ExemplarTry {
        let instance = Some(InstanceId { service: "reviews".into(), number: attempt });
        let served = grpc.is_some();
        ExemplarTry { attempt, instance, at: 120_000, took: 5_000_000, status, grpc, flags: flags.into(), served }
    }

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
                tries: vec![one(1, 503, None, "FI")],
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
        insta::assert_snapshot!(claim(&judged, Style::PLAIN), @r#"
    ✗ retry.feature:18:9
      promised  every failed call is tried more than 2 times
      measured  52 of 52 break it
      so        violated
      since     0.023 s to 1.983 s: 8.7% (52 of 600) of the calls, with no change over time that chance does not explain
      likely    retries were exhausted: 52 of 52 were aborted with 503 on all of their 2 tries (up to 1 retry is allowed)
      calls     r0.7     at   0.023 s  took  4.96 ms  aborted, answered 503  flags URX  via_upstream
                  try 1 reviews-1      +120 µs  took  5.00 ms  503 FI, not seen by the workload
      counters  web-1        upstream_rq_retry +178
      log       {}
    "#);
    }

    #[test]
    fn calls_and_tries_of_grpc_are_told_by_their_own_status() {
        let shown = Exemplar {
            id: "r0.7".into(),
            at: 23_000_000,
            took: 11_000_000,
            end: ClientEnd::Grpc(GrpcStatus::Unavailable),
            outcome: "timed out".into(),
            flags: "UT".into(),
            details: "response_timeout".into(),
            tries: vec![one(1, 200, Some(GrpcStatus::Internal), ""), one(2, 503, None, ""), one(3, 0, None, "UT")],
        };
        let tries = shown.tries.iter().map(one_try).collect::<Vec<_>>().join("\n");
        insta::assert_snapshot!(format!("{}\n{tries}", call(&shown)), @"
        r0.7     at   0.023 s  took  11.0 ms  timed out, answered UNAVAILABLE  flags UT  response_timeout
        try 1 reviews-1      +120 µs  took  5.00 ms  INTERNAL
        try 2 reviews-2      +120 µs  took  5.00 ms  503, not seen by the workload
        try 3 reviews-3      +120 µs  took  5.00 ms  no answer UT, not seen by the workload
        ");
    }
}
