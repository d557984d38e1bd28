//! One way to stop a run, whoever asks: a signal, a deadline, a guard, `--fail-fast`.

use std::sync::{Arc, OnceLock};
use tokio_util::sync::CancellationToken;

/// Stops a run. Cheap to clone; the first reason counts.
#[derive(Debug, Clone, Default)]
pub struct Stopper {
    token: CancellationToken,
    why: Arc<OnceLock<String>>,
}

impl Stopper {
    /// Stops: the scenario under way ends its faults and leaves, and no other begins.
    pub fn stop(&self, why: &str) {
        let _ = self.why.set(why.to_owned());
        self.token.cancel();
    }

    /// Why it was stopped; `None`: it was not.
    #[must_use]
    pub fn why(&self) -> Option<&str> {
        self.is_stopped().then(|| self.why.get().map_or("", String::as_str))
    }

    /// Whether it was stopped.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Returns when it is.
    pub async fn stopped(&self) {
        self.token.cancelled().await;
    }
}
