//! What proxies are told of protocols, checks, places, stickiness, deadlines, Envoy's own defaults.

use super::{
    laws::plan,
    scenes::{
        aborted, limited, numbered, of_town, part, retried, routed, seats, to, touched, town, version, with_header,
    },
};
use insta::assert_yaml_snapshot;
use squall_mesh::Desired;
use squall_mesh_proxy::render::{ClusterConfig, ProxyConfig, lint, refusals, render};
use squall_model::{
    AnswerCode, Balancer, Calls, FaultKind, Fraction, GrpcStatus, HashKey, Instance, Level, Origin, Place, PlaceKind,
    PolicyId, PolicyKind, Probe, Protocol, RetryOn, ServiceName, Stick, Target, Topology, Touch, Which,
};
use std::time::Duration;

fn reviews() -> ServiceName {
    "reviews".into()
}

/// The town, where `reviews` speaks this.
fn speaking(protocol: Protocol) -> Topology {
    let mut town = town();
    town.service_mut(&reviews()).unwrap().protocol = protocol;
    town
}

fn cluster(proxy: &ProxyConfig) -> ClusterConfig {
    proxy.clusters.iter().find(|cluster| cluster.name == "out.reviews").unwrap().clone()
}

/// A cluster without what these tests are not about.
fn without_hosts(proxy: &ProxyConfig) -> ClusterConfig {
    ClusterConfig { hosts: Vec::new(), ..cluster(proxy) }
}

fn checked(by: Probe) -> PolicyKind {
    PolicyKind::Check { of: reviews(), every: Duration::from_millis(200), by, out_after: 3, back_after: 2 }
}

fn ejected() -> PolicyKind {
    PolicyKind::Ejection { of: reviews(), lasts: Duration::from_secs(2), after: 5, at_most: Fraction::ALL }
}

fn zone(name: &str) -> Place {
    Place::zone(name)
}

fn in_place(name: &str) -> Target {
    Target { place: Some(zone(name)), ..part(Which::Service) }
}

fn stuck(to: Stick, by: HashKey) -> PolicyKind {
    PolicyKind::Sticky { of: super::scenes::to("reviews"), to, by }
}

#[test]
fn both_ends_of_a_service_that_speaks_http2() {
    for protocol in [Protocol::Http2, Protocol::Grpc] {
        let topology = speaking(protocol);
        let speak = |instance: &str| {
            let proxy = of_town(&topology, instance, &[], &[]);
            proxy.clusters.into_iter().filter(|c| c.http2).map(|c| c.name).collect::<Vec<_>>()
        };
        assert_eq!(speak("web-1"), ["out.reviews"]);
        assert_eq!(speak("reviews-2"), ["local"]);
        assert!(speak("ratings-1").is_empty());
    }
}

#[test]
fn checks_panic_and_warm_up() {
    let policies = [
        checked(Probe::Http("/healthz".into())),
        PolicyKind::Panic { of: reviews(), below: Fraction::percent(40) },
        PolicyKind::WarmUp { of: reviews(), over: Duration::from_secs(3) },
    ];
    assert_yaml_snapshot!(without_hosts(&of_town(&town(), "shop-1", &policies, &[])));
}

/// A check reaches the callee's listener like a try, and names no caller.
#[test]
fn faults_on_tries_leave_checks_alone() {
    let faults = [
        aborted(30, Level::Tries, to("reviews")),
        touched(
            10,
            Level::Tries,
            Calls { from: Some("web".into()), ..to("reviews") },
            Touch::Delay(Duration::from_millis(5)),
        ),
    ];
    let only = |policies: &[PolicyKind]| {
        let proxy = of_town(&town(), "reviews-1", policies, &faults);
        proxy.inbound.hosts[0].faults.iter().map(|slot| slot.only.clone()).collect::<Vec<_>>()
    };
    assert_yaml_snapshot!((only(&[]), only(&[checked(Probe::Tcp)])));
}

#[test]
fn who_delays_comes_before_who_aborts_at_both_ends() {
    for level in [Level::Calls, Level::Tries] {
        let abort = aborted(30, level, to("reviews"));
        let delay = touched(10, level, to("reviews"), Touch::Delay(Duration::from_millis(5)));
        let keys = |faults: &[FaultKind]| {
            let instance = if level == Level::Calls { "web-1" } else { "reviews-1" };
            let proxy = of_town(&town(), instance, &[], faults);
            let hosts = if level == Level::Calls { proxy.outbound.hosts } else { proxy.inbound.hosts };
            let slots = hosts.into_iter().flat_map(|host| host.faults);
            slots.map(|slot| slot.key).collect::<Vec<_>>()
        };
        assert_eq!(keys(&[abort.clone(), delay.clone()]), ["squall.f1.share", "squall.f0.share"], "{level:?}");
        assert_eq!(keys(&[delay, abort]), ["squall.f0.share", "squall.f1.share"], "{level:?}");
    }
}

#[test]
fn places_in_an_order_of_preference() {
    let preferring = |from: Option<&str>, places: &[&str]| PolicyKind::Prefer {
        of: Calls { from: from.map(Into::into), ..to("reviews") },
        places: places.iter().map(|name| zone(name)).collect(),
    };
    let policies = [preferring(None, &["moon", "west"]), preferring(Some("web"), &["east", "west"])];
    let mut topology = town();
    topology.service_mut(&reviews()).unwrap().instances.push(Instance::default());
    let priorities = |instance: &str| {
        let hosts = cluster(&of_town(&topology, instance, &policies, &[])).hosts;
        hosts.into_iter().map(|host| host.priority).collect::<Vec<_>>()
    };
    assert_eq!(priorities("web-1"), [0, 1, 0, 2], "east, west, and who is nowhere comes last");
    assert_eq!(priorities("shop-1"), [1, 0, 1, 1], "nobody is on the moon: Envoy takes no gap");
}

#[test]
fn a_split_between_places_is_their_shares() {
    let policies = [routed(to("reviews"), &[(80, in_place("east")), (20, in_place("west"))])];
    let proxy = of_town(&town(), "web-1", &policies, &[]);
    assert_yaml_snapshot!((&proxy.outbound.hosts[0].routes, cluster(&proxy)));
    // One place alone is a part like any other: nobody is there to take its share over.
    let alone = [routed(to("reviews"), &[(100, in_place("east"))])];
    assert!(!cluster(&of_town(&town(), "web-1", &alone, &[])).by_place);
}

#[test]
fn calls_that_stick() {
    let split = || routed(to("reviews"), &[(90, version("v1")), (10, version("v2"))]);
    let way = |policies: &[PolicyKind]| {
        let proxy = of_town(&town(), "web-1", policies, &[]);
        let host = &proxy.outbound.hosts[0];
        (host.sets.clone(), host.routes.clone(), cluster(&proxy).balancer)
    };
    assert_yaml_snapshot!([
        way(&[split(), stuck(Stick::Version, HashKey::User)]),
        way(&[stuck(Stick::Instance, HashKey::Cookie("session".into()))]),
        way(&[
            stuck(Stick::Instance, HashKey::SourceAddress),
            PolicyKind::Balance { of: to("reviews"), by: Balancer::Maglev }
        ]),
    ]);
}

#[test]
fn deadlines_that_are_kept() {
    let mut topology = town();
    topology.service_mut(&reviews()).unwrap().calls.push("ratings".into());
    let some = Calls { from: Some("web".into()), filter: with_header("x-tier", "gold"), ..to("reviews") };
    let policies = [PolicyKind::KeepDeadline { of: some }, limited(Level::Calls, to("ratings"), 700)];
    let proxy = of_town(&topology, "reviews-1", &policies, &[]);
    assert_yaml_snapshot!((&proxy.inbound.hosts[0].routes, &proxy.outbound.hosts[0].routes));
    // Who is called by nobody whose deadline is kept has no other routes than before.
    assert_eq!(of_town(&topology, "web-1", &policies[..1], &[]), of_town(&topology, "web-1", &[], &[]));
}

#[test]
fn envoys_own_defaults_stay() {
    let topology = Topology { own_defaults: vec![Calls { from: Some("web".into()), ..to("reviews") }], ..town() };
    let proxy = of_town(&topology, "web-1", &[ejected()], &[]);
    assert_yaml_snapshot!((&proxy.outbound.hosts[0].routes, without_hosts(&proxy)));
    for (instance, service) in [("web-1", "out.ratings"), ("shop-1", "out.reviews"), ("reviews-1", "local")] {
        let proxy = of_town(&topology, instance, &[ejected()], &[]);
        let neutral = proxy.clusters.iter().find(|cluster| cluster.name == service).unwrap();
        assert!(!neutral.own_defaults, "{instance} {service}");
    }
    let limited =
        PolicyKind::Ejection { of: reviews(), lasts: Duration::from_secs(2), after: 5, at_most: Fraction::percent(50) };
    assert_eq!(cluster(&of_town(&topology, "web-1", &[limited], &[])).outlier.unwrap().at_most_percent, Some(50));
}

#[test]
fn what_the_new_nouns_refuse() {
    let filtered = || Calls { filter: with_header("a", "b"), ..to("reviews") };
    let alone = |policy: PolicyKind| vec![policy];
    let split = |of| routed(of, &[(80, in_place("east")), (20, in_place("west"))]);
    let balanced = |by| PolicyKind::Balance { of: to("reviews"), by };
    let preferred = |of| PolicyKind::Prefer { of, places: vec![zone("east")] };
    let warm = |over| PolicyKind::WarmUp { of: reviews(), over: Duration::from_secs(over) };
    let check = |every, path: &str, out_after| PolicyKind::Check {
        of: reviews(),
        every: Duration::from_micros(every),
        by: Probe::Http(path.into()),
        out_after,
        back_after: 1,
    };
    let sets: Vec<Vec<PolicyKind>> = vec![
        alone(checked(Probe::Grpc)),
        alone(check(200_000, "healthz", 1)),
        alone(check(999, "/", 1)),
        alone(check(200_000, "/", 0)),
        alone(warm(0)),
        vec![warm(3), balanced(Balancer::Random)],
        vec![warm(3), stuck(Stick::Instance, HashKey::User)],
        alone(preferred(filtered())),
        vec![preferred(to("reviews")), split(to("reviews"))],
        alone(split(filtered())),
        alone(split(to("ratings"))),
        vec![split(to("reviews")), routed(filtered(), &[(100, version("v2"))])],
        alone(PolicyKind::Sticky { of: filtered(), to: Stick::Instance, by: HashKey::User }),
        vec![stuck(Stick::Instance, HashKey::User), balanced(Balancer::RoundRobin)],
        alone(stuck(Stick::Version, HashKey::User)),
        vec![stuck(Stick::Version, HashKey::User), routed(to("reviews"), &[(100, in_place("east"))])],
        vec![
            stuck(Stick::Version, HashKey::Cookie("session".into())),
            stuck(Stick::Instance, HashKey::User),
            routed(to("reviews"), &[(90, version("v1")), (10, version("v2"))]),
        ],
        alone(PolicyKind::KeepDeadline { of: Calls { to: Some(version("v1")), ..Calls::default() } }),
    ];
    let told = |refused: Vec<squall_mesh::Refusal>| refused.into_iter().map(|one| one.0).collect::<Vec<_>>();
    let topology = town();
    let mut all = Vec::new();
    for policies in sets {
        let want = Desired { topology: &topology, policies: policies.iter().collect(), faults: &[] };
        assert!(render(&want, &seats(&topology)).is_err(), "{policies:?}");
        all.extend(told(refusals(&plan(town(), policies, &[]))));
    }
    let grpc = |level| touched(10, level, to("reviews"), Touch::Abort(AnswerCode::Grpc(GrpcStatus::Unavailable)));
    for faults in [[grpc(Level::Calls)], [grpc(Level::Tries)]] {
        let (topology, numbered) = (speaking(Protocol::Http2), numbered(&faults));
        let want = Desired { topology: &topology, policies: Vec::new(), faults: &numbered };
        assert!(render(&want, &seats(&topology)).is_err());
        all.extend(told(refusals(&plan(topology, Vec::new(), &faults))));
        assert_eq!(refusals(&plan(speaking(Protocol::Grpc), Vec::new(), &faults)), []);
    }
    all.extend(told(refusals(&plan(speaking(Protocol::Tcp), Vec::new(), &[]))));
    let own_defaults = vec![filtered()];
    all.extend(told(refusals(&plan(Topology { own_defaults, ..town() }, Vec::new(), &[]))));
    assert_yaml_snapshot!(all);
}

/// What is said of one policy, on a town that speaks this.
fn linted(topology: Topology, policies: Vec<PolicyKind>) -> Vec<String> {
    linted_with(&[FaultKind::ControlPlaneKilled], topology, policies)
}

fn linted_with(faults: &[FaultKind], topology: Topology, policies: Vec<PolicyKind>) -> Vec<String> {
    let mut plan = plan(topology, policies, faults);
    let origin = Origin { file: "t.feature".into(), line: 3, column: 1, length: 1 };
    plan.origins.policies.extend((0..9).map(|n| (PolicyId(n), origin.clone())));
    lint(&plan).into_iter().map(|d| format!("{}: {} ({}; {})", d.code, d.message, d.label, d.hint.unwrap())).collect()
}

#[test]
fn what_the_new_nouns_lint() {
    let connections = || PolicyKind::Connections { caller: "web".into(), at_most: 2, waiting: 3, to: reviews() };
    let panic = || PolicyKind::Panic { of: reviews(), below: Fraction::percent(50) };
    let warm = || PolicyKind::WarmUp { of: reviews(), over: Duration::from_secs(3) };
    let prefer = |place: Place| PolicyKind::Prefer { of: to("reviews"), places: vec![place] };
    let site = Place { kind: PlaceKind::Site, name: "east".into() };
    let split = || routed(to("reviews"), &[(80, in_place("east")), (20, in_place("west"))]);
    let kept = || PolicyKind::KeepDeadline { of: to("reviews") };
    let onward = || {
        let mut town = town();
        town.service_mut(&reviews()).unwrap().calls.push("ratings".into());
        town
    };
    let (http, grpc) = (|| speaking(Protocol::Http), || speaking(Protocol::Grpc));
    let mut all = Vec::new();
    for (topology, policies) in [
        (http(), vec![retried(to("reviews"), 1, &[RetryOn::Unavailable])]),
        (grpc(), vec![retried(to("reviews"), 1, &[RetryOn::Unavailable, RetryOn::Status(503)])]),
        (grpc(), vec![connections()]),
        (grpc(), vec![checked(Probe::Grpc)]),
        (http(), vec![panic()]),
        (http(), vec![warm()]),
        (http(), vec![prefer(zone("east"))]),
        (http(), vec![prefer(site), ejected()]),
        (http(), vec![split()]),
        (http(), vec![kept()]),
        (onward(), vec![kept()]),
    ] {
        let found = linted(topology, policies);
        assert_eq!(found.len(), 1, "{found:?}");
        all.extend(found);
    }
    assert_yaml_snapshot!(all);
    // And what is no mistake.
    for (topology, policies) in [
        (grpc(), vec![retried(to("reviews"), 1, &[RetryOn::Unavailable, RetryOn::Reset])]),
        (http(), vec![connections(), panic(), ejected()]),
        (http(), vec![warm(), checked(Probe::Http("/".into()))]),
        (http(), vec![prefer(zone("east")), ejected()]),
        (http(), vec![split(), checked(Probe::Tcp)]),
        (onward(), vec![kept(), limited(Level::Calls, to("reviews"), 500)]),
    ] {
        assert_eq!(linted(topology, policies), Vec::<String>::new());
    }
    assert_eq!(linted_with(&[], http(), vec![split()]), Vec::<String>::new(), "nothing breaks");
}
