//! The last lines of a run: what it came to, which scenarios made it so, and what its exit status means.

use crate::{
    block, control,
    story::{ScenarioStory, Stories},
    style::{Colour, Style},
    words::{count, thousands},
};
use squall_model::{ControlResult, Origin, Totals, Verdict, Why};
use std::fmt::Write;

/// So many scenarios are named; the others are counted.
const NAMED: usize = 3;

/// The last lines of a run. `allow_unsupported`: what is unsupported counts as green.
#[must_use]
pub fn closing(stories: &Stories, allow_unsupported: bool, style: Style) -> String {
    let totals = stories.totals();
    let mut text = format!("{}\n", sums(&totals, style));
    if totals.alpha > 0.0 {
        let _ = writeln!(text, "{}", style.paint(Colour::Faint, false_alarm(totals.alpha)));
    }
    // A run that did not end by itself had no exit status of ours.
    let status = stories.totals.map_or(0, |_| stories.exit_status(allow_unsupported));
    if status != 0 {
        text.push_str(&culprits(stories, status, allow_unsupported, style));
        let colour = if matches!(status, 1 | 3) { Colour::Red } else { Colour::Yellow };
        let means = format!("exit status {status}: {}", meaning(stories, &totals, status));
        let _ = writeln!(text, "{}", style.paint(colour, means));
    }
    text
}

fn sums(totals: &Totals, style: Style) -> String {
    let part = |n: u32, word: &str, colour| (n > 0).then(|| style.paint(colour, format!("{n} {word}")));
    let verdicts: Vec<String> = [
        part(totals.holds, if totals.holds == 1 { "holds" } else { "hold" }, Colour::Green),
        part(totals.violated, "violated", Colour::Red),
        part(totals.vacuous, "vacuous", Colour::Red),
        part(totals.error, "in error", Colour::Red),
        part(totals.inconclusive, "inconclusive", Colour::Yellow),
        part(totals.unsupported, "unsupported", Colour::Yellow),
        part(totals.quarantined, "in quarantine", Colour::Yellow),
        part(totals.not_run, "not run", Colour::Yellow),
    ]
    .into_iter()
    .flatten()
    .collect();
    let verdicts = if verdicts.is_empty() { "nothing ran".to_owned() } else { verdicts.join(", ") };
    let mut text = format!("{}: {verdicts}", count(u64::from(totals.scenarios + totals.not_run), "scenario"));
    let controls =
        totals.controls_red + totals.vacuous + totals.controls_undecided + totals.controls_none + totals.controls_error;
    if controls > 0 {
        let _ = write!(text, " · {}: {} red", count(u64::from(controls), "control"), totals.controls_red);
        for (n, word) in [
            (totals.vacuous, "vacuous"),
            (totals.controls_undecided, "undecided"),
            (totals.controls_none, "waived"),
            (totals.controls_error, "in error"),
        ] {
            if n > 0 {
                let _ = write!(text, ", {n} {word}");
            }
        }
    }
    let _ = write!(text, " · {:.1} s", totals.wall_s);
    text
}

/// The run's false-alarm rate, as one in so many.
fn false_alarm(alpha: f64) -> String {
    let runs = thousands((1.0 / alpha).round() as u64);
    format!("a red by chance among the statistical claims: at most once in {runs} such runs")
}

/// What the status says of this run.
fn meaning(stories: &Stories, totals: &Totals, status: u8) -> &'static str {
    match status {
        1 if totals.vacuous == 0 => "something is violated",
        1 if totals.violated == 0 => "something holds without what it tests (vacuous)",
        1 => "something is violated, or holds without what it tests (vacuous)",
        // What was under way then is told as an error.
        3 if stories.was_stopped() => "the run was stopped before all of it was judged",
        3 if totals.error + totals.controls_error > 0 => "an error kept something from being judged",
        4 => "nothing ran",
        5 if stories.aborted.is_some() => "a guard aborted the run before all of it was judged",
        5 if totals.inconclusive + totals.controls_undecided > 0 => {
            "nothing is violated, but not everything was decided"
        }
        5 if totals.unsupported > 0 => {
            "nothing is violated, but something is unsupported (`--allow-unsupported` counts that as green)"
        }
        5 => "nothing that counts was shown: all of it is in quarantine",
        _ => "an error of the environment",
    }
}

/// The first scenarios that made the status what it is, a line each.
fn culprits(stories: &Stories, status: u8, allow_unsupported: bool, style: Style) -> String {
    let counts = |c: &Culprit<'_>| !(allow_unsupported && matches!(c.story.verdict(), Verdict::Unsupported(_)));
    let all: Vec<Culprit<'_>> = Culprit::all(stories).filter(|c| c.status == status && counts(c)).collect();
    let mut text = String::new();
    for Culprit { story, at, came, .. } in all.iter().take(NAMED) {
        let colour = if matches!(status, 1 | 3) { Colour::Red } else { Colour::Yellow };
        let mark = style.paint(
            colour,
            if status == 1 {
                "✗"
            } else if status == 3 {
                "!"
            } else {
                "?"
            },
        );
        let at = style.paint(Colour::Blue, at);
        let _ = writeln!(text, "  {mark} {at}  {}: {came}", story.queued.title.scenario);
    }
    if let Some(more @ 1..) = all.len().checked_sub(NAMED) {
        let _ = writeln!(text, "    {}", style.paint(Colour::Faint, format!("… and {more} more")));
    }
    text
}

/// A scenario that is not green, and where.
pub(crate) struct Culprit<'a> {
    pub(crate) story: &'a ScenarioStory,
    /// The exit status that it makes, if nothing is worse.
    status: u8,
    /// The line that made it so; where it was no line, the scenario's own.
    pub(crate) at: &'a Origin,
    /// What it came to.
    pub(crate) came: String,
}

impl<'a> Culprit<'a> {
    /// Each, in the order in which they were run; what is in quarantine does not count.
    pub(crate) fn all(stories: &'a Stories) -> impl Iterator<Item = Culprit<'a>> {
        let counted = stories.scenarios.iter().map(|(_, story)| story).filter(|story| story.kept_out().is_none());
        counted.filter_map(Culprit::of)
    }

    /// `None` for a scenario that is green, or was not run.
    fn of(story: &'a ScenarioStory) -> Option<Culprit<'a>> {
        story.finished.as_ref()?;
        let verdict = story.verdict();
        let control = story.controlled.as_ref().map(|c| &c.result);
        let (status, came) = match (&verdict, control) {
            (Verdict::Violated, _) => (1, "violated".to_owned()),
            (Verdict::Holds, Some(ControlResult::Vacuous)) => (1, "vacuous".to_owned()),
            (Verdict::Error(_), _) => (3, block::verdict(&verdict)),
            (_, Some(ControlResult::Error(why))) => (3, format!("control in error: {why}")),
            (Verdict::Inconclusive(_) | Verdict::Unsupported(_), _) => (5, block::verdict(&verdict)),
            (Verdict::Holds, _) => (5, format!("control undecided: {}", control::why(story)?)),
        };
        let line = story.judged.iter().find(|judged| judged.finding.verdict == verdict);
        let at = match &story.finished.as_ref()?.verdict {
            Verdict::Inconclusive(Why::Aborted(met)) => &met.origin,
            Verdict::Holds => &story.queued.origin,
            _ => line.map_or(&story.queued.origin, |judged| &judged.origin),
        };
        Some(Culprit { story, status, at, came })
    }
}

#[cfg(test)]
mod tests;
