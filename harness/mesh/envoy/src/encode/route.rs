//! Route tables (config/route/v3), with the faults that may be armed at each virtual host.

use super::{any, duration, lb_metadata, number};
use envoy_types::pb::{
    envoy::{
        config::{
            core::v3::{
                DataSource, HeaderValue, HeaderValueOption, RuntimeFractionalPercent, data_source::Specifier,
                header_value_option::HeaderAppendAction,
            },
            route::v3::{
                DirectResponseAction, HeaderMatcher, RetryPolicy, Route as PbRoute, RouteAction, RouteConfiguration,
                RouteMatch, VirtualHost as PbHost, WeightedCluster,
                header_matcher::HeaderMatchSpecifier,
                retry_policy::{RetryHostPredicate, retry_host_predicate},
                route::Action as PbAction,
                route_action::{ClusterSpecifier, HashPolicy, MaxStreamDuration, hash_policy},
                route_match::PathSpecifier,
                weighted_cluster::{ClusterWeight, RandomValueSpecifier},
            },
        },
        extensions::{
            filters::{
                common::fault::v3::{FaultDelay, fault_delay::FaultDelaySecifier},
                http::fault::v3::{FaultAbort, HttpFault, fault_abort::ErrorType},
            },
            retry::host::previous_hosts::v3::PreviousHostsPredicate,
        },
        r#type::{
            matcher::v3::{RegexMatcher, StringMatcher, string_matcher::MatchPattern},
            v3::{FractionalPercent, fractional_percent::DenominatorType},
        },
    },
    google::protobuf::BoolValue,
};
use squall_mesh_proxy::render::{
    Action, Condition, FaultSlot, Forward, Leg, Matched, RequestMatch, Retry, Route, RouteTable, SLOTS, SOURCE,
    SlotTouch, USER, VirtualHost, slot_name,
};
use squall_model::{AnswerCode, HashKey};
use std::{collections::HashMap, time::Duration};

/// How often a retry asks the load balancer for a host that was not tried before. By default once, which among three hosts
/// still comes back to the same one in every ninth case.
const HOST_SELECTIONS: i64 = 30;

/// A route table.
pub(super) fn table(name: &str, table: &RouteTable, version: &str) -> RouteConfiguration {
    RouteConfiguration {
        name: name.to_owned(),
        virtual_hosts: table.hosts.iter().map(|h| host(h, version)).collect(),
        // A route to a cluster that is not there is a mistake of ours, to be rejected and not to answer 503 NC.
        validate_clusters: Some(BoolValue { value: true }),
        ..RouteConfiguration::default()
    }
}

fn host(host: &VirtualHost, version: &str) -> PbHost {
    PbHost {
        name: host.name.clone(),
        domains: host.domains.clone(),
        routes: host.routes.iter().map(|r| route(r, version)).collect(),
        include_request_attempt_count: host.counts_tries,
        request_headers_to_add: host.sets.iter().map(overwrite).collect(),
        typed_per_filter_config: faults(&host.faults),
        ..PbHost::default()
    }
}

fn overwrite((name, value): &(String, String)) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(HeaderValue { key: name.clone(), value: value.clone(), ..HeaderValue::default() }),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd as i32,
        ..HeaderValueOption::default()
    }
}

fn route(route: &Route, version: &str) -> PbRoute {
    let answer = |status: u32, body: &str| {
        PbAction::DirectResponse(DirectResponseAction {
            status,
            body: (!body.is_empty()).then(|| DataSource {
                specifier: Some(Specifier::InlineString(body.to_owned())),
                ..DataSource::default()
            }),
            ..DirectResponseAction::default()
        })
    };
    let action = match &route.then {
        Action::Answer { status, body } => answer(*status, body),
        Action::AnswerVersion => answer(200, version),
        Action::Forward(forward) => PbAction::Route(forwarding(forward)),
    };
    PbRoute {
        r#match: Some(matching(&route.when)),
        request_headers_to_remove: route.drops.clone(),
        action: Some(action),
        ..PbRoute::default()
    }
}

fn forwarding(forward: &Forward) -> RouteAction {
    // Zero: no timeout. Left out it would be 15 s.
    let neutral = (!forward.own_defaults).then_some(Duration::ZERO);
    RouteAction {
        cluster_specifier: Some(specifier(&forward.legs, forward.sticks)),
        metadata_match: match forward.legs.as_slice() {
            [only] if !only.subset.is_empty() => Some(lb_metadata(&only.subset)),
            _ => None,
        },
        timeout: forward.timeout.or(neutral).map(duration),
        idle_timeout: forward.idle.or(neutral).map(duration),
        max_stream_duration: forward.keeps_deadline.then(|| bound(forward)),
        hash_policy: forward.hashed_by.as_ref().map(hash).into_iter().collect(),
        retry_policy: forward.retry.as_ref().map(|retry| retries(retry, forward.own_defaults)),
        ..RouteAction::default()
    }
}

/// How long Envoy waits by default.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(15);

/// The deadline that a request tells (`grpc-timeout`, whatever its protocol), and no longer than the route's own limit, which
/// Envoy looks for here and not in `timeout` once there is this. Zero: no limit but the deadline.
fn bound(forward: &Forward) -> MaxStreamDuration {
    let own = forward.timeout.or(forward.own_defaults.then_some(DEFAULT_TIMEOUT));
    MaxStreamDuration {
        max_stream_duration: own.map(duration),
        grpc_timeout_header_max: Some(duration(own.unwrap_or(Duration::ZERO))),
        ..MaxStreamDuration::default()
    }
}

fn hash(key: &HashKey) -> HashPolicy {
    use hash_policy::{Cookie, Header, PolicySpecifier};
    let by_header = |name: &str| PolicySpecifier::Header(Header { header_name: name.into(), ..Header::default() });
    let specifier = match key {
        HashKey::User => by_header(USER),
        HashKey::Header(name) => by_header(name),
        // Without a time to live: one that the client brings, and none that the proxy makes.
        HashKey::Cookie(name) => PolicySpecifier::Cookie(Cookie { name: name.clone(), ..Cookie::default() }),
        HashKey::SourceAddress => by_header(SOURCE),
    };
    HashPolicy { policy_specifier: Some(specifier), ..HashPolicy::default() }
}

fn specifier(legs: &[Leg], sticks: bool) -> ClusterSpecifier {
    match legs {
        [only] => ClusterSpecifier::Cluster(only.cluster.clone()),
        several => ClusterSpecifier::WeightedClusters(WeightedCluster {
            clusters: several
                .iter()
                .map(|leg| ClusterWeight {
                    name: leg.cluster.clone(),
                    weight: number(leg.weight),
                    metadata_match: (!leg.subset.is_empty()).then(|| lb_metadata(&leg.subset)),
                    ..ClusterWeight::default()
                })
                .collect(),
            random_value_specifier: sticks.then_some(RandomValueSpecifier::UseHashPolicy(BoolValue { value: true })),
            ..WeightedCluster::default()
        }),
    }
}

/// Envoy's own number of selections is 1.
fn retries(retry: &Retry, own_defaults: bool) -> RetryPolicy {
    let again = retry.elsewhere && !own_defaults;
    let previous = RetryHostPredicate {
        name: "envoy.retry_host_predicates.previous_hosts".into(),
        config_type: Some(retry_host_predicate::ConfigType::TypedConfig(any(&PreviousHostsPredicate::default()))),
    };
    RetryPolicy {
        retry_on: retry.on.join(","),
        retriable_status_codes: retry.statuses.clone(),
        num_retries: number(retry.times),
        per_try_timeout: retry.per_try.map(duration),
        per_try_idle_timeout: retry.per_try_idle.map(duration),
        retry_host_predicate: if retry.elsewhere { vec![previous] } else { Vec::new() },
        host_selection_retry_max_attempts: if again { HOST_SELECTIONS } else { 0 },
        ..RetryPolicy::default()
    }
}

fn matching(when: &RequestMatch) -> RouteMatch {
    let path = match (&when.path, &when.prefix) {
        (Some(path), _) => PathSpecifier::Path(path.clone()),
        (None, prefix) => PathSpecifier::Prefix(prefix.clone().unwrap_or_else(|| "/".into())),
    };
    RouteMatch {
        path_specifier: Some(path),
        headers: when.asks.iter().map(header).collect(),
        runtime_fraction: when
            .runtime
            .as_ref()
            .map(|key| RuntimeFractionalPercent { default_value: Some(never()), runtime_key: key.clone() }),
        ..RouteMatch::default()
    }
}

/// A condition as a match of a header or pseudo-header.
fn header(condition: &Condition) -> HeaderMatcher {
    let (name, matched) = condition.header();
    let specifier = match matched {
        Matched::Present => HeaderMatchSpecifier::PresentMatch(true),
        Matched::Exactly(value) => HeaderMatchSpecifier::StringMatch(text(MatchPattern::Exact(value.to_owned()))),
        Matched::Regex(regex) => {
            let regex = RegexMatcher { regex, ..RegexMatcher::default() };
            HeaderMatchSpecifier::StringMatch(text(MatchPattern::SafeRegex(regex)))
        }
    };
    HeaderMatcher { name: name.to_owned(), header_match_specifier: Some(specifier), ..HeaderMatcher::default() }
}

fn text(pattern: MatchPattern) -> StringMatcher {
    StringMatcher { match_pattern: Some(pattern), ..StringMatcher::default() }
}

fn never() -> FractionalPercent {
    FractionalPercent { numerator: 0, denominator: DenominatorType::Million as i32 }
}

/// Each fault replaces the empty configuration of its slot, whole.
fn faults(slots: &[FaultSlot]) -> HashMap<String, envoy_types::pb::google::protobuf::Any> {
    slots.iter().take(SLOTS).enumerate().map(|(n, slot)| (slot_name(n), any(&fault(slot)))).collect()
}

/// At 0 % until its runtime key says otherwise. Keys that are not ours are named too, lest Envoy fall back to global ones.
fn fault(slot: &FaultSlot) -> HttpFault {
    let mut fault = HttpFault {
        headers: slot.only.iter().map(header).collect(),
        abort_http_status_runtime: "squall.unset".into(),
        abort_percent_runtime: "squall.unset".into(),
        delay_percent_runtime: "squall.unset".into(),
        delay_duration_runtime: "squall.unset".into(),
        ..HttpFault::default()
    };
    match slot.does {
        SlotTouch::Abort(status) => {
            fault.abort = Some(FaultAbort {
                percentage: Some(never()),
                error_type: Some(match status {
                    AnswerCode::Status(status) => ErrorType::HttpStatus(status.into()),
                    AnswerCode::Grpc(status) => ErrorType::GrpcStatus(status.number().into()),
                }),
                ..FaultAbort::default()
            });
            fault.abort_percent_runtime.clone_from(&slot.key);
        }
        SlotTouch::Delay(time) => {
            fault.delay = Some(FaultDelay {
                percentage: Some(never()),
                fault_delay_secifier: Some(FaultDelaySecifier::FixedDelay(duration(time))),
            });
            fault.delay_percent_runtime.clone_from(&slot.key);
        }
    }
    fault
}
