//! The JSON Schema of both kinds of file, for editors.

use super::experiment::Experiment;
use super::topology::File;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;

/// A file in `scenarios/`: a topology, or an experiment.
#[derive(JsonSchema)]
#[serde(untagged)]
#[schemars(title = "Squall")]
#[expect(dead_code, reason = "what a schema says, and nobody makes")]
enum Scenarios {
    /// Services, for `Given the mesh "…"`.
    Topology(File),
    /// A feature in YAML.
    Experiment(Experiment),
}

/// The JSON Schema (draft 2020-12) of topologies and experiments, made from the types that read them.
#[must_use]
pub fn schema() -> serde_json::Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Scenarios>().to_value()
}
