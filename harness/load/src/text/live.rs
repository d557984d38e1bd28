//! One line while it runs.

use crate::{
    ERROR,
    recorder::Recorder,
    windows::Window,
    words::{count, position, rate, span, spark},
};
use squall_report::{Colour, Style};
use std::time::Duration;

/// Windows that the sparkline shows.
const SHOWN: usize = 20;

/// The state of a run after `passed` of its `length`, with so many calls in flight: the last whole second, and the course of
/// the rate. No line break.
#[must_use]
pub fn live(calls: &Recorder, passed: Duration, length: Duration, in_flight: u64, style: Style) -> String {
    let width = calls.width();
    let over = passed.saturating_sub(width);
    let whole: Vec<(Duration, &Window)> = calls.windows().filter(|(begin, _)| *begin <= over).collect();
    let failed = calls.counts().failed();
    let time = format!("{:>5.1} s of {}", passed.as_secs_f64(), span(length));
    let mut text = format!("  {}  ", style.paint(Colour::Bold, time));
    if let Some((_, last)) = whole.last() {
        let rates = whole.iter().rev().take(SHOWN).rev().map(|(_, w)| Some(w.counts().calls as f64));
        let (latency, counts) = (last.latency(), last.counts());
        let shown = |q| {
            let found = latency.percentile(counts.unanswered(), q, ERROR);
            found.map_or_else(|| "–".to_owned(), |p| position(p.measured, |b| b.high))
        };
        let hz = counts.calls as f64 / width.as_secs_f64();
        text += &style.paint(Colour::Blue, spark(&rates.collect::<Vec<_>>()));
        text += &format!("  {}  p50 {}  p99 {}", rate(hz), shown(0.5), shown(0.99));
    }
    let errors = format!("  {} failed", count(failed));
    text += &if failed > 0 { style.paint(Colour::Red, errors) } else { errors };
    text += &format!("  {} in flight", count(in_flight));
    text
}
