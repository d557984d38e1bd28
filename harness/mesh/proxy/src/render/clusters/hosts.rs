//! The hosts of a cluster: where they are, which parts of a service they belong to, and which places come before others.

use super::{super::table::Endpoint, preferred, said};
use squall_mesh::{Bindings, Desired};
use squall_model::{Destination, Instance, InstanceId, Place, PlaceKind, PolicyKind, ServiceName, Target, Which};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn hosts(want: &Desired<'_>, at: &Bindings, caller: &InstanceId, to: &ServiceName) -> Vec<Endpoint> {
    let Some(service) = want.topology.service(to) else { return Vec::new() };
    let parts = parts(want, to);
    let shares = places(want, &caller.service, to).unwrap_or_default();
    let preferred = preferred(want, &caller.service, to);
    let placed = service.ids().zip(&service.instances);
    let mut hosts: Vec<Endpoint> = placed
        .filter_map(|(id, instance)| {
            let way = instance.at.or_else(|| at.way(caller, &id))?;
            let metadata = if parts.is_empty() { Metadata::new() } else { metadata(&id, instance, &parts) };
            Some(Endpoint {
                instance: id.to_string(),
                at: squall_mesh::Endpoint::Tcp(way),
                priority: rank(preferred, instance.place.as_ref()),
                share: instance.place.as_ref().and_then(|place| shares.get(place).copied()),
                place: instance.place.clone(),
                metadata,
            })
        })
        .collect();
    close_gaps(&mut hosts);
    hosts
}

/// How many places come before this one; those that are not named, and no place at all, come last.
fn rank(preferred: &[Place], place: Option<&Place>) -> u32 {
    let found = preferred.iter().position(|named| Some(named) == place);
    u32::try_from(found.unwrap_or(preferred.len())).unwrap_or(u32::MAX)
}

/// Envoy takes priorities from 0 on without a gap (config/endpoint/v3/endpoint_components.proto, LocalityLbEndpoints.priority):
/// a place where nobody is has none.
fn close_gaps(hosts: &mut [Endpoint]) {
    let ranks: BTreeSet<u32> = hosts.iter().map(|host| host.priority).collect();
    for host in hosts {
        host.priority = (0..).zip(&ranks).find(|(_, rank)| **rank == host.priority).map_or(0, |(n, _)| n);
    }
}

/// Whether a split is one between whole places of one service: those are shares of places, and not routes. A place without
/// healthy hosts then gives its share to the others (`locality_weighted_lb_config`).
pub(in super::super) fn is_between_places(legs: &[Destination]) -> bool {
    let is_place = |leg: &Destination| {
        let Target { service, which, place } = &leg.target;
        matches!(which, Which::Service | Which::Every) && place.is_some() && *service == legs[0].target.service
    };
    legs.len() > 1 && legs.iter().all(is_place)
}

/// How a caller's calls to a service are split between its places, in parts per million, where they are.
pub(in super::super) fn places(
    want: &Desired<'_>,
    caller: &ServiceName,
    to: &ServiceName,
) -> Option<BTreeMap<Place, u32>> {
    let legs = said(want, caller, to, |policy| match policy {
        PolicyKind::Route { of, to } if of.filter.is_empty() => Some((of, to)),
        _ => None,
    })?;
    let mut shares = BTreeMap::new();
    if is_between_places(legs) && legs[0].target.service == *to {
        for leg in legs {
            let place = leg.target.place.clone()?;
            *shares.entry(place).or_default() += leg.share.ppm();
        }
    }
    (!shares.is_empty()).then_some(shares)
}

/// Metadata of hosts, and what a route asks of it (`envoy.lb`).
pub(crate) type Metadata = BTreeMap<String, String>;

/// What a host is, as far as any route asks.
fn metadata(id: &InstanceId, instance: &Instance, parts: &BTreeSet<Metadata>) -> Metadata {
    let asked = parts.iter().flat_map(|part| part.keys());
    let placed = |kind| instance.place.as_ref().filter(|place| place.kind == kind).map(|place| place.name.to_string());
    let value = |key: &String| match key.as_str() {
        INSTANCE => Some(id.number.to_string()),
        VERSION => instance.version.as_ref().map(ToString::to_string),
        ZONE => placed(PlaceKind::Zone),
        SITE => placed(PlaceKind::Site),
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
const SITE: &str = "site";
const FIRST: &str = "first-";
const ANY: &str = "any";
const YES: &str = "yes";

/// The parts of a service that routes lead to; empty where they all lead to the whole of it.
///
/// One of them is then "any of its hosts": what asks for a part that is not there is to go nowhere, so there is no fallback,
/// and what asks for no part has to ask for something that all hosts have.
fn parts(want: &Desired<'_>, to: &ServiceName) -> BTreeSet<Metadata> {
    let parts: BTreeSet<Metadata> = want.policies.iter().flat_map(|policy| parts_of(policy, to)).collect();
    if parts.is_empty() { parts } else { parts.into_iter().chain([any()]).collect() }
}

/// The parts of a service that one route leads to.
fn parts_of(policy: &PolicyKind, to: &ServiceName) -> Vec<Metadata> {
    let PolicyKind::Route { to: legs, .. } = policy else { return Vec::new() };
    if is_between_places(legs) {
        return Vec::new();
    }
    let targets = legs.iter().map(|leg| &leg.target).filter(|target| target.service == *to);
    targets.map(part).filter(|part| !part.is_empty()).collect()
}

/// Whether a route leads to a part of a service.
pub(in super::super) fn has_parts(policy: &PolicyKind, to: &ServiceName) -> bool {
    !parts_of(policy, to).is_empty()
}

/// Sets of keys by which routes choose among the hosts of a service: one for each form of question.
pub(super) fn selectors(want: &Desired<'_>, to: &ServiceName) -> BTreeSet<Vec<String>> {
    parts(want, to).into_iter().map(|part| part.into_keys().collect()).collect()
}

/// What a route to this target asks of hosts.
pub(in super::super) fn subset(want: &Desired<'_>, target: &Target) -> Metadata {
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
    let place = target.place.as_ref().map(|place| {
        let key = match place.kind {
            PlaceKind::Zone => ZONE,
            PlaceKind::Site => SITE,
        };
        (key.to_owned(), place.name.to_string())
    });
    which.into_iter().chain(place).collect()
}
