//! The smallest configuration that carries a request: one listener, one route, clusters by EDS.

use envoy_types::pb::{
    envoy::{
        config::{
            cluster::v3::{
                Cluster,
                cluster::{ClusterDiscoveryType, DiscoveryType, EdsClusterConfig},
            },
            core::v3::{
                Address, AggregatedConfigSource, ApiVersion, ConfigSource, SocketAddress, address,
                config_source::ConfigSourceSpecifier, socket_address::PortSpecifier,
            },
            endpoint::v3::{
                ClusterLoadAssignment, Endpoint, LbEndpoint, LocalityLbEndpoints, lb_endpoint::HostIdentifier,
            },
            listener::v3::{Filter, FilterChain, Listener, filter::ConfigType},
            route::v3::{
                Route, RouteAction, RouteConfiguration, RouteMatch, VirtualHost, route::Action,
                route_action::ClusterSpecifier, route_match::PathSpecifier,
            },
        },
        extensions::filters::{
            common::fault::v3::{FaultDelay, fault_delay::FaultDelaySecifier},
            http::{
                fault::v3::{FaultAbort, HttpFault, fault_abort::ErrorType},
                router::v3::Router,
            },
            network::http_connection_manager::v3::{
                HttpConnectionManager, HttpFilter, Rds, http_connection_manager::RouteSpecifier,
                http_filter::ConfigType as HttpConfigType,
            },
        },
        r#type::v3::{FractionalPercent, fractional_percent::DenominatorType},
    },
    google::protobuf::Duration,
};
use envoy_types::util::pack_any;
use prost::{Message, Name};
use squall_mesh_envoy::xds::Resources;
use std::net::SocketAddr;

fn by_ads() -> ConfigSource {
    ConfigSource {
        resource_api_version: ApiVersion::V3 as i32,
        initial_fetch_timeout: Some(Duration { seconds: 15, nanos: 0 }),
        config_source_specifier: Some(ConfigSourceSpecifier::Ads(AggregatedConfigSource::default())),
        ..ConfigSource::default()
    }
}

fn tcp(address: SocketAddr) -> Address {
    Address {
        address: Some(address::Address::SocketAddress(SocketAddress {
            address: address.ip().to_string(),
            port_specifier: Some(PortSpecifier::PortValue(address.port().into())),
            ..SocketAddress::default()
        })),
    }
}

/// A cluster by EDS; its connect timeout is what tests change about it.
pub(crate) fn cluster(name: &str, connect_ms: i32) -> Cluster {
    Cluster {
        name: name.into(),
        connect_timeout: Some(Duration { seconds: 1, nanos: connect_ms * 1_000_000 }),
        cluster_discovery_type: Some(ClusterDiscoveryType::Type(DiscoveryType::Eds as i32)),
        eds_cluster_config: Some(EdsClusterConfig { eds_config: Some(by_ads()), ..EdsClusterConfig::default() }),
        ..Cluster::default()
    }
}

pub(crate) fn endpoints(cluster: &str, at: SocketAddr) -> ClusterLoadAssignment {
    let endpoint = Endpoint { address: Some(tcp(at)), ..Endpoint::default() };
    let host = LbEndpoint { host_identifier: Some(HostIdentifier::Endpoint(endpoint)), ..LbEndpoint::default() };
    ClusterLoadAssignment {
        cluster_name: cluster.into(),
        endpoints: vec![LocalityLbEndpoints { lb_endpoints: vec![host], ..LocalityLbEndpoints::default() }],
        ..ClusterLoadAssignment::default()
    }
}

pub(crate) fn route(cluster: &str) -> RouteConfiguration {
    let action =
        RouteAction { cluster_specifier: Some(ClusterSpecifier::Cluster(cluster.into())), ..RouteAction::default() };
    let all = RouteMatch { path_specifier: Some(PathSpecifier::Prefix("/".into())), ..RouteMatch::default() };
    let host = VirtualHost {
        name: "all".into(),
        domains: vec!["*".into()],
        routes: vec![Route { r#match: Some(all), action: Some(Action::Route(action)), ..Route::default() }],
        ..VirtualHost::default()
    };
    RouteConfiguration { name: "r".into(), virtual_hosts: vec![host], ..RouteConfiguration::default() }
}

/// A listener whose faults are steered by `f.abort.pct`.
pub(crate) fn listener() -> Listener {
    let never = FractionalPercent { numerator: 0, denominator: DenominatorType::Million as i32 };
    let fault = HttpFault {
        abort: Some(FaultAbort {
            percentage: Some(never),
            error_type: Some(ErrorType::HttpStatus(503)),
            ..FaultAbort::default()
        }),
        delay: Some(FaultDelay {
            percentage: Some(never),
            fault_delay_secifier: Some(FaultDelaySecifier::FixedDelay(Duration { seconds: 0, nanos: 1_000_000 })),
        }),
        abort_percent_runtime: "f.abort.pct".into(),
        abort_http_status_runtime: "f.abort.status".into(),
        delay_percent_runtime: "f.delay.pct".into(),
        delay_duration_runtime: "f.delay.ms".into(),
        ..HttpFault::default()
    };
    let manager = HttpConnectionManager {
        stat_prefix: "out".into(),
        route_specifier: Some(RouteSpecifier::Rds(Rds {
            route_config_name: "r".into(),
            config_source: Some(by_ads()),
        })),
        http_filters: vec![
            http("envoy.filters.http.fault", fault),
            http("envoy.filters.http.router", Router::default()),
        ],
        ..HttpConnectionManager::default()
    };
    let filter = Filter { name: "http".into(), config_type: Some(ConfigType::TypedConfig(pack_any(manager))) };
    Listener {
        name: "out".into(),
        stat_prefix: "out".into(),
        address: Some(tcp(SocketAddr::from(([127, 0, 0, 1], 0)))),
        filter_chains: vec![FilterChain { filters: vec![filter], ..FilterChain::default() }],
        ..Listener::default()
    }
}

fn http<M: Message + Name>(name: &str, config: M) -> HttpFilter {
    let config_type = Some(HttpConfigType::TypedConfig(pack_any(config)));
    HttpFilter { name: name.into(), config_type, ..HttpFilter::default() }
}

/// Everything that leads a request to this upstream by this cluster.
pub(crate) fn leading_to(name: &str, upstream: SocketAddr) -> Resources {
    Resources::new()
        .with(name, &cluster(name, 0))
        .with(name, &endpoints(name, upstream))
        .with("out", &listener())
        .with("r", &route(name))
}
