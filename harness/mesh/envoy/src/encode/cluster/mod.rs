//! Clusters and their hosts (config/cluster/v3, config/endpoint/v3).

mod balancing;
mod health;
mod hosts;
mod limits;

pub(super) use hosts::{address, assignment};

use super::{any, duration, metadata};
use envoy_types::pb::{
    envoy::{
        config::{
            cluster::v3::{
                Cluster,
                cluster::{ClusterDiscoveryType, CommonLbConfig, DiscoveryType, EdsClusterConfig},
            },
            core::v3::{
                AggregatedConfigSource, ApiVersion, ConfigSource, Http2ProtocolOptions,
                config_source::ConfigSourceSpecifier,
            },
        },
        extensions::upstreams::http::v3::{
            HttpProtocolOptions,
            http_protocol_options::{
                ExplicitHttpConfig, UpstreamProtocolOptions, explicit_http_config::ProtocolConfig,
            },
        },
        r#type::v3::Percent,
    },
    google::protobuf::Any,
};
use squall_mesh_proxy::render::{CONNECT, ClusterConfig, LOCAL};
use squall_model::Fraction;
use std::{collections::BTreeMap, path::Path, time::Duration};

/// A source of configuration: the control plane, waited for no longer than this at first.
pub(super) fn by_ads() -> ConfigSource {
    ConfigSource {
        resource_api_version: ApiVersion::V3 as i32,
        initial_fetch_timeout: Some(duration(Duration::from_secs(5))),
        config_source_specifier: Some(ConfigSourceSpecifier::Ads(AggregatedConfigSource::default())),
        ..ConfigSource::default()
    }
}

/// The cluster of a proxy in this folder. Its hosts come by EDS, but for the one workload of its own instance.
pub(super) fn cluster(config: &ClusterConfig, folder: &Path) -> Cluster {
    let local = config.name == LOCAL;
    let kind = if local { DiscoveryType::Static } else { DiscoveryType::Eds };
    let eds = EdsClusterConfig { eds_config: Some(by_ads()), ..EdsClusterConfig::default() };
    Cluster {
        name: config.name.clone(),
        cluster_discovery_type: Some(ClusterDiscoveryType::Type(kind as i32)),
        eds_cluster_config: (!local).then_some(eds),
        load_assignment: local.then(|| hosts::hosts(config)),
        // Left out it is 5 s.
        connect_timeout: (!config.own_defaults).then(|| duration(CONNECT)),
        typed_extension_protocol_options: protocol(config).into_iter().collect(),
        lb_policy: balancing::policy(config) as i32,
        lb_config: balancing::config(config),
        lb_subset_config: balancing::subsets(config),
        common_lb_config: Some(common(config)),
        circuit_breakers: limits::breakers(config),
        outlier_detection: config.outlier.as_ref().map(|outlier| health::outlier(outlier, config.own_defaults)),
        health_checks: config.check.iter().map(|check| health::check(check, config.http2, folder)).collect(),
        // A host that is gone is gone: by default a checked one stays until it fails.
        ignore_health_on_host_removal: config.check.is_some(),
        metadata: Some(metadata("squall", BTreeMap::from([("run".to_owned(), config.tag.clone())]))),
        ..Cluster::default()
    }
}

/// Neutral: no panic, and host-set changes reach the workers at once. By default panic begins below 50 %, and a change that
/// follows another within 1 s comes up to 1 s late.
fn common(config: &ClusterConfig) -> CommonLbConfig {
    let neutral = (!config.own_defaults).then_some(Fraction::ZERO);
    let percent = |share: Fraction| Percent { value: f64::from(share.ppm()) / 1e4 };
    CommonLbConfig {
        healthy_panic_threshold: config.panic_below.or(neutral).map(percent),
        update_merge_window: (!config.own_defaults).then(|| duration(Duration::ZERO)),
        locality_config_specifier: balancing::by_place(config),
        ..CommonLbConfig::default()
    }
}

/// HTTP/2 with prior knowledge; left out it is HTTP/1.1.
fn protocol(config: &ClusterConfig) -> Option<(String, Any)> {
    let http2 = ProtocolConfig::Http2ProtocolOptions(Http2ProtocolOptions::default());
    let options = HttpProtocolOptions {
        upstream_protocol_options: Some(UpstreamProtocolOptions::ExplicitHttpConfig(ExplicitHttpConfig {
            protocol_config: Some(http2),
        })),
        ..HttpProtocolOptions::default()
    };
    config.http2.then(|| ("envoy.extensions.upstreams.http.v3.HttpProtocolOptions".to_owned(), any(&options)))
}
