//! Order, answers, rejections, reconnections.

use super::{cluster, endpoints, envoy::Pair, listener, route, state, version};
use crate::xds::{Behind, Generation, Kind, Lag, Resources, XdsEvent};
use envoy_types::pb::{
    envoy::service::discovery::v3::{DeltaDiscoveryRequest, DeltaDiscoveryResponse},
    google::rpc::Status as Detail,
};
use squall_model::Stamp;
use tokio::sync::mpsc::unbounded_channel;

fn connected(resources: Resources) -> Pair {
    let mut pair = Pair::new();
    let generation = pair.set(resources);
    pair.connect();
    pair.drain();
    assert_eq!(pair.outcome(generation), Some(Ok(())));
    pair
}

#[test]
fn a_proxy_without_configuration_is_answered_so_that_it_goes_on() {
    let mut pair = Pair::new();
    pair.connect();
    assert_eq!(pair.drain(), ["Cluster", "Listener"]);
}

#[test]
fn a_first_configuration_comes_in_order() {
    let mut pair = Pair::new();
    let generation = pair.set(state(&["a"], 0));
    assert_eq!(pair.outcome(generation), None);
    assert_eq!(pair.node.behind(generation), [Behind::NeverConnected]);
    pair.connect();
    assert_eq!(pair.drain(), ["Cluster +a", "ClusterLoadAssignment +a", "Listener +out", "RouteConfiguration +r"]);
    assert_eq!(pair.outcome(generation), Some(Ok(())));
}

#[test]
fn a_move_makes_before_it_breaks() {
    let mut pair = connected(state(&["a"], 0));
    let generation = pair.set(state(&["b"], 0));
    let log = pair.drain();
    assert_eq!(
        log,
        ["Cluster +b", "ClusterLoadAssignment +b", "RouteConfiguration +r", "Cluster -a", "ClusterLoadAssignment -a"]
    );
    assert_eq!(pair.outcome(generation), Some(Ok(())));
}

#[test]
fn a_changed_cluster_is_followed_by_its_endpoints_at_once() {
    let mut pair = connected(state(&["a", "b"], 0));
    pair.set(state(&["a", "b"], 0).with("b", &cluster("b", 1)));
    let both = [pair.deliver_response(), pair.deliver_response()].map(|response| response.map(|it| it.type_url));
    assert_eq!(both, [Kind::Cluster, Kind::Endpoint].map(|kind| Some(kind.url().to_owned())), "before any answer");
    assert!(pair.drain().is_empty());
}

#[test]
fn everything_at_once_is_still_in_order() {
    let mut pair = connected(state(&["a", "old"], 0));
    let wanted = state(&["b", "a"], 1).with("out", &listener(1));
    let generation = pair.set(wanted);
    assert_eq!(
        pair.drain(),
        [
            "Cluster +a +b",
            "ClusterLoadAssignment +a",
            "ClusterLoadAssignment +b",
            "Listener +out",
            "RouteConfiguration +r",
            "Cluster -old",
            "ClusterLoadAssignment -old",
        ]
    );
    assert_eq!(pair.outcome(generation), Some(Ok(())));
}

#[test]
fn what_does_not_change_is_not_sent() {
    let mut pair = connected(state(&["a"], 0));
    let generation = pair.set(state(&["a"], 0));
    assert_eq!(pair.outcome(generation), Some(Ok(())));
    assert!(pair.drain().is_empty());
}

#[test]
fn a_later_state_completes_an_earlier_one() {
    let mut pair = connected(state(&["a"], 0));
    let first = pair.set(state(&["a"], 1));
    let second = pair.set(state(&["a"], 2));
    assert_eq!((pair.outcome(first), pair.outcome(second)), (None, None));
    pair.drain();
    assert_eq!((pair.outcome(first), pair.outcome(second)), (Some(Ok(())), Some(Ok(()))));
    assert_eq!(pair.serving[&Kind::Cluster]["a"], version(&state(&["a"], 2), &Kind::Cluster, "a"));
}

#[test]
fn each_state_ends_with_its_own_acknowledgement() {
    let mut pair = connected(state(&["a"], 0));
    let (first, second) = (pair.set(state(&["a"], 1)), pair.set(state(&["a"], 2)));
    for _ in [Kind::Cluster, Kind::Endpoint] {
        pair.deliver_response().unwrap();
    }
    while pair.deliver_request().is_some() {}
    assert_eq!((pair.outcome(first), pair.outcome(second)), (Some(Ok(())), None));
    pair.drain();
    assert_eq!(pair.outcome(second), Some(Ok(())));
}

#[test]
fn a_rejection_halts_the_generation_and_the_next_state_repairs() {
    let good = state(&["a"], 0);
    let mut pair = connected(good.clone());
    let bad = state(&["b", "a"], 1).with("bad", &cluster("bad", 0)).with("bad", &endpoints("bad"));
    let generation = pair.set(bad);
    let log = pair.drain();
    assert_eq!(log, ["Cluster +a +b +bad", "ClusterLoadAssignment +a", "ClusterLoadAssignment +b"], "and no route");
    let Some(Err(Lag::Rejected(rejection))) = pair.outcome(generation) else { panic!("a rejection") };
    assert_eq!((rejection.words.as_str(), rejection.names.len()), ("bad is bad", 3));
    assert_eq!(rejection.to_string(), "p rejects Cluster a, b, bad: bad is bad");

    let repaired = pair.set(good);
    let log = pair.drain();
    assert_eq!(log[..2], ["Cluster +a", "ClusterLoadAssignment +a"], "though it is not new to us");
    assert_eq!(log[2..], ["Cluster -b -bad", "ClusterLoadAssignment -b"]);
    assert_eq!(pair.outcome(repaired), Some(Ok(())));
    assert_eq!(pair.serving[&Kind::Cluster].keys().collect::<Vec<_>>(), ["a"]);
}

/// The next state may differ from the refused one in nothing but what was wrong: the rest of the batch is unsure all the same.
#[test]
fn a_repair_is_awaited_too() {
    let mut pair = connected(state(&["a"], 0));
    pair.set(state(&["a"], 1).with("bad", &cluster("bad", 0)));
    pair.drain();
    pair.disconnect();
    let repaired = pair.set(state(&["a"], 1));
    assert_eq!(pair.outcome(repaired), None);
    pair.connect();
    let sent = pair.drain();
    assert_eq!(sent[0], "Cluster +a");
    assert_eq!(pair.outcome(repaired), Some(Ok(())));
}

#[test]
fn a_rejection_is_remembered_over_a_reconnection() {
    let good = state(&["a"], 0);
    let mut pair = connected(good.clone());
    pair.set(state(&["a"], 1).with("bad", &cluster("bad", 0)));
    pair.drain();
    pair.connect();
    pair.drain();
    let repaired = pair.set(good.clone());
    pair.drain();
    assert_eq!(pair.outcome(repaired), Some(Ok(())));
    assert_eq!(pair.serving[&Kind::Cluster]["a"], version(&good, &Kind::Cluster, "a"));
}

#[test]
fn a_reconnection_brings_only_what_changed_meanwhile() {
    let mut pair = connected(state(&["a", "b"], 0));
    pair.connect();
    assert!(pair.drain().is_empty(), "it names the versions it has");
    pair.disconnect();
    let generation = pair.set(state(&["a", "b"], 0).with("b", &cluster("b", 1)));
    assert_eq!(pair.node.behind(generation), [Behind::Disconnected]);
    pair.connect();
    assert_eq!(pair.drain(), ["Cluster +b", "ClusterLoadAssignment +b"]);
    assert_eq!(pair.outcome(generation), Some(Ok(())));
}

#[test]
fn what_was_on_its_way_when_the_stream_broke_is_sent_again() {
    let mut pair = connected(state(&["a"], 0));
    let generation = pair.set(state(&["a"], 1));
    pair.connect();
    assert_eq!(pair.outcome(generation), None);
    assert_eq!(pair.drain(), ["Cluster +a", "ClusterLoadAssignment +a"]);
    assert_eq!(pair.outcome(generation), Some(Ok(())));
}

#[test]
fn a_laggard_is_told_by_what_it_lacks() {
    let mut pair = connected(state(&["a"], 0));
    let generation = pair.set(state(&["b"], 0).with("stray", &endpoints("stray")));
    let behind = |kind: Kind, names: &[&str]| (kind, names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
    let unanswered = |(kind, names)| Behind::Unanswered { kind, names };
    let queued = |(kind, names)| Behind::Queued { kind, names };
    let unasked = |(kind, names)| Behind::NotSubscribed { kind, names };
    assert_eq!(
        pair.node.behind(generation),
        [
            unanswered(behind(Kind::Cluster, &["b"])),
            queued(behind(Kind::Cluster, &["a"])),
            unasked(behind(Kind::Endpoint, &["b", "stray"])),
            queued(behind(Kind::Endpoint, &["a"])),
            queued(behind(Kind::Route, &["r"])),
        ]
    );
    pair.drain();
    assert_eq!(pair.node.behind(generation), [unasked(behind(Kind::Endpoint, &["stray"]))]);
    assert!(matches!(pair.node.outcome(Generation(99)), Some(Err(Lag::Unknown(node))) if node == "p"));
}

/// A client by hand, for what the miniature never does.
struct Hand {
    node: crate::xds::node::Node,
    responses: tokio::sync::mpsc::UnboundedReceiver<Result<DeltaDiscoveryResponse, tonic::Status>>,
}

impl Hand {
    fn new(resources: Resources) -> Hand {
        let mut node = crate::xds::node::Node::new("p");
        node.set(1, resources, Stamp(0));
        let (outlet, responses) = unbounded_channel();
        node.open(1, outlet);
        Hand { node, responses }
    }

    fn says(&mut self, kind: &Kind, subscribe: &[&str], unsubscribe: &[&str]) -> Option<DeltaDiscoveryResponse> {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        self.request(DeltaDiscoveryRequest {
            type_url: kind.url().into(),
            resource_names_subscribe: owned(subscribe),
            resource_names_unsubscribe: owned(unsubscribe),
            ..DeltaDiscoveryRequest::default()
        });
        self.next()
    }

    fn request(&mut self, request: DeltaDiscoveryRequest) -> Option<XdsEvent> {
        self.node.request(request, Stamp(1))
    }

    fn next(&mut self) -> Option<DeltaDiscoveryResponse> {
        self.responses.try_recv().ok().map(Result::unwrap)
    }

    fn answers(&mut self, response: &DeltaDiscoveryResponse, words: Option<&str>) -> Option<XdsEvent> {
        self.request(DeltaDiscoveryRequest {
            type_url: response.type_url.clone(),
            response_nonce: response.nonce.clone(),
            error_detail: words.map(|words| Detail { message: words.into(), ..Detail::default() }),
            ..DeltaDiscoveryRequest::default()
        })
    }
}

#[test]
fn names_are_answered_one_by_one_and_missing_ones_at_once() {
    let mut hand = Hand::new(state(&["a", "b"], 0));
    let response = hand.says(&Kind::Endpoint, &["b", "none"], &[]).unwrap();
    assert_eq!(
        response.resources.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(),
        ["b"],
        "a was not asked for"
    );
    assert_eq!(response.removed_resources, ["none"]);
    assert!(hand.says(&Kind::Endpoint, &[], &["b"]).is_none());
    let again = hand.says(&Kind::Endpoint, &["b"], &[]).unwrap();
    assert_eq!(again.resources.len(), 1, "who asks again has lost it");
    assert_ne!(again.nonce, response.nonce);
}

#[test]
fn a_missing_name_is_sent_when_it_comes_to_be() {
    let mut hand = Hand::new(Resources::new());
    let missing = hand.says(&Kind::Endpoint, &["late"], &[]).unwrap();
    hand.answers(&missing, None);
    hand.node.set(2, Resources::new().with("late", &endpoints("late")), Stamp(2));
    assert_eq!(hand.next().unwrap().resources[0].name, "late");
}

#[test]
fn an_answer_counts_once_and_only_for_what_was_sent() {
    let mut hand = Hand::new(state(&["a"], 0));
    let response = hand.says(&Kind::Cluster, &[], &[]).unwrap();
    let mut wrong = response.clone();
    wrong.nonce = "99".into();
    assert_eq!(hand.answers(&wrong, None), None);
    assert!(matches!(hand.answers(&response, None), Some(XdsEvent::Acked { kind: Kind::Cluster, .. })));
    assert_eq!(hand.answers(&response, Some("too late")), None);
}

/// Answers out of order: an older push that is still open says nothing about what a newer, refused one left behind.
#[test]
fn a_refused_push_leaves_doubt_though_an_older_one_is_open() {
    let mut hand = Hand::new(state(&["a"], 0));
    let first = hand.says(&Kind::Cluster, &[], &[]).unwrap();
    hand.node.set(2, state(&["a"], 1), Stamp(2));
    let second = hand.next().unwrap();
    assert!(matches!(hand.answers(&second, Some("no")), Some(XdsEvent::Rejected(_))));
    hand.answers(&first, None);
    assert!(hand.next().is_none(), "the refused state is not sent again by itself");
    hand.node.set(3, state(&["a"], 1), Stamp(3));
    assert_eq!(hand.next().unwrap().resources[0].name, "a", "by order it is");
}

#[test]
fn a_refused_answer_is_made_good_by_the_next_state_though_that_is_the_same() {
    let only = Resources::new().with("a", &endpoints("a"));
    let mut hand = Hand::new(only.clone());
    let first = hand.says(&Kind::Endpoint, &["a"], &[]).unwrap();
    hand.answers(&first, None);
    let again = hand.says(&Kind::Endpoint, &["a"], &[]).unwrap();
    hand.answers(&again, Some("no"));
    hand.node.set(2, only, Stamp(2));
    assert!(hand.node.outcome(Generation(2)).is_none(), "what it has is not known");
    let repair = hand.next().unwrap();
    hand.answers(&repair, None);
    assert!(hand.node.outcome(Generation(2)).unwrap().is_ok());
}

#[test]
fn an_explicit_star_is_all_there_are_until_it_is_taken_back() {
    let mut hand = Hand::new(state(&["a"], 0));
    let response = hand.says(&Kind::Cluster, &["*"], &[]).unwrap();
    hand.answers(&response, None);
    assert!(hand.says(&Kind::Cluster, &[], &["*"]).is_none());
    hand.node.set(2, state(&["a", "b"], 0), Stamp(2));
    assert!(hand.next().is_none());
}

#[test]
fn other_types_are_served_by_name() {
    use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::Secret;
    let secret = |name: &str| Secret { name: name.into(), ..Secret::default() };
    let kind = Kind::of(&<Secret as prost::Name>::type_url());
    let mut hand = Hand::new(Resources::new().with("s", &secret("s")).with("t", &secret("t")).with("r", &route("a")));
    let response = hand.says(&kind, &["s"], &[]).unwrap();
    assert_eq!(response.resources.len(), 1);
    assert!(matches!(hand.answers(&response, None), Some(XdsEvent::Acked { names, .. }) if names == ["s"]));
}
