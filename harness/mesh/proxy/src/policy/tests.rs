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
    reviews: timeout 15 s (Envoy's default); no retries; at most 1024 connections, 1024 waiting for one, 1024 tries, 3 retries at once; ejected for 30 s after 5 × 5xx or by success rate (needs 5 hosts with 100 tries a sweep), 10% at most, sweep every 10 s; panic below 50%
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
    reviews: for path /a, x-canary: yes, :method {"string_match":{"safe_regex":{"regex":"GET|HEAD"}}}, x-there; timeout 1.5 s; idle timeout 1 s; 2 retries on 5xx,retriable-status-codes (409), each try 250 ms, on another host (picked again up to 1 time)
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
    c: no timeout; no retries; at most 1024 connections, 1024 waiting for one, 1024 tries, 3 retries at once; ejected for 2 s after 4 × 5xx or after 3 × 502, 503, 504, 50% at most, sweep every 100 ms; checked every 500 ms
    d: no timeout; no retries; at most 1024 connections, 1024 waiting for one, 1024 tries, 3 retries at once; no ejection; panic below 50%
    ");
}

#[test]
fn a_route_says_all_that_it_asks_of_a_call() {
    let route =
        |when: &serde_json::Value| json!({ "match": when, "route": { "cluster": "out.reviews", "timeout": "0s" } });
    let yes = json!({ "exact": "yes" });
    let matches = [
        json!({ "prefix": "/", "headers": [
            { "name": "x-a", "string_match": yes, "invert_match": true },
            { "name": "x-b", "string_match": yes, "invert_match": true, "treat_missing_header_as_empty": true },
            { "name": "x-c", "exact_match": "yes", "invert_match": true },
            { "name": "x-d", "string_match": { "exact": "yes", "ignore_case": true } },
        ] }),
        json!({ "prefix": "/", "headers": [
            { "name": "x-a", "present_match": true, "invert_match": true },
            { "name": "x-b", "present_match": false },
            { "name": "x-c", "present_match": false, "invert_match": true },
            { "name": "x-d", "string_match": { "prefix": "y" }, "invert_match": true },
        ] }),
        json!({ "path": "/a", "case_sensitive": true, "query_parameters": [
            { "name": "beta", "string_match": yes },
            { "name": "there", "present_match": true },
            { "name": "any", "string_match": { "prefix": "y" } },
        ] }),
        json!({ "prefix": "/", "runtime_fraction": { "default_value": { "numerator": 30 } } }),
        json!({ "path": "/b", "runtime_fraction": { "default_value": { "numerator": 1, "denominator": "TEN_THOUSAND" }, "runtime_key": "canary" } }),
        json!({ "prefix": "/", "runtime_fraction": { "default_value": { "numerator": 2_000_000, "denominator": "MILLION" } } }),
        json!({ "prefix": "/", "runtime_fraction": { "default_value": { "denominator": "MILLION" } } }),
        json!({ "path": "/c", "case_sensitive": false, "grpc": {} }),
    ];
    let routes: Vec<_> = matches.iter().map(route).collect();
    let said = read(&json!([{ "name": "reviews", "routes": routes }]), json!([]));
    insta::assert_snapshot!(said.replace("; no timeout; no retries", ""), @r#"
    reviews: for x-a other than yes, not x-b: yes, x-c other than yes, x-d {"string_match":{"exact":"yes","ignore_case":true}}
    reviews: for no x-a, no x-b, x-c, x-d {"invert_match":true,"string_match":{"prefix":"y"}}
    reviews: for path /a, query beta: yes, query there, query any {"string_match":{"prefix":"y"}}
    reviews: for 30% of the calls
    reviews: for 0.01% (unless the runtime key canary says otherwise) of the calls with path /b
    reviews: no timeout; no retries
    reviews: for 0% of the calls
    reviews: for path /c, case_sensitive false, grpc {}
    "#);
}

#[test]
fn a_retry_says_how_often_another_host_is_picked() {
    let elsewhere = json!([{ "name": "envoy.retry_host_predicates.previous_hosts" }]);
    let policies = [
        json!({ "retry_on": "5xx", "retry_host_predicate": elsewhere }),
        json!({ "retry_on": "5xx", "retry_host_predicate": elsewhere, "host_selection_retry_max_attempts": "5" }),
        json!({ "retry_on": "5xx", "host_selection_retry_max_attempts": "5" }),
    ];
    let routes = policies.map(|policy| {
        json!({ "match": { "prefix": "/" }, "route": { "cluster": "out.reviews", "timeout": "0s", "retry_policy": policy } })
    });
    insta::assert_snapshot!(read(&json!([{ "name": "reviews", "routes": routes }]), json!([])), @"
    reviews: no timeout; 1 retry on 5xx, on another host (picked again up to 1 time)
    reviews: no timeout; 1 retry on 5xx, on another host (picked again up to 5 times)
    reviews: no timeout; 1 retry on 5xx
    ");
}

#[test]
fn an_ejection_says_every_way_to_it() {
    let outliers = [
        json!({ "enforcing_success_rate": 0, "enforcing_failure_percentage": 100 }),
        json!({ "enforcing_consecutive_5xx": 0, "success_rate_minimum_hosts": 3, "success_rate_request_volume": 20,
            "enforcing_failure_percentage": 50, "failure_percentage_threshold": 40, "failure_percentage_minimum_hosts": 2,
            "failure_percentage_request_volume": 10, "enforcing_failure_percentage_local_origin": 100 }),
        json!({ "split_external_local_origin_errors": true, "enforcing_failure_percentage_local_origin": 100 }),
        json!({ "split_external_local_origin_errors": true, "consecutive_local_origin_failure": 3,
            "enforcing_success_rate": 0, "enforcing_local_origin_success_rate": 0 }),
        json!({ "split_external_local_origin_errors": true, "consecutive_local_origin_failure": 0,
            "enforcing_success_rate": 0, "enforcing_local_origin_success_rate": 0 }),
        json!({ "split_external_local_origin_errors": false, "consecutive_local_origin_failure": 3, "enforcing_success_rate": 0 }),
        json!({ "consecutive_5xx": 0, "enforcing_success_rate": 0, "consecutive_gateway_failure": 0,
            "enforcing_consecutive_gateway_failure": 100 }),
        json!({ "enforcing_success_rate": 0, "always_eject_one_host": true }),
    ];
    let said = outliers.map(|outlier| {
        let routes = json!([{ "name": "a", "routes": [{ "match": {}, "route": { "cluster": "out.a" } }] }]);
        let said = read(&routes, json!([{ "cluster": { "name": "out.a", "outlier_detection": outlier } }]));
        said.split("at once; ").nth(1).unwrap().replace(", sweep every 10 s; panic below 50%", "")
    });
    insta::assert_snapshot!(said.join("\n"), @"
    ejected for 30 s after 5 × 5xx or at 85% failures (needs 5 hosts with 50 tries a sweep), 10% at most
    ejected for 30 s by success rate (needs 3 hosts with 20 tries a sweep) or at 40% failures (needs 2 hosts with 10 tries a sweep, enforced at 50%), 10% at most
    ejected for 30 s after 5 × 5xx or by success rate (needs 5 hosts with 100 tries a sweep) or after 5 × local-origin failure or by local-origin success rate (needs 5 hosts with 100 tries a sweep) or at 85% local-origin failures (needs 5 hosts with 50 tries a sweep), 10% at most
    ejected for 30 s after 5 × 5xx or after 3 × local-origin failure, 10% at most
    ejected for 30 s after 5 × 5xx, never for local-origin failures, 10% at most
    ejected for 30 s after 5 × 5xx, 10% at most
    no ejection; panic below 50%
    ejected for 30 s after 5 × 5xx, 10% at most but always one
    ");
}
