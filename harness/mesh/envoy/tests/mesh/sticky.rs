//! Calls that stick: to an instance, to a version, by user, by header, by cookie, by where they come from.

use crate::town::{Client, Town, id, part, to_reviews, topology};
use squall_model::{Destination, Filter, Fraction, HashKey, Instance, PolicyKind, Stick, Which};
use std::collections::{BTreeMap, BTreeSet};

fn stuck(to: Stick, by: HashKey) -> PolicyKind {
    PolicyKind::Sticky { of: to_reviews(), to, by }
}

/// Where calls with this header go.
async fn homes(client: &mut Client, name: &str, value: &str, calls: usize) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    for n in 0..calls {
        let (status, body) = client.call(&format!("r1.{n}"), &[(name, value)]).await;
        assert_eq!(status, 200);
        seen.insert(body);
    }
    seen
}

#[tokio::test]
async fn the_same_key_leads_to_the_same_instance() {
    let Some(mut town) = Town::new(topology(&[None, None, None]), Vec::new(), Vec::new()).await else { return };
    for (key, header, value) in [
        (HashKey::User, "x-squall-user", |n| format!("user-{n}")),
        (HashKey::Header("x-tenant".into()), "x-tenant", |n| format!("tenant-{n}")),
        (HashKey::Cookie("session".into()), "cookie", |n: u32| format!("theme=dark; session=s{n}")),
    ] as [(HashKey, &str, fn(u32) -> String); 3]
    {
        town.policies(vec![stuck(Stick::Instance, key.clone())]);
        town.configure().await.unwrap();
        let mut client = town.client().await;
        let mut all = BTreeSet::new();
        // A third of the keys at each: that none of 60 is at one of them happens once in 10^10 times.
        for n in 0..60 {
            let seen = homes(&mut client, header, &value(n), 2).await;
            assert_eq!(seen.len(), 1, "{key}: {seen:?}");
            all.extend(seen);
        }
        assert_eq!(all.len(), 3, "{key} spreads them");
    }
}

/// A client's connection to its own proxy has no address: where calls come from is which instance makes them.
#[tokio::test]
async fn each_calling_instance_has_its_own_home() {
    let mut topology = topology(&[None, None, None]);
    topology.services[0].instances = vec![Instance::default(); 2];
    let Some(town) = Town::new(topology, vec![stuck(Stick::Instance, HashKey::SourceAddress)], Vec::new()).await else {
        return;
    };
    for number in 1..=2 {
        let mut client = town.client_of(&id("web", number)).await;
        // Nobody can pass for another.
        let seen = homes(&mut client, "x-squall-source", "forged", 5).await;
        assert_eq!(seen.len(), 1, "web-{number}");
        // What the hash is taken of.
        let served = town.workloads.values().flat_map(|workload| workload.served());
        let sources: BTreeSet<String> = served.map(|one| one.headers["x-squall-source"].clone()).collect();
        assert!(sources.contains(&format!("web-{number}")) && !sources.contains("forged"), "{sources:?}");
    }
}

#[tokio::test]
async fn a_user_stays_on_a_version() {
    let version =
        |share, name: &str| Destination { share: Fraction::percent(share), target: part(Which::Version(name.into())) };
    let split = PolicyKind::Route { of: to_reviews(), to: vec![version(70, "v1"), version(30, "v2")] };
    let policies = vec![split.clone(), stuck(Stick::Version, HashKey::User)];
    let topology = topology(&[Some("v1"), Some("v1"), Some("v2")]);
    let Some(mut town) = Town::new(topology, policies, Vec::new()).await else { return };
    let mut client = town.client().await;
    let mut seen: BTreeMap<bool, usize> = BTreeMap::new();
    let mut spread = BTreeSet::new();
    for n in 0..200 {
        let homes = homes(&mut client, "x-squall-user", &format!("user-{n}"), 4).await;
        let second = homes.contains("reviews-3");
        assert!(!second || homes.len() == 1, "user-{n}: {homes:?}");
        *seen.entry(second).or_default() += 1;
        spread.extend(homes);
    }
    // 60 are expected of a hash that is as good as a draw, with a deviation of 6.5.
    assert!((22..=98).contains(&seen[&true]), "{seen:?}");
    assert_eq!(spread.len(), 3, "and within a version they go round");
    // Without the line each call is drawn for itself.
    town.policies(vec![split]);
    town.configure().await.unwrap();
    let alice = homes(&mut town.client().await, "x-squall-user", "alice", 60).await;
    assert_eq!(alice.len(), 3);
}

/// Stickiness of some calls is theirs: others are drawn.
#[tokio::test]
async fn some_calls_stick_and_others_do_not() {
    let version =
        |share, name: &str| Destination { share: Fraction::percent(share), target: part(Which::Version(name.into())) };
    let split = PolicyKind::Route { of: to_reviews(), to: vec![version(50, "v1"), version(50, "v2")] };
    let filter = Filter { path: Some("/cart".into()), ..Filter::default() };
    let of = squall_model::Calls { filter, ..to_reviews() };
    let sticky = PolicyKind::Sticky { of, to: Stick::Version, by: HashKey::User };
    let Some(town) = Town::new(topology(&[Some("v1"), Some("v2")]), vec![split, sticky], Vec::new()).await else {
        return;
    };
    let mut client = town.client().await;
    for (path, expected) in [("/cart", 1), ("/", 2)] {
        let mut seen = BTreeSet::new();
        for n in 0..40 {
            seen.insert(client.get("reviews", path, &format!("r1.{n}"), &[("x-squall-user", "alice")]).await.1);
        }
        assert_eq!(seen.len(), expected, "{path}");
    }
}
