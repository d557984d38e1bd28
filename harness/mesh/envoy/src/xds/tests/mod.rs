//! The state machine alone, without a socket and without a clock.

mod envoy;
mod flow;
mod random;

use super::{Kind, Resource, Resources};
use envoy_types::pb::{
    envoy::config::{
        cluster::v3::{
            Cluster,
            cluster::{ClusterDiscoveryType, DiscoveryType},
        },
        endpoint::v3::ClusterLoadAssignment,
        listener::v3::Listener,
        route::v3::{RouteConfiguration, VirtualHost},
    },
    google::protobuf::UInt32Value,
};

/// A cluster by EDS, one look of many.
fn cluster(name: &str, look: u32) -> Cluster {
    Cluster {
        name: name.into(),
        cluster_discovery_type: Some(ClusterDiscoveryType::Type(DiscoveryType::Eds as i32)),
        per_connection_buffer_limit_bytes: Some(UInt32Value { value: look }),
        ..Cluster::default()
    }
}

fn endpoints(name: &str) -> ClusterLoadAssignment {
    ClusterLoadAssignment { cluster_name: name.into(), ..ClusterLoadAssignment::default() }
}

fn listener(look: u32) -> Listener {
    Listener { name: "out".into(), tcp_backlog_size: Some(UInt32Value { value: look }), ..Listener::default() }
}

/// Routes all calls to one cluster, which is the virtual host's name.
fn route(to: &str) -> RouteConfiguration {
    let host = VirtualHost { name: to.into(), ..VirtualHost::default() };
    RouteConfiguration { name: "r".into(), virtual_hosts: vec![host], ..RouteConfiguration::default() }
}

/// A state in which nothing is missing: these clusters in this look, and a route to the first of them.
fn state(clusters: &[&str], look: u32) -> Resources {
    let mut state = Resources::new().with("out", &listener(0)).with("r", &route(clusters[0]));
    for name in clusters {
        state = state.with(*name, &cluster(name, look)).with(*name, &endpoints(name));
    }
    state
}

fn version(resources: &Resources, kind: &Kind, name: &str) -> String {
    resources.get(kind, name).map(Resource::version).unwrap().to_owned()
}
