//! What Envoy does by itself where a scenario keeps its own defaults: the surprises that neutral clusters are spared.

use crate::town::{Client, Town, id, to_reviews, topology};
use squall_mesh_envoy::now;
use squall_model::{Condition, Fraction, PolicyKind, RetryOn, Stamp, StateRecord, Topology};
use std::time::Duration;

fn keeping_its_own(instances: usize) -> Topology {
    Topology { own_defaults: vec![to_reviews()], ..topology(&vec![None; instances]) }
}

fn ejections(town: &Town) -> Vec<StateRecord> {
    town.states(&id("web", 1)).into_iter().filter(|state| state.what == Condition::Ejected).collect()
}

/// Calls until the proxy has said so much of ejections; when instance 2 was last asked.
async fn until_said(town: &Town, client: &mut Client, changes: usize) -> Option<Stamp> {
    let failing = town.workload("reviews", 2);
    let (mut asked, by) = (None, crate::town::soon());
    while ejections(town).len() < changes {
        let (before, at) = (failing.served().len(), now());
        client.call("r1.x", &[]).await;
        asked = if failing.served().len() > before { Some(at) } else { asked };
        assert!(now() < by, "{:?}", ejections(town));
    }
    asked
}

/// The second ejection follows the end of the first within Envoy's `update_merge_window` of 1 s: its workers learn of it when
/// that is over, and go on asking.
#[tokio::test]
async fn a_second_ejection_comes_a_second_late() {
    let lasts = Duration::from_millis(1_300);
    let ejection = PolicyKind::Ejection { of: "reviews".into(), lasts, after: 3, at_most: Fraction::percent(99) };
    let Some(town) = Town::new(keeping_its_own(2), vec![ejection], Vec::new()).await else { return };
    town.workload("reviews", 2).answer(500, Duration::ZERO);
    let mut client = town.client().await;
    until_said(&town, &mut client, 3).await;
    let second = ejections(&town)[2].clone();
    assert!(second.begins);
    // It is ejected; and half a second later it is still asked.
    let by = second.at + Duration::from_millis(500);
    let failing = town.workload("reviews", 2);
    while now() < by {
        client.call("r1.y", &[]).await;
    }
    let before = failing.served().len();
    while failing.served().len() == before {
        client.call("r1.z", &[]).await;
        assert!(ejections(&town).len() == 3, "it is asked before its ejection ends");
    }
}

#[tokio::test]
async fn at_most_three_retries_at_once() {
    let retries = PolicyKind::Retries { of: to_reviews(), up_to: 3, on: vec![RetryOn::FiveHundreds], elsewhere: false };
    let Some(town) = Town::new(keeping_its_own(1), vec![retries], Vec::new()).await else { return };
    town.workload("reviews", 1).answer(503, Duration::from_millis(300));
    let mut clients = Vec::new();
    for _ in 0..10 {
        clients.push(town.client().await);
    }
    let calls = clients.iter_mut().map(|client| client.call("r1.x", &[]));
    futures_util::future::join_all(calls).await;
    assert!(town.served("reviews") < 40, "{} tries of ten calls with three retries each", town.served("reviews"));
    assert!(town.counters("web", 1).await["cluster.out.reviews.upstream_rq_retry_overflow"] > 0);
}

/// With 10 % as the most that may be ejected nobody of three is.
#[tokio::test]
async fn nobody_of_a_few_is_ejected_unless_a_limit_is_said() {
    let ejection =
        PolicyKind::Ejection { of: "reviews".into(), lasts: Duration::from_secs(9), after: 2, at_most: Fraction::ALL };
    let Some(town) = Town::new(keeping_its_own(3), vec![ejection], Vec::new()).await else { return };
    town.workload("reviews", 2).answer(500, Duration::ZERO);
    let mut client = town.client().await;
    for n in 0..30 {
        client.call(&format!("r1.{n}"), &[]).await;
    }
    assert_eq!(town.workload("reviews", 2).served().len(), 10);
    assert!(town.counters("web", 1).await["cluster.out.reviews.outlier_detection.ejections_overflow"] > 0);
    assert_eq!(ejections(&town), []);
}
