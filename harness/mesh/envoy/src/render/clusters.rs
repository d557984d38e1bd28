//! What a proxy sends to: a cluster for each service that it calls, and one for its own workload.

use super::{
    LOCAL, cluster_of,
    table::{ClusterConfig, Endpoint, Limits, Outlier},
};
use squall_mesh::{Bindings, Desired, Seat};
use squall_model::{Balancer, Calls, InFlight, Instance, InstanceId, PolicyKind, Service, ServiceName, Target, Which};
use std::collections::{BTreeMap, BTreeSet};

/// Every cluster of one proxy, the local one last.
pub(crate) fn clusters(want: &Desired<'_>, at: &Bindings, service: &Service, seat: &Seat) -> Vec<ClusterConfig> {
    let reached = reached(want, service);
    let mut all: Vec<ClusterConfig> = reached.iter().map(|to| outbound(want, at, &service.name, to)).collect();
    all.extend(seat.workload.as_ref().map(|workload| ClusterConfig {
        name: LOCAL.into(),
        tag: at.tag.clone(),
        hosts: vec![Endpoint { instance: LOCAL.into(), at: workload.clone(), metadata: BTreeMap::new() }],
        balancer: "ROUND_ROBIN",
        subset_keys: Vec::new(),
        limits: Limits::default(),
        outlier: None,
    }));
    all
}

/// The services that a proxy's routes lead to: those that its service calls, and those that routes send its calls to instead.
fn reached(want: &Desired<'_>, service: &Service) -> BTreeSet<ServiceName> {
    let elsewhere = want.policies.iter().filter_map(|policy| match policy {
        PolicyKind::Route { of, to } if of.from.as_ref().is_none_or(|from| *from == service.name) => Some(to),
        _ => None,
    });
    let routed = elsewhere.flatten().map(|leg| leg.target.service.clone());
    service.calls.iter().cloned().chain(routed.filter(|_| !service.calls.is_empty())).collect()
}

fn outbound(want: &Desired<'_>, at: &Bindings, caller: &ServiceName, to: &ServiceName) -> ClusterConfig {
    let mut cluster = ClusterConfig {
        name: cluster_of(to.as_str()),
        tag: at.tag.clone(),
        hosts: hosts(want, at, to),
        balancer: "ROUND_ROBIN",
        subset_keys: subset_keys(want, to),
        limits: Limits::default(),
        outlier: None,
    };
    want.policies.iter().for_each(|policy| shape(&mut cluster, policy, caller, to));
    cluster
}

/// What a policy says of a cluster.
fn shape(cluster: &mut ClusterConfig, policy: &PolicyKind, caller: &ServiceName, to: &ServiceName) {
    let concerns = |calls: &Calls| {
        calls.from.as_ref().is_none_or(|from| from == caller) && calls.to.as_ref().is_none_or(|t| t.service == *to)
    };
    match policy {
        PolicyKind::InFlight { caller: c, at_most, unit, to: t } if c == caller && t == to => match unit {
            InFlight::Tries => cluster.limits.requests = Some(*at_most),
            InFlight::Retries => cluster.limits.retries = Some(*at_most),
        },
        PolicyKind::Connections { caller: c, at_most, waiting, to: t } if c == caller && t == to => {
            cluster.limits.connections = Some(*at_most);
            cluster.limits.pending = Some(*waiting);
        }
        PolicyKind::RetryBudget { of, share, at_least } if concerns(of) => {
            cluster.limits.budget = Some((share.ppm(), *at_least));
        }
        PolicyKind::Ejection { of, lasts, after, at_most } if of == to => {
            let percent = at_most.ppm().div_ceil(10_000);
            cluster.outlier = Some(Outlier { after: *after, lasts: *lasts, at_most_percent: percent });
        }
        PolicyKind::Balance { of, by } if concerns(of) => {
            cluster.balancer = match by {
                Balancer::RoundRobin => "ROUND_ROBIN",
                Balancer::LeastRequest => "LEAST_REQUEST",
                Balancer::Random => "RANDOM",
                Balancer::RingHash => "RING_HASH",
                Balancer::Maglev => "MAGLEV",
            };
        }
        _ => {}
    }
}

fn hosts(want: &Desired<'_>, at: &Bindings, to: &ServiceName) -> Vec<Endpoint> {
    let Some(service) = want.topology.service(to) else { return Vec::new() };
    let placed = service.ids().zip(&service.instances);
    placed
        .filter_map(|(id, instance)| {
            let seat = at.seats.get(&id)?;
            let metadata = metadata(&id, instance);
            Some(Endpoint { instance: id.to_string(), at: squall_mesh::Endpoint::Tcp(seat.inbound), metadata })
        })
        .collect()
}

fn metadata(id: &InstanceId, instance: &Instance) -> BTreeMap<String, String> {
    let version = instance.version.as_ref().map(|v| ("version".to_owned(), v.to_string()));
    let zone = instance.zone.as_ref().map(|z| ("zone".to_owned(), z.to_string()));
    [Some(("instance".to_owned(), id.number.to_string())), version, zone].into_iter().flatten().collect()
}

/// Keys by which routes choose among the hosts of a service.
fn subset_keys(want: &Desired<'_>, to: &ServiceName) -> Vec<String> {
    let legs = want.policies.iter().filter_map(|policy| match policy {
        PolicyKind::Route { to, .. } => Some(to),
        _ => None,
    });
    let targets = legs.flatten().map(|leg| &leg.target).filter(|target| target.service == *to);
    targets.flat_map(|target| subset(target).into_keys()).collect::<BTreeSet<_>>().into_iter().collect()
}

/// What a target asks of a host's metadata.
pub(crate) fn subset(target: &Target) -> BTreeMap<String, String> {
    let which = match &target.which {
        Which::Version(version) => Some(("version".to_owned(), version.to_string())),
        Which::Instance(number) => Some(("instance".to_owned(), number.to_string())),
        Which::Service | Which::Every | Which::First(_) => None,
    };
    let zone = target.place.as_ref().map(|zone| ("zone".to_owned(), zone.to_string()));
    which.into_iter().chain(zone).collect()
}
