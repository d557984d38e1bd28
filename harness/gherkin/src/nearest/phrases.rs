//! What people write instead of a phrase of the language: other words, another order, other quotes.

use super::repair::{Repair, repair};
use crate::matcher::language;
use gherkin::StepType;
use regex::{Captures, Regex};
use std::sync::LazyLock;

/// A phrase that is not ours, what it may have been meant to be, most likely first, and what to say; `{}` is what comes.
struct Phrase {
    theirs: &'static str,
    ours: &'static [&'static str],
    hint: &'static str,
}

const fn phrase_of(theirs: &'static str, ours: &'static [&'static str], hint: &'static str) -> Phrase {
    Phrase { theirs, ours, hint }
}

const TIME: &str = r"(\d+(?:\.\d+)? ?(?:ms|milliseconds?|s|seconds?|min|minutes?))";
const SHARE: &str = r"\d+(?:\.\d+)?%";

const PHRASES: [Phrase; 20] = [
    phrase_of(r"(SHARE) of (?:all )?(?:the )?(calls|tries|retries|users)\b", &["$1 of the $2"], "a share is `{}`"),
    phrase_of(r"(SHARE) of (?:all )?(?:the )?requests\b", &["$1 of the calls", "$1 of the tries"], "a share is `{}`"),
    phrase_of(
        r#"^("[^"]*") (?:times? out|timeouts?|has a timeout|have a timeout)(?: after| in| of)?\b"#,
        &["calls to $1 time out after"],
        "calls time out, services do not: `{}`",
    ),
    phrase_of(
        r#"^(?:the|a) timeout (?:of|for) (calls|tries)(.*?) (?:is|of)\b"#,
        &["$1$2 time out after"],
        "write it so: `{}`",
    ),
    phrase_of(
        r"\b(?:times? out|timeouts?|timed out)(?: after| in| of| within)?\b",
        &["time out after", "times out", "time out"],
        "write `{}`",
    ),
    phrase_of(r"\bwith (\d{3})\b", &["with status $1"], "write `{}`"),
    phrase_of(r#"\bwith (?:status )?"?([A-Z][A-Z_]+)"?"#, &["with grpc status \"$1\""], "write `{}`"),
    phrase_of(r"\b(?:is|are) (?:slow|slowed|delayed) by\b", &["is slowed by", "answers in"], "write `{}`"),
    phrase_of(r"\bis slow\b", &["answers in 1 s", "is slowed by 100 ms"], "say how slow: `{}`"),
    phrase_of(r"\bare slow\b", &["are delayed by 100 ms", "are slowed by 100 ms"], "say how slow: `{}`"),
    phrase_of(
        r"\b(?:is (?:resumed|started|up again|back|thawed)|resumes|restarts|recovers)\b",
        &["comes back", "is restarted"],
        "write `{}`",
    ),
    phrase_of(
        r"\b(?:goes down|is down|fails|is crashed)\b",
        &["is killed"],
        "say how: `{}`, `is stopped`, `is paused`",
    ),
    phrase_of(r"\b(?:hangs|freezes|is frozen|is suspended)\b", &["is paused"], "write `{}`"),
    phrase_of(r"\bis (?:partitioned|isolated|unreachable|cut)\b", &["is cut off", "is cut"], "write `{}`"),
    phrase_of(r"\bis (?:blocked|disconnected|broken|severed)\b", &["is cut"], "write `{}`"),
    phrase_of(r"\b(?:just one|a single|one|the same) (version|instance)\b", &["only one $1"], "write `{}`"),
    phrase_of(r"\bover (zone|site)\b", &["then $1"], "places in order: `{}`"),
    phrase_of(
        r"\b(ejected|healthy|unhealthy) for TIME$",
        &["$1 for at least $2"],
        "at least, or between two times: `{}`",
    ),
    phrase_of(" for TIME$", &[" from 1 s to 3 s"], "say from when to when: `{}`"),
    phrase_of(r", (?:after|with|plus or minus) TIME", &[", give or take $1"], "write `{}`"),
];

static COMPILED: LazyLock<Vec<(Regex, &'static Phrase)>> = LazyLock::new(|| {
    let compile = |phrase: &'static Phrase| {
        Some((Regex::new(&phrase.theirs.replace("TIME", TIME).replace("SHARE", SHARE)).ok()?, phrase))
    };
    PHRASES.iter().filter_map(compile).collect()
});

/// One phrase written otherwise.
pub(super) fn phrase(step: StepType, line: &str) -> Option<Repair> {
    COMPILED.iter().find_map(|(theirs, phrase)| {
        let found = theirs.captures(line)?;
        phrase.ours.iter().find_map(|ours| instead(step, line, &found, ours, phrase.hint))
    })
}

fn instead(step: StepType, line: &str, found: &Captures<'_>, ours: &str, hint: &str) -> Option<Repair> {
    let span = found.get(0)?.range();
    let mut new = String::new();
    found.expand(ours, &mut new);
    let fixed = format!("{}{new}{}", &line[..span.start], &line[span.end..]);
    language().find(step, &fixed)?;
    Some(Repair { line: fixed, span, hint: hint.replace("{}", new.trim()) })
}

/// `'reviews'` for `"reviews"`. What else is wrong is told together with it.
pub(super) fn double_quotes(step: StepType, line: &str) -> Option<Repair> {
    let single = line.match_indices('\'').map(|(at, _)| at).collect::<Vec<_>>();
    let (first, last) = (*single.first()?, *single.last()?);
    if single.len() % 2 != 0 {
        return None;
    }
    let fixed = line.replace('\'', "\"");
    let hint = "names stand in double quotes: `\"…\"`".to_owned();
    let span = first..last + 1;
    if language().find(step, &fixed).is_some() {
        return Some(Repair { line: fixed, span, hint });
    }
    let rest = repair(step, &fixed)?;
    Some(Repair { line: rest.line, span, hint: format!("{hint}, and {}", rest.hint) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phrase_is_an_expression() {
        assert_eq!(COMPILED.len(), PHRASES.len());
    }

    #[test]
    fn phrases_are_written_otherwise() {
        let read = |step, line: &str| phrase(step, line).map(|r| r.line);
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
            ("10% of calls are aborted with 503", None),
            ("10% of calls are aborted with status 503", Some("10% of the calls are aborted with status 503")),
            ("\"reviews\" is slow", Some("\"reviews\" answers in 1 s")),
            ("the wire to \"reviews\" is slow at 2 s", Some("the wire to \"reviews\" is slowed by 100 ms at 2 s")),
            ("every instance of \"a\" is slow by 2 s", Some("every instance of \"a\" answers in 2 s")),
            ("zone \"east\" goes down", Some("zone \"east\" is killed")),
            ("zone \"east\" is cut", Some("zone \"east\" is cut off")),
            ("instance 2 of \"a\" is killed for 2 s", Some("instance 2 of \"a\" is killed from 1 s to 3 s")),
        ] {
            assert_eq!(read(StepType::When, line).as_deref(), wanted, "{line}");
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
    fn single_quotes_are_told_with_what_else_is_wrong() {
        let told = double_quotes(StepType::Then, "evry call reaches 'reviews'").unwrap();
        assert_eq!(told.line, "every call reaches \"reviews\"");
        assert_eq!(told.hint, "names stand in double quotes: `\"…\"`, and write `every`");
    }
}
