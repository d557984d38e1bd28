//! A feature file as scenarios with steps that know their places: what Gherkin reads, outlines written out.

mod keyword;
mod outline;
mod scan;
mod text;

pub(crate) use scan::Tag;
pub(crate) use text::Text;

use crate::source::{Index, Mistake};
use gherkin::{Feature, GherkinEnv, StepType};
use scan::Scan;
use squall_model::{Diagnostic, Origin};
use std::ops::RangeInclusive;

/// A feature with its scenarios.
pub(crate) struct Document {
    pub(crate) feature: String,
    pub(crate) cases: Vec<Case>,
}

/// A scenario, or one row of an outline.
pub(crate) struct Case {
    pub(crate) name: String,
    /// The name as written, with its placeholders: rows of one outline share it.
    pub(crate) template: String,
    /// Of feature, rule, scenario and examples, in this order; the number is that level.
    pub(crate) tags: Vec<(usize, Tag)>,
    /// The row of the outline: column and value.
    pub(crate) row: Vec<(String, String)>,
    /// Its heading, or its row.
    pub(crate) origin: Origin,
    /// The lines that select it, from 1: its own, or its row; `None` for what all of an outline shares.
    pub(crate) lines: RangeInclusive<u32>,
    /// For a row of an outline: the lines of the outline but its tables.
    pub(crate) shared: Option<RangeInclusive<u32>>,
    pub(crate) steps: Vec<Step>,
    /// Some line of it could not be read: what is missing may be no mistake.
    pub(crate) broken: bool,
}

/// One step.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) ty: StepType,
    /// The keyword as written.
    pub(crate) keyword: String,
    /// The scenario's own, not its Background's.
    pub(crate) own: bool,
    pub(crate) text: Text,
    /// Bytes of the keyword.
    pub(crate) keyword_at: std::ops::Range<usize>,
    /// What hangs on it below: a `doc string` or a `table`.
    pub(crate) hangs: Option<&'static str>,
}

/// Reads a file. What is wrong with it comes with what could be read.
pub(crate) fn read(index: &Index) -> (Option<Document>, Vec<Diagnostic>) {
    let mut scan = scan::scan(index);
    let mut mistakes = std::mem::take(&mut scan.mistakes);
    match Feature::parse(&scan.clean, GherkinEnv::default()) {
        Ok(feature) => {
            let mut reader = Reader { index, scan: &scan, mistakes: Vec::new() };
            let document = reader.feature(&feature);
            mistakes.extend(reader.mistakes);
            (Some(document), mistakes)
        }
        Err(error) => {
            if mistakes.is_empty() {
                mistakes.push(unparsable(index, &error.to_string()));
            }
            (None, mistakes)
        }
    }
}

/// Gherkin's own error, `Error at 6:10: {…}`, at its place.
fn unparsable(index: &Index, error: &str) -> Diagnostic {
    let place = error.strip_prefix("Error at ").and_then(|e| e.split_once(": ")).map(|(place, _)| place);
    let numbers = place.and_then(|p| p.split_once(':')).and_then(|(l, c)| Some((l.parse().ok()?, c.parse().ok()?)));
    let (line, column): (usize, usize) = numbers.unwrap_or((1, 1));
    let bytes = index.line(line.saturating_sub(1));
    let start = (bytes.start + column.saturating_sub(1)).min(bytes.end);
    let mistake = match index.text.trim().is_empty() {
        true => Mistake::error("empty-file", 0..0, "this file is empty").hint("a feature begins with `Feature:`"),
        false => Mistake::error("syntax", start..bytes.end, "Gherkin cannot read on from here")
            .hint("a file holds one `Feature:`, then a `Background:` if there is one, then scenarios, then rules"),
    };
    let origin = index.origin(mistake.span.clone());
    mistake.label("unexpected").at(origin)
}

struct Reader<'a> {
    index: &'a Index,
    scan: &'a Scan,
    mistakes: Vec<Diagnostic>,
}

/// What a scenario has from above it.
#[derive(Clone, Default)]
struct Above {
    tags: Vec<(usize, Tag)>,
    steps: Vec<Step>,
    broken: bool,
}

impl Reader<'_> {
    fn feature(&mut self, feature: &Feature) -> Document {
        let mut above = Above { tags: self.tags(0, feature.span.start), ..Above::default() };
        self.background(feature.background.as_ref(), &mut above);
        let mut cases: Vec<Case> = Vec::new();
        for scenario in &feature.scenarios {
            cases.extend(self.scenario(scenario, &above));
        }
        for rule in &feature.rules {
            let mut above = above.clone();
            above.tags.extend(self.tags(1, rule.span.start));
            self.background(rule.background.as_ref(), &mut above);
            for scenario in &rule.scenarios {
                cases.extend(self.scenario(scenario, &above));
            }
        }
        Document { feature: feature.name.trim().to_owned(), cases }
    }

    fn background(&mut self, background: Option<&gherkin::Background>, above: &mut Above) {
        if let Some(background) = background {
            above.steps.extend(self.steps(&background.steps, false));
            above.broken |= self.is_broken(background.span);
        }
    }

    fn scenario(&mut self, scenario: &gherkin::Scenario, above: &Above) -> Vec<Case> {
        let heading = self.keyword_line(scenario.span.start, &scenario.keyword);
        let line = self.index.line(heading);
        let text = &self.index.text[line.clone()];
        let start = line.start + (text.len() - text.trim_start().len());
        let mut tags = above.tags.clone();
        tags.extend(self.scan.tags.get(&heading).into_iter().flatten().map(|tag| (2, tag.clone())));
        let mut steps = above.steps.clone();
        steps.extend(self.steps(&scenario.steps, true));
        let name = scenario.name.trim().to_owned();
        let case = Case {
            template: name.clone(),
            name,
            tags,
            row: Vec::new(),
            origin: self.index.origin(start..line.end),
            lines: number(heading)..=number(self.last_line(scenario.span)),
            shared: None,
            steps,
            broken: above.broken || self.is_broken(scenario.span),
        };
        let is_outline = scenario.keyword.ends_with("Outline") || scenario.keyword.ends_with("Template");
        if is_outline || !scenario.examples.is_empty() { self.rows(&case, &scenario.examples) } else { vec![case] }
    }

    fn steps(&self, steps: &[gherkin::Step], own: bool) -> Vec<Step> {
        steps.iter().map(|step| self.step(step, own)).collect()
    }

    fn step(&self, step: &gherkin::Step, own: bool) -> Step {
        let number = self.keyword_line(step.span.start, &step.keyword);
        let line = self.index.line(number);
        let text = &self.index.text[line.clone()];
        let keyword = step.keyword.trim();
        let start = line.start + text.find(keyword).unwrap_or(0);
        let after = start + keyword.len();
        let value = step.value.trim();
        let from = self.index.text[after..line.end].find(value).map_or(after, |at| after + at);
        Step {
            ty: step.ty,
            keyword: keyword.to_owned(),
            own,
            text: Text::verbatim(value, from),
            keyword_at: start..after,
            hangs: step.docstring.as_ref().map(|_| "doc string").or(step.table.as_ref().map(|_| "table")),
        }
    }

    /// The line, from 0, on which the keyword stands: a span may begin at comments before it.
    fn keyword_line(&self, byte: usize, keyword: &str) -> usize {
        let first = self.index.line_of(byte);
        let begins =
            |number: &usize| self.index.text[self.index.line(*number)].trim_start().starts_with(keyword.trim());
        (first..self.index.lines()).find(begins).unwrap_or(first)
    }

    fn tags(&self, level: usize, byte: usize) -> Vec<(usize, Tag)> {
        let first = self.index.line_of(byte);
        let found = self.scan.tags.range(first..).next().filter(|(line, _)| **line == first);
        found.into_iter().flat_map(|(_, tags)| tags).map(|tag| (level, tag.clone())).collect()
    }

    /// The last line, from 0, of a span that has anything on it.
    fn last_line(&self, span: gherkin::Span) -> usize {
        let first = self.index.line_of(span.start);
        let last = self.index.line_of(span.end.min(self.index.text.len()).max(1) - 1);
        let full =
            |number: &usize| !self.scan.clean.get(self.index.line(*number)).unwrap_or_default().trim().is_empty();
        (first..=last).rev().find(full).unwrap_or(first)
    }

    fn is_broken(&self, span: gherkin::Span) -> bool {
        let lines = self.index.line_of(span.start)..=self.index.line_of(span.end.max(1) - 1);
        self.scan.broken.iter().any(|line| lines.contains(line))
    }
}

/// Lines of files count from 1.
fn number(line: usize) -> u32 {
    u32::try_from(line + 1).unwrap_or(u32::MAX)
}
