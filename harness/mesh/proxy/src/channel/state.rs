//! The leases of all proxies, behind one lock that is never held over an await.

use super::{ChannelEvent, Layer, Push, Timing, Unarmed, holder::Holder};
use crate::{
    clock,
    stream::{Acked, Desk, Outlet},
};
use envoy_types::pb::envoy::service::discovery::v3::DeltaDiscoveryRequest;
use squall_model::Stamp;
use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::sync::{broadcast, watch};

/// Events kept for a reader that is behind.
const EVENTS: usize = 4096;

#[derive(Debug)]
pub(super) struct ChannelState {
    timing: Timing,
    stalled: AtomicBool,
    inner: Mutex<Inner>,
    changed: watch::Sender<()>,
    events: broadcast::Sender<ChannelEvent>,
}

#[derive(Debug, Default)]
struct Inner {
    holders: BTreeMap<String, Holder>,
    last_push: u64,
    last_stream: u64,
}

impl Inner {
    fn holder(&mut self, node: &str, timing: Timing) -> &mut Holder {
        self.holders.entry(node.into()).or_insert_with(|| Holder::new(node, timing))
    }
}

impl ChannelState {
    pub(super) fn new(timing: Timing) -> ChannelState {
        ChannelState {
            timing,
            stalled: AtomicBool::new(false),
            inner: Mutex::default(),
            changed: watch::channel(()).0,
            events: broadcast::channel(EVENTS).0,
        }
    }

    pub(super) fn events(&self) -> broadcast::Receiver<ChannelEvent> {
        self.events.subscribe()
    }

    pub(super) fn set(&self, node: &str, layer: Layer) -> Push {
        let mut inner = self.lock();
        inner.last_push += 1;
        let number = inner.last_push;
        inner.holder(node, self.timing).set(number, layer, clock::now());
        drop(inner);
        self.changed.send_replace(());
        Push { node: node.into(), number }
    }

    pub(super) fn forget(&self, node: &str) {
        self.lock().holders.remove(node);
        self.changed.send_replace(());
    }

    pub(super) fn is_void(&self, node: &str) -> bool {
        self.lock().holders.get(node).is_some_and(Holder::is_void)
    }

    pub(super) async fn wait(&self, push: &Push, by: Stamp) -> Result<Acked, Unarmed> {
        let mut changed = self.changed.subscribe();
        let deadline = clock::instant(by);
        loop {
            changed.mark_unchanged();
            match self.lock().holders.get(&push.node).map(|holder| holder.outcome(push.number)) {
                None => return Err(Unarmed::Unknown(push.node.clone())),
                Some(Some(outcome)) => return outcome,
                Some(None) => {}
            }
            // The sender lives as long as `self`, so only the deadline can end this other than by a change.
            if tokio::time::timeout_at(deadline, changed.changed()).await.is_err() {
                let lag = self.lock().holders.get(&push.node).map(|holder| holder.lag(push.number));
                return Err(lag.unwrap_or_else(|| Unarmed::Unknown(push.node.clone())));
            }
        }
    }

    pub(super) fn stall(&self, stalled: bool) {
        self.stalled.store(stalled, Ordering::Release);
    }

    /// Lets every heart beat, for ever.
    pub(super) async fn beat(&self) {
        let mut ticks = tokio::time::interval(self.timing.heartbeat);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if self.stalled.load(Ordering::Acquire) {
                continue;
            }
            let now = clock::now();
            self.lock().holders.values_mut().filter_map(|holder| holder.beat(now)).for_each(|event| self.tell(event));
            self.changed.send_replace(());
        }
    }

    /// Nobody listening is nobody's loss.
    fn tell(&self, event: ChannelEvent) {
        tracing::debug!(?event, "faults");
        drop(self.events.send(event));
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Desk for ChannelState {
    async fn admit(&self, _: &str) {}

    fn open(&self, node: &str, outlet: Outlet) -> u64 {
        let mut inner = self.lock();
        inner.last_stream += 1;
        let stream = inner.last_stream;
        inner.holder(node, self.timing).open(stream, outlet);
        drop(inner);
        self.tell(ChannelEvent::Connected { node: node.into(), at: clock::now() });
        stream
    }

    fn request(&self, node: &str, stream: u64, request: DeltaDiscoveryRequest) -> bool {
        let mut inner = self.lock();
        let Some(holder) = inner.holders.get_mut(node).filter(|holder| holder.is_stream(stream)) else { return false };
        // Told under the lock, so that whoever waits for an answer finds its event already there.
        holder.request(request, clock::now()).into_iter().for_each(|event| self.tell(event));
        drop(inner);
        self.changed.send_replace(());
        true
    }

    fn close(&self, node: &str, stream: u64) {
        let mut inner = self.lock();
        if let Some(holder) = inner.holders.get_mut(node).filter(|holder| holder.is_stream(stream)) {
            holder.close();
        }
        drop(inner);
        self.changed.send_replace(());
        self.tell(ChannelEvent::Disconnected { node: node.into(), at: clock::now() });
    }
}
