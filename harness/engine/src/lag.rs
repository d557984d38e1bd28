//! How late the engine's own loop wakes: on a machine that stalls, whoever sends and whoever serves stall too.

use crate::clock;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::task::AbortHandle;

/// Between two looks: a stall of half this length may go unseen.
const LOOK: Duration = Duration::from_millis(20);

/// Looks for as long as it lives.
#[derive(Debug)]
pub(crate) struct LagWatch {
    worst: Arc<AtomicU64>,
    looking: AbortHandle,
}

impl LagWatch {
    /// Begins to look, on the runtime of whoever calls.
    pub(crate) fn start() -> LagWatch {
        let worst = Arc::<AtomicU64>::default();
        let seen = Arc::clone(&worst);
        let looking = tokio::spawn(async move {
            loop {
                let due = clock::now() + LOOK;
                clock::until(due).await;
                seen.fetch_max(clock::now().since(due).as_nanos() as u64, Ordering::Relaxed);
            }
        });
        LagWatch { worst, looking: looking.abort_handle() }
    }

    /// The longest that the loop was held up so far, nanoseconds.
    pub(crate) fn worst(&self) -> u64 {
        self.worst.load(Ordering::Relaxed)
    }
}

impl Drop for LagWatch {
    fn drop(&mut self) {
        self.looking.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "the loop is to be held up")]
    async fn a_loop_that_is_held_up_is_seen() {
        let watch = LagWatch::start();
        clock::until(clock::now() + LOOK * 2).await;
        std::thread::sleep(Duration::from_millis(200));
        clock::until(clock::now() + LOOK * 2).await;
        assert!(watch.worst() >= 100_000_000, "{}", watch.worst());
    }
}
