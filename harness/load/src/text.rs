//! A run as people read it.

mod agents;
mod live;

pub use live::live;

use crate::{
    ERROR,
    counts::Counts,
    generator::{Generator, Saturation},
    latencies::Latencies,
    report::{Mode, Report},
    threshold::{Judged, Undecided, Verdict},
    words::{count, digits, position, rate, share, span, spark},
};
use squall_report::{Colour, Style};
use squall_stats::{
    bounds::{Position, clopper_pearson},
    share::Look,
};
use std::time::Duration;

/// Columns of the names on the left.
const NAMES: usize = 12;
/// Blocks of a sparkline, and of the longest bar.
const BLOCKS: u64 = 60;
const BAR: f64 = 40.0;

/// The summary of a run.
#[must_use]
pub fn text(report: &Report<'_>, style: Style) -> String {
    let mut page = Page { text: String::new(), style };
    head(report, &mut page);
    if report.calls.counts().calls > 0 {
        times(report, &mut page);
        distribution(&report.calls.latency(), &mut page);
        parts(report, &mut page);
        course(report, &mut page);
        outcomes(report, &mut page);
        requests(report, &mut page);
    }
    generator(report, &mut page);
    thresholds(&report.judged, &mut page);
    page.line("", &style.paint(Colour::Faint, foot(report)));
    page.text
}

/// Lines with a name on the left.
struct Page {
    text: String,
    style: Style,
}

impl Page {
    fn gap(&mut self) {
        self.text += "\n";
    }

    fn line(&mut self, name: &str, words: &str) {
        let name = format!("{name:NAMES$}");
        self.text += &format!("  {}{words}\n", self.style.paint(Colour::Bold, name));
    }
}

fn head(report: &Report<'_>, page: &mut Page) {
    let (about, counts) = (&report.about, report.calls.counts());
    let title = format!("{} · {} · {}", about.url, about.protocol, about.address);
    page.text += &format!("\n  {}\n\n", page.style.paint(Colour::Bold, title));
    match about.mode {
        Mode::Open => page.line("open loop", &format!("{}, whatever the answers do", about.schedule)),
        Mode::Closed => page.line(
            "closed loop",
            &format!("{}: a slow answer delays the calls after it, and those are not in these figures", about.schedule),
        ),
    }
    if let Some(tls) = &about.tls {
        page.line("secured", tls);
    }
    about.terms.iter().for_each(|(name, words)| page.line(name, words));
    let meant = about.meant.map_or_else(String::new, |meant| match meant == counts.calls {
        true => String::new(),
        false => format!(" of {} meant", count(meant)),
    });
    let made = match report.is_whole() {
        true => format!("{}{meant} in {} · {}", count(counts.calls), span(report.took), rate(report.rate())),
        false => format!("{}{meant} are known, and what the others came to is not", count(counts.calls)),
    };
    page.line("calls", &made);
    agents::agents(report, page);
    if let Some(why) = report.interrupted {
        page.line("", &page.style.paint(Colour::Yellow, format!("stopped by {why} before its time")));
    }
    success(counts, page);
    page.gap();
}

fn success(counts: Counts, page: &mut Page) {
    let Some(range) = clopper_pearson(Look { n: counts.calls, hits: counts.succeeded }, 2.0 * ERROR) else { return };
    let measured = counts.succeeded as f64 / counts.calls as f64;
    let colour = if counts.failed() == 0 { Colour::Green } else { Colour::Red };
    let failed = if counts.failed() > 0 { format!(" · {} failed", count(counts.failed())) } else { String::new() };
    let words = page.style.paint(colour, format!("{}{failed}", share(measured)));
    let bounds = page.style.paint(Colour::Faint, format!("{} … {}", share(range.low), share(range.high)));
    page.line("success", &format!("{words}   {bounds}"));
}

/// Both clocks, each percentile between its bounds.
fn times(report: &Report<'_>, page: &mut Page) {
    let unanswered = report.calls.counts().unanswered();
    let (latency, service) = (report.calls.latency(), report.calls.service());
    let title = format!("{:10} {:22} {:10} {}", "latency", "from the intended start", "service", "from the send");
    page.line("", &page.style.paint(Colour::Faint, title));
    for (name, q) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)] {
        let (late, served) = (row(&latency, unanswered, q), row(service, 0, q));
        page.line(name, &format!("{late:33} {served}"));
    }
    let max = if unanswered > 0 { "no answer".to_owned() } else { span(latency.max()) };
    page.line("max", &format!("{max:33} {}", span(service.max())));
    page.gap();
}

fn row(times: &Latencies, unanswered: u64, q: f64) -> String {
    let Some(found) = times.percentile(unanswered, q, 2.0 * ERROR) else { return "–".to_owned() };
    let bounds = format!("{} … {}", position(found.lower, |b| b.low), position(found.upper, |b| b.high));
    format!("{:10} {bounds}", position(found.measured, |b| b.high))
}

/// Where the time of the answered went, in the order in which it passed.
fn parts(report: &Report<'_>, page: &mut Page) {
    let title = format!("{:12} {:>9} {:>9} {:>9}   {}", "", "p50", "p99", "max", "calls");
    for (at, (part, times)) in report.calls.parts().named().enumerate() {
        if at == 0 {
            page.line("parts", &page.style.paint(Colour::Faint, title.clone()));
        }
        let time = |q| times.percentile(0, q, ERROR).map_or_else(String::new, |p| position(p.measured, |b| b.high));
        let words =
            format!("{part:12} {:>9} {:>9} {:>9}   {}", time(0.5), time(0.99), span(times.max()), count(times.len()));
        page.line("", &words);
    }
    page.gap();
}

/// How the latencies are spread, in steps of 1, 2 and 5.
fn distribution(latency: &Latencies, page: &mut Page) {
    if latency.is_empty() {
        return;
    }
    let mut bars: Vec<(Duration, u64)> = Vec::new();
    let mut below = 0;
    for end in steps(latency.min(), latency.max()) {
        let until = if end >= latency.max() { latency.len() } else { latency.count_until(end) };
        bars.push((end, until - below));
        below = until;
    }
    let most = bars.iter().map(|(_, calls)| *calls).max().unwrap_or(0).max(1);
    for (at, (end, calls)) in bars.iter().enumerate() {
        // A single call is seen, too.
        let eighths = (*calls as f64 / most as f64 * BAR * 8.0).ceil() as usize;
        let part = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
        let bar = page.style.paint(Colour::Blue, format!("{}{part}", "█".repeat(eighths / 8)));
        let name = if at == 0 { "spread" } else { "" };
        page.line(name, &format!("≤ {:>7}  {:>9}  {bar}", span(*end), count(*calls)));
    }
    page.gap();
}

/// From the first step that is not below the least to the first that is not below the greatest; decades alone where there
/// would be too many.
fn steps(least: Duration, greatest: Duration) -> Vec<Duration> {
    const MOST: usize = 12;
    let all = |of: &[f64]| -> Vec<Duration> {
        let every = (-9..6).flat_map(|e| of.iter().map(move |m| Duration::from_secs_f64(m * 10f64.powi(e))));
        let mut steps: Vec<Duration> = every.skip_while(|step| *step < least).collect();
        let last = steps.iter().position(|step| *step >= greatest).map_or(steps.len(), |at| at + 1);
        steps.truncate(last);
        steps
    };
    let fine = all(&[1.0, 2.0, 5.0]);
    if fine.len() > MOST { all(&[1.0]) } else { fine }
}

/// What it was like over time.
fn course(report: &Report<'_>, page: &mut Page) {
    let stretches = report.calls.stretches(BLOCKS);
    if stretches.len() < 3 {
        return;
    }
    let p99 = |window: &crate::Window| {
        let found = window.latency().percentile(window.counts().unanswered(), 0.99, ERROR).map(|p| p.measured);
        match found {
            Some(Position::At(bucket)) => Some(bucket.high.as_secs_f64()),
            Some(Position::Unanswered) => None,
            _ => Some(0.0),
        }
    };
    let values: Vec<Option<f64>> = stretches.iter().map(p99).collect();
    let most = values.iter().flatten().copied().fold(0.0, f64::max);
    let lost = if values.contains(&None) { ", × no answer" } else { "" };
    let line = page.style.paint(Colour::Blue, spark(&values));
    let legend = page.style.paint(Colour::Faint, format!("p99, up to {}{lost}", span(Duration::from_secs_f64(most))));
    page.line("over time", &format!("{line}  {legend}"));
    page.gap();
}

fn outcomes(report: &Report<'_>, page: &mut Page) {
    let all = report.calls.counts().calls as f64;
    for (at, (outcome, tally)) in report.calls.tallies().enumerate() {
        let calls = tally.ended.len();
        let name = if at == 0 { "outcomes" } else { "" };
        let words = format!("{:>9}  {:>8}  {outcome}", count(calls), share(calls as f64 / all));
        page.line(name, &if outcome.succeeds() { words } else { page.style.paint(Colour::Red, words) });
    }
    page.gap();
}

/// Each of several, with its own success and latency.
fn requests(report: &Report<'_>, page: &mut Page) {
    let names = &report.about.requests;
    if names.len() < 2 {
        return;
    }
    let title = format!("{:>9} {:>9} {:>9} {:>9}", "calls", "success", "p50", "p99");
    page.line("requests", &page.style.paint(Colour::Faint, title));
    for (request, of) in report.calls.requests() {
        let (counts, unanswered) = (of.counts, of.counts.unanswered());
        let time = |q| {
            let found = of.latency.percentile(unanswered, q, ERROR);
            found.map_or_else(String::new, |p| position(p.measured, |b| b.high))
        };
        let success = share(counts.succeeded as f64 / counts.calls as f64);
        let name = names.get(usize::from(request)).map_or("", String::as_str);
        let words = format!("{:>9} {success:>9} {:>9} {:>9}  {name}", count(counts.calls), time(0.5), time(0.99));
        page.line("", &words);
    }
    page.gap();
}

fn generator(report: &Report<'_>, page: &mut Page) {
    let (own, calls) = (&report.generator, report.calls.counts().calls);
    let tick = if own.tick.is_zero() { String::new() } else { format!(", in ticks of {}", span(own.tick)) };
    let late = format!(
        "sent late by p50 {} · p99 {} · at most {}{tick}",
        span(own.late_p50),
        span(own.late_p99),
        span(own.late_max)
    );
    page.line("generator", &late);
    let seconds = report.took.as_secs_f64().max(1e-9);
    let each = if calls > 0 { own.cpu / u32::try_from(calls).unwrap_or(u32::MAX) } else { Duration::ZERO };
    let cpu = format!("{} % of a core · {} a call", digits(100.0 * own.cpu.as_secs_f64() / seconds), span(each));
    page.line("", &cpu);
    page.line("", &kept_from_work(own, seconds));
    if own.held > 0 {
        let held = format!(
            "the cap of {} connections held {} calls back, for at most {}: so far this was a closed loop",
            count(own.cap as u64),
            count(own.held),
            span(own.held_max)
        );
        page.line("", &page.style.paint(Colour::Yellow, held));
    }
    if let Some(words) = saturation(own) {
        page.line("", &page.style.paint(Colour::Red, words));
    }
    page.gap();
}

/// By what it has in common with everybody on the machine.
fn kept_from_work(own: &Generator, seconds: f64) -> String {
    let whole = own.health.whole();
    let waited = digits(100.0 * whole.waited.as_secs_f64() / seconds);
    format!("its thread woke at most {} late, and stood in the run queue for {waited} % of the time", span(whole.lag))
}

/// Why the figures are those of the generator as well; `None` where they are not.
#[must_use]
pub fn saturation(own: &Generator) -> Option<String> {
    let health = &own.health;
    let words = |why: Saturation| match why {
        Saturation::Late => format!(
            "1% of the calls were sent more than {} late, where {} is allowed",
            span(own.late_p99),
            span(own.bound)
        ),
        Saturation::NoSockets => format!("this machine had no socket for {} calls", count(own.starved)),
        Saturation::Starved => format!(
            "in {} of {} tenths of a second its thread had no processor for more than half of the time",
            count(health.starved),
            count(health.looks)
        ),
        Saturation::HeldUp => format!(
            "in {} of {} tenths of a second its thread woke more than {} late",
            count(health.held_up),
            count(health.looks),
            span(own.bound)
        ),
        Saturation::Asleep => format!("the machine was asleep for {}", span(health.whole().asleep)),
    };
    let why: Vec<String> = own.saturation().map(words).collect();
    (!why.is_empty()).then(|| format!("generator saturated: {}; these times are its own too", why.join(", ")))
}

fn thresholds(judged: &[Judged], page: &mut Page) {
    for (at, one) in judged.iter().enumerate() {
        let (sign, colour) = match one.verdict {
            Verdict::Fine => ("✓", Colour::Green),
            Verdict::Broken => ("✗", Colour::Red),
            Verdict::Undecided(_) => ("?", Colour::Yellow),
        };
        let name = if at == 0 { "fail if" } else { "" };
        page.line(name, &page.style.paint(colour, format!("{sign} {:20} {}", one.text, told(one))));
    }
    if !judged.is_empty() {
        page.gap();
    }
}

/// The range that the calls leave open, in a few words.
#[must_use]
pub fn measured(one: &Judged) -> String {
    let value = |v: f64| match one.is_share {
        true => share(v.clamp(0.0, 1.0)),
        false if v.is_infinite() => "no answer".to_owned(),
        false => span(Duration::from_nanos(v as u64)),
    };
    match (one.low == one.high, one.high.is_infinite()) {
        (true, _) => format!("it is {}", value(one.measured)),
        (false, true) => format!("it is at least {}", value(one.low)),
        (false, false) => format!("it is between {} and {}", value(one.low), value(one.high)),
    }
}

/// What came of a threshold, in a few words.
#[must_use]
pub fn told(one: &Judged) -> String {
    let range = || measured(one);
    match one.verdict {
        Verdict::Fine => format!("kept: {}", range()),
        Verdict::Broken => format!("broken: {}", range()),
        Verdict::Undecided(Undecided::TooFew { need }) => {
            format!("undecided: {}; it takes {} calls to bound it", range(), count(need))
        }
        Verdict::Undecided(Undecided::TooNear) => format!("undecided: {}, and more calls would tell", range()),
        Verdict::Undecided(Undecided::Saturated) => "undecided: the generator was saturated".to_owned(),
        Verdict::Undecided(Undecided::NoCalls) => "undecided: there was no call".to_owned(),
        Verdict::Undecided(Undecided::Lost) => "undecided: an agent was lost, and its calls with it".to_owned(),
    }
}

fn foot(report: &Report<'_>) -> String {
    let seed = report.about.seed.map_or_else(String::new, |seed| format!("seed {seed} · "));
    format!("{seed}a … b: the range that the calls leave open, each end wrong once in 1,000, were calls independent")
}
