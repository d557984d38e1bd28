//! The words of the language, and what other tools call them.

use crate::matcher::{Part, language};
use std::sync::LazyLock;

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

/// What other tools call it, and what it is called here.
const ELSEWHERE: [(&str, &[&str]); 34] = [
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
    ("each", &["every"]),
    ("gets", &["receives"]),
    ("respond", &["answer", "answers"]),
    ("crash", &["is killed"]),
    ("crashed", &["killed"]),
    ("terminated", &["stopped", "killed"]),
    ("frozen", &["paused"]),
    ("suspended", &["paused"]),
    ("rebooted", &["restarted"]),
    ("dropped", &["cut"]),
    ("complete", &["finish"]),
    ("completes", &["finishes"]),
];

/// Words that say nothing by themselves.
const FILLING: [&str; 24] = [
    "a",
    "also",
    "always",
    "an",
    "and",
    "be",
    "just",
    "must",
    "now",
    "of",
    "please",
    "shall",
    "should",
    "simply",
    "single",
    "still",
    "successfully",
    "that",
    "the",
    "then",
    "there",
    "to",
    "will",
    "would",
];

/// A word that can be left out, and the line says the same.
pub(super) fn is_filling(word: &str) -> bool {
    FILLING.contains(&word.to_lowercase().as_str())
}

/// A word that the language does not have, or has in one corner only while others mean something else by it.
pub(super) fn is_foreign(word: &str) -> bool {
    ELSEWHERE.iter().any(|(theirs, _)| *theirs == word) || !VOCABULARY.iter().any(|known| known == word)
}

/// Words of the language that this one may have been meant to be, most likely first.
pub(super) fn likely_words(word: &str) -> Vec<String> {
    let lower = word.to_lowercase();
    let ours = ELSEWHERE.iter().filter(|(theirs, _)| *theirs == lower).flat_map(|(_, ours)| ours.iter());
    ours.map(|word| (*word).to_owned()).chain(near_words(word)).collect()
}

/// Words of the language that are spelt much like this one, nearest first.
pub(crate) fn near_words(word: &str) -> Vec<String> {
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
