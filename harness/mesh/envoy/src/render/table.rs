//! The configuration of proxies as people read it.

use super::{faults::FaultSlot, requests::Condition};
use serde::Serialize;
use squall_model::duration_text_option;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Every proxy's configuration, by node id.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Config {
    /// By node id.
    pub proxies: BTreeMap<String, ProxyConfig>,
}

/// One proxy's configuration.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProxyConfig {
    /// Whose: `web-1`.
    pub instance: String,
    /// Where its calls go.
    pub outbound: RouteTable,
    /// Where tries that reach it go.
    pub inbound: RouteTable,
    /// What it sends to.
    pub clusters: Vec<ClusterConfig>,
}

/// A route configuration, RDS (config/route/v3/route.proto).
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct RouteTable {
    /// In any order: domains do not overlap.
    pub hosts: Vec<VirtualHost>,
}

/// A virtual host (config/route/v3/route_components.proto).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VirtualHost {
    /// Its name.
    pub name: String,
    /// The authorities that it answers to.
    pub domains: Vec<String>,
    /// Sets `x-envoy-attempt-count`: at the caller only, or a callee would start counting anew.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub counts_tries: bool,
    /// Request headers that it overwrites.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sets: Vec<(String, String)>,
    /// Faults that may be armed here, by slot.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<FaultSlot>,
    /// The first that matches counts.
    pub routes: Vec<Route>,
}

/// A route.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Route {
    /// What a request must have.
    pub when: RequestMatch,
    /// What becomes of it.
    pub then: Action,
}

/// What a request must have; all of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct RequestMatch {
    /// This very path; `None`: any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// A path that begins so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// And all of this.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub asks: BTreeSet<Condition>,
    /// Only while this runtime key says 100 %.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<String>,
}

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It is answered by the proxy.
    Answer {
        /// With this status.
        status: u32,
        /// And this body.
        body: String,
    },
    /// It is answered by the proxy with the version of the table that it stands in.
    AnswerVersion,
    /// It is sent on.
    Forward {
        /// Where, and which share of the requests.
        legs: Vec<Leg>,
        /// Over all tries; `None`: no limit (not Envoy's own 15 s).
        #[serde(skip_serializing_if = "Option::is_none", with = "duration_text_option")]
        timeout: Option<Duration>,
        /// Without a byte either way; `None`: no limit.
        #[serde(skip_serializing_if = "Option::is_none", with = "duration_text_option")]
        idle: Option<Duration>,
        /// The request header that balancing by hash goes by.
        #[serde(skip_serializing_if = "Option::is_none")]
        hashed_by: Option<String>,
        /// Retries, and the limit of each try.
        #[serde(skip_serializing_if = "Option::is_none")]
        retry: Option<Retry>,
    },
}

/// One leg of a split.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Leg {
    /// Parts per million.
    pub weight: u32,
    /// The cluster.
    pub cluster: String,
    /// Only hosts with this metadata (`envoy.lb`); empty: all.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub subset: BTreeMap<String, String>,
}

/// A retry policy (route_components.proto, RetryPolicy).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Retry {
    /// `retry_on`.
    pub on: Vec<String>,
    /// `retriable_status_codes`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub statuses: Vec<u32>,
    /// `num_retries`.
    pub times: u32,
    /// `per_try_timeout`: until the head of the answer.
    #[serde(skip_serializing_if = "Option::is_none", with = "duration_text_option")]
    pub per_try: Option<Duration>,
    /// `per_try_idle_timeout`.
    #[serde(skip_serializing_if = "Option::is_none", with = "duration_text_option")]
    pub per_try_idle: Option<Duration>,
    /// Each on another host: the predicate `previous_hosts`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub elsewhere: bool,
}

/// A cluster, CDS and EDS (config/cluster/v3/cluster.proto).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClusterConfig {
    /// Its name.
    pub name: String,
    /// Names the run of the scenario, so that every run's clusters are new to the proxy.
    pub tag: String,
    /// Its hosts.
    pub hosts: Vec<Endpoint>,
    /// `lb_policy`, by Envoy's name.
    pub balancer: &'static str,
    /// Sets of keys by which routes choose among its hosts (`lb_subset_config`, without a fallback); empty: they do not.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub selectors: BTreeSet<Vec<String>>,
    /// Circuit breakers.
    pub limits: Limits,
    /// Outlier detection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outlier: Option<Outlier>,
}

/// A host of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Endpoint {
    /// Whose: `reviews-2`.
    pub instance: String,
    /// Where it accepts.
    pub at: squall_mesh::Endpoint,
    /// Its metadata (`envoy.lb`).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// Circuit breakers (config/cluster/v3/circuit_breaker.proto); `None`: the largest number there is, never Envoy's default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Limits {
    /// `max_connections`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections: Option<u32>,
    /// `max_pending_requests`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending: Option<u32>,
    /// `max_requests`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<u32>,
    /// `max_retries`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries: Option<u32>,
    /// `retry_budget`: parts per million of active requests, and `min_retry_concurrency`. Overrides `max_retries`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<(u32, u32)>,
}

/// Outlier detection by consecutive failures (config/cluster/v3/outlier_detection.proto); everything else of it is off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outlier {
    /// `consecutive_5xx`.
    pub after: u32,
    /// `base_ejection_time`.
    #[serde(with = "squall_model::duration_text")]
    pub lasts: Duration,
    /// `max_ejection_percent`.
    pub at_most_percent: u32,
}
