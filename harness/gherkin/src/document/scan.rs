//! The lines of a feature file before Gherkin sees them.
//!
//! Gherkin takes a line that begins with no keyword for prose where prose may stand: `Givn a service "web"` becomes a description
//! and the scenario passes with no steps. So each line is looked at first. What is wrong is told and blanked out, with as many
//! bytes, so that the rest can still be read, and all places stay what they were. Tags are taken out too: Gherkin has no
//! places for them, and no blanks in them (`@control(none: "reason")`).

use super::keyword::{self, Lead, Section};
use crate::source::{Index, Mistake};
use squall_model::{Diagnostic, Origin};
use std::collections::BTreeMap;
use std::ops::Range;

/// A tag, with its `@`.
#[derive(Debug, Clone)]
pub(crate) struct Tag {
    pub(crate) text: String,
    pub(crate) origin: Origin,
}

/// What a first look at the lines gives.
pub(crate) struct Scan {
    /// The text for Gherkin: same places, without tags and broken lines.
    pub(crate) clean: String,
    /// The tags that stand before a keyword, by the line of the keyword, from 0.
    pub(crate) tags: BTreeMap<usize, Vec<Tag>>,
    /// What is wrong.
    pub(crate) mistakes: Vec<Diagnostic>,
    /// Lines, from 0, that could not be read.
    pub(crate) broken: Vec<usize>,
}

/// What may stand on the next line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing was read yet.
    Start,
    /// Behind `Feature:` or `Rule:`: prose.
    Opening,
    /// Behind `Background:` or `Scenario:`: prose, then steps.
    Heading,
    /// Behind a step.
    Steps,
    /// Behind `Examples:`: prose, then a table.
    Examples,
    /// Behind a heading that could not be read: all of it is passed over.
    Lost,
}

/// Looks at every line.
pub(crate) fn scan(index: &Index) -> Scan {
    let mut scanner = Scanner {
        index,
        clean: index.text.as_bytes().to_vec(),
        state: State::Start,
        quote: None,
        pending: Vec::new(),
        out: Scan { clean: String::new(), tags: BTreeMap::new(), mistakes: Vec::new(), broken: Vec::new() },
    };
    for number in 0..index.lines() {
        scanner.line(number);
    }
    scanner.finish()
}

struct Scanner<'a> {
    index: &'a Index,
    clean: Vec<u8>,
    state: State,
    /// The quotes that a doc string was opened with.
    quote: Option<(&'static str, usize)>,
    pending: Vec<Tag>,
    out: Scan,
}

impl Scanner<'_> {
    fn line(&mut self, number: usize) {
        let whole = self.index.line(number);
        let text = &self.index.text[whole.clone()];
        let trimmed = text.trim();
        let start = whole.start + (text.len() - text.trim_start().len());
        let span = start..start + trimmed.len();
        if let Some((quote, _)) = self.quote {
            if trimmed.contains(quote) {
                self.quote = None;
            }
            if self.state == State::Lost {
                self.blank(whole);
            }
            return;
        }
        match trimmed.chars().next() {
            None => {}
            Some('#') => self.comment(trimmed, span),
            Some('@') => self.tags(trimmed, start, whole),
            Some('"' | '`') if quotes(trimmed).is_some() => self.doc_string(trimmed, number, whole),
            Some('|') if matches!(self.state, State::Steps | State::Examples) => {}
            Some(_) => self.words(trimmed, number, span, whole),
        }
    }

    fn comment(&mut self, text: &str, span: Range<usize>) {
        let directive = text.trim_start_matches('#').trim().strip_prefix("language").map(str::trim_start);
        if let Some(language) = directive.and_then(|d| d.strip_prefix(':')).map(str::trim).filter(|l| *l != "en") {
            let mistake =
                Mistake::error("language", span.clone(), format!("the sentences are English, not `{language}`"))
                    .label("keywords follow the language of the sentences")
                    .hint("take this line out");
            self.tell(mistake);
            self.blank(span);
        }
    }

    fn tags(&mut self, text: &str, start: usize, whole: Range<usize>) {
        for tag in split_tags(text) {
            let origin = self.index.origin(start + tag.start..start + tag.end);
            let tag_text = text[tag].to_owned();
            if tag_text.starts_with('#') {
                break;
            }
            if !tag_text.starts_with('@') {
                let mistake = Mistake::error("tag", 0..0, format!("`{tag_text}` is no tag"))
                    .label("a tag begins with `@`")
                    .hint("tags stand on a line of their own, divided by blanks");
                self.out.mistakes.push(mistake.at(origin));
                continue;
            }
            self.pending.push(Tag { text: tag_text, origin });
        }
        self.blank(whole);
    }

    fn doc_string(&mut self, text: &str, number: usize, whole: Range<usize>) {
        if self.state == State::Lost {
            self.blank(whole);
        }
        if let Some(quote) = quotes(text) {
            let closed = text[quote.len()..].contains(quote);
            self.quote = (!closed).then_some((quote, number));
        }
    }

    fn words(&mut self, text: &str, number: usize, span: Range<usize>, whole: Range<usize>) {
        match keyword::lead(text) {
            Lead::Section(section) => self.section(section, number, span, whole),
            _ if self.state == State::Lost => {
                if let Some(found) = keyword::heading(text, span, false, false) {
                    self.tell(found.mistake);
                }
                self.blank(whole);
            }
            Lead::Step if matches!(self.state, State::Heading | State::Steps) => self.state = State::Steps,
            Lead::Step => self.step_outside(text, number, span),
            Lead::Other => {
                let prose = matches!(self.state, State::Opening | State::Heading | State::Examples);
                if let Some(found) = keyword::judge(text, span, prose, self.state == State::Opening) {
                    self.tell(found.mistake);
                    self.break_line(number, whole);
                    if found.loses_section {
                        self.state = State::Lost;
                    }
                }
            }
        }
    }

    fn section(&mut self, section: Section, number: usize, span: Range<usize>, whole: Range<usize>) {
        let tags = std::mem::take(&mut self.pending);
        if let Some((message, hint)) = self.misplaced(section) {
            let word = span.start..span.start + self.index.text[span].find(':').unwrap_or(1);
            self.tell(Mistake::error("misplaced", word, message).label("not here").hint(hint));
            self.break_line(number, whole);
            self.state = State::Lost;
            return;
        }
        if !tags.is_empty() {
            self.out.tags.insert(number, tags);
        }
        self.state = match section {
            Section::Feature | Section::Rule => State::Opening,
            Section::Background | Section::Scenario => State::Heading,
            Section::Examples => State::Examples,
        };
    }

    /// Gherkin takes some headings in the wrong place for prose.
    fn misplaced(&self, section: Section) -> Option<(&'static str, &'static str)> {
        match (section, self.state) {
            (Section::Feature, State::Start) => None,
            (Section::Feature, _) => {
                Some(("a second feature", "a file holds one feature: put this one into a file of its own"))
            }
            (_, State::Start) => Some(("no feature has begun", "a file begins with `Feature: …`")),
            (Section::Background, State::Opening | State::Lost) => None,
            (Section::Background, _) => Some((
                "a Background after a scenario",
                "it stands right below its `Feature:` or `Rule:`, once, and holds for all scenarios there",
            )),
            (Section::Examples, State::Opening) => {
                Some(("examples of nothing", "they stand below a `Scenario Outline:`"))
            }
            _ => None,
        }
    }

    /// `When …` in the prose of a feature is prose, unless it says a sentence.
    fn step_outside(&mut self, text: &str, number: usize, span: Range<usize>) {
        if self.state == State::Opening && !keyword::reads_like_a_step(text) {
            return;
        }
        let message = "this step belongs to no scenario";
        let hint = match self.state {
            State::Examples => "steps stand before `Examples:`",
            _ => "begin a `Background:` or a `Scenario:` above it",
        };
        self.tell(Mistake::error("stray-step", span.clone(), message).label("nothing would run it").hint(hint));
        self.break_line(number, span);
    }

    fn tell(&mut self, mistake: Mistake) {
        let origin = self.index.origin(mistake.span.clone());
        self.out.mistakes.push(mistake.at(origin));
    }

    fn break_line(&mut self, number: usize, bytes: Range<usize>) {
        self.out.broken.push(number);
        self.blank(bytes);
    }

    fn blank(&mut self, bytes: Range<usize>) {
        self.clean[bytes].fill(b' ');
    }

    fn finish(mut self) -> Scan {
        if let Some((quote, line)) = self.quote {
            let place = self.index.line(line);
            let text = self.index.text[place.clone()].trim_start();
            let start = place.end - text.len();
            let mistake = Mistake::error("doc-string", start..start + quote.len(), "this doc string never ends")
                .label("opened here")
                .hint(format!("close it with {quote} on a line of its own"));
            self.tell(mistake);
        }
        for tag in std::mem::take(&mut self.pending) {
            let mistake = Mistake::error("stray-tag", 0..0, format!("{} stands before nothing", tag.text))
                .label("no feature, rule, scenario or examples follow");
            self.out.mistakes.push(mistake.at(tag.origin));
        }
        // Whole lines and spans of whole characters were overwritten with blanks: still UTF-8.
        self.out.clean = String::from_utf8_lossy(&self.clean).into_owned();
        self.out
    }
}

fn quotes(text: &str) -> Option<&'static str> {
    ["\"\"\"", "```"].into_iter().find(|quote| text.starts_with(quote))
}

/// The words of a line of tags; blanks within parentheses divide nothing.
fn split_tags(text: &str) -> Vec<Range<usize>> {
    let (mut found, mut open, mut depth, mut quoted) = (Vec::new(), None, 0usize, false);
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted && depth > 0,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        let ends = (c.is_whitespace() && depth == 0) || (c == '@' && depth == 0 && open.is_some());
        match (ends, open) {
            (true, Some(start)) => {
                found.push(start..at);
                open = (!c.is_whitespace()).then_some(at);
            }
            (false, None) if !c.is_whitespace() => open = Some(at),
            _ => {}
        }
    }
    found.extend(open.map(|start| start..text.len()));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_may_have_blanks_within_parentheses() {
        let line = "@smoke @control(none: \"a @b (c)\") @x@y # not this";
        let words: Vec<&str> = split_tags(line).into_iter().map(|r| &line[r]).collect();
        assert_eq!(words[..4], ["@smoke", "@control(none: \"a @b (c)\")", "@x", "@y"]);
    }
}
