//! Where calls go, and how: a VirtualService for each service that is called (networking/v1alpha3/virtual_service.proto), with the
//! routes of every caller by the labels of its instances.

use super::{
    Edge, Site,
    objects::{Object, seconds},
};
use serde_json::{Map, Value, json};
use squall_mesh::Refusal;
use squall_mesh_proxy::render::{
    Action, CALLER, Condition, Forward, Leg, RequestMatch, Retry, Route, RouteTable, callee_of, escaped, version,
};
use squall_model::ServiceName;
use std::collections::{BTreeMap, BTreeSet};

/// One for each service that is called.
pub(super) fn virtual_services(edges: &[Edge<'_>]) -> Result<Vec<Object>, Refusal> {
    let mut routes: BTreeMap<&ServiceName, (&Site, Vec<Value>)> = BTreeMap::new();
    for edge in edges {
        let of_caller = ways(edge).iter().map(|route| http(edge, route)).collect::<Result<Vec<_>, _>>()?;
        routes.entry(edge.to).or_insert((edge.site, Vec::new())).1.extend(of_caller);
    }
    let object = |(to, (site, http)): (&ServiceName, (&Site, Vec<Value>))| {
        Object::new(
            "VirtualService",
            to.to_string(),
            json!({"hosts": [site.host_of(to.as_str())], "exportTo": ["."], "http": http}),
        )
    };
    Ok(routes.into_iter().map(object).collect())
}

/// The routes of one caller to one service, the most special first.
pub(super) fn ways<'t>(edge: &Edge<'t>) -> &'t [Route] {
    let host = edge.proxy.outbound.hosts.iter().find(|host| host.name == edge.to.as_str());
    host.map_or(&[], |host| &host.routes)
}

/// The length of a label of DNS.
const MOST: usize = 63;

/// What a subset of a service is called: `version-v2`. All of it is none.
pub(super) fn subset_of(labels: &BTreeMap<String, String>) -> Option<String> {
    let named: Vec<String> =
        labels.iter().filter(|(key, _)| *key != "any").map(|(key, value)| format!("{key}-{value}")).collect();
    let whole = named.join("-");
    let plain: String =
        whole.chars().map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' }).collect();
    // It has to be a label of DNS: what does not fit is told apart by what it was.
    let name = match plain == whole && plain.len() <= MOST {
        true => plain,
        false => format!("{}-{}", plain.get(..MOST - 17).unwrap_or(&plain), version(&whole)),
    };
    (!named.is_empty()).then_some(name)
}

fn http(edge: &Edge<'_>, route: &Route) -> Result<Value, Refusal> {
    let Action::Forward(forward) = &route.then else {
        return Err(Refusal("Istio has no words for an answer of its own on the way to a service".into()));
    };
    let mut http = json!({
        "match": [matching(edge.caller.name.as_str(), &route.when)?],
        "route": legs(&forward.legs, edge.site),
        "retries": retries(forward)?,
        "headers": {"request": {"set": {CALLER: edge.caller.name.as_str()}}},
    });
    // Left out there is none, and nothing is no length that Istio takes.
    if let Some(timeout) = forward.timeout {
        http["timeout"] = json!(seconds(timeout));
    }
    Ok(http)
}

/// Shares as whole numbers, as small as they can be.
fn legs(legs: &[Leg], site: &Site) -> Value {
    let whole = legs.iter().fold(0, |common, leg| divisor(common, leg.weight)).max(1);
    let leg = |leg: &Leg| {
        let mut destination = json!({"host": site.host_of(service_of(leg)), "port": {"number": site.port}});
        if let Some(subset) = subset_of(&leg.subset) {
            destination["subset"] = json!(subset);
        }
        match legs.len() {
            1 => json!({"destination": destination}),
            _ => json!({"destination": destination, "weight": leg.weight / whole}),
        }
    };
    legs.iter().map(leg).collect()
}

fn divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { divisor(b, a % b) }
}

/// Left out, Istio would retry twice. A number among the conditions is a status.
fn retries(forward: &Forward) -> Result<Value, Refusal> {
    let Some(Retry { on, statuses, times, per_try, per_try_idle, elsewhere }) = &forward.retry else {
        return Ok(json!({"attempts": 0}));
    };
    if per_try_idle.is_some() {
        return Err(Refusal("Istio has no idle limit of a try".into()));
    }
    if *times == 0 && per_try.is_some() {
        return Err(Refusal("Istio knows the time limit of a try only where it retries".into()));
    }
    let words = on.iter().filter(|on| *on != "retriable-status-codes").cloned();
    let all: Vec<String> = words.chain(statuses.iter().map(ToString::to_string)).collect();
    let mut retries = json!({"attempts": times});
    if *times > 0 {
        retries["retryOn"] = json!(all.join(","));
        // Istio's own: each try on another instance.
        retries["retryIgnorePreviousHosts"] = json!(elsewhere);
    }
    if let Some(limit) = per_try {
        retries["perTryTimeout"] = json!(seconds(*limit));
    }
    Ok(retries)
}

/// Calls of one caller that are of one kind (HTTPMatchRequest).
fn matching(caller: &str, when: &RequestMatch) -> Result<Value, Refusal> {
    let mut all = Map::from_iter([("sourceLabels".to_owned(), json!({"app": caller}))]);
    let mut headers = Map::new();
    let mut parameters = Map::new();
    for condition in &when.asks {
        match condition {
            // Istio looks at the path without its query.
            Condition::Path(path) => drop(all.insert("uri".into(), json!({"exact": path}))),
            Condition::Host(host) => {
                let regex = format!("{}(:[0-9]+)?", escaped(host));
                all.insert("authority".into(), json!({"regex": regex}));
            }
            Condition::Header(name, value) if name == ":method" => {
                all.insert("method".into(), json!({"exact": value}));
            }
            Condition::Header(name, value) => drop(headers.insert(name.clone(), json!({"exact": value}))),
            // An empty match is: there is one.
            Condition::Has(name) => drop(headers.insert(name.clone(), json!({}))),
            Condition::Query(query) => {
                let (name, value) = query.split_once('=').unwrap_or((query, ""));
                if parameters.insert(name.to_owned(), json!({"exact": value})).is_some() {
                    return Err(Refusal(format!("Istio asks for one value of the query's `{name}`, and not for two")));
                }
            }
        }
    }
    if !headers.is_empty() {
        all.insert("headers".into(), headers.into());
    }
    if !parameters.is_empty() {
        all.insert("queryParams".into(), parameters.into());
    }
    Ok(all.into())
}

/// The subsets that any route of these edges leads to, by service.
pub(super) fn subsets<'t>(edges: &[Edge<'t>]) -> BTreeMap<&'t str, BTreeSet<&'t BTreeMap<String, String>>> {
    let mut all: BTreeMap<&str, BTreeSet<&BTreeMap<String, String>>> = BTreeMap::new();
    for leg in edges.iter().flat_map(|edge| parts(ways(edge))) {
        all.entry(service_of(leg)).or_default().insert(&leg.subset);
    }
    all
}

/// The subsets that a table leads to, by name, each with its service.
pub(super) fn subsets_of(table: &RouteTable) -> BTreeSet<(String, ServiceName)> {
    let legs = table.hosts.iter().flat_map(|host| parts(&host.routes));
    legs.filter_map(|leg| Some((subset_of(&leg.subset)?, service_of(leg).into()))).collect()
}

/// The legs of some routes that lead to a part of a service.
fn parts(routes: &[Route]) -> impl Iterator<Item = &Leg> {
    let legs = routes.iter().filter_map(|route| match &route.then {
        Action::Forward(forward) => Some(&forward.legs),
        Action::Answer { .. } | Action::AnswerVersion => None,
    });
    legs.flatten().filter(|leg| subset_of(&leg.subset).is_some())
}

fn service_of(leg: &Leg) -> &str {
    callee_of(&leg.cluster).unwrap_or(&leg.cluster)
}
