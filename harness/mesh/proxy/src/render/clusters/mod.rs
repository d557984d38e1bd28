//! What a proxy sends to: a cluster for each service that it calls, and one for its own workload.

mod balancing;
mod health;
mod hosts;
mod limits;

pub(super) use balancing::balancer;
pub use balancing::{hash_key, preferred};
pub(super) use hosts::{has_parts, is_between_places, places, subset};

use super::{
    LOCAL, cluster_of, concerns, has_own_defaults,
    table::{ClusterConfig, Endpoint, Limits},
    ways::specialty,
};
use squall_mesh::{Bindings, Desired, Seat};
use squall_model::{Balancer, Calls, InstanceId, PolicyKind, Protocol, Service, ServiceName};
use std::collections::{BTreeMap, BTreeSet};

/// Every cluster of one proxy, the local one last.
pub(crate) fn clusters(
    want: &Desired<'_>,
    at: &Bindings,
    instance: &InstanceId,
    service: &Service,
    seat: &Seat,
) -> Vec<ClusterConfig> {
    let reached = reached(want, service);
    let mut all: Vec<ClusterConfig> = reached.iter().map(|to| outbound(want, at, instance, to)).collect();
    all.extend(seat.workload.as_ref().map(|workload| {
        let host = Endpoint {
            instance: LOCAL.into(),
            at: workload.clone(),
            place: None,
            priority: 0,
            share: None,
            metadata: BTreeMap::new(),
        };
        ClusterConfig { hosts: vec![host], http2: is_http2(service), ..plain(LOCAL.into(), at) }
    }));
    all
}

/// The services that a proxy's routes lead to: those that its service calls, and those that routes send its calls to instead.
fn reached(want: &Desired<'_>, service: &Service) -> BTreeSet<ServiceName> {
    let elsewhere = want.policies.iter().filter_map(|policy| match policy {
        PolicyKind::Route { of, to } if service.calls.iter().any(|callee| concerns(of, &service.name, callee)) => {
            Some(to)
        }
        _ => None,
    });
    let routed = elsewhere.flatten().map(|leg| leg.target.service.clone());
    service.calls.iter().cloned().chain(routed).collect()
}

/// A cluster of which nothing is said.
fn plain(name: String, at: &Bindings) -> ClusterConfig {
    ClusterConfig {
        name,
        tag: at.tag.clone(),
        own_defaults: false,
        hosts: Vec::new(),
        http2: false,
        balancer: "ROUND_ROBIN",
        by_place: false,
        warm_up: None,
        selectors: BTreeSet::new(),
        limits: Limits::default(),
        outlier: None,
        check: None,
        panic_below: None,
    }
}

fn outbound(want: &Desired<'_>, at: &Bindings, from: &InstanceId, to: &ServiceName) -> ClusterConfig {
    let caller = &from.service;
    let own_defaults = has_own_defaults(want.topology, caller, to);
    let mut cluster = ClusterConfig {
        own_defaults,
        hosts: hosts::hosts(want, at, from, to),
        http2: want.topology.service(to).is_some_and(is_http2),
        balancer: balancing::name_of(balancer(want, caller, to).unwrap_or(Balancer::RoundRobin)),
        by_place: places(want, caller, to).is_some(),
        selectors: hosts::selectors(want, to),
        limits: Limits { budget: limits::budget(want, caller, to), ..Limits::default() },
        ..plain(cluster_of(to.as_str()), at)
    };
    for policy in &want.policies {
        limits::shape(&mut cluster.limits, policy, caller, to);
        health::shape(&mut cluster, policy, to);
        balancing::shape(&mut cluster, policy, to);
    }
    cluster
}

/// Spoken by a service's workloads, so also by whoever calls them through their proxies.
fn is_http2(service: &Service) -> bool {
    matches!(service.protocol, Protocol::Http2 | Protocol::Grpc)
}

/// What the lines say of a caller's calls to a service where one of them counts: the most special, of equals the later one.
fn said<'w, T>(
    want: &Desired<'w>,
    caller: &ServiceName,
    to: &ServiceName,
    read: impl Fn(&'w PolicyKind) -> Option<(&'w Calls, T)>,
) -> Option<T> {
    let said = want.policies.iter().filter_map(|policy| read(policy)).filter(|(of, _)| concerns(of, caller, to));
    said.max_by_key(|(of, _)| specialty(of)).map(|(_, says)| says)
}
