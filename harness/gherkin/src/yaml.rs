//! `scenarios/<name>.yaml`: a topology, for `the mesh {text}`.
//!
//! ```yaml
//! services:
//!   - name: web
//!     calls: [reviews]
//!   - name: reviews
//!     instances: 3
//!     latency: {fixed: 5 ms}
//!   - name: shop
//!     fleet:
//!       - {instances: 1, version: v1}
//!       - {instances: 2, version: v2, zone: east}
//!     capacity: {workers: 20, queue: 10}
//! ```

use crate::clauses::shape::MOST_INSTANCES;
use crate::nearest;
use crate::source::{Index, Mistake};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use squall_model::{
    Capacity, Diagnostic, Instance, Latency, PlaceName, Protocol, Service, ServiceName, Topology, VersionName,
};
use std::ops::Range;
use std::time::Duration;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    services: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    #[serde(deserialize_with = "name")]
    name: String,
    #[serde(default)]
    calls: Vec<String>,
    #[serde(default, deserialize_with = "count")]
    instances: Option<u32>,
    #[serde(default)]
    fleet: Vec<Group>,
    #[serde(default)]
    protocol: Protocol,
    // `{fixed: 5 ms}`, where this reader would want a tag: `!fixed 5 ms`.
    #[serde(default = "at_once", with = "serde_yaml::with::singleton_map")]
    latency: Latency,
    #[serde(default)]
    capacity: Option<Capacity>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    #[serde(default, deserialize_with = "count")]
    instances: Option<u32>,
    #[serde(default)]
    version: Option<VersionName>,
    #[serde(default)]
    zone: Option<PlaceName>,
}

fn at_once() -> Latency {
    Latency::Fixed(Duration::ZERO)
}

fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    let plain = !name.is_empty() && name.len() <= 40 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if plain { Ok(name) } else { Err(D::Error::custom("a service is named by letters, digits and dashes, 40 at most")) }
}

fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    match u32::deserialize(deserializer)? {
        count @ 1..=MOST_INSTANCES => Ok(Some(count)),
        count => Err(D::Error::custom(format!("{count} is no number of instances: from 1 to {MOST_INSTANCES}"))),
    }
}

/// Reads a topology. `file` is its name for people.
///
/// # Errors
/// Each mistake at its place. What is no YAML of this shape is told first and alone: the reader stops there.
pub fn topology_from_yaml(file: &str, text: &str) -> Result<Topology, Vec<Diagnostic>> {
    let index = Index::new(file.into(), text);
    let read: File = serde_yaml::from_str(text).map_err(|error| vec![unreadable(&index, &error)])?;
    let mistakes = mistakes(&index, &read.services);
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    Ok(Topology { services: read.services.into_iter().map(service).collect() })
}

fn service(entry: Entry) -> Service {
    let plain = vec![Instance::default(); entry.instances.unwrap_or(1) as usize];
    let fleet: Vec<Instance> = entry
        .fleet
        .into_iter()
        .flat_map(|g| {
            std::iter::repeat_n(Instance { version: g.version, zone: g.zone }, g.instances.unwrap_or(1) as usize)
        })
        .collect();
    Service {
        name: ServiceName::from(entry.name),
        instances: if fleet.is_empty() { plain } else { fleet },
        calls: entry.calls.into_iter().map(ServiceName::from).collect(),
        protocol: entry.protocol,
        latency: entry.latency,
        capacity: entry.capacity,
    }
}

/// The reader's own error, at its place.
fn unreadable(index: &Index, error: &serde_yaml::Error) -> Diagnostic {
    let words = error.to_string();
    let message = words.split(" at line ").next().unwrap_or(&words).to_owned();
    let start = error.location().map_or(0, |place| {
        let line = index.line(place.line().saturating_sub(1));
        let text = index.text.get(line.clone()).unwrap_or_default();
        let column = text.char_indices().nth(place.column().saturating_sub(1)).map_or(text.len(), |(at, _)| at);
        (line.start + column).min(line.end)
    });
    let rest = index.text.get(start..).unwrap_or_default();
    let length = rest.find([' ', ',', ':', '}', ']', '\n', '\r']).unwrap_or(rest.len()).max(1);
    let mut mistake = Mistake::error("yaml", start..start + length, message.clone()).label("here");
    if let Some(near) = misspelt(&message) {
        mistake = mistake.hint(format!("did you mean `{near}`?"));
    }
    let origin = index.origin(mistake.span.clone());
    mistake.at(origin)
}

/// ``unknown field `foo`, expected one of `a`, `b` ``: the nearest.
fn misspelt(message: &str) -> Option<&str> {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let given = message.contains("unknown ").then(|| quoted.next())??;
    nearest::name(given, quoted.collect::<Vec<_>>())
}

/// What no reader of YAML can tell.
fn mistakes(index: &Index, entries: &[Entry]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut tell = |mistake: Mistake| {
        let origin = index.origin(mistake.span.clone());
        found.push(mistake.at(origin));
    };
    if entries.is_empty() {
        tell(Mistake::error("no-services", 0..1, "a mesh of no services").label("at least one"));
    }
    for (number, entry) in entries.iter().enumerate() {
        let place = || locate(&index.text, &entry.name, &entry.name);
        if entries[..number].iter().any(|other| other.name == entry.name) {
            tell(
                Mistake::error("twice", place(), format!("\"{}\" is declared twice", entry.name))
                    .label("one of them goes"),
            );
        }
        if entry.instances.is_some() && !entry.fleet.is_empty() {
            let mistake = Mistake::error("twice", place(), format!("\"{}\" says its instances twice", entry.name))
                .label("`instances` and `fleet`")
                .hint("keep `fleet` where instances differ, else `instances`");
            tell(mistake);
        }
        if entry.capacity.is_some_and(|c| c.workers == 0) {
            let mistake = Mistake::error("zero", place(), format!("\"{}\" works on nothing at all", entry.name))
                .label("`workers` is at least 1");
            tell(mistake);
        }
        for callee in entry.calls.iter().filter(|callee| !entries.iter().any(|e| e.name == **callee)) {
            let near = nearest::name(callee, entries.iter().map(|e| e.name.as_str()));
            let span = locate(&index.text, &entry.name, callee);
            let mistake = Mistake::error("unknown-name", span, format!("there is no service \"{callee}\""))
                .label("not in this file")
                .maybe_hint(near.map(|near| format!("did you mean `{near}`?")));
            tell(mistake);
        }
    }
    found
}

/// The last place of a word in the entry of a service, by looking for it: the reader keeps no places of what it has read.
fn locate(text: &str, service: &str, word: &str) -> Range<usize> {
    let heads: Vec<usize> = text.match_indices("name:").map(|(at, _)| at).collect();
    let named = |at: &usize| text[*at + 5..].trim_start_matches([' ', '"', '\'']).starts_with(service);
    let head = heads.iter().copied().rfind(named).unwrap_or(0);
    let after = if word == service { head + 5 } else { head + 5 + service.len() };
    let found = text.get(after..).and_then(|rest| rest.find(word)).map_or(head, |at| after + at);
    found..found + word.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOP: &str = "services:\n  - name: web\n    calls: [reviews]\n  - name: reviews\n    fleet:\n      - {instances: 2, version: v1}\n      - {version: v2, zone: east}\n    latency: {fixed: 5 ms}\n    capacity: {workers: 20, queue: null}\n";

    #[test]
    fn a_mesh_is_read() {
        insta::assert_yaml_snapshot!(topology_from_yaml("scenarios/shop.yaml", SHOP).unwrap());
    }

    #[test]
    fn latencies_are_read_as_the_model_writes_them() {
        let text = "services:\n  - name: a\n    latency: {log_normal: {median: 4 ms, p99: 20 ms}}\n  - {name: b, instances: 2, capacity: {workers: 3}}\n";
        let topology = topology_from_yaml("t.yaml", text).unwrap();
        let (median, p99) = (Duration::from_millis(4), Duration::from_millis(20));
        assert_eq!(topology.services[0].latency, Latency::LogNormal { median, p99 });
        assert_eq!(topology.services[1].capacity, Some(Capacity { workers: 3, queue: None }));
    }

    #[test]
    fn mistakes_have_places() {
        let shown = |text: &str| {
            crate::lint::render::all(
                "scenarios/shop.yaml",
                text,
                &topology_from_yaml("scenarios/shop.yaml", text).unwrap_err(),
            )
        };
        let cases = [
            SHOP.replace("latency", "latancy"),
            SHOP.replace("instances: 2", "instances: two"),
            SHOP.replace("instances: 2", "instances: 0"),
            SHOP.replace("[reviews]", "[review]"),
            SHOP.replace("name: web", "name: reviews"),
            SHOP.replace("fixed: 5 ms", "fixed: 5 lightyears"),
            SHOP.replace("workers: 20", "workers: 0"),
            SHOP.replace("[reviews]", "[reviews"),
        ];
        insta::assert_snapshot!(cases.map(|text| shown(&text)).join("\n"));
    }
}
