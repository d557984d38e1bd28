//! What people do not read in the snapshots: that nothing is left to Envoy's own defaults, and what conditions match.

use super::{blank, resources};
use crate::xds::{Kind, Resource, Resources};
use envoy_types::pb::{
    envoy::{
        config::{
            cluster::v3::Cluster,
            listener::v3::{Listener, filter::ConfigType},
            route::v3::{RouteConfiguration, route::Action},
        },
        extensions::filters::network::http_connection_manager::v3::HttpConnectionManager,
    },
    google::protobuf::Duration,
};
use prost::Message;
use squall_mesh::{Bindings, Desired, Endpoint, Seat};
use squall_mesh_proxy::render::render;
use squall_model::{InstanceId, Service, Topology};

const NEVER: Option<Duration> = Some(Duration { seconds: 0, nanos: 0 });

fn seat(number: u16) -> Seat {
    Seat {
        node: format!("p{number}"),
        folder: format!("/run/p{number}").into(),
        inbound: ([127, 0, 0, 1], 4000 + number).into(),
        workload: Some(Endpoint::Unix(format!("/run/p{number}/app.sock").into())),
    }
}

/// Everything that a service which calls itself is sent.
fn plain() -> Resources {
    let mut echo = Service::new("echo".into());
    echo.calls = vec!["echo".into()];
    let topology = Topology { services: vec![echo], ..Topology::default() };
    let id = InstanceId { service: "echo".into(), number: 1 };
    let at = Bindings { seats: [(id, seat(1))].into(), tag: "r1".into(), ..Bindings::default() };
    let want = Desired { topology: &topology, policies: Vec::new(), faults: &[] };
    resources(&render(&want, &at).unwrap().proxies["p1"], &seat(1))
}

fn all<M: Message + Default>(resources: &Resources, kind: &Kind) -> Vec<M> {
    let decode = |name| {
        let body = resources.get(kind, name).map(Resource::body).unwrap();
        M::decode(body.value.as_slice()).unwrap()
    };
    resources.names(kind).map(decode).collect()
}

#[test]
fn a_plain_route_has_no_time_limit_and_no_retries() {
    let mut seen = 0;
    for table in all::<RouteConfiguration>(&plain(), &Kind::Route) {
        for route in table.virtual_hosts.into_iter().flat_map(|host| host.routes) {
            if let Some(Action::Route(action)) = route.action {
                assert_eq!((action.timeout, action.idle_timeout, action.retry_policy), (NEVER, NEVER, None));
                seen += 1;
            }
        }
    }
    assert_eq!(seen, 2, "one out, one in");
}

#[test]
fn a_plain_cluster_has_no_limit_no_ejection_no_panic_and_no_window() {
    for cluster in all::<Cluster>(&plain(), &Kind::Cluster) {
        let [limits] = &cluster.circuit_breakers.as_ref().unwrap().thresholds[..] else { panic!("one") };
        for limit in [limits.max_connections, limits.max_pending_requests, limits.max_requests, limits.max_retries] {
            assert_eq!(limit.unwrap().value, u32::MAX, "{}", cluster.name);
        }
        assert!(limits.retry_budget.is_none() && cluster.outlier_detection.is_none());
        let common = cluster.common_lb_config.unwrap();
        assert_eq!(common.healthy_panic_threshold.unwrap().value, 0.0);
        assert_eq!(common.update_merge_window, NEVER);
        assert!(cluster.lb_subset_config.is_none() && cluster.health_checks.is_empty());
    }
}

#[test]
fn listeners_have_no_time_limits_and_are_the_same_for_a_whole_life() {
    for listener in all::<Listener>(&plain(), &Kind::Listener) {
        let Some(ConfigType::TypedConfig(any)) = &listener.filter_chains[0].filters[0].config_type else {
            panic!("typed")
        };
        let manager = HttpConnectionManager::decode(any.value.as_slice()).unwrap();
        assert_eq!((manager.stream_idle_timeout, manager.request_timeout), (NEVER, NEVER));
        assert_eq!(manager.common_http_protocol_options.unwrap().idle_timeout, NEVER);
        let filters: Vec<_> = manager.http_filters.iter().map(|filter| filter.name.as_str()).collect();
        assert_eq!(filters, ["squall.fault.0", "squall.fault.1", "envoy.filters.http.router"]);
    }
    let (plain, blank) = (plain(), blank(&seat(1)));
    for name in ["outbound", "inbound"] {
        assert_eq!(plain.get(&Kind::Listener, name), blank.get(&Kind::Listener, name));
    }
}
