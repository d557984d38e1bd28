//! What has the proxies of a service that somebody else deployed ask our fault port: one object more beside theirs, which the namespace of the
//! run owns. Pure.
//!
//! Kubernetes removes what is owned by what is gone (garbage collection; an owner without a namespace may own anything), so whoever removes a
//! run's namespace removes these as well. Nothing hangs on how soon: a port that is gone has no faults (`failure_mode_allow` of ext_authz).

use serde_json::{Value, json};
use squall_mesh_proxy::port::filters;
use squall_model::Service;
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

/// The object for one service, asking a runner at this address; `owner` is the run's namespace, with its uid. `None` where the proxies of a
/// service ask nobody.
#[must_use]
pub fn asking(
    service: &Service,
    runner: IpAddr,
    labels: &BTreeMap<String, String>,
    owner: (&str, &str),
) -> Option<Value> {
    let deployed = service.deployed.as_ref()?;
    let before_router = json!({
        "context": "SIDECAR_INBOUND",
        "listener": {"filterChain": {"filter": {
            "name": "envoy.filters.network.http_connection_manager",
            "subFilter": {"name": "envoy.filters.http.router"},
        }}},
    });
    let filter = |filter: Value| {
        json!({
            "applyTo": "HTTP_FILTER",
            "match": before_router,
            "patch": {"operation": "INSERT_BEFORE", "value": filter},
        })
    };
    let cluster = json!({
        "applyTo": "CLUSTER",
        "match": {"context": "SIDECAR_OUTBOUND"},
        "patch": {"operation": "ADD", "value": filters::cluster(SocketAddr::new(runner, PORT))},
    });
    let patches: Vec<Value> = std::iter::once(cluster).chain(filters::filters().into_iter().map(filter)).collect();
    Some(json!({
        "apiVersion": "networking.istio.io/v1alpha3",
        "kind": "EnvoyFilter",
        "metadata": {
            "name": name(service),
            "namespace": deployed.namespace,
            "labels": labels,
            "ownerReferences": [{"apiVersion": "v1", "kind": "Namespace", "name": owner.0, "uid": owner.1}],
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
        let run = labels("squall.dev/run", "1");
        let object = |service: &Service| asking(service, [10, 0, 0, 9].into(), &run, ("squall-1", "4f1c"));
        assert_yaml_snapshot!(object(&reviews).unwrap());
        reviews.deployed.as_mut().unwrap().pods = None;
        assert_eq!(object(&reviews), None);
    }
}
