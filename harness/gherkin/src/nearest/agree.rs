//! Noun and verb of a claim in the number that it speaks of: `every call succeeds`, `at least 5 calls succeed`.

use crate::matcher::Match;
use std::ops::Range;

/// What is counted: one of it, and several.
const NOUNS: [(&str, &str); 9] = [
    ("call", "calls"),
    ("try", "tries"),
    ("retry", "retries"),
    ("user", "users"),
    ("connection", "connections"),
    ("session", "sessions"),
    ("message", "messages"),
    ("copy", "copies"),
    ("time", "times"),
];

/// What it does: one of it, and several.
const VERBS: [(&str, &str); 12] = [
    ("is", "are"),
    ("succeeds", "succeed"),
    ("fails", "fail"),
    ("finishes", "finish"),
    ("takes", "take"),
    ("times", "time"),
    ("reaches", "reach"),
    ("waits", "wait"),
    ("uses", "use"),
    ("presents", "present"),
    ("conforms", "conform"),
    ("has", "have"),
];

/// The line with its claim in the right number; as it is where it has none.
pub(crate) fn agree(line: &str, is: &Match) -> String {
    let clause = |name: &str| is.clauses.iter().find(|(clause, _)| *clause == name).map(|(_, span)| span.clone());
    let (Some(claim), Some(outcome)) = (clause("claim"), clause("outcome")) else { return line.to_owned() };
    let one = is_one(&line[claim.clone()]);
    let mut out = line.to_owned();
    // From behind: what comes before keeps its place.
    for (span, forms) in [(outcome, VERBS.as_slice()), (claim, NOUNS.as_slice())] {
        if let Some((word, wanted)) = first(line, span, forms, one) {
            out.replace_range(word, wanted);
        }
    }
    out
}

/// `every`, `no`, and whatever ends with 1.
fn is_one(claim: &str) -> bool {
    let counted = ["at least", "at most", "more than", "exactly"];
    claim.starts_with("every ")
        || claim.starts_with("no ")
        || counted.iter().any(|words| claim.strip_prefix(words).is_some_and(|rest| rest.starts_with(" 1 ")))
}

/// The first word of these, with the form that it should have.
fn first(
    line: &str,
    span: Range<usize>,
    forms: &[(&'static str, &'static str)],
    one: bool,
) -> Option<(Range<usize>, &'static str)> {
    let mut at = span.start;
    line[span].split(' ').find_map(|word| {
        let here = at..at + word.len();
        at = here.end + 1;
        let form = forms.iter().find(|(single, plural)| word == *single || word == *plural)?;
        Some((here, if one { form.0 } else { form.1 }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matcher::language;
    use gherkin::StepType;

    #[test]
    fn nouns_and_verbs_have_one_number() {
        for (line, wanted) in [
            ("every calls succeed", "every call succeeds"),
            ("no calls to \"a\" are retried", "no call to \"a\" is retried"),
            ("at least 5 call fails", "at least 5 calls fail"),
            ("at least 1 calls fail", "at least 1 call fails"),
            ("exactly 11 call times out", "exactly 11 calls time out"),
            ("at most 3% of the call finishes within 1 s", "at most 3% of the calls finish within 1 s"),
            ("no failed tries reach \"calls\"", "no failed try reaches \"calls\""),
            ("\"calls\" receives no tries", "\"calls\" receives no tries"),
        ] {
            let found = language().find(StepType::Then, line).unwrap();
            assert_eq!(agree(line, &found), wanted);
        }
    }
}
