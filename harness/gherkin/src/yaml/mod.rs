//! Files in YAML: topologies, for `the mesh {text}`, and experiments, which are features with their lines as lists.
//!
//! An experiment's line is a sentence of the language, or a noun: a mapping such as
//! `retries: {of: {from: web, to: reviews}, up_to: 2, on: [5xx]}`. A noun is written as the sentence that says it
//! ([`crate::words`]), so both go the one way of all sentences, and come to the same plan.

mod experiment;
mod item;
mod nouns;
mod place;
mod schema;
mod topology;

pub use experiment::{experiment_from_yaml, is_experiment};
pub use schema::schema;
pub use topology::topology_from_yaml;

use crate::nearest;
use crate::source::{Index, Mistake};
use squall_model::Diagnostic;

/// The reader's own error, at its place.
fn unreadable(index: &Index, error: &serde_yaml::Error) -> Diagnostic {
    let words = error.to_string();
    let message = words.split(" at line ").next().unwrap_or(&words).to_owned();
    let start = error.location().map_or(0, |at| place::byte(index, at.line(), at.column()));
    let rest = index.text.get(start..).unwrap_or_default();
    let length = rest.find([' ', ',', ':', '}', ']', '\n', '\r']).unwrap_or(rest.len()).max(1);
    let mistake = Mistake::error("yaml", start..start + length, message.clone()).label("here");
    let hint =
        misspelt(&message).map(|near| format!("did you mean `{near}`?")).or_else(|| quoted_sentence(index, start));
    let mistake = mistake.maybe_hint(hint);
    let origin = index.origin(mistake.span.clone());
    mistake.at(origin)
}

/// ``unknown field `foo`, expected one of `a`, `b` ``: the nearest.
fn misspelt(message: &str) -> Option<&str> {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let given = message.contains("unknown ").then(|| quoted.next())??;
    nearest::name(given, quoted.collect::<Vec<_>>())
}

/// To YAML a quote at the beginning of an item quotes all of it, and what comes after `"web"` is too much.
fn quoted_sentence(index: &Index, at: usize) -> Option<String> {
    let number = index.line_of(at);
    let near = (number.saturating_sub(1)..=number).rev().map(|line| &index.text[index.line(line)]);
    let item = near.filter_map(|line| line.trim_start().strip_prefix("- \"")).next()?;
    let (_, rest) = item.split_once('"')?;
    (!rest.trim().is_empty())
        .then(|| format!("a sentence that begins with a quote stands in single quotes: `- '\"{}'`", item.trim_end()))
}

/// The line that an item of a list comes to.
#[cfg(test)]
pub(crate) fn words_of(list: &str, item: &str) -> Result<String, serde_yaml::Error> {
    use item::Item;
    use serde_yaml::with::singleton_map_recursive::deserialize;
    let yaml = serde_yaml::Deserializer::from_str(item);
    match list {
        "given" => deserialize(yaml).map(|item: Item<nouns::Given>| item.words),
        "when" => deserialize(yaml).map(|item: Item<nouns::When>| item.words),
        _ => deserialize(yaml).map(|item: Item<nouns::Then>| item.words),
    }
}
