//! What is read from the admin interface's answers.

use super::{AdminError, form, forms::Stats};
use crate::channel::Layer;
use serde::Deserialize;
use serde_json::Value;
use std::{collections::BTreeMap, time::Duration};

/// The runtime of a proxy (`/runtime`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Runtime {
    layers: Vec<String>,
    entries: BTreeMap<String, Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Entry {
    layer_values: Vec<String>,
}

impl Runtime {
    /// What one layer says, by key, in Envoy's words: numbers and texts as such, anything else as the debug text of a
    /// protobuf message, whose blanks and first word vary. `None`: there is no such layer.
    #[must_use]
    pub fn layer(&self, name: &str) -> Option<BTreeMap<&str, &str>> {
        let index = self.layers.iter().position(|layer| layer == name)?;
        let said = self
            .entries
            .iter()
            .filter_map(|(key, entry)| Some((key.as_str(), entry.layer_values.get(index)?.as_str())));
        Some(said.filter(|(_, value)| !value.is_empty()).collect())
    }

    /// Whether a layer says exactly this.
    #[must_use]
    pub fn holds(&self, name: &str, layer: &Layer) -> bool {
        self.layer(name).is_some_and(|said| {
            said.len() == layer.len()
                && layer.iter().all(|(key, value)| said.get(key.as_str()).is_some_and(|text| value.is_shown_as(text)))
        })
    }
}

/// Resources that came from the control plane, each with its version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Versions {
    /// Clusters that are warm.
    pub clusters: BTreeMap<String, String>,
    /// Listeners that are active.
    pub listeners: BTreeMap<String, String>,
    /// Route configurations.
    pub routes: BTreeMap<String, String>,
    /// Clusters that take their endpoints from the control plane.
    pub endpoints: Vec<String>,
}

/// What a proxy has under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Active {
    /// Requests that are not answered yet.
    pub requests: u64,
    /// Connections, those included on which nothing happens.
    pub connections: u64,
}

impl Active {
    pub(super) fn read(path: &str, stats: &Stats) -> Result<Active, AdminError> {
        let both = |what: &str| {
            let gauge = |side: &str| stats.gauge(path, &format!("http.{side}.downstream_{what}_active"));
            Ok(gauge("in")? + gauge("out")?)
        };
        Ok(Active { requests: both("rq")?, connections: both("cx")? })
    }
}

/// What active checks say of the hosts of one cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checked {
    /// How many there are.
    pub hosts: u64,
    /// Those that are out: they failed, or have not passed yet.
    pub failed: u64,
    /// Those of them whose first check has not ended.
    pub pending: u64,
}

/// What still serves connections by a configuration that was replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draining {
    /// Listeners that were replaced or removed.
    pub listeners: u64,
    /// Filter chains that were replaced within a listener.
    pub filter_chains: u64,
}

impl Draining {
    /// Whether every connection is served by the current configuration.
    #[must_use]
    pub fn is_over(self) -> bool {
        self.listeners == 0 && self.filter_chains == 0
    }
}

/// A proxy about itself (`/server_info`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Commit, release, state of the tree, build, TLS library: `9e55…/1.40.0/Clean/RELEASE/BoringSSL`.
    pub build: String,
    /// `LIVE`, `DRAINING`, `PRE_INITIALIZING` or `INITIALIZING`.
    pub state: String,
    /// Since its start; whole seconds.
    pub uptime: Duration,
    /// Its node id: whether it is the one that was meant.
    pub node: String,
}

impl Server {
    /// The release: `1.40.0`.
    #[must_use]
    pub fn release(&self) -> Option<&str> {
        self.build.split('/').nth(1)
    }
}

impl Stats {
    /// A gauge that is there from the start: one that is missing has another name in this Envoy, and is not 0.
    pub(super) fn gauge(&self, path: &str, name: &str) -> Result<u64, AdminError> {
        let found = self.stats.iter().find(|stat| stat.name.as_deref() == Some(name));
        let value = found.and_then(|stat| stat.value.as_ref()).and_then(Value::as_u64);
        value.ok_or_else(|| form(path, format!("`{name}` is missing")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn stats(gauges: &[(&str, u64)]) -> Stats {
        let gauges: Vec<Value> = gauges.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        serde_json::from_value(json!({ "stats": gauges })).unwrap()
    }

    #[test]
    fn a_gauge_that_is_missing_is_not_nothing_under_way() {
        let all = [
            ("http.in.downstream_cx_active", 1),
            ("http.in.downstream_rq_active", 2),
            ("http.out.downstream_cx_active", 30),
            ("http.out.downstream_rq_active", 40),
        ];
        let active = Active::read("/stats", &stats(&all)).unwrap();
        assert_eq!(active, Active { requests: 42, connections: 31 });
        for missing in 0..all.len() {
            let mut some = all.to_vec();
            let (name, _) = some.remove(missing);
            let error = Active::read("/stats", &stats(&some)).unwrap_err();
            assert!(error.to_string().contains(&format!("`{name}` is missing")), "{error}");
        }
    }
}
