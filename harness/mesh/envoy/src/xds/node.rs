//! One proxy: what it should have, what it is believed to have, and what it owes us. No I/O, no clock.

use super::{
    Acked, Behind, Kind, Lag, Rejection, Resources, XdsEvent,
    session::{Session, Subscription},
};
use envoy_types::pb::envoy::service::discovery::v3::DeltaDiscoveryRequest;
use squall_mesh_proxy::stream::Outlet;
use squall_model::Stamp;
use std::collections::{BTreeMap, BTreeSet};

/// Number of a desired state, rising over the life of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub(crate) u64);

impl Generation {
    /// The number itself.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0
    }
}

/// What the proxy has under a name, once it has accepted everything that is on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Belief {
    /// This version.
    Holds(String),
    /// Anything: it refused a push with it, in part perhaps, or left before it answered.
    Unsure,
}

/// The generations that wait for one resource to be acknowledged.
#[derive(Debug, Clone, Copy)]
struct Owed {
    oldest: u64,
    newest: u64,
}

#[derive(Debug, Clone)]
enum Outcome {
    Acked(Acked),
    Rejected(Rejection),
}

#[derive(Debug, Default)]
pub(crate) struct Node {
    pub(super) id: String,
    pub(super) generation: u64,
    pub(super) desired: Resources,
    pub(super) believed: BTreeMap<Kind, BTreeMap<String, Belief>>,
    pub(super) session: Option<Session>,
    /// The newest generation that was refused.
    refused: u64,
    owed: BTreeMap<(Kind, String), Owed>,
    open: BTreeSet<u64>,
    outcomes: BTreeMap<u64, Outcome>,
    connected_once: bool,
}

impl Node {
    pub(crate) fn new(id: &str) -> Node {
        Node { id: id.into(), ..Node::default() }
    }

    /// Replaces the whole desired state.
    pub(crate) fn set(&mut self, generation: u64, desired: Resources, now: Stamp) {
        let unsure = self.believed.iter().flat_map(|(kind, named)| {
            let unsure = named.iter().filter(|(_, belief)| **belief == Belief::Unsure);
            unsure.map(|(name, _)| (kind.clone(), name.clone()))
        });
        let mut touched = self.desired.differences(&desired);
        touched.extend(unsure);
        self.desired = desired;
        self.generation = generation;
        for key in touched {
            self.owe(key, generation);
        }
        let mut owed = std::mem::take(&mut self.owed);
        owed.retain(|(kind, name), _| !self.has(kind, name) || self.in_flight(kind, name));
        self.owed = owed;
        self.open.insert(generation);
        self.advance(now);
        self.settle(now);
    }

    /// A stream opens; a former one is closed.
    pub(crate) fn open(&mut self, session: u64, outlet: Outlet) {
        self.close();
        self.session = Some(Session::new(session, outlet));
        self.connected_once = true;
    }

    /// The stream ends: what was on its way may have arrived or not.
    pub(crate) fn close(&mut self) {
        for flight in self.session.take().into_iter().flat_map(|session| session.flights.into_values()) {
            let believed = self.believed.entry(flight.kind).or_default();
            believed.extend(flight.names.into_iter().map(|name| (name, Belief::Unsure)));
        }
    }

    pub(crate) fn is_session(&self, session: u64) -> bool {
        self.session.as_ref().is_some_and(|open| open.id == session)
    }

    /// Takes a request in; what it leads to is sent at once.
    pub(crate) fn request(&mut self, request: DeltaDiscoveryRequest, now: Stamp) -> Option<XdsEvent> {
        let kind = Kind::of(&request.type_url);
        let answer = self.answer(&kind, &request, now);
        let first = self.session.as_ref().is_some_and(|session| !session.asked.contains_key(&kind));
        if first {
            self.subscribe_first(&kind, request);
        } else {
            self.subscribe(&kind, request);
        }
        self.advance(now);
        self.settle(now);
        answer
    }

    /// An ACK or NACK, told by its nonce.
    fn answer(&mut self, kind: &Kind, request: &DeltaDiscoveryRequest, now: Stamp) -> Option<XdsEvent> {
        let nonce: u64 = request.response_nonce.parse().ok()?;
        let session = self.session.as_mut()?;
        let flight = session.flights.remove(&nonce).filter(|flight| flight.kind == *kind)?;
        let (node, kind) = (self.id.clone(), kind.clone());
        let Some(refusal) = &request.error_detail else {
            for name in &flight.names {
                self.paid(&(kind.clone(), name.clone()), flight.generation);
            }
            return Some(XdsEvent::Acked { node, kind, names: flight.names, took: now.since(flight.sent), at: now });
        };
        for name in flight.names.iter().filter(|name| !session.is_newer_in_flight(nonce, &kind, name)) {
            self.believed.entry(kind.clone()).or_default().insert(name.clone(), Belief::Unsure);
        }
        let rejection = Rejection { node, kind, names: flight.names, words: refusal.message.clone(), at: now };
        self.refused = self.refused.max(flight.generation);
        let later = self.open.split_off(&(flight.generation + 1));
        for generation in std::mem::replace(&mut self.open, later) {
            self.outcomes.insert(generation, Outcome::Rejected(rejection.clone()));
        }
        Some(XdsEvent::Rejected(rejection))
    }

    /// The first request for a kind on a stream: it says what the proxy has kept from an earlier one.
    fn subscribe_first(&mut self, kind: &Kind, request: DeltaDiscoveryRequest) {
        let explicit = request.resource_names_subscribe.iter().any(|name| name == "*");
        let wildcard = explicit || (kind.has_wildcard() && request.resource_names_subscribe.is_empty());
        let names: BTreeSet<String> = request.resource_names_subscribe.into_iter().filter(|name| name != "*").collect();
        let claims = request.initial_resource_versions;
        let fresh = names.iter().filter(|name| !claims.contains_key(*name)).cloned().collect();
        let asked =
            Subscription { wildcard, fresh, greet: wildcard && claims.is_empty(), names, ..Subscription::default() };

        let before = self.believed.remove(kind).unwrap_or_default();
        let unsure = before.into_iter().filter(|(_, belief)| *belief == Belief::Unsure);
        let mut now: BTreeMap<_, _> =
            claims.into_iter().map(|(name, version)| (name, Belief::Holds(version))).collect();
        now.extend(unsure.filter(|(name, _)| asked.wildcard || asked.names.contains(name)));

        let held = now.keys().cloned();
        let wanted = self.desired.names(kind).filter(|name| wildcard || asked.names.contains(*name)).map(str::to_owned);
        let scope: BTreeSet<String> = held.chain(wanted).collect();
        self.believed.insert(kind.clone(), now);
        if let Some(session) = &mut self.session {
            session.asked.insert(kind.clone(), asked);
        }
        for name in scope {
            if self.has(kind, &name) {
                self.owed.remove(&(kind.clone(), name));
            } else if !self.owed.contains_key(&(kind.clone(), name.clone())) {
                self.owe((kind.clone(), name), self.generation);
            }
        }
    }

    fn subscribe(&mut self, kind: &Kind, request: DeltaDiscoveryRequest) {
        let Some(asked) = self.session.as_mut().and_then(|session| session.asked.get_mut(kind)) else { return };
        for name in request.resource_names_unsubscribe {
            if name == "*" {
                asked.wildcard = false;
                continue;
            }
            asked.names.remove(&name);
            asked.fresh.remove(&name);
            asked.again.remove(&name);
            if !asked.wildcard {
                self.believed.entry(kind.clone()).or_default().remove(&name);
                if self.desired.get(kind, &name).is_none() {
                    self.owed.remove(&(kind.clone(), name));
                }
            }
        }
        for name in request.resource_names_subscribe {
            if name == "*" {
                asked.greet |= !asked.wildcard;
                asked.wildcard = true;
                continue;
            }
            asked.names.insert(name.clone());
            asked.fresh.insert(name);
        }
    }

    /// What the proxy said by the deadline about a generation; `None`: nothing final yet.
    pub(crate) fn outcome(&self, generation: Generation) -> Option<Result<Acked, Lag>> {
        if self.open.contains(&generation.0) {
            return None;
        }
        Some(match self.outcomes.get(&generation.0) {
            Some(Outcome::Acked(acked)) => Ok(*acked),
            Some(Outcome::Rejected(rejection)) => Err(rejection.clone().into()),
            None => Err(Lag::Unknown(self.id.clone())),
        })
    }

    /// What is missing for a generation to be complete.
    pub(crate) fn behind(&self, generation: Generation) -> Vec<Behind> {
        let Some(session) = &self.session else {
            return vec![if self.connected_once { Behind::Disconnected } else { Behind::NeverConnected }];
        };
        let missing = self.owed.iter().filter(|(_, owed)| owed.oldest <= generation.0).map(|(key, _)| key);
        let mut sorted: BTreeMap<(&Kind, u8), Vec<String>> = BTreeMap::new();
        for (kind, name) in missing {
            let class = match () {
                () if session.in_flight(kind, name) => 0,
                () if !session.wants(kind, name) => 1,
                () => 2,
            };
            sorted.entry((kind, class)).or_default().push(name.clone());
        }
        let behind = sorted.into_iter().map(|((kind, class), names)| match class {
            0 => Behind::Unanswered { kind: kind.clone(), names },
            1 => Behind::NotSubscribed { kind: kind.clone(), names },
            _ => Behind::Queued { kind: kind.clone(), names },
        });
        behind.collect()
    }

    /// Whether nothing may be pushed but answers: the proxy refused the state that is still the desired one.
    pub(super) fn halted(&self) -> bool {
        self.refused > 0 && self.refused >= self.generation
    }

    /// Whether the proxy has, or is being sent, what it should have under this name.
    pub(super) fn has(&self, kind: &Kind, name: &str) -> bool {
        let believed = self.believed.get(kind).and_then(|named| named.get(name));
        match (believed, self.desired.get(kind, name)) {
            (None, None) => true,
            (Some(Belief::Holds(version)), Some(desired)) => version == desired.version(),
            _ => false,
        }
    }

    fn in_flight(&self, kind: &Kind, name: &str) -> bool {
        self.session.as_ref().is_some_and(|session| session.in_flight(kind, name))
    }

    fn owe(&mut self, key: (Kind, String), generation: u64) {
        self.owed.entry(key).or_insert(Owed { oldest: generation, newest: generation }).newest = generation;
    }

    fn paid(&mut self, key: &(Kind, String), generation: u64) {
        let Some(owed) = self.owed.get_mut(key) else { return };
        if owed.newest <= generation {
            self.owed.remove(key);
        } else {
            owed.oldest = owed.oldest.max(generation + 1);
        }
    }

    /// Closes every generation that nothing is owed for any more.
    fn settle(&mut self, now: Stamp) {
        let oldest = self.owed.values().map(|owed| owed.oldest).min().unwrap_or(u64::MAX);
        let still_open = self.open.split_off(&oldest);
        for generation in std::mem::replace(&mut self.open, still_open) {
            self.outcomes.insert(generation, Outcome::Acked(Acked { at: now }));
        }
    }
}
