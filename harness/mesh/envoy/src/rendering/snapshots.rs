//! What proxies are told, for one policy or fault after the other.

use super::scenes::{
    aborted, calls, limited, of, part, rendered, retried, routed, to, to_part, touched, version, with_header,
};
use insta::assert_yaml_snapshot;
use squall_mesh_proxy::render::{Action, Forward, lint, probes, refusals};
use squall_model::{
    AnswerCode, Balancer, Calls, Filter, Fraction, InFlight, Level, Origin, Policy, PolicyId, PolicyKind, RetryOn,
    Shape, Stage, Target, Touch, Traffic, TrafficLine, Which,
};
use std::time::Duration;

#[test]
fn a_plain_caller() {
    assert_yaml_snapshot!(of("web-1", &[], &[]));
}

#[test]
fn a_plain_callee() {
    assert_yaml_snapshot!(of("reviews-2", &[], &[]));
}

#[test]
fn the_probes() {
    assert_yaml_snapshot!(probes());
}

#[test]
fn retries_and_limits() {
    let policies = [
        retried(calls(), 1, &[RetryOn::ConnectFailure]),
        PolicyKind::Retries {
            of: to("reviews"),
            up_to: 2,
            on: vec![RetryOn::FiveHundreds, RetryOn::Reset, RetryOn::Status(409)],
            elsewhere: true,
        },
        limited(Level::Tries, to("reviews"), 100),
        limited(Level::Calls, to("reviews"), 1500),
        PolicyKind::IdleTimeout {
            of: Traffic { share: Fraction::ALL, level: Level::Calls, of: to("ratings") },
            after: Duration::from_secs(1),
        },
    ];
    assert_yaml_snapshot!(of("web-1", &policies, &[]).outbound);
}

#[test]
fn a_policy_of_one_caller_is_not_the_others() {
    let policy = retried(Calls { from: Some("shop".into()), ..to("reviews") }, 2, &[RetryOn::FiveHundreds]);
    let none = of("web-1", &[], &[]);
    assert_eq!(of("web-1", std::slice::from_ref(&policy), &[]), none);
    assert_ne!(of("shop-1", std::slice::from_ref(&policy), &[]), of("shop-1", &[], &[]));
}

#[test]
fn a_split_and_a_way_of_its_own_for_some() {
    let canary = Calls { filter: with_header("x-canary", "yes"), ..to("reviews") };
    let policies =
        [routed(to("reviews"), &[(90, version("v1")), (10, version("v2"))]), routed(canary, &[(100, version("v2"))])];
    let proxy = of("web-1", &policies, &[]);
    assert_yaml_snapshot!((&proxy.outbound, &proxy.clusters));
}

#[test]
fn parts_of_a_service() {
    let east = Target { place: Some(squall_model::Place::zone("east")), ..version("v1") };
    let policies = [routed(
        to("reviews"),
        &[(25, east), (25, part(Which::First(2))), (25, part(Which::Instance(3))), (25, part(Which::Service))],
    )];
    let proxy = of("web-1", &policies, &[]);
    assert_yaml_snapshot!((&proxy.outbound.hosts[0].routes, &proxy.clusters[1]));
}

#[test]
fn requests_of_several_kinds() {
    let path = Filter { path: Some("/a".into()), query: Some("b=1".into()), ..Filter::default() };
    let alice = Filter { user: Some("alice".into()), ..Filter::default() };
    let host = Filter { host: Some("shop.test".into()), method: Some("GET".into()), ..Filter::default() };
    let of_kind = |filter: Filter| Calls { filter, ..to("reviews") };
    let policies = [
        limited(Level::Calls, of_kind(path), 100),
        routed(of_kind(alice), &[(100, Target::service("ratings".into()))]),
        retried(of_kind(host), 1, &[RetryOn::GatewayError]),
    ];
    assert_yaml_snapshot!(of("shop-1", &policies, &[]).outbound);
}

#[test]
fn breakers_budgets_ejection_and_balance() {
    let (caller, callee) = (|| "web".into(), || "reviews".into());
    let policies = [
        PolicyKind::InFlight { caller: caller(), at_most: 20, unit: InFlight::Tries, to: callee() },
        PolicyKind::InFlight { caller: caller(), at_most: 3, unit: InFlight::Retries, to: callee() },
        PolicyKind::Connections { caller: caller(), at_most: 10, waiting: 5, to: callee() },
        PolicyKind::RetryBudget { of: to("reviews"), share: Fraction::percent(20), at_least: 1 },
        PolicyKind::Ejection { of: callee(), lasts: Duration::from_secs(2), after: 5, at_most: Fraction::percent(50) },
        PolicyKind::Balance { of: to("reviews"), by: Balancer::RingHash },
    ];
    let (web, shop) = (of("web-1", &policies, &[]), of("shop-1", &policies, &[]));
    assert_yaml_snapshot!((&web.outbound.hosts[0].routes, &web.clusters[1], &shop.clusters[0]));
}

#[test]
fn the_more_special_line_counts_for_clusters_as_it_does_for_routes() {
    let of_web = || Calls { from: Some("web".into()), ..to("reviews") };
    let balanced = |of, by| PolicyKind::Balance { of, by };
    let budget = |of, at_least| PolicyKind::RetryBudget { of, share: Fraction::percent(20), at_least };
    let special = [balanced(of_web(), Balancer::Maglev), budget(of_web(), 1)];
    let general = [balanced(to("reviews"), Balancer::Random), budget(to("reviews"), 2)];
    let equal = [balanced(to("reviews"), Balancer::LeastRequest), budget(to("reviews"), 3)];
    let seen = |instance: &str, policies: &[&[PolicyKind]]| {
        let proxy = of(instance, &policies.concat(), &[]);
        let cluster = proxy.clusters.iter().find(|cluster| cluster.name == "out.reviews").unwrap();
        let host = proxy.outbound.hosts.iter().find(|host| host.name == "reviews").unwrap();
        let Action::Forward(Forward { hashed_by, .. }) = &host.routes[0].then else { panic!("forwarded") };
        (cluster.balancer, cluster.limits.budget.unwrap().1, hashed_by.is_some())
    };
    for order in [[&special[..], &general[..]], [&general, &special]] {
        assert_eq!(seen("web-1", &order), ("MAGLEV", 1, true));
        assert_eq!(seen("shop-1", &order), ("RANDOM", 2, false));
    }
    assert_eq!(seen("web-1", &[&general, &equal]), ("LEAST_REQUEST", 3, false));
}

#[test]
fn faults_at_both_ends() {
    let some = Calls { filter: with_header("x-tier", "gold"), ..to("reviews") };
    let faults = [
        touched(10, Level::Calls, some, Touch::Delay(Duration::from_millis(200))),
        aborted(30, Level::Tries, Calls { from: Some("web".into()), ..to_part(Which::Instance(2)) }),
    ];
    let faults_of = |instance: &str| {
        let proxy = of(instance, &[], &faults);
        [proxy.outbound, proxy.inbound]
            .map(|table| table.hosts.into_iter().map(|h| (h.name, h.faults)).collect::<Vec<_>>())
    };
    assert_yaml_snapshot!(["web-1", "shop-1", "reviews-1", "reviews-2"].map(|name| (name, faults_of(name))));
}

#[test]
fn what_is_linted() {
    let shop = || Filter { host: Some("shop.test".into()), ..Filter::default() };
    let line = |number, with| TrafficLine {
        number,
        caller: "web".into(),
        to: Target::service("reviews".into()),
        with,
        users: None,
        shape: Shape::Serial { calls: 1 },
    };
    let policies = vec![retried(to("reviews"), 1, &[RetryOn::FiveHundreds, RetryOn::Unavailable])];
    let mut plan = super::laws::plan(super::scenes::town(), policies, &[]);
    let origin = |line| Origin { file: "t.feature".into(), line, column: 1, length: 1 };
    plan.origins.policies.insert(PolicyId(0), origin(3));
    plan.origins.lines.extend([(0, origin(5)), (1, origin(6))]);
    let lines = vec![line(0, Filter::default()), line(1, shop())];
    plan.timeline.stages.push(Stage { lines, ..Stage::default() });
    assert_yaml_snapshot!(lint(&plan));
    // A policy that names the host makes it known, and the words of HTTP are no mistake.
    let known = retried(Calls { filter: shop(), ..to("reviews") }, 1, &[RetryOn::Reset]);
    plan.policies = vec![Policy { id: PolicyId(0), own: true, says: known }];
    assert_eq!(lint(&plan), []);
}

#[test]
fn what_is_refused() {
    let one = || to_part(Which::Instance(1));
    let traffic = |share, level, of| Traffic { share: Fraction::percent(share), level, of };
    let filtered = || Calls { filter: with_header("a", "b"), ..to("reviews") };
    let policies = vec![
        retried(one(), 1, &[RetryOn::Reset]),
        PolicyKind::Timeout { of: traffic(30, Level::Calls, to("reviews")), after: Duration::from_secs(1) },
        PolicyKind::Timeout { of: traffic(100, Level::Tries, one()), after: Duration::from_secs(1) },
        PolicyKind::IdleTimeout { of: traffic(100, Level::Tries, to("reviews")), after: Duration::ZERO },
        PolicyKind::RetryBudget { of: filtered(), share: Fraction::percent(20), at_least: 1 },
        PolicyKind::Balance { of: filtered(), by: Balancer::Random },
        PolicyKind::Ejection { of: "reviews".into(), lasts: Duration::from_secs(1), after: 0, at_most: Fraction::ALL },
        routed(to("reviews"), &[(90, version("v1"))]),
        routed(to("reviews"), &[(100, Target::service("nowhere".into()))]),
        routed(
            Calls { filter: Filter { host: Some("ratings".into()), ..Filter::default() }, ..to("reviews") },
            &[(100, version("v1"))],
        ),
    ];
    let faults = vec![
        aborted(10, Level::Calls, to_part(Which::Version("v2".into()))),
        touched(10, Level::Tries, to("reviews"), Touch::Abort(AnswerCode::Status(199))),
        touched(10, Level::Tries, to("ratings"), Touch::Delay(Duration::ZERO)),
        touched(10, Level::Calls, to("reviews"), Touch::Abort(AnswerCode::Status(501))),
        touched(10, Level::Calls, to("reviews"), Touch::Abort(AnswerCode::Status(502))),
    ];
    let plan = super::laws::plan(super::scenes::town(), policies.clone(), &faults);
    let refused: Vec<String> = refusals(&plan).into_iter().map(|refusal| refusal.0).collect();
    assert_yaml_snapshot!(refused);
    // Rendering refuses what would have been refused beforehand, one by one.
    for policy in policies {
        assert!(rendered(std::slice::from_ref(&policy), &[]).is_err(), "{policy:?}");
    }
    assert!(rendered(&[], &faults[..1]).is_err() && rendered(&[], &faults[1..2]).is_err());
    assert!(rendered(&[], &faults[2..3]).is_err() && rendered(&[], &faults[3..]).is_ok());
}
