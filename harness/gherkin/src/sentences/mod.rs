//! The seventy-one sentences: a table, and what `squall steps` and docs/vocabulary.md say of them.

mod find;
mod given;
mod story;
mod topics;

pub use find::{FoundLine, FoundStep, find_steps, near_steps};

use crate::matcher::language;
use gherkin::StepType;
use std::fmt::Write as _;

/// What a sentence is for, and so under which keyword it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Services and what they are: under Given.
    Topology,
    /// What the mesh promises: under Given; under When it is a change.
    Policy,
    /// What ends the whole run: under Given.
    Guard,
    /// What is broken, what happens: under When.
    Fault,
    /// Who calls whom, how often: under When.
    Traffic,
    /// What is expected: under Then.
    Expectation,
}

impl Kind {
    /// Every kind, in the order of a scenario.
    pub const ALL: [Kind; 6] =
        [Kind::Topology, Kind::Policy, Kind::Guard, Kind::Fault, Kind::Traffic, Kind::Expectation];

    /// What people call it.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Kind::Topology => "a piece of topology",
            Kind::Policy => "a policy",
            Kind::Guard => "a guard",
            Kind::Fault => "a fault or an event",
            Kind::Traffic => "a traffic line",
            Kind::Expectation => "an expectation",
        }
    }

    /// The keyword that it usually stands under.
    #[must_use]
    pub fn keyword(self) -> &'static str {
        match self {
            Kind::Topology | Kind::Policy | Kind::Guard => "Given",
            Kind::Fault | Kind::Traffic => "When",
            Kind::Expectation => "Then",
        }
    }

    fn heading(self) -> &'static str {
        match self {
            Kind::Topology => "Given: topology",
            Kind::Policy => "Given: policies (under When: a change)",
            Kind::Guard => "Given: guards",
            Kind::Fault => "When: faults and events",
            Kind::Traffic => "When: traffic",
            Kind::Expectation => "Then: expectations",
        }
    }
}

/// A row of the table.
#[derive(Debug)]
pub(crate) struct Sentence {
    pub(crate) number: u8,
    pub(crate) kind: Kind,
    pub(crate) text: &'static str,
    pub(crate) meaning: &'static str,
    pub(crate) example: &'static str,
    pub(crate) supported: bool,
}

const fn built(number: u8, kind: Kind, text: &'static str, meaning: &'static str, example: &'static str) -> Sentence {
    Sentence { number, kind, text, meaning, example, supported: true }
}

/// Read, and not yet run: a scenario that says it is unsupported.
const fn known(number: u8, kind: Kind, text: &'static str, meaning: &'static str, example: &'static str) -> Sentence {
    Sentence { number, kind, text, meaning, example, supported: false }
}

/// The whole table, by number.
pub(crate) fn table() -> impl Iterator<Item = &'static Sentence> {
    given::GIVEN.iter().chain(story::STORY)
}

impl Sentence {
    /// The expressions under which it is registered: for each keyword, what may stand before and after its own text.
    pub(crate) fn forms(&self) -> Vec<(StepType, String)> {
        let text = self.text;
        match self.kind {
            Kind::Topology => vec![(StepType::Given, format!("(in the control run ){text}"))],
            Kind::Policy => vec![
                (StepType::Given, format!("(in the control run ){text}")),
                (StepType::When, format!("(in the control run ){text}{{when}}")),
            ],
            // Control runs have none.
            Kind::Guard => vec![(StepType::Given, text.to_owned())],
            Kind::Fault => vec![(StepType::When, format!("(in the control run ){text}{{when}}"))],
            Kind::Traffic => vec![(StepType::When, format!("(in the control run )(meanwhile ){text}"))],
            Kind::Expectation => vec![(StepType::Then, text.to_owned())],
        }
    }
}

/// One sentence of the language, for people.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct SentenceDoc {
    /// Its number in the language reference, from 1.
    pub number: u8,
    /// What it is for.
    pub kind: Kind,
    /// Its words, with `{clauses}`.
    pub sentence: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// A line that says it, without keyword.
    pub example: &'static str,
    /// False where this version reads it but cannot run it: the scenario is then *unsupported*.
    pub supported: bool,
    /// Its clauses, in order, each once.
    pub clauses: Vec<ClauseDoc>,
}

/// A clause of a sentence, for people.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ClauseDoc {
    /// Its name, as it stands in braces.
    pub name: &'static str,
    /// What may stand there.
    pub forms: &'static str,
}

impl ClauseDoc {
    /// Those of its forms that have a word, in whatever case.
    #[must_use]
    pub fn forms_with(&self, word: &str) -> Vec<&'static str> {
        let has = |form: &&str| form.to_lowercase().contains(&word.to_lowercase());
        // Forms stand between backticks.
        self.forms.split('`').skip(1).step_by(2).map(str::trim).filter(has).collect()
    }
}

/// The vocabulary: every sentence, by number.
#[must_use]
pub fn steps() -> Vec<SentenceDoc> {
    table().map(doc).collect()
}

fn doc(s: &Sentence) -> SentenceDoc {
    SentenceDoc {
        number: s.number,
        kind: s.kind,
        sentence: s.text,
        meaning: s.meaning,
        example: s.example,
        supported: s.supported,
        clauses: clauses(s),
    }
}

fn clauses(s: &Sentence) -> Vec<ClauseDoc> {
    let names = s.text.split('{').skip(1).filter_map(|rest| rest.split('}').next());
    let mut all: Vec<ClauseDoc> = Vec::new();
    for (param, _) in names.filter_map(|name| language().clause(name)) {
        if !all.iter().any(|known| known.name == param.name) {
            all.push(ClauseDoc { name: param.name, forms: param.forms });
        }
    }
    all
}

/// The vocabulary as a page of Markdown: `docs/vocabulary.md`.
#[must_use]
pub fn vocabulary_markdown() -> String {
    let mut page = String::from(
        "# Vocabulary\n\nGenerated by `squall steps --markdown`; do not edit.\n\n\
         A sentence is built from words and `{clauses}`. Lines under Given and When may begin `in the control run` (guards may not), traffic lines `meanwhile`.\n\
         Faults and changes may end with a time: ` at 2 s`, ` from 2 s`, ` from 2 s to 6 s`.\n\
         Sentences in *italics* are read, checked and planned, but this version cannot run them yet: their scenarios are *unsupported*.\n",
    );
    for kind in Kind::ALL {
        // Writing into a String cannot fail.
        let _ = write!(page, "\n## {}\n\n| # | sentence | meaning | example |\n|---|---|---|---|\n", kind.heading());
        for s in table().filter(|s| s.kind == kind) {
            let mark = if s.supported { "" } else { "*" };
            let cell = |text: &str| text.replace('|', "\\|");
            let (number, text, meaning, example) = (s.number, cell(s.text), cell(s.meaning), cell(s.example));
            let _ = writeln!(page, "| {number} | {mark}`{text}`{mark} | {meaning} | `{example}` |");
        }
    }
    page.push_str("\n## Clauses\n\n| clause | forms |\n|---|---|\n");
    let mut params = crate::params::params();
    params.sort_by_key(|p| p.name);
    for param in params {
        let _ = writeln!(page, "| `{{{}}}` | {} |", param.name, param.forms);
    }
    page
}
