//! What a run makes on a cluster. Pure.
//!
//! The roles are those of kind-config/rbac.yaml; a test compares them.

use super::{asking::Asking, job::Job};
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};

/// How long a namespace of ours may take to be gone.
pub const GONE: Duration = Duration::from_secs(90);

/// What the runner, its account and its role are called.
pub const RUNNER: &str = "squall-runner";

/// The sign of life of the one who started the run.
const LEASE: &str = "squall-starter";

/// The file with the job, in the runner's pod.
pub const JOB: &str = "/etc/squall/job.json";

/// The runner's own address, in its environment.
pub const ADDRESS: &str = "SQUALL_POD_IP";

/// The name of the node that the runner is on, in its environment.
pub const MACHINE: &str = "SQUALL_NODE";

/// What the runner may do, and only in its own namespace.
pub fn rules() -> Value {
    json!([
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["create", "get", "list", "watch", "patch", "delete"]},
        {
            "apiGroups": ["networking.istio.io"],
            "resources": [
                "virtualservices", "destinationrules", "serviceentries", "workloadentries", "sidecars", "envoyfilters",
            ],
            "verbs": ["create", "patch", "delete"],
        },
        {
            "apiGroups": ["security.istio.io"],
            "resources": ["peerauthentications"],
            "verbs": ["create", "patch", "delete"],
        },
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["delete"]},
    ])
}

/// The namespace of a run: what is in it is ours, and goes with it.
pub fn namespace(job: &Job, injection: (&str, &str)) -> Value {
    let mut labels = job.labels.clone();
    labels.insert(injection.0.into(), injection.1.into());
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": job.namespace, "labels": labels}})
}

/// Everything that has to be there before the runner is, the secret by which agents know their run among it.
pub fn before_runner(job: &Job, asking: &Asking, token: &str) -> serde_json::Result<Vec<Value>> {
    let metadata = |name: &str| json!({"name": name, "namespace": job.namespace, "labels": job.labels});
    let mut all = vec![
        sign(job, 0),
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata(RUNNER)}),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": metadata(RUNNER),
            "rules": rules(),
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": metadata(RUNNER),
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": RUNNER},
            "subjects": [{"kind": "ServiceAccount", "name": RUNNER, "namespace": job.namespace}],
        }),
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata(RUNNER),
            "data": {"job.json": serde_json::to_string(job)?},
        }),
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": metadata(squall_mesh_istio::manifest::SECRET),
            "stringData": {"token": token},
        }),
    ];
    all.extend(reached(job, asking));
    all.extend(squall_mesh_istio::manifest::before_pods(&job.pods()));
    Ok(all)
}

/// Who reaches the pods of a run: each other, and the fault port those that ask it. (networking.k8s.io/v1: what no policy allows is not let in
/// where some policy selects the pod; kubelets are let in.)
fn reached(job: &Job, asking: &Asking) -> Vec<Value> {
    let policy = |name: &str, pods: Value, ingress: Value| {
        json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": name, "namespace": job.namespace, "labels": job.labels},
            "spec": {"podSelector": pods, "policyTypes": ["Ingress"], "ingress": [ingress]},
        })
    };
    let own = policy("squall-own", json!({}), json!({"from": [{"podSelector": {}}]}));
    let from: Vec<Value> = asking
        .namespaces()
        .into_iter()
        .map(|name| json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}))
        .collect();
    let runner = json!({"matchLabels": {"app": RUNNER}});
    let ports = json!([{"protocol": "TCP", "port": squall_mesh_istio::asking::PORT}]);
    let port = policy("squall-port", runner, json!({"from": from, "ports": ports}));
    std::iter::once(own).chain((!asking.is_empty()).then_some(port)).collect()
}

/// The object with the signs of life of whoever started the run in this namespace.
pub fn lease(namespace: &str) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": LEASE, "namespace": namespace},
    })
}

/// A sign of life, each with another number.
pub fn sign(job: &Job, number: u64) -> Value {
    sign_of(&job.work.run, &job.namespace, &job.labels, job.lease, number)
}

/// A sign of life of whoever started this run.
pub fn sign_of(run: &str, namespace: &str, labels: &BTreeMap<String, String>, every: Duration, number: u64) -> Value {
    let mut lease = lease(namespace);
    lease["metadata"]["labels"] = json!(labels);
    lease["spec"] = json!({
        "holderIdentity": format!("{run} sign {number}"),
        "leaseDurationSeconds": every.as_secs(),
    });
    lease
}

/// The definition of a kind of objects: `virtualservices.networking.istio.io`.
pub fn definition(name: &str) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": name},
    })
}

/// What containers of ours that are no part of a mesh may do on their machine.
pub fn secured() -> Value {
    json!({
        "runAsUser": 1000,
        "runAsGroup": 1000,
        "runAsNonRoot": true,
        "allowPrivilegeEscalation": false,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    })
}

/// The runner. It is no part of the mesh; its calls go to the sidecars of those that make them.
pub fn runner(job: &Job) -> Value {
    let mut labels = job.labels.clone();
    labels.insert("app".into(), RUNNER.into());
    labels.insert("sidecar.istio.io/inject".into(), "false".into());
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": RUNNER, "namespace": job.namespace, "labels": labels},
        "spec": {
            "restartPolicy": "Never",
            "serviceAccountName": RUNNER,
            "terminationGracePeriodSeconds": 30,
            "containers": [{
                "name": RUNNER,
                "image": job.image,
                "imagePullPolicy": "IfNotPresent",
                "args": ["runner", "--config", JOB],
                "env": [
                    {"name": ADDRESS, "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
                    {"name": MACHINE, "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
                    squall_mesh_istio::manifest::token(),
                ],
                "securityContext": secured(),
                "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
                "volumeMounts": [
                    {"name": "job", "mountPath": "/etc/squall"},
                    {"name": "tmp", "mountPath": "/tmp"},
                ],
            }],
            "volumes": [
                {"name": "job", "configMap": {"name": RUNNER}},
                {"name": "tmp", "emptyDir": {}},
            ],
        },
    })
}
