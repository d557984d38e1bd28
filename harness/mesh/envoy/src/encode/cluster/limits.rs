//! Circuit breakers (circuit_breaker.proto).

use super::super::number;
use envoy_types::pb::envoy::{
    config::cluster::v3::{
        CircuitBreakers,
        circuit_breakers::{Thresholds, thresholds::RetryBudget},
    },
    r#type::v3::Percent,
};
use squall_mesh_proxy::render::ClusterConfig;

/// Envoy's own defaults (1024, and 3 retries at once) are limits like any other: neutral is the largest number.
pub(super) fn breakers(config: &ClusterConfig) -> Option<CircuitBreakers> {
    let limits = &config.limits;
    let neutral = (!config.own_defaults).then_some(u32::MAX);
    let or_neutral = |limit: Option<u32>| limit.or(neutral).and_then(number);
    let thresholds = Thresholds {
        max_connections: or_neutral(limits.connections),
        max_pending_requests: or_neutral(limits.pending),
        max_requests: or_neutral(limits.requests),
        max_retries: or_neutral(limits.retries),
        retry_budget: limits.budget.map(|(ppm, at_least)| RetryBudget {
            budget_percent: Some(Percent { value: f64::from(ppm) / 1e4 }),
            min_retry_concurrency: number(at_least),
            ..RetryBudget::default()
        }),
        ..Thresholds::default()
    };
    Some(CircuitBreakers { thresholds: vec![thresholds], ..CircuitBreakers::default() })
}
