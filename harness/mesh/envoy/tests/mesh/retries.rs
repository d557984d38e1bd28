//! One call, its tries, their limits: what each observer writes down of them.

use crate::town::{Town, to_reviews, topology};
use squall_model::{Fraction, Level, PolicyKind, RetryOn, Traffic, Which};
use std::{collections::BTreeSet, time::Duration};

fn retries(up_to: u32, on: &[RetryOn], elsewhere: bool) -> PolicyKind {
    PolicyKind::Retries { of: to_reviews(), up_to, on: on.to_vec(), elsewhere }
}

fn timeout(level: Level, ms: u64) -> PolicyKind {
    let of = Traffic { share: Fraction::ALL, level, of: to_reviews() };
    PolicyKind::Timeout { of, after: Duration::from_millis(ms) }
}

#[tokio::test]
async fn a_call_leaves_a_line_with_each_observer() {
    let Some(town) = Town::new(topology(&[None, None]), Vec::new(), Vec::new()).await else { return };
    let began = squall_mesh_envoy::now();
    town.workload("reviews", 1).answer(200, Duration::from_millis(20));
    town.workload("reviews", 2).answer(200, Duration::from_millis(20));
    let (status, body) = town.client().await.call("r1.7", &[("x-squall-caller", "forged")]).await;
    let ended = squall_mesh_envoy::now();
    assert_eq!(status, 200);

    let logged = town.logged("end").await;
    let call = logged.outbound("r1.7");
    assert_eq!((call.attempts, call.status, call.flags.as_str(), call.details.as_str()), (1, 200, "-", "via_upstream"));
    assert_eq!(call.upstream.as_ref().unwrap().to_string(), body);
    let [sent] = logged.tries("r1.7")[..] else { panic!("one try") };
    assert_eq!((sent.attempt, sent.status, sent.flags.as_str()), (1, 200, "-"));
    assert_eq!(sent.upstream, call.upstream);
    let [arrived] = logged.inbound("r1.7")[..] else { panic!("one arrives") };
    assert_eq!((arrived.attempts, arrived.status, arrived.caller.as_str()), (1, 200, "web"));
    assert_eq!(arrived.proxy.to_string(), body);
    let served = town.workloads[&arrived.proxy].served();
    assert_eq!((served[0].id.as_str(), served[0].attempt.as_str(), served[0].caller.as_str()), ("r1.7", "1", "web"));

    // Wall clocks are read to a microsecond and mapped by an offset: a millisecond of slack is plenty.
    let slack = Duration::from_millis(1);
    for (at, took) in [(call.began, call.took), (sent.began, sent.took), (arrived.began, arrived.took)] {
        assert!(at + slack >= began && at <= ended + slack, "{at:?} of {began:?} to {ended:?}");
        assert!(took >= 18_000_000 && u128::from(took) <= ended.since(began).as_nanos() + slack.as_nanos(), "{took}");
    }
}

#[tokio::test]
async fn a_client_cannot_have_more_than_the_policy_says() {
    let Some(town) = Town::new(topology(&[None]), Vec::new(), Vec::new()).await else { return };
    town.workload("reviews", 1).answer(503, Duration::ZERO);
    let forged = [("x-envoy-max-retries", "5"), ("x-envoy-retry-on", "5xx"), ("x-envoy-attempt-count", "4")];
    let (status, _) = town.client().await.call("r1.1", &forged).await;
    assert_eq!((status, town.served("reviews")), (503, 1));
    assert_eq!(town.workload("reviews", 1).served()[0].attempt, "1");
}

#[tokio::test]
async fn two_retries_are_three_tries() {
    let policy = retries(2, &[RetryOn::FiveHundreds], false);
    let Some(town) = Town::new(topology(&[None, None]), vec![policy], Vec::new()).await else { return };
    for number in [1, 2] {
        town.workload("reviews", number).answer(503, Duration::ZERO);
    }
    let (status, _) = town.client().await.call("r1.1", &[]).await;
    assert_eq!((status, town.served("reviews")), (503, 3));
    let logged = town.logged("end").await;
    assert_eq!((logged.outbound("r1.1").attempts, logged.outbound("r1.1").flags.as_str()), (3, "URX"));
    let sent: Vec<_> = logged.tries("r1.1").iter().map(|t| (t.attempt, t.status)).collect();
    assert_eq!(sent, [(1, 503), (2, 503), (3, 503)]);
    let arrived: BTreeSet<_> = logged.inbound("r1.1").iter().map(|t| t.attempts).collect();
    assert_eq!(arrived, BTreeSet::from([1, 2, 3]));
    assert_eq!(town.counters("web", 1).await["cluster.out.reviews.upstream_rq_total"], 3);
}

#[tokio::test]
async fn only_the_named_status_is_retried_and_on_other_instances() {
    let policy = retries(2, &[RetryOn::Status(502)], true);
    let Some(town) = Town::new(topology(&[None, None, None]), vec![policy], Vec::new()).await else { return };
    for (number, status) in [(1, 502), (2, 502), (3, 200)] {
        town.workload("reviews", number).answer(status, Duration::ZERO);
    }
    let mut client = town.client().await;
    for n in 0..30 {
        assert_eq!(client.call(&format!("r1.{n}"), &[]).await, (200, "reviews-3".into()));
    }
    let logged = town.logged("end").await;
    for n in 0..30 {
        let tries = logged.tries(&format!("r1.{n}"));
        let hosts: BTreeSet<_> = tries.iter().map(|t| t.upstream.clone()).collect();
        assert_eq!(hosts.len(), tries.len(), "each on another instance");
    }
    town.workload("reviews", 3).answer(503, Duration::ZERO);
    town.workload("reviews", 1).answer(503, Duration::ZERO);
    town.workload("reviews", 2).answer(503, Duration::ZERO);
    let before = town.served("reviews");
    client.call("r1.x", &[]).await;
    assert_eq!(town.served("reviews"), before + 1, "503 is not 502");
}

#[tokio::test]
async fn a_limit_of_the_call_and_one_of_the_try() {
    let policies = vec![retries(2, &[RetryOn::FiveHundreds], false), timeout(Level::Tries, 250)];
    let Some(mut town) = Town::new(topology(&[None]), policies, Vec::new()).await else { return };
    town.workload("reviews", 1).answer(200, Duration::from_secs(5));
    assert_eq!(town.client().await.call("r1.tries", &[]).await.0, 504);
    assert_eq!(town.served("reviews"), 3);

    town.policies(vec![timeout(Level::Calls, 250)]);
    town.configure().await.unwrap();
    assert_eq!(town.client().await.call("r1.call", &[]).await.0, 504);

    // A limit of the tries alone, without any retries.
    town.policies(vec![timeout(Level::Tries, 250)]);
    town.configure().await.unwrap();
    assert_eq!(town.client().await.call("r1.alone", &[]).await.0, 504);

    let logged = town.logged("end").await;
    let flags: Vec<_> = logged.tries("r1.tries").iter().map(|t| t.flags.clone()).collect();
    assert_eq!(flags, ["UT", "UT", "UT"]);
    let call = logged.outbound("r1.tries");
    assert_eq!((call.attempts, call.flags.as_str(), call.details.as_str()), (3, "URX,UT", "upstream_per_try_timeout"));
    let call = logged.outbound("r1.call");
    assert_eq!((call.attempts, call.flags.as_str(), call.details.as_str()), (1, "UT", "response_timeout"));
    let call = logged.outbound("r1.alone");
    assert_eq!((call.attempts, call.flags.as_str(), call.details.as_str()), (1, "UT", "upstream_per_try_timeout"));
}

#[tokio::test]
async fn without_a_policy_nothing_is_limited_or_repeated() {
    let Some(town) = Town::new(topology(&[None]), Vec::new(), Vec::new()).await else { return };
    // Longer than the idle and request timeouts that a test could wait for; Envoy's own defaults show in the dump.
    town.workload("reviews", 1).answer(503, Duration::from_millis(300));
    assert_eq!(town.client().await.call("r1.1", &[]).await.0, 503);
    assert_eq!(town.served("reviews"), 1);
    assert_eq!(town.logged("end").await.outbound("r1.1").flags, "-");
}

#[tokio::test]
async fn a_retry_budget_suppresses_retries() {
    let budget = PolicyKind::RetryBudget { of: to_reviews(), share: Fraction::percent(1), at_least: 1 };
    let policies = vec![retries(3, &[RetryOn::FiveHundreds], false), budget];
    let Some(mut town) = Town::new(topology(&[None]), policies, Vec::new()).await else { return };
    town.workload("reviews", 1).answer(503, Duration::from_millis(300));
    let mut clients = Vec::new();
    for _ in 0..10 {
        clients.push(town.client().await);
    }
    let all = |clients: Vec<crate::town::Client>, run: &'static str| async move {
        let calls = clients.into_iter().enumerate().map(|(n, mut client)| async move {
            client.call(&format!("{run}.{n}"), &[]).await;
            client
        });
        futures_util::future::join_all(calls).await
    };
    let clients = all(clients, "r1").await;
    let with = town.served("reviews");
    assert!((10..30).contains(&with), "about one retry in flight at a time: {with} tries");
    town.policies(vec![retries(3, &[RetryOn::FiveHundreds], false)]);
    town.configure().await.unwrap();
    all(clients, "r2").await;
    assert_eq!(town.served("reviews") - with, 40, "neutral is no limit, not Envoy's three");
}

/// A fifth of the tries in flight, retries among them, may be retries: 1.25 tries for each call, where no limit gives 4.
#[tokio::test]
async fn a_retry_budget_is_a_share_of_the_tries_in_flight() {
    let budget = PolicyKind::RetryBudget { of: to_reviews(), share: Fraction::percent(20), at_least: 1 };
    let policies = vec![retries(3, &[RetryOn::FiveHundreds], false), budget];
    let Some(town) = Town::new(topology(&[None]), policies, Vec::new()).await else { return };
    town.workload("reviews", 1).answer(503, Duration::from_millis(50));
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(town.client().await);
    }
    let calls = clients.iter_mut().enumerate().map(|(n, client)| async move {
        for call in 0..15 {
            client.call(&format!("r1.{n}.{call}"), &[]).await;
        }
    });
    futures_util::future::join_all(calls).await;
    let tries = town.served("reviews");
    assert!(tries > 300 && tries < 450, "{tries} tries for 300 calls");
    assert!(town.counters("web", 1).await["cluster.out.reviews.upstream_rq_retry_overflow"] > 0);
}

/// Not a promise of the port, but what the names in this file rest on.
#[test]
fn which_part_is_which() {
    assert_eq!(crate::town::part(Which::First(2)).instances(&topology(&[None, None, None])).len(), 2);
}
