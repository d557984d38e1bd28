use super::{
    super::tests::{Told, pods},
    *,
};
use serde_json::json;
use squall_mesh_proxy::port::FaultPort;
use squall_model::{Deployed, InstanceId};
use std::rc::Rc;

fn at(ip: &str) -> SocketAddr {
    format!("{ip}:9080").parse().unwrap()
}

/// A pod of this name, whose owner is known by the first letter of it; `ip`: none yet where that is empty.
fn pod(name: &str, ip: &str, ready: bool) -> Value {
    let status = if ready { "True" } else { "False" };
    let mut pod = json!({
        "metadata": {
            "name": name,
            "uid": name,
            "ownerReferences": [{"uid": "stranger"}, {"apiVersion": "apps/v1", "kind": "ReplicaSet", "uid": &name[..1], "controller": true}],
        },
        "status": {"conditions": [{"type": "Ready", "status": status}]},
    });
    if !ip.is_empty() {
        pod["status"]["podIP"] = json!(ip);
    }
    pod
}

fn ending(mut pod: Value) -> Value {
    pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    pod
}

#[test]
fn whoever_came_in_the_place_of_another_is_found_by_where_the_first_was() {
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    let moved = |moves: &Moves, all: &[(&str, &str)]| moves.after(all.iter().map(|(from, to)| (ip(from), ip(to))));
    let moves = Moves::default();
    assert_eq!(moves.found(at("10.0.0.1")), at("10.0.0.1"));
    let moves = moved(&moved(&moves, &[("10.0.0.1", "10.0.0.2")]), &[("10.0.0.5", "10.0.0.1")]);
    assert_eq!(moves.found(at("10.0.0.1")), at("10.0.0.2"), "its first address is another's by now");
    assert_eq!(moves.found(at("10.0.0.5")), at("10.0.0.1"));
    let moves = moved(&moves, &[("10.0.0.1", "10.0.0.9")]);
    assert_eq!(moves.found(at("10.0.0.5")), at("10.0.0.9"));
    // Two at a time, one to where the other was.
    let moves = moved(&moves, &[("10.0.0.2", "10.0.0.9"), ("10.0.0.9", "10.0.0.3")]);
    assert_eq!(moves.found(at("10.0.0.1")), at("10.0.0.9"));
    assert_eq!(moves.found(at("10.0.0.5")), at("10.0.0.3"));
}

/// Has these replaced in a cluster that shows these pods at one look after the other.
async fn replaced(
    all: &[&str],
    looks: Vec<Vec<Value>>,
    patience: Duration,
) -> (Result<Vec<Replaced>, MeshError>, Vec<String>) {
    let told = Rc::new(Told::showing(looks));
    let of = Deployed { namespace: "shop".into(), ..Deployed::default() };
    let all: Vec<SocketAddr> = all.iter().map(|ip| at(ip)).collect();
    let leaving = Leaving { of: &of, all: &all, least: all.len() };
    let came = pods(&told).await.replace_pods(leaving, now() + patience).await;
    (came, told.since())
}

const LONG: Duration = Duration::from_secs(30);

#[tokio::test]
async fn each_has_another_of_its_owner_in_its_place() {
    let (a, b, c) = (pod("a-1", "10.0.0.1", true), pod("a-2", "10.0.0.2", true), pod("c-1", "10.0.0.3", true));
    let gone = ending(a.clone());
    let looks = vec![
        vec![a.clone(), b.clone(), c.clone()],
        // Somebody else's newcomer; one that is not ready; one of them still ends.
        vec![gone.clone(), ending(b), c.clone(), pod("x-9", "10.0.0.9", true), pod("a-3", "", false)],
        vec![gone.clone(), c.clone(), pod("a-3", "10.0.0.4", true), pod("a-4", "10.0.0.5", false)],
        vec![gone, c.clone(), pod("a-3", "10.0.0.4", true), pod("a-4", "10.0.0.5", true)],
        vec![c, pod("a-3", "10.0.0.4", true), pod("a-4", "10.0.0.5", true)],
    ];
    let (came, told) = replaced(&["10.0.0.1", "10.0.0.2"], looks, LONG).await;
    let came = came.unwrap();
    assert_eq!(told, ["evict a-1", "evict a-2"], "nobody else");
    assert_eq!(came.iter().map(|one| one.at).collect::<Vec<_>>(), [at("10.0.0.4"), at("10.0.0.5")]);
    assert_eq!(came[0].how, "was evicted (a-1), and a-3 came");
    assert!(came[1].gone < came[0].gone, "the second was gone first");
    assert!(came.iter().all(|one| one.asked <= one.gone && one.asked <= one.ready));
}

#[tokio::test]
async fn one_that_does_not_come_to_be_ready_is_waited_for_by_name() {
    let ends = ending(pod("a-1", "10.0.0.1", false));
    let (came, _) = replaced(&["10.0.0.1"], vec![vec![pod("a-1", "10.0.0.1", true)], vec![ends]], Duration::ZERO).await;
    let why = came.unwrap_err().to_string();
    assert!(why.contains("pod a-1 of 10.0.0.1: it has not ended"), "{why}");
    let looks = vec![vec![pod("a-1", "10.0.0.1", true)], vec![pod("a-2", "10.0.0.2", false)]];
    let (came, _) = replaced(&["10.0.0.1"], looks, Duration::from_millis(250)).await;
    let why = came.unwrap_err().to_string();
    assert!(why.contains("pod a-1 of 10.0.0.1: a-2, which came for it, is not ready"), "{why}");
}

#[tokio::test]
async fn nobody_is_ended_who_is_not_there_or_has_no_owner() {
    let mut bare = pod("a-1", "10.0.0.1", true);
    bare["metadata"]["ownerReferences"][1]["controller"] = json!(false);
    let mut over = pod("a-1", "10.0.0.1", false);
    over["status"]["phase"] = json!("Succeeded");
    let twice = vec![pod("a-1", "10.0.0.1", true), pod("b-1", "10.0.0.1", true)];
    for there in [vec![bare], vec![over], twice, vec![ending(pod("a-1", "10.0.0.1", true))], Vec::new()] {
        // Nor is the other one of two that are meant.
        let there = there.into_iter().chain([pod("a-2", "10.0.0.2", true)]).collect();
        let (came, told) = replaced(&["10.0.0.2", "10.0.0.1"], vec![there], LONG).await;
        assert!(came.is_err());
        assert_eq!(told, [] as [String; 0]);
    }
}

#[tokio::test]
async fn who_went_before_one_was_kept_is_followed_and_named() {
    let (a, mut b) = (pod("a-1", "10.0.0.1", true), pod("a-2", "10.0.0.2", true));
    b["metadata"]["labels"]["budget"] = json!("none");
    let of = Deployed { namespace: "shop".into(), ..Deployed::default() };
    let told = Rc::new(Told::showing(vec![vec![a.clone(), b.clone()], vec![b.clone(), pod("a-3", "10.0.0.3", true)]]));
    let home = pods(&told).await;
    let both = Leaving { of: &of, all: &[at("10.0.0.1"), at("10.0.0.2")], least: 2 };
    let why = home.replace_pods(both, now() + LONG).await.unwrap_err().to_string();
    assert!(why.contains("disruption budget; before that a pod was evicted (a-1), and a-3 came"), "{why}");
    assert_eq!(told.since(), ["evict a-1"]);
    let found = |deployed| home.state.borrow().moves.found(at(deployed));
    assert_eq!([found("10.0.0.1"), found("10.0.0.2")], [at("10.0.0.3"), at("10.0.0.2")], "whoever runs next finds it");
    // Where nobody went it says so.
    let told = Rc::new(Told::showing(vec![vec![a, b]]));
    let one = Leaving { of: &of, all: &[at("10.0.0.2")], least: 2 };
    let why = pods(&told).await.replace_pods(one, now() + LONG).await.unwrap_err().to_string();
    assert!(why.ends_with("disruption budget: nothing was ended"), "{why}");
}

#[tokio::test]
async fn nobody_is_ended_while_others_of_the_service_are_missing() {
    let (a, b) = (pod("a-1", "10.0.0.1", true), pod("a-2", "10.0.0.2", true));
    let of = Deployed { namespace: "shop".into(), ..Deployed::default() };
    for there in [vec![a.clone()], vec![a.clone(), ending(b)], vec![a.clone(), pod("a-2", "10.0.0.2", false)]] {
        let told = Rc::new(Told::showing(vec![there]));
        let leaving = Leaving { of: &of, all: &[at("10.0.0.1")], least: 2 };
        let why = pods(&told).await.replace_pods(leaving, now() + LONG).await.unwrap_err().to_string();
        assert!(why.contains("1 of 2 pods of the service are ready: nothing was ended"), "{why}");
        assert_eq!(told.since(), [] as [String; 0]);
    }
}

/// One that came and went before it was ready is replaced, too.
#[tokio::test]
async fn whoever_is_ready_in_the_end_has_the_place() {
    let mut failed = pod("a-2", "10.0.0.2", false);
    failed["status"]["phase"] = json!("Failed");
    let looks = vec![
        vec![pod("a-1", "10.0.0.1", true)],
        vec![pod("a-2", "10.0.0.2", true), ending(pod("a-1", "10.0.0.1", true))],
        vec![failed, pod("a-3", "10.0.0.3", true)],
    ];
    let (came, _) = replaced(&["10.0.0.1"], looks, LONG).await;
    assert_eq!(came.unwrap()[0].at, at("10.0.0.3"));
}

/// Its proxy asks about tries before anybody says that it is ready.
#[tokio::test]
async fn the_port_knows_it_as_soon_as_it_has_an_address() {
    let told = Rc::new(Told::showing(vec![vec![pod("a-1", "10.0.0.1", true)], vec![pod("a-2", "10.0.0.2", false)]]));
    let port = FaultPort::start(([127, 0, 0, 1], 0).into(), 1).unwrap();
    let id = InstanceId { service: "reviews".into(), number: 1 };
    port.know(BTreeMap::from([(at("10.0.0.1"), id.clone())]), BTreeMap::new());
    let home = pods(&told).await.asked_by_others(port);
    let of = Deployed { namespace: "shop".into(), ..Deployed::default() };
    let leaving = Leaving { of: &of, all: &[at("10.0.0.1")], least: 1 };
    let came = home.replace_pods(leaving, now() + Duration::from_millis(150)).await;
    assert!(came.is_err(), "it is never ready");
    let known = home.port.as_ref().unwrap().whereabouts();
    assert_eq!(known.instances, BTreeMap::from([(at("10.0.0.1"), id.clone()), (at("10.0.0.2"), id)]));
}
