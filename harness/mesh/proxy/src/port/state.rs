//! What is ordered, who is where and what was asked, behind one lock that is never held over an await.

use super::order::{Fate, Header, Order, Try, fate};
use crate::clock;
use squall_model::{AskedRecord, InstanceId, ServiceName};
use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, SocketAddr},
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

#[derive(Debug)]
pub(super) struct PortState {
    seed: u64,
    stalled: watch::Sender<bool>,
    inner: Mutex<Inner>,
}

/// Who is where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Whereabouts {
    /// Instances, by the address that tries reach.
    pub instances: BTreeMap<SocketAddr, InstanceId>,
    /// Services that call, by the address that tries come from.
    pub callers: BTreeMap<IpAddr, ServiceName>,
}

#[derive(Debug, Default)]
struct Inner {
    /// By the beginning of its ids, up to the first dot and with it.
    runs: HashMap<String, Run>,
    instances: BTreeMap<SocketAddr, InstanceId>,
    callers: BTreeMap<IpAddr, ServiceName>,
}

/// What belongs to the tries of one run of a scenario.
#[derive(Debug, Default)]
struct Run {
    orders: Vec<Order>,
    asked: Vec<AskedRecord>,
    /// How often each try was asked about.
    times: HashMap<(String, u32, InstanceId), u32>,
}

impl Run {
    /// How often the same was asked before.
    fn nth(&mut self, id: &str, attempt: u32, at: &InstanceId) -> u32 {
        let times = self.times.entry((id.to_owned(), attempt, at.clone())).or_default();
        std::mem::replace(times, *times + 1)
    }
}

/// A try as its proxy tells of it.
pub(super) struct Question<'q, 'h> {
    pub(super) id: &'q str,
    pub(super) attempt: u32,
    pub(super) to: Option<SocketAddr>,
    pub(super) from: Option<IpAddr>,
    pub(super) header: &'q Header<'h>,
}

impl PortState {
    pub(super) fn new(seed: u64) -> PortState {
        PortState { seed, stalled: watch::Sender::new(false), inner: Mutex::default() }
    }

    pub(super) fn set(&self, prefix: &str, orders: Vec<Order>) {
        let mut inner = self.lock();
        let run = inner.runs.entry(prefix.into()).or_default();
        if orders.is_empty() {
            // With nothing in place nothing is drawn, and what was is not drawn again.
            run.times.clear();
        }
        run.orders = orders;
    }

    pub(super) fn know(&self, instances: BTreeMap<SocketAddr, InstanceId>, callers: BTreeMap<IpAddr, ServiceName>) {
        let mut inner = self.lock();
        inner.instances = instances;
        inner.callers = callers;
    }

    pub(super) fn whereabouts(&self) -> Whereabouts {
        let inner = self.lock();
        Whereabouts { instances: inner.instances.clone(), callers: inner.callers.clone() }
    }

    pub(super) fn moved(&self, was: &Whereabouts, from: IpAddr, to: IpAddr) {
        let mut inner = self.lock();
        let there = was.instances.iter().filter(|(at, _)| at.ip() == from);
        inner.instances.extend(there.map(|(at, id)| (SocketAddr::new(to, at.port()), id.clone())));
        inner.callers.extend(was.callers.get(&from).map(|caller| (to, caller.clone())));
    }

    pub(super) fn take(&self, prefix: &str) -> Vec<AskedRecord> {
        self.lock().runs.get_mut(prefix).map(|run| std::mem::take(&mut run.asked)).unwrap_or_default()
    }

    pub(super) fn forget(&self, prefix: &str) {
        self.lock().runs.remove(prefix);
    }

    /// Decides about a try and writes it down. One that is of no run, or reaches nobody known, has no fate.
    pub(super) fn answer(&self, asked: &Question<'_, '_>) -> Fate {
        let mut inner = self.lock();
        let Inner { runs, instances, callers } = &mut *inner;
        let Some(run) = prefix(asked.id).and_then(|prefix| runs.get_mut(prefix)) else { return Fate::default() };
        let Some(at) = asked.to.and_then(|to| instances.get(&to)) else {
            tracing::debug!(id = asked.id, to = ?asked.to, "asked about a try that reaches nobody known");
            return Fate::default();
        };
        let caller = asked.from.and_then(|from| callers.get(&from));
        let Question { id, attempt, header, .. } = *asked;
        let nth = if run.orders.is_empty() { 0 } else { run.nth(id, attempt, at) };
        let fate = fate(self.seed, &run.orders, &Try { id, attempt, at, nth, caller, header });
        run.asked.push(AskedRecord {
            at: at.clone(),
            id: id.into(),
            attempt,
            caller: caller.cloned(),
            meant: fate.meant.clone(),
            struck: fate.struck.clone(),
            asked: clock::now(),
        });
        fate
    }

    pub(super) fn stall(&self, stalled: bool) {
        self.stalled.send_replace(stalled);
    }

    /// Waits while it is stalled.
    pub(super) async fn attend(&self) {
        // The sender lives as long as `self`.
        drop(self.stalled.subscribe().wait_for(|stalled| !stalled).await);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The beginning of an id by which its run is known.
fn prefix(id: &str) -> Option<&str> {
    id.find('.').and_then(|dot| id.get(..=dot))
}
