//! Laws of routes and splits, over random ones: in the readable form, and in what Envoy is sent.

use super::scenes::{numbered, seats, to, town};
use crate::{
    encode,
    xds::{Kind, Resource, Resources},
};
use envoy_types::pb::envoy::config::{
    cluster::v3::Cluster,
    endpoint::v3::ClusterLoadAssignment,
    route::v3::{RouteConfiguration, route::Action as PbAction, route_action::ClusterSpecifier},
};
use proptest::prelude::*;
use prost::Message;
use squall_mesh::Desired;
use squall_mesh_proxy::render::{Action, ClusterConfig, Forward, Leg, ProxyConfig, RouteTable, render};
use squall_model::{Calls, Destination, Filter, Fraction, PolicyKind, Service, Target, Topology, Which};
use std::collections::{BTreeMap, BTreeSet};

/// Any part of either service that is called, there or not.
fn target() -> impl Strategy<Value = Target> {
    let which = prop_oneof![
        Just(Which::Service),
        Just(Which::Every),
        (1..5_u32).prop_map(Which::Instance),
        (1..5_u32).prop_map(Which::First),
        proptest::sample::select(&["v1", "v2", "v3"]).prop_map(|v| Which::Version(v.into())),
    ];
    let zone = proptest::option::of(proptest::sample::select(&["east", "west", "moon"]));
    let service = proptest::sample::select(&["reviews", "ratings"]);
    (service, which, zone).prop_map(|(service, which, zone)| Target {
        service: service.into(),
        which,
        place: zone.map(squall_model::Place::zone),
    })
}

/// Shares of places are the cluster's business, and not the route's.
fn is_between_places(legs: &[Destination]) -> bool {
    let whole_place = |leg: &Destination| {
        matches!(leg.target.which, Which::Service | Which::Every)
            && leg.target.place.is_some()
            && leg.target.service == legs[0].target.service
    };
    legs.len() > 1 && legs.iter().all(whole_place)
}

/// Shares that add up to the whole, to the last millionth.
fn split() -> impl Strategy<Value = Vec<Destination>> {
    let cuts = proptest::collection::btree_set(1..1_000_000_u32, 0..4);
    let split = (cuts, proptest::collection::vec(target(), 5)).prop_map(|(cuts, targets)| {
        let begins = std::iter::once(0).chain(cuts.iter().copied());
        let ends = cuts.iter().copied().chain([1_000_000]);
        let shares = begins.zip(ends).map(|(begin, end)| Fraction::from_ppm(end - begin).unwrap());
        shares.zip(targets).map(|(share, target)| Destination { share, target }).collect::<Vec<_>>()
    });
    split.prop_filter("a split of the route's", |legs| !is_between_places(legs))
}

/// Routes of everybody's calls, or of those of some, in any order.
fn routes() -> impl Strategy<Value = Vec<PolicyKind>> {
    let user = proptest::option::of(proptest::sample::select(&["alice", "bob"]));
    let from = proptest::option::of(proptest::sample::select(&["web", "shop"]));
    let one = (user, from, split()).prop_map(|(user, from, to_all)| {
        let filter = Filter { user: user.map(Into::into), ..Filter::default() };
        PolicyKind::Route { of: Calls { from: from.map(Into::into), filter, ..to("reviews") }, to: to_all }
    });
    proptest::collection::vec(one, 0..4)
}

fn legs(table: &RouteTable) -> Vec<&[Leg]> {
    let actions = table.hosts.iter().flat_map(|host| &host.routes).map(|route| &route.then);
    let legs = actions.filter_map(|action| match action {
        Action::Forward(Forward { legs, .. }) => Some(legs.as_slice()),
        Action::Answer { .. } | Action::AnswerVersion => None,
    });
    legs.collect()
}

/// The hosts that a leg leads to, as Envoy chooses them: by a selector of just these keys, else none.
fn hosts(leg: &Leg, cluster: &ClusterConfig) -> BTreeSet<String> {
    let keys: Vec<String> = leg.subset.keys().cloned().collect();
    let by_subset = !cluster.selectors.is_empty();
    let knows = cluster.selectors.contains(&keys);
    let has_all = |of: &BTreeMap<String, String>| leg.subset.iter().all(|(key, value)| of.get(key) == Some(value));
    let chosen = cluster.hosts.iter().filter(|host| !by_subset || (knows && has_all(&host.metadata)));
    chosen.map(|host| host.instance.clone()).collect()
}

fn all<M: Message + Default>(resources: &Resources, kind: &Kind) -> Vec<M> {
    let body = |name| resources.get(kind, name).map(Resource::body).unwrap().value.clone();
    resources.names(kind).map(|name| M::decode(body(name).as_slice()).unwrap()).collect()
}

/// Clusters and weights of every route that Envoy is sent.
fn sent_ways(resources: &Resources) -> Vec<Vec<(String, Option<u32>)>> {
    let hosts = all::<RouteConfiguration>(resources, &Kind::Route).into_iter().flat_map(|table| table.virtual_hosts);
    let actions = hosts.flat_map(|host| host.routes).filter_map(|route| match route.action {
        Some(PbAction::Route(action)) => action.cluster_specifier,
        _ => None,
    });
    let ways = actions.map(|specifier| match specifier {
        ClusterSpecifier::Cluster(name) => vec![(name, None)],
        ClusterSpecifier::WeightedClusters(split) => {
            split.clusters.into_iter().map(|leg| (leg.name, leg.weight.map(|weight| weight.value))).collect()
        }
        other => panic!("{other:?}"),
    });
    ways.collect()
}

fn proxies(topology: &Topology, policies: &[PolicyKind]) -> Vec<(ProxyConfig, Resources)> {
    let at = seats(topology);
    let want = Desired { topology, policies: policies.iter().collect(), faults: &numbered(&[]) };
    let config = render(&want, &at).unwrap();
    let encoded = at.seats.values().map(|seat| {
        let proxy = config.proxies[&seat.node].clone();
        let resources = encode::resources(&proxy, seat);
        (proxy, resources)
    });
    encoded.collect()
}

proptest! {
    #[test]
    fn every_split_is_one_that_was_written_and_reaches_what_it_names(routes in routes()) {
        let topology = town();
        let named = |to: &[Destination]| -> Vec<(u32, String, BTreeSet<String>)> {
            let ids = |target: &Target| target.instances(&topology).iter().map(ToString::to_string).collect();
            to.iter().map(|to| (to.share.ppm(), format!("out.{}", to.target.service), ids(&to.target))).collect()
        };
        let whole = |service: &str| Destination { share: Fraction::ALL, target: Target::service(service.into()) };
        let mut written = vec![named(&[whole("reviews")]), named(&[whole("ratings")])];
        written.extend(routes.iter().map(|route| match route {
            PolicyKind::Route { to, .. } => named(to),
            other => panic!("{other:?}"),
        }));
        for (proxy, _) in proxies(&topology, &routes) {
            for legs in legs(&proxy.outbound) {
                let cluster = |leg: &Leg| proxy.clusters.iter().find(|cluster| cluster.name == leg.cluster).cloned();
                let reached = legs.iter().map(|leg| Some((leg.weight, leg.cluster.clone(), hosts(leg, &cluster(leg)?))));
                let reached: Option<Vec<_>> = reached.collect();
                prop_assert!(reached.is_some(), "a cluster is not there: {:?}", legs);
                let reached = reached.unwrap();
                prop_assert_eq!(reached.iter().map(|(weight, ..)| u64::from(*weight)).sum::<u64>(), 1_000_000);
                prop_assert!(written.contains(&reached), "{:?}", reached);
            }
        }
    }

    #[test]
    fn envoy_is_sent_what_people_read(routes in routes()) {
        for (proxy, resources) in proxies(&town(), &routes) {
            let clusters: BTreeSet<String> = all::<Cluster>(&resources, &Kind::Cluster).into_iter().map(|c| c.name).collect();
            let sent = sent_ways(&resources);
            for way in &sent {
                prop_assert!(way.iter().all(|(name, _)| clusters.contains(name)), "{:?}", way);
                let weights: Vec<u32> = way.iter().filter_map(|(_, weight)| *weight).collect();
                prop_assert!(way.len() == 1 || weights.iter().map(|w| u64::from(*w)).sum::<u64>() == 1_000_000, "{:?}", way);
            }
            let mut read: Vec<usize> = legs(&proxy.outbound).iter().chain(&legs(&proxy.inbound)).map(|legs| legs.len()).collect();
            let mut lengths: Vec<usize> = sent.iter().map(Vec::len).collect();
            read.sort_unstable();
            lengths.sort_unstable();
            prop_assert_eq!(read, lengths);
            for cluster in &proxy.clusters {
                let sent = all::<ClusterLoadAssignment>(&resources, &Kind::Endpoint);
                let hosts = sent.iter().find(|a| a.cluster_name == cluster.name).map(|a| a.endpoints.iter().map(|place| place.lb_endpoints.len()).sum::<usize>());
                prop_assert_eq!(hosts.unwrap_or(1), cluster.hosts.len(), "{}", cluster.name);
            }
        }
    }
}

#[test]
fn what_is_encoded_again_has_the_same_version() {
    let to_all = |share, which| Destination {
        share: Fraction::percent(share),
        target: Target { service: "reviews".into(), which, place: Some(squall_model::Place::zone("east")) },
    };
    let split = vec![to_all(20, Which::Instance(1)), to_all(80, Which::Version("v2".into()))];
    let routes = [PolicyKind::Route { of: to("reviews"), to: split }];
    let versions = || {
        let all = proxies(&town(), &routes).into_iter().map(|(_, resources)| {
            let all =
                resources.iter().map(|(kind, name, one)| (kind.to_string(), name.to_owned(), one.version().to_owned()));
            all.collect::<Vec<_>>()
        });
        all.collect::<Vec<_>>()
    };
    let first = versions();
    assert!((0..50).all(|_| versions() == first));
}

#[test]
fn who_grows_is_a_host_of_its_callers_and_changes_nobody_else() {
    let grown = |to: usize| {
        let mut topology = town();
        let ratings: &mut Service = topology.service_mut(&"ratings".into()).unwrap();
        ratings.instances.resize(to, ratings.instances[0].clone());
        proxies(&topology, &[])
    };
    let hosts = |all: &[(ProxyConfig, Resources)], instance: &str| {
        let (proxy, _) = all.iter().find(|(proxy, _)| proxy.instance == instance).unwrap();
        let cluster = proxy.clusters.iter().find(|cluster| cluster.name == "out.ratings");
        cluster.map(|cluster| cluster.hosts.iter().map(|host| host.instance.clone()).collect::<Vec<_>>())
    };
    let (before, after) = (grown(1), grown(2));
    assert_eq!(hosts(&before, "web-1").unwrap(), ["ratings-1"]);
    assert_eq!(hosts(&after, "web-1").unwrap(), ["ratings-1", "ratings-2"]);
    assert_eq!(hosts(&after, "shop-1"), None);
    let version = |all: &[(ProxyConfig, Resources)], instance: &str| {
        let (_, resources) = all.iter().find(|(proxy, _)| proxy.instance == instance).unwrap();
        let of = |kind: &Kind, name: &str| resources.get(kind, name).map(|one| one.version().to_owned());
        (
            of(&Kind::Cluster, "out.ratings"),
            of(&Kind::Endpoint, "out.ratings"),
            encode::table_version(resources).to_owned(),
        )
    };
    // To Envoy it is the same cluster, with other hosts.
    let ((cluster, hosts, table), (same, others, probed)) = (version(&before, "web-1"), version(&after, "web-1"));
    assert!(cluster == same && hosts != others && table != probed);
    assert_eq!(version(&before, "shop-1"), version(&after, "shop-1"));
}
