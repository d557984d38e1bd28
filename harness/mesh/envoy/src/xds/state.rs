//! The desired states of all proxies and their streams, behind one lock that is never held over an await.

use super::{
    Acked, Lag, Resources, XdsEvent,
    node::{Generation, Node},
};
use envoy_types::pb::envoy::service::discovery::v3::DeltaDiscoveryRequest;
use squall_mesh_proxy::stream::{Desk, Outlet};
use squall_model::Stamp;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{broadcast, watch};

/// Events kept for a reader that is behind.
const EVENTS: usize = 4096;

#[derive(Debug)]
pub(crate) struct AdsState {
    inner: Mutex<Inner>,
    changed: watch::Sender<()>,
    events: broadcast::Sender<XdsEvent>,
}

#[derive(Debug, Default)]
struct Inner {
    nodes: BTreeMap<String, Node>,
    /// Proxies that do not reach us: they have no stream, and those that they open are kept waiting.
    severed: BTreeSet<String>,
    last_generation: u64,
    last_session: u64,
}

impl Inner {
    fn node(&mut self, id: &str) -> &mut Node {
        self.nodes.entry(id.into()).or_insert_with(|| Node::new(id))
    }
}

impl AdsState {
    pub(crate) fn new() -> AdsState {
        AdsState { inner: Mutex::default(), changed: watch::channel(()).0, events: broadcast::channel(EVENTS).0 }
    }

    pub(crate) fn events(&self) -> broadcast::Receiver<XdsEvent> {
        self.events.subscribe()
    }

    pub(crate) fn set(&self, node: &str, resources: Resources) -> Generation {
        let mut inner = self.lock();
        inner.last_generation += 1;
        let generation = inner.last_generation;
        inner.node(node).set(generation, resources, squall_mesh_proxy::now());
        drop(inner);
        self.changed.send_replace(());
        Generation(generation)
    }

    pub(crate) fn desired(&self, node: &str) -> Option<Resources> {
        self.lock().nodes.get(node).map(|node| node.desired.clone())
    }

    pub(crate) fn forget(&self, node: &str) {
        let mut inner = self.lock();
        inner.nodes.remove(node);
        inner.severed.remove(node);
        drop(inner);
        self.changed.send_replace(());
    }

    pub(crate) fn sever(&self, node: &str) {
        let mut inner = self.lock();
        inner.severed.insert(node.into());
        inner.nodes.get_mut(node).into_iter().for_each(Node::close);
        drop(inner);
        self.changed.send_replace(());
    }

    pub(crate) fn rejoin(&self, node: &str) {
        self.lock().severed.remove(node);
        self.changed.send_replace(());
    }

    pub(crate) fn is_severed(&self, node: &str) -> bool {
        self.lock().severed.contains(node)
    }

    pub(crate) async fn wait(&self, node: &str, generation: Generation, by: Stamp) -> Result<Acked, Lag> {
        let mut changed = self.changed.subscribe();
        let deadline = squall_mesh_proxy::instant(by);
        loop {
            changed.mark_unchanged();
            match self.lock().nodes.get(node).map(|node| node.outcome(generation)) {
                None => return Err(Lag::Unknown(node.into())),
                Some(Some(outcome)) => return outcome,
                Some(None) => {}
            }
            // The sender lives as long as `self`, so only the deadline can end this other than by a change.
            if tokio::time::timeout_at(deadline, changed.changed()).await.is_err() {
                let behind = self.lock().nodes.get(node).map(|node| node.behind(generation)).unwrap_or_default();
                return Err(Lag::Late { node: node.into(), behind });
            }
        }
    }

    /// Nobody listening is nobody's loss.
    fn tell(&self, event: XdsEvent) {
        tracing::debug!(?event, "ads");
        drop(self.events.send(event));
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Desk for AdsState {
    async fn admit(&self, node: &str) {
        let mut changed = self.changed.subscribe();
        while self.is_severed(node) {
            // The sender lives as long as `self`.
            drop(changed.changed().await);
        }
    }

    fn open(&self, node: &str, outlet: Outlet) -> u64 {
        let mut inner = self.lock();
        inner.last_session += 1;
        let session = inner.last_session;
        if inner.severed.contains(node) {
            // It was severed after it had been admitted: without a session the stream ends.
            return session;
        }
        inner.node(node).open(session, outlet);
        drop(inner);
        self.tell(XdsEvent::Connected { node: node.into(), at: squall_mesh_proxy::now() });
        session
    }

    fn request(&self, node: &str, session: u64, request: DeltaDiscoveryRequest) -> bool {
        let mut inner = self.lock();
        let Some(node) = inner.nodes.get_mut(node).filter(|node| node.is_session(session)) else { return false };
        // Told under the lock, so that whoever waits for an answer finds its event already there.
        node.request(request, squall_mesh_proxy::now()).into_iter().for_each(|event| self.tell(event));
        drop(inner);
        self.changed.send_replace(());
        true
    }

    fn close(&self, node: &str, session: u64) {
        let mut inner = self.lock();
        if let Some(open) = inner.nodes.get_mut(node).filter(|node| node.is_session(session)) {
            open.close();
        }
        drop(inner);
        self.changed.send_replace(());
        self.tell(XdsEvent::Disconnected { node: node.into(), at: squall_mesh_proxy::now() });
    }
}
