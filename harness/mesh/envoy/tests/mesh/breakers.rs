//! Breakers, ejection, balancing.

use crate::town::{Client, Town, to_reviews, topology, until};
use squall_mesh_envoy::now;
use squall_model::{Balancer, Fraction, InFlight, PolicyKind, Stamp};
use std::{collections::BTreeMap, time::Duration};

async fn at_once(town: &Town, run: &str, calls: usize) -> BTreeMap<u16, usize> {
    let mut clients: Vec<Client> = Vec::new();
    for _ in 0..calls {
        clients.push(town.client().await);
    }
    let calls = clients.iter_mut().enumerate().map(|(n, client)| async move {
        let id = format!("{run}.{n}");
        client.call(&id, &[]).await.0
    });
    let mut seen = BTreeMap::new();
    for status in futures_util::future::join_all(calls).await {
        *seen.entry(status).or_default() += 1;
    }
    seen
}

#[tokio::test]
async fn tries_beyond_the_limit_are_shed() {
    let limit =
        |at_most| PolicyKind::InFlight { caller: "web".into(), at_most, unit: InFlight::Tries, to: "reviews".into() };
    let Some(mut town) = Town::new(topology(&[None]), vec![limit(5)], Vec::new()).await else { return };
    town.workload("reviews", 1).answer(200, Duration::from_secs(1));
    assert_eq!(at_once(&town, "limited", 20).await, [(200, 5), (503, 15)].into());
    town.policies(vec![limit(5), limit(7)]);
    town.configure().await.unwrap();
    assert_eq!(at_once(&town, "later", 20).await, [(200, 7), (503, 13)].into(), "the later line counts");
    town.policies(Vec::new());
    town.configure().await.unwrap();
    assert_eq!(at_once(&town, "neutral", 20).await, [(200, 20)].into());

    let logged = town.logged("end").await;
    let shed: Vec<_> = logged.access.iter().filter(|r| r.flags == "UO").collect();
    assert_eq!(shed.len(), 28);
    assert!(shed.iter().all(|r| r.attempts == 0 || logged.inbound(&r.id).is_empty()));
}

/// How many instances are ejected now; a gauge that was never used is not told.
async fn ejected(town: &Town) -> u64 {
    let gauge = "cluster.out.reviews.outlier_detection.ejections_active";
    town.counters("web", 1).await.get(gauge).copied().unwrap_or(0)
}

/// Calls until this instance gets no more tries, in spite of round robin, and says when it was last asked. The main thread
/// ejects, and the worker is told a moment later: how many tries that takes is the machine's business.
async fn until_out(town: &Town, client: &mut Client, number: u32) -> Stamp {
    let failing = town.workload("reviews", number);
    let (mut asked, mut quiet) = (now(), 0);
    while quiet < 10 {
        let (before, at) = (failing.served().len(), now());
        client.call("r1.out", &[]).await;
        (asked, quiet) = if failing.served().len() > before { (at, 0) } else { (asked, quiet + 1) };
    }
    asked
}

#[tokio::test]
async fn an_instance_that_fails_is_ejected_and_a_new_run_knows_nothing_of_it() {
    let ejection =
        PolicyKind::Ejection { of: "reviews".into(), lasts: Duration::from_secs(60), after: 3, at_most: Fraction::ALL };
    let Some(mut town) = Town::new(topology(&[None, None]), vec![ejection], Vec::new()).await else { return };
    town.workload("reviews", 2).answer(500, Duration::ZERO);
    let mut client = town.client().await;
    while town.workload("reviews", 2).served().len() < 2 {
        assert_eq!(ejected(&town).await, 0, "two failures are not three");
        client.call("r1.1", &[]).await;
    }
    until_out(&town, &mut client, 2).await;
    assert_eq!(ejected(&town).await, 1);

    // Everything is ejected: there is no panic, and nobody is asked.
    town.workload("reviews", 1).answer(500, Duration::ZERO);
    until("the other one is out too", async || {
        let mut client = town.client().await;
        client.call("r1.probe", &[]).await.0 == 503
    })
    .await;
    let served = town.served("reviews");
    client.call("r1.last", &[]).await;
    assert_eq!(town.served("reviews"), served);
    assert_eq!(town.logged("r1.end").await.outbound("r1.last").flags, "UH");

    for number in [1, 2] {
        town.workload("reviews", number).answer(200, Duration::ZERO);
    }
    town.at.tag = "r2".into();
    town.configure().await.unwrap();
    for n in 0..20 {
        assert_eq!(client.call(&format!("r2.{n}"), &[]).await.0, 200);
    }
    assert_eq!(ejected(&town).await, 0);
}

#[tokio::test]
async fn an_ejection_ends_at_the_next_sweep_and_not_before_its_time() {
    let lasts = Duration::from_millis(500);
    let ejection = PolicyKind::Ejection { of: "reviews".into(), lasts, after: 3, at_most: Fraction::ALL };
    let Some(town) = Town::new(topology(&[None, None]), vec![ejection], Vec::new()).await else { return };
    let failing = town.workload("reviews", 2);
    failing.answer(500, Duration::ZERO);
    let mut client = town.client().await;
    let asked = until_out(&town, &mut client, 2).await;
    let tries = failing.served().len();
    while failing.served().len() == tries {
        client.call("r1.2", &[]).await;
    }
    let back = now().since(asked);
    // Envoy's own sweep comes every 10 s; ours every 0.1 s, and the bound between leaves room for the slowest machine.
    assert!(back >= Duration::from_millis(490) && back < Duration::from_secs(6), "{back:?}");
}

#[tokio::test]
async fn the_algorithm_is_the_one_named() {
    let by = |by| vec![PolicyKind::Balance { of: to_reviews(), by }];
    let Some(mut town) = Town::new(topology(&[None, None, None]), by(Balancer::RingHash), Vec::new()).await else {
        return;
    };
    for balancer in [Balancer::RingHash, Balancer::Maglev] {
        town.policies(by(balancer));
        town.configure().await.unwrap();
        let mut client = town.client().await;
        let mut homes = std::collections::BTreeSet::new();
        for user in 0..60 {
            let user = format!("user-{user}");
            let first = client.call("r1.1", &[("x-squall-user", &user)]).await.1;
            let second = client.call("r1.2", &[("x-squall-user", &user)]).await.1;
            assert_eq!(first, second, "{balancer:?} keeps {user} where it is");
            homes.insert(first);
        }
        assert_eq!(homes.len(), 3, "and spreads users");
    }
    for balancer in [Balancer::Random, Balancer::LeastRequest, Balancer::RoundRobin] {
        town.policies(by(balancer));
        town.configure().await.unwrap();
        let mut client = town.client().await;
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for n in 0..90 {
            *seen.entry(client.call(&format!("r2.{n}"), &[]).await.1).or_default() += 1;
        }
        assert_eq!(seen.len(), 3, "{balancer:?} uses all");
        assert!(balancer != Balancer::RoundRobin || seen.values().all(|n| *n == 30), "{seen:?}");
    }
}

#[tokio::test]
async fn a_limit_on_connections() {
    let limit = PolicyKind::Connections { caller: "web".into(), at_most: 2, waiting: 3, to: "reviews".into() };
    let Some(town) = Town::new(topology(&[None]), vec![limit], Vec::new()).await else { return };
    // A cold pool first: calls wait for their connections.
    while at_once(&town, "warm", 5).await.len() > 1 {}
    town.workload("reviews", 1).answer(200, Duration::from_secs(1));
    let seen = at_once(&town, "limited", 20).await;
    assert_eq!(seen, [(200, 5), (503, 15)].into());
}
