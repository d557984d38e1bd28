//! What came of it, for people and as JSON.

use serde::Serialize;
use std::fmt::Write as _;

/// The figures of one tool: each the median of the rounds, missing where the tool cannot do it or does not say it.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// Its name, and its mode.
    pub tool: String,
    /// As it says itself; empty where it does not.
    pub version: String,
    /// Whether it is `squall load`.
    #[serde(skip)]
    pub(crate) is_ours: bool,
    /// Processor time of the client for one request at full speed, user and system, in microseconds.
    pub cpu_us_per_request: Option<f64>,
    /// The same the other way round.
    pub requests_per_cpu_second: Option<f64>,
    /// The most memory at full speed.
    pub peak_mib: Option<f64>,
    /// At 2,000 requests a second.
    pub at_2000: Option<AtRate>,
    /// At 10,000 requests a second.
    pub at_10000: Option<AtRate>,
    /// While the server stood still.
    pub stall: Option<Stalled>,
}

/// At a rate.
#[derive(Debug, Clone, Serialize)]
pub struct AtRate {
    /// Requests a second, as the server saw them.
    pub achieved: Option<f64>,
    /// Processor time for one request.
    pub cpu_us_per_request: Option<f64>,
    /// How late 99 of 100 requests reached the server, against an even schedule.
    pub late_p99_us: Option<f64>,
    /// As reported.
    pub p50_ms: Option<f64>,
    /// As reported.
    pub p99_ms: Option<f64>,
    /// As reported.
    pub max_ms: Option<f64>,
}

/// A server that stood still.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Stalled {
    /// Requests that the server got.
    pub made: Option<f64>,
    /// As reported.
    pub p99_ms: Option<f64>,
    /// As reported.
    pub max_ms: Option<f64>,
}

/// All rows.
#[derive(Debug, Clone, Serialize)]
pub struct Table {
    /// A row a tool and mode.
    pub rows: Vec<Row>,
    /// What is not installed here.
    pub absent: Vec<&'static str>,
    /// Of how many rounds the medians are.
    pub rounds: usize,
    /// What the stall was in truth, counted from when requests were due.
    pub truth: Stalled,
}

impl Table {
    /// As JSON, with a line break at its end.
    #[must_use]
    pub fn json(&self) -> String {
        // Numbers and strings: there is nothing that could not be written.
        serde_json::to_string_pretty(self).map(|text| text + "\n").unwrap_or_default()
    }

    /// For people: Markdown, so that it can stand in a document.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        heading(&mut text, &["tool", "CPU µs a request", "MiB", "2,000/s: achieved", "CPU µs", LATE, TIMES]);
        for row in &self.rows {
            let mut cells = vec![name(row), number(row.cpu_us_per_request, 1), number(row.peak_mib, 0)];
            cells.extend(at(row.at_2000.as_ref()));
            line(&mut text, &cells);
        }
        text.push('\n');
        heading(&mut text, &["tool", "10,000/s: achieved", "CPU µs", LATE, TIMES, "stall: made", "p99 ms", "max ms"]);
        for row in &self.rows {
            let mut cells = vec![name(row)];
            cells.extend(at(row.at_10000.as_ref()));
            cells.extend(stalled(row.stall.as_ref()));
            line(&mut text, &cells);
        }
        let mut truth = ["*in truth*", "", "", "", ""].map(String::from).to_vec();
        truth.extend(stalled(Some(&self.truth)));
        line(&mut text, &truth);
        if !self.absent.is_empty() {
            let _ = writeln!(text, "\nNot installed here: {}.", self.absent.join(", "));
        }
        text
    }
}

const LATE: &str = "late p99 µs";
const TIMES: &str = "p50 / p99 / max ms";

fn heading(text: &mut String, names: &[&str]) {
    line(text, names);
    line(text, &vec!["--"; names.len()]);
}

fn line<S: std::borrow::Borrow<str>>(text: &mut String, cells: &[S]) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

fn name(row: &Row) -> String {
    let name = format!("{} {}", row.tool, row.version);
    if row.is_ours { format!("**{}**", name.trim()) } else { name.trim().to_owned() }
}

fn at(rate: Option<&AtRate>) -> [String; 4] {
    let Some(rate) = rate else { return ["–"; 4].map(String::from) };
    let times = [rate.p50_ms, rate.p99_ms, rate.max_ms].map(|ms| number(ms, 2));
    [number(rate.achieved, 0), number(rate.cpu_us_per_request, 1), number(rate.late_p99_us, 0), times.join(" / ")]
}

fn stalled(stall: Option<&Stalled>) -> [String; 3] {
    let Some(stall) = stall else { return ["–"; 3].map(String::from) };
    [number(stall.made, 0), number(stall.p99_ms, 0), number(stall.max_ms, 0)]
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_tool_cannot_do_is_a_dash_and_what_is_not_there_is_named() {
        let row = Row {
            tool: "wrk".into(),
            version: "4.1.0".into(),
            is_ours: false,
            cpu_us_per_request: Some(6.42),
            requests_per_cpu_second: Some(155_763.2),
            peak_mib: Some(11.0),
            at_2000: None,
            at_10000: None,
            stall: None,
        };
        let truth = Stalled { made: Some(30_000.0), p99_ms: Some(850.0), max_ms: Some(1_000.0) };
        let table = Table { rows: vec![row], absent: vec!["k6"], rounds: 3, truth };
        let text = table.text();
        assert!(text.contains("| wrk 4.1.0 | 6.4 | 11 | – | – | – | – |"), "{text}");
        assert!(text.contains("| *in truth* |  |  |  |  | 30000 | 850 | 1000 |"), "{text}");
        assert!(text.ends_with("Not installed here: k6.\n"), "{text}");
        let json: serde_json::Value = serde_json::from_str(&table.json()).unwrap();
        assert_eq!(json["rows"][0]["cpu_us_per_request"], 6.42);
    }
}
