//! Clusters and their hosts (config/cluster/v3, config/endpoint/v3).

use super::{duration, lb_metadata, metadata, number};
use crate::render::{ClusterConfig, Endpoint, LOCAL, Limits, Outlier};
use envoy_types::pb::{
    envoy::{
        config::{
            cluster::v3::{
                CircuitBreakers, Cluster, OutlierDetection,
                circuit_breakers::{Thresholds, thresholds::RetryBudget},
                cluster::{
                    ClusterDiscoveryType, CommonLbConfig, DiscoveryType, EdsClusterConfig, LbConfig, LbPolicy,
                    LbSubsetConfig, RingHashLbConfig,
                    lb_subset_config::{LbSubsetFallbackPolicy, LbSubsetSelector},
                },
            },
            core::v3::{
                Address, AggregatedConfigSource, ApiVersion, ConfigSource, Pipe, SocketAddress, address,
                config_source::ConfigSourceSpecifier, socket_address::PortSpecifier,
            },
            endpoint::v3::{
                ClusterLoadAssignment, Endpoint as Host, LbEndpoint, LocalityLbEndpoints, lb_endpoint::HostIdentifier,
            },
        },
        r#type::v3::Percent,
    },
    google::protobuf::BoolValue,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// How long a connection may take to be accepted; on loopback a host answers at once or not at all.
const CONNECT: Duration = Duration::from_secs(1);

/// The time between two sweeps of outlier detection: ends of ejections are late by up to this.
const SWEEP: Duration = Duration::from_millis(100);

/// A source of configuration: the control plane, waited for no longer than this at first.
pub(super) fn by_ads() -> ConfigSource {
    ConfigSource {
        resource_api_version: ApiVersion::V3 as i32,
        initial_fetch_timeout: Some(duration(Duration::from_secs(5))),
        config_source_specifier: Some(ConfigSourceSpecifier::Ads(AggregatedConfigSource::default())),
        ..ConfigSource::default()
    }
}

/// The cluster. Its hosts come by EDS, but for the one workload of its own instance.
pub(super) fn cluster(config: &ClusterConfig) -> Cluster {
    let local = config.name == LOCAL;
    let kind = if local { DiscoveryType::Static } else { DiscoveryType::Eds };
    let eds = EdsClusterConfig { eds_config: Some(by_ads()), ..EdsClusterConfig::default() };
    Cluster {
        name: config.name.clone(),
        cluster_discovery_type: Some(ClusterDiscoveryType::Type(kind as i32)),
        eds_cluster_config: (!local).then_some(eds),
        load_assignment: local.then(|| hosts(config)),
        connect_timeout: Some(duration(CONNECT)),
        lb_policy: LbPolicy::from_str_name(config.balancer).unwrap_or_default() as i32,
        lb_config: (config.balancer == "RING_HASH").then(|| LbConfig::RingHashLbConfig(RingHashLbConfig::default())),
        lb_subset_config: subsets(&config.selectors),
        common_lb_config: Some(CommonLbConfig {
            // Neutral: no panic, and host-set changes reach the workers at once (by default up to 1 s late).
            healthy_panic_threshold: Some(Percent { value: 0.0 }),
            update_merge_window: Some(duration(Duration::ZERO)),
            ..CommonLbConfig::default()
        }),
        circuit_breakers: Some(CircuitBreakers {
            thresholds: vec![thresholds(&config.limits)],
            ..CircuitBreakers::default()
        }),
        outlier_detection: config.outlier.as_ref().map(outlier),
        metadata: Some(metadata("squall", BTreeMap::from([("run".to_owned(), config.tag.clone())]))),
        ..Cluster::default()
    }
}

/// The hosts of a cluster by EDS; `None` for the local one, which holds its own.
pub(super) fn assignment(config: &ClusterConfig) -> Option<ClusterLoadAssignment> {
    (config.name != LOCAL).then(|| hosts(config))
}

fn hosts(config: &ClusterConfig) -> ClusterLoadAssignment {
    let all = LocalityLbEndpoints {
        lb_endpoints: config.hosts.iter().map(host).collect(),
        load_balancing_weight: None,
        ..LocalityLbEndpoints::default()
    };
    ClusterLoadAssignment {
        cluster_name: config.name.clone(),
        endpoints: vec![all],
        ..ClusterLoadAssignment::default()
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
pub(super) fn address(at: &squall_mesh::Endpoint) -> Address {
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

/// Envoy's own defaults (1024, and 3 retries at once) are limits like any other: neutral is the largest number.
fn thresholds(limits: &Limits) -> Thresholds {
    let or_all = |limit: Option<u32>| number(limit.unwrap_or(u32::MAX));
    Thresholds {
        max_connections: or_all(limits.connections),
        max_pending_requests: or_all(limits.pending),
        max_requests: or_all(limits.requests),
        max_retries: or_all(limits.retries),
        retry_budget: limits.budget.map(|(ppm, at_least)| RetryBudget {
            budget_percent: Some(Percent { value: f64::from(ppm) / 1e4 }),
            min_retry_concurrency: number(at_least),
            ..RetryBudget::default()
        }),
        ..Thresholds::default()
    }
}

fn outlier(config: &Outlier) -> OutlierDetection {
    OutlierDetection {
        consecutive_5xx: number(config.after),
        enforcing_consecutive_5xx: number(100),
        interval: Some(duration(SWEEP)),
        base_ejection_time: Some(duration(config.lasts)),
        max_ejection_time_jitter: Some(duration(Duration::ZERO)),
        max_ejection_percent: number(config.at_most_percent),
        // Everything else that could eject is off.
        enforcing_consecutive_gateway_failure: number(0),
        enforcing_success_rate: number(0),
        enforcing_failure_percentage: number(0),
        always_eject_one_host: Some(BoolValue { value: false }),
        ..OutlierDetection::default()
    }
}

/// Without a fallback: what asks for hosts that are not there goes nowhere, and not anywhere.
fn subsets(selectors: &BTreeSet<Vec<String>>) -> Option<LbSubsetConfig> {
    let selector = |keys: &Vec<String>| LbSubsetSelector { keys: keys.clone(), ..LbSubsetSelector::default() };
    (!selectors.is_empty()).then(|| LbSubsetConfig {
        fallback_policy: LbSubsetFallbackPolicy::NoFallback as i32,
        subset_selectors: selectors.iter().map(selector).collect(),
        ..LbSubsetConfig::default()
    })
}
