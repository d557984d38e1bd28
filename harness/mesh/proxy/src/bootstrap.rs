//! How a proxy is started: its bootstrap and its command line. Pure.
//!
//! Everything a proxy talks to is a Unix socket: the control plane and the fault channel that are given, and its admin
//! interface in its own folder (two live proxies with one admin socket silently take it from each other). The runtime layer
//! `faults` comes over a cluster of its own, so that the faults outlive the control plane and their lease does not hang on
//! it (`envoy.config.bootstrap.v3.RuntimeLayer.rtds_layer`).

use crate::logs;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

/// The runtime layer that the fault channel steers; also the name of its resource.
pub const FAULT_LAYER: &str = "faults";

/// The metadata by which a proxy of another id is known here.
pub const NODE: &str = "squall.dev/node";

/// A release of Envoy, as far as its command line depends on it. The default is one that has all that is known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Release {
    /// As in **1**.40.0.
    pub major: u32,
    /// As in 1.**40**.0.
    pub minor: u32,
}

impl Release {
    /// The first that can be told to write each line of a log at once.
    const FLUSHES_BY_SIZE: Release = Release { major: 1, minor: 37 };

    /// Whether it can write each line of a log at once.
    fn writes_at_once(self) -> bool {
        self >= Release::FLUSHES_BY_SIZE
    }

    /// For how long a line of a log may be in its memory alone. A line goes to a thread that writes it at once, in the oldest
    /// releases every 10 ms; either has to get a core.
    #[must_use]
    pub fn unwritten(self) -> Duration {
        Duration::from_millis(if self.writes_at_once() { 5 } else { 20 })
    }
}

impl Default for Release {
    fn default() -> Release {
        Release { major: 1, minor: 40 }
    }
}

/// How a proxy tells its control plane who it is (config/core/v3/base.proto, Node), where that has a form of its own for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its id there.
    pub id: String,
    /// What else it says of itself.
    pub metadata: serde_json::Map<String, Value>,
}

/// What a proxy needs to know to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bootstrap {
    /// Its node id, unique over the proxies that live at the same time.
    pub node: String,
    /// What its control plane wants to know it by, where that is not the node id.
    pub identity: Option<Identity>,
    /// Its service (`service-cluster`): the name that requests carry in `x-envoy-downstream-service-cluster`.
    pub cluster: String,
    /// A folder of its own, fresh; its path is at most 80 bytes or so, because sockets lie in it.
    pub folder: PathBuf,
    /// Socket of the control plane.
    pub ads: PathBuf,
    /// Socket of the fault channel.
    pub faults: PathBuf,
    /// Runtime values that hold for its whole life, under the faults: guards (`envoy.reloadable_features.…`), so that one
    /// binary shows a fix and its absence. Usually empty.
    pub runtime: BTreeMap<String, Value>,
    /// Which Envoy it is.
    pub release: Release,
}

impl Bootstrap {
    /// The admin socket.
    #[must_use]
    pub fn admin(folder: &Path) -> PathBuf {
        folder.join("admin.sock")
    }

    /// The bootstrap's own file.
    #[must_use]
    pub fn file(folder: &Path) -> PathBuf {
        folder.join("envoy.json")
    }

    /// The proxy's own log.
    #[must_use]
    pub fn log(folder: &Path) -> PathBuf {
        folder.join("envoy.log")
    }

    /// The bootstrap (`envoy.config.bootstrap.v3.Bootstrap`) as JSON: YAML would read a node called `no` as a boolean.
    #[must_use]
    pub fn render(&self) -> Value {
        let fetched = json!({"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "5s"});
        json!({
            "node": self.identity(),
            "admin": {"address": pipe(&Self::admin(&self.folder))},
            "stats_flush_on_admin": true,
            "cluster_manager": {"outlier_detection": {"event_log_path": logs::ejections(&self.folder)}},
            "dynamic_resources": {"ads_config": delta_grpc("ads"), "lds_config": fetched, "cds_config": fetched},
            "layered_runtime": {"layers": [
                {"name": "static", "static_layer": self.runtime},
                fault_layer(),
            ]},
            "overload_manager": {"resource_monitors": [connection_limit()]},
            "static_resources": {"clusters": [grpc_cluster("ads", &self.ads), fault_cluster(&self.faults)]},
        })
    }

    /// Who it is. Under another id its own one is in the metadata, where the fault channel finds it.
    fn identity(&self) -> Value {
        let Some(Identity { id, metadata }) = &self.identity else {
            return json!({"id": self.node, "cluster": self.cluster});
        };
        let mut metadata = metadata.clone();
        metadata.insert(NODE.into(), json!(self.node));
        json!({"id": id, "cluster": self.cluster, "metadata": metadata})
    }

    /// The arguments for the program. One worker, so that order holds and counters are exact; no shared memory with other
    /// proxies; logs written line by line (by the oldest releases, every 10 ms); connections leave a changed listener within a second.
    #[must_use]
    pub fn args(&self) -> Vec<String> {
        let (config, log) = (Self::file(&self.folder), Self::log(&self.folder));
        let flags = ["--concurrency", "1", "--disable-hot-restart", "-l", "warning"];
        let flush = match self.release.writes_at_once() {
            true => ["--file-flush-min-size-kb", "0"],
            false => ["--file-flush-interval-msec", "10"],
        };
        let drain = ["--drain-time-s", "1", "--drain-strategy", "immediate"];
        let paths =
            ["--log-path".into(), log.display().to_string(), "--config-path".into(), config.display().to_string()];
        flags.into_iter().chain(flush).chain(drain).map(str::to_owned).chain(paths).collect()
    }
}

/// A limit far beyond any run: without one Envoy warns at every start that there is none.
fn connection_limit() -> Value {
    json!({
        "name": "envoy.resource_monitors.global_downstream_max_connections",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
            "max_active_downstream_connections": 50_000,
        },
    })
}

/// The runtime layer that the fault channel steers (RuntimeLayer.rtds_layer).
#[must_use]
pub fn fault_layer() -> Value {
    json!({"name": FAULT_LAYER, "rtds_layer": {"name": FAULT_LAYER, "rtds_config": {
        "resource_api_version": "V3",
        "initial_fetch_timeout": "0.5s",
        "api_config_source": delta_grpc("faults"),
    }}})
}

/// The cluster that it comes over: this socket.
#[must_use]
pub fn fault_cluster(socket: &Path) -> Value {
    grpc_cluster("faults", socket)
}

/// A delta stream over a cluster, taken up again within 0.2 s of its loss.
fn delta_grpc(cluster: &str) -> Value {
    json!({
        "api_type": "DELTA_GRPC",
        "transport_api_version": "V3",
        "set_node_on_first_message_only": true,
        "grpc_services": [{"envoy_grpc": {
            "cluster_name": cluster,
            "retry_policy": {"retry_back_off": {"base_interval": "0.05s", "max_interval": "0.2s"}},
        }}],
    })
}

fn grpc_cluster(name: &str, socket: &Path) -> Value {
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http2_protocol_options": {}},
        }},
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": pipe(socket)}}]}],
        },
    })
}

fn pipe(path: &Path) -> Value {
    json!({"pipe": {"path": path}})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bootstrap() -> Bootstrap {
        Bootstrap {
            node: "reviews-1.0".into(),
            identity: None,
            cluster: "reviews".into(),
            folder: "/run/squall/reviews-1.0".into(),
            ads: "/run/squall/ads.sock".into(),
            faults: "/run/squall/faults.sock".into(),
            runtime: BTreeMap::from([(
                "envoy.reloadable_features.grpc_timeout_returns_deadline_exceeded".into(),
                json!(true),
            )]),
            release: Release::default(),
        }
    }

    #[test]
    fn a_bootstrap_is_what_envoy_reads() {
        insta::assert_snapshot!(serde_json::to_string_pretty(&bootstrap().render()).unwrap());
    }

    #[test]
    fn under_another_id_its_own_one_is_in_the_metadata() {
        let metadata = serde_json::Map::from_iter([("NAMESPACE".into(), json!("squall"))]);
        let identity = Some(Identity { id: "sidecar~127.2.0.1~p1.squall~local".into(), metadata });
        let node = Bootstrap { identity, ..bootstrap() }.render()["node"].clone();
        assert_eq!(node["id"], "sidecar~127.2.0.1~p1.squall~local");
        assert_eq!(node["metadata"], json!({"NAMESPACE": "squall", "squall.dev/node": "reviews-1.0"}));
    }

    #[test]
    fn arguments() {
        insta::assert_snapshot!(bootstrap().args().join(" "));
        let old = Bootstrap { release: Release { major: 1, minor: 36 }, ..bootstrap() }.args().join(" ");
        assert!(old.contains(" --file-flush-interval-msec 10 ") && !old.contains("min-size"), "{old}");
    }

    #[test]
    fn every_source_has_a_short_first_fetch() {
        fn sources(value: &Value, found: &mut Vec<Value>) {
            if value.get("resource_api_version").is_some() {
                found.push(value["initial_fetch_timeout"].clone());
            }
            let inner: Vec<_> = match value {
                Value::Object(fields) => fields.values().collect(),
                Value::Array(items) => items.iter().collect(),
                _ => Vec::new(),
            };
            inner.into_iter().for_each(|value| sources(value, found));
        }
        let mut found = Vec::new();
        sources(&bootstrap().render(), &mut found);
        assert_eq!(found.len(), 3, "LDS, CDS, RTDS");
        assert!(found.iter().all(|timeout| timeout.as_str().is_some_and(|t| matches!(t, "5s" | "0.5s"))), "{found:?}");
    }
}
