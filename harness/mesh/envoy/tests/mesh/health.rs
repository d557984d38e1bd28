//! Checks, ejections, panic: whom a caller's proxy takes for healthy, and what it writes down of that.

use crate::{
    http2::Says,
    town::{Client, Town, id, to_reviews, topology, touch, until},
    workload::HEALTH,
};
use nix::sys::signal::Signal;
use squall_model::{
    AnswerCode, Condition, Fraction, Instance, Level, PolicyKind, Probe, Protocol, Side, StateRecord, Touch,
};
use std::{collections::BTreeSet, time::Duration};

const OFTEN: Duration = Duration::from_millis(50);

/// Where one failure would do, a check that comes late on a busy machine would do, too.
fn checked(by: Probe, out_after: u32, back_after: u32) -> PolicyKind {
    PolicyKind::Check { of: "reviews".into(), every: OFTEN, by, out_after, back_after }
}

fn by_http() -> Probe {
    Probe::Http(HEALTH.into())
}

fn ejected(lasts: Duration, at_most: Fraction) -> PolicyKind {
    PolicyKind::Ejection { of: "reviews".into(), lasts, after: 3, at_most }
}

/// Whom some calls in a row reach; statuses of those that reach nobody.
async fn reached(client: &mut Client, calls: usize) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    for n in 0..calls {
        let (status, body) = client.call(&format!("reach.{n}"), &[]).await;
        seen.insert(if status == 200 { body } else { status.to_string() });
    }
    seen
}

async fn until_reached(town: &Town, wanted: &[&str]) {
    let wanted: BTreeSet<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
    let what = format!("calls reach {wanted:?}");
    until(&what, async || reached(&mut town.client().await, 6).await == wanted).await;
}

/// Waits until `web-1` has said this of an instance. The very first check may have come before the instance's proxy knew its
/// routes, and have failed: who is well from the beginning may have been out before.
async fn until_said(town: &Town, number: u32, what: Condition, wanted: &[bool]) {
    let early = [&[true][..], wanted].concat();
    let is_said = |said: &[bool]| said == wanted || (what == Condition::Unhealthy && !wanted[0] && said == early);
    until(&format!("{what:?} of {number} is {wanted:?}"), async || is_said(&said(town, number, what))).await;
}

/// What `web-1` says of an instance, in order: true where a state begins.
fn said(town: &Town, number: u32, what: Condition) -> Vec<bool> {
    let of = id("reviews", number);
    let states = town.states(&id("web", 1)).into_iter().filter(|state| state.of == of && state.what == what);
    states.map(|state| state.begins).collect()
}

#[tokio::test]
async fn an_instance_that_fails_its_checks_is_out_and_comes_back() {
    let Some(town) = Town::new(topology(&[None, None]), vec![checked(by_http(), 2, 2)], Vec::new()).await else {
        return;
    };
    // In force means checked: nobody is out at the beginning.
    assert_eq!(reached(&mut town.client().await, 4).await.len(), 2);
    let began = squall_mesh_envoy::now();
    town.workload("reviews", 2).health(503);
    until_reached(&town, &["reviews-1"]).await;
    let out = squall_mesh_envoy::now();
    town.workload("reviews", 2).health(200);
    until_reached(&town, &["reviews-1", "reviews-2"]).await;

    until_said(&town, 2, Condition::Unhealthy, &[false, true, false]).await;
    until_said(&town, 1, Condition::Unhealthy, &[false]).await;
    // The last: what came before may be that very first check.
    let states = town.states(&id("web", 1));
    let failed = states.iter().rfind(|state| state.begins && state.of == id("reviews", 2)).unwrap();
    let slack = Duration::from_millis(2);
    assert!(began <= failed.at + slack && failed.at <= out + slack, "{began:?} {failed:?} {out:?}");
}

/// A failure too few: Envoy's own counting takes a status that is not expected for final.
#[tokio::test]
async fn failures_of_checks_are_counted() {
    let Some(town) = Town::new(topology(&[None]), vec![checked(by_http(), 1000, 1)], Vec::new()).await else { return };
    let before = town.workload("reviews", 1).checked();
    town.workload("reviews", 1).health(500);
    until("it has failed three times", async || town.workload("reviews", 1).checked() > before + 3).await;
    assert_eq!(reached(&mut town.client().await, 2).await, ["reviews-1".to_owned()].into());
    until_said(&town, 1, Condition::Unhealthy, &[false]).await;
}

#[tokio::test]
async fn checks_are_no_tries_and_faults_on_tries_are_not_for_them() {
    let faults = vec![touch(100, Level::Tries, to_reviews(), Touch::Abort(AnswerCode::Status(503)))];
    let Some(town) = Town::new(topology(&[None]), vec![checked(by_http(), 3, 1)], faults).await else { return };
    town.arm(&[0]).await;
    let before = town.workload("reviews", 1).checked();
    until("it is checked", async || town.workload("reviews", 1).checked() > before + 3).await;
    let mut client = town.client().await;
    for n in 0..5 {
        assert_eq!(client.call(&format!("r1.{n}"), &[]).await.0, 503);
    }
    until_said(&town, 1, Condition::Unhealthy, &[false]).await;
    let logged = town.logged("end").await;
    let inbound: Vec<_> = logged.access.iter().filter(|r| r.side == Side::Inbound).collect();
    assert!(inbound.iter().all(|r| r.caller == "web" && r.id.starts_with("r1.")), "{inbound:?}");
    let flagged = inbound.iter().filter(|r| r.flags == "FI").count() as u64;
    assert_eq!(flagged, 5);
    assert_eq!(town.counters("reviews", 1).await["http.in.fault.aborts_injected"], flagged);
    assert_eq!(
        town.counters("web", 1).await["cluster.out.reviews.upstream_rq_total"],
        5,
        "checks are not counted either"
    );
}

#[tokio::test]
async fn checks_by_connection_notice_who_is_dead_and_no_more() {
    let Some(mut town) = Town::new(topology(&[None, None]), vec![checked(Probe::Tcp, 3, 1)], Vec::new()).await else {
        return;
    };
    town.workload("reviews", 1).health(500);
    assert_eq!(reached(&mut town.client().await, 4).await.len(), 2);
    town.kill(&id("reviews", 2)).await;
    until_reached(&town, &["reviews-1"]).await;
    until_said(&town, 2, Condition::Unhealthy, &[false, true]).await;
    until_said(&town, 1, Condition::Unhealthy, &[false]).await;
    assert_eq!(town.workload("reviews", 1).checked(), 0);
}

#[tokio::test]
async fn checks_by_grpc() {
    let mut topology = topology(&[None, None]);
    topology.services[1].protocol = Protocol::Grpc;
    let Some(town) = Town::new(topology, vec![checked(Probe::Grpc, 3, 1)], Vec::new()).await else { return };
    town.http2[&id("reviews", 2)].says(Says::Grpc(7, 1));
    town.http2[&id("reviews", 1)].serving(false);
    let client = town.http2_client().await;
    until("only the other one is called", async || {
        let (one, two) = (client.grpc("a", &[]).await, client.grpc("b", &[]).await);
        (one.grpc, two.grpc) == (Some(7), Some(7))
    })
    .await;
    assert!(town.http2[&id("reviews", 1)].checked() > 0);
    until_said(&town, 1, Condition::Unhealthy, &[false, true]).await;
    // Checks leave no line behind that could be taken for a try's.
    let logged = town.logged("end").await;
    assert!(logged.access.iter().all(|r| r.id == "a" || r.id == "b"), "{:?}", logged.access);
}

#[tokio::test]
async fn checks_that_are_not_answered_fail() {
    let Some(town) = Town::new(topology(&[None, None]), vec![checked(by_http(), 2, 1)], Vec::new()).await else {
        return;
    };
    town.signal(&id("reviews", 2), Signal::SIGSTOP);
    until_said(&town, 2, Condition::Unhealthy, &[false, true]).await;
    town.signal(&id("reviews", 2), Signal::SIGCONT);
    until_reached(&town, &["reviews-1", "reviews-2"]).await;
}

/// Whoever is down when checks begin stays out, and is not waited for longer than it would take to come back.
#[tokio::test]
async fn a_change_is_in_force_though_an_instance_is_down() {
    let Some(mut town) = Town::new(topology(&[None, None]), Vec::new(), Vec::new()).await else { return };
    town.workload("reviews", 2).health(500);
    town.policies(vec![checked(by_http(), 1, 2)]);
    let confirmed = town.configure().await.unwrap();
    assert!(confirmed.acked <= confirmed.effective);
    assert_eq!(reached(&mut town.client().await, 6).await, ["reviews-1".to_owned()].into());
    until_said(&town, 2, Condition::Unhealthy, &[true]).await;
}

#[tokio::test]
async fn who_comes_is_called_once_it_has_passed_and_who_goes_is_gone() {
    let Some(mut town) = Town::new(topology(&[None]), vec![checked(by_http(), 1, 1)], Vec::new()).await else { return };
    town.boot(&[id("reviews", 2)]).await;
    town.plan.topology.services[1].instances.push(Instance::default());
    town.configure().await.unwrap();
    assert_eq!(reached(&mut town.client().await, 4).await.len(), 2);
    town.plan.topology.services[1].instances.pop();
    town.configure().await.unwrap();
    assert_eq!(reached(&mut town.client().await, 4).await, ["reviews-1".to_owned()].into(), "though it still passes");
}

#[tokio::test]
async fn ejections_are_written_down_and_a_check_that_passes_ends_none() {
    let policies = vec![ejected(Duration::from_secs(60), Fraction::ALL), checked(by_http(), 1, 1)];
    let Some(mut town) = Town::new(topology(&[None, None]), policies, Vec::new()).await else { return };
    town.workload("reviews", 2).answer(500, Duration::ZERO);
    until_reached(&town, &["reviews-1"]).await;
    let before = town.workload("reviews", 2).checked();
    until("it has passed meanwhile", async || town.workload("reviews", 2).checked() > before + 3).await;
    assert_eq!(reached(&mut town.client().await, 4).await, ["reviews-1".to_owned()].into());
    until_said(&town, 2, Condition::Ejected, &[true]).await;
    until_said(&town, 2, Condition::Unhealthy, &[false]).await;

    town.workload("reviews", 2).answer(500, Duration::ZERO);
    town.policies(vec![ejected(Duration::from_millis(300), Fraction::ALL)]);
    town.at.tag = "r2".into();
    town.configure().await.unwrap();
    let ends = async || {
        drop(reached(&mut town.client().await, 2).await);
        let states: Vec<StateRecord> = town.states(&id("web", 1));
        states.iter().filter(|state| state.what == Condition::Ejected && !state.begins).count() >= 2
    };
    until("ejections end, and begin anew", ends).await;
    let ejections: Vec<StateRecord> =
        town.states(&id("web", 1)).into_iter().filter(|state| state.what == Condition::Ejected).collect();
    // The first is the one that a new run's cluster forgot.
    let lasted: Vec<Duration> = ejections[1..].chunks_exact(2).map(|pair| pair[1].at.since(pair[0].at)).collect();
    assert!(ejections[1..].chunks_exact(2).all(|pair| pair[0].begins && !pair[1].begins), "{ejections:?}");
    // The second is twice as long. Logs have milliseconds.
    for (n, time) in (1u32..).zip(&lasted) {
        assert!(*time >= Duration::from_millis(299) * n, "{lasted:?}");
    }
}

#[tokio::test]
async fn below_the_threshold_everybody_is_called() {
    let panic = PolicyKind::Panic { of: "reviews".into(), below: Fraction::percent(60) };
    let policies = vec![checked(by_http(), 1, 1), panic];
    let Some(mut town) = Town::new(topology(&[None, None]), policies, Vec::new()).await else { return };
    town.workload("reviews", 2).health(500);
    until("it is out", async || said(&town, 2, Condition::Unhealthy).last() == Some(&true)).await;
    until_reached(&town, &["reviews-1", "reviews-2"]).await;
    assert!(town.counters("web", 1).await["cluster.out.reviews.lb_healthy_panic"] > 0);
    // Half of them is not below 40 %.
    town.policies(vec![
        checked(by_http(), 1, 1),
        PolicyKind::Panic { of: "reviews".into(), below: Fraction::percent(40) },
    ]);
    town.configure().await.unwrap();
    until_reached(&town, &["reviews-1"]).await;
}
