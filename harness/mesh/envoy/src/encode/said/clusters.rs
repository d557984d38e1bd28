//! Clusters, their hosts, their checks.

use super::{all, cluster, decoded, lasts};
use crate::{encode, xds::Kind};
use envoy_types::pb::{
    envoy::{
        config::{
            cluster::v3::{
                Cluster,
                cluster::{LbConfig, LbPolicy, common_lb_config::LocalityConfigSpecifier},
            },
            core::v3::{HealthCheck, Locality, health_check::HealthChecker},
            endpoint::v3::ClusterLoadAssignment,
        },
        extensions::{
            health_check::event_sinks::file::v3::HealthCheckEventFileSink,
            upstreams::http::v3::{
                HttpProtocolOptions,
                http_protocol_options::{UpstreamProtocolOptions, explicit_http_config::ProtocolConfig},
            },
        },
        r#type::v3::CodecClientType,
    },
    google::protobuf::BoolValue,
};
use prost::Message;
use squall_mesh_proxy::render::{Check, ClusterConfig, Endpoint, Limits, Outlier};
use squall_model::{Fraction, Place, PlaceKind, Probe};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

fn sent(cluster: ClusterConfig) -> Cluster {
    decoded(&all(Vec::new(), Vec::new(), cluster), &Kind::Cluster, "out.reviews")
}

fn ejecting(at_most_percent: Option<u32>) -> Option<Outlier> {
    Some(Outlier { after: 5, lasts: Duration::from_secs(2), at_most_percent })
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
    let outlier = ejecting(Some(50));
    let sent = sent(ClusterConfig { limits, outlier, ..cluster() });
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

#[test]
fn what_a_cluster_leaves_to_envoy() {
    let sent = sent(ClusterConfig { own_defaults: true, outlier: ejecting(None), ..cluster() });
    let common = sent.common_lb_config.unwrap();
    assert_eq!((common.healthy_panic_threshold, common.update_merge_window), (None, None), "50 %, 1 s");
    assert_eq!(sent.connect_timeout, None, "5 s");
    let of = sent.circuit_breakers.unwrap().thresholds.remove(0);
    assert_eq!([of.max_connections, of.max_pending_requests, of.max_requests, of.max_retries], [None; 4]);
    let ejects = sent.outlier_detection.unwrap();
    assert_eq!((ejects.max_ejection_percent, ejects.enforcing_success_rate), (None, None), "10 %, always");
    assert_eq!(ejects.successful_active_health_check_uneject_host, None, "it does");
    assert_eq!((ejects.base_ejection_time, ejects.interval), (lasts(2, 0), lasts(0, 100_000_000)), "as it was said");
}

#[test]
fn checks_and_ejections_do_not_meddle() {
    let ejects = sent(ClusterConfig { outlier: ejecting(Some(100)), ..cluster() }).outlier_detection.unwrap();
    assert_eq!(ejects.successful_active_health_check_uneject_host, Some(BoolValue { value: false }));
}

#[test]
fn http2_with_prior_knowledge() {
    let options = |http2| sent(ClusterConfig { http2, ..cluster() }).typed_extension_protocol_options;
    assert!(options(false).is_empty());
    let options = options(true).remove("envoy.extensions.upstreams.http.v3.HttpProtocolOptions").unwrap();
    let options = HttpProtocolOptions::decode(options.value.as_slice()).unwrap();
    let Some(UpstreamProtocolOptions::ExplicitHttpConfig(explicit)) = options.upstream_protocol_options else {
        panic!("explicit")
    };
    assert!(matches!(explicit.protocol_config, Some(ProtocolConfig::Http2ProtocolOptions(_))));
}

fn check(by: Probe, every: Duration, http2: bool) -> HealthCheck {
    let check = Check { host: "reviews".into(), by, every, out_after: 3, back_after: 2 };
    let sent = sent(ClusterConfig { check: Some(check), http2, ..cluster() });
    assert!(sent.ignore_health_on_host_removal, "who is gone is gone");
    let [check] = sent.health_checks.try_into().unwrap();
    check
}

#[test]
fn a_check_asks_as_often_as_it_was_said() {
    let sent = check(Probe::Http("/healthz".into()), Duration::from_millis(200), false);
    let interval = lasts(0, 200_000_000);
    assert_eq!((sent.interval, sent.no_traffic_interval, sent.timeout), (interval, interval, interval));
    assert_eq!((sent.unhealthy_threshold.unwrap().value, sent.healthy_threshold.unwrap().value), (3, 2));
    assert_eq!((sent.interval_jitter_percent, sent.initial_jitter), (0, None));
    assert!(sent.always_log_health_check_failures);
    let sink = sent.event_logger[0].typed_config.as_ref().unwrap();
    let sink = HealthCheckEventFileSink::decode(sink.value.as_slice()).unwrap();
    assert_eq!(sink.event_log_path, "/run/p1/checks.log");
    assert_eq!(check(Probe::Tcp, Duration::from_secs(5), false).timeout, lasts(1, 0), "no longer than 1 s");
}

#[test]
fn what_a_check_asks() {
    let asks = |by, http2| check(by, Duration::from_secs(1), http2).health_checker.unwrap();
    for (http2, codec) in [(false, CodecClientType::Http1), (true, CodecClientType::Http2)] {
        let HealthChecker::HttpHealthCheck(http) = asks(Probe::Http("/healthz".into()), http2) else { panic!("http") };
        assert_eq!(
            (http.host.as_str(), http.path.as_str(), http.codec_client_type),
            ("reviews", "/healthz", codec as i32)
        );
        assert!(http.expected_statuses.is_empty(), "200");
        let counted: Vec<(i64, i64)> = http.retriable_statuses.iter().map(|range| (range.start, range.end)).collect();
        assert_eq!(counted, [(100, 200), (201, 600)], "any other is a failure like any other");
    }
    let HealthChecker::GrpcHealthCheck(grpc) = asks(Probe::Grpc, true) else { panic!("grpc") };
    assert_eq!((grpc.authority.as_str(), grpc.service_name.as_str()), ("reviews", ""));
    let HealthChecker::TcpHealthCheck(tcp) = asks(Probe::Tcp, false) else { panic!("tcp") };
    assert!(tcp.send.is_none() && tcp.receive.is_empty(), "it connects, and no more");
}

#[test]
fn the_clusters_that_are_checked_are_known_by_what_is_sent() {
    let check = Check { host: "r".into(), by: Probe::Tcp, every: Duration::from_secs(1), out_after: 1, back_after: 2 };
    let checked = |check| encode::checks(&all(Vec::new(), Vec::new(), ClusterConfig { check, ..cluster() }));
    assert_eq!(checked(Some(check)), BTreeMap::from([("out.reviews".to_owned(), 2)]));
    assert!(checked(None).is_empty());
}

#[test]
fn panic_and_warm_up() {
    let below = Some(Fraction::from_ppm(425_000).unwrap());
    let common = sent(ClusterConfig { panic_below: below, ..cluster() }).common_lb_config.unwrap();
    assert_eq!(common.healthy_panic_threshold.unwrap().value, 42.5);
    let warm = |balancer| {
        let warm_up = Some(Duration::from_secs(3));
        sent(ClusterConfig { balancer, warm_up, ..cluster() }).lb_config
    };
    let Some(LbConfig::LeastRequestLbConfig(config)) = warm("LEAST_REQUEST") else { panic!("least request") };
    assert_eq!(config.slow_start_config.unwrap().slow_start_window, lasts(3, 0));
    let Some(LbConfig::RoundRobinLbConfig(config)) = warm("ROUND_ROBIN") else { panic!("round robin") };
    assert_eq!(config.slow_start_config.unwrap().slow_start_window, lasts(3, 0));
    assert_eq!(sent(cluster()).lb_config, None);
}

#[test]
fn hosts_by_place_and_priority() {
    let host = |number: u16, place: Option<(PlaceKind, &str)>, priority, share| Endpoint {
        instance: format!("reviews-{number}"),
        at: squall_mesh::Endpoint::Tcp(([127, 0, 0, 1], 4000 + number).into()),
        place: place.map(|(kind, name)| Place { kind, name: name.into() }),
        priority,
        share,
        metadata: BTreeMap::new(),
    };
    let hosts = vec![
        host(1, Some((PlaceKind::Zone, "east")), 0, Some(800_000)),
        host(2, Some((PlaceKind::Site, "edge")), 1, Some(200_000)),
        host(3, Some((PlaceKind::Zone, "east")), 0, Some(800_000)),
        host(4, None, 1, None),
    ];
    let selectors = BTreeSet::from([vec!["version".to_owned()]]);
    let all = all(Vec::new(), Vec::new(), ClusterConfig { hosts, by_place: true, selectors, ..cluster() });
    let sent: ClusterLoadAssignment = decoded(&all, &Kind::Endpoint, "out.reviews");
    let mut seen: Vec<_> = sent
        .endpoints
        .into_iter()
        .map(|group| {
            let Locality { region, zone, .. } = group.locality.unwrap_or_default();
            let weight = group.load_balancing_weight.map(|weight| weight.value);
            (group.priority, region, zone, weight, group.lb_endpoints.len())
        })
        .collect();
    seen.sort();
    let text = |name: &str| name.to_owned();
    assert_eq!(
        seen,
        [
            (0, text(""), text("east"), Some(800_000), 2),
            (1, text(""), text(""), None, 1),
            (1, text("edge"), text(""), Some(200_000), 1),
        ]
    );
    let cluster: Cluster = decoded(&all, &Kind::Cluster, "out.reviews");
    let specifier = cluster.common_lb_config.unwrap().locality_config_specifier;
    assert!(matches!(specifier, Some(LocalityConfigSpecifier::LocalityWeightedLbConfig(_))));
    assert!(cluster.lb_subset_config.unwrap().locality_weight_aware);
}
