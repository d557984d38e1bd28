use super::*;
use serde_json::json;

/// By the names of two meshes.
fn leads_to(cluster: &str) -> Option<&str> {
    match cluster.split('|').collect::<Vec<_>>().as_slice() {
        ["outbound", _, "", host] => Some(first_label(host)),
        ["outbound", _, subset, _] => Some(subset),
        _ => crate::render::callee_of(cluster),
    }
}

fn read(routes: &serde_json::Value, clusters: serde_json::Value) -> String {
    let routes: Vec<RoutesDump> =
        serde_json::from_value(json!([{ "route_config": { "virtual_hosts": routes } }])).unwrap();
    let clusters: Vec<ClusterDump> = serde_json::from_value(clusters).unwrap();
    let all = in_force(&routes, &clusters, leads_to);
    all.into_iter().map(|one| format!("{}: {}", one.host, one.says)).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_nobody_said_is_what_envoy_does_by_default() {
    let routes = json!([{ "name": "reviews", "routes": [
        { "match": { "prefix": "/" }, "route": { "cluster": "out.reviews" } },
    ]}]);
    let silent = json!([{ "cluster": { "name": "out.reviews" } }]);
    let ejects = json!([{ "cluster": { "name": "out.reviews", "outlier_detection": {} } }]);
    insta::assert_snapshot!([read(&routes, silent), read(&routes, ejects)].join("\n"), @"
    reviews: timeout 15 s (Envoy's default); no retries; at most 1024 connections, 1024 waiting for one, 1024 tries, 3 retries at once; no ejection
    reviews: timeout 15 s (Envoy's default); no retries; at most 1024 connections, 1024 waiting for one, 1024 tries, 3 retries at once; ejected for 30 s after 5 × 5xx or by success rate, 10% at most, sweep every 10 s; panic below 50%
    ");
}

#[test]
fn a_route_says_which_calls_how_long_how_often_and_where() {
    let host = "reviews.shop.svc.cluster.local:80";
    let routes = json!([
        { "name": host, "retry_policy": { "retry_on": "reset" }, "routes": [
            { "match": { "path": "/a", "headers": [
                { "name": "x-canary", "string_match": { "exact": "yes" } },
                { "name": ":method", "string_match": { "safe_regex": { "regex": "GET|HEAD" } } },
                { "name": "x-there", "present_match": true },
              ] },
              "route": { "cluster": "outbound|80|v2|reviews.shop.svc.cluster.local", "timeout": "1.500s", "idle_timeout": "1s",
                "retry_policy": { "retry_on": "5xx,retriable-status-codes", "num_retries": 2, "per_try_timeout": "0.250s",
                  "retriable_status_codes": [409], "retry_host_predicate": [{ "name": "envoy.retry_host_predicates.previous_hosts" }] } } },
            { "match": { "prefix": "/" },
              "route": { "timeout": "0s", "hash_policy": [{ "header": { "header_name": "x-user" } }],
                "max_stream_duration": { "grpc_timeout_header_max": "0s" },
                "weighted_clusters": { "clusters": [
                  { "name": "outbound|80|v1|reviews.shop.svc.cluster.local", "weight": 90 },
                  { "name": "outbound|80||reviews.shop.svc.cluster.local", "weight": 10 },
                ] } } },
            { "match": { "prefix": "/b" },
              "route": { "cluster": "out.reviews", "timeout": "later", "retry_policy": { "num_retries": 0, "retry_on": "5xx" },
                "metadata_match": { "filter_metadata": { "envoy.lb": { "version": "v2" } } } } },
        ]},
        { "name": "probe", "routes": [{ "match": { "path": "/version" }, "direct_response": { "status": 200 } }] },
        { "name": "own", "routes": [{ "match": { "prefix": "/" }, "route": { "cluster": "local" } }] },
    ]);
    insta::assert_snapshot!(read(&routes, json!([])), @r#"
    reviews: for path /a, x-canary: yes, :method {"string_match":{"safe_regex":{"regex":"GET|HEAD"}}}, x-there; timeout 1.5 s; idle timeout 1 s; 2 retries on 5xx,retriable-status-codes (409), each try 250 ms, on another host
    reviews: no timeout, and the call's own deadline; 1 retry on reset; 90% v1, 10% reviews; sticks by header x-user
    reviews: for path /b…; timeout `later`; no retries; 100% version v2
    "#);
}

#[test]
fn a_cluster_says_what_is_shed_and_who_is_ejected() {
    let routes = |name: &str| json!({ "name": name, "routes": [{ "match": {}, "route": { "cluster": format!("out.{name}"), "timeout": "0s" } }] });
    let none = u32::MAX;
    let clusters = json!([
        { "cluster": { "name": "out.a", "circuit_breakers": { "thresholds": [
            { "priority": "HIGH", "max_requests": 1 },
            { "max_connections": none, "max_pending_requests": none, "max_requests": none, "max_retries": none } ] } } },
        { "cluster": { "name": "out.b", "lb_policy": "LEAST_REQUEST", "circuit_breakers": { "thresholds": [
            { "max_connections": 10, "max_pending_requests": 5, "max_requests": none, "max_retries": none,
              "retry_budget": { "budget_percent": { "value": 12.5 }, "min_retry_concurrency": 1 } } ] } } },
        { "cluster": { "name": "out.c", "common_lb_config": { "healthy_panic_threshold": {} },
            "outlier_detection": { "consecutive_5xx": 4, "consecutive_gateway_failure": 3, "enforcing_consecutive_gateway_failure": 100,
              "enforcing_success_rate": 0, "base_ejection_time": "2s", "interval": "0.100s", "max_ejection_percent": 50 },
            "health_checks": [{ "interval": "0.500s" }] } },
        { "cluster": { "name": "out.d", "outlier_detection": { "enforcing_consecutive_5xx": 0, "enforcing_success_rate": 0 } } },
    ]);
    let hosts = ["a", "b", "c", "d"].map(routes);
    insta::assert_snapshot!(read(&json!(hosts), clusters), @"
    a: no timeout; no retries; no breaker; no ejection
    b: no timeout; no retries; at most 10 connections, 5 waiting for one, 12.5% of them retries (or 1) at once; no ejection; least request
    c: no timeout; no retries; at most 1024 connections, 1024 waiting for one, 1024 tries, 3 retries at once; ejected for 2 s after 4 × 5xx or 3 × 502, 503, 504, 50% at most, sweep every 100 ms; checked every 500 ms
    d: no timeout; no retries; at most 1024 connections, 1024 waiting for one, 1024 tries, 3 retries at once; no ejection; panic below 50%
    ");
}
