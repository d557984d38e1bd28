//! Small changes after which a line is a sentence.

use super::phrases::{double_quotes, phrase};
use super::vocabulary::{is_foreign, likely_words};
use super::{Due, Progress, progress};
use crate::matcher::language;
use gherkin::StepType;
use std::ops::Range;

/// A line that is a sentence, near one that is not, and what was done to it.
pub(crate) struct Repair {
    /// The line that reads.
    pub(crate) line: String,
    /// The bytes of the old line that were wrong.
    pub(crate) span: Range<usize>,
    /// What to do, for people.
    pub(crate) hint: String,
}

/// A small change after which the line is a sentence.
pub(crate) fn repair(step: StepType, line: &str) -> Option<Repair> {
    double_quotes(step, line)
        .or_else(|| phrase(step, line))
        .or_else(|| one_word(step, line))
        .or_else(|| lead(step, line))
        .or_else(|| insertion(step, line))
        .or_else(|| all_words(step, line))
}

/// One word written otherwise, given a unit or quotes, or left out.
fn one_word(step: StepType, line: &str) -> Option<Repair> {
    let tries = words(line).into_iter().flat_map(|span| {
        let word = &line[span.clone()];
        changes(word).into_iter().map(move |(new, hint)| (span.clone(), new, hint)).collect::<Vec<_>>()
    });
    let changed = |(span, new, hint): (Range<usize>, String, String)| {
        let mut fixed = format!("{}{new}{}", &line[..span.start], &line[span.end..]);
        if new.is_empty() {
            fixed = fixed.replacen("  ", " ", 1).trim().to_owned();
        }
        language().find(step, &fixed).map(|_| Repair { line: fixed, span, hint })
    };
    tries.filter_map(changed).next()
}

/// What a word may have been meant to be, most likely first, each with what to do.
fn changes(word: &str) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> =
        likely_words(word).into_iter().map(|new| (new.clone(), format!("write `{new}`"))).collect();
    if word.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        let unit = format!("a time has a unit: `{word} ms`, `{word} s`, `{word} min`");
        all.extend(["s", "ms"].map(|s| (format!("{word} {s}"), unit.clone())));
        all.push((format!("{word}%"), format!("a share has its sign: `{word}%`")));
    }
    all.push((format!("\"{word}\""), format!("names stand in quotes: `\"{word}\"`")));
    all.push((String::new(), format!("leave out `{word}`")));
    all
}

/// A claim that does not say how many: `99% of the calls succeed`.
fn lead(step: StepType, line: &str) -> Option<Repair> {
    if step != StepType::Then {
        return None;
    }
    ["at least ", "every ", "no "].into_iter().find_map(|words| {
        let fixed = format!("{words}{line}");
        let end = line.find(' ').unwrap_or(line.len());
        let hint = match words {
            "at least " => "at least, or at most?".to_owned(),
            _ => "how many: every, no, at least…?".to_owned(),
        };
        language().find(step, &fixed).map(|_| Repair { line: fixed, span: 0..end, hint })
    })
}

/// Every word that the language does not have, written as the most likely one that it has.
fn all_words(step: StepType, line: &str) -> Option<Repair> {
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
        language().find(step, &fixed).map(|_| Repair { line: fixed, span, hint })
    })
}

/// A word of the nearest sentence that was left out.
fn insertion(step: StepType, line: &str) -> Option<Repair> {
    let language = language();
    let forms = language.forms.iter().filter(|form| form.step == step);
    forms
        .filter_map(|form| {
            let Progress { at, due } = progress(language, form, line);
            let Some(Due::Word(word)) = due else { return None };
            let fixed = format!("{}{word} {}", &line[..at], &line[at..]);
            let fixed = fixed.trim().to_owned();
            let hint = format!("`{word}` is missing here");
            language.find(step, &fixed).map(|_| Repair { line: fixed, span: at..(at + 1).min(line.len()), hint })
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
