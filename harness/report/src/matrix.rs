//! Several runs of the same features side by side: features × releases, and below it what differs.

use crate::{
    block, control,
    story::{ScenarioStory, Stories},
    style::{Colour, Style},
    words::measured,
};
use squall_model::{ControlResult, Verdict};
use std::fmt::Write;

/// A run of all features on one release.
#[derive(Debug, Clone, Copy)]
pub struct Column<'a> {
    /// The release, or the mesh: `1.40.0`, `istio`.
    pub on: &'a str,
    /// What came of it.
    pub stories: &'a Stories,
}

/// The table: a row a feature, a column a run. Then each scenario that did not come to the same everywhere, with the lines that
/// tell why; nothing where there is no difference.
#[must_use]
pub fn matrix(columns: &[Column<'_>], style: Style) -> String {
    let features = features(columns);
    let name = features.iter().map(|f| f.chars().count()).max().unwrap_or(0).max(8);
    let width = columns.iter().map(|c| c.on.chars().count()).max().unwrap_or(0).max(9) + 2;
    let mut text = format!("\n{:name$}", "");
    for column in columns {
        let _ = write!(text, "  {:<width$}", column.on);
    }
    end_line(&mut text);
    for feature in &features {
        let _ = write!(text, "{feature:name$}");
        for column in columns {
            let cell = Cell::of(column.stories, feature);
            let (plain, colour) = (cell.text(), cell.colour());
            let pad = width.saturating_sub(plain.chars().count());
            let _ = write!(text, "  {}{:pad$}", style.paint(colour, plain), "");
        }
        end_line(&mut text);
    }
    text.push_str(&differences(columns, style));
    text
}

/// Ends a row; what would only be blanks at its end is left out.
fn end_line(text: &mut String) {
    text.truncate(text.trim_end_matches(' ').len());
    text.push('\n');
}

fn features(columns: &[Column<'_>]) -> Vec<String> {
    let mut features: Vec<String> = Vec::new();
    for (_, story) in columns.iter().flat_map(|c| &c.stories.scenarios) {
        if !features.contains(&story.queued.title.feature) {
            features.push(story.queued.title.feature.clone());
        }
    }
    features
}

/// What came of one feature on one release.
#[derive(Debug, Default)]
struct Cell {
    holds: u32,
    red: u32,
    errors: u32,
    open: u32,
    unsupported: u32,
}

impl Cell {
    fn of(stories: &Stories, feature: &str) -> Cell {
        let mut cell = Cell::default();
        for (_, story) in stories.scenarios.iter().filter(|(_, s)| s.queued.title.feature == feature) {
            match came(story) {
                Came::Holds => cell.holds += 1,
                Came::Violated | Came::Vacuous => cell.red += 1,
                Came::Error => cell.errors += 1,
                Came::Inconclusive | Came::NotRun => cell.open += 1,
                Came::Unsupported => cell.unsupported += 1,
            }
        }
        cell
    }

    fn text(&self) -> String {
        let part = |n: u32, mark: &str| (n > 0).then(|| format!("{mark} {n}"));
        let parts = [
            part(self.holds, "✓"),
            part(self.red, "✗"),
            part(self.errors, "!"),
            part(self.open, "?"),
            part(self.unsupported, "–"),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if parts.is_empty() { "not run".to_owned() } else { parts.join(" ") }
    }

    fn colour(&self) -> Colour {
        match self {
            Cell { red: 1.., .. } | Cell { errors: 1.., .. } => Colour::Red,
            Cell { open: 0, unsupported: 0, .. } => Colour::Green,
            _ => Colour::Yellow,
        }
    }
}

/// What a scenario came to, its control runs included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    Holds,
    Violated,
    Vacuous,
    Inconclusive,
    Unsupported,
    Error,
    NotRun,
}

fn came(story: &ScenarioStory) -> Came {
    if story.finished.is_none() {
        return Came::NotRun;
    }
    let control = story.controlled.as_ref().map(|c| &c.result);
    match (story.verdict(), control) {
        (Verdict::Violated, _) => Came::Violated,
        (Verdict::Error(_), _) | (_, Some(ControlResult::Error(_))) => Came::Error,
        (Verdict::Inconclusive(_), _) | (_, Some(ControlResult::Undecided)) => Came::Inconclusive,
        (Verdict::Unsupported(_), _) => Came::Unsupported,
        (Verdict::Holds, Some(ControlResult::Vacuous)) => Came::Vacuous,
        (Verdict::Holds, _) => Came::Holds,
    }
}

fn differences(columns: &[Column<'_>], style: Style) -> String {
    let mut text = String::new();
    let Some(first) = columns.first() else { return text };
    for (key, story) in &first.stories.scenarios {
        let each: Vec<(&str, &ScenarioStory)> =
            columns.iter().filter_map(|c| Some((c.on, c.stories.scenario(key)?))).collect();
        let all_alike = each.iter().all(|(_, other)| came(other) == came(story));
        if !all_alike {
            text.push_str(&difference(&each, style));
        }
    }
    text
}

/// One scenario, release by release: its verdict, and the lines that did not hold with what was measured.
fn difference(each: &[(&str, &ScenarioStory)], style: Style) -> String {
    let Some((_, one)) = each.first() else { return String::new() };
    let mut text = format!(
        "\n{} · {}  {}\n",
        style.paint(Colour::Bold, &one.queued.title.feature),
        one.queued.title.scenario,
        style.paint(Colour::Blue, &one.queued.origin)
    );
    for (release, story) in each {
        if came(story) == Came::NotRun {
            let _ = writeln!(text, "    {release:<10} not run to its end");
            continue;
        }
        let verdict = story.verdict();
        let vacuous = if came(story) == Came::Vacuous { ", vacuous" } else { "" };
        let _ = writeln!(text, "  {} {release:<10} {}{vacuous}", block::mark(&verdict, style), verdict.word());
        for judged in story.judged.iter().filter(|j| j.finding.verdict != Verdict::Holds) {
            let _ = writeln!(text, "    line {}: {}", judged.origin.line, judged.text);
            let _ = writeln!(text, "      measured {}", measured(&judged.finding.measured, &judged.finding.verdict));
        }
        if let Some(why) = control::why(story) {
            let _ = writeln!(text, "    control undecided: {why}");
        }
        let why = match &verdict {
            Verdict::Error(why) | Verdict::Unsupported(why) => why.clone(),
            Verdict::Inconclusive(why) => why.to_string(),
            Verdict::Holds | Verdict::Violated => continue,
        };
        let _ = writeln!(text, "    {why}");
    }
    text
}
