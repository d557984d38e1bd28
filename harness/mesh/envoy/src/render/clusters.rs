//! What a proxy sends to: a cluster for each service that it calls, and one for its own workload.

use super::{
    LOCAL, cluster_of, concerns,
    table::{ClusterConfig, Endpoint, Limits, Outlier},
    ways::specialty,
};
use squall_mesh::{Bindings, Desired, Seat};
use squall_model::{Balancer, InFlight, Instance, InstanceId, PolicyKind, Service, ServiceName, Target, Which};
use std::collections::{BTreeMap, BTreeSet};

/// Every cluster of one proxy, the local one last.
pub(crate) fn clusters(want: &Desired<'_>, at: &Bindings, service: &Service, seat: &Seat) -> Vec<ClusterConfig> {
    let reached = reached(want, service);
    let mut all: Vec<ClusterConfig> = reached.iter().map(|to| outbound(want, at, &service.name, to)).collect();
    all.extend(seat.workload.as_ref().map(|workload| ClusterConfig {
        name: LOCAL.into(),
        tag: at.tag.clone(),
        hosts: vec![Endpoint { instance: LOCAL.into(), at: workload.clone(), metadata: Metadata::new() }],
        balancer: "ROUND_ROBIN",
        selectors: BTreeSet::new(),
        limits: Limits::default(),
        outlier: None,
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

fn outbound(want: &Desired<'_>, at: &Bindings, caller: &ServiceName, to: &ServiceName) -> ClusterConfig {
    let mut cluster = ClusterConfig {
        name: cluster_of(to.as_str()),
        tag: at.tag.clone(),
        hosts: hosts(want, at, to),
        balancer: name_of(balancer(want, caller, to).unwrap_or(Balancer::RoundRobin)),
        selectors: selectors(want, to),
        limits: Limits { budget: budget(want, caller, to), ..Limits::default() },
        outlier: None,
    };
    want.policies.iter().for_each(|policy| shape(&mut cluster, policy, caller, to));
    cluster
}

/// How a caller's calls to a service are balanced, where that is said: by the most special line, of equals by the later one.
pub(super) fn balancer(want: &Desired<'_>, caller: &ServiceName, to: &ServiceName) -> Option<Balancer> {
    let said = want.policies.iter().filter_map(|policy| match policy {
        PolicyKind::Balance { of, by } if concerns(of, caller, to) => Some((specialty(of), *by)),
        _ => None,
    });
    said.max_by_key(|(special, _)| *special).map(|(_, by)| by)
}

/// The retry budget of a caller's calls to a service, chosen in the same way: its share in parts per million, and its floor.
fn budget(want: &Desired<'_>, caller: &ServiceName, to: &ServiceName) -> Option<(u32, u32)> {
    let said = want.policies.iter().filter_map(|policy| match policy {
        PolicyKind::RetryBudget { of, share, at_least } if concerns(of, caller, to) => {
            Some((specialty(of), (share.ppm(), *at_least)))
        }
        _ => None,
    });
    said.max_by_key(|(special, _)| *special).map(|(_, budget)| budget)
}

fn name_of(balancer: Balancer) -> &'static str {
    match balancer {
        Balancer::RoundRobin => "ROUND_ROBIN",
        Balancer::LeastRequest => "LEAST_REQUEST",
        Balancer::Random => "RANDOM",
        Balancer::RingHash => "RING_HASH",
        Balancer::Maglev => "MAGLEV",
    }
}

/// What a policy says of a cluster that is about all calls of a caller to a service: the later line counts.
fn shape(cluster: &mut ClusterConfig, policy: &PolicyKind, caller: &ServiceName, to: &ServiceName) {
    match policy {
        PolicyKind::InFlight { caller: c, at_most, unit, to: t } if c == caller && t == to => match unit {
            InFlight::Tries => cluster.limits.requests = Some(*at_most),
            InFlight::Retries => cluster.limits.retries = Some(*at_most),
        },
        PolicyKind::Connections { caller: c, at_most, waiting, to: t } if c == caller && t == to => {
            cluster.limits.connections = Some(*at_most);
            cluster.limits.pending = Some(*waiting);
        }
        PolicyKind::Ejection { of, lasts, after, at_most } if of == to => {
            let percent = at_most.ppm().div_ceil(10_000);
            cluster.outlier = Some(Outlier { after: *after, lasts: *lasts, at_most_percent: percent });
        }
        _ => {}
    }
}

fn hosts(want: &Desired<'_>, at: &Bindings, to: &ServiceName) -> Vec<Endpoint> {
    let Some(service) = want.topology.service(to) else { return Vec::new() };
    let parts = parts(want, to);
    let placed = service.ids().zip(&service.instances);
    placed
        .filter_map(|(id, instance)| {
            let seat = at.seats.get(&id)?;
            let metadata = if parts.is_empty() { Metadata::new() } else { metadata(&id, instance, &parts) };
            Some(Endpoint { instance: id.to_string(), at: squall_mesh::Endpoint::Tcp(seat.inbound), metadata })
        })
        .collect()
}

/// Metadata of hosts, and what a route asks of it (`envoy.lb`).
pub(crate) type Metadata = BTreeMap<String, String>;

/// What a host is, as far as any route asks.
fn metadata(id: &InstanceId, instance: &Instance, parts: &BTreeSet<Metadata>) -> Metadata {
    let asked = parts.iter().flat_map(|part| part.keys());
    let value = |key: &String| match key.as_str() {
        INSTANCE => Some(id.number.to_string()),
        VERSION => instance.version.as_ref().map(ToString::to_string),
        ZONE => instance.zone.as_ref().map(ToString::to_string),
        ANY => Some(YES.to_owned()),
        first => {
            let count: u32 = first.strip_prefix(FIRST)?.parse().ok()?;
            (id.number <= count).then(|| YES.to_owned())
        }
    };
    asked.filter_map(|key| Some((key.clone(), value(key)?))).collect()
}

const INSTANCE: &str = "instance";
const VERSION: &str = "version";
const ZONE: &str = "zone";
const FIRST: &str = "first-";
const ANY: &str = "any";
const YES: &str = "yes";

/// The parts of a service that routes lead to; empty where they all lead to the whole of it.
///
/// One of them is then "any of its hosts": what asks for a part that is not there is to go nowhere, so there is no fallback,
/// and what asks for no part has to ask for something that all hosts have.
fn parts(want: &Desired<'_>, to: &ServiceName) -> BTreeSet<Metadata> {
    let legs = want.policies.iter().filter_map(|policy| match policy {
        PolicyKind::Route { to, .. } => Some(to),
        _ => None,
    });
    let targets = legs.flatten().map(|leg| &leg.target).filter(|target| target.service == *to);
    let parts: BTreeSet<Metadata> = targets.map(part).filter(|part| !part.is_empty()).collect();
    if parts.is_empty() { parts } else { parts.into_iter().chain([any()]).collect() }
}

/// Sets of keys by which routes choose among the hosts of a service: one for each form of question.
fn selectors(want: &Desired<'_>, to: &ServiceName) -> BTreeSet<Vec<String>> {
    parts(want, to).into_iter().map(|part| part.into_keys().collect()).collect()
}

/// What a route to this target asks of hosts.
pub(crate) fn subset(want: &Desired<'_>, target: &Target) -> Metadata {
    match part(target) {
        whole if whole.is_empty() && !parts(want, &target.service).is_empty() => any(),
        part => part,
    }
}

fn any() -> Metadata {
    Metadata::from([(ANY.to_owned(), YES.to_owned())])
}

/// What makes a part of a service; nothing for the whole of it.
fn part(target: &Target) -> Metadata {
    let which = match &target.which {
        Which::Version(version) => Some((VERSION.to_owned(), version.to_string())),
        Which::Instance(number) => Some((INSTANCE.to_owned(), number.to_string())),
        Which::First(count) => Some((format!("{FIRST}{count}"), YES.to_owned())),
        Which::Service | Which::Every => None,
    };
    let zone = target.place.as_ref().map(|zone| (ZONE.to_owned(), zone.to_string()));
    which.into_iter().chain(zone).collect()
}
