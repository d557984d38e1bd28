//! How a host is chosen (cluster.proto).

use super::super::duration;
use envoy_types::pb::envoy::config::cluster::v3::cluster::{
    LbConfig, LbPolicy, LbSubsetConfig, LeastRequestLbConfig, RingHashLbConfig, RoundRobinLbConfig, SlowStartConfig,
    common_lb_config::{LocalityConfigSpecifier, LocalityWeightedLbConfig},
    lb_subset_config::{LbSubsetFallbackPolicy, LbSubsetSelector},
};
use squall_mesh_proxy::render::ClusterConfig;

pub(super) fn policy(config: &ClusterConfig) -> LbPolicy {
    LbPolicy::from_str_name(config.balancer).unwrap_or_default()
}

/// A host that is new begins with a tenth of its share, which grows linearly: Envoy's own defaults.
pub(super) fn config(config: &ClusterConfig) -> Option<LbConfig> {
    let slow_start_config = config
        .warm_up
        .map(|over| SlowStartConfig { slow_start_window: Some(duration(over)), ..SlowStartConfig::default() });
    match policy(config) {
        LbPolicy::RingHash => Some(LbConfig::RingHashLbConfig(RingHashLbConfig::default())),
        LbPolicy::RoundRobin if slow_start_config.is_some() => {
            Some(LbConfig::RoundRobinLbConfig(RoundRobinLbConfig { slow_start_config }))
        }
        LbPolicy::LeastRequest if slow_start_config.is_some() => {
            let config = LeastRequestLbConfig { slow_start_config, ..LeastRequestLbConfig::default() };
            Some(LbConfig::LeastRequestLbConfig(config))
        }
        _ => None,
    }
}

/// Without a fallback: what asks for hosts that are not there goes nowhere, and not anywhere.
pub(super) fn subsets(config: &ClusterConfig) -> Option<LbSubsetConfig> {
    let selector = |keys: &Vec<String>| LbSubsetSelector { keys: keys.clone(), ..LbSubsetSelector::default() };
    (!config.selectors.is_empty()).then(|| LbSubsetConfig {
        fallback_policy: LbSubsetFallbackPolicy::NoFallback as i32,
        subset_selectors: config.selectors.iter().map(selector).collect(),
        // All hosts are a subset, too, where others choose a part: their shares by place hold there.
        locality_weight_aware: config.by_place,
        ..LbSubsetConfig::default()
    })
}

pub(super) fn by_place(config: &ClusterConfig) -> Option<LocalityConfigSpecifier> {
    let weighted = LocalityWeightedLbConfig::default();
    config.by_place.then_some(LocalityConfigSpecifier::LocalityWeightedLbConfig(weighted))
}
