//! The one clock of the load engine.

use nix::time::{ClockId, clock_gettime};
use squall_model::Stamp;
use std::time::Duration;
use tokio::time::Instant;

/// Reads `CLOCK_MONOTONIC`: comparable with the stamps of every other process on the machine.
#[must_use]
#[expect(clippy::expect_used, reason = "clock_gettime(2) fails only for a clock that does not exist")]
pub fn now() -> Stamp {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("every POSIX system has CLOCK_MONOTONIC");
    Stamp(Duration::from(time).as_nanos() as u64)
}

/// The same moment on tokio's clock, which has no fixed zero; a moment that has passed becomes the present.
pub(crate) fn instant(at: Stamp) -> Instant {
    Instant::now() + at.since(now())
}
