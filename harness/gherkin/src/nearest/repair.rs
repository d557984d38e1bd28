//! Changes after which a line is a sentence that can be run.
//!
//! First what people write instead of a phrase of the language ([`super::phrases`]), then single words, then both. What is
//! put forward must say what the line says: a word is never changed or left out where that loses a `not`, or a number.

use super::agree::agree;
use super::phrases::{double_quotes, phrases};
use super::vocabulary::{is_filling, is_foreign, likely_words};
use super::{Due, Progress, progress};
use crate::matcher::{Match, language};
use gherkin::StepType;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;

/// Phrases that may be wrong in one line.
const PHRASES_IN_A_LINE: usize = 3;
/// Lines that are tried for one that is no sentence: who writes a whole story in a line gets no repair, and soon.
const TRIED: usize = 2_000;

/// Lines that are sentences, near one that is not, and what was done to it.
#[derive(Debug, Clone)]
pub(crate) struct Repair {
    /// The line that reads; or several.
    pub(crate) lines: Vec<String>,
    /// Several say it only together; else one of them was meant, and nobody knows which.
    pub(crate) together: bool,
    /// The bytes of the old line that were wrong.
    pub(crate) span: Range<usize>,
    /// What to do, for people.
    pub(crate) hint: String,
}

/// What is put forward: a sentence under this keyword that this version can run.
struct Wanted {
    step: StepType,
    runs: fn(&str, &Match) -> bool,
    /// Lines that were looked at, and what they read as.
    read: RefCell<HashMap<String, Option<String>>>,
    /// Lines that were looked at for what is wrong in them, with how many phrases, and what came of it.
    mended: RefCell<HashMap<String, (usize, Option<Repair>)>>,
}

impl Wanted {
    /// The line as a sentence, its claim in the right number.
    fn read(&self, line: &str) -> Option<String> {
        if let Some(known) = self.read.borrow().get(line) {
            return known.clone();
        }
        if !self.may_go_on() {
            return None;
        }
        let found =
            language().find(self.step, line).filter(|found| (self.runs)(line, found)).map(|found| agree(line, &found));
        self.read.borrow_mut().insert(line.to_owned(), found.clone());
        found
    }

    fn may_go_on(&self) -> bool {
        self.read.borrow().len() < TRIED
    }

    /// The change, if all of its lines are sentences.
    fn reads(&self, change: &Repair) -> Option<Repair> {
        let lines = change.lines.iter().map(|line| self.read(line)).collect::<Option<Vec<_>>>()?;
        Some(Repair { lines, ..change.clone() })
    }
}

/// Changes after which the line is a sentence that `runs`.
pub(crate) fn repair(step: StepType, line: &str, runs: fn(&str, &Match) -> bool) -> Option<Repair> {
    let wanted = Wanted { step, runs, read: RefCell::default(), mended: RefCell::default() };
    if let Some(quotes) = double_quotes(line) {
        return wanted.reads(&quotes).or_else(|| go_on(&wanted, &quotes, PHRASES_IN_A_LINE));
    }
    within(&wanted, line, PHRASES_IN_A_LINE)
}

/// What is wrong within a line. Phrases are found in any order: what comes of a line is looked up the second time.
fn within(wanted: &Wanted, line: &str, phrases_left: usize) -> Option<Repair> {
    if let Some((with, known)) = wanted.mended.borrow().get(line)
        && *with >= phrases_left
    {
        return known.clone();
    }
    let mended = wanted.may_go_on().then(|| mend(wanted, line, phrases_left)).flatten();
    wanted.mended.borrow_mut().insert(line.to_owned(), (phrases_left, mended.clone()));
    mended
}

fn mend(wanted: &Wanted, line: &str, phrases_left: usize) -> Option<Repair> {
    let changes = if phrases_left > 0 { phrases(line) } else { Vec::new() };
    changes
        .iter()
        .find_map(|change| wanted.reads(change))
        .or_else(|| one_word(wanted, line))
        .or_else(|| insertion(wanted, line))
        .or_else(|| all_words(wanted, line))
        .or_else(|| changes.iter().find_map(|change| go_on(wanted, change, phrases_left - 1)))
}

/// A change that is not enough, and what else is wrong in its line; of several lines, in each of them.
fn go_on(wanted: &Wanted, change: &Repair, phrases_left: usize) -> Option<Repair> {
    let Repair { together, span, hint, .. } = change;
    if let [line] = change.lines.as_slice() {
        let rest = within(wanted, line, phrases_left)?;
        let hint = if rest.hint == *hint { rest.hint } else { format!("{hint}, and {}", rest.hint) };
        return Some(Repair { span: span.clone(), hint, ..rest });
    }
    let only = |rest: Repair| <[String; 1]>::try_from(rest.lines).ok().map(|[line]| line);
    let read = |line: &String| wanted.read(line).or_else(|| within(wanted, line, phrases_left).and_then(only));
    let lines = change.lines.iter().map(read).collect::<Option<Vec<_>>>()?;
    Some(Repair { lines, together: *together, span: span.clone(), hint: hint.clone() })
}

/// Whether one line says no less than another: every `not`, and every number.
fn keeps(old: &str, new: &str) -> bool {
    denials(old) == denials(new) && numbers(old) == numbers(new)
}

/// Whether a line says no.
pub(crate) fn denies(line: &str) -> bool {
    denials(line) > 0
}

/// How often a line says no.
pub(super) fn denials(line: &str) -> usize {
    const DENIALS: [&str; 12] =
        ["no", "not", "never", "none", "nobody", "nothing", "neither", "nor", "cannot", "without", "dont", "doesnt"];
    let denies = |word: &str| {
        let plain = word.to_lowercase().replace(['\'', '’'], "");
        DENIALS.contains(&plain.as_str()) || word.ends_with("n't") || word.ends_with("n’t")
    };
    words(line).into_iter().filter(|span| denies(&line[span.clone()])).count()
}

/// Its numbers outside of quotes, in order, without their units.
fn numbers(line: &str) -> Vec<String> {
    let unquoted: String = line.split('"').step_by(2).collect::<Vec<_>>().join(" ");
    let pieces = unquoted.split(|c: char| !(c.is_ascii_digit() || c == '.'));
    pieces.map(|piece| piece.trim_matches('.').to_owned()).filter(|piece| !piece.is_empty()).collect()
}

/// One word written otherwise, given a unit or quotes, or left out.
fn one_word(wanted: &Wanted, line: &str) -> Option<Repair> {
    let written = |span: Range<usize>, (news, hint): (Vec<String>, String)| {
        let fixed = news.iter().map(|new| replaced(line, &span, new)).filter(|fixed| keeps(line, fixed));
        // Of several, those that read: a number may be a time or a share.
        let lines: Vec<String> = fixed.filter_map(|fixed| wanted.read(&fixed)).collect();
        (!lines.is_empty()).then_some(Repair { lines, together: false, span, hint })
    };
    words(line).into_iter().find_map(|span| {
        let ways = changes(&line[span.clone()]);
        ways.into_iter().find_map(|way| written(span.clone(), way))
    })
}

fn replaced(line: &str, span: &Range<usize>, new: &str) -> String {
    let fixed = format!("{}{new}{}", &line[..span.start], &line[span.end..]);
    if new.is_empty() { fixed.replacen("  ", " ", 1).trim().to_owned() } else { fixed }
}

/// What a word may have been meant to be, most likely first, each with what to do.
fn changes(word: &str) -> Vec<(Vec<String>, String)> {
    let mut all: Vec<(Vec<String>, String)> =
        likely_words(word).into_iter().map(|new| (vec![new.clone()], format!("write `{new}`"))).collect();
    if word.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        let times = ["ms", "s"].map(|unit| format!("{word} {unit}")).to_vec();
        all.push((times, format!("give a unit: `{word} ms`, `{word} s`, `{word} min`")));
        all.push((vec![format!("{word}%")], format!("a share has its sign: `{word}%`")));
    }
    all.push((vec![format!("\"{word}\"")], format!("names stand in quotes: `\"{word}\"`")));
    if is_filling(word) {
        all.push((vec![String::new()], format!("leave out `{word}`")));
    }
    all
}

/// Every word that the language does not have, written as the most likely one that it has.
fn all_words(wanted: &Wanted, line: &str) -> Option<Repair> {
    let unknown: Vec<(Range<usize>, Vec<String>)> = words(line)
        .into_iter()
        .filter(|span| !line[span.clone()].starts_with(|c: char| c.is_ascii_digit()))
        .filter(|span| is_foreign(&line[span.clone()]))
        .map(|span| (span.clone(), likely_words(&line[span])))
        .collect();
    if unknown.is_empty() || unknown.len() > 4 || unknown.iter().any(|(_, likely)| likely.is_empty()) {
        return None;
    }
    // The first two guesses for each: 16 lines at the most.
    (0..1usize << unknown.len()).find_map(|choice| {
        let mut fixed = line.to_owned();
        let mut hints = Vec::new();
        for (number, (span, likely)) in unknown.iter().enumerate().rev() {
            let new = likely.get(choice >> number & 1)?;
            fixed.replace_range(span.clone(), new);
            hints.insert(0, format!("`{new}`"));
        }
        let span = unknown.first()?.0.start..unknown.last()?.0.end;
        let hint = format!("write {}", hints.join(" and "));
        let read = Some(fixed).filter(|fixed| keeps(line, fixed)).and_then(|fixed| wanted.read(&fixed))?;
        Some(Repair { lines: vec![read], together: false, span, hint })
    })
}

/// A word of the nearest sentence that was left out.
fn insertion(wanted: &Wanted, line: &str) -> Option<Repair> {
    let language = language();
    let forms = language.forms.iter().filter(|form| form.step == wanted.step);
    forms
        .filter_map(|form| {
            let Progress { at, due } = progress(language, form, line);
            let Some(Due::Word(word)) = due else { return None };
            let fixed = format!("{}{word} {}", &line[..at], &line[at..]);
            let read = Some(fixed.trim()).filter(|fixed| keeps(line, fixed)).and_then(|fixed| wanted.read(fixed))?;
            let (span, hint) = (at..(at + 1).min(line.len()), format!("`{word}` is missing here"));
            Some(Repair { lines: vec![read], together: false, span, hint })
        })
        .next()
}

/// Words outside of quotes, by their bytes, without commas.
fn words(line: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let (mut open, mut quoted) = (None, false);
    for (at, c) in line.char_indices().chain([(line.len(), ' ')]) {
        quoted ^= c == '"';
        let inside = !quoted && !c.is_whitespace() && c != '"' && c != ',';
        match (inside, open) {
            (true, None) => open = Some(at),
            (false, Some(start)) => {
                found.push(start..at);
                open = None;
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests;
