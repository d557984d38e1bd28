//! The readable configuration as Envoy's messages. Nothing is decided here: one field of ours, the fields of Envoy that say it.

mod cluster;
mod listener;
mod route;
#[cfg(test)]
mod said;
#[cfg(test)]
mod tests;

use crate::xds::{Kind, Resource, Resources};
use envoy_types::pb::{envoy::config::cluster::v3::Cluster, google::protobuf as wkt};
use prost::{Message, Name};
use squall_mesh::Seat;
use squall_mesh_proxy::render::{ClusterConfig, LOCAL, ProxyConfig, RouteTable, version};
use std::{collections::BTreeMap, time::Duration};

/// Everything that a proxy is sent.
///
/// Versions are hashes of the readable form: Envoy's messages hold maps, whose bytes come in no fixed order.
#[must_use]
pub fn resources(config: &ProxyConfig, seat: &Seat) -> Resources {
    let mut all = listeners(seat);
    for cluster in &config.clusters {
        // Hosts that come by EDS are no part of the cluster: to Envoy it would be the same one, and keep its old version.
        let without_hosts = ClusterConfig { hosts: Vec::new(), ..cluster.clone() };
        let own = if cluster.name == LOCAL { version(cluster) } else { version(&without_hosts) };
        insert(&mut all, &cluster.name, own, &cluster::cluster(cluster, &seat.folder));
        if let Some(assignment) = cluster::assignment(cluster) {
            insert(&mut all, &cluster.name, version(&cluster.hosts), &assignment);
        }
    }
    // Named after the whole of the configuration, and sent last: who answers by this name has the clusters behind it, too.
    let whole = version(config);
    for (name, table) in [("outbound", &config.outbound), ("inbound", &config.inbound)] {
        insert(&mut all, name, whole.clone(), &route::table(name, table, &whole));
    }
    all
}

/// What a proxy is sent before it has a place in any scenario: its two listeners, and the probes.
#[must_use]
pub fn blank(seat: &Seat) -> Resources {
    let mut all = listeners(seat);
    let table = RouteTable { hosts: vec![squall_mesh_proxy::render::probes()] };
    for name in ["outbound", "inbound"] {
        insert(&mut all, name, "blank".into(), &route::table(name, &table, "blank"));
    }
    all
}

/// The version of the route tables: what a probe of either listener must answer.
#[must_use]
pub fn table_version(resources: &Resources) -> &str {
    resources.get(&Kind::Route, "outbound").map_or("", Resource::version)
}

/// The clusters whose hosts are checked, each with how many passes bring a host back.
#[must_use]
pub fn checks(resources: &Resources) -> BTreeMap<String, u32> {
    let bodies = resources.iter().filter(|(kind, ..)| **kind == Kind::Cluster);
    let clusters = bodies.filter_map(|(_, name, one)| Some((name, Cluster::decode(one.body().value.as_slice()).ok()?)));
    let checked = clusters.filter_map(|(name, cluster)| {
        let check = cluster.health_checks.into_iter().next()?;
        Some((name.to_owned(), check.healthy_threshold.map_or(1, |passes| passes.value)))
    });
    checked.collect()
}

fn listeners(seat: &Seat) -> Resources {
    let mut all = Resources::new();
    for listener in [listener::outbound(&seat.folder), listener::inbound(&seat.folder)] {
        insert(&mut all, &listener.name.clone(), "1".into(), &listener);
    }
    all
}

fn insert<M: Message + Name>(all: &mut Resources, name: &str, version: String, message: &M) {
    all.insert(name, Resource::versioned(version, any(message)));
}

fn any<M: Message + Name>(message: &M) -> wkt::Any {
    wkt::Any { type_url: M::type_url(), value: message.encode_to_vec() }
}

fn duration(d: Duration) -> wkt::Duration {
    wkt::Duration { seconds: d.as_secs() as i64, nanos: d.subsec_nanos() as i32 }
}

fn number(n: u32) -> Option<wkt::UInt32Value> {
    Some(wkt::UInt32Value { value: n })
}

/// A protobuf struct of texts.
fn texts(fields: impl IntoIterator<Item = (String, String)>) -> wkt::Struct {
    let value = |text| wkt::Value { kind: Some(wkt::value::Kind::StringValue(text)) };
    wkt::Struct { fields: fields.into_iter().map(|(name, text)| (name, value(text))).collect() }
}

/// Metadata for the load balancer (`envoy.lb`).
fn lb_metadata(pairs: &BTreeMap<String, String>) -> envoy_types::pb::envoy::config::core::v3::Metadata {
    metadata("envoy.lb", pairs.clone())
}

fn metadata(namespace: &str, pairs: BTreeMap<String, String>) -> envoy_types::pb::envoy::config::core::v3::Metadata {
    envoy_types::pb::envoy::config::core::v3::Metadata {
        filter_metadata: [(namespace.to_owned(), texts(pairs))].into_iter().collect(),
        ..Default::default()
    }
}
