//! Limits of time that go on: deadlines that are kept, and silences.

use crate::town::{Client, Town, id, to_reviews, topology};
use squall_mesh_envoy::now;
use squall_model::{Calls, Filter, Fraction, Level, PolicyKind, RetryOn, Service, Target, Topology, Traffic};
use std::time::Duration;

const REST: &str = "x-envoy-expected-rq-timeout-ms";

/// `web` calls `reviews`, which calls `ratings`.
fn chain() -> Topology {
    let mut topology = topology(&[None]);
    topology.services[1].calls = vec!["ratings".into()];
    topology.services.push(Service::new("ratings".into()));
    topology
}

fn limit(service: &str, ms: u64) -> PolicyKind {
    let of = Calls { to: Some(Target::service(service.into())), ..Calls::default() };
    PolicyKind::Timeout {
        of: Traffic { share: Fraction::ALL, level: Level::Calls, of },
        after: Duration::from_millis(ms),
    }
}

fn kept(filter: Filter) -> PolicyKind {
    PolicyKind::KeepDeadline { of: Calls { filter, ..to_reviews() } }
}

/// What the workload of `reviews` was told of the time that is left, try by try.
fn told(town: &Town) -> Vec<Option<u64>> {
    let served = town.workload("reviews", 1).served();
    served.iter().map(|served| served.headers.get(REST).map(|rest| rest.parse().unwrap())).collect()
}

/// An onward call, as a workload makes it that has so much time left.
async fn onward(client: &mut Client, name: &str, rest: &str) -> (u16, Duration) {
    let began = now();
    let (status, _) = client.get("ratings", "/", name, &[("grpc-timeout", rest)]).await;
    (status, now().since(began))
}

#[tokio::test]
async fn a_workload_is_told_what_is_left_of_the_time() {
    let retries = PolicyKind::Retries { of: to_reviews(), up_to: 1, on: vec![RetryOn::FiveHundreds], elsewhere: false };
    let policies = vec![limit("reviews", 5_000), retries, kept(Filter::default())];
    let Some(mut town) = Town::new(chain(), policies, Vec::new()).await else { return };
    town.workload("reviews", 1).answer(503, Duration::from_millis(200));
    town.client().await.call("r1.1", &[(REST, "7")]).await;
    let [Some(first), Some(second)] = told(&town)[..] else { panic!("{:?}", told(&town)) };
    assert!(first <= 5_000 && second + 150 <= first, "{first} ms, then {second} ms");

    // Nobody's deadline is kept: nobody is told of one.
    town.policies(vec![limit("reviews", 5_000)]);
    town.configure().await.unwrap();
    town.client().await.call("r1.2", &[]).await;
    assert_eq!(told(&town)[2..], [None]);
    // That of some calls: only those.
    let gold = Filter { header: Some(("x-tier".into(), "gold".into())), ..Filter::default() };
    town.policies(vec![limit("reviews", 5_000), kept(gold)]);
    town.configure().await.unwrap();
    let mut client = town.client().await;
    client.call("r1.3", &[]).await;
    client.call("r1.4", &[("x-tier", "gold")]).await;
    assert_eq!(told(&town)[3..].iter().map(Option::is_some).collect::<Vec<_>>(), [false, true]);
}

#[tokio::test]
async fn an_onward_call_ends_with_the_deadline_of_the_call_that_it_is_made_for() {
    let Some(mut town) = Town::new(chain(), vec![kept(Filter::default())], Vec::new()).await else { return };
    town.workload("ratings", 1).answer(200, Duration::from_secs(3));
    let mut client = town.client_of(&id("reviews", 1)).await;
    let (status, took) = onward(&mut client, "bound", "300m").await;
    assert!(status == 504 && took >= Duration::from_millis(290), "{status} after {took:?}");
    assert_eq!(client.get("ratings", "/", "free", &[]).await.0, 200, "without a deadline there is no limit");

    // Its own limit holds beside the deadline: whichever is over first.
    town.policies(vec![kept(Filter::default()), limit("ratings", 300)]);
    town.configure().await.unwrap();
    for (name, rest) in [("own", "9000m"), ("none", "")] {
        let began = now();
        let headers = [("grpc-timeout", rest)];
        let status = client.get("ratings", "/", name, &headers[..usize::from(!rest.is_empty())]).await.0;
        let took = now().since(began);
        assert!(status == 504 && took >= Duration::from_millis(290), "{name}: {status} after {took:?}");
    }
    assert_eq!(onward(&mut client, "sooner", "50m").await.0, 504);
    // Neutral: nothing is bounded, whatever a workload passes on.
    town.policies(Vec::new());
    town.configure().await.unwrap();
    town.workload("ratings", 1).answer(200, Duration::from_millis(300));
    assert_eq!(onward(&mut client, "neutral", "50m").await.0, 200);

    let logged = town.logged("end").await;
    for name in ["bound", "own", "none", "sooner"] {
        let call = logged.outbound(name);
        assert_eq!((call.details.as_str(), call.flags.as_str()), ("max_duration_timeout", "-"), "{name}");
        assert_eq!(call.attempts, 1);
    }
}

fn silence(level: Level, ms: u64) -> PolicyKind {
    PolicyKind::IdleTimeout {
        of: Traffic { share: Fraction::ALL, level, of: to_reviews() },
        after: Duration::from_millis(ms),
    }
}

#[tokio::test]
async fn a_call_ends_that_is_silent_for_too_long() {
    let Some(mut town) = Town::new(topology(&[None]), vec![silence(Level::Calls, 300)], Vec::new()).await else {
        return;
    };
    let mut client = town.client().await;
    town.workload("reviews", 1).answer(200, Duration::from_secs(3));
    assert_eq!(client.call("mute", &[]).await.0, 504);
    town.workload("reviews", 1).stall();
    let (status, body) = client.call("stall", &[]).await;
    assert_eq!((status, body.as_str()), (200, "reviews-1"), "it broke off before its last byte");
    // A silence of each try is one of its own, and is retried.
    let retries = PolicyKind::Retries { of: to_reviews(), up_to: 1, on: vec![RetryOn::FiveHundreds], elsewhere: false };
    town.policies(vec![silence(Level::Tries, 300), retries]);
    town.configure().await.unwrap();
    town.workload("reviews", 1).answer(200, Duration::from_secs(3));
    assert_eq!(client.call("tries", &[]).await.0, 504);
    // Neutral: none is too long.
    town.policies(Vec::new());
    town.configure().await.unwrap();
    town.workload("reviews", 1).answer(200, Duration::from_millis(600));
    assert_eq!(client.call("neutral", &[]).await.0, 200);

    let logged = town.logged("end").await;
    let seen = |name: &str| {
        let call = logged.outbound(name);
        (call.flags.clone(), call.details.clone(), call.attempts)
    };
    let expected = |flags: &str, details: &str, tries| (flags.to_owned(), details.to_owned(), tries);
    assert_eq!(seen("mute"), expected("SI", "stream_idle_timeout", 1));
    assert_eq!(seen("stall"), expected("SI", "stream_idle_timeout", 1));
    assert_eq!(seen("tries"), expected("URX,UT", "upstream_per_try_idle_timeout", 2));
}
