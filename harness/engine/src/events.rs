//! Where events go: numbered and stamped here, written by one thread, wherever that is.

use crate::clock;
use squall_model::{Body, EVENT_VERSION, RunEvent, RunOf};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
    mpsc,
};

/// The sending end of a run's events. Cheap to clone; events of several senders are numbered without gaps.
#[derive(Debug, Clone)]
pub struct Events {
    next: Arc<AtomicU64>,
    to: mpsc::Sender<RunEvent>,
}

impl Events {
    /// A new stream of events: the end that sends and the end that reads.
    #[must_use]
    pub fn channel() -> (Events, mpsc::Receiver<RunEvent>) {
        let (to, from) = mpsc::channel();
        (Events { next: Arc::new(AtomicU64::new(0)), to }, from)
    }

    /// Sends an event about one run of one scenario, or about the run as a whole.
    ///
    /// A reader that is gone is no reason to stop: recording must not break a run.
    pub fn emit(&self, of: Option<&RunOf>, body: Body) {
        let seq = self.next.fetch_add(1, Ordering::Relaxed);
        let _ = self.to.send(RunEvent { v: EVENT_VERSION, seq, at: clock::now(), of: of.cloned(), body });
    }
}
