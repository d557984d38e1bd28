//! What has the proxies of a service that somebody else deployed ask our fault port: one object more beside theirs, which the namespace of the
//! run owns. Pure.
//!
//! Kubernetes removes what is owned by what is gone (garbage collection; an owner without a namespace may own anything), so whoever removes a
//! run's namespace removes these as well. Nothing hangs on how soon: a port that is gone has no faults (`failure_mode_allow` of ext_authz).

use crate::render::insert;
use serde_json::{Value, json};
use squall_mesh_proxy::port::filters;
use squall_model::{Service, Side};
use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

/// Where the runner serves the fault port.
pub const PORT: u16 = 15_997;

/// What they are called: one name for each service, so that no two runs are asked about the same tries.
#[must_use]
pub fn name(service: &Service) -> String {
    format!("squall-port-{}", service.name)
}

/// The run that they are to ask.
#[derive(Debug, Clone, Copy)]
pub struct Run<'r> {
    /// By what the ids of its calls begin.
    pub word: &'r str,
    /// The address of its runner.
    pub runner: IpAddr,
    /// The labels of everything that it makes.
    pub labels: &'r BTreeMap<String, String>,
    /// Its namespace, which owns what is made.
    pub namespace: &'r str,
    /// The uid of that.
    pub uid: &'r str,
}

/// The object for one service. `None` where the proxies of a service ask nobody.
#[must_use]
pub fn asking(service: &Service, run: &Run<'_>) -> Option<Value> {
    let deployed = service.deployed.as_ref()?;
    let cluster = json!({
        "applyTo": "CLUSTER",
        "match": {"context": "SIDECAR_OUTBOUND"},
        "patch": {"operation": "ADD", "value": filters::cluster(SocketAddr::new(run.runner, PORT))},
    });
    let patches: Vec<Value> = std::iter::once(cluster)
        .chain(filters::filters(run.word).iter().map(|filter| insert(Side::Inbound, filter)))
        .collect();
    Some(json!({
        "apiVersion": "networking.istio.io/v1alpha3",
        "kind": "EnvoyFilter",
        "metadata": {
            "name": name(service),
            "namespace": deployed.namespace,
            "labels": run.labels,
            "ownerReferences": [{"apiVersion": "v1", "kind": "Namespace", "name": run.namespace, "uid": run.uid}],
        },
        "spec": {
            "workloadSelector": {"labels": deployed.pods.as_ref()?},
            "configPatches": patches,
        },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_yaml_snapshot;
    use squall_model::Deployed;

    #[test]
    fn one_object_more_beside_theirs() {
        let labels = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
        let deployed = Deployed {
            namespace: "shop".into(),
            port: 80,
            pods: Some(labels("app", "reviews")),
            ..Deployed::default()
        };
        let mut reviews = Service { deployed: Some(deployed), ..Service::new("reviews".into()) };
        let (runner, of_run) = ([10, 0, 0, 9].into(), labels("squall.dev/run", "1"));
        let run = Run { word: "kqwzmnp-", runner, labels: &of_run, namespace: "squall-1", uid: "4f1c" };
        let object = |service: &Service| asking(service, &run);
        assert_yaml_snapshot!(object(&reviews).unwrap());
        reviews.deployed.as_mut().unwrap().pods = None;
        assert_eq!(object(&reviews), None);
    }
}
