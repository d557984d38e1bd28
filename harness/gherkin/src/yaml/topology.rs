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

use super::nouns::{COUNT_OF_INSTANCES, Word, capacity, latency, protocol};
use super::unreadable;
use crate::clauses::shape::MOST_INSTANCES;
use crate::nearest;
use crate::source::{Index, Mistake};
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use squall_model::{
    Capacity, Diagnostic, Instance, Latency, Place, PlaceKind, PlaceName, Protocol, Service, ServiceName, Topology,
    VersionName,
};
use std::ops::Range;
use std::time::Duration;

/// A topology.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// Its services.
    #[schemars(length(min = 1))]
    services: Vec<Entry>,
}

/// A service.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    /// Its name: letters, digits and dashes, 40 at most.
    #[serde(deserialize_with = "name")]
    #[schemars(regex(pattern = r"^[A-Za-z0-9-]{1,40}$"))]
    name: String,
    /// The services that it calls.
    #[serde(default)]
    calls: Vec<String>,
    /// So many instances, all alike; or `fleet`.
    #[serde(default, deserialize_with = "count")]
    #[schemars(range(min = 1, max = COUNT_OF_INSTANCES))]
    instances: Option<u32>,
    /// Instances that differ, numbered from 1 in this order; or `instances`.
    #[serde(default)]
    fleet: Vec<Group>,
    /// What it speaks.
    #[serde(default)]
    #[schemars(schema_with = "protocol")]
    protocol: Protocol,
    /// How long each instance works on a try.
    // `{fixed: 5 ms}`, where this reader would want a tag: `!fixed 5 ms`.
    #[serde(default = "at_once", with = "serde_yaml::with::singleton_map")]
    #[schemars(schema_with = "latency")]
    latency: Latency,
    /// How many tries each instance works on at a time.
    #[serde(default)]
    #[schemars(schema_with = "capacity")]
    capacity: Option<Capacity>,
}

/// Instances of one kind.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Group {
    /// How many; 1 where nothing is written.
    #[serde(default, deserialize_with = "count")]
    #[schemars(range(min = 1, max = COUNT_OF_INSTANCES))]
    instances: Option<u32>,
    /// Their version.
    #[serde(default)]
    #[schemars(with = "Option<Word>")]
    version: Option<VersionName>,
    /// The zone that they are in; or `site`.
    #[serde(default)]
    #[schemars(with = "Option<Word>")]
    zone: Option<PlaceName>,
    /// The site that they are at; or `zone`.
    #[serde(default)]
    #[schemars(with = "Option<Word>")]
    site: Option<PlaceName>,
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
    if mistakes.is_empty() { Ok(topology(&read.services)) } else { Err(mistakes) }
}

/// The topology of these services.
pub(super) fn topology(services: &[Entry]) -> Topology {
    Topology { services: services.iter().map(service).collect(), ..Topology::default() }
}

fn service(entry: &Entry) -> Service {
    let plain = vec![Instance::default(); entry.instances.unwrap_or(1) as usize];
    let fleet: Vec<Instance> = entry.fleet.iter().flat_map(group).collect();
    Service {
        name: ServiceName::from(entry.name.as_str()),
        instances: if fleet.is_empty() { plain } else { fleet },
        calls: entry.calls.iter().map(|callee| ServiceName::from(callee.as_str())).collect(),
        protocol: entry.protocol,
        latency: entry.latency,
        capacity: entry.capacity,
        deployed: None,
    }
}

fn group(group: &Group) -> impl Iterator<Item = Instance> {
    let place = |kind, name: &PlaceName| Place { kind, name: name.clone() };
    let zone = group.zone.as_ref().map(|name| place(PlaceKind::Zone, name));
    let place = zone.or_else(|| group.site.as_ref().map(|name| place(PlaceKind::Site, name)));
    std::iter::repeat_n(
        Instance { version: group.version.clone(), place, at: None },
        group.instances.unwrap_or(1) as usize,
    )
}

/// What no reader of YAML can tell.
pub(super) fn mistakes(index: &Index, entries: &[Entry]) -> Vec<Diagnostic> {
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
        if entry.fleet.iter().any(|group| group.zone.is_some() && group.site.is_some()) {
            let mistake =
                Mistake::error("twice", place(), format!("instances of \"{}\" are in two places", entry.name))
                    .label("`zone`, or `site`");
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
