//! Which sentence a line is. The expressions are compiled once; matching a line takes some ten microseconds.

use crate::params::{Param, by_name, params};
use crate::sentences::{Sentence, table};
use cucumber_expressions::Expression;
use gherkin::StepType;
use regex::Regex;
use std::ops::Range;
use std::sync::LazyLock;

/// A sentence under one keyword.
pub(crate) struct Form {
    pub(crate) sentence: &'static Sentence,
    pub(crate) step: StepType,
    pub(crate) parts: Vec<Part>,
    pub(crate) regex: Regex,
}

/// A sentence taken apart: what is written as it is, and what a clause fills.
pub(crate) enum Part {
    /// A word, in its alternatives: `tries/retries`, `time(s)`. The blank before it is part of it.
    Word(Vec<String>),
    /// A clause, by its name.
    Clause(&'static str),
}

/// A line that is a sentence.
#[derive(Debug, Clone)]
pub(crate) struct Match {
    pub(crate) sentence: &'static Sentence,
    /// It begins `in the control run`.
    pub(crate) control: bool,
    /// It goes on with `meanwhile`.
    pub(crate) meanwhile: bool,
    /// The clauses in order, with their places in the line, in bytes.
    pub(crate) clauses: Vec<(&'static str, Range<usize>)>,
}

pub(crate) const CONTROL: &str = "in the control run ";
pub(crate) const MEANWHILE: &str = "meanwhile ";

/// The compiled language.
pub(crate) struct Language {
    pub(crate) forms: Vec<Form>,
    /// Each clause by itself, anchored at its beginning only.
    pub(crate) clauses: Vec<(Param, Regex)>,
}

static LANGUAGE: LazyLock<Language> = LazyLock::new(Language::compile);

/// The one compiled language.
pub(crate) fn language() -> &'static Language {
    &LANGUAGE
}

impl Language {
    #[expect(clippy::expect_used, reason = "the table is constant, and a test compiles all of it")]
    fn compile() -> Language {
        let params = params();
        let names = by_name(&params);
        let forms = table()
            .flat_map(|sentence| sentence.forms().into_iter().map(move |(step, text)| (sentence, step, text)))
            .map(|(sentence, step, text)| Form {
                sentence,
                step,
                parts: parts(&text, &params),
                regex: Expression::regex_with_parameters(&text, &names)
                    .expect("a sentence of the table is an expression"),
            })
            .collect();
        let clauses = params
            .into_iter()
            .map(|param| {
                let regex =
                    Regex::new(&format!("^(?:{})", param.regex)).expect("a clause of the table is an expression");
                (param, regex)
            })
            .collect();
        Language { forms, clauses }
    }

    /// The sentences that the line is under this keyword: none, or one.
    pub(crate) fn find(&self, step: StepType, line: &str) -> Option<Match> {
        self.forms.iter().filter(|form| form.step == step).find_map(|form| form.read(line))
    }

    /// The sentence that the line is under whatever keyword.
    pub(crate) fn find_any(&self, line: &str) -> Option<Match> {
        self.forms.iter().find_map(|form| form.read(line))
    }

    /// A clause by its name, with its expression.
    pub(crate) fn clause(&self, name: &str) -> Option<&(Param, Regex)> {
        self.clauses.iter().find(|(param, _)| param.name == name)
    }
}

impl Form {
    fn read(&self, line: &str) -> Option<Match> {
        let captures = self.regex.captures(line)?;
        let names = self.parts.iter().filter_map(|part| match part {
            Part::Clause(name) => Some(*name),
            Part::Word(_) => None,
        });
        let clauses = names
            .zip(captures.iter().skip(1))
            .map(|(name, found)| (name, found.map_or(line.len()..line.len(), |m| m.range())))
            .collect();
        let rest = line.strip_prefix(CONTROL);
        Some(Match {
            sentence: self.sentence,
            control: rest.is_some(),
            meanwhile: rest.unwrap_or(line).starts_with(MEANWHILE),
            clauses,
        })
    }
}

/// Takes an expression apart at its clauses and blanks.
fn parts(expression: &str, params: &[Param]) -> Vec<Part> {
    let name_of = |text: &str| params.iter().map(|p| p.name).find(|name| *name == text);
    let mut parts = Vec::new();
    let mut rest = expression;
    for lead in ["(in the control run )", "(meanwhile )"] {
        if let Some(after) = rest.strip_prefix(lead) {
            rest = after;
        }
    }
    while let Some(open) = rest.find('{') {
        let (words, clause) = rest.split_at(open);
        parts.extend(words.split_inclusive(' ').map(|word| Part::Word(alternatives(word))));
        let close = clause.find('}').unwrap_or(clause.len() - 1);
        parts.extend(name_of(&clause[1..close]).map(Part::Clause));
        rest = &clause[close + 1..];
    }
    parts.extend(rest.split_inclusive(' ').filter(|word| !word.is_empty()).map(|word| Part::Word(alternatives(word))));
    parts
}

/// `tries/retries ` is two words, `time(s) ` too.
fn alternatives(word: &str) -> Vec<String> {
    let blank = if word.ends_with(' ') { " " } else { "" };
    word.trim_end_matches(' ')
        .split('/')
        .flat_map(|one| match one.split_once('(') {
            Some((stem, end)) => vec![format!("{stem}{}{blank}", end.replace(')', "")), format!("{stem}{blank}")],
            None => vec![format!("{one}{blank}")],
        })
        .collect()
}
