//! Small meshes with fixed addresses, and the words of policies and faults in short.

use squall_mesh::{Bindings, Desired, Endpoint, Refusal, Seat};
use squall_mesh_proxy::render::{Config, PROBE, ProxyConfig, render};
use squall_model::{
    AnswerCode, Calls, Destination, Fault, FaultId, FaultKind, Filter, Fraction, Instance, InstanceId, Level,
    PolicyKind, RetryOn, Service, Target, Topology, Touch, Traffic, When, Which,
};
use std::time::Duration;

/// `web` and `shop` call `reviews`; `web` calls `ratings`, too. Versions and zones of the three of `reviews`: v1 east,
/// v1 west, v2 east.
pub(super) fn town() -> Topology {
    let service = |name: &str, calls: &[&str]| {
        let mut service = Service::new(name.into());
        service.calls = calls.iter().map(|name| (*name).into()).collect();
        service
    };
    let mut reviews = service("reviews", &[]);
    let instance = |version: &str, zone: &str| Instance {
        version: Some(version.into()),
        place: Some(squall_model::Place::zone(zone)),
        at: None,
    };
    reviews.instances = vec![instance("v1", "east"), instance("v1", "west"), instance("v2", "east")];
    let services =
        vec![service("web", &["reviews", "ratings"]), service("shop", &["reviews"]), reviews, service("ratings", &[])];
    Topology { services, ..Topology::default() }
}

/// A seat for each instance, numbered through.
pub(super) fn seats(topology: &Topology) -> Bindings {
    let seat = |(n, (id, service, _)): (u16, (InstanceId, &Service, &Instance))| {
        let folder = format!("/run/p{n}");
        let called = topology.callers(&service.name).next().is_some();
        let seat = Seat {
            node: format!("p{n}"),
            workload: called.then(|| Endpoint::Unix(format!("{folder}/app.sock").into())),
            folder: folder.into(),
            inbound: ([127, 0, 0, 1], 4000 + n).into(),
        };
        (id, seat)
    };
    Bindings { seats: (0..).zip(topology.instances()).map(seat).collect(), tag: "r1".into(), ..Bindings::default() }
}

/// The configuration of one instance of a topology, without the probes that all have.
pub(super) fn of_town(
    topology: &Topology,
    instance: &str,
    policies: &[PolicyKind],
    faults: &[FaultKind],
) -> ProxyConfig {
    let faults = numbered(faults);
    let want = Desired { topology, policies: policies.iter().collect(), faults: &faults };
    chosen(render(&want, &seats(topology)).unwrap(), instance)
}

pub(super) fn rendered(policies: &[PolicyKind], faults: &[FaultKind]) -> Result<Config, Refusal> {
    let topology = town();
    let faults = numbered(faults);
    let want = Desired { topology: &topology, policies: policies.iter().collect(), faults: &faults };
    render(&want, &seats(&topology))
}

/// The configuration of one instance, without the probes that all have.
pub(super) fn of(instance: &str, policies: &[PolicyKind], faults: &[FaultKind]) -> ProxyConfig {
    chosen(rendered(policies, faults).unwrap(), instance)
}

fn chosen(config: Config, instance: &str) -> ProxyConfig {
    let mut proxy = config.proxies.into_values().find(|proxy| proxy.instance == instance).unwrap();
    for table in [&mut proxy.outbound, &mut proxy.inbound] {
        table.hosts.retain(|host| host.name != PROBE);
    }
    proxy
}

pub(super) fn numbered(faults: &[FaultKind]) -> Vec<Fault> {
    let numbered = (0..).map(FaultId).zip(faults);
    numbered.map(|(id, does)| Fault { id, does: does.clone(), when: When::Standing }).collect()
}

pub(super) fn calls() -> Calls {
    Calls::default()
}

pub(super) fn to(service: &str) -> Calls {
    Calls { to: Some(Target::service(service.into())), ..Calls::default() }
}

pub(super) fn to_part(which: Which) -> Calls {
    Calls { to: Some(part(which)), ..Calls::default() }
}

pub(super) fn part(which: Which) -> Target {
    Target { service: "reviews".into(), which, place: None }
}

pub(super) fn version(version: &str) -> Target {
    part(Which::Version(version.into()))
}

pub(super) fn with_header(name: &str, value: &str) -> Filter {
    Filter { header: Some((name.into(), value.into())), ..Filter::default() }
}

pub(super) fn retried(of: Calls, up_to: u32, on: &[RetryOn]) -> PolicyKind {
    PolicyKind::Retries { of, up_to, on: on.to_vec(), elsewhere: false }
}

pub(super) fn limited(level: Level, of: Calls, ms: u64) -> PolicyKind {
    PolicyKind::Timeout { of: Traffic { share: Fraction::ALL, level, of }, after: Duration::from_millis(ms) }
}

pub(super) fn routed(of: Calls, legs: &[(u32, Target)]) -> PolicyKind {
    let leg =
        |(percent, target): &(u32, Target)| Destination { share: Fraction::percent(*percent), target: target.clone() };
    PolicyKind::Route { of, to: legs.iter().map(leg).collect() }
}

pub(super) fn aborted(percent: u32, level: Level, of: Calls) -> FaultKind {
    touched(percent, level, of, Touch::Abort(AnswerCode::Status(503)))
}

pub(super) fn touched(percent: u32, level: Level, of: Calls, touch: Touch) -> FaultKind {
    FaultKind::Touch { on: Traffic { share: Fraction::percent(percent), level, of }, touch }
}
