//! An application that somebody else deployed, as a scenario speaks of it: read from its Services, the EndpointSlices of them, and
//! the labels of its Pods. Looked at, and never touched.

use super::{failure, remote::permitted};
use crate::{outcome::Failure, settings::Kubernetes};
use serde_json::{Value, json};
use squall_mesh_istio::starter_of;
use squall_model::{Deployed, Instance, Protocol, Service, VersionName};
use squall_place::kubernetes::{Cluster, ClusterError};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
};

/// The services of a namespace that can be called, with their instances; `spelled` is the context that was named on the command line. No
/// cluster and no namespace is looked at that a run may not go to.
pub fn application(spelled: Option<&str>, kubernetes: &Kubernetes, namespace: &str) -> Result<Vec<Service>, Failure> {
    let context = permitted(spelled, kubernetes)?;
    kubernetes.limits.refuse_application(namespace).map_or(Ok(()), |why| Err(Failure::usage(why)))?;
    super::seat::block_on(async {
        let cluster = Cluster::connect(context.as_deref()).await.map_err(|e| failure(&e))?;
        let found = |api: &str, kind: &str| {
            let of = json!({"apiVersion": api, "kind": kind, "metadata": {"namespace": namespace}});
            let cluster = &cluster;
            async move { cluster.list(&of).await.map_err(|e| unseen(&e)) }
        };
        let services = found("v1", "Service").await?;
        let slices = found("discovery.k8s.io/v1", "EndpointSlice").await?;
        let pods = found("v1", "Pod").await?;
        Ok(services_of(&services, &slices, &pods))
    })?
}

/// Why an application cannot be looked at.
fn unseen(error: &ClusterError) -> Failure {
    match error {
        ClusterError::Forbidden(_) => Failure::environment(error.to_string())
            .help("who joins an application has to see it: kind-config/application.yaml is a role for that"),
        _ => failure(error),
    }
}

/// What of these objects can be called. Pure.
fn services_of(services: &[Value], slices: &[Value], pods: &[Value]) -> Vec<Service> {
    let versions = versions(pods);
    let owned: BTreeSet<&str> =
        pods.iter().filter(|pod| starter_of(pod).is_some()).map(|pod| text(&pod["metadata"]["name"])).collect();
    let of = |service: &Value| {
        let name = text(&service["metadata"]["name"]);
        let (port, protocol) = port(service)?;
        let of_it = |slice: &&Value| text(&slice["metadata"]["labels"]["kubernetes.io/service-name"]) == name;
        // A pod with addresses of two families is one instance all the same: by the family that the service names first.
        let family = service["spec"]["ipFamilies"][0].as_str();
        let of_family = |slice: &&Value| match (family, slice["addressType"].as_str()) {
            (Some(family), Some(of)) => of == family,
            _ => true,
        };
        let own = slices.iter().filter(of_it).filter(of_family);
        let behind: Vec<(&str, SocketAddr)> = own.flat_map(|slice| endpoints(slice, text(&port["name"]))).collect();
        let version = |(pod, at): &(&str, SocketAddr)| (versions.get(pod).copied(), *at);
        let mut instances: Vec<(Option<&str>, SocketAddr)> = behind.iter().map(version).collect();
        // Numbered by version, then by address: the same as long as nobody comes or goes.
        instances.sort_unstable();
        instances.dedup();
        let instance = |(version, at): (Option<&str>, SocketAddr)| Instance {
            version: version.map(VersionName::from),
            place: None,
            at: Some(at),
        };
        let selector = Some(texts(&service["spec"]["selector"])).filter(|labels| !labels.is_empty());
        let deployed = Deployed {
            namespace: text(&service["metadata"]["namespace"]).to_owned(),
            port: number(&port["port"])?,
            restarted: selector.clone().filter(|_| behind.iter().all(|(pod, _)| owned.contains(pod))),
            pods: selector,
            labels: texts(&service["metadata"]["labels"]),
        };
        let instances: Vec<Instance> = instances.into_iter().map(instance).collect();
        (!instances.is_empty()).then(|| Service {
            instances,
            protocol,
            deployed: Some(deployed),
            ..Service::new(name.into())
        })
    };
    let mut all: Vec<Service> = services.iter().filter(|service| !is_headless(service)).filter_map(of).collect();
    all.sort_by(|a, b| a.name.as_str().cmp(b.name.as_str()));
    all
}

/// One without an address of its own is asked for its pods, and not called.
fn is_headless(service: &Value) -> bool {
    text(&service["spec"]["clusterIP"]) == "None"
}

/// The first port of a service that speaks HTTP in any form, as Istio reads it: by `appProtocol`, else by the first word of its name
/// (Istio: protocol selection).
fn port(service: &Value) -> Option<(&Value, Protocol)> {
    let ports = service["spec"]["ports"].as_array()?;
    ports.iter().find_map(|port| {
        let by_name = text(&port["name"]).split('-').next().unwrap_or_default();
        let said = port["appProtocol"].as_str().unwrap_or(by_name).to_ascii_lowercase();
        let protocol = match said.rsplit('/').next().unwrap_or_default() {
            "http" => Protocol::Http,
            "http2" | "h2c" => Protocol::Http2,
            "grpc" => Protocol::Grpc,
            _ => return None,
        };
        Some((port, protocol))
    })
}

/// Who is ready behind this port of a service: its pod, and where it is.
fn endpoints<'v>(slice: &'v Value, port: &str) -> Vec<(&'v str, SocketAddr)> {
    let mut ports = slice["ports"].as_array().into_iter().flatten();
    let port = ports.find(|other| text(&other["name"]) == port).and_then(|found| number(&found["port"]));
    let Some(port) = port else { return Vec::new() };
    let ready = |endpoint: &&Value| endpoint["conditions"]["ready"].as_bool() != Some(false);
    let all = slice["endpoints"].as_array().into_iter().flatten().filter(ready);
    all.filter_map(|endpoint| {
        let ip: IpAddr = text(&endpoint["addresses"][0]).parse().ok()?;
        Some((text(&endpoint["targetRef"]["name"]), SocketAddr::new(ip, port)))
    })
    .collect()
}

/// The version of each pod that names one.
fn versions(pods: &[Value]) -> BTreeMap<&str, &str> {
    pods.iter().filter_map(|pod| version_of(&pod["metadata"])).collect()
}

/// The name of a pod, and the version that its labels name.
fn version_of(metadata: &Value) -> Option<(&str, &str)> {
    let labels = ["version", "app.kubernetes.io/version"];
    let version = labels.iter().find_map(|label| metadata["labels"][*label].as_str())?;
    Some((text(&metadata["name"]), version))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Labels, or what selects by them.
fn texts(value: &Value) -> BTreeMap<String, String> {
    let all = value.as_object().into_iter().flatten();
    all.map(|(name, value)| (name.clone(), text(value).to_owned())).collect()
}

fn number(value: &Value) -> Option<u16> {
    value.as_u64().and_then(|number| u16::try_from(number).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(name: &str, ports: &Value) -> Value {
        json!({
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {"clusterIP": "10.96.0.1", "ports": ports},
        })
    }

    fn slice(of: &str, port: &Value, endpoints: &Value) -> Value {
        json!({
            "metadata": {"labels": {"kubernetes.io/service-name": of}},
            "ports": [port],
            "endpoints": endpoints,
        })
    }

    fn pod(name: &str, labels: &Value) -> Value {
        json!({"metadata": {"name": name, "labels": labels}})
    }

    fn endpoint(ip: &str, pod: &str, ready: bool) -> Value {
        json!({"addresses": [ip], "conditions": {"ready": ready}, "targetRef": {"kind": "Pod", "name": pod}})
    }

    #[test]
    fn services_with_their_ports_instances_and_versions() {
        let http = json!([{"name": "metrics", "port": 9090}, {"name": "http-web", "port": 80}]);
        let mut headless = service("headless", &http);
        headless["spec"]["clusterIP"] = json!("None");
        let mut front = service("front", &json!([{"name": "web", "appProtocol": "kubernetes.io/h2c", "port": 8080}]));
        front["spec"]["ipFamilies"] = json!(["IPv4", "IPv6"]);
        let services = [
            service("reviews", &http),
            front,
            service("ledger", &json!([{"name": "grpc", "port": 9000}])),
            service("redis", &json!([{"name": "redis", "port": 6379}])),
            service("nobody", &http),
            headless,
        ];
        let web = json!({"name": "http-web", "port": 9080});
        let slices = [
            slice("reviews", &web, &json!([endpoint("10.0.0.9", "r-c", true), endpoint("10.0.0.2", "r-b", true)])),
            slice("reviews", &web, &json!([endpoint("10.0.0.3", "r-a", true), endpoint("10.0.0.4", "r-d", false)])),
            slice("front", &json!({"name": "web", "port": 8081}), &json!([endpoint("10.0.0.5", "f-a", true)])),
            slice("ledger", &json!({"name": "grpc", "port": 9000}), &json!([{"addresses": ["fd00::7"]}])),
            slice("redis", &json!({"name": "redis", "port": 6379}), &json!([endpoint("10.0.0.6", "x", true)])),
            slice("headless", &web, &json!([endpoint("10.0.0.8", "h", true)])),
        ];
        let mut other_family =
            slice("front", &json!({"name": "web", "port": 8081}), &json!([endpoint("fd00::5", "f-a", true)]));
        other_family["addressType"] = json!("IPv6");
        let slices = [&slices[..], &[other_family]].concat();
        let pods = [
            pod("r-a", &json!({"version": "v1"})),
            pod("r-b", &json!({"app.kubernetes.io/version": "v2"})),
            pod("r-c", &json!({"version": "v1", "app.kubernetes.io/version": "2.3.4"})),
            pod("f-a", &Value::Null),
        ];
        let all = services_of(&services, &slices, &pods);
        let told: Vec<String> = all
            .iter()
            .map(|service| {
                let of = service.deployed.as_ref().unwrap();
                let instances: Vec<String> = service
                    .instances
                    .iter()
                    .map(|i| format!("{} {}", i.version.as_ref().map_or("-", |v| v.as_str()), i.at.unwrap()))
                    .collect();
                format!("{}.{}:{} {:?} {instances:?}", service.name, of.namespace, of.port, service.protocol)
            })
            .collect();
        assert_eq!(
            told,
            [
                "front.shop:8080 Http2 [\"- 10.0.0.5:8081\"]",
                "ledger.shop:9000 Grpc [\"- [fd00::7]:9000\"]",
                "reviews.shop:80 Http [\"v1 10.0.0.3:9080\", \"v1 10.0.0.9:9080\", \"v2 10.0.0.2:9080\"]",
            ]
        );
    }

    #[test]
    fn pods_are_restarted_where_each_has_an_owner() {
        let web = json!({"name": "http", "port": 9080});
        let mut reviews = service("reviews", &json!([web]));
        let slices =
            [slice("reviews", &web, &json!([endpoint("10.0.0.1", "r-a", true), endpoint("10.0.0.2", "r-b", true)]))];
        let of_a = |kind: &str, api: &str, name: &str, is_controller: bool| {
            let owners = json!([{"apiVersion": api, "kind": kind, "uid": "7", "controller": is_controller}]);
            json!({"metadata": {"name": name, "ownerReferences": owners}})
        };
        let owned = |name: &str, is_controller| of_a("ReplicaSet", "apps/v1", name, is_controller);
        let restarted = |service: &Value, pods: &[Value]| {
            let all = services_of(std::slice::from_ref(service), &slices, pods);
            all[0].deployed.as_ref().unwrap().restarted.clone()
        };
        assert_eq!(restarted(&reviews, &[owned("r-a", true), owned("r-b", true)]), None, "nothing selects its pods");
        reviews["spec"]["selector"] = json!({"app": "reviews"});
        let selected = Some(BTreeMap::from([("app".to_owned(), "reviews".to_owned())]));
        assert_eq!(restarted(&reviews, &[owned("r-a", true), owned("r-b", true)]), selected);
        assert_eq!(restarted(&reviews, &[owned("r-a", true), owned("r-b", false)]), None);
        assert_eq!(restarted(&reviews, &[owned("r-a", true)]), None);
        for (kind, api) in [("Job", "batch/v1"), ("Node", "v1"), ("ReplicaSet", "others.dev/v1")] {
            let other = of_a(kind, api, "r-b", true);
            assert_eq!(restarted(&reviews, &[owned("r-a", true), other]), None, "{kind} of {api}");
        }
    }
}
