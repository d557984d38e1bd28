//! A line for each second.

use crate::{
    latencies::{Bucket, Latencies},
    outcome::Class,
    report::Report,
    windows::Window,
};
use squall_stats::bounds::Position;

const PERCENTILES: [(&str, f64); 4] = [("p50_ms", 0.5), ("p90_ms", 0.9), ("p99_ms", 0.99), ("p99.9_ms", 0.999)];

/// A run as CSV: a head, and a line for each second of intended starts that has calls. Times are milliseconds; `inf` stands where
/// the percentile is among the calls without an answer. Of a long run a line is two seconds, four, and so on.
#[must_use]
pub fn csv(report: &Report<'_>) -> String {
    let mut text = String::from("second,calls,succeeded");
    Class::ALL.iter().for_each(|class| text += &format!(",{}", class.word()));
    PERCENTILES.iter().for_each(|(name, _)| text += &format!(",{name}"));
    text += ",max_ms,service_p50_ms,service_p99_ms\n";
    for (begin, window) in report.calls.windows() {
        text += &format!("{}{}\n", begin.as_secs(), line(window));
    }
    text
}

fn line(window: &Window) -> String {
    let counts = window.counts();
    let mut text = format!(",{},{}", counts.calls, counts.succeeded);
    Class::ALL.iter().for_each(|class| text += &format!(",{}", window.of_class(*class)));
    let (latency, service) = (window.latency(), window.service());
    for (_, q) in PERCENTILES {
        text += &format!(",{}", millis(&latency, counts.unanswered(), q));
    }
    text += &match counts.unanswered() {
        0 => format!(",{:.3}", latency.max().as_secs_f64() * 1e3),
        _ => ",inf".to_owned(),
    };
    for q in [0.5, 0.99] {
        text += &format!(",{}", millis(&service, 0, q));
    }
    text
}

fn millis(times: &Latencies, unanswered: u64, q: f64) -> String {
    match times.percentile(unanswered, q, crate::ERROR).map(|p| p.measured) {
        Some(Position::At(Bucket { high, .. })) => format!("{:.3}", high.as_secs_f64() * 1e3),
        Some(Position::Unanswered) => "inf".to_owned(),
        Some(Position::Open) | None => String::new(),
    }
}
