//! The documents say what the house is.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test that cannot unwrap should fail, and says what it saw"
)]

mod support;

use std::{collections::BTreeMap, fs};
use support::{Squall, root};

/// Which of our rooms each room knows, from the manifests.
fn rooms() -> BTreeMap<String, Vec<String>> {
    let workspace: toml::Table = fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    let members = workspace["workspace"]["members"].as_array().unwrap();
    members
        .iter()
        .map(|member| {
            let path = root().join(member.as_str().unwrap()).join("Cargo.toml");
            let manifest: toml::Table = fs::read_to_string(path).unwrap().parse().unwrap();
            let short = |name: &str| name.strip_prefix("squall-").unwrap_or(name).to_owned();
            let name = short(manifest["package"]["name"].as_str().unwrap());
            let known = manifest["dependencies"].as_table().unwrap().keys();
            let mut known: Vec<String> = known.filter(|d| d.starts_with("squall-")).map(|d| short(d)).collect();
            known.sort();
            (name, known)
        })
        .collect()
}

#[test]
fn the_architecture_document_has_the_graph_of_the_rooms() {
    let text = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    for (room, known) in rooms() {
        let row = format!("| {room} | {} |", if known.is_empty() { "nothing".to_owned() } else { known.join(", ") });
        assert!(text.contains(&row), "docs/architecture.md lacks this row of the graph:\n{row}");
    }
}

#[test]
fn pure_rooms_know_no_room_that_does_io() {
    let io = ["child", "traffic", "workload", "link", "place", "mesh", "mesh-envoy", "engine"];
    let rooms = rooms();
    for pure in ["model", "stats", "evidence", "verdict", "gherkin", "report", "load"] {
        let bad: Vec<&String> = rooms[pure].iter().filter(|known| io.contains(&known.as_str())).collect();
        assert!(bad.is_empty(), "{pure} is pure and knows {bad:?}");
    }
    for (room, known) in &rooms {
        let drives = known.iter().any(|k| ["place", "traffic"].contains(&k.as_str()));
        assert!(!drives || ["engine", "squall"].contains(&room.as_str()), "{room} drives what only the engine may");
    }
}

#[test]
fn the_vocabulary_is_what_the_steps_say() {
    let written = fs::read_to_string(root().join("docs/vocabulary.md")).unwrap_or_default();
    let made = Squall::new().run(&["steps", "--markdown"]);
    made.expect(0);
    assert!(written == made.out, "docs/vocabulary.md is stale: cargo run -- steps --markdown > docs/vocabulary.md");
}

#[test]
fn the_architecture_document_has_every_deadline() {
    let text = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    for deadline in squall_engine::deadline::ALL {
        let row = format!("| {} | {} s |", deadline.name, deadline.at_most.as_secs());
        assert!(text.contains(&row), "docs/architecture.md lacks the deadline `{row}`");
    }
}

#[test]
fn readers_keep_the_events_of_every_released_version() {
    let folder = root().join("fixtures/events");
    let files: Vec<_> = fs::read_dir(folder).unwrap().flatten().map(|e| e.path()).collect();
    assert!(!files.is_empty(), "no recorded events to read");
    for file in files {
        let events = squall_report::read_events(&fs::read_to_string(&file).unwrap()).unwrap();
        let known = events.iter().filter(|e| e.body != squall_model::Body::Unknown).count();
        assert_eq!(known, events.len(), "{} has kinds that are not known any more", file.display());
    }
}
