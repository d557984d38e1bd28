//! Where requests go: the outbound table of a caller, the inbound table of a callee, and the probes of both.

use super::{
    CALLER, EPOCHS, LOCAL, PROBE, faults,
    layers::{NO_EPOCH, epoch_key},
    table::{Action, Leg, RequestMatch, Route, RouteTable, VirtualHost},
    ways::{self, WHOLE},
};
use squall_mesh::{Desired, Refusal, Seat};
use squall_model::{InstanceId, Service, ServiceName};
use std::collections::BTreeMap;

/// The table of a caller: a virtual host for each service that it calls.
pub(crate) fn outbound(want: &Desired<'_>, caller: &Service) -> Result<RouteTable, Refusal> {
    let mut hosts = vec![probes()];
    for to in &caller.calls {
        hosts.push(VirtualHost {
            name: to.to_string(),
            domains: domains(want, &caller.name, to),
            counts_tries: true,
            sets: vec![(CALLER.into(), caller.name.to_string())],
            faults: faults::outbound(want.faults, &caller.name, to)?,
            routes: ways::ways(want, &caller.name, to)?,
        });
    }
    no_host_twice(&hosts)?;
    Ok(RouteTable { hosts })
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
    let then = match seat.workload {
        Some(_) => Action::Forward {
            legs: vec![Leg { weight: WHOLE, cluster: LOCAL.into(), subset: BTreeMap::new() }],
            timeout: None,
            idle: None,
            hashed_by: None,
            retry: None,
        },
        None => Action::Answer { status: 503, body: "this instance has no workload".into() },
    };
    let all = VirtualHost {
        name: LOCAL.into(),
        domains: vec!["*".into()],
        counts_tries: false,
        sets: Vec::new(),
        faults: faults::inbound(want.faults, instance, want.topology)?,
        routes: vec![Route { when: RequestMatch::default(), then }],
    };
    Ok(RouteTable { hosts: vec![probes(), all] })
}

/// The probes: which table is in force, which runtime layer, and a marker for the log. None of them reaches an upstream.
pub(crate) fn probes() -> VirtualHost {
    let path = |path: &str| RequestMatch { path: Some(path.into()), ..RequestMatch::default() };
    let epochs = (0..EPOCHS).map(|n| Route {
        when: RequestMatch { runtime: Some(epoch_key(n)), ..path("/epoch") },
        then: Action::Answer { status: 200, body: n.to_string() },
    });
    let none = Route { when: path("/epoch"), then: Action::Answer { status: 200, body: NO_EPOCH.into() } };
    let marker = Route {
        when: RequestMatch { prefix: Some("/marker/".into()), ..RequestMatch::default() },
        then: Action::Answer { status: 204, body: String::new() },
    };
    let version = Route { when: path("/version"), then: Action::AnswerVersion };
    VirtualHost {
        name: PROBE.into(),
        domains: vec![PROBE.into()],
        counts_tries: false,
        sets: Vec::new(),
        faults: Vec::new(),
        routes: [version, marker].into_iter().chain(epochs).chain([none]).collect(),
    }
}
