//! How instances are chosen, how many calls they may have, and when they are left out: a DestinationRule for each caller of each
//! service (networking/v1alpha3/destination_rule.proto).

use super::{
    Edge,
    objects::{Object, seconds},
    routes,
    workloads::selector,
};
use serde_json::{Map, Value, json};
use squall_mesh::{Desired, Refusal};
use squall_mesh_proxy::render::{CONNECT, ClusterConfig, Limits, Outlier, SWEEP, USER, callee_of, hash_key, preferred};
use squall_model::{HashKey, Service, ServiceName};
use std::collections::{BTreeMap, BTreeSet};

/// One for each caller of each service that its routes lead to.
pub(super) fn rules(edges: &[Edge<'_>], want: &Desired<'_>) -> Result<Vec<Object>, Refusal> {
    let subsets = routes::subsets(edges);
    let mut seen = BTreeSet::new();
    let mut rules = Vec::new();
    for edge in edges {
        for cluster in &edge.proxy.clusters {
            let Some(service) = callee_of(&cluster.name) else { continue };
            if want.topology.deployed(&service.into()).is_some() {
                continue;
            }
            // One proxy's clusters are met once for each of its edges.
            if seen.insert((edge.caller.name.as_str(), service)) {
                rules.push(rule(edge, service, cluster, subsets.get(service), want)?);
            }
        }
    }
    Ok(rules)
}

fn rule(
    edge: &Edge<'_>,
    service: &str,
    cluster: &ClusterConfig,
    subsets: Option<&BTreeSet<&BTreeMap<String, String>>>,
    want: &Desired<'_>,
) -> Result<Object, Refusal> {
    let caller = edge.caller.name.as_str();
    let subset = |labels: &&BTreeMap<String, String>| {
        let of: BTreeMap<_, _> = labels.iter().filter(|(key, _)| *key != "any").collect();
        json!({"name": routes::subset_of(labels), "labels": of})
    };
    let subsets: Vec<Value> = subsets.into_iter().flatten().map(subset).collect();
    let spec = json!({
        "host": edge.site.host_of(service),
        "exportTo": ["."],
        "workloadSelector": match_labels(caller),
        "trafficPolicy": policy(edge, service, cluster, want)?,
        "subsets": subsets,
    });
    Ok(Object::new("DestinationRule", format!("{caller}.to.{service}"), spec))
}

/// This message names its labels otherwise than all others do (type/v1beta1/selector.proto).
fn match_labels(caller: &str) -> Value {
    json!({"matchLabels": selector("app", caller)["labels"]})
}

fn policy(edge: &Edge<'_>, service: &str, cluster: &ClusterConfig, want: &Desired<'_>) -> Result<Value, Refusal> {
    let mut policy = Map::new();
    policy.insert("loadBalancer".into(), balancing(edge, service, cluster, want)?);
    policy.insert("connectionPool".into(), pool(&cluster.limits));
    if let Some((share, at_least)) = cluster.limits.budget {
        let percent = f64::from(share) / 10_000.0;
        policy.insert("retryBudget".into(), json!({"percent": percent, "minRetryConcurrency": at_least}));
    }
    if let Some(outlier) = &cluster.outlier {
        policy.insert("outlierDetection".into(), ejection(outlier, cluster));
    }
    Ok(policy.into())
}

/// Limits that nobody wrote are left out: Istio's own are none.
fn pool(limits: &Limits) -> Value {
    let mut http = Map::new();
    let mut tcp = json!({"connectTimeout": seconds(CONNECT)});
    if let Some(most) = limits.connections {
        tcp["maxConnections"] = json!(most);
    }
    for (name, limit) in [
        ("http1MaxPendingRequests", limits.pending),
        ("http2MaxRequests", limits.requests),
        ("maxRetries", limits.retries),
    ] {
        if let Some(most) = limit {
            http.insert(name.into(), json!(most));
        }
    }
    let mut pool = json!({"tcp": tcp});
    // An object of nothing becomes a null where an API server merges it into what was there.
    if !http.is_empty() {
        pool["http"] = http.into();
    }
    pool
}

fn ejection(outlier: &Outlier, cluster: &ClusterConfig) -> Value {
    let mut ejection = json!({
        "consecutive5xxErrors": outlier.after,
        "interval": seconds(SWEEP),
        "baseEjectionTime": seconds(outlier.lasts),
        "minHealthPercent": cluster.panic_below.map_or(0, |below| below.ppm() / 10_000),
    });
    if let Some(most) = outlier.at_most_percent {
        ejection["maxEjectionPercent"] = json!(most);
    }
    ejection
}

fn balancing(edge: &Edge<'_>, service: &str, cluster: &ClusterConfig, want: &Desired<'_>) -> Result<Value, Refusal> {
    let mut balancing = match cluster.balancer {
        "RING_HASH" | "MAGLEV" => json!({"consistentHash": hash(edge, &service.into(), cluster, want)?}),
        simple => json!({"simple": simple}),
    };
    if let Some(over) = cluster.warm_up {
        balancing["warmup"] = json!({"duration": seconds(over)});
    }
    if let Some(locality) = locality(edge, service, cluster, want)? {
        balancing["localityLbSetting"] = locality;
    }
    Ok(balancing)
}

fn hash(edge: &Edge<'_>, service: &ServiceName, cluster: &ClusterConfig, want: &Desired<'_>) -> Result<Value, Refusal> {
    let mut hash = match hash_key(want, &edge.caller.name, service) {
        Some(HashKey::User) => json!({"httpHeaderName": USER}),
        Some(HashKey::Header(name)) => json!({"httpHeaderName": name}),
        Some(HashKey::Cookie(name)) => json!({"httpCookie": {"name": name}}),
        Some(HashKey::SourceAddress) => return Err(Refusal(super::refuse::SOURCE_ADDRESS.into())),
        None => return Err(Refusal(format!("Istio has no hash without a key for calls to \"{service}\""))),
    };
    if cluster.balancer == "MAGLEV" {
        // Envoy's own size of the table, which Istio wants to be named.
        hash["maglev"] = json!({"tableSize": 65_537});
    }
    Ok(hash)
}

/// The places that calls prefer, or are split between (LocalityLoadBalancerSetting). To Istio an order of places begins with the
/// caller's own, and names one that comes after it; who ejects nobody fails over nowhere.
fn locality(
    edge: &Edge<'_>,
    service: &str,
    cluster: &ClusterConfig,
    want: &Desired<'_>,
) -> Result<Option<Value>, Refusal> {
    let shares: BTreeMap<String, u32> =
        cluster.hosts.iter().filter_map(|host| Some((host.place.as_ref()?.name.to_string(), host.share?))).collect();
    if cluster.by_place {
        // A place that gets nothing is left out: Istio takes no share of nothing.
        let percents: BTreeMap<&String, u32> =
            shares.iter().map(|(place, share)| (place, share / 10_000)).filter(|(_, percent)| *percent > 0).collect();
        if percents.values().sum::<u32>() != 100 {
            return Err(Refusal(format!("Istio splits calls to \"{service}\" between places by whole percents only")));
        }
        return Ok(Some(json!({"enabled": true, "distribute": [{"from": "*", "to": percents}]})));
    }
    let order: Vec<String> =
        preferred(want, &edge.caller.name, &service.into()).iter().map(|place| place.name.to_string()).collect();
    if order.is_empty() {
        return Ok(Some(json!({"enabled": false})));
    }
    let own: BTreeSet<Option<String>> = edge
        .caller
        .instances
        .iter()
        .map(|i| i.place.as_ref().map(|place| place.name.to_string()).or_else(|| adopted(edge.caller, want)))
        .collect();
    let refuse = |why: &str| Err(Refusal(format!("Istio cannot have calls to \"{service}\" prefer places so: {why}")));
    let [first, rest @ ..] = order.as_slice() else { return Ok(None) };
    if own.len() != 1 || own.first().and_then(Option::as_ref) != Some(first) {
        return refuse("the first place has to be that of every caller");
    }
    if cluster.outlier.is_none() {
        return refuse("it fails over only where a line ejects");
    }
    match rest {
        [] => Ok(Some(json!({"enabled": true}))),
        [then] => Ok(Some(json!({"enabled": true, "failover": [{"from": first, "to": then}]}))),
        _ => refuse("it knows of one place that comes after the caller's own"),
    }
}

/// The place that a service has whose instances have none: the one that its calls prefer, if they all prefer the same. To Istio an
/// order of places begins with the caller's own.
pub(super) fn adopted(caller: &Service, want: &Desired<'_>) -> Option<String> {
    let first = |to: &ServiceName| Some(preferred(want, &caller.name, to).first()?.name.to_string());
    let all: BTreeSet<String> = caller.calls.iter().filter_map(first).collect();
    all.first().filter(|_| all.len() == 1).cloned()
}
