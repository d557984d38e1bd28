//! The run as a person at a terminal reads it.

use crate::{
    absence, block, control,
    ending::closing,
    in_force,
    story::{ScenarioStory, Stories},
    style::{Colour, Style},
    words::{count, seconds},
};
use squall_model::{Body, ControlResult, Dose, PlanKey, Progress, RunEvent, Variation, Verdict, duration};
use std::{fmt::Write, time::Duration};

/// Turns events into lines, and into one live line for a terminal that can redraw it.
#[derive(Debug)]
pub struct Terminal {
    style: Style,
    verbose: bool,
    allow_unsupported: bool,
    stories: Stories,
    feature: Option<String>,
    current: Option<(PlanKey, Variation)>,
    progress: Option<Progress>,
    done: usize,
}

impl Terminal {
    /// A reader of one run. `verbose` shows every claim and dose, not only those that did not hold.
    #[must_use]
    pub fn new(style: Style, verbose: bool) -> Terminal {
        Terminal {
            style,
            verbose,
            allow_unsupported: false,
            stories: Stories::default(),
            feature: None,
            current: None,
            progress: None,
            done: 0,
        }
    }

    /// Whether what is unsupported counts as green.
    #[must_use]
    pub fn allowing_unsupported(self, allow_unsupported: bool) -> Terminal {
        Terminal { allow_unsupported, ..self }
    }

    /// What was read so far.
    #[must_use]
    pub fn stories(&self) -> &Stories {
        &self.stories
    }

    /// Takes the next event in, and gives the lines to print for it, with their ends; often none.
    pub fn read(&mut self, event: &RunEvent) -> String {
        self.stories.read(event);
        let main = event.of.as_ref().is_some_and(|of| of.variation == Variation::Main);
        match &event.body {
            Body::RunStarted(_) => self.heading(),
            Body::Started => {
                self.current = event.of.as_ref().map(|of| (of.plan.clone(), of.variation));
                self.progress = None;
                String::new()
            }
            Body::Progress(progress) => {
                self.progress = Some(*progress);
                String::new()
            }
            Body::Finished(_) if main && !self.controls_follow() => self.scenario(event),
            Body::Controlled(_) => self.scenario(event),
            Body::Interrupted { .. } => self.interrupted(),
            Body::RunFinished(_) => {
                self.current = None;
                format!("\n{}", closing(&self.stories, self.allow_unsupported, self.style))
            }
            _ => String::new(),
        }
    }

    /// The line to show while nothing else is printed; without an end.
    #[must_use]
    pub fn live(&self) -> Option<String> {
        let (key, variation) = self.current.as_ref()?;
        let story = self.stories.scenario(key)?;
        let all = self.stories.scenarios.len();
        let mut line = format!("  [{}/{all}] {}", self.done + 1, story.queued.title.scenario);
        if *variation != Variation::Main {
            line.push_str(" (control)");
        }
        if let Some(progress) = self.progress {
            let _ = write!(line, "  {}", progress.sent);
            if progress.planned > 0 {
                let _ = write!(line, "/{}", progress.planned);
            }
            let _ = write!(line, " calls, {} in flight, {} failed", progress.in_flight, progress.failed);
        }
        let cut: String = line.chars().take(self.style.width.saturating_sub(1)).collect();
        Some(self.style.paint(Colour::Faint, cut))
    }

    /// Who stopped the run, and what was under way: that has no verdict, and is nobody's fault.
    fn interrupted(&self) -> String {
        let by = self.stories.stopped_by().unwrap_or_default();
        let under_way = self.current.as_ref().and_then(|(key, _)| self.stories.scenario(key));
        let during = under_way.map_or(String::new(), |story| {
            format!(" during \"{}\", which has no verdict", story.queued.title.scenario)
        });
        format!("\n{}\n", self.style.paint(Colour::Yellow, format!("{by}{during}")))
    }

    fn controls_follow(&self) -> bool {
        self.stories.started.as_ref().is_some_and(|s| s.controls)
    }

    fn heading(&self) -> String {
        let Some(s) = &self.stories.started else { return String::new() };
        let controls = if s.controls { ", each with its control run" } else { "" };
        let sent = s
            .tick
            .filter(|_| self.verbose)
            .map_or_else(String::new, |nanos| format!(" · {}", sent_in(Duration::from_nanos(nanos))));
        let line = format!(
            "squall {} · {} · {}{controls} · seed {} · {}{sent}",
            s.squall,
            s.mesh_version,
            count(u64::from(s.scenarios), "scenario"),
            s.seed,
            s.run,
        );
        format!("{}\n", self.style.paint(Colour::Faint, line))
    }

    fn scenario(&mut self, event: &RunEvent) -> String {
        self.done += 1;
        self.current = None;
        let Some(story) = event.of.as_ref().and_then(|of| self.stories.scenario(&of.plan)) else {
            return String::new();
        };
        let mut text = String::new();
        if self.feature.as_ref() != Some(&story.queued.title.feature) {
            let _ = writeln!(text, "\n{}", self.style.paint(Colour::Bold, &story.queued.title.feature));
            self.feature = Some(story.queued.title.feature.clone());
        }
        text.push_str(&scenario(story, self.style, self.verbose));
        text
    }
}

/// One scenario: a line, and below it whatever did not hold.
/// How the calls of a run are sent.
fn sent_in(tick: Duration) -> String {
    match tick.is_zero() {
        true => "each call sent in its own time (exact)".to_owned(),
        false => format!("calls due within {} sent together (frugal)", duration(tick)),
    }
}

fn scenario(story: &ScenarioStory, style: Style, verbose: bool) -> String {
    let verdict = story.verdict();
    let vacuous = matches!(&story.controlled, Some(c) if c.result == ControlResult::Vacuous);
    let mark = if vacuous && verdict == Verdict::Holds {
        style.paint(Colour::Red, "✗")
    } else {
        block::mark(&verdict, style)
    };
    let mut text = format!("  {mark} {}", story.queued.title.scenario);
    let pad = 62usize.saturating_sub(story.queued.title.scenario.chars().count());
    let (calls, took) = story.finished.as_ref().map_or((0, 0), |f| (f.calls, f.took));
    let facts = format!("{:pad$}{:>11}  {:>6}", "", count(calls, "call"), seconds(took));
    let _ = writeln!(text, "{}{}", style.paint(Colour::Faint, facts), control::in_short(story, style));
    if let Some(quarantine) = &story.queued.quarantine {
        let _ = writeln!(text, "    {}", style.paint(Colour::Yellow, quarantine));
    }
    if verdict != Verdict::Holds {
        text.push_str(&why(story, &verdict, style));
    }
    if let Some(trouble) = &story.rerun {
        let line = format!("    run again, since the machine could not keep up the first time: {trouble}\n");
        text.push_str(&style.paint(Colour::Yellow, line));
    }
    let worth = |v: &Verdict| verbose || *v != Verdict::Holds;
    story.accidents.iter().for_each(|line| {
        let _ = writeln!(text, "    {} {line}", style.paint(Colour::Red, "!"));
    });
    if worth(&verdict) {
        text.push_str(&absence::lines(&story.absences, style));
    }
    story
        .doses
        .iter()
        .filter(|(_, _, count)| verbose || count.dose != Dose::Confirmed)
        .for_each(|(what, origin, count)| text.push_str(&block::dose(what, origin, count, style)));
    let shown: Vec<_> = story.judged.iter().filter(|j| worth(&j.finding.verdict)).collect();
    for (n, judged) in shown.iter().enumerate() {
        text.push_str(&block::claim(judged, &shown[..n], verbose, style));
    }
    text.push_str(&in_force::lines(&story.in_force, &story.unsaid, style));
    text + &control::block(story, style)
}

/// The scenario's verdict where it is not green, with its place and cause.
fn why(story: &ScenarioStory, verdict: &Verdict, style: Style) -> String {
    let colour = if matches!(verdict, Verdict::Violated | Verdict::Error(_)) { Colour::Red } else { Colour::Yellow };
    let told = block::verdict(verdict);
    let reason = told.strip_prefix(verdict.word()).unwrap_or_default();
    let word = style.paint(colour, verdict.word());
    format!("    {word}{reason}  {}\n", style.paint(Colour::Blue, &story.queued.origin))
}

#[cfg(test)]
mod tests;
