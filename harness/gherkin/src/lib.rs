//! Text to [`Plan`]: sentences, clauses, lint. Pure: no I/O, no async, no clock.
//!
//! [`compile`] reads a whole feature file and tells every mistake that can be known without running, all at once, each with
//! its place. What it gives back is what the engine runs; [`experiment_from_yaml`] reads the same from YAML. [`steps`] is the vocabulary, [`Selection`] what `--tags` and `PATH:LINE` mean.
//!
//! The way of a line: Gherkin ([`document`]) → which of the seventy-one sentences ([`matcher`], by `cucumber-expressions`) → its
//! clauses, read by hand to nouns of the model ([`clauses`]) → names against the topology, stages, control ([`compile`]) → [`lint`].
//! [`adapter`] offers the sentences to cucumber; its futures are ready at once, and nothing of ours goes through it.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail"))]

pub mod adapter;
mod clauses;
mod compile;
mod document;
mod lint;
mod matcher;
mod nearest;
mod params;
mod select;
mod sentences;
mod source;
mod words;
mod yaml;

pub use lint::rests_on;
pub use select::{Selection, TagExpression, TagExpressionError};
pub use sentences::{
    ClauseDoc, FoundLine, FoundStep, Kind, SentenceDoc, find_steps, near_steps, steps, vocabulary_markdown,
};
pub use source::{Application, Defaults, Source};
pub use yaml::{experiment_from_yaml, is_experiment, schema, topology_from_yaml};

use compile::Sink;
use document::Document;
use source::Index;
use squall_model::{Diagnostic, Plan, Severity, Topology};
use std::sync::Arc;

/// A feature file, compiled.
#[derive(Debug, Clone)]
pub struct Compiled {
    /// The feature's name.
    pub feature: String,
    /// One plan a scenario, or a row of an outline, in order of writing.
    pub plans: Vec<Plan>,
    /// What is worth knowing although it can be run.
    pub warnings: Vec<Diagnostic>,
}

/// Compiles the scenarios of a feature file that are meant.
///
/// # Errors
/// Every mistake of the file outside of the scenarios that nobody meant, warnings among them, in order of place, if at least
/// one is an error.
pub fn compile(source: &Source, env: &Defaults<'_>, meant: &Selection) -> Result<Compiled, Vec<Diagnostic>> {
    let index = Index::new(Arc::clone(&source.file), &source.text);
    let (document, mistakes) = document::read(&index);
    let Some(document) = document else { return Err(in_order(mistakes)) };
    judged(&index, &document, &Topology::default(), mistakes, env, meant)
}

/// Compiles a document whose scenarios have `base` in common, and looks at all of it.
fn judged(
    index: &Index,
    document: &Document,
    base: &Topology,
    mistakes: Vec<Diagnostic>,
    env: &Defaults<'_>,
    meant: &Selection,
) -> Result<Compiled, Vec<Diagnostic>> {
    let mut sink = Sink { index, out: mistakes };
    let built: Vec<_> =
        document.cases.iter().map(|case| compile::build(&document.feature, case, base, env, &mut sink)).collect();
    lint::feature(document, &built, &mut sink);
    let meant = meant.meant(&document.cases);
    let concerns = select::concerns(&document.cases, &meant);
    sink.out.retain(|d| d.origin.file != index.file || concerns(d.origin.line));
    let diagnostics = in_order(sink.out);
    if diagnostics.iter().any(|d| d.severity == Severity::Error) {
        return Err(diagnostics);
    }
    // Their keys hang on their order in the file: all of them are told apart before any is left out.
    let plans = compile::distinct(built.into_iter().map(|b| b.plan).collect());
    let plans = plans.into_iter().zip(&meant).filter(|(_, meant)| **meant).map(|(plan, _)| plan).collect();
    Ok(Compiled { feature: document.feature.clone(), plans, warnings: diagnostics })
}

/// By place; the same mistake at the same place once (a Background is read for each scenario, an outline for each row).
fn in_order(mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    diagnostics.sort_by(|a, b| (&a.origin, &a.code, &a.message).cmp(&(&b.origin, &b.code, &b.message)));
    diagnostics.dedup_by(|a, b| (&a.origin, &a.code, &a.message) == (&b.origin, &b.code, &b.message));
    diagnostics
}

#[cfg(test)]
mod tests;
