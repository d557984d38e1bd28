//! A run in the shape of fortio's JSON, so that what reads that reads this: `periodic.RunnerResults` with what
//! `fhttp.HTTPRunnerResults` adds (fortio/fortio, periodic/periodic.go, fhttp/httprunner.go, stats/stats.go).
//!
//! Fortio's fields mean what they mean there: `DurationHistogram` has all calls, those without an answer by the time until they
//! were given up, and codes that are no status of HTTP are −1. What fortio has no place for (bounds, the kinds of failures, the
//! generator's health, the seconds) is under `Squall`.

use crate::{
    ERROR,
    agents::Agents,
    generator::{Generator, Saturation},
    health::Look,
    latencies::{Bucket, Latencies},
    outcome::Outcome,
    recorder::OfRequest,
    report::{Mode, Report},
    threshold::{Judged, Verdict},
};
use serde_json::{Map, Value, json};
use squall_stats::bounds::{Percentile, Position};
use std::time::Duration;

const PERCENTILES: [f64; 5] = [50.0, 75.0, 90.0, 99.0, 99.9];
/// Buckets of a histogram that is drawn; each a 1.15-fold wide, so that four decades have seventy.
const STEP: f64 = 1.15;

/// The run as JSON, with a line break at its end.
#[must_use]
pub fn json(report: &Report<'_>) -> String {
    let about = &report.about;
    let all = report.calls.ended(|_| true);
    let failed = report.calls.ended(|outcome| !outcome.succeeds());
    let requested = about.rate.map_or_else(|| "max".to_owned(), |rate| format!("{rate}"));
    let connections = about.users.map_or(report.generator.cap as u64, u64::from);
    let value = json!({
        "RunType": if about.protocol == "gRPC" { "GRPC" } else { "HTTP" },
        "Labels": labels(report),
        "StartTime": about.started,
        "RequestedQPS": requested,
        "RequestedDuration": format!("{}s", about.length.as_secs_f64()),
        // What a part of the calls came to is the rate of nothing.
        "ActualQPS": report.is_whole().then(|| report.rate()),
        "ActualDuration": nanos(report.took),
        "NumThreads": connections,
        "Version": format!("squall {}", about.version),
        "DurationHistogram": histogram(&all),
        "ErrorsDurationHistogram": histogram(&failed),
        "ConnectionStats": histogram(&report.calls.parts().connect),
        "Exactly": 0,
        "Jitter": about.seed.is_some(),
        "Uniform": about.mode == Mode::Open && about.seed.is_none(),
        "NoCatchUp": false,
        "RunID": 0,
        "AccessLoggerInfo": "",
        "ID": id(&about.started),
        "RetCodes": codes(report),
        "IPCountMap": { about.address.clone(): connections },
        "URL": about.url,
        "Destination": about.url,
        "NumConnections": connections,
        "AbortOn": 0,
        "Squall": ours(report),
    });
    format!("{value:#}\n")
}

/// What a viewer has as the title: that nothing is shown belongs there.
fn labels(report: &Report<'_>) -> String {
    let lost = report.agents.as_ref().map(Agents::lost).unwrap_or_default();
    let lost = if lost.is_empty() { String::new() } else { format!(", INCONCLUSIVE: {}", lost.join(", ")) };
    format!("squall load, {}{lost}", report.about.schedule)
}

/// `stats.HistogramData`, in seconds.
fn histogram(times: &Latencies) -> Value {
    let percentile = |percent: f64| {
        let at = times.percentile(0, percent / 100.0, ERROR).map(|p| p.measured);
        let Some(Position::At(bucket)) = at else { return None };
        Some(json!({ "Percentile": percent, "Value": bucket.high.as_secs_f64() }))
    };
    json!({
        "Count": times.len(),
        "Min": times.min().as_secs_f64(),
        "Max": times.max().as_secs_f64(),
        "Sum": times.sum(),
        "Avg": times.mean(),
        "StdDev": times.deviation(),
        "Data": data(times),
        "Percentiles": PERCENTILES.into_iter().filter_map(percentile).collect::<Vec<Value>>(),
    })
}

/// Buckets without a call are left out, as fortio does; `Percent` adds up.
fn data(times: &Latencies) -> Vec<Value> {
    let (mut data, mut below) = (Vec::new(), 0);
    let mut start = times.min().as_secs_f64();
    while below < times.len() {
        let wide = Duration::from_secs_f64(start.max(1e-7) * STEP);
        let last = wide >= times.max();
        let end = if last { times.max() } else { wide };
        let until = if last { times.len() } else { times.count_until(end) };
        if until > below {
            let percent = 100.0 * until as f64 / times.len() as f64;
            let end = end.as_secs_f64();
            data.push(json!({ "Start": start, "End": end, "Percent": percent, "Count": until - below }));
        }
        (below, start) = (until, end.as_secs_f64());
    }
    data
}

/// Calls by status; −1 is what has none.
fn codes(report: &Report<'_>) -> Value {
    let mut codes = Map::new();
    for (outcome, tally) in report.calls.tallies() {
        let code = match outcome {
            Outcome::Status(status) => status.to_string(),
            Outcome::Grpc(squall_model::GrpcStatus::Ok) => "SERVING".to_owned(),
            Outcome::Grpc(status) => status.to_string(),
            _ => "-1".to_owned(),
        };
        let before = codes.get(&code).and_then(Value::as_u64).unwrap_or(0);
        codes.insert(code, json!(before + tally.ended.len()));
    }
    Value::Object(codes)
}

/// `2026-11-26-205717`, as fortio names its files.
fn id(started: &str) -> String {
    let (day, time) = started.split_once('T').unwrap_or((started, ""));
    let time: String = time.chars().take_while(|c| c.is_ascii_digit() || *c == ':').filter(|c| *c != ':').collect();
    format!("{day}-{time}_squall_load")
}

/// What fortio has no place for.
fn ours(report: &Report<'_>) -> Value {
    let (about, generator, counts) = (&report.about, &report.generator, report.calls.counts());
    let outcomes: Map<String, Value> =
        report.calls.tallies().map(|(outcome, tally)| (outcome.to_string(), json!(tally.ended.len()))).collect();
    let seconds: Vec<Value> = report
        .calls
        .windows()
        .map(|(begin, window)| {
            let (counts, latency) = (window.counts(), window.latency());
            let p99 = latency
                .percentile(counts.unanswered(), 0.99, ERROR)
                .map_or(Value::Null, |p| seconds(p.measured, |b| b.high));
            json!({ "second": begin.as_secs(), "calls": counts.calls, "succeeded": counts.succeeded, "p99": p99 })
        })
        .collect();
    json!({
        "loop": if about.mode == Mode::Open { "open" } else { "closed" },
        "schedule": about.schedule,
        "protocol": about.protocol,
        "tls": about.tls,
        "address": about.address,
        "seed": about.seed,
        "timeout": about.timeout.as_secs_f64(),
        "interrupted": report.interrupted,
        "agents": report.agents.as_ref().map(agents),
        "calls": {
            "meant": about.meant, "made": counts.calls, "answered": counts.answered, "succeeded": counts.succeeded,
        },
        "outcomes": outcomes,
        "error": ERROR,
        "latency": percentiles(&report.calls.latency(), counts.unanswered()),
        "service": percentiles(report.calls.service(), 0),
        "parts": parts(report),
        "requests": requests(report),
        "generator": {
            "saturated": generator.is_saturated(),
            "saturated_by": generator.saturation().map(Saturation::word).collect::<Vec<_>>(),
            "late_p50": generator.late_p50.as_secs_f64(),
            "late_p99": generator.late_p99.as_secs_f64(),
            "late_max": generator.late_max.as_secs_f64(),
            "bound": generator.bound.as_secs_f64(),
            "tick": generator.tick.as_secs_f64(),
            "cap": generator.cap,
            "held_back": generator.held,
            "held_max": generator.held_max.as_secs_f64(),
            "starved": generator.starved,
            "cpu": generator.cpu.as_secs_f64(),
            "health": health(generator),
        },
        "thresholds": report.judged.iter().map(threshold).collect::<Vec<Value>>(),
        "seconds": seconds,
    })
}

/// Who sent what; of who is lost, why.
fn agents(agents: &Agents) -> Value {
    let each = agents.all.iter().zip(1..).map(|(agent, nth)| match &agent.came {
        Ok(sent) => json!({
            "agent": nth, "share": agent.own.share, "meant": agent.own.meant,
            "calls": sent.calls, "rate": sent.rate, "saturated": sent.saturated,
        }),
        Err(why) => json!({ "agent": nth, "share": agent.own.share, "meant": agent.own.meant, "lost": why }),
    });
    json!({ "place": agents.place, "whole": agents.are_whole(), "each": each.collect::<Vec<Value>>() })
}

/// What the generator saw of itself, in seconds.
fn health(generator: &Generator) -> Value {
    let health = &generator.health;
    let column =
        |of: fn(&Look) -> Duration| health.stretches().iter().map(|look| of(look).as_secs_f64()).collect::<Vec<_>>();
    json!({
        "every": health.every().as_secs_f64(),
        "looks": health.looks,
        "starved": health.starved,
        "held_up": health.held_up,
        "late": column(|look| look.late),
        "lag": column(|look| look.lag),
        "waited": column(|look| look.waited),
        "asleep": column(|look| look.asleep),
    })
}

/// With exact bounds; `"unanswered"` is later than any answer, `null` is not bounded.
fn percentiles(times: &Latencies, unanswered: u64) -> Vec<Value> {
    PERCENTILES
        .into_iter()
        .filter_map(|percent| {
            let Percentile { lower, measured, upper } = times.percentile(unanswered, percent / 100.0, 2.0 * ERROR)?;
            Some(json!({
                "percentile": percent,
                "lower": seconds(lower, |b| b.low),
                "measured": seconds(measured, |b| b.high),
                "upper": seconds(upper, |b| b.high),
            }))
        })
        .collect()
}

/// Where the time of the answered went.
fn parts(report: &Report<'_>) -> Value {
    let of = |times: &Latencies| {
        json!({
            "calls": times.len(),
            "mean": times.mean(),
            "max": times.max().as_secs_f64(),
            "percentiles": percentiles(times, 0),
        })
    };
    let parts = report.calls.parts().named();
    Value::Object(parts.map(|(name, times)| (name.replace(' ', "_").to_lowercase(), of(times))).collect())
}

/// Each of several.
fn requests(report: &Report<'_>) -> Vec<Value> {
    let names = &report.about.requests;
    let of = |(request, of): (u16, &OfRequest)| {
        let name = names.get(usize::from(request))?;
        Some(json!({
            "request": name,
            "calls": of.counts.calls,
            "answered": of.counts.answered,
            "succeeded": of.counts.succeeded,
            "latency": percentiles(&of.latency, of.counts.unanswered()),
        }))
    };
    report.calls.requests().filter_map(of).collect()
}

fn seconds(at: Position<Bucket>, side: impl Fn(Bucket) -> Duration) -> Value {
    match at {
        Position::At(bucket) => json!(side(bucket).as_secs_f64()),
        Position::Unanswered => json!("unanswered"),
        Position::Open => Value::Null,
    }
}

fn threshold(judged: &Judged) -> Value {
    let unit = if judged.is_share { 1.0 } else { 1e9 };
    // JSON has no infinity: no answer, or no bound.
    let value = |v: f64| if v.is_finite() { json!(v / unit) } else { Value::Null };
    let verdict = match judged.verdict {
        Verdict::Fine => "fine",
        Verdict::Broken => "broken",
        Verdict::Undecided(_) => "undecided",
    };
    json!({
        "fail_if": judged.text,
        "verdict": verdict,
        "lower": value(judged.low),
        "measured": value(judged.measured),
        "upper": value(judged.high),
    })
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
