//! An experiment: a feature in YAML.
//!
//! ```yaml
//! feature: Retry
//! services:
//!   - {name: web, calls: [reviews]}
//!   - {name: reviews, instances: 3, latency: {fixed: 5 ms}}
//! scenarios:
//!   - name: Retries hide a flaky replica
//!     given:
//!       - retries: {of: {from: web, to: reviews}, up_to: 2, on: [5xx]}
//!     when:
//!       - 30% of the tries reaching "reviews" are aborted with status 503
//!       - '"web" makes 300 calls per second to "reviews" for 2 seconds'
//!     then:
//!       - at least 85% of the calls succeed
//! ```

use super::item::{Item, List};
use super::nouns::{Given, Then, When};
use super::place::{Way, find, scalar, unread, whole};
use super::topology::{Entry, mistakes, topology};
use super::unreadable;
use crate::Compiled;
use crate::document::{Case, Document, Step, Tag};
use crate::select::Selection;
use crate::source::{Defaults, Index, Mistake, Source};
use gherkin::StepType;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_yaml::{Value, with::singleton_map_recursive};
use squall_model::Diagnostic;
use std::sync::Arc;

/// An experiment.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Experiment {
    /// What people call it.
    feature: String,
    /// The topology `scenarios/<mesh>.yaml`; or `services`.
    mesh: Option<String>,
    /// The topology itself; or `mesh`.
    services: Option<Vec<Entry>>,
    /// What is tried.
    scenarios: Vec<Scenario>,
}

/// One scenario.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Scenario {
    /// What people call it.
    name: String,
    /// Tags, with or without their `@`: `smoke`, `control(outage)`.
    #[serde(default)]
    tags: Vec<String>,
    /// What the mesh promises.
    #[serde(default)]
    given: Vec<Item<Given>>,
    /// What is broken, what happens, who calls whom.
    #[serde(default)]
    when: Vec<Item<When>>,
    /// What is expected.
    #[serde(default)]
    then: Vec<Item<Then>>,
}

/// True for the text of an experiment, and not of a topology: it has scenarios.
#[must_use]
pub fn is_experiment(text: &str) -> bool {
    text.lines().any(|line| line.starts_with("scenarios:"))
}

/// Compiles the scenarios of an experiment that are meant, as [`compile`](crate::compile) does those of a feature.
///
/// # Errors
/// Each mistake at its place in the file. What is not of this shape is told before what is said in it, all services and items of it,
/// and what is no YAML alone: the reader stops there.
pub fn experiment_from_yaml(
    source: &Source,
    env: &Defaults<'_>,
    meant: &Selection,
) -> Result<Compiled, Vec<Diagnostic>> {
    let index = Index::new(Arc::clone(&source.file), &source.text);
    if !is_experiment(&source.text) {
        let mistake = Mistake::error("yaml", 0..1, "this is no experiment: it has no `scenarios:`")
            .label("nothing of it would run")
            .hint("a topology is named by a feature, `Given the mesh \"…\"`, or by an experiment, `mesh: …`");
        return Err(vec![mistake.at(index.origin(0..1))]);
    }
    let read = singleton_map_recursive::deserialize(serde_yaml::Deserializer::from_str(&source.text));
    let experiment: Experiment = read.map_err(|error| all_unreadable(&index, error))?;
    let mut told = experiment.services.as_deref().map(|services| mistakes(&index, services)).unwrap_or_default();
    told.extend(experiment.mistakes(&index));
    let base = experiment.services.as_deref().map(topology).unwrap_or_default();
    let document = experiment.document(&index);
    crate::judged(&index, &document, &base, told, env, meant)
}

/// What the reader stumbled over first, and every service and item that is unreadable by itself.
fn all_unreadable(index: &Index, first: serde_yaml::Error) -> Vec<Diagnostic> {
    let mut all = vec![first];
    if let Ok(shape) = serde_yaml::from_str::<Value>(&index.text) {
        let length = |list: Option<&Value>| list.and_then(Value::as_sequence).map_or(0, Vec::len);
        all.extend(
            (0..length(shape.get("services")))
                .filter_map(|n| unread::<Entry>(index, &[Way::Key("services"), Way::Item(n)])),
        );
        for (n, scenario) in shape.get("scenarios").and_then(Value::as_sequence).into_iter().flatten().enumerate() {
            let items = |list: &str| 0..length(scenario.get(list));
            all.extend(items("given").filter_map(|nth| unread::<Item<Given>>(index, &item(n, "given", nth))));
            all.extend(items("when").filter_map(|nth| unread::<Item<When>>(index, &item(n, "when", nth))));
            all.extend(items("then").filter_map(|nth| unread::<Item<Then>>(index, &item(n, "then", nth))));
        }
    }
    // The first is among the others if it is a service's or an item's.
    all.sort_by_key(|error| error.location().map(|at| at.index()));
    all.dedup_by_key(|error| error.location().map(|at| at.index()));
    all.iter().map(|error| unreadable(index, error)).collect()
}

/// The way to an item of a list of a scenario.
fn item(scenario: usize, list: &str, nth: usize) -> [Way<'_>; 4] {
    [Way::Key("scenarios"), Way::Item(scenario), Way::Key(list), Way::Item(nth)]
}

impl Experiment {
    fn mistakes(&self, index: &Index) -> Option<Diagnostic> {
        let mistake = if self.scenarios.is_empty() {
            let at = find(index, &[Way::Key("scenarios")]);
            Mistake::error("no-scenario", at..at + 1, "this experiment has no scenario")
                .label("nothing of it would run")
        } else if self.mesh.is_some() && self.services.is_some() {
            let at = find(index, &[Way::Key("services")]);
            Mistake::error("twice", at..at + 1, "the topology is said twice").label("`mesh`, or `services`")
        } else {
            return None;
        };
        let origin = index.origin(mistake.span.clone());
        Some(mistake.at(origin))
    }

    fn document(&self, index: &Index) -> Document {
        let starts: Vec<usize> =
            (0..self.scenarios.len()).map(|n| find(index, &[Way::Key("scenarios"), Way::Item(n)])).collect();
        let case = |(number, scenario): (usize, &Scenario)| {
            let line = |at: usize| u32::try_from(index.line_of(at) + 1).unwrap_or(u32::MAX);
            let last = u32::try_from(index.lines()).unwrap_or(u32::MAX);
            let first = starts.get(number).copied().map_or(1, line);
            let next = starts.get(number + 1).copied().map_or(last + 1, line);
            let mut steps: Vec<Step> = self.mesh_step(index).into_iter().collect();
            steps.extend(scenario.steps(index, number));
            Case {
                name: scenario.name.trim().to_owned(),
                template: scenario.name.trim().to_owned(),
                tags: scenario.tags(index, number),
                row: Vec::new(),
                origin: scenario.origin(index, number),
                lines: first..=next.saturating_sub(1).max(first),
                shared: None,
                steps,
                broken: false,
            }
        };
        let cases = self.scenarios.iter().enumerate().map(case).collect();
        Document { feature: self.feature.clone(), cases }
    }

    /// `mesh: shop` is the Background `Given the mesh "shop"`.
    fn mesh_step(&self, index: &Index) -> Option<Step> {
        let mesh = self.mesh.as_deref()?;
        let at = find(index, &[Way::Key("mesh")]);
        let name = scalar(index, mesh, at);
        let there = name.source(0..mesh.len());
        let mut text = crate::document::Text::default();
        text.push("the mesh \"", there.clone(), false);
        text.push(mesh, there.clone(), false);
        text.push("\"", there.clone(), false);
        Some(Step { own: false, ..step(StepType::Given, text, there) })
    }
}

impl Scenario {
    fn origin(&self, index: &Index, number: usize) -> squall_model::Origin {
        let at = find(index, &[Way::Key("scenarios"), Way::Item(number), Way::Key("name")]);
        let name = scalar(index, &self.name, at);
        index.origin(name.source(0..self.name.len()))
    }

    fn tags(&self, index: &Index, number: usize) -> Vec<(usize, Tag)> {
        let tag = |(nth, text): (usize, &String)| {
            let at = find(index, &item(number, "tags", nth));
            let origin = index.origin(scalar(index, text, at).source(0..text.len()));
            // The scenario's own level, as in a feature file.
            (2, Tag { text: format!("@{}", text.trim_start_matches('@')), origin })
        };
        self.tags.iter().enumerate().map(tag).collect()
    }

    fn steps(&self, index: &Index, number: usize) -> Vec<Step> {
        let place = |list, nth| find(index, &item(number, list, nth));
        let mut all = steps(index, StepType::Given, &self.given, |nth| place("given", nth));
        all.extend(steps(index, StepType::When, &self.when, |nth| place("when", nth)));
        all.extend(steps(index, StepType::Then, &self.then, |nth| place("then", nth)));
        all
    }
}

fn steps<N: List>(index: &Index, ty: StepType, items: &[Item<N>], place: impl Fn(usize) -> usize) -> Vec<Step> {
    let one = |(nth, item): (usize, &Item<N>)| {
        let at = place(nth);
        let text = match item.is_sentence {
            true => scalar(index, &item.words, at),
            false => whole(index, &item.words, at),
        };
        let there = text.source(0..text.text.len());
        step(ty, text, there)
    };
    items.iter().enumerate().map(one).collect()
}

fn step(ty: StepType, text: crate::document::Text, there: std::ops::Range<usize>) -> Step {
    Step { ty, keyword: crate::compile::word(ty).to_owned(), own: true, text, keyword_at: there, hangs: None }
}
