//! What is written in pods, written here as well.
//!
//! By a thread of the runner's own, and not by the processes that stand for pods: what a proxy or a workload wrote before it was killed is
//! read to its end after that.

use super::{Seat, files};
use std::{fs::OpenOptions, io, path::PathBuf, thread};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// One file.
#[derive(Debug)]
struct Order {
    seat: Seat,
    theirs: PathBuf,
    ours: PathBuf,
}

/// Mirrors files for as long as it lives.
#[derive(Debug)]
pub struct Mirrors {
    orders: UnboundedSender<Order>,
}

impl Mirrors {
    /// Starts the thread.
    ///
    /// # Errors
    /// Where there can be none.
    pub fn start() -> io::Result<Mirrors> {
        let (orders, queue) = unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new().name("squall-mirrors".into()).spawn(move || runtime.block_on(work(queue)))?;
        Ok(Mirrors { orders })
    }

    /// Writes what a file in a pod says into one of ours, from its begin on and as it grows, until the pod ends.
    pub fn follow(&self, seat: &Seat, theirs: PathBuf, ours: PathBuf) {
        // There at once, for whoever looks at it. One that cannot be made is told by who reads it.
        drop(OpenOptions::new().append(true).create(true).open(&ours));
        // A thread that has ended has said why.
        let _ = self.orders.send(Order { seat: seat.clone(), theirs, ours });
    }
}

/// Ends when nobody can order any more.
async fn work(mut queue: UnboundedReceiver<Order>) {
    while let Some(Order { seat, theirs, ours }) = queue.recv().await {
        tokio::spawn(async move {
            // It ends with its pod, which whoever holds that tells.
            if let Err(why) = files::mirror(&seat.found(), &theirs, &ours).await {
                tracing::debug!(file = %theirs.display(), %why, "is mirrored no more");
            }
        });
    }
}
