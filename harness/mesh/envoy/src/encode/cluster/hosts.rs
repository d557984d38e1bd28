//! Hosts, by place and by priority (endpoint_components.proto).

use super::super::{lb_metadata, number};
use envoy_types::pb::envoy::config::{
    core::v3::{Address, Locality, Pipe, SocketAddress, address, socket_address::PortSpecifier},
    endpoint::v3::{
        ClusterLoadAssignment, Endpoint as Host, LbEndpoint, LocalityLbEndpoints, lb_endpoint::HostIdentifier,
    },
};
use squall_mesh_proxy::render::{ClusterConfig, Endpoint, LOCAL};
use squall_model::{Place, PlaceKind};
use std::collections::BTreeMap;

/// The hosts of a cluster by EDS; `None` for the local one, which holds its own.
pub(in super::super) fn assignment(config: &ClusterConfig) -> Option<ClusterLoadAssignment> {
    (config.name != LOCAL).then(|| hosts(config))
}

pub(super) fn hosts(config: &ClusterConfig) -> ClusterLoadAssignment {
    let mut localities: BTreeMap<(u32, Option<&Place>), LocalityLbEndpoints> = BTreeMap::new();
    for endpoint in &config.hosts {
        let locality = localities.entry((endpoint.priority, endpoint.place.as_ref())).or_default();
        locality.priority = endpoint.priority;
        locality.locality = endpoint.place.as_ref().map(place);
        locality.load_balancing_weight = endpoint.share.filter(|share| *share > 0).and_then(number);
        locality.lb_endpoints.push(host(endpoint));
    }
    ClusterLoadAssignment {
        cluster_name: config.name.clone(),
        endpoints: localities.into_values().collect(),
        ..ClusterLoadAssignment::default()
    }
}

fn place(place: &Place) -> Locality {
    let name = place.name.to_string();
    match place.kind {
        PlaceKind::Zone => Locality { zone: name, ..Locality::default() },
        PlaceKind::Site => Locality { region: name, ..Locality::default() },
    }
}

fn host(endpoint: &Endpoint) -> LbEndpoint {
    let at = Host { address: Some(address(&endpoint.at)), ..Host::default() };
    LbEndpoint {
        host_identifier: Some(HostIdentifier::Endpoint(at)),
        metadata: (!endpoint.metadata.is_empty()).then(|| lb_metadata(&endpoint.metadata)),
        ..LbEndpoint::default()
    }
}

/// An address of ours as Envoy has it.
pub(in super::super) fn address(at: &squall_mesh::Endpoint) -> Address {
    let address = match at {
        squall_mesh::Endpoint::Unix(path) => address::Address::Pipe(Pipe { path: path.display().to_string(), mode: 0 }),
        squall_mesh::Endpoint::Tcp(at) => address::Address::SocketAddress(SocketAddress {
            address: at.ip().to_string(),
            port_specifier: Some(PortSpecifier::PortValue(u32::from(at.port()))),
            ..SocketAddress::default()
        }),
    };
    Address { address: Some(address) }
}
