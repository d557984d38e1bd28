//! `--search-rate`: trials at one rate after the other, until the highest is known that holds.

use super::{
    args::{LoadArgs, LoadFormat},
    drive::{self, Driven},
    pace::Pace,
    plan::Planned,
};
use crate::{
    outcome::{Exit, Failure},
    term::Out,
};
use serde_json::json;
use squall_load::{Found, Held, Judged, Recorder, Search, Threshold, Verdict, measured};
use std::time::{Duration, Instant};

/// How long the calls of a trial are sent that count, unless it is said.
const TRIAL: Duration = Duration::from_secs(3);
/// Before them: what the trial before has left behind, and connections that are opened, is none of this rate's.
const UNCOUNTED: Duration = Duration::from_millis(500);
/// A trial that shows nothing is made longer, by so many times as much, and again; the last time by as many calls as it takes to
/// show anything, but by no more than this.
const MORE: u32 = 3;
const LONGEST: Duration = Duration::from_secs(20);
const TRIES: u32 = 3;
/// The first rate.
const FROM: f64 = 100.0;

/// Finds the rate and tells it.
///
/// # Errors
/// As of any run of load.
pub fn search(args: &LoadArgs, condition: &Threshold, out: Out) -> Result<Exit, Failure> {
    if !matches!(args.format, LoadFormat::Text | LoadFormat::Json) {
        return Err(Failure::usage("a search is told as text or json"));
    }
    let until = Instant::now() + args.search_time;
    let mut planned = Planned::of(args)?;
    let mut hunt = Hunt { args, condition, out, until, search: Search::new(FROM, planned.most()), told: Vec::new() };
    hunt.head();
    let mut stopped = None;
    while let Some(rate) = hunt.search.next() {
        if Instant::now() + hunt.length(rate, 1) > until {
            stopped = Some("--search-time");
            break;
        }
        if let Some(why) = hunt.trial(rate, &mut planned)? {
            stopped = Some(why);
            break;
        }
    }
    Ok(hunt.tell(stopped))
}

struct Hunt<'a> {
    args: &'a LoadArgs,
    condition: &'a Threshold,
    out: Out,
    until: Instant,
    search: Search,
    told: Vec<serde_json::Value>,
}

impl Hunt<'_> {
    fn head(&self) {
        let words = format!(
            "searching for the highest rate at which {} holds at {}; it is shown by bounds, each wrong once in 1,000",
            self.condition, self.args.url
        );
        self.out.note(&words);
    }

    /// How long this try at this rate takes.
    fn length(&self, rate: f64, tries: u32) -> Duration {
        let least = self.args.duration.unwrap_or(TRIAL);
        let needed = self.condition.needed().unwrap_or_default() as f64 / rate;
        let counted = match tries {
            1 => least,
            TRIES => Duration::from_secs_f64(needed.min(LONGEST.as_secs_f64())).max(least * MORE),
            _ => least * MORE,
        };
        UNCOUNTED + counted
    }

    /// Tries one rate; with what stopped it, if anything did.
    fn trial(&mut self, rate: f64, planned: &mut Planned) -> Result<Option<&'static str>, Failure> {
        planned.uncounted = UNCOUNTED;
        let mut calls: Option<Recorder> = None;
        for tries in 1..=TRIES {
            planned.pace = Pace::level(self.args, rate, self.length(rate, tries), planned.line.seed)?;
            planned.line.shape = planned.pace.shape.clone();
            let Driven { calls: more, generator, interrupted, .. } = drive::drive(planned, None, None)?;
            if interrupted.is_some() {
                return Ok(interrupted);
            }
            let calls = match calls.as_mut() {
                None => calls.insert(more),
                Some(calls) => {
                    calls.join(&more);
                    calls
                }
            };
            let judged = self.condition.judge(calls, false);
            let held = match judged.verdict {
                _ if generator.is_saturated() => Held::Unsent,
                // A condition to hold is written as one to fail is: it is met where the whole range meets it.
                Verdict::Broken => Held::Holds,
                Verdict::Fine => Held::Broken,
                Verdict::Undecided(_) => Held::Unclear,
            };
            if held != Held::Unclear || tries == TRIES || Instant::now() + self.length(rate, tries + 1) > self.until {
                self.note(rate, held, &judged, calls);
                break;
            }
        }
        Ok(None)
    }

    fn note(&mut self, rate: f64, held: Held, judged: &Judged, calls: &Recorder) {
        self.search.tell(rate, held);
        let calls = calls.counts().calls;
        let mark = if held == Held::Holds { "✓" } else { "✗" };
        self.out.note(&format!("  {mark} {:>9}/s  {held}: {}, of {calls} calls", shown(rate), measured(judged)));
        self.told
            .push(json!({ "rate": rate, "calls": calls, "came_to": held.to_string(), "measured": measured(judged) }));
    }

    fn tell(&self, stopped: Option<&'static str>) -> Exit {
        let found = self.search.found();
        let words = words(&found, stopped);
        match self.args.format {
            LoadFormat::Json => {
                let value = json!({
                    "condition": self.condition.to_string(),
                    "holds": found.holds.map(|(rate, _)| rate),
                    "shown_times": found.holds.map_or(0, |(_, times)| times),
                    "fails": found.fails.map(|(rate, _)| rate),
                    "fails_because": found.fails.map(|(_, why)| why.to_string()),
                    "stopped": stopped,
                    "trials": self.told,
                });
                self.out.print(&format!("{value:#}\n"));
            }
            _ => self.out.print(&format!("{}: {words}\n", self.condition)),
        }
        match found {
            Found { holds: Some((_, 2..)), .. } => Exit::Holds,
            Found { holds: None, fails: Some((_, Held::Broken)) } if stopped.is_none() => Exit::Violated,
            _ => Exit::Inconclusive,
        }
    }
}

fn words(found: &Found, stopped: Option<&'static str>) -> String {
    let above = match found.fails {
        None => "nothing higher was tried".to_owned(),
        Some((rate, Held::Unsent)) => {
            format!("at {}/s the generator did not keep up, so there may be more", shown(rate))
        }
        Some((rate, why)) => format!("{}/s: {why}", shown(rate)),
    };
    let words = match found.holds {
        Some((rate, 2..)) => format!("holds up to {}/s, shown twice; {above}", shown(rate)),
        Some((rate, _)) => format!("holds at {}/s, shown once; {above}", shown(rate)),
        None if found.fails.is_some() => format!("is not shown to hold at any rate; {above}"),
        None => "nothing is known".to_owned(),
    };
    stopped.map_or(words.clone(), |why| format!("{words} (ended by {why})"))
}

fn shown(rate: f64) -> String {
    if rate >= 100.0 { format!("{rate:.0}") } else { format!("{}", (rate * 100.0).round() / 100.0) }
}
