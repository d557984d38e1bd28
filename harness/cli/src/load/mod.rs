//! `load`: calls to any server, recorded and judged, without a mesh.

mod agent;
mod args;
mod body;
mod calls;
mod data;
mod drive;
mod files;
mod fleet;
mod in_pod;
mod pace;
mod plan;
mod request;
mod search;
mod secure;
mod target;
mod team;

pub use agent::agent;
pub use args::LoadArgs;
pub use calls::calls;
pub use fleet::{Errand, Heard};
#[cfg(feature = "kubernetes")]
pub use {
    files::name as file,
    in_pod::{FILE, ORDERS, Orders, TASK, Word},
};

use crate::{
    args::PlaceKind,
    date,
    outcome::{Exit, Failure},
    term::Out,
};
use args::LoadFormat;
use calls::CallLog;
use drive::Driven;
use plan::Planned;
use squall_load::{About, Agents, Judged, Mode, Report, Verdict, csv, hdr, json, saturation, text, told};
use squall_model::{Protocol, duration};
use squall_traffic::{Messages, Shape};

/// Sends, counts, judges and tells.
pub fn load(args: &LoadArgs, out: Out) -> Result<Exit, Failure> {
    if args.on == PlaceKind::Kubernetes {
        return fleet::load(args, out);
    }
    if let Some(condition) = &args.search_rate {
        return search::search(args, condition, out);
    }
    let planned = Planned::of(args)?;
    let about = about(args, &planned);
    let shown = args.format == LoadFormat::Text && out.live;
    if !shown {
        out.note(&format!("{} · {} · {}", about.url, about.protocol, about.schedule));
    }
    let log = args.calls.as_ref().map(|file| CallLog::create(file, &about)).transpose()?;
    let shown = shown.then_some(out);
    let Driven { calls, generator, took, interrupted } = match args.agents {
        1 => drive::drive(&planned, log, shown)?,
        agents => team::drive(&planned, agents, planned.line.seed, args.timeout, shown)?,
    };
    let judged: Vec<Judged> = args.fail_if.iter().map(|t| t.judge(&calls, generator.is_saturated())).collect();
    tell(&Report { about, calls: &calls, took, generator, judged, interrupted, agents: None }, args, out)
}

/// Writes it as it is wanted, and says how it ends.
fn tell(report: &Report<'_>, args: &LoadArgs, out: Out) -> Result<Exit, Failure> {
    let written = match args.format {
        LoadFormat::Text => text(report, out.style),
        LoadFormat::Json => json(report),
        // A table has no place where it would say that it is of a part of the calls.
        LoadFormat::Csv | LoadFormat::Hdr if !report.is_whole() => String::new(),
        LoadFormat::Csv => csv(report),
        LoadFormat::Hdr => hdr(report).map_err(|e| Failure::environment(format!("failed to write histograms: {e}")))?,
    };
    out.print(&written);
    if args.format != LoadFormat::Text {
        report.agents.iter().flat_map(Agents::lost).for_each(|words| out.note(&words));
        report.judged.iter().for_each(|one| out.note(&format!("fail if {}: {}", one.text, told(one))));
        saturation(&report.generator).iter().for_each(|words| out.note(words));
    }
    exit(report)
}

fn about(args: &LoadArgs, planned: &Planned) -> About {
    let (shape, users) = (&planned.pace.shape, args.users);
    About {
        url: args.url.clone(),
        address: planned.address.clone(),
        tls: planned.line.tls.as_ref().map(|_| secure::words(args)),
        protocol: match planned.line.protocol {
            Protocol::Grpc => "gRPC",
            Protocol::Http2 => "HTTP/2",
            Protocol::Http if planned.line.websocket.is_some() => "WebSocket",
            Protocol::Http => "HTTP/1.1",
            Protocol::Tcp => "TCP",
        },
        terms: terms(args),
        mode: if matches!(shape, Shape::Closed { .. }) { Mode::Closed } else { Mode::Open },
        schedule: planned.pace.words.clone(),
        rate: planned.pace.rate,
        length: planned.pace.length,
        meant: shape.schedule().map(|schedule| schedule.count() as u64),
        users,
        seed: planned.seed,
        requests: planned.names.clone(),
        timeout: args.timeout,
        started: date::now(),
        began: date::since_1970(),
        version: env!("CARGO_PKG_VERSION"),
    }
}

/// What else was asked of how calls are made.
fn terms(args: &LoadArgs) -> Vec<(&'static str, String)> {
    let mut terms = Vec::new();
    if args.disable_keepalive {
        terms.push(("connections", "one for each call".to_owned()));
    }
    if let Some(most) = args.follow_redirects {
        terms.push(("redirects", format!("followed within the origin, at most {most} of a call")));
    }
    if let (Some(_), Messages { sent, answered }) = (args.stream, args.messages()) {
        terms.push(("messages", format!("{sent} sent, {answered} to come back in each call")));
    }
    if let Some(told) = args.deadline {
        terms.push(("deadline", format!("{}, as the server is told", duration(told))));
    }
    terms
}

/// A threshold that is broken is red whatever else; else a run that shows nothing is none. Where an agent was lost nothing is shown at all.
fn exit(report: &Report<'_>) -> Result<Exit, Failure> {
    if !report.is_whole() {
        return Ok(Exit::Inconclusive);
    }
    let counts = report.calls.counts();
    if report.judged.iter().any(|one| one.verdict == Verdict::Broken) {
        return Ok(Exit::Violated);
    }
    if counts.calls > 0 && counts.answered == 0 {
        let message = format!("none of {} calls to {} was answered", counts.calls, report.about.address);
        return Err(Failure::environment(message));
    }
    let undecided = report.judged.iter().any(|one| !one.verdict.is_fine());
    let shows_nothing =
        undecided || report.generator.is_saturated() || report.interrupted.is_some() || counts.calls == 0;
    Ok(if shows_nothing { Exit::Inconclusive } else { Exit::Holds })
}
