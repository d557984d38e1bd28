//! What people write instead of a phrase of the language: other words, another order, other quotes.

use super::phrasebook::{Ours, PHRASES, Phrase, SHARE, TIME, UNIT};
use super::repair::Repair;
use regex::{Captures, Regex};
use std::ops::Range;
use std::sync::LazyLock;

static COMPILED: LazyLock<Vec<(Regex, &'static Phrase)>> = LazyLock::new(|| {
    let whole = |theirs: &str| theirs.replace("TIME", TIME).replace("SHARE", SHARE).replace("UNIT", UNIT);
    PHRASES.iter().filter_map(|phrase| Some((Regex::new(&whole(phrase.theirs)).ok()?, phrase))).collect()
});

/// The line with one phrase written otherwise, in every way that may have been meant; whether it reads is not looked at.
pub(super) fn phrases(line: &str) -> Vec<Repair> {
    let found = COMPILED.iter().filter_map(|(theirs, phrase)| {
        let found =
            theirs.captures_iter(line).find(|found| found.get(0).is_some_and(|m| is_outside(line, m.range())))?;
        Some(instead(line, &found, phrase))
    });
    found.flatten().collect()
}

/// Nothing that stands in quotes is touched, or all of it.
fn is_outside(line: &str, span: Range<usize>) -> bool {
    let quotes = |text: &str| text.matches('"').count();
    quotes(&line[..span.start]).is_multiple_of(2) && quotes(&line[span]).is_multiple_of(2)
}

fn instead(line: &str, found: &Captures<'_>, phrase: &Phrase) -> Vec<Repair> {
    let span = found.get(0).map_or(0..0, |m| m.range());
    let change = |news: Vec<String>, together| Repair {
        hint: phrase.hint.replace("{}", news.first().map_or("", |new| new.trim())),
        lines: news.iter().map(|new| format!("{}{new}{}", &line[..span.start], &line[span.end..])).collect(),
        together,
        span: span.clone(),
    };
    let written = |ours: &str| {
        let mut new = String::new();
        found.expand(ours, &mut new);
        new
    };
    let all = |ours: &[&str]| ours.iter().map(|ours| written(ours)).collect();
    match phrase.ours {
        Ours::Words(ours) => ours.iter().map(|ours| change(vec![written(ours)], false)).collect(),
        Ours::Either(ours) => vec![change(all(ours), false)],
        Ours::Both(ours) => vec![change(all(ours), true)],
        Ours::Made(make) => make(found).map(|new| change(vec![new], false)).into_iter().collect(),
    }
}

/// `'reviews'` for `"reviews"`, and what a word processor makes of both.
pub(super) fn double_quotes(line: &str) -> Option<Repair> {
    const CURLED: [char; 3] = ['“', '”', '„'];
    let odd: Vec<(usize, &str)> = line.match_indices(|c| CURLED.contains(&c) || c == '\'').collect();
    let ((first, _), (last, mark)) = (odd.first()?, odd.last()?);
    let span = *first..last + mark.len();
    if !odd.len().is_multiple_of(2) {
        return None;
    }
    let fixed = line.replace(CURLED, "\"").replace('\'', "\"");
    let hint = "names stand in double quotes: `\"…\"`".to_owned();
    Some(Repair { lines: vec![fixed], together: false, span, hint })
}

#[cfg(test)]
mod tests {
    use super::super::repair::repair;
    use super::*;
    use gherkin::StepType;

    #[test]
    fn every_phrase_is_an_expression() {
        assert_eq!(COMPILED.len(), PHRASES.len());
    }

    #[test]
    fn phrases_are_written_otherwise() {
        let read = |step, line: &str| repair(step, line, |_, _| true).map(|r| r.lines[0].clone());
        for (line, wanted) in [
            ("calls to \"reviews\" timeout after 300 ms", "calls to \"reviews\" time out after 300 ms"),
            ("calls to \"reviews\" time out in 300 ms", "calls to \"reviews\" time out after 300 ms"),
            ("\"reviews\" times out after 300 ms", "calls to \"reviews\" time out after 300 ms"),
            ("\"reviews\" has a timeout of 300 ms", "calls to \"reviews\" time out after 300 ms"),
            ("the timeout of calls to \"reviews\" is 300 ms", "calls to \"reviews\" time out after 300 ms"),
        ] {
            assert_eq!(read(StepType::Given, line).as_deref(), Some(wanted), "{line}");
        }
        for (line, wanted) in [
            ("10% of calls are aborted with 503", "10% of the calls are aborted with status 503"),
            ("10% of calls are aborted with status 503", "10% of the calls are aborted with status 503"),
            ("\"reviews\" is slow", "\"reviews\" answers in 1 s"),
            ("the wire to \"reviews\" is slow at 2 s", "the wire to \"reviews\" is slowed by 100 ms at 2 s"),
            ("every instance of \"a\" is slow by 2 s", "every instance of \"a\" answers in 2 s"),
            ("zone \"east\" goes down", "zone \"east\" is killed"),
            ("zone \"east\" is cut", "zone \"east\" is cut off"),
            ("instance 2 of \"a\" is killed for 2 s", "instance 2 of \"a\" is killed from 1 s to 3 s"),
        ] {
            assert_eq!(read(StepType::When, line).as_deref(), Some(wanted), "{line}");
        }
        for (line, wanted) in [
            ("every call timeouts", "every call times out"),
            ("every call is answered with 503", "every call is answered with status 503"),
            ("every call is answered with UNAVAILABLE", "every call is answered with grpc status \"UNAVAILABLE\""),
            ("each user reaches the same version of \"a\"", "each user reaches only one version of \"a\""),
            ("instance 2 of \"a\" is ejected for 2 s", "instance 2 of \"a\" is ejected for at least 2 s"),
        ] {
            assert_eq!(read(StepType::Then, line).as_deref(), Some(wanted), "{line}");
        }
    }

    #[test]
    fn what_stands_in_quotes_is_left_alone() {
        let lines: Vec<String> = phrases("calls on path \"/one\" fail").into_iter().flat_map(|r| r.lines).collect();
        assert!(lines.iter().all(|line| line.contains("\"/one\"")), "{lines:?}");
    }

    #[test]
    fn single_quotes_are_told_with_what_else_is_wrong() {
        let told = repair(StepType::Then, "evry call reaches 'reviews'", |_, _| true).unwrap();
        assert_eq!(told.lines, ["every call reaches \"reviews\""]);
        assert_eq!(told.hint, "names stand in double quotes: `\"…\"`, and write `every`");
    }
}
