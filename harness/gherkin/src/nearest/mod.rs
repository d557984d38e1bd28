//! What somebody may have meant: the nearest name, the nearest sentence, and repairs that really read.

mod agree;
mod phrasebook;
mod phrases;
mod reckon;
mod repair;
mod vocabulary;

pub(crate) use agree::agree;
pub(crate) use repair::{denies, repair};
pub(crate) use vocabulary::near_words as words_near;

use crate::matcher::{Form, Language, Part, language};
use gherkin::StepType;

/// The nearest of some names, if it is near: a third of its letters may differ.
pub(crate) fn name<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = given.to_lowercase();
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&lower, &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance * 3 <= name.chars().count().max(given.chars().count()))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// How far a line agrees with a sentence.
pub(crate) struct Progress {
    /// The byte at which it stops.
    pub(crate) at: usize,
    /// What is due there; `None`: the end.
    pub(crate) due: Option<Due>,
}

/// What is due at a place of a sentence.
pub(crate) enum Due {
    Word(String),
    Clause(&'static str),
}

/// Walks a line along a sentence as far as both agree.
pub(crate) fn progress(language: &Language, form: &Form, line: &str) -> Progress {
    let mut at = 0;
    for lead in [crate::matcher::CONTROL, crate::matcher::MEANWHILE] {
        if line[at..].starts_with(lead) {
            at += lead.len();
        }
    }
    for (number, part) in form.parts.iter().enumerate() {
        let rest = &line[at..];
        match part {
            Part::Word(words) => match words.iter().find(|word| rest.starts_with(word.as_str())) {
                Some(word) => at += word.len(),
                // What a line lacks behind a clause is the word there, not the blank before it.
                None => return Progress { at, due: form.parts[number..].iter().find_map(due) },
            },
            Part::Clause(name) => match language.clause(name).and_then(|(_, regex)| regex.find(rest)) {
                Some(found) => at += found.end(),
                None => return Progress { at, due: Some(Due::Clause(name)) },
            },
        }
    }
    Progress { at, due: None }
}

fn due(part: &Part) -> Option<Due> {
    match part {
        Part::Word(words) => {
            words.first().map(|word| word.trim()).filter(|w| !w.is_empty()).map(|w| Due::Word(w.to_owned()))
        }
        Part::Clause(name) => Some(Due::Clause(name)),
    }
}

/// The sentence that a line is most like of those that can be run, under this keyword if any is; how much, from 0 to 1.
pub(crate) fn sentence(step: StepType, line: &str) -> Option<(&'static Form, f64)> {
    let language = language();
    let words = tokens(line);
    let score = |form: &'static Form| {
        let far = progress(language, form, line).at as f64 / line.len().max(1) as f64;
        let alike = overlap(&words, &tokens(form.sentence.example));
        let elsewhere = if form.step == step { 0.0 } else { 0.2 };
        0.5 * far + 0.5 * alike - elsewhere
    };
    language
        .forms
        .iter()
        .filter(|form| form.sentence.supported)
        .map(|form| (form, score(form)))
        .max_by(|a, b| a.1.total_cmp(&b.1))
}

/// How much a line is like any sentence.
pub(crate) fn likeness(line: &str) -> f64 {
    let words = tokens(line);
    language().forms.iter().map(|form| overlap(&words, &tokens(form.sentence.example))).fold(0.0, f64::max)
}

/// Words, with quoted texts and numbers made alike.
fn tokens(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (at, part) in line.split('"').enumerate() {
        match at % 2 {
            0 => words.extend(part.split([' ', ',']).filter(|w| !w.is_empty()).map(|word| {
                let number = word.starts_with(|c: char| c.is_ascii_digit());
                if number { "0".to_owned() } else { word.to_lowercase() }
            })),
            _ => words.push("\"\"".to_owned()),
        }
    }
    words
}

/// Twice the longest common subsequence over both lengths.
fn overlap(a: &[String], b: &[String]) -> f64 {
    let mut row = vec![0usize; b.len() + 1];
    for x in a {
        let mut corner = 0;
        for (j, y) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = if x == y { corner + 1 } else { above.max(row[j]) };
            corner = above;
        }
    }
    let both = a.len() + b.len();
    if both == 0 { 0.0 } else { 2.0 * row[b.len()] as f64 / both as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matcher::language;

    #[test]
    fn behind_a_clause_the_next_word_is_due() {
        let form = language().forms.iter().find(|form| form.sentence.number == 57).unwrap();
        let progress = progress(language(), form, "calls to \"a\" recover within 1 s");
        assert_eq!(progress.at, "calls to \"a\" recover within 1 s".len());
        assert!(matches!(progress.due, Some(Due::Word(word)) if word == "of"));
    }
}
