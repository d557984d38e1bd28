//! Rendering, as people read it, and what Istio has no words for.

use super::*;
use insta::assert_yaml_snapshot;
use squall_mesh::{Endpoint, Seat};
use squall_model::{
    AnswerCode, Balancer, Calls, Destination, Fault, FaultId, FaultKind, Filter, Fraction, HashKey, InFlight, Instance,
    Level, Place, PolicyKind, RetryOn, Stick, Target, Touch, Traffic, When, Which,
};
use std::time::Duration;

/// `web` in the east calls `reviews`: v1 in the east, v2 in the west.
pub(super) fn town() -> Topology {
    let mut web = Service::new("web".into());
    web.calls = vec!["reviews".into()];
    web.instances[0].place = Some(Place::zone("east"));
    let mut reviews = Service::new("reviews".into());
    let instance = |version: &str, zone: &str| Instance {
        version: Some(version.into()),
        place: Some(Place::zone(zone)),
        at: None,
    };
    reviews.instances = vec![instance("v1", "east"), instance("v2", "west")];
    Topology { services: vec![web, reviews], ..Topology::default() }
}

pub(super) fn seats(topology: &Topology) -> Bindings {
    let seat = |(n, (id, service, _)): (u8, (InstanceId, &Service, &Instance))| {
        let folder = format!("/run/p{n}");
        let called = topology.callers(&service.name).next().is_some();
        let seat = Seat {
            node: format!("p{n}"),
            workload: called.then(|| Endpoint::Unix(format!("{folder}/app.sock").into())),
            folder: folder.into(),
            inbound: ([127, 2, 0, n + 1], 15_808).into(),
        };
        (id, seat)
    };
    Bindings { seats: (0..).zip(topology.instances()).map(seat).collect(), tag: "r1".into(), ..Bindings::default() }
}

pub(super) fn rendered(policies: &[PolicyKind], faults: &[FaultKind]) -> Result<Config, Refusal> {
    let topology = town();
    let numbered = (0..).map(FaultId).zip(faults);
    let faults: Vec<Fault> =
        numbered.map(|(id, does)| Fault { id, does: does.clone(), when: When::Standing }).collect();
    render(
        &Desired { topology: &topology, policies: policies.iter().collect(), faults: &faults },
        &seats(&topology),
        &Site::alone(),
    )
}

fn to(service: &str) -> Calls {
    Calls { to: Some(Target::service(service.into())), ..Calls::default() }
}

/// What is said of one object.
pub(super) fn spec(config: &Config, kind: &str, name: &str) -> serde_json::Value {
    let found = config.objects.iter().find(|object| object.kind == kind && object.name == name);
    found.unwrap_or_else(|| panic!("no {kind} {name}")).spec.clone()
}

pub(super) fn retried(up_to: u32, on: &[RetryOn], elsewhere: bool) -> PolicyKind {
    PolicyKind::Retries { of: to("reviews"), up_to, on: on.to_vec(), elsewhere }
}

pub(super) fn limited(level: Level, ms: u64) -> PolicyKind {
    let of = Traffic { share: Fraction::ALL, level, of: to("reviews") };
    PolicyKind::Timeout { of, after: Duration::from_millis(ms) }
}

pub(super) fn routed(legs: &[(u32, &str)]) -> PolicyKind {
    let leg = |(percent, version): &(u32, &str)| Destination {
        share: Fraction::percent(*percent),
        target: Target { service: "reviews".into(), which: Which::Version((*version).into()), place: None },
    };
    PolicyKind::Route { of: to("reviews"), to: legs.iter().map(leg).collect() }
}

pub(super) fn ejected(after: u32) -> PolicyKind {
    let lasts = Duration::from_secs(30);
    PolicyKind::Ejection { of: "reviews".into(), lasts, after, at_most: Fraction::percent(50) }
}

#[test]
fn a_plain_mesh() {
    assert_yaml_snapshot!(rendered(&[], &[]).unwrap());
}

#[test]
fn nothing_said_is_said_to_istio() {
    let config = rendered(&[], &[]).unwrap();
    let route = &spec(&config, "VirtualService", "reviews")["http"][0];
    assert_eq!(route["retries"], serde_json::json!({"attempts": 0}), "left out it retries twice");
    assert!(route.get("timeout").is_none());
    let rule = &spec(&config, "DestinationRule", "web.to.reviews")["trafficPolicy"];
    assert_eq!(rule["loadBalancer"]["simple"], "ROUND_ROBIN", "left out it is LEAST_REQUEST");
    assert_eq!(rule["loadBalancer"]["localityLbSetting"]["enabled"], false, "left out it stays in the caller's place");
}

#[test]
fn retries_and_limits() {
    let on = [RetryOn::FiveHundreds, RetryOn::Status(409)];
    let config = rendered(&[retried(2, &on, true), limited(Level::Tries, 100), limited(Level::Calls, 1500)], &[]);
    assert_yaml_snapshot!(spec(&config.unwrap(), "VirtualService", "reviews"), @r#"
    exportTo:
      - "."
    hosts:
      - reviews.squall.svc.cluster.local
    http:
      - headers:
          request:
            set:
              x-squall-caller: web
        match:
          - sourceLabels:
              app: web
        retries:
          attempts: 2
          perTryTimeout: 0.1s
          retryIgnorePreviousHosts: true
          retryOn: "5xx,409"
        route:
          - destination:
              host: reviews.squall.svc.cluster.local
              port:
                number: 80
        timeout: 1.5s
    "#);
}

#[test]
fn a_split_and_a_way_of_its_own_for_some() {
    let canary = Calls {
        filter: Filter {
            path: Some("/item".into()),
            query: Some("debug=1".into()),
            method: Some("GET".into()),
            header: Some(("x-canary".into(), "yes".into())),
            ..Filter::default()
        },
        ..to("reviews")
    };
    let v2 = Target { service: "reviews".into(), which: Which::Version("v2".into()), place: None };
    let all = vec![Destination { share: Fraction::ALL, target: v2 }];
    let policies = [routed(&[(90, "v1"), (10, "v2")]), PolicyKind::Route { of: canary, to: all }];
    let config = rendered(&policies, &[]).unwrap();
    assert_yaml_snapshot!((
        spec(&config, "VirtualService", "reviews"),
        &spec(&config, "DestinationRule", "web.to.reviews")["subsets"],
        spec(&config, "WorkloadEntry", "reviews-2"),
    ));
}

#[test]
fn what_a_caller_may_do_to_a_service() {
    let caller = squall_model::ServiceName::from("web");
    let policies = [
        PolicyKind::InFlight { caller: caller.clone(), at_most: 10, unit: InFlight::Tries, to: "reviews".into() },
        PolicyKind::Connections { caller, at_most: 3, waiting: 5, to: "reviews".into() },
        PolicyKind::RetryBudget { of: to("reviews"), share: Fraction::percent(20), at_least: 3 },
        ejected(5),
        PolicyKind::Balance { of: to("reviews"), by: Balancer::Random },
        PolicyKind::Prefer { of: to("reviews"), places: vec![Place::zone("east"), Place::zone("west")] },
    ];
    assert_yaml_snapshot!(spec(&rendered(&policies, &[]).unwrap(), "DestinationRule", "web.to.reviews"));
}

#[test]
fn faults_are_in_place_at_nothing() {
    let touched = |level, touch| FaultKind::Touch {
        on: Traffic { share: Fraction::percent(10), level, of: to("reviews") },
        touch,
    };
    let faults = [
        touched(Level::Calls, Touch::Abort(AnswerCode::Status(503))),
        touched(Level::Tries, Touch::Delay(Duration::from_millis(250))),
    ];
    let config = rendered(&[], &faults).unwrap();
    assert_yaml_snapshot!((
        spec(&config, "EnvoyFilter", "calls.web.to.reviews"),
        spec(&config, "EnvoyFilter", "tries.reviews-1"),
    ));
    // No listener tells them apart from a mesh without faults.
    let plain = rendered(&[], &[]).unwrap();
    assert_eq!(config.inbound, plain.inbound);
    assert_eq!(spec(&config, "EnvoyFilter", "every-proxy"), spec(&plain, "EnvoyFilter", "every-proxy"));
}

#[test]
fn a_change_of_policy_changes_no_listener() {
    let (before, after) = (rendered(&[routed(&[(100, "v1")])], &[]), rendered(&[routed(&[(100, "v2")])], &[]));
    let (before, after) = (before.unwrap(), after.unwrap());
    assert_ne!(before.version, after.version);
    assert_eq!(before.inbound, after.inbound);
    for (kind, name) in [("Sidecar", "web-1"), ("EnvoyFilter", "every-proxy"), ("EnvoyFilter", "inbound-probes")] {
        assert_eq!(spec(&before, kind, name), spec(&after, kind, name), "{kind} {name}");
    }
}

#[test]
fn what_istio_has_no_words_for_is_refused_by_name() {
    let prefer = |order: &[&str]| PolicyKind::Prefer {
        of: to("reviews"),
        places: order.iter().map(|zone| Place::zone(*zone)).collect(),
    };
    let sticky = |to_what, by| PolicyKind::Sticky { of: to("reviews"), to: to_what, by };
    let refused = |policies: &[PolicyKind]| rendered(policies, &[]).unwrap_err().0;
    let said = [
        refused(&[limited(Level::Tries, 100)]),
        refused(&[sticky(Stick::Version, HashKey::User)]),
        refused(&[sticky(Stick::Instance, HashKey::SourceAddress)]),
        refused(&[prefer(&["east", "west"])]),
        refused(&[prefer(&["west", "east"]), ejected(5)]),
        refused(&[prefer(&["east", "west", "north"]), ejected(5)]),
        refused(&[PolicyKind::KeepDeadline { of: to("reviews") }]),
    ];
    assert_yaml_snapshot!(said);
}

/// `web` and `shop` call `reviews` and `ratings`.
fn high_street() -> Topology {
    let mut topology = town();
    let mut shop = Service::new("shop".into());
    shop.calls = vec!["ratings".into(), "reviews".into()];
    topology.services[0].calls.push("ratings".into());
    topology.services.extend([shop, Service::new("ratings".into())]);
    topology
}

fn on_high_street(policies: &[PolicyKind], at: &Bindings) -> Result<Config, Refusal> {
    let topology = high_street();
    render(&Desired { topology: &topology, policies: policies.iter().collect(), faults: &[] }, at, &Site::alone())
}

fn sticky(of: Calls, by: HashKey) -> PolicyKind {
    PolicyKind::Sticky { of, to: Stick::Instance, by }
}

#[test]
fn each_caller_of_each_service_has_its_own() {
    let from_shop = |to_what: &str| Calls { from: Some("shop".into()), ..to(to_what) };
    let prefer = |of, zone: &str| PolicyKind::Prefer { of, places: vec![Place::zone(zone)] };
    let policies = [
        sticky(to("reviews"), HashKey::User),
        sticky(from_shop("ratings"), HashKey::Header("x-basket".into())),
        ejected(5),
        // The more special line counts, whatever comes after it.
        prefer(from_shop("reviews"), "west"),
        prefer(to("reviews"), "east"),
        PolicyKind::Retries { of: from_shop("reviews"), up_to: 3, on: vec![RetryOn::Reset], elsewhere: false },
    ];
    let config = on_high_street(&policies, &seats(&high_street())).unwrap();
    let balancing = |rule: &str| spec(&config, "DestinationRule", rule)["trafficPolicy"]["loadBalancer"].clone();
    assert_eq!(balancing("web.to.reviews")["consistentHash"]["httpHeaderName"], "x-squall-user");
    assert_eq!(balancing("shop.to.ratings")["consistentHash"]["httpHeaderName"], "x-basket");
    assert_eq!(balancing("web.to.ratings")["simple"], "ROUND_ROBIN");
    assert_eq!(spec(&config, "WorkloadEntry", "shop-1")["locality"], "west", "it has no place, and prefers that");
    let routes = spec(&config, "VirtualService", "reviews");
    let attempts = |n: usize| {
        (routes["http"][n]["match"][0]["sourceLabels"]["app"].clone(), routes["http"][n]["retries"]["attempts"].clone())
    };
    assert_eq!(attempts(0), ("web".into(), 0.into()));
    assert_eq!(attempts(1), ("shop".into(), 3.into()));
}

#[test]
fn who_is_found_by_a_link_is_somebody_still() {
    let mut at = seats(&town());
    let (web, second) =
        (InstanceId { service: "web".into(), number: 1 }, InstanceId { service: "reviews".into(), number: 2 });
    let link = "127.0.0.1:5001".parse().unwrap();
    at.wires.insert(squall_model::Wire { from: web, to: second.clone() }, link);
    let topology = town();
    let config =
        render(&Desired { topology: &topology, policies: Vec::new(), faults: &[] }, &at, &Site::alone()).unwrap();
    assert_yaml_snapshot!((
        spec(&config, "WorkloadEntry", "reviews-2"),
        spec(&config, "WorkloadEntry", "reviews-2.by.link"),
        spec(&config, "ServiceEntry", "seat.reviews-2"),
    ));
    assert!(config.hosts["p0"][&"reviews".into()].contains(&link));
    // Two callers would have to be told two addresses.
    let mut at = seats(&high_street());
    at.wires.insert(squall_model::Wire { from: InstanceId { service: "web".into(), number: 1 }, to: second }, link);
    assert!(on_high_street(&[], &at).unwrap_err().0.contains("only where there is one caller"));
}

#[test]
fn nobody_finds_a_newcomer_before_it_listens() {
    let config = rendered(&[], &[]).unwrap();
    let second = InstanceId { service: "reviews".into(), number: 2 };
    let before = config.without(&[second].into());
    assert_eq!(spec(&before, "WorkloadEntry", "reviews-2")["labels"].get(SERVES), None);
    assert_eq!(spec(&before, "WorkloadEntry", "reviews-1"), spec(&config, "WorkloadEntry", "reviews-1"));
    assert_eq!(before.hosts["p0"][&"reviews".into()].len(), 1);
    assert_ne!(before.version, config.version);
    assert!(before.text().contains(&before.version) && !before.text().contains(&config.version));
    assert_eq!(spec(&before, "Sidecar", "reviews-2"), spec(&config, "Sidecar", "reviews-2"));
}

#[test]
fn who_is_of_no_instance_any_more_keeps_its_listeners() {
    let whole = rendered(&[], &[]).unwrap();
    let mut smaller = town();
    smaller.services[1].instances.pop();
    let want = Desired { topology: &smaller, policies: Vec::new(), faults: &[] };
    let after = render(&want, &seats(&smaller), &Site::alone()).unwrap().keeping(&whole, |node| node == "p2");
    assert_eq!(spec(&after, "Sidecar", "reviews-2"), spec(&whole, "Sidecar", "reviews-2"));
    assert_eq!(spec(&after, "WorkloadEntry", "reviews-2")["labels"].get(SERVES), None);
    assert_eq!(spec(&after, "WorkloadEntry", "reviews-2")["labels"][INSTANCE], "reviews-2");
    assert_eq!(after.hosts["p0"][&"reviews".into()].len(), 1);
    // One that is gone is gone, and another run's are nobody's.
    let gone = render(&want, &seats(&smaller), &Site::alone()).unwrap().keeping(&whole, |_| false);
    assert!(gone.objects.iter().all(|object| object.name != "reviews-2"));
    let other = Bindings { tag: "r2".into(), ..seats(&smaller) };
    let other = render(&want, &other, &Site::alone()).unwrap();
    assert_eq!(other.clone().keeping(&whole, |_| true), other);
}

#[test]
fn what_istio_takes_for_unsaid_is_refused() {
    let caller = squall_model::ServiceName::from("web");
    for policy in [
        PolicyKind::InFlight { caller: caller.clone(), at_most: 0, unit: InFlight::Retries, to: "reviews".into() },
        PolicyKind::Connections { caller, at_most: 5, waiting: 0, to: "reviews".into() },
        PolicyKind::RetryBudget { of: to("reviews"), share: Fraction::percent(20), at_least: 0 },
    ] {
        let why = rendered(&[policy], &[]).unwrap_err().0;
        assert_eq!(why, "a limit of 0: Istio takes it for one that nobody wrote");
    }
    let half = Duration::from_micros(1_500);
    let of = Traffic { share: Fraction::ALL, level: Level::Calls, of: to("reviews") };
    assert!(rendered(&[PolicyKind::Timeout { of, after: half }], &[]).unwrap_err().0.contains("whole milliseconds"));
    assert!(rendered(&[retried(1, &[RetryOn::Status(599)], false)], &[]).unwrap_err().0.contains("599"));
    let twice = Calls { filter: Filter { query: Some("a=1&a=2".into()), ..Filter::default() }, ..to("reviews") };
    let retries = PolicyKind::Retries { of: twice, up_to: 1, on: vec![RetryOn::Reset], elsewhere: false };
    assert!(rendered(&[retries], &[]).unwrap_err().0.contains("one value"));
}

#[test]
fn subsets_are_told_apart_whatever_they_are_called() {
    let names = ["v1.0", "v1-0", "V1-0", &"long".repeat(30)];
    let name = |version: &str| routes::subset_of(&[("version".to_owned(), version.to_owned())].into()).unwrap();
    let all: BTreeSet<String> = names.iter().map(|version| name(version)).collect();
    assert_eq!(all.len(), names.len(), "{all:?}");
    assert!(all.iter().all(|name| name.len() <= 63), "{all:?}");
    assert_eq!(routes::subset_of(&[("any".to_owned(), "yes".to_owned())].into()), None);
}

#[test]
fn clusters_are_known_by_subset_and_service() {
    let known = |name| cluster_of(name).map(|cluster| (cluster.subset, cluster.service));
    assert_eq!(known("outbound|80||reviews.squall.svc.cluster.local"), Some(("", "reviews")));
    assert_eq!(known("outbound|80|version-v2|reviews.squall.svc.cluster.local"), Some(("version-v2", "reviews")));
    assert_eq!(known("inbound|15808||"), None);
}

#[test]
fn what_somebody_else_deployed_gets_no_object_and_its_callers_have_faults_on_the_way() {
    let mut topology = town();
    let mut shop = Service::new("shop".into());
    shop.deployed = Some(Deployed { namespace: "theirs".into(), port: 8080, ..Deployed::default() });
    shop.instances[0].at = Some(([10, 0, 0, 7], 9080).into());
    topology.services.push(shop);
    topology.services[0].calls.push("shop".into());
    let touch = Touch::Abort(AnswerCode::Status(503));
    let does = FaultKind::Touch { on: Traffic { share: Fraction::ALL, level: Level::Calls, of: to("shop") }, touch };
    let faults = [Fault { id: FaultId(0), does, when: When::Standing }];
    let mut at = seats(&topology);
    at.seats.retain(|id, _| id.service.as_str() != "shop");
    let want = Desired { topology: &topology, policies: Vec::new(), faults: &faults };
    let config = render(&want, &at, &Site::pods("squall-1", "/logs".into())).unwrap();

    let theirs = |object: &&Object| object.spec.to_string().contains("shop");
    let about: Vec<(&str, &str)> =
        config.objects.iter().filter(theirs).map(|object| (object.kind, object.name.as_str())).collect();
    assert_eq!(about, [("Sidecar", "web-1"), ("EnvoyFilter", "calls.web.to.shop")]);
    let hosts = &spec(&config, "Sidecar", "web-1")["egress"][0]["hosts"];
    assert_eq!(*hosts, json!(["squall-1/reviews.squall-1.svc.cluster.local", "theirs/shop.theirs.svc.cluster.local"]));
    let patch = &spec(&config, "EnvoyFilter", "calls.web.to.shop")["configPatches"][0];
    let host = &patch["match"]["routeConfiguration"]["vhost"]["name"];
    assert_eq!(*host, json!("shop.theirs.svc.cluster.local:8080"));
    assert_eq!(patch["patch"]["value"]["domains"], json!(["shop", "shop:*"]));
    // Its proxy is to have the address at which the instance is.
    let node = &at.seats[&InstanceId { service: "web".into(), number: 1 }].node;
    assert_eq!(config.hosts[node][&"shop".into()], [([10, 0, 0, 7], 9080).into()].into());
}
