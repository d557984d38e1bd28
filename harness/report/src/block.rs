//! What a person reads about one claim that did not hold, or about a fault that was not as meant.

use crate::{
    style::{Colour, Style},
    words::{measured, time},
};
use squall_model::{ClientEnd, Dose, DoseCount, Exemplar, ExemplarTry, Judged, Origin, Verdict};
use std::fmt::Write;

/// Width of the column of labels.
const LABEL: usize = 9;

/// The block of one claim: its line, what was promised and measured, the calls that show it, what the proxies say.
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

fn call(exemplar: &Exemplar) -> String {
    let end = match exemplar.end {
        ClientEnd::Answered(status) => format!("answered {status}"),
        ClientEnd::Grpc(status) => format!("answered {status}"),
        ClientEnd::Cut(status) => format!("{status}, body cut"),
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
    use squall_model::{GrpcStatus, InstanceId};

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
        insta::assert_snapshot!(format!("{}\n{tries}", call(&shown)), @"
        r0.7     at   0.023 s  took  11.0 ms  timed out, answered UNAVAILABLE  flags UT  response_timeout
        try 1 reviews-1      +120 µs  took  5.00 ms  INTERNAL
        try 2 reviews-2      +120 µs  took  5.00 ms  503, not seen by the workload
        try 3 reviews-3      +120 µs  took  5.00 ms  no answer UT, not seen by the workload
        ");
    }
}
