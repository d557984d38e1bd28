//! What a run may edit of an application of somebody else's, where `--allow-edit` says so: its pods are restarted. The runner does that; it
//! is given what it needs for it in the application's namespace, by a Role that goes with the namespace of the run.

use super::{doctor::Lacking, job::Job, manifest::RUNNER};
use crate::{outcome::Failure, run::Work};
use serde_json::{Value, json};
use squall_mesh::word_of;
use squall_mesh_proxy::render;
use squall_place::kubernetes::{Cluster, ClusterError};
use std::collections::BTreeSet;

/// What the runner needs where pods are restarted.
pub(super) fn rules() -> Value {
    json!([
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
        {"apiGroups": [""], "resources": ["pods/eviction"], "verbs": ["create"]},
    ])
}

/// Namespaces of applications some of whose pods are restarted by some run of this work.
pub(super) fn edited(work: &Work) -> BTreeSet<&str> {
    let plans = work.plans.iter().filter(|plan| super::asking::is_run(plan));
    let services = plans.flat_map(|plan| render::restarted_in(plan, work.controls));
    services.filter_map(|service| Some(service.deployed.as_ref()?.namespace.as_str())).collect()
}

/// Why pods there cannot be restarted, before anything is made: who gives a right away has to have it.
pub(super) async fn refuse(cluster: &Cluster, namespaces: &BTreeSet<&str>) -> Result<(), Failure> {
    let needed = [
        rules(),
        json!([{"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles", "rolebindings"], "verbs": ["create"]}]),
    ];
    for namespace in namespaces {
        if let Some(words) = Lacking::within(Some(namespace), cluster, &needed).await.missing() {
            let what = format!("to restart pods of the application a run needs to {words} in namespace {namespace}");
            return Err(Failure::environment(ClusterError::Forbidden(what).to_string())
                .help("kind-config/application.yaml has a role for that; without `--allow-edit` all else runs"));
        }
    }
    Ok(())
}

/// Lets the runner of this job restart pods there, as long as the namespace of the run is there.
pub(super) async fn allow(cluster: &Cluster, job: &Job) -> Result<(), ClusterError> {
    let namespaces = edited(&job.work);
    if namespaces.is_empty() {
        return Ok(());
    }
    let uid = cluster.uid_of_namespace(&job.namespace).await?;
    for object in namespaces.into_iter().flat_map(|namespace| objects(namespace, job, &uid)) {
        cluster.create(&object).await?;
    }
    Ok(())
}

/// The Role of a run in a namespace of somebody else's, and who has it.
fn objects(namespace: &str, job: &Job, uid: &str) -> [Value; 2] {
    let name = format!("squall-edits-{}", word_of(&job.work.run));
    let metadata = json!({
        "name": name,
        "namespace": namespace,
        "labels": job.labels,
        "ownerReferences": [{"apiVersion": "v1", "kind": "Namespace", "name": job.namespace, "uid": uid}],
    });
    [
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": metadata,
            "rules": rules(),
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": RUNNER, "namespace": job.namespace}],
        }),
    ]
}
