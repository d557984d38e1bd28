//! What a configuration says comes to Envoy in the fields that say it: decoded from the very bytes that are sent.

use super::resources;
use crate::{
    render::{
        Action, ClusterConfig, Condition, FaultSlot, Leg, Limits, Outlier, ProxyConfig, RequestMatch, Retry, Route,
        RouteTable, SlotTouch, VirtualHost,
    },
    xds::{Kind, Resource},
};
use envoy_types::pb::{
    envoy::{
        config::{
            cluster::v3::{Cluster, cluster::LbPolicy},
            route::v3::{
                RouteAction, RouteConfiguration, VirtualHost as PbHost, header_matcher::HeaderMatchSpecifier,
                route::Action as PbAction, route_match::PathSpecifier,
            },
        },
        extensions::filters::{
            common::fault::v3::fault_delay::FaultDelaySecifier,
            http::fault::v3::{HttpFault, fault_abort::ErrorType},
        },
        r#type::matcher::v3::string_matcher::MatchPattern,
    },
    google::protobuf::Duration as PbDuration,
};
use prost::Message;
use squall_mesh::Seat;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

fn seat() -> Seat {
    Seat { node: "p1".into(), folder: "/run/p1".into(), inbound: ([127, 0, 0, 1], 4001).into(), workload: None }
}

fn cluster() -> ClusterConfig {
    ClusterConfig {
        name: "out.reviews".into(),
        tag: "r7".into(),
        hosts: Vec::new(),
        balancer: "LEAST_REQUEST",
        selectors: BTreeSet::new(),
        limits: Limits::default(),
        outlier: None,
    }
}

fn forward(retry: Option<Retry>) -> Action {
    let legs = vec![Leg { weight: 1_000_000, cluster: "out.reviews".into(), subset: BTreeMap::new() }];
    let (timeout, idle) = (Some(Duration::from_millis(1_250)), Some(Duration::from_secs(3)));
    Action::Forward { legs, timeout, idle, hashed_by: Some("x-squall-user".into()), retry }
}

/// A proxy with one virtual host, decoded again.
fn sent(routes: Vec<Route>, faults: Vec<FaultSlot>, cluster: ClusterConfig) -> (PbHost, Cluster) {
    let host = VirtualHost {
        name: "reviews".into(),
        domains: vec!["reviews".into()],
        counts_tries: true,
        sets: vec![("x-squall-caller".into(), "web".into())],
        faults,
        routes,
    };
    let outbound = RouteTable { hosts: vec![host] };
    let proxy =
        ProxyConfig { instance: "web-1".into(), outbound, inbound: RouteTable::default(), clusters: vec![cluster] };
    let all = resources(&proxy, &seat());
    let body = |kind: &Kind, name: &str| all.get(kind, name).map(Resource::body).unwrap().value.clone();
    let table = RouteConfiguration::decode(body(&Kind::Route, "outbound").as_slice()).unwrap();
    assert_eq!(table.validate_clusters.map(|v| v.value), Some(true), "what leads nowhere is rejected, not answered");
    let [host] = table.virtual_hosts.try_into().unwrap();
    (host, Cluster::decode(body(&Kind::Cluster, "out.reviews").as_slice()).unwrap())
}

fn action_of(retry: Option<Retry>) -> RouteAction {
    let route = Route { when: RequestMatch::default(), then: forward(retry) };
    let (mut host, _) = sent(vec![route], Vec::new(), cluster());
    let Some(PbAction::Route(action)) = host.routes.remove(0).action else { panic!("a route") };
    action
}

fn lasts(seconds: i64, nanos: i32) -> Option<PbDuration> {
    Some(PbDuration { seconds, nanos })
}

#[test]
fn a_route_with_its_limits_and_retries() {
    let retry = Retry {
        on: vec!["5xx".into(), "reset".into(), "retriable-status-codes".into()],
        statuses: vec![409],
        times: 2,
        per_try: Some(Duration::from_millis(100)),
        per_try_idle: Some(Duration::from_secs(2)),
        elsewhere: true,
    };
    let action = action_of(Some(retry));
    assert_eq!((action.timeout, action.idle_timeout), (lasts(1, 250_000_000), lasts(3, 0)));
    assert_eq!(action.hash_policy.len(), 1);
    let sent = action.retry_policy.unwrap();
    assert_eq!((sent.retry_on.as_str(), sent.num_retries.unwrap().value), ("5xx,reset,retriable-status-codes", 2));
    assert_eq!(sent.retriable_status_codes, [409]);
    assert_eq!((sent.per_try_timeout, sent.per_try_idle_timeout), (lasts(0, 100_000_000), lasts(2, 0)));
    assert_eq!(sent.retry_host_predicate[0].name, "envoy.retry_host_predicates.previous_hosts");
    assert_eq!(sent.host_selection_retry_max_attempts, 30);
}

#[test]
fn a_limit_of_each_try_is_no_retry() {
    let each = Retry { per_try: Some(Duration::from_secs(1)), ..Retry::default() };
    let sent = action_of(Some(each)).retry_policy.unwrap();
    // Left out, the number would be 1.
    assert_eq!((sent.num_retries.map(|n| n.value), sent.retry_on.as_str()), (Some(0), ""));
    assert_eq!(sent.per_try_timeout, lasts(1, 0));
    assert!(sent.retry_host_predicate.is_empty());
}

#[test]
fn a_virtual_host_counts_tries_and_names_the_caller() {
    let (host, _) = sent(vec![Route { when: RequestMatch::default(), then: forward(None) }], Vec::new(), cluster());
    assert!(host.include_request_attempt_count);
    let [set] = &host.request_headers_to_add[..] else { panic!("one header") };
    let header = set.header.as_ref().unwrap();
    assert_eq!((header.key.as_str(), header.value.as_str()), ("x-squall-caller", "web"));
}

#[test]
fn what_is_asked_of_a_request() {
    let when = RequestMatch {
        asks: BTreeSet::from([
            Condition::Path("/a.b".into()),
            Condition::Query("c=1".into()),
            Condition::Host("shop.test".into()),
            Condition::Header(":method".into(), "GET".into()),
        ]),
        runtime: Some("squall.epoch.1".into()),
        ..RequestMatch::default()
    };
    let (host, _) = sent(vec![Route { when, then: forward(None) }], Vec::new(), cluster());
    let asked = host.routes[0].r#match.clone().unwrap();
    assert_eq!(asked.path_specifier, Some(PathSpecifier::Prefix("/".into())));
    let runtime = asked.runtime_fraction.unwrap();
    assert_eq!((runtime.runtime_key.as_str(), runtime.default_value.unwrap().numerator), ("squall.epoch.1", 0));
    let pattern = |specifier: Option<HeaderMatchSpecifier>| match specifier {
        Some(HeaderMatchSpecifier::StringMatch(text)) => match text.match_pattern.unwrap() {
            MatchPattern::Exact(exact) => exact,
            MatchPattern::SafeRegex(regex) => format!("~{}", regex.regex),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    let mut all: Vec<(String, String)> =
        asked.headers.into_iter().map(|h| (h.name, pattern(h.header_match_specifier))).collect();
    all.sort();
    let expected = [
        (":authority", r"~shop\.test(:[0-9]+)?"),
        (":method", "GET"),
        (":path", r"~[^?]*\?(.*&)?c\=1(&.*)?"),
        (":path", r"~\/a\.b(\?.*)?"),
    ];
    assert_eq!(all, expected.map(|(name, pattern)| (name.to_owned(), pattern.to_owned())));
}

#[test]
fn faults_stand_at_nothing_until_their_key_says_otherwise() {
    let slot = |key: &str, does, only| FaultSlot { key: key.into(), of: Vec::new(), does, only };
    let gold = BTreeSet::from([Condition::Header("x-tier".into(), "gold".into())]);
    let faults = vec![
        slot("squall.f0.share", SlotTouch::Abort(418), gold),
        slot("squall.f1.share", SlotTouch::Delay(Duration::from_millis(1_500)), BTreeSet::new()),
    ];
    let (host, _) = sent(Vec::new(), faults, cluster());
    let filter = |name: &str| HttpFault::decode(host.typed_per_filter_config[name].value.as_slice()).unwrap();
    let (abort, delay) = (filter("squall.fault.0"), filter("squall.fault.1"));

    let does = abort.abort.unwrap();
    assert_eq!(does.error_type, Some(ErrorType::HttpStatus(418)));
    assert_eq!(does.percentage.unwrap().numerator, 0);
    assert_eq!((abort.abort_percent_runtime.as_str(), abort.headers.len()), ("squall.f0.share", 1));
    assert!(abort.delay.is_none());

    let does = delay.delay.unwrap();
    assert_eq!(does.fault_delay_secifier, lasts(1, 500_000_000).map(FaultDelaySecifier::FixedDelay));
    assert_eq!(does.percentage.unwrap().numerator, 0);
    assert_eq!((delay.delay_percent_runtime.as_str(), delay.headers.len()), ("squall.f1.share", 0));
    assert!(delay.abort.is_none());

    // A key that is left out falls back to one that all filters of the proxy share.
    for filter in [&abort.abort_http_status_runtime, &abort.delay_percent_runtime, &abort.delay_duration_runtime] {
        assert_eq!(filter, "squall.unset");
    }
    for filter in [&delay.abort_percent_runtime, &delay.abort_http_status_runtime, &delay.delay_duration_runtime] {
        assert_eq!(filter, "squall.unset");
    }
}

#[test]
fn a_cluster_with_its_limits_and_its_run() {
    let limits = Limits {
        connections: Some(1),
        pending: Some(2),
        requests: Some(3),
        retries: Some(4),
        budget: Some((125_000, 5)),
    };
    let outlier = Some(Outlier { after: 5, lasts: Duration::from_secs(2), at_most_percent: 50 });
    let (_, sent) = sent(Vec::new(), Vec::new(), ClusterConfig { limits, outlier, ..cluster() });
    assert_eq!(sent.lb_policy, LbPolicy::LeastRequest as i32);
    let run = &sent.metadata.unwrap().filter_metadata["squall"];
    assert!(format!("{run:?}").contains("r7"), "a new run's cluster is a new one to the proxy");

    let of = sent.circuit_breakers.unwrap().thresholds.remove(0);
    let numbers = [of.max_connections, of.max_pending_requests, of.max_requests, of.max_retries];
    assert_eq!(numbers.map(|n| n.unwrap().value), [1, 2, 3, 4]);
    let budget = of.retry_budget.unwrap();
    assert_eq!((budget.budget_percent.unwrap().value, budget.min_retry_concurrency.unwrap().value), (12.5, 5));

    let ejects = sent.outlier_detection.unwrap();
    assert_eq!((ejects.consecutive_5xx.unwrap().value, ejects.enforcing_consecutive_5xx.unwrap().value), (5, 100));
    assert_eq!((ejects.base_ejection_time, ejects.max_ejection_percent.unwrap().value), (lasts(2, 0), 50));
    let others = [
        ejects.enforcing_consecutive_gateway_failure,
        ejects.enforcing_success_rate,
        ejects.enforcing_failure_percentage,
    ];
    assert_eq!(others.map(|n| n.unwrap().value), [0, 0, 0], "nothing else ejects");
}
