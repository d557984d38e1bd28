//! The one clock of this room.

use nix::time::{ClockId, clock_gettime};
use squall_model::Stamp;
use std::time::Duration;

/// Now, on `CLOCK_MONOTONIC`: comparable with the stamps of every other process of this machine.
#[must_use]
#[expect(clippy::expect_used, reason = "clock_gettime(2) fails only for a clock that does not exist")]
pub fn now() -> Stamp {
    let read = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("CLOCK_MONOTONIC exists on every supported system");
    Stamp(u64::try_from(Duration::from(read).as_nanos()).unwrap_or(u64::MAX))
}

/// The same instant as the runtime's timers read it.
pub fn instant(at: Stamp) -> tokio::time::Instant {
    let (instant, stamp) = (tokio::time::Instant::now(), now());
    if at >= stamp { instant + at.since(stamp) } else { instant }
}
