//! The configuration of proxies as people read it.

use super::{faults::FaultSlot, requests::Condition};
use serde::Serialize;
use squall_model::{Fraction, HashKey, Place, Probe, duration_text, duration_text_option};
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
    /// Request headers that are taken away.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drops: Vec<String>,
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
    Forward(Forward),
}

/// Where requests are sent on to, and how (route_components.proto, RouteAction).
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Forward {
    /// Where, and which share of the requests.
    pub legs: Vec<Leg>,
    /// What is not said here is left to Envoy: 15 s, and one more selection of a host where each retry goes to another. Silence
    /// is a listener's business, and has no limit.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub own_defaults: bool,
    /// Over all tries; `None`: no limit (not Envoy's own 15 s).
    #[serde(skip_serializing_if = "Option::is_none", with = "duration_text_option")]
    pub timeout: Option<Duration>,
    /// Without a byte either way; `None`: no limit.
    #[serde(skip_serializing_if = "Option::is_none", with = "duration_text_option")]
    pub idle: Option<Duration>,
    /// A request that tells a deadline (`grpc-timeout`) ends with it, if not before.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub keeps_deadline: bool,
    /// What the choice of a host, and of a leg that sticks, goes by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hashed_by: Option<HashKey>,
    /// The leg is chosen by that hash (`WeightedCluster.use_hash_policy`), and not drawn anew for each request.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub sticks: bool,
    /// Retries, and the limit of each try.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
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
    /// What is not said here is left to Envoy: breakers of 1024 and 3 retries at once, panic below 50 %, host-set changes up to
    /// 1 s late (`update_merge_window`), 5 s to connect; with ejection at most 10 % at a time, ejection by success rate, and a
    /// passed check that ends an ejection. What stays ours is the sweep of ejections and the interval of checks, which the
    /// policies on them speak of.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub own_defaults: bool,
    /// Its hosts.
    pub hosts: Vec<Endpoint>,
    /// Its hosts are spoken to by HTTP/2, with prior knowledge.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub http2: bool,
    /// `lb_policy`, by Envoy's name.
    pub balancer: &'static str,
    /// The place is chosen first, by its share (`locality_weighted_lb_config`).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub by_place: bool,
    /// `slow_start_window`.
    #[serde(skip_serializing_if = "Option::is_none", with = "duration_text_option")]
    pub warm_up: Option<Duration>,
    /// Sets of keys by which routes choose among its hosts (`lb_subset_config`, without a fallback); empty: they do not.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub selectors: BTreeSet<Vec<String>>,
    /// Circuit breakers.
    pub limits: Limits,
    /// Outlier detection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outlier: Option<Outlier>,
    /// Active health checking.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check: Option<Check>,
    /// `healthy_panic_threshold`; `None`: there is no panic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub panic_below: Option<Fraction>,
}

/// A host of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Endpoint {
    /// Whose: `reviews-2`.
    pub instance: String,
    /// Where it accepts.
    pub at: squall_mesh::Endpoint,
    /// Where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// It gets what those before it cannot take: 0 comes first.
    #[serde(skip_serializing_if = "is_zero")]
    pub priority: u32,
    /// The share of the calls that all hosts of its place get together, in parts per million.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<u32>,
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
    /// `max_ejection_percent`; `None`: Envoy's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_most_percent: Option<u32>,
}

/// Active health checking (config/core/v3/health_check.proto).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The authority that it asks for.
    pub host: String,
    /// What it asks.
    pub by: Probe,
    /// `interval`, whether there is traffic or not.
    #[serde(with = "duration_text")]
    pub every: Duration,
    /// `unhealthy_threshold`.
    pub out_after: u32,
    /// `healthy_threshold`. The first pass of a host that was never checked before is enough.
    pub back_after: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}
