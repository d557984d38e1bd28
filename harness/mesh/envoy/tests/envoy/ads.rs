//! The control plane.

use crate::{
    lab::{Lab, NODE, get, holds_until, soon, until, upstream},
    resources::{cluster, endpoints, leading_to, listener, route},
};
use squall_mesh_envoy::{
    now,
    xds::{Behind, Kind, Lag, Resources, XdsEvent},
};
use squall_mesh_proxy::{admin::Versions, channel::Timing};
use std::{collections::BTreeSet, time::Duration};

#[tokio::test]
async fn a_proxy_with_nothing_to_do_is_live_and_says_who_it_is() {
    let Some(lab) = Lab::live(Timing::default()).await else { return };
    let server = lab.admin.server().await.unwrap();
    assert_eq!((server.node.as_str(), server.state.as_str()), (NODE, "LIVE"));
    assert!(server.release().unwrap().starts_with("1."), "{server:?}");
    assert_eq!(lab.admin.versions().await.unwrap(), Versions::default());
    assert!(lab.admin.draining().await.unwrap().is_over());
    assert_eq!(lab.log(), "", "no warnings");
}

#[tokio::test]
async fn a_whole_configuration_carries_a_request() {
    let Some(lab) = Lab::live(Timing::default()).await else { return };
    let wanted = leading_to("a", upstream("A").await);
    lab.apply(wanted.clone()).await;
    assert_eq!(get(lab.outbound().await).await, (200, "A".into()));
    assert!(lab.shows(&wanted).await, "{:?}", lab.admin.versions().await);
    assert_eq!(lab.admin.versions().await.unwrap().endpoints, ["a"]);
    assert_eq!(lab.admin.stats().await.unwrap()["cluster.a.upstream_rq_total"], 1);
    lab.apply(Resources::new()).await;
    until("the listener is gone", async || lab.admin.listeners().await.unwrap().is_empty()).await;
    // The listener's routes go with it, when its connections have drained.
    until("nothing is left", async || lab.admin.versions().await.unwrap() == Versions::default()).await;
}

#[tokio::test]
async fn what_is_set_before_the_proxy_starts_is_there_when_it_is_live() {
    let Some(mut lab) = Lab::new(Timing::default()) else { return };
    let generation = lab.ads.set(NODE, leading_to("a", upstream("A").await));
    let soon_over = now() + Duration::from_millis(20);
    let lag = lab.ads.wait(NODE, generation, soon_over).await.unwrap_err();
    assert_eq!(lag, Lag::Late { node: NODE.into(), behind: vec![Behind::NeverConnected] });
    lab.boot().await;
    lab.ads.wait(NODE, generation, soon()).await.unwrap();
    assert_eq!(get(lab.outbound().await).await, (200, "A".into()));
}

/// A changed cluster is acknowledged only when its endpoints have come again, and Envoy does not ask for them: without the
/// unasked push the answer would take the cluster's whole `initial_fetch_timeout`, 15 s here.
#[tokio::test]
async fn a_changed_cluster_is_warm_at_once() {
    let Some(lab) = Lab::live(Timing::default()).await else { return };
    let at = upstream("A").await;
    lab.apply(leading_to("a", at)).await;
    let mut events = lab.ads.events();
    let generation = lab.ads.set(NODE, leading_to("a", at).with("a", &cluster("a", 7)));
    lab.ads.wait(NODE, generation, now() + Duration::from_secs(10)).await.unwrap();
    let mut acked = BTreeSet::new();
    while acked.len() < 2 {
        if let XdsEvent::Acked { kind, .. } = events.recv().await.unwrap() {
            acked.insert(kind);
        }
    }
    assert_eq!(acked, BTreeSet::from([Kind::Cluster, Kind::Endpoint]));
    assert_eq!(lab.admin.stats().await.unwrap().get("cluster.a.assignment_use_cached").copied().unwrap_or(0), 0);
}

/// From one cluster to another, back and forth under traffic, the old one removed each time: no request fails.
#[tokio::test]
async fn moving_between_clusters_breaks_nothing() {
    let Some(lab) = Lab::live(Timing::default()).await else { return };
    let ways = [("a", upstream("A").await), ("b", upstream("B").await)];
    lab.apply(leading_to("a", ways[0].1)).await;
    let address = lab.outbound().await;
    let (stop, mut stopped) = tokio::sync::watch::channel(false);
    let traffic = tokio::spawn(async move {
        let mut answers = Vec::new();
        while !*stopped.borrow_and_update() {
            answers.push(get(address).await);
        }
        answers
    });
    for step in 1..=20 {
        let (name, at) = ways[step % 2];
        lab.apply(leading_to(name, at)).await;
        assert_eq!(lab.admin.versions().await.unwrap().clusters.keys().collect::<Vec<_>>(), [name]);
    }
    stop.send(true).unwrap();
    let answers = traffic.await.unwrap();
    let failed: Vec<_> = answers.iter().filter(|(status, _)| *status != 200).collect();
    assert!(failed.is_empty(), "{failed:?} of {}", answers.len());
    assert!(answers.iter().any(|(_, body)| body == "B"), "the traffic did move");
}

#[tokio::test]
async fn a_rejection_is_told_verbatim_and_the_last_good_state_serves_on() {
    let Some(lab) = Lab::live(Timing::default()).await else { return };
    let at = upstream("A").await;
    let good = leading_to("a", at);
    lab.apply(good.clone()).await;
    let address = lab.outbound().await;

    let mut bad_route = route("a");
    bad_route.virtual_hosts.push(bad_route.virtual_hosts[0].clone());
    bad_route.virtual_hosts[1].name = "again".into();
    let mut events = lab.ads.events();
    let generation = lab.ads.set(NODE, good.clone().with("r", &bad_route));
    let Err(Lag::Rejected(rejection)) = lab.ads.wait(NODE, generation, soon()).await else { panic!("a rejection") };
    assert_eq!((rejection.node.as_str(), &rejection.kind), (NODE, &Kind::Route));
    assert_eq!(rejection.names, ["r"]);
    assert!(rejection.words.contains("Only a single wildcard domain is permitted in route r"), "{rejection}");
    assert_eq!(events.try_recv().unwrap(), XdsEvent::Rejected(rejection));
    assert_eq!(get(address).await, (200, "A".into()));

    lab.apply(good.clone()).await;
    assert_eq!(get(address).await, (200, "A".into()));
    assert!(lab.shows(&good).await);
}

/// A batch of clusters is applied in part when one of them is wrong; the last good state undoes that part too.
#[tokio::test]
async fn a_batch_applied_in_part_is_undone_by_the_last_good_state() {
    let Some(lab) = Lab::live(Timing::default()).await else { return };
    let at = upstream("A").await;
    let good = leading_to("a", at);
    lab.apply(good.clone()).await;
    let mut wrong = cluster("wrong", 0);
    wrong.eds_cluster_config = None;
    let bad = leading_to("a", at)
        .with("a", &cluster("a", 9))
        .with("new", &cluster("new", 0))
        .with("new", &endpoints("new", at))
        .with("wrong", &wrong);
    let generation = lab.ads.set(NODE, bad);
    let Err(Lag::Rejected(rejection)) = lab.ads.wait(NODE, generation, soon()).await else { panic!("a rejection") };
    assert!(rejection.words.contains("cannot create an EDS cluster without an EDS config"), "{rejection}");
    assert_eq!(rejection.names, ["a", "new", "wrong"]);
    let shown = lab.admin.versions().await.unwrap().clusters;
    assert_ne!(shown.get("a"), good.get(&Kind::Cluster, "a").map(|a| a.version().to_owned()).as_ref(), "in part");

    lab.apply(good.clone()).await;
    until("the part is undone", async || lab.shows(&good).await).await;
    assert_eq!(get(lab.outbound().await).await, (200, "A".into()));
}

#[tokio::test]
async fn the_control_plane_may_die_and_come_back() {
    let Some(lab) = Lab::live(Timing::default()).await else { return };
    let (a, b) = (upstream("A").await, upstream("B").await);
    lab.apply(leading_to("a", a)).await;
    let address = lab.outbound().await;
    let before = lab.admin.stats().await.unwrap();

    lab.ads.stop().unwrap();
    assert!(!lab.ads.socket().exists());
    assert_eq!(get(address).await, (200, "A".into()), "traffic goes on");
    let mut events = lab.ads.events();
    lab.ads.resume().unwrap();
    until("the proxy is back", async || {
        lab.admin.stats().await.unwrap().get("control_plane.connected_state") == Some(&1)
    })
    .await;
    assert!(matches!(events.recv().await, Ok(XdsEvent::Connected { node, .. }) if node == NODE));
    let after = lab.admin.stats().await.unwrap();
    for loaded in
        ["cluster_manager.cluster_modified", "listener_manager.listener_modified", "http.out.rds.r.config_reload"]
    {
        assert_eq!(after.get(loaded), before.get(loaded), "{loaded}: nothing was sent anew");
    }

    lab.ads.stop().unwrap();
    let generation = lab.ads.set(NODE, leading_to("b", b));
    let lag = lab.ads.wait(NODE, generation, now() + Duration::from_millis(20)).await.unwrap_err();
    assert_eq!(lag, Lag::Late { node: NODE.into(), behind: vec![Behind::Disconnected] });
    assert_eq!(get(address).await, (200, "A".into()));
    lab.ads.resume().unwrap();
    lab.ads.wait(NODE, generation, soon()).await.unwrap();
    until("the change has arrived", async || get(address).await == (200, "B".into())).await;
    assert!(lab.shows(&leading_to("b", b)).await);
}

#[tokio::test]
async fn a_severed_proxy_serves_on_and_learns_the_rest_when_it_rejoins() {
    let Some(lab) = Lab::live(Timing::default()).await else { return };
    let (a, b) = (upstream("A").await, upstream("B").await);
    lab.apply(leading_to("a", a)).await;
    let address = lab.outbound().await;
    let mut events = lab.ads.events();
    lab.ads.sever(NODE);
    assert!(matches!(events.recv().await, Ok(XdsEvent::Disconnected { node, .. }) if node == NODE));
    let generation = lab.ads.set(NODE, leading_to("b", b));
    let lag = lab.ads.wait(NODE, generation, now() + Duration::from_millis(20)).await.unwrap_err();
    assert_eq!(lag, Lag::Late { node: NODE.into(), behind: vec![Behind::Disconnected] });
    // Long enough for it to have tried to come back many times.
    holds_until(now() + Duration::from_secs(1), "it is as it was", async || get(address).await == (200, "A".into()))
        .await;
    assert!(events.try_recv().is_err(), "and it did not come back");
    lab.ads.rejoin(NODE);
    lab.ads.wait(NODE, generation, soon()).await.unwrap();
    until("the change has arrived", async || get(address).await == (200, "B".into())).await;
}

/// Two at once: the changed cluster is pushed before the proxy has asked for its endpoints on the new stream, and it asks
/// for them as one that has them.
#[tokio::test]
async fn a_cluster_changed_while_the_control_plane_was_dead_is_warm_at_once() {
    let Some(lab) = Lab::live(Timing::default()).await else { return };
    let at = upstream("A").await;
    lab.apply(leading_to("a", at)).await;
    lab.ads.stop().unwrap();
    let generation = lab.ads.set(NODE, leading_to("a", at).with("a", &cluster("a", 7)));
    lab.ads.resume().unwrap();
    lab.ads.wait(NODE, generation, now() + Duration::from_secs(10)).await.unwrap();
    assert_eq!(lab.admin.stats().await.unwrap().get("cluster.a.assignment_use_cached").copied().unwrap_or(0), 0);
}

/// A changed cluster whose endpoints are gone would wait for them for its whole `initial_fetch_timeout`, too.
#[tokio::test]
async fn a_changed_cluster_without_endpoints_is_warm_at_once() {
    let Some(lab) = Lab::live(Timing::default()).await else { return };
    lab.apply(leading_to("a", upstream("A").await)).await;
    let bare = Resources::new().with("a", &cluster("a", 7)).with("out", &listener()).with("r", &route("a"));
    let generation = lab.ads.set(NODE, bare);
    lab.ads.wait(NODE, generation, now() + Duration::from_secs(10)).await.unwrap();
}

#[tokio::test]
async fn a_laggard_says_what_it_lacks() {
    let Some(lab) = Lab::live(Timing::default()).await else { return };
    let stray = Resources::new().with("nobody", &endpoints("nobody", upstream("A").await)).with("out", &listener());
    let generation = lab.ads.set(NODE, stray);
    let lag = lab.ads.wait(NODE, generation, now() + Duration::from_millis(300)).await.unwrap_err();
    assert_eq!(lag.to_string(), "p-0.0 has not asked for ClusterLoadAssignment nobody");
}
