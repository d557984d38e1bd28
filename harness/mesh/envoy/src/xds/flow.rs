//! The order of a push: make before break.

use super::{
    Kind,
    node::{Belief, Node},
    session::{Flight, Session},
};
use envoy_types::pb::envoy::service::discovery::v3::{self as discovery, DeltaDiscoveryResponse};
use squall_model::Stamp;
use std::collections::BTreeSet;

/// Which of the resources that differ may go.
#[derive(Debug, Clone, Copy, Default)]
struct Gate {
    /// Answers to what was just asked for.
    answers: bool,
    /// New and changed ones.
    make: bool,
    /// Those to be taken away.
    break_: bool,
}

impl Node {
    /// Sends everything that may be sent now.
    ///
    /// Clusters, endpoints and what else may be needed first go at once. Listeners go when every cluster and endpoint is
    /// acknowledged, routes when the listeners are, and clusters, endpoints and routes are taken away last. An Envoy
    /// acknowledges a cluster only when it is warm, so acknowledgements suffice and no time passes between the steps.
    pub(super) fn advance(&mut self, now: Stamp) {
        let Some(session) = &self.session else { return };
        let go = !self.halted();
        let others = session.asked.keys().filter(|kind| matches!(kind, Kind::Other(_)));
        let others: Vec<Kind> = others.cloned().collect();

        self.push(&Kind::Cluster, Gate { answers: true, make: go, break_: false }, now);
        self.session.iter_mut().for_each(Session::owe_endpoints);
        self.push(&Kind::Endpoint, Gate { answers: true, make: go, break_: false }, now);
        for kind in others {
            self.push(&kind, Gate { answers: true, make: go, break_: go }, now);
        }

        let warm = self.settled(&Kind::Cluster) && self.settled(&Kind::Endpoint);
        self.push(&Kind::Listener, Gate { answers: warm, make: go && warm, break_: go && warm }, now);
        let listening = warm && self.settled(&Kind::Listener);
        self.push(&Kind::Route, Gate { answers: warm, make: go && listening, break_: false }, now);
        if go && listening && self.settled(&Kind::Route) {
            for kind in [Kind::Cluster, Kind::Endpoint, Kind::Route] {
                self.push(&kind, Gate { break_: true, ..Gate::default() }, now);
            }
        }
    }

    /// Whether the proxy has acknowledged everything of a kind, and has nothing old of it: on a new stream it may still have
    /// what it has not yet asked about.
    fn settled(&self, kind: &Kind) -> bool {
        let quiet = self.session.as_ref().is_none_or(|session| session.quiet(kind));
        let mut held = self.believed.get(kind).into_iter().flat_map(|named| named.keys());
        quiet && held.all(|name| self.desired.get(kind, name).is_none() || self.has(kind, name))
    }

    /// Sends what differs and may go, as one response.
    fn push(&mut self, kind: &Kind, gate: Gate, now: Stamp) {
        let (make, gone, greet) = self.select(kind, gate);
        if make.is_empty() && gone.is_empty() && !greet {
            return;
        }
        let Some(session) = &mut self.session else { return };
        session.last_nonce += 1;
        let nonce = session.last_nonce;
        let bodies = make.iter().filter_map(|name| self.desired.get(kind, name).map(|one| (name, one)));
        let resources = bodies.map(|(name, one)| discovery::Resource {
            name: name.clone(),
            version: one.version().into(),
            resource: Some(one.body().clone()),
            ..discovery::Resource::default()
        });
        let response = DeltaDiscoveryResponse {
            system_version_info: self.generation.to_string(),
            type_url: kind.url().into(),
            nonce: nonce.to_string(),
            resources: resources.collect(),
            removed_resources: gone.iter().cloned().collect(),
            ..DeltaDiscoveryResponse::default()
        };
        // A closed outlet is a stream that ends: its end is told to us by the task that reads it.
        drop(session.outlet.send(Ok(response)));
        let names = make.iter().chain(&gone).cloned().collect();
        let awaits = make.iter().filter_map(|name| self.desired.get(kind, name)?.awaited_endpoints()).collect();
        let flight = Flight { kind: kind.clone(), generation: self.generation, names, sent: now, awaits };
        session.flights.insert(nonce, flight);
        let believed = self.believed.entry(kind.clone()).or_default();
        for name in &gone {
            believed.remove(name);
        }
        for (name, version) in make.iter().filter_map(|name| Some((name, self.desired.get(kind, name)?.version()))) {
            believed.insert(name.clone(), Belief::Holds(version.into()));
        }
    }

    /// What of a kind to make and to take away now, and whether an answer is due even if that is nothing.
    fn select(&mut self, kind: &Kind, gate: Gate) -> (BTreeSet<String>, BTreeSet<String>, bool) {
        let nothing = (BTreeSet::new(), BTreeSet::new(), false);
        let Some(session) = &mut self.session else { return nothing };
        let Some(asked) = session.asked.get_mut(kind) else { return nothing };
        let greet = gate.answers && std::mem::take(&mut asked.greet);
        let mut due = if gate.answers { std::mem::take(&mut asked.fresh) } else { BTreeSet::new() };
        if gate.make {
            due.append(&mut asked.again);
        }
        let (wildcard, names) = (asked.wildcard, asked.names.clone());

        let (mut make, mut gone): (BTreeSet<_>, BTreeSet<_>) =
            due.into_iter().partition(|name| self.desired.get(kind, name).is_some());
        if gate.make || greet {
            let wanted = self.desired.names(kind).filter(|name| wildcard || names.contains(*name));
            make.extend(wanted.filter(|name| !self.has(kind, name)).map(str::to_owned));
        }
        if gate.break_ {
            let held = self.believed.get(kind).into_iter().flat_map(|named| named.keys());
            gone.extend(held.filter(|name| self.desired.get(kind, name).is_none()).cloned());
        }
        (make, gone, greet)
    }
}
