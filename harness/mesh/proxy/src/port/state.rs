//! What is ordered, who is where and what was asked, behind one lock that is never held over an await.

use super::order::{Fate, Header, Order, Try, fate};
use crate::clock;
use squall_model::{AskedRecord, InstanceId, ServiceName, Stamp};
use std::{
    collections::{BTreeMap, HashMap},
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::sync::watch;

/// How often the port looks whether it gets a processor.
const BEAT: Duration = Duration::from_millis(5);

/// Held up for longer, it is late: a proxy waits for 50 ms (`filters.rs`), and the way to it takes some of that.
const LATE: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub(super) struct PortState {
    seed: u64,
    pulse: Pulse,
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
        PortState { seed, pulse: Pulse::default(), stalled: watch::Sender::new(false), inner: Mutex::default() }
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
        let now = clock::now();
        run.asked.push(AskedRecord {
            at: at.clone(),
            id: id.into(),
            attempt,
            caller: caller.cloned(),
            meant: fate.meant.clone(),
            struck: fate.struck.clone(),
            asked: now,
            late: self.pulse.is_late(now),
        });
        fate
    }

    /// Beats for as long as the port serves, on its thread.
    pub(super) async fn keep_pulse(&self) -> Infallible {
        loop {
            let due = clock::now() + BEAT;
            self.pulse.is_due(due);
            tokio::time::sleep_until(clock::instant(due)).await;
            self.pulse.beat(due, clock::now());
        }
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

/// Whether the port's thread gets a processor, by what comes of a beat that is due. Stamps; 0 is never.
#[derive(Debug, Default)]
struct Pulse {
    due: AtomicU64,
    late_until: AtomicU64,
}

impl Pulse {
    /// The next beat is due then.
    fn is_due(&self, at: Stamp) {
        self.due.store(at.0, Relaxed);
    }

    /// What was due then came now. Questions that came meanwhile may be answered after it: for a moment longer they are late.
    fn beat(&self, due: Stamp, now: Stamp) {
        if now > due + LATE {
            self.late_until.store((now + LATE).0, Relaxed);
        }
    }

    fn is_late(&self, now: Stamp) -> bool {
        let due = self.due.load(Relaxed);
        now.0 < self.late_until.load(Relaxed) || due > 0 && now > Stamp(due) + LATE
    }
}

/// The beginning of an id by which its run is known.
fn prefix(id: &str) -> Option<&str> {
    id.find('.').and_then(|dot| id.get(..=dot))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_answers_while_or_after_it_was_held_up_is_late() {
        let at = |ms: u64| Stamp(ms * 1_000_000);
        let pulse = Pulse::default();
        assert!(!pulse.is_late(at(500)), "nobody beats yet");
        pulse.is_due(at(1_000));
        assert!(!pulse.is_late(at(1_015)));
        assert!(pulse.is_late(at(1_030)), "its beat is due for longer");
        // The beat was seen to first, and the questions after it.
        pulse.beat(at(1_000), at(1_040));
        pulse.is_due(at(1_045));
        assert!(pulse.is_late(at(1_050)) && !pulse.is_late(at(1_061)));
        pulse.beat(at(1_065), at(1_070));
        pulse.is_due(at(1_075));
        assert!(!pulse.is_late(at(1_071)));
    }
}
