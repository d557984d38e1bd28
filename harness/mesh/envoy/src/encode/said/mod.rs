//! What a configuration says comes to Envoy in the fields that say it: decoded from the very bytes that are sent.

mod clusters;

use super::resources;
use crate::xds::{Kind, Resource, Resources};
use envoy_types::pb::{
    envoy::{
        config::route::v3::{
            Route as PbRoute, RouteAction, RouteConfiguration, VirtualHost as PbHost,
            header_matcher::HeaderMatchSpecifier, route::Action as PbAction, route_action::ClusterSpecifier,
            route_action::hash_policy::PolicySpecifier, route_match::PathSpecifier,
            weighted_cluster::RandomValueSpecifier,
        },
        extensions::filters::{
            common::fault::v3::fault_delay::FaultDelaySecifier,
            http::fault::v3::{HttpFault, fault_abort::ErrorType},
        },
        r#type::matcher::v3::string_matcher::MatchPattern,
    },
    google::protobuf::{BoolValue, Duration as PbDuration},
};
use prost::Message;
use squall_mesh::Seat;
use squall_mesh_proxy::render::{
    Action, ClusterConfig, Condition, FaultSlot, Forward, Leg, Limits, ProxyConfig, RequestMatch, Retry, Route,
    RouteTable, SlotTouch, VirtualHost,
};
use squall_model::{AnswerCode, GrpcStatus, HashKey};
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
        own_defaults: false,
        hosts: Vec::new(),
        http2: false,
        balancer: "LEAST_REQUEST",
        by_place: false,
        warm_up: None,
        selectors: BTreeSet::new(),
        limits: Limits::default(),
        outlier: None,
        check: None,
        panic_below: None,
    }
}

fn forward(retry: Option<Retry>) -> Forward {
    let legs = vec![Leg { weight: 1_000_000, cluster: "out.reviews".into(), subset: BTreeMap::new() }];
    let (timeout, idle) = (Some(Duration::from_millis(1_250)), Some(Duration::from_secs(3)));
    Forward { legs, timeout, idle, hashed_by: Some(HashKey::User), retry, ..Forward::default() }
}

/// Everything that a proxy with one virtual host and one cluster is sent.
fn all(routes: Vec<Route>, faults: Vec<FaultSlot>, cluster: ClusterConfig) -> Resources {
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
    resources(&proxy, &seat())
}

fn decoded<M: Message + Default>(all: &Resources, kind: &Kind, name: &str) -> M {
    M::decode(all.get(kind, name).map(Resource::body).unwrap().value.as_slice()).unwrap()
}

/// A proxy with one virtual host, decoded again.
fn sent(routes: Vec<Route>, faults: Vec<FaultSlot>) -> PbHost {
    let table: RouteConfiguration = decoded(&all(routes, faults, cluster()), &Kind::Route, "outbound");
    assert_eq!(table.validate_clusters.map(|v| v.value), Some(true), "what leads nowhere is rejected, not answered");
    let [host] = table.virtual_hosts.try_into().unwrap();
    host
}

fn action(forward: Forward, drops: &[&str]) -> PbRoute {
    let drops = drops.iter().map(|name| (*name).to_owned()).collect();
    let route = Route { when: RequestMatch::default(), drops, then: Action::Forward(forward) };
    sent(vec![route], Vec::new()).routes.remove(0)
}

fn forwarded(forward: Forward) -> RouteAction {
    match action(forward, &[]).action {
        Some(PbAction::Route(action)) => action,
        other => panic!("{other:?}"),
    }
}

fn action_of(retry: Option<Retry>) -> RouteAction {
    forwarded(forward(retry))
}

fn plain(when: RequestMatch) -> Route {
    Route { when, drops: Vec::new(), then: Action::Forward(forward(None)) }
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
    let host = sent(vec![plain(RequestMatch::default())], Vec::new());
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
    let host = sent(vec![plain(when)], Vec::new());
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
        slot("squall.f0.share", SlotTouch::Abort(AnswerCode::Status(418)), gold),
        slot("squall.f1.share", SlotTouch::Delay(Duration::from_millis(1_500)), BTreeSet::new()),
    ];
    let host = sent(Vec::new(), faults);
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
fn faults_that_leave_checks_alone_and_speak_grpc() {
    let slot = FaultSlot {
        key: "squall.f0.share".into(),
        of: Vec::new(),
        does: SlotTouch::Abort(AnswerCode::Grpc(GrpcStatus::Unavailable)),
        only: BTreeSet::from([Condition::Has("x-squall-caller".into())]),
    };
    let host = sent(Vec::new(), vec![slot]);
    let fault = HttpFault::decode(host.typed_per_filter_config["squall.fault.0"].value.as_slice()).unwrap();
    assert_eq!(fault.abort.unwrap().error_type, Some(ErrorType::GrpcStatus(14)));
    assert_eq!(fault.headers[0].name, "x-squall-caller");
    assert_eq!(fault.headers[0].header_match_specifier, Some(HeaderMatchSpecifier::PresentMatch(true)));
}

#[test]
fn what_a_hash_is_taken_of() {
    let specifier = |hashed_by: HashKey| {
        let hashed_by = Some(hashed_by);
        let mut sent = forwarded(Forward { hashed_by, ..forward(None) }).hash_policy;
        sent.remove(0).policy_specifier.unwrap()
    };
    for (key, header) in [
        (HashKey::User, "x-squall-user"),
        (HashKey::Header("x-tier".into()), "x-tier"),
        (HashKey::SourceAddress, "x-squall-source"),
    ] {
        let PolicySpecifier::Header(by) = specifier(key) else { panic!("a header") };
        assert_eq!(by.header_name, header);
    }
    let PolicySpecifier::Cookie(cookie) = specifier(HashKey::Cookie("session".into())) else { panic!("a cookie") };
    assert_eq!((cookie.name.as_str(), cookie.ttl), ("session", None), "the proxy makes none");
}

#[test]
fn a_split_that_sticks_is_drawn_by_the_hash() {
    let leg = |weight, version: &str| Leg {
        weight,
        cluster: "out.reviews".into(),
        subset: BTreeMap::from([("version".to_owned(), version.to_owned())]),
    };
    let drawn = |sticks| {
        let legs = vec![leg(900_000, "v1"), leg(100_000, "v2")];
        match forwarded(Forward { legs, sticks, ..forward(None) }).cluster_specifier {
            Some(ClusterSpecifier::WeightedClusters(split)) => split.random_value_specifier,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(drawn(true), Some(RandomValueSpecifier::UseHashPolicy(BoolValue { value: true })));
    assert_eq!(drawn(false), None);
}

/// With a maximum duration Envoy takes the route's own limit from there, and `timeout` for nothing.
#[test]
fn a_deadline_bounds_beside_the_limit() {
    let bound = |timeout, own_defaults| {
        let sent = forwarded(Forward { timeout, own_defaults, keeps_deadline: true, ..forward(None) });
        let bound = sent.max_stream_duration.unwrap();
        (bound.max_stream_duration, bound.grpc_timeout_header_max)
    };
    assert_eq!(bound(None, false), (None, lasts(0, 0)), "the deadline alone");
    assert_eq!(bound(Some(Duration::from_millis(700)), false), (lasts(0, 700_000_000), lasts(0, 700_000_000)));
    assert_eq!(bound(None, true), (lasts(15, 0), lasts(15, 0)));
    assert_eq!(forwarded(forward(None)).max_stream_duration, None);
}

#[test]
fn a_header_that_is_taken_away() {
    let name = "x-envoy-expected-rq-timeout-ms";
    assert_eq!(action(forward(None), &[name]).request_headers_to_remove, [name]);
}

#[test]
fn what_a_route_leaves_to_envoy() {
    let elsewhere = Retry { on: vec!["5xx".into()], times: 1, elsewhere: true, ..Retry::default() };
    let own = Forward { timeout: None, idle: None, own_defaults: true, ..forward(Some(elsewhere)) };
    let sent = forwarded(own);
    assert_eq!((sent.timeout, sent.idle_timeout), (None, None), "15 s, and the listener's");
    assert_eq!(sent.retry_policy.unwrap().host_selection_retry_max_attempts, 0, "one");
}
