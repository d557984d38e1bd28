//! The calls that show it, with their tries, and what the proxies say: counters and log.

use crate::words::time;
use squall_model::{ClientEnd, Exemplar, ExemplarTry, InstanceId, Judged, Verdict, Why};
use std::fmt::Write;

/// Envoy's details of a call may fill a line: longer ones are told once.
const LONG: usize = 40;

/// Labels with what they say, in order. `before`: the claims above, whose evidence is not told again.
pub(crate) fn rows(judged: &Judged, before: &[&Judged], verbose: bool) -> Vec<(&'static str, String)> {
    if !is_shown_by_calls(&judged.finding.verdict) && !verbose {
        return Vec::new();
    }
    let is_the_same = |other: &&&Judged| {
        let calls = !judged.finding.exemplars.is_empty() && other.finding.exemplars == judged.finding.exemplars;
        calls && other.counters == judged.counters && other.log == judged.log
    };
    if let Some(other) = before.iter().find(is_the_same).filter(|_| !verbose) {
        return vec![("calls", format!("those of line {}, with the same counters and log", other.origin.line))];
    }
    let log = judged.log.iter().filter(|line| verbose || tells_most(line)).cloned().collect();
    [
        labelled("calls", calls(&judged.finding.exemplars)),
        labelled("counters", judged.counters.iter().map(counter).collect()),
        labelled("log", log),
    ]
    .concat()
}

/// That there were too few calls, that a fault was not as meant, or that the machine was in trouble, no call shows.
fn is_shown_by_calls(verdict: &Verdict) -> bool {
    !matches!(
        verdict,
        Verdict::Inconclusive(Why::Undecided { .. } | Why::Dose { .. } | Why::Environment(_) | Why::NotOver)
    )
}

/// The label stands before the first of them.
fn labelled(label: &'static str, values: Vec<String>) -> Vec<(&'static str, String)> {
    values.into_iter().enumerate().map(|(n, value)| (if n == 0 { label } else { "" }, value)).collect()
}

fn counter((proxy, counter, rise): &(InstanceId, String, u64)) -> String {
    format!("{:<12} {counter} +{rise}", proxy.to_string())
}

/// The line that the caller's proxy wrote of the call itself, and warnings. Those of its tries are told as tries.
fn tells_most(line: &str) -> bool {
    !line.starts_with('{') || line.contains("\"k\":\"call\"")
}

fn calls(exemplars: &[Exemplar]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut told = "";
    for exemplar in exemplars {
        let again = exemplar.details == told && told.len() > LONG;
        lines.push(call(exemplar, if again { "…" } else { &exemplar.details }));
        told = &exemplar.details;
        lines.extend(exemplar.tries.iter().map(|t| format!("  {}", one_try(t))));
    }
    lines
}

fn call(exemplar: &Exemplar, details: &str) -> String {
    let end = match exemplar.end {
        ClientEnd::Answered(status) => format!("answered {status}"),
        ClientEnd::Grpc(status) => format!("answered {status}"),
        ClientEnd::Cut(status) => format!("{status}, body cut"),
        ClientEnd::Insecure(_) => "TLS failed".to_owned(),
        ClientEnd::Refused => "refused".to_owned(),
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
    if !details.is_empty() {
        let _ = write!(text, "  {details}");
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
    use squall_model::{ClaimId, Finding, GrpcStatus, Measured, Origin};

    fn one(attempt: u32, status: u16, grpc: Option<GrpcStatus>, flags: &str) -> ExemplarTry {
        let instance = Some(InstanceId { service: "reviews".into(), number: attempt });
        let served = grpc.is_some();
        ExemplarTry { attempt, instance, at: 120_000, took: 5_000_000, status, grpc, flags: flags.into(), served }
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
        insta::assert_snapshot!(format!("{}\n{tries}", call(&shown, &shown.details)), @"
        r0.7     at   0.023 s  took  11.0 ms  timed out, answered UNAVAILABLE  flags UT  response_timeout
        try 1 reviews-1      +120 µs  took  5.00 ms  INTERNAL
        try 2 reviews-2      +120 µs  took  5.00 ms  503, not seen by the workload
        try 3 reviews-3      +120 µs  took  5.00 ms  no answer UT, not seen by the workload
        ");
    }

    fn refused(id: &str) -> Exemplar {
        Exemplar {
            id: id.into(),
            at: 500_000_000,
            took: 627_000,
            end: ClientEnd::Answered(503),
            outcome: "refused".into(),
            flags: "UF".into(),
            details: "upstream_reset_before_response_started{remote_connection_failure}".into(),
            tries: Vec::new(),
        }
    }

    fn judged(line: u32, verdict: Verdict) -> Judged {
        let finding = Finding {
            claim: ClaimId(0),
            verdict,
            measured: Measured::Nothing,
            exemplars: vec![refused("r0.1"), refused("r0.2")],
            explanation: Default::default(),
        };
        let log = [r#"{"id":"r0.1","k":"try"}"#, r#"{"id":"r0.1","k":"call"}"#, "web-1: [warning] full"];
        Judged {
            text: "every call succeeds".into(),
            origin: Origin { file: "r.feature".into(), line, column: 5, length: 1 },
            finding,
            counters: vec![(InstanceId { service: "web".into(), number: 1 }, "upstream_cx_connect_fail".into(), 2)],
            log: log.map(str::to_owned).to_vec(),
        }
    }

    fn shown(rows: &[(&str, String)]) -> String {
        rows.iter().map(|(label, value)| format!("{label:<9} {value}\n")).collect()
    }

    #[test]
    fn long_details_are_told_once_and_of_the_log_what_no_try_tells() {
        let violated = judged(7, Verdict::Violated);
        insta::assert_snapshot!(shown(&rows(&violated, &[], false)), @r#"
        calls     r0.1     at   0.500 s  took   627 µs  refused, answered 503  flags UF  upstream_reset_before_response_started{remote_connection_failure}
                  r0.2     at   0.500 s  took   627 µs  refused, answered 503  flags UF  …
        counters  web-1        upstream_cx_connect_fail +2
        log       {"id":"r0.1","k":"call"}
                  web-1: [warning] full
        "#);
        insta::assert_snapshot!(shown(&rows(&violated, &[], true)), @r#"
        calls     r0.1     at   0.500 s  took   627 µs  refused, answered 503  flags UF  upstream_reset_before_response_started{remote_connection_failure}
                  r0.2     at   0.500 s  took   627 µs  refused, answered 503  flags UF  …
        counters  web-1        upstream_cx_connect_fail +2
        log       {"id":"r0.1","k":"try"}
                  {"id":"r0.1","k":"call"}
                  web-1: [warning] full
        "#);
    }

    #[test]
    fn what_was_shown_of_another_line_is_not_shown_again() {
        let (first, second) = (judged(7, Verdict::Violated), judged(8, Verdict::Violated));
        insta::assert_snapshot!(shown(&rows(&second, &[&first], false)), @"calls     those of line 7, with the same counters and log");
        assert_eq!(rows(&second, &[&first], true), rows(&second, &[], true));
        let other = Judged { counters: Vec::new(), ..first };
        assert_eq!(rows(&second, &[&other], false), rows(&second, &[], false));
    }

    #[test]
    fn no_call_shows_that_there_were_too_few() {
        let open = judged(7, Verdict::Inconclusive(Why::Undecided { needed: None }));
        assert_eq!(rows(&open, &[], false), []);
        assert!(!rows(&open, &[], true).is_empty());
        assert_eq!(rows(&judged(7, Verdict::Inconclusive(Why::Environment("a stall".into()))), &[], false), []);
        assert!(!rows(&judged(7, Verdict::Inconclusive(Why::Border)), &[], false).is_empty());
    }
}
