//! Whatever the order in which messages arrive, are lost and states are set: nothing is ever missing, and it ends in sync.

use super::{cluster, endpoints, envoy::Pair, listener, route, state};
use crate::xds::{Generation, Kind, Resources};
use proptest::prelude::*;
use std::{collections::BTreeMap, fmt};

#[derive(Clone)]
enum Step {
    Set(Resources),
    Reconnect,
    Response,
    Request,
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Set(state) => {
                write!(f, "set {:?}", state.iter().map(|(_, name, one)| (name, one)).collect::<Vec<_>>())
            }
            Step::Reconnect => f.write_str("reconnect"),
            Step::Response => f.write_str("response"),
            Step::Request => f.write_str("request"),
        }
    }
}

/// States in which nothing is missing: some clusters of four, a route to one of them.
fn consistent() -> impl Strategy<Value = Resources> {
    let clusters = prop::collection::btree_map(prop::sample::select(vec!["a", "b", "c", "d"]), 0u32..3, 1..4);
    (clusters, any::<prop::sample::Index>(), 0u32..2).prop_map(|(clusters, pick, look)| {
        let names: Vec<_> = clusters.keys().copied().collect();
        let mut resources =
            Resources::new().with("out", &listener(look)).with("r", &route(names[pick.index(names.len())]));
        for (name, look) in clusters {
            resources = resources.with(name, &cluster(name, look)).with(name, &endpoints(name));
        }
        resources
    })
}

fn step() -> impl Strategy<Value = Step> {
    let spoilt = consistent().prop_map(|state| state.with("bad", &cluster("bad", 0)));
    prop_oneof![
        2 => consistent().prop_map(Step::Set),
        1 => spoilt.prop_map(Step::Set),
        1 => Just(Step::Reconnect),
        8 => Just(Step::Response),
        8 => Just(Step::Request),
    ]
}

fn versions(wanted: &Resources, kind: &Kind) -> BTreeMap<String, String> {
    let all = wanted.iter().filter(|(of, _, _)| *of == kind);
    all.map(|(_, name, one)| (name.to_owned(), one.version().to_owned())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn it_ends_in_sync_and_nothing_is_missing_on_the_way(steps in prop::collection::vec(step(), 0..80), last in consistent()) {
        let mut pair = Pair::new();
        pair.connect();
        let mut generations: Vec<Generation> = Vec::new();
        for step in steps {
            match step {
                Step::Set(resources) => generations.push(pair.set(resources)),
                Step::Reconnect => pair.connect(),
                Step::Response => drop(pair.deliver_response()),
                Step::Request => drop(pair.deliver_request()),
            }
        }
        generations.push(pair.set(last.clone()));
        pair.drain();
        // A rejection of an earlier state may have come after the last one was set: what it left is sent with the next.
        generations.push(pair.set(last.clone()));
        pair.drain();
        for kind in [Kind::Cluster, Kind::Endpoint, Kind::Listener, Kind::Route] {
            prop_assert_eq!(pair.serving.get(&kind).cloned().unwrap_or_default(), versions(&last, &kind));
        }
        for generation in &generations {
            prop_assert!(pair.outcome(*generation).is_some(), "{generation:?} is still open");
        }
        prop_assert_eq!(pair.outcome(*generations.last().unwrap()), Some(Ok(())));
    }
}

#[test]
fn the_strategy_makes_what_the_miniature_takes() {
    let mut pair = Pair::new();
    pair.set(state(&["a"], 0));
    pair.connect();
    assert_eq!(pair.drain().len(), 4);
}
