//! Which scenarios are meant: `--tags EXPR` and `PATH:LINE`.

use crate::document::Case;
use gherkin::tagexpr::TagOperation;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// A tag expression: `@a and not @b`.
#[derive(Debug, Clone)]
pub struct TagExpression(TagOperation);

/// Why a text is no tag expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no tag expression: {}", self.what())]
pub struct TagExpressionError {
    /// What was written.
    pub text: String,
    /// Where reading stopped, from 1, in bytes.
    pub column: usize,
}

impl TagExpressionError {
    /// What to write: each word a tag, if that is all that is wrong; else where reading stopped.
    fn what(&self) -> String {
        let tag = |word: &str| match word {
            "and" | "or" | "not" => word.to_owned(),
            _ => {
                let start = word.find(|c| c != '(').unwrap_or(0);
                let name = word[start..].trim_start_matches('@');
                format!("{}@{name}", &word[..start])
            }
        };
        let tagged: Vec<String> = self.text.split_whitespace().map(tag).collect();
        let tagged = tagged.join(" ");
        match tagged.parse::<TagOperation>() {
            Ok(_) => format!("tags begin with @, write `{tagged}`"),
            Err(_) => format!("unexpected at column {}, write for instance `@smoke and not @slow`", self.column),
        }
    }
}

impl FromStr for TagExpression {
    type Err = TagExpressionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let trimmed = text.trim();
        let error = |column| TagExpressionError { text: text.to_owned(), column };
        trimmed.parse().map(TagExpression).map_err(|e: peg_error::Error| error(peg_error::column(&e)))
    }
}

/// The error type of Gherkin's parser, which is not exported by name.
mod peg_error {
    use gherkin::tagexpr::TagOperation;

    pub(super) type Error = <TagOperation as std::str::FromStr>::Err;

    pub(super) fn column(error: &Error) -> usize {
        error.location.column
    }
}

impl TagExpression {
    /// True for a scenario with these tags, each with its `@`.
    #[must_use]
    pub fn holds(&self, tags: &[String]) -> bool {
        holds(&self.0, tags)
    }
}

fn holds(operation: &TagOperation, tags: &[String]) -> bool {
    match operation {
        TagOperation::And(a, b) => holds(a, tags) && holds(b, tags),
        TagOperation::Or(a, b) => holds(a, tags) || holds(b, tags),
        TagOperation::Not(a) => !holds(a, tags),
        TagOperation::Tag(tag) => tags.iter().any(|known| known.trim_start_matches('@') == tag),
    }
}

/// What is meant: all that is given must hold.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// By tags.
    pub tags: Option<TagExpression>,
    /// By lines of the file, from 1: of a scenario, or of an outline's row. A line outside of all scenarios means all. None:
    /// all of the file.
    pub lines: Vec<u32>,
}

impl Selection {
    /// Which of a file's scenarios are meant, in order.
    pub(crate) fn meant(&self, cases: &[Case]) -> Vec<bool> {
        let lines: Vec<Vec<RangeInclusive<u32>>> = cases.iter().map(|case| lines_of(case).collect()).collect();
        let mut meant = vec![self.lines.is_empty(); cases.len()];
        for line in &self.lines {
            meant.iter_mut().zip(lines_meant(&lines, *line)).for_each(|(all, this)| *all |= this);
        }
        if let Some(expression) = &self.tags {
            let tags = |case: &Case| case.tags.iter().map(|(_, tag)| tag.text.clone()).collect::<Vec<_>>();
            meant.iter_mut().zip(cases).for_each(|(meant, case)| *meant &= expression.holds(&tags(case)));
        }
        meant
    }
}

/// The lines that select a scenario: its own, then those that it shares with other rows of its outline.
fn lines_of(case: &Case) -> impl Iterator<Item = RangeInclusive<u32>> {
    std::iter::once(case.lines.clone()).chain(case.shared.clone())
}

/// A mistake in a scenario that nobody asked for is no reason not to run another: tells whether a line is in one that was, or
/// in none.
pub(crate) fn concerns<'c>(cases: &'c [Case], meant: &'c [bool]) -> impl Fn(u32) -> bool + 'c {
    move |line| {
        let here = |case: &Case| lines_of(case).any(|lines| lines.contains(&line));
        let mut around = cases.iter().zip(meant).filter(|(case, _)| here(case)).peekable();
        around.peek().is_none() || around.any(|(_, meant)| *meant)
    }
}

/// A row's own line means that row; any other line of an outline all of its rows.
fn lines_meant(lines: &[Vec<RangeInclusive<u32>>], line: u32) -> Vec<bool> {
    // A scenario's span may reach over the heading of the next: the one that begins last is meant.
    let begins = |ranges: &Vec<RangeInclusive<u32>>| ranges.first().filter(|r| r.contains(&line)).map(|r| *r.start());
    if let Some(last) = lines.iter().filter_map(begins).max() {
        return lines.iter().map(|ranges| begins(ranges) == Some(last)).collect();
    }
    let shared: Vec<bool> = lines.iter().map(|ranges| ranges.iter().any(|r| r.contains(&line))).collect();
    if shared.contains(&true) { shared } else { vec![true; lines.len()] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_may_be_a_tag_without_its_sign() {
        let told = |text: &str| text.parse::<TagExpression>().unwrap_err().to_string();
        for (text, wanted) in [
            ("smoke", "`smoke` is no tag expression: tags begin with @, write `@smoke`"),
            (
                "not (smoke or @slow)",
                "`not (smoke or @slow)` is no tag expression: tags begin with @, write `not (@smoke or @slow)`",
            ),
            (
                "@smoke and",
                "`@smoke and` is no tag expression: unexpected at column 11, write for instance `@smoke and not @slow`",
            ),
        ] {
            assert_eq!(told(text), wanted);
        }
    }

    #[test]
    fn where_two_scenarios_reach_over_a_line_the_later_is_meant() {
        let lines = [vec![6..=11], vec![11..=14]];
        assert_eq!(lines_meant(&lines, 9), [true, false]);
        assert_eq!(lines_meant(&lines, 11), [false, true]);
        assert_eq!(lines_meant(&lines, 1), [true, true]);
    }
}
