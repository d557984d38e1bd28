//! Sentences about a word: those that have it, and those about what it is called elsewhere.

use super::topics::ours;
use super::{ClauseDoc, SentenceDoc, steps};
use crate::compile::runs;
use crate::matcher::language;
use crate::nearest;
use gherkin::StepType;

/// A clause that more sentences have than this says nothing of any of them: `{target}`, `{calls}`, `{time}`.
const COMMON: usize = 6;
/// Lines that are shown of a sentence.
const LINES: usize = 4;
/// Sentences that are shown where none has the word.
const NEAREST: usize = 3;

/// A sentence that has a word, and lines in which it says it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct FoundStep {
    /// The sentence.
    #[serde(flatten)]
    pub step: SentenceDoc,
    /// Its example, so that the word comes in it: one line a form of a clause that has it.
    pub lines: Vec<FoundLine>,
}

/// A line that says a word.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct FoundLine {
    /// The line, without keyword.
    pub line: String,
    /// False where this version reads it but cannot run it.
    pub runs: bool,
}

/// The sentences about a word, in whatever case, those that can be run first. What other tools call by this word counts as if
/// it had been asked for. All sentences for an empty word.
#[must_use]
pub fn find_steps(word: &str) -> Vec<FoundStep> {
    let word = word.trim().to_lowercase();
    let words = match ours(&word) {
        [] => vec![word.as_str()],
        ours => ours.to_vec(),
    };
    let all = steps();
    let shared = |clause: &ClauseDoc| all.iter().filter(|s| s.clauses.contains(clause)).count() > COMMON;
    // Our words for a topic stand in sentences; in what explains them they may mean anything.
    let explains = |s: &SentenceDoc, w: &str| w == word && has(s.meaning, w);
    let says = |s: &SentenceDoc| words.iter().any(|w| has(s.sentence, w) || has(s.example, w) || explains(s, w));
    let may_say = |s: &SentenceDoc, common: bool| {
        s.clauses.iter().any(|c| words.iter().any(|w| has(c.forms, w)) && (common || !shared(c)))
    };
    let found = |common| all.iter().filter(|s| says(s) || may_say(s, common)).cloned().collect::<Vec<_>>();
    let special = found(false);
    let mut found = if special.is_empty() { found(true) } else { special };
    found.sort_by_key(|step| !step.supported);
    let with_lines = |step: SentenceDoc| FoundStep { lines: lines(&step, &words), step };
    found.into_iter().map(with_lines).collect()
}

/// Where no sentence is about a text: those that it is most like, and those about one of its words or one spelt like it.
#[must_use]
pub fn near_steps(text: &str) -> Vec<FoundStep> {
    let words: Vec<&str> = text.split_whitespace().filter(|word| word.len() > 2).collect();
    let mut found: Vec<(usize, FoundStep)> = Vec::new();
    let near = words.iter().filter_map(|word| nearest::words_near(word).into_iter().next());
    let asked = words.iter().map(|word| (*word).to_owned()).chain(near);
    for step in asked.filter(|word| word != text).flat_map(|word| find_steps(&word)) {
        match found.iter_mut().find(|(_, known)| known.step.number == step.step.number) {
            Some((times, _)) => *times += 1,
            None => found.push((1, step)),
        }
    }
    found.sort_by_key(|(times, found)| (!found.step.supported, std::cmp::Reverse(*times)));
    found.into_iter().take(NEAREST).map(|(_, found)| found).collect()
}

fn has(text: &str, word: &str) -> bool {
    text.to_lowercase().contains(&word.to_lowercase())
}

/// The example, and with each form of a clause that has one of the words put in; what can be run first.
fn lines(step: &SentenceDoc, words: &[&str]) -> Vec<FoundLine> {
    let mut lines: Vec<FoundLine> = Vec::new();
    if words.iter().any(|word| has(step.example, word)) {
        lines.push(FoundLine { line: step.example.to_owned(), runs: step.supported });
    }
    for clause in &step.clauses {
        let forms = words.iter().flat_map(|word| clause.forms_with(word));
        let put = forms.filter(|form| !form.is_empty()).filter_map(|form| put(step, clause.name, form));
        put.for_each(|line| {
            if !lines.contains(&line) {
                lines.push(line);
            }
        });
    }
    if lines.is_empty() {
        lines.push(FoundLine { line: step.example.to_owned(), runs: step.supported });
    }
    lines.sort_by_key(|line| !line.runs);
    lines.truncate(LINES);
    lines
}

/// The example with this form in the place of a clause, if that is the same sentence.
fn put(step: &SentenceDoc, clause: &str, form: &str) -> Option<FoundLine> {
    let ty = match step.kind.keyword() {
        "Given" => StepType::Given,
        "When" => StepType::When,
        _ => StepType::Then,
    };
    let example = language().find(ty, step.example)?;
    let (_, span) = example.clauses.into_iter().find(|(name, _)| *name == clause)?;
    [form.to_owned(), format!(" {form}")].into_iter().find_map(|form| {
        let line = format!("{}{form}{}", &step.example[..span.start], &step.example[span.end..]);
        let found = language().find(ty, &line).filter(|found| found.sentence.number == step.number)?;
        Some(FoundLine { runs: runs(&line, &found), line: nearest::agree(&line, &found) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(word: &str) -> Vec<u8> {
        find_steps(word).iter().map(|found| found.step.number).collect()
    }

    fn lines(word: &str) -> Vec<String> {
        find_steps(word).into_iter().flat_map(|found| found.lines).map(|line| line.line).collect()
    }

    #[test]
    fn words_of_clauses_find_their_sentences() {
        assert_eq!(numbers("is cut"), [43, 44]);
        assert_eq!(numbers("paused"), [44]);
        assert_eq!(numbers("mTLS"), [55, 71, 30, 47, 67], "what can be run comes first");
        assert_eq!(numbers("give or take"), [43]);
        assert_eq!(numbers("UNHEALTHY"), [59, 60, 61]);
        assert_eq!(numbers("with query"), [48, 49, 50, 51, 53, 52], "of clauses that few sentences have");
        assert_eq!(numbers("no such word"), [0u8; 0]);
        assert_eq!(numbers("").len(), 71);
    }

    #[test]
    fn a_line_says_the_word() {
        assert_eq!(lines("killed"), ["instance 2 of \"reviews\" is killed"]);
        assert_eq!(
            lines("half open"),
            ["the wire from \"web\" to instance 2 of \"reviews\" leaves its connections half open"]
        );
        for step in find_steps("") {
            assert_eq!(step.lines[0].line, step.step.example, "of nothing the example");
        }
    }

    #[test]
    fn what_others_call_it_is_found() {
        for (word, sentence) in [
            ("timeout", 11),
            ("timeouts", 11),
            ("latency", 55),
            ("p99", 55),
            ("percentile", 55),
            ("kill", 44),
            ("crash", 44),
            ("circuit breaker", 14),
            ("outlier detection", 16),
            ("canary", 19),
            ("packet loss", 43),
            ("rps", 48),
            ("session affinity", 20),
            ("locality", 26),
            ("autoscaling", 45),
        ] {
            assert!(numbers(word).contains(&sentence), "{word}: {:?}", numbers(word));
        }
        assert!(lines("p99").contains(&"at least 99% of the calls finish within 50 ms during the fault".to_owned()));
        assert!(lines("timeout").contains(&"tries reaching \"reviews\" time out after 100 ms".to_owned()));
    }

    #[test]
    fn where_nothing_has_the_word_something_is_near() {
        let near = |text: &str| near_steps(text).iter().map(|found| found.step.number).collect::<Vec<_>>();
        assert_eq!(near("kiled").first(), Some(&44));
        assert_eq!(near("ejekted")[0], 16);
        assert_eq!(near("kill one instance").first(), Some(&44));
        assert_eq!(near("xyzzy"), [0u8; 0]);
    }

    #[test]
    fn a_clause_tells_the_forms_that_have_a_word() {
        let found = find_steps("mTLS");
        let outcome = found[0].step.clauses.iter().find(|c| c.name == "outcome").unwrap();
        assert_eq!(outcome.forms_with("MTLS"), ["use mTLS"]);
        assert_eq!(outcome.forms_with("no such word"), [""; 0]);
    }

    #[test]
    fn common_clauses_count_where_nothing_else_does() {
        assert!(numbers("every instance of").len() > 6);
        assert_eq!(numbers("retried")[0], 10);
    }
}
