//! What somebody may have meant: the nearest name, the nearest sentence, and repairs that really read.

use crate::matcher::{Form, Language, Part, language};
use gherkin::StepType;
use std::ops::Range;
use std::sync::LazyLock;

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
    for part in &form.parts {
        let rest = &line[at..];
        match part {
            Part::Word(words) => match words.iter().find(|word| rest.starts_with(word.as_str())) {
                Some(word) => at += word.len(),
                None => return Progress { at, due: words.first().map(|w| Due::Word(w.trim().to_owned())) },
            },
            Part::Clause(name) => match language.clause(name).and_then(|(_, regex)| regex.find(rest)) {
                Some(found) => at += found.end(),
                None => return Progress { at, due: Some(Due::Clause(name)) },
            },
        }
    }
    Progress { at, due: None }
}

/// The sentence that a line is most like, under this keyword if any is; how much, from 0 to 1.
pub(crate) fn sentence(step: StepType, line: &str) -> Option<(&'static Form, f64)> {
    let language = language();
    let words = tokens(line);
    let score = |form: &'static Form| {
        let far = progress(language, form, line).at as f64 / line.len().max(1) as f64;
        let alike = overlap(&words, &tokens(form.sentence.example));
        let elsewhere = if form.step == step { 0.0 } else { 0.2 };
        0.5 * far + 0.5 * alike - elsewhere
    };
    language.forms.iter().map(|form| (form, score(form))).max_by(|a, b| a.1.total_cmp(&b.1))
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

/// Every word of the language outside of quotes: of sentences, and of the examples for what clauses say.
static VOCABULARY: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut words: Vec<String> = Vec::new();
    let forms = &language().forms;
    words.extend(forms.iter().flat_map(|f| &f.parts).flat_map(|part| match part {
        Part::Word(words) => words.iter().map(|w| w.trim().to_owned()).collect(),
        Part::Clause(_) => Vec::new(),
    }));
    words.extend(language().clauses.iter().flat_map(|(param, _)| literal_words(&param.regex)));
    words.sort();
    words.dedup();
    words.retain(|w| w.chars().any(char::is_alphabetic));
    words
});

/// The plain words in a flat regular expression, with `s?` and `(?:es)?` both ways.
fn literal_words(regex: &str) -> Vec<String> {
    let plain = regex.replace("\\d", " ").replace("(?:es)?", "(es)").replace("(?:", " ");
    let pieces = plain.split(|c: char| !(c.is_alphanumeric() || c == '?' || c == '-'));
    pieces
        .flat_map(|word| match word.strip_suffix('?') {
            Some(stem) if !stem.is_empty() => vec![stem.to_owned(), stem[..stem.len() - 1].to_owned()],
            _ => vec![word.replace('?', "")],
        })
        .filter(|word| !word.is_empty())
        .collect()
}

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
    one_word(step, line)
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
        .filter(|span| !VOCABULARY.iter().any(|known| known == &line[span.clone()]))
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

/// What other tools call it, and what it is called here.
const ELSEWHERE: [(&str, &[&str]); 22] = [
    ("request", &["call", "try"]),
    ("requests", &["calls", "tries"]),
    ("attempts", &["tries"]),
    ("attempt", &["try"]),
    ("sends", &["makes"]),
    ("send", &["makes"]),
    ("issues", &["makes"]),
    ("replica", &["instance"]),
    ("replicas", &["instances"]),
    ("pod", &["instance"]),
    ("pods", &["instances"]),
    ("endpoint", &["instance"]),
    ("endpoints", &["instances"]),
    ("hosts", &["instances"]),
    ("returns", &["answers with status", "answers with"]),
    ("responds", &["answers"]),
    ("crashes", &["is killed"]),
    ("dies", &["is killed"]),
    ("pass", &["succeed"]),
    ("passes", &["succeeds"]),
    ("rejected", &["shed", "denied"]),
    ("all", &["every", "every instance of"]),
];

/// Words of the language that this one may have been meant to be, most likely first.
fn likely_words(word: &str) -> Vec<String> {
    let lower = word.to_lowercase();
    let ours = ELSEWHERE.iter().filter(|(theirs, _)| *theirs == lower).flat_map(|(_, ours)| ours.iter());
    ours.map(|word| (*word).to_owned()).chain(near_words(word)).collect()
}

/// Words of the language that are spelt much like this one, nearest first.
fn near_words(word: &str) -> Vec<String> {
    let lower = word.to_lowercase();
    let allowed = if word.len() > 4 { 2 } else { 1 };
    let mut near: Vec<(usize, f64, &String)> = VOCABULARY
        .iter()
        .map(|known| (strsim::damerau_levenshtein(&lower, &known.to_lowercase()), known))
        .filter(|(distance, known)| *distance <= allowed && known.as_str() != word)
        .map(|(distance, known)| (distance, strsim::jaro_winkler(&lower, known), known))
        .collect();
    // `cals` is as far from `call` as from `calls`, and more like the latter.
    near.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
    near.into_iter().take(6).map(|(_, _, known)| known.clone()).collect()
}
