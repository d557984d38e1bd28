//! What goes into a proxy of somebody else, so that it asks the port and does what that says. Pure.
//!
//! All of it keeps to requests that are ours, by the form of their ids: those of the application never leave the proxy, whatever
//! headers they carry, and cost it four looks at one header.

use super::service::{ABORT, ABORT_GRPC, DELAY, ID};
use serde_json::{Value, json};
use std::net::SocketAddr;

/// The cluster by which the port is found.
pub const CLUSTER: &str = "squall-port";

/// An id of a run, as a whole: its word ([`squall_mesh::word_of`]), the run of a scenario, or that it only settles a mesh ([`squall_mesh::settling`]), the call, and
/// what numbers onward calls append. An id that a proxy makes up is a UUID.
fn form(word: &str) -> String {
    format!(r"{word}(r[0-9]+|settle)\.[0-9]+(\..*)?")
}

/// How long a proxy waits for an answer, and for a connection, before it goes on without.
const PATIENCE: &str = "0.05s";

/// For so long a port that does not answer is left alone, and up to a second more: so often comes the sweep that ends it. No longer,
/// because where several ask at once one hitch of a busy machine is enough for this, and meanwhile no fault strikes.
const LEFT_ALONE: &str = "1s";

/// After so many questions in a row without an answer.
const UNANSWERED: u32 = 3;

/// More than will ever be asked at once: a question that is not put is a fault that does not strike.
const LIMIT: u32 = 1_000_000;

/// Every header that steers a fault filter. Whoever sends one to us forges it, and no workload is to see ours.
const STEERING: [&str; 7] = [
    ABORT,
    "x-envoy-fault-abort-request-percentage",
    ABORT_GRPC,
    DELAY,
    "x-envoy-fault-delay-request-percentage",
    "x-envoy-fault-throughput-response",
    "x-envoy-fault-throughput-response-percentage",
];

/// The HTTP filters that stand before the router of inbound listeners, in order, each as `{"name", "typed_config"}`; for calls of a run whose
/// ids begin with this word.
#[must_use]
pub fn filters(word: &str) -> Vec<Value> {
    vec![
        ours(word, "squall.port.strip", &unsteered()),
        ours(word, "squall.port.ask", &ask()),
        ours(word, "squall.port.fault", &fault()),
        ours(word, "squall.port.clean", &unsteered()),
    ]
}

/// The cluster by which the port is found. A port that hangs is left alone after a few questions; one that refuses connections
/// costs nothing anyway.
#[must_use]
pub fn cluster(at: SocketAddr) -> Value {
    let address = json!({"socket_address": {"address": at.ip().to_string(), "port_value": at.port()}});
    let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    json!({
        "name": CLUSTER,
        "type": "STATIC",
        "connect_timeout": PATIENCE,
        "load_assignment": {
            "cluster_name": CLUSTER,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
        "typed_extension_protocol_options": {
            options: {"@type": type_url(options), "explicit_http_config": {"http2_protocol_options": {}}},
        },
        "circuit_breakers": {"thresholds": [{
            "max_connections": LIMIT,
            "max_pending_requests": LIMIT,
            "max_requests": LIMIT,
        }]},
        "outlier_detection": {
            "consecutive_5xx": UNANSWERED,
            "interval": "1s",
            "base_ejection_time": LEFT_ALONE,
            "max_ejection_time": LEFT_ALONE,
            "max_ejection_percent": 100,
        },
        // It is the only host: without the first an ejection would be overruled, and without the second one that follows another
        // would be a second late.
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}, "update_merge_window": "0s"},
    })
}

/// A filter that is skipped, whole, by every request that is not ours (extensions/common/matching/v3/extension_matcher.proto).
fn ours(word: &str, name: &str, config: &Value) -> Value {
    let skip = "envoy.extensions.filters.common.matcher.action.v3.SkipFilter";
    let is_ours = json!({
        "input": {
            "name": "id",
            "typed_config": {"@type": type_url("envoy.type.matcher.v3.HttpRequestHeaderMatchInput"), "header_name": ID},
        },
        "value_match": {"safe_regex": {"google_re2": {}, "regex": form(word)}},
    });
    let skip_others = json!({
        "predicate": {"not_matcher": {"single_predicate": is_ours}},
        "on_match": {"action": {"name": "skip", "typed_config": {"@type": type_url(skip)}}},
    });
    json!({
        "name": name,
        "typed_config": {
            "@type": type_url("envoy.extensions.common.matching.v3.ExtensionWithMatcher"),
            "extension_config": {"name": name, "typed_config": config},
            "xds_matcher": {"matcher_list": {"matchers": [skip_others]}},
        },
    })
}

fn unsteered() -> Value {
    let removals: Vec<Value> = STEERING.iter().map(|name| json!({"remove": name})).collect();
    json!({
        "@type": type_url("envoy.extensions.filters.http.header_mutation.v3.HeaderMutation"),
        "mutations": {"request_mutations": removals},
    })
}

fn ask() -> Value {
    json!({
        "@type": type_url("envoy.extensions.filters.http.ext_authz.v3.ExtAuthz"),
        "stat_prefix": "squall_port",
        "transport_api_version": "V3",
        "failure_mode_allow": true,
        "grpc_service": {"envoy_grpc": {"cluster_name": CLUSTER}, "timeout": PATIENCE},
    })
}

/// Does what the headers say, and nothing where there are none. Runtime keys are named lest Envoy fall back to global ones.
fn fault() -> Value {
    let always = json!({"numerator": 100});
    json!({
        "@type": type_url("envoy.extensions.filters.http.fault.v3.HTTPFault"),
        "abort": {"header_abort": {}, "percentage": always},
        "delay": {"header_delay": {}, "percentage": always},
        "abort_http_status_runtime": "squall.unset",
        "abort_grpc_status_runtime": "squall.unset",
        "abort_percent_runtime": "squall.unset",
        "delay_percent_runtime": "squall.unset",
        "delay_duration_runtime": "squall.unset",
    })
}

fn type_url(name: &str) -> String {
    format!("type.googleapis.com/{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_ours_or_not() {
        let ours = regex::Regex::new(&format!("^(?:{})$", form("kqw-"))).unwrap();
        for id in ["kqw-r1.0", "kqw-r12.345", "kqw-r1.0.2", "kqw-r1.0.2.x", "kqw-settle.3"] {
            assert!(ours.is_match(id), "{id}");
        }
        for id in [
            "",
            "kqw-r1",
            "kqw-r1.",
            "kqw-r.0",
            "xkqw-r1.0",
            "kqw-r1.0x",
            "r1.0",
            "kqx-r1.0",
            "6f6b8a0e-7e3b-4a55-9c7e-0d1d6d5d2b11",
        ] {
            assert!(!ours.is_match(id), "{id}");
        }
    }

    #[test]
    fn every_filter_stands_in_its_place_and_is_for_ours_alone() {
        let filters = filters("kqw-");
        let names: Vec<&str> = filters.iter().filter_map(|filter| filter["name"].as_str()).collect();
        assert_eq!(names, ["squall.port.strip", "squall.port.ask", "squall.port.fault", "squall.port.clean"]);
        let skips = |filter: &Value| {
            let matcher = &filter["typed_config"]["xds_matcher"]["matcher_list"]["matchers"][0];
            let ours = &matcher["predicate"]["not_matcher"]["single_predicate"]["value_match"]["safe_regex"]["regex"];
            *ours == form("kqw-") && matcher["on_match"]["action"]["name"] == "skip"
        };
        assert!(filters.iter().all(skips));
    }
}
