//! What the control runs came to: a few words behind a scenario, and where they decided nothing, why, and what would help.

use crate::{
    block::{self, row},
    dose, help,
    story::{ControlStory, ScenarioStory},
    style::{Colour, Style},
    words::{count, measured},
};
use squall_model::{ControlResult, Dose, Judged, PolicyId, Variation, Verdict, Why};
use std::fmt::Write;

/// So many undecided lines of a control run are shown.
const SHOWN: usize = 3;

/// A few words, to follow the scenario's own line.
pub(crate) fn in_short(story: &ScenarioStory, style: Style) -> String {
    let Some(controlled) = &story.controlled else { return String::new() };
    match &controlled.result {
        ControlResult::Red => {
            let line = |id| story.queued.claims.iter().find(|(claim, ..)| *claim == id).map(|(_, _, o)| o.line);
            let first = controlled.runs.iter().flat_map(|(_, _, violated)| violated).find_map(|id| line(*id));
            let at = first.map(|line| format!(" at line {line}")).unwrap_or_default();
            style.paint(Colour::Faint, format!("  control red{at}"))
        }
        ControlResult::Vacuous => {
            style.paint(Colour::Red, "  vacuous: it holds without what it tests, so it tests nothing")
        }
        ControlResult::Undecided => style.paint(Colour::Yellow, "  ? control undecided"),
        ControlResult::Error(why) => style.paint(Colour::Red, format!("  control in error: {why}")),
        ControlResult::None(why) => style.paint(Colour::Yellow, format!("  no control: {why}")),
        ControlResult::Skipped => String::new(),
    }
}

/// Why the control runs decided nothing, in one sentence; `None` where they did decide.
pub(crate) fn why(story: &ScenarioStory) -> Option<String> {
    undecided(story)?;
    Some(match open(story).next() {
        None => {
            "every line holds in the control run as well, which decides nothing while the scenario itself does not hold"
                .to_owned()
        }
        Some((run, came)) => {
            let what = without(story, run.variation);
            match lines(run).next() {
                Some(judged) => {
                    format!("{what}, line {} is {}", judged.origin.line, block::verdict(&judged.finding.verdict))
                }
                None => format!("{what}, the run is {}", block::verdict(came)),
            }
        }
    })
}

/// The lines below a scenario whose control runs decided nothing: which of them, at which lines, why, and what would help.
pub(crate) fn block(story: &ScenarioStory, style: Style) -> String {
    let Some(why) = why(story) else { return String::new() };
    let mut text = String::new();
    let mark = style.paint(Colour::Yellow, "?");
    if open(story).next().is_none() {
        let _ = writeln!(text, "    {mark} control undecided: {why}");
    }
    for (run, came) in open(story) {
        let what = without(story, run.variation);
        let _ = writeln!(text, "    {mark} control undecided: {what}, no line is violated and not all of them hold");
        if lines(run).next().is_none() {
            text.push_str(&row("so", &block::verdict(came), style));
        }
        for judged in lines(run).take(SHOWN) {
            text.push_str(&line(judged, run, style));
        }
        let more = lines(run).count().saturating_sub(SHOWN) as u64;
        if more > 0 {
            text.push_str(&row("", &format!("… and {} more", count(more, "line")), style));
        }
    }
    text
}

/// One line that the control run left open.
fn line(judged: &Judged, run: &ControlStory, style: Style) -> String {
    let verdict = &judged.finding.verdict;
    let mut text = row(&format!("line {}", judged.origin.line), &judged.text, style);
    text.push_str(&row("measured", &measured(&judged.finding.measured, verdict), style));
    text.push_str(&row("so", &block::verdict(verdict), style));
    if let Verdict::Inconclusive(Why::Dose { fault, .. }) = verdict {
        let own = run.doses.iter().find(|(.., count)| count.fault == *fault && count.dose != Dose::Confirmed);
        if let Some((what, _, count)) = own {
            let says = dose::says(count).replace('\n', "\n          ");
            text.push_str(&row("fault", &format!("{what}: {says}"), style));
        }
    }
    if let Some(help) = help::of_control(verdict) {
        text.push_str(&row("help", help, style));
    }
    text
}

fn undecided(story: &ScenarioStory) -> Option<()> {
    matches!(story.controlled.as_ref()?.result, ControlResult::Undecided).then_some(())
}

/// The control runs that neither broke a line nor held in all of them, with what each came to.
fn open(story: &ScenarioStory) -> impl Iterator<Item = (&ControlStory, &Verdict)> {
    let runs = story.controlled.iter().flat_map(|c| &c.runs).filter(|(_, came, _)| *came != Verdict::Holds);
    runs.filter_map(|(variation, came, _)| Some((story.controls.iter().find(|c| c.variation == *variation)?, came)))
}

/// The lines that it left open.
fn lines(run: &ControlStory) -> impl Iterator<Item = &Judged> {
    run.judged.iter().filter(|judged| judged.finding.verdict != Verdict::Holds)
}

/// What was taken away.
fn without(story: &ScenarioStory, variation: Variation) -> String {
    variation.words(|id| policy(story, id))
}

fn policy(story: &ScenarioStory, id: PolicyId) -> String {
    let own = story.queued.policies.iter().find(|(policy, _)| *policy == id);
    // A recording that does not say where its policies were written.
    own.map_or_else(|| "one of its policies".to_owned(), |(_, at)| format!("the policy of line {}", at.line))
}

#[cfg(test)]
mod tests;
