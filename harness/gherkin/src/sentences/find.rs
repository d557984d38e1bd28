//! Sentences by a word: in what they say, or in what their clauses may say.

use super::{ClauseDoc, SentenceDoc, steps};

/// A clause that more sentences have than this says nothing of any of them: `{target}`, `{calls}`, `{time}`.
const COMMON: usize = 6;

/// The sentences that have a word, in whatever case: in their text, meaning or example, or in a form of a clause of theirs.
/// Clauses that many sentences share count where nothing else has the word. All sentences for an empty word.
#[must_use]
pub fn find_steps(word: &str) -> Vec<SentenceDoc> {
    let word = word.trim().to_lowercase();
    let has = |text: &str| text.to_lowercase().contains(&word);
    let all = steps();
    let shared = |clause: &ClauseDoc| all.iter().filter(|s| s.clauses.contains(clause)).count() > COMMON;
    let says = |s: &SentenceDoc| has(s.sentence) || has(s.meaning) || has(s.example);
    let may_say = |s: &SentenceDoc, common: bool| s.clauses.iter().any(|c| has(c.forms) && (common || !shared(c)));
    let found = |common| all.iter().filter(|s| says(s) || may_say(s, common)).cloned().collect::<Vec<_>>();
    let special = found(false);
    if special.is_empty() { found(true) } else { special }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(word: &str) -> Vec<u8> {
        find_steps(word).iter().map(|s| s.number).collect()
    }

    #[test]
    fn words_of_clauses_find_their_sentences() {
        assert_eq!(numbers("is cut"), [43, 44]);
        assert_eq!(numbers("paused"), [44]);
        assert_eq!(numbers("mTLS"), [30, 47, 55, 67]);
        assert_eq!(numbers("give or take"), [43]);
        assert_eq!(numbers("UNHEALTHY"), [59, 60, 61]);
        assert_eq!(numbers("with query"), [48, 49, 50, 51, 52, 53], "of clauses that few sentences have");
        assert_eq!(numbers("no such word"), [0u8; 0]);
        assert_eq!(numbers("").len(), 70);
    }

    #[test]
    fn a_clause_tells_the_forms_that_have_a_word() {
        let found = find_steps("mTLS");
        let outcome = found[2].clauses.iter().find(|c| c.name == "outcome").unwrap();
        assert_eq!(outcome.forms_with("MTLS"), ["use mTLS"]);
        assert_eq!(outcome.forms_with("no such word"), [""; 0]);
    }

    #[test]
    fn common_clauses_count_where_nothing_else_does() {
        assert!(numbers("every instance of").len() > 6);
        assert_eq!(numbers("retried")[0], 10);
    }
}
