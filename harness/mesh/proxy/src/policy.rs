//! The policy that a proxy has in force, in words: read from its own dump, whoever configured it and from what.
//!
//! What was written and what is in force may differ: defaults that nobody wrote, fields that a control plane fills in or drops. Fields
//! that are missing mean what Envoy documents for them (config/route/v3/route_components.proto, config/cluster/v3/circuit_breaker.proto
//! and outlier_detection.proto). Pure.

mod clusters;
mod forms;
mod routes;

pub(crate) use forms::{ClusterDump, RoutesDump};

use squall_mesh::PolicyInForce;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// What a cluster's name says: the service, or the part of it, that it leads to. `None` for what leads to a proxy's own workload.
pub type LeadsTo = fn(&str) -> Option<&str>;

/// What a proxy does with the calls to each host that it forwards for, a sentence for each route.
pub(crate) fn in_force(routes: &[RoutesDump], clusters: &[ClusterDump], leads_to: LeadsTo) -> Vec<PolicyInForce> {
    let clusters: BTreeMap<String, String> =
        clusters.iter().map(|one| (one.cluster.name.clone(), clusters::says(&one.cluster))).collect();
    let mut all = Vec::new();
    for host in routes.iter().flat_map(|one| &one.route_config.virtual_hosts) {
        for route in &host.routes {
            let Some(forward) = route.route.as_ref().filter(|to| to.legs().any(|leg| leads_to(&leg.name).is_some()))
            else {
                continue;
            };
            let behind: BTreeSet<&str> =
                forward.legs().filter_map(|leg| clusters.get(&leg.name)).map(String::as_str).collect();
            let mut says = routes::says(route, forward, host.retry_policy.as_ref(), leads_to);
            says.extend(behind.into_iter().map(str::to_owned));
            all.push(PolicyInForce { host: first_label(&host.name).to_owned(), says: says.join("; ") });
        }
    }
    all
}

/// `reviews` of `reviews.shop.svc.cluster.local:80`.
fn first_label(host: &str) -> &str {
    host.split(['.', ':']).next().unwrap_or(host)
}

/// A duration as proto JSON has it: `0.250s`.
fn duration(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.strip_suffix('s')?.parse().ok()?).ok()
}

/// `250 ms` of `0.250s`; what cannot be read is quoted.
fn shown(text: &str) -> String {
    duration(text).map_or_else(|| format!("`{text}`"), squall_model::duration)
}

#[cfg(test)]
mod tests;
