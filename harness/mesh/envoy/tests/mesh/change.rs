//! Changes while proxies live: rejections, growth, a control plane that dies, other runs.

use crate::town::{Town, id, part, plan, to_reviews, topology, touch, until};
use crate::workload::Workload;
use squall_mesh::{Bindings, Desired, Endpoint, Mesh, MeshError, MeshEvent};
use squall_mesh_envoy::now;
use squall_mesh_proxy::render::{Action, Config, Forward, VirtualHost};
use squall_model::{AnswerCode, Destination, FaultId, Fraction, Instance, Level, PolicyKind, RetryOn, Touch, Which};
use std::time::Duration;

fn retries(up_to: u32) -> PolicyKind {
    PolicyKind::Retries { of: to_reviews(), up_to, on: vec![RetryOn::FiveHundreds], elsewhere: false }
}

/// What each listener answers when it is asked for its version.
async fn versions(town: &Town) -> Vec<String> {
    let mut all = Vec::new();
    for caller in [id("web", 1), id("reviews", 1)] {
        all.push(town.client_of(&caller).await.get("squall.probe", "/version", "x", &[]).await.1);
    }
    all
}

#[tokio::test]
async fn a_rejection_is_told_in_the_proxys_words_and_taken_back_everywhere() {
    let Some(mut town) = Town::new(topology(&[None]), vec![retries(2)], Vec::new()).await else { return };
    let before = versions(&town).await;
    let web = town.at.seats[&id("web", 1)].node.clone();
    let want = Desired { topology: &town.plan.topology, policies: Vec::new(), faults: &[] };
    let next_run = Bindings { tag: "r2".into(), ..town.at.clone() };
    let good = town.mesh.render(&want, &next_run).unwrap();
    let hosts_of = |config: &mut Config| std::mem::take(&mut config.proxies.get_mut(&web).unwrap().outbound.hosts);

    // Two virtual hosts of one domain: Envoy's own rule, which no type of ours forbids.
    let mut twice = good.clone();
    let mut hosts = hosts_of(&mut twice);
    hosts.push(VirtualHost { name: "twice".into(), ..hosts[1].clone() });
    twice.proxies.get_mut(&web).unwrap().outbound.hosts = hosts;
    // A route to a cluster that is not there.
    let mut astray = good.clone();
    let mut hosts = hosts_of(&mut astray);
    let Action::Forward(Forward { legs, .. }) = &mut hosts[1].routes[0].then else { panic!("forwarded") };
    legs[0].cluster = "out.nowhere".into();
    astray.proxies.get_mut(&web).unwrap().outbound.hosts = hosts;

    for (wrong, word) in [(twice, "domain"), (astray, "unknown cluster 'out.nowhere'")] {
        let refused = town.mesh.apply(&wrong, &next_run, crate::town::soon()).await.unwrap_err();
        let MeshError::Rejected { instance, words } = refused else { panic!("{refused}") };
        assert_eq!(instance, "web-1");
        assert!(words.to_lowercase().contains(word), "{words}");
        assert!(town.mesh.events().iter().any(|e| matches!(e, MeshEvent::Rejected { node, .. } if *node == web)));
        // Who liked the new state is back in the old one, too.
        until("everybody has what was good before", async || versions(&town).await == before).await;
    }
    town.workload("reviews", 1).answer(503, Duration::ZERO);
    town.client().await.call("r1.1", &[]).await;
    assert_eq!(town.served("reviews"), 3);
    town.policies(vec![retries(1)]);
    town.configure().await.unwrap();
    town.client().await.call("r1.2", &[]).await;
    assert_eq!(town.served("reviews"), 3 + 2);
}

#[tokio::test]
async fn a_change_is_in_force_once_it_is_confirmed() {
    let Some(mut town) = Town::new(topology(&[None]), Vec::new(), Vec::new()).await else { return };
    town.workload("reviews", 1).answer(503, Duration::ZERO);
    let mut client = town.client().await;
    for round in 0..20 {
        let more = round % 3;
        town.policies(if more == 0 { Vec::new() } else { vec![retries(more)] });
        let asked = now();
        let confirmed = town.configure().await.unwrap();
        assert!(asked <= confirmed.acked && confirmed.acked <= confirmed.effective);
        assert!(confirmed.last_old <= confirmed.effective);
        let before = town.served("reviews");
        client.call(&format!("r1.{round}"), &[]).await;
        assert_eq!(town.served("reviews") - before, more as usize + 1, "a connection that was open already");
    }
}

#[tokio::test]
async fn growth_reaches_the_callers_and_shrinking_too() {
    let Some(mut town) = Town::new(topology(&[None]), Vec::new(), Vec::new()).await else { return };
    let mut client = town.client().await;
    town.boot(&[id("reviews", 2)]).await;
    town.plan.topology.services[1].instances.push(Instance::default());
    town.configure().await.unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for n in 0..4 {
        seen.insert(client.call(&format!("r1.{n}"), &[]).await.1);
    }
    assert_eq!(seen.len(), 2);
    town.plan.topology.services[1].instances.pop();
    town.configure().await.unwrap();
    for n in 0..4 {
        assert_eq!(client.call(&format!("r1.{n}"), &[]).await.1, "reviews-1");
    }
}

#[tokio::test]
async fn another_workload_behind_the_same_proxy_and_none() {
    let Some(mut town) = Town::new(topology(&[None]), Vec::new(), Vec::new()).await else { return };
    let mut client = town.client().await;
    let reviews = id("reviews", 1);
    assert_eq!(client.call("r1.1", &[]).await, (200, "reviews-1".into()));
    let seat = town.at.seats.get_mut(&reviews).unwrap();
    let socket = seat.folder.join("other.sock");
    let (_other, _) = Workload::start("another", &socket);
    seat.workload = Some(Endpoint::Unix(socket));
    town.configure().await.unwrap();
    assert_eq!(client.call("r1.2", &[]).await, (200, "another".into()), "over a connection that was open already");
    let before = town.at.seats.get_mut(&reviews).unwrap().workload.take();
    town.configure().await.unwrap();
    assert_eq!(client.call("r1.3", &[]).await, (503, "this instance has no workload".into()));
    town.at.seats.get_mut(&reviews).unwrap().workload = before;
    town.configure().await.unwrap();
    assert_eq!(client.call("r1.4", &[]).await.1, "another");
}

#[tokio::test]
async fn the_dead_are_left_alone_and_their_calls_fail() {
    let Some(mut town) = Town::new(topology(&[None, None]), Vec::new(), Vec::new()).await else { return };
    town.kill(&id("reviews", 2)).await;
    let mut client = town.client().await;
    let mut statuses = Vec::new();
    for n in 0..4 {
        statuses.push(client.call(&format!("r1.{n}"), &[]).await.0);
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 503, 503]);
    // The living are configured without it: it stays a host, at an address where nobody is.
    let dead = town.at.seats.remove(&id("reviews", 2)).unwrap();
    town.configure().await.unwrap();
    town.mesh.forget(&dead);
}

#[tokio::test]
async fn without_a_control_plane_nothing_is_learned_and_afterwards_everything() {
    let Some(mut town) = Town::new(topology(&[None]), Vec::new(), Vec::new()).await else { return };
    town.workload("reviews", 1).answer(503, Duration::ZERO);
    let mut client = town.client().await;
    let gone = town.mesh.stop_control_plane().await.unwrap();
    assert!(gone.asked <= gone.effective);
    // Faults come over a channel of their own, which stands and says nothing of the control plane.
    town.arm(&[]).await;
    let connected = async |town: &Town| town.mesh.connected(&town.at, crate::town::soon()).await.unwrap();
    until("they know that it is away", async || !connected(&town).await.values().any(|connected| *connected)).await;
    town.policies(vec![retries(2)]);
    town.apply().await.unwrap();
    client.call("r1.1", &[]).await;
    assert_eq!(town.served("reviews"), 1, "it keeps what it has");
    // Also while they try to come back, as they do now and then.
    for _ in 0..200 {
        assert!(connected(&town).await.values().all(|connected| !connected), "nobody is taught by stealth");
    }
    let back = town.mesh.start_control_plane(&town.at, crate::town::soon()).await.unwrap();
    assert!(back.asked <= back.acked && back.acked <= back.effective);
    // Who had missed nothing may come back later than the others.
    until("all are back", async || connected(&town).await.values().all(|connected| *connected)).await;
    client.call("r1.2", &[]).await;
    assert_eq!(town.served("reviews"), 4);
}

#[tokio::test]
async fn faults_live_without_a_control_plane() {
    let faults = vec![crate::town::touch(
        100,
        squall_model::Level::Tries,
        to_reviews(),
        squall_model::Touch::Abort(AnswerCode::Status(503)),
    )];
    let Some(town) = Town::new(topology(&[None]), Vec::new(), faults).await else { return };
    town.mesh.stop_control_plane().await.unwrap();
    town.arm(&[0]).await;
    assert_eq!(town.client().await.call("r1.1", &[]).await.0, 503);
    town.arm(&[]).await;
    assert_eq!(town.client().await.call("r1.2", &[]).await.0, 200);
}

#[tokio::test]
async fn a_change_of_the_clusters_alone_is_probed_too() {
    let limit = |at_most| {
        let unit = squall_model::InFlight::Tries;
        vec![PolicyKind::InFlight { caller: "web".into(), at_most, unit, to: "reviews".into() }]
    };
    let Some(mut town) = Town::new(topology(&[None]), limit(1), Vec::new()).await else { return };
    let before = versions(&town).await;
    town.policies(limit(2));
    town.configure().await.unwrap();
    assert_ne!(before, versions(&town).await);
    town.policies(limit(1));
    town.configure().await.unwrap();
    assert_eq!(versions(&town).await, before, "the same state has the same name");
}

#[tokio::test]
async fn a_proxy_that_lags_is_named() {
    let Some(mut town) = Town::new(topology(&[None]), Vec::new(), Vec::new()).await else { return };
    let dead = id("reviews", 1);
    town.kill(&dead).await;
    town.policies(vec![retries(1)]);
    let want = Desired { topology: &town.plan.topology, policies: vec![], faults: &town.plan.faults };
    let mut at = town.at.clone();
    at.tag = "r2".into();
    let config = town.mesh.render(&want, &at).unwrap();
    let lagging = town.mesh.apply(&config, &at, now() + Duration::from_millis(200)).await.unwrap_err();
    assert!(lagging.to_string().contains("reviews-1") && !lagging.to_string().contains("web-1"), "{lagging}");
}

#[tokio::test]
async fn an_acknowledgement_alone_proves_nothing() {
    let faults = vec![touch(100, Level::Tries, to_reviews(), Touch::Abort(AnswerCode::Status(503)))];
    let Some(mut town) = Town::new(topology(&[None]), Vec::new(), faults).await else { return };
    // The proxy acknowledges, and its listener does not answer: nobody is at the address where it is looked for.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    town.at.seats.get_mut(&id("reviews", 1)).unwrap().inbound = nobody;
    let soon = || now() + Duration::from_millis(300);
    let applied = town.apply().await.unwrap();
    let lagging = town.mesh.confirm(&applied, &town.at, soon()).await.unwrap_err();
    assert!(lagging.to_string().contains("reviews-1 does not answer /version"), "{lagging}");
    let armed = [FaultId(0)].into();
    let lagging = town.mesh.arm(&town.plan, &town.at, &armed, soon()).await.unwrap_err();
    assert!(lagging.to_string().contains("reviews-1 does not answer /epoch"), "{lagging}");
}

#[test]
fn what_cannot_be_said_is_refused_before_anything_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let mesh = squall_mesh_envoy::Envoy::start("never-started".as_ref(), Default::default(), folder.path()).unwrap();
    let part = squall_model::Calls { to: Some(part(Which::Instance(1))), ..Default::default() };
    let policies = vec![
        PolicyKind::Retries { of: part, up_to: 1, on: vec![RetryOn::Reset], elsewhere: false },
        PolicyKind::Route {
            of: to_reviews(),
            to: vec![Destination { share: Fraction::ZERO, target: squall_model::Target::service("reviews".into()) }],
        },
    ];
    let plan = plan(topology(&[None]), policies, Vec::new());
    let refusals = mesh.refuses(&plan);
    assert_eq!(refusals.len(), 2, "{refusals:?}");
}
