//! Where calls go.

use crate::town::{Client, Town, part, to_reviews, topology};
use squall_model::{Calls, Destination, Filter, Fraction, Place, PolicyKind, RetryOn, Target, Which};
use std::{collections::BTreeMap, time::Duration};

fn route(of: Calls, legs: &[(u32, Target)]) -> PolicyKind {
    let leg =
        |(percent, target): &(u32, Target)| Destination { share: Fraction::percent(*percent), target: target.clone() };
    PolicyKind::Route { of, to: legs.iter().map(leg).collect() }
}

fn version(name: &str) -> Target {
    part(Which::Version(name.into()))
}

fn with_header() -> Calls {
    let filter = Filter { header: Some(("x-canary".into(), "yes".into())), ..Filter::default() };
    Calls { filter, ..to_reviews() }
}

async fn answers(client: &mut Client, calls: usize, headers: &[(&str, &str)]) -> BTreeMap<String, usize> {
    let mut seen = BTreeMap::new();
    for n in 0..calls {
        let (status, body) = client.call(&format!("r1.{n}"), headers).await;
        *seen.entry(if status == 200 { body } else { status.to_string() }).or_default() += 1;
    }
    seen
}

#[tokio::test]
async fn a_version_by_a_header_and_another_for_the_rest() {
    let policies = vec![route(to_reviews(), &[(100, version("v1"))]), route(with_header(), &[(100, version("v2"))])];
    let topology = topology(&[Some("v1"), Some("v2"), Some("v1")]);
    let Some(mut town) = Town::new(topology, policies, Vec::new()).await else { return };
    let mut client = town.client().await;
    assert_eq!(answers(&mut client, 20, &[("x-canary", "yes")]).await, [("reviews-2".to_owned(), 20)].into());
    let rest = answers(&mut client, 20, &[]).await;
    assert_eq!(rest, [("reviews-1".to_owned(), 10), ("reviews-3".to_owned(), 10)].into());
    // Without the policies: round robin over all.
    town.policies(Vec::new());
    town.configure().await.unwrap();
    assert_eq!(answers(&mut town.client().await, 30, &[]).await.into_values().collect::<Vec<_>>(), [10, 10, 10]);
}

#[tokio::test]
async fn a_split_has_its_shares() {
    let split = route(to_reviews(), &[(90, version("v1")), (10, version("v2"))]);
    let Some(town) = Town::new(topology(&[Some("v1"), Some("v2")]), vec![split], Vec::new()).await else { return };
    let seen = answers(&mut town.client().await, 1000, &[]).await;
    // 100 are expected, with a deviation of 9.5.
    assert!((43..=157).contains(&seen["reviews-2"]), "{seen:?}");
    assert_eq!(seen.values().sum::<usize>(), 1000);
}

#[tokio::test]
async fn a_part_that_is_not_there_gets_nothing_and_nobody_else_gets_its_calls() {
    let nowhere = Target { place: Some(Place::zone("moon")), ..version("v1") };
    for target in [version("v3"), nowhere, part(Which::Instance(7))] {
        let policies = vec![route(to_reviews(), &[(100, target.clone())])];
        let Some(town) = Town::new(topology(&[Some("v1"), Some("v2")]), policies, Vec::new()).await else { return };
        assert_eq!(answers(&mut town.client().await, 5, &[]).await, [("503".to_owned(), 5)].into(), "{target}");
    }
}

#[tokio::test]
async fn parts_by_number_by_place_and_by_both() {
    let mut topology = topology(&[Some("v1"), Some("v1"), Some("v2"), Some("v2")]);
    for (n, instance) in topology.services[1].instances.iter_mut().enumerate() {
        instance.place = Some(Place::zone(["east", "west"][n % 2]));
    }
    let placed = |which, zone: &str| Target { place: Some(Place::zone(zone)), ..part(which) };
    let Some(mut town) = Town::new(topology, Vec::new(), Vec::new()).await else { return };
    for (target, numbers) in [
        (part(Which::Instance(3)), vec![3]),
        (part(Which::First(2)), vec![1, 2]),
        (placed(Which::Service, "west"), vec![2, 4]),
        (placed(Which::Version("v2".into()), "east"), vec![3]),
    ] {
        town.policies(vec![route(to_reviews(), &[(100, target.clone())])]);
        town.configure().await.unwrap();
        let seen: Vec<String> = answers(&mut town.client().await, 20, &[]).await.into_keys().collect();
        assert_eq!(seen, numbers.iter().map(|n| format!("reviews-{n}")).collect::<Vec<_>>(), "{target}");
    }
}

#[tokio::test]
async fn a_request_of_two_kinds_is_under_the_policies_of_both() {
    let alice = Calls { filter: Filter { user: Some("alice".into()), ..Filter::default() }, ..to_reviews() };
    let on_path = Calls { filter: Filter { path: Some("/a".into()), ..Filter::default() }, ..to_reviews() };
    let retries = PolicyKind::Retries { of: on_path, up_to: 2, on: vec![RetryOn::FiveHundreds], elsewhere: false };
    let policies = vec![route(alice, &[(100, version("v2"))]), retries];
    let Some(town) = Town::new(topology(&[Some("v1"), Some("v2")]), policies, Vec::new()).await else { return };
    for number in [1, 2] {
        town.workload("reviews", number).answer(503, Duration::ZERO);
    }
    town.client().await.get("reviews", "/a", "r1.1", &[("x-squall-user", "alice")]).await;
    let tries = |number| town.workload("reviews", number).served().len();
    assert_eq!((tries(1), tries(2)), (0, 3));
}

#[tokio::test]
async fn a_host_that_a_policy_names_is_known() {
    let filter = Filter { host: Some("shop.test".into()), ..Filter::default() };
    let policies = vec![route(Calls { filter, ..to_reviews() }, &[(100, version("v2"))])];
    let Some(town) = Town::new(topology(&[Some("v1"), Some("v2")]), policies, Vec::new()).await else { return };
    let mut client = town.client().await;
    for _ in 0..4 {
        assert_eq!(client.get("shop.test", "/", "r1.1", &[]).await, (200, "reviews-2".into()));
        assert_eq!(client.get("shop.test:80", "/", "r1.1", &[]).await, (200, "reviews-2".into()));
    }
    assert_eq!(client.get("elsewhere.test", "/", "r1.2", &[]).await.0, 404);
    let logged = town.logged("end").await;
    assert_eq!(logged.outbound("r1.2").flags, "NR");
}

#[tokio::test]
async fn calls_may_be_sent_to_another_service() {
    let mut topology = topology(&[None]);
    topology.services.push(squall_model::Service::new("ratings".into()));
    // Nobody calls it by its name, but it is reached: it needs a workload in this test.
    topology.services[0].calls.push("ratings".into());
    let policies = vec![route(to_reviews(), &[(100, Target::service("ratings".into()))])];
    let Some(town) = Town::new(topology, policies, Vec::new()).await else { return };
    assert_eq!(town.client().await.call("r1.1", &[]).await, (200, "ratings-1".into()));
}
