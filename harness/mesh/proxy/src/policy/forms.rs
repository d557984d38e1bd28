//! Routes and clusters of a dump, as far as they are policy. Durations are texts as in proto JSON.

use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Debug, Deserialize)]
pub(crate) struct RoutesDump {
    pub(super) route_config: RouteConfig,
}

#[derive(Debug, Deserialize)]
pub(super) struct RouteConfig {
    #[serde(default)]
    pub(super) virtual_hosts: Vec<VirtualHost>,
}

#[derive(Debug, Deserialize)]
pub(super) struct VirtualHost {
    pub(super) name: String,
    #[serde(default)]
    pub(super) routes: Vec<Route>,
    /// Of every route that has none of its own.
    pub(super) retry_policy: Option<Retries>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Route {
    #[serde(default, rename = "match")]
    pub(super) when: Match,
    /// `None`: it answers itself, or redirects.
    pub(super) route: Option<Forward>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Match {
    pub(super) path: Option<String>,
    pub(super) prefix: Option<String>,
    pub(super) path_separated_prefix: Option<String>,
    pub(super) safe_regex: Option<Regex>,
    #[serde(default)]
    pub(super) headers: Vec<Asked>,
    #[serde(default)]
    pub(super) query_parameters: Vec<Asked>,
    pub(super) runtime_fraction: Option<RuntimeFraction>,
    /// What else is asked, by the name of the field.
    #[serde(flatten)]
    pub(super) others: BTreeMap<String, Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Regex {
    pub(super) regex: String,
}

/// A condition on a header, on a pseudo-header, or on a parameter of the query.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    pub(super) name: String,
    /// What is asked of its value, by the name of the field.
    #[serde(flatten)]
    pub(super) asks: BTreeMap<String, Value>,
}

/// A share that the runtime may set at any time.
#[derive(Debug, Deserialize)]
pub(super) struct RuntimeFraction {
    #[serde(default)]
    pub(super) default_value: Fraction,
    /// Empty: nothing but the default.
    #[serde(default)]
    pub(super) runtime_key: String,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Fraction {
    /// Zero is left out.
    #[serde(default)]
    pub(super) numerator: u32,
    /// Missing: `HUNDRED`.
    pub(super) denominator: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Forward {
    cluster: Option<String>,
    metadata_match: Option<Metadata>,
    weighted_clusters: Option<Weighted>,
    pub(super) timeout: Option<String>,
    pub(super) idle_timeout: Option<String>,
    pub(super) max_stream_duration: Option<Value>,
    pub(super) retry_policy: Option<Retries>,
    #[serde(default)]
    pub(super) hash_policy: Vec<BTreeMap<String, Value>>,
}

#[derive(Debug, Deserialize)]
struct Weighted {
    #[serde(default)]
    clusters: Vec<Leg>,
}

/// Where a share of the calls goes.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Leg {
    pub(super) name: String,
    #[serde(default)]
    pub(super) weight: u64,
    pub(super) metadata_match: Option<Metadata>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Metadata {
    #[serde(default)]
    pub(super) filter_metadata: BTreeMap<String, BTreeMap<String, Value>>,
}

impl Forward {
    pub(super) fn legs(&self) -> impl Iterator<Item = Leg> {
        let only = self.cluster.iter().map(|name| Leg {
            name: name.clone(),
            weight: 1,
            metadata_match: self.metadata_match.clone(),
        });
        only.chain(self.weighted_clusters.iter().flat_map(|several| several.clusters.clone()))
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Retries {
    #[serde(default)]
    pub(super) retry_on: String,
    pub(super) num_retries: Option<u32>,
    pub(super) per_try_timeout: Option<String>,
    #[serde(default)]
    pub(super) retriable_status_codes: Vec<u32>,
    #[serde(default)]
    pub(super) retry_host_predicate: Vec<Named>,
    /// A text, as proto JSON has every number of 64 bits.
    pub(super) host_selection_retry_max_attempts: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Named {
    pub(super) name: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ClusterDump {
    pub(super) cluster: Cluster,
}

#[derive(Debug, Deserialize)]
pub(super) struct Cluster {
    pub(super) name: String,
    pub(super) lb_policy: Option<String>,
    #[serde(default)]
    pub(super) circuit_breakers: Breakers,
    pub(super) outlier_detection: Option<Outlier>,
    #[serde(default)]
    pub(super) common_lb_config: CommonBalancing,
    #[serde(default)]
    pub(super) health_checks: Vec<Check>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Breakers {
    #[serde(default)]
    pub(super) thresholds: Vec<Thresholds>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Thresholds {
    /// Missing: that of ordinary calls.
    pub(super) priority: Option<String>,
    pub(super) max_connections: Option<u32>,
    pub(super) max_pending_requests: Option<u32>,
    pub(super) max_requests: Option<u32>,
    pub(super) max_retries: Option<u32>,
    pub(super) retry_budget: Option<Budget>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Budget {
    pub(super) budget_percent: Option<Percent>,
    pub(super) min_retry_concurrency: Option<u32>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Percent {
    /// Zero is left out.
    #[serde(default)]
    pub(super) value: f64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Outlier {
    pub(super) consecutive_5xx: Option<u32>,
    pub(super) enforcing_consecutive_5xx: Option<u32>,
    pub(super) consecutive_gateway_failure: Option<u32>,
    pub(super) enforcing_consecutive_gateway_failure: Option<u32>,
    pub(super) enforcing_success_rate: Option<u32>,
    pub(super) success_rate_minimum_hosts: Option<u32>,
    pub(super) success_rate_request_volume: Option<u32>,
    pub(super) failure_percentage_threshold: Option<u32>,
    pub(super) enforcing_failure_percentage: Option<u32>,
    pub(super) failure_percentage_minimum_hosts: Option<u32>,
    pub(super) failure_percentage_request_volume: Option<u32>,
    /// False is left out, and then the fields on local origin mean nothing.
    #[serde(default)]
    pub(super) split_external_local_origin_errors: bool,
    pub(super) consecutive_local_origin_failure: Option<u32>,
    pub(super) enforcing_consecutive_local_origin_failure: Option<u32>,
    pub(super) enforcing_local_origin_success_rate: Option<u32>,
    pub(super) enforcing_failure_percentage_local_origin: Option<u32>,
    pub(super) base_ejection_time: Option<String>,
    pub(super) interval: Option<String>,
    pub(super) max_ejection_percent: Option<u32>,
    pub(super) always_eject_one_host: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct CommonBalancing {
    pub(super) healthy_panic_threshold: Option<Percent>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Check {
    pub(super) interval: Option<String>,
}
