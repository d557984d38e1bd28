//! Where requests go: the outbound table of a caller, the inbound table of a callee, and the probes of both.

use super::{
    CALLER, EPOCHS, LOCAL, PROBE, REST, SOURCE, faults,
    layers::{NO_EPOCH, epoch_key},
    requests::{Condition, Kind, kind, kinds},
    table::{Action, Forward, Leg, RequestMatch, Route, RouteTable, VirtualHost},
    ways::{self, WHOLE},
};
use squall_mesh::{Desired, Refusal, Seat};
use squall_model::{HashKey, InstanceId, PolicyKind, Service, ServiceName};
use std::collections::BTreeMap;

/// The table of a caller: a virtual host for each service that it calls.
pub(crate) fn outbound(want: &Desired<'_>, from: &InstanceId, caller: &Service) -> Result<RouteTable, Refusal> {
    let mut hosts = vec![probes()];
    for to in &caller.calls {
        let routes = ways::ways(want, &caller.name, to)?;
        let by_source = routes.iter().any(|route| hashed_by(route) == Some(&HashKey::SourceAddress));
        let source = by_source.then(|| (SOURCE.to_owned(), from.to_string()));
        hosts.push(VirtualHost {
            name: to.to_string(),
            domains: domains(want, &caller.name, to),
            counts_tries: true,
            sets: [(CALLER.to_owned(), caller.name.to_string())].into_iter().chain(source).collect(),
            faults: faults::outbound(want.faults, &caller.name, to)?,
            routes,
        });
    }
    no_host_twice(&hosts)?;
    Ok(RouteTable { hosts })
}

fn hashed_by(route: &Route) -> Option<&HashKey> {
    match &route.then {
        Action::Forward(forward) => forward.hashed_by.as_ref(),
        Action::Answer { .. } | Action::AnswerVersion => None,
    }
}

/// The hosts by which a service is called: its own name, and those that a policy or a fault on calls to it names.
fn domains(want: &Desired<'_>, caller: &ServiceName, to: &ServiceName) -> Vec<String> {
    let of_policies = ways::filters(want, caller, to);
    let of_faults = faults::filters(want.faults, caller, to);
    let mut names = vec![to.to_string()];
    for host in of_policies.chain(of_faults).filter_map(|filter| filter.host.as_ref()) {
        if !names.contains(host) {
            names.push(host.clone());
        }
    }
    names.into_iter().flat_map(|name| [format!("{name}:*"), name]).rev().collect()
}

/// Envoy wants each host to lead to one service.
fn no_host_twice(hosts: &[VirtualHost]) -> Result<(), Refusal> {
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    for host in hosts {
        for domain in &host.domains {
            if let Some(other) = seen.insert(domain, &host.name) {
                let why = format!("the host \"{domain}\" would lead to \"{other}\" and to \"{}\"", host.name);
                return Err(Refusal(why));
            }
        }
    }
    Ok(())
}

/// The table of a callee: everything goes to its own workload.
pub(crate) fn inbound(want: &Desired<'_>, instance: &InstanceId, seat: &Seat) -> Result<RouteTable, Refusal> {
    let legs = vec![Leg { weight: WHOLE, cluster: LOCAL.into(), subset: BTreeMap::new() }];
    let then = match seat.workload {
        Some(_) => Action::Forward(Forward { legs, ..Forward::default() }),
        None => Action::Answer { status: 503, body: "this instance has no workload".into() },
    };
    let told: Vec<Kind> = deadlines(want, &instance.service).collect();
    let routes = kinds(told.iter().cloned())?.into_iter().map(|kind| {
        let keeps = told.iter().any(|told| told.is_subset(&kind));
        let drops = if keeps { Vec::new() } else { vec![REST.to_owned()] };
        Route { when: RequestMatch { asks: kind, ..RequestMatch::default() }, drops, then: then.clone() }
    });
    let all = VirtualHost {
        name: LOCAL.into(),
        domains: vec!["*".into()],
        counts_tries: false,
        sets: Vec::new(),
        faults: faults::inbound(want, instance)?,
        routes: routes.collect(),
    };
    Ok(RouteTable { hosts: vec![probes(), all] })
}

/// The kinds of tries whose deadline this service's workloads are told of, to pass it on.
fn deadlines<'w>(want: &'w Desired<'_>, to: &'w ServiceName) -> impl Iterator<Item = Kind> + 'w {
    let of_calls = want.policies.iter().filter_map(|policy| match policy {
        PolicyKind::KeepDeadline { of } => Some(of),
        _ => None,
    });
    of_calls.filter(|of| of.to.as_ref().is_none_or(|target| target.service == *to)).map(|of| {
        let from = of.from.as_ref().map(|from| Condition::Header(CALLER.into(), from.to_string()));
        kind(&of.filter).into_iter().chain(from).collect()
    })
}

/// The probes: which table is in force, which runtime layer, and a marker for the log. None of them reaches an upstream.
pub fn probes() -> VirtualHost {
    let path = |path: &str| RequestMatch { path: Some(path.into()), ..RequestMatch::default() };
    let epochs = (0..EPOCHS).map(|n| Route {
        when: RequestMatch { runtime: Some(epoch_key(n)), ..path("/epoch") },
        drops: Vec::new(),
        then: Action::Answer { status: 200, body: n.to_string() },
    });
    let answered = |when, then| Route { when, drops: Vec::new(), then };
    let none = answered(path("/epoch"), Action::Answer { status: 200, body: NO_EPOCH.into() });
    let marker = RequestMatch { prefix: Some("/marker/".into()), ..RequestMatch::default() };
    let marker = answered(marker, Action::Answer { status: 204, body: String::new() });
    let version = answered(path("/version"), Action::AnswerVersion);
    VirtualHost {
        name: PROBE.into(),
        domains: vec![PROBE.into()],
        counts_tries: false,
        sets: Vec::new(),
        faults: Vec::new(),
        routes: [version, marker].into_iter().chain(epochs).chain([none]).collect(),
    }
}
