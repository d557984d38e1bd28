//! The pods, and what all of them share. Pure.
//!
//! Annotations are those of Istio's injector (istio.io/docs/reference/config/annotations). There is no interception: a proxy is called
//! where its Sidecar has it listen, as on one machine. The bootstrap of a sidecar is Istio's own, with the fault channel's runtime
//! layer added to it (`sidecar.istio.io/bootstrapOverride`).

use super::Runner;
use crate::render::{INSTANCE, nothing_by_default, plain_text};
use serde_json::{Value, json};
use squall_mesh_proxy::{
    bootstrap::{NODE, fault_cluster, fault_layer},
    logs,
};
use squall_model::InstanceId;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// What the bootstrap's additions are called.
const BOOTSTRAP: &str = "squall-bootstrap";

/// The user of every sidecar: whoever is to end one has to be the same.
const PROXY_USER: u32 = 1337;

/// What all pods of a run have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The folder that the proxy and the agent of every pod share.
    pub home: PathBuf,
    /// Where they are.
    pub namespace: String,
    /// Our own image.
    pub image: String,
    /// By which name istiod is known, and its port for TLS: `istiod.istio-system.svc:15012`.
    pub istiod: String,
    /// Labels of everything that the run makes.
    pub labels: BTreeMap<String, String>,
}

/// Who a pod is to istiod.
pub(super) fn labels_of(id: &InstanceId) -> BTreeMap<&'static str, String> {
    BTreeMap::from([("app", id.service.to_string()), (INSTANCE, id.to_string())])
}

/// A pod that is nobody at the moment.
pub(super) fn labels_of_nobody(node: &str) -> BTreeMap<&'static str, String> {
    BTreeMap::from([("app", format!("idle-{node}")), (INSTANCE, format!("idle-{node}"))])
}

/// One pod: a sidecar, and beside it our agent, which starts workloads. `folder` is the proxy's on the runner's side; the pod has one
/// under the same path. `way`: where it finds istiod.
pub(super) fn pod(settings: &Settings, node: &str, folder: &Path, way: SocketAddr, runner: &Runner) -> Value {
    let run = folder.parent().unwrap_or(folder);
    let shared = json!([{"name": "squall", "mountPath": settings.home}, {"name": "squall", "mountPath": run}]);
    let mut labels: BTreeMap<String, String> = settings.labels.clone();
    labels.extend(labels_of_nobody(node).into_iter().map(|(key, value)| (key.to_owned(), value)));
    labels.insert(NODE.into(), node.into());
    labels.insert("sidecar.istio.io/inject".into(), "true".into());
    let name = settings.istiod.rsplit_once(':').map_or(settings.istiod.as_str(), |(name, _)| name);
    let proxy = json!({
        "concurrency": 1,
        "discoveryAddress": way.to_string(),
        "proxyMetadata": {"ISTIOD_SAN": name},
        "drainDuration": "1s",
        "terminationDrainDuration": "1s",
        "fileFlushInterval": "0.010s",
        "fileFlushMinSizeKb": 1,
        "proxyStatsMatcher": {"inclusionRegexps": [".*"]},
    });
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": node,
            "namespace": settings.namespace,
            "labels": labels,
            "annotations": {
                "sidecar.istio.io/interceptionMode": "NONE",
                "sidecar.istio.io/bootstrapOverride": BOOTSTRAP,
                "sidecar.istio.io/userVolumeMount": shared.to_string(),
                "proxy.istio.io/config": proxy.to_string(),
            },
        },
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
            "automountServiceAccountToken": false,
            // The agent ends the sidecar when the run is gone: it has to see it.
            "shareProcessNamespace": true,
            "securityContext": {"fsGroup": PROXY_USER},
            "affinity": beside(runner),
            "containers": [{
                "name": "squall",
                "image": settings.image,
                "imagePullPolicy": "IfNotPresent",
                "args": ["agent"],
                "env": [token()],
                "securityContext": {
                    "runAsUser": PROXY_USER,
                    "runAsGroup": PROXY_USER,
                    "runAsNonRoot": true,
                    "allowPrivilegeEscalation": false,
                    "capabilities": {"drop": ["ALL"]},
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
                "volumeMounts": shared,
            }],
            "volumes": [{"name": "squall", "emptyDir": {}}],
        },
    })
}

/// On the machine of the runner, whose clock is all the clock there is. As a DaemonSet's pods find theirs: a node's label
/// `kubernetes.io/hostname` need not be its name.
fn beside(runner: &Runner) -> Value {
    let this = json!({"key": "metadata.name", "operator": "In", "values": [runner.machine]});
    let terms = json!({"nodeSelectorTerms": [{"matchFields": [this]}]});
    json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}})
}

/// The environment variable with the secret by which an agent knows its run.
pub const TOKEN: &str = "SQUALL_TOKEN";

/// The Secret that it comes from.
pub const SECRET: &str = "squall-run";

/// It, as a container has it.
#[must_use]
pub fn token() -> Value {
    json!({"name": TOKEN, "valueFrom": {"secretKeyRef": {"name": SECRET, "key": "token"}}})
}

/// What has to be there before the first pod is: to a sidecar that nothing was said to istiod tells every service of the cluster, and
/// without interception it has no such addresses to listen on.
#[must_use]
pub fn before_pods(settings: &Settings) -> Vec<Value> {
    let objects = [nothing_by_default(), plain_text()].map(|object| object.json(&settings.namespace));
    std::iter::once(bootstrap(settings)).chain(objects).collect()
}

/// What every sidecar's bootstrap has of ours: the runtime layer of faults, over a cluster of its own, and where it says whom it ejects.
fn bootstrap(settings: &Settings) -> Value {
    let additions = json!({
        "stats_flush_on_admin": true,
        "cluster_manager": {"outlier_detection": {"event_log_path": logs::ejections(&settings.home)}},
        "layered_runtime": {"layers": [fault_layer()]},
        "static_resources": {
            "clusters": [fault_cluster(&settings.home.join("faults.sock"))],
        },
    });
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": BOOTSTRAP, "namespace": settings.namespace, "labels": settings.labels},
        "data": {"custom_bootstrap.json": additions.to_string()},
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_yaml_snapshot;

    fn settings() -> Settings {
        Settings {
            home: "/run/squall".into(),
            namespace: "squall-1".into(),
            image: "squall:1".into(),
            istiod: "istiod.istio-system.svc:15012".into(),
            labels: BTreeMap::from([("squall.dev/run".into(), "1".into())]),
        }
    }

    #[test]
    fn a_pod() {
        let runner = Runner { address: [10, 0, 0, 9].into(), machine: "worker-2".into(), can_be_silent: true };
        let way = SocketAddr::from(([10, 0, 0, 9], 4444));
        assert_yaml_snapshot!(pod(&settings(), "p3", Path::new("/tmp/squall-0/abc/4-p3"), way, &runner));
    }

    #[test]
    fn what_a_bootstrap_has_of_ours() {
        assert_yaml_snapshot!(bootstrap(&settings()));
    }
}
