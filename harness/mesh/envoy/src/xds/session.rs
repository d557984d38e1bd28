//! One stream of one proxy: what it asked for, and what is on its way.

use super::Kind;
use squall_mesh_proxy::stream::Outlet;
use squall_model::Stamp;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug)]
pub(crate) struct Session {
    pub(super) id: u64,
    pub(super) outlet: Outlet,
    pub(super) asked: BTreeMap<Kind, Subscription>,
    pub(super) flights: BTreeMap<u64, Flight>,
    pub(super) last_nonce: u64,
}

/// What the proxy asked for, of one kind.
#[derive(Debug, Default)]
pub(super) struct Subscription {
    /// All there are.
    pub(super) wildcard: bool,
    /// Those besides, by name.
    pub(super) names: BTreeSet<String>,
    /// Asked for and not answered yet: answered even if there is no such resource, or the proxy waits for nothing.
    pub(super) fresh: BTreeSet<String>,
    /// All there are were asked for by a proxy that has none: answered even if there are none.
    pub(super) greet: bool,
    /// To be sent again though unchanged.
    pub(super) again: BTreeSet<String>,
}

/// A push that is not answered yet.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) kind: Kind,
    pub(super) generation: u64,
    pub(super) names: Vec<String>,
    pub(super) sent: Stamp,
    /// Endpoints that its clusters wait for, unless they were sent since.
    pub(super) awaits: Vec<String>,
}

impl Session {
    pub(super) fn new(id: u64, outlet: Outlet) -> Session {
        Session { id, outlet, asked: BTreeMap::new(), flights: BTreeMap::new(), last_nonce: 0 }
    }

    pub(super) fn in_flight(&self, kind: &Kind, name: &str) -> bool {
        self.is_newer_in_flight(0, kind, name)
    }

    /// Whether something later than a push says more about a resource.
    pub(super) fn is_newer_in_flight(&self, nonce: u64, kind: &Kind, name: &str) -> bool {
        let mut newer = self.flights.range(nonce + 1..).map(|(_, flight)| flight);
        newer.any(|flight| flight.kind == *kind && flight.names.iter().any(|one| one == name))
    }

    /// Has the endpoints sent again that clusters on their way wait for: a changed cluster does not ask for them, and is
    /// acknowledged only when it has them.
    pub(super) fn owe_endpoints(&mut self) {
        let Some(asked) = self.asked.get_mut(&Kind::Endpoint) else { return };
        let awaited = self.flights.values_mut().flat_map(|flight| std::mem::take(&mut flight.awaits));
        asked.again.extend(awaited.filter(|name| asked.names.contains(name)));
    }

    /// Whether every push of this kind was answered.
    pub(super) fn quiet(&self, kind: &Kind) -> bool {
        self.flights.values().all(|flight| flight.kind != *kind)
    }

    pub(super) fn wants(&self, kind: &Kind, name: &str) -> bool {
        self.asked.get(kind).is_some_and(|asked| asked.wildcard || asked.names.contains(name))
    }
}
