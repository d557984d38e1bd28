//! The machine's monotonic clock.

use nix::time::{ClockId, clock_gettime};
use squall_model::Stamp;
use std::time::Duration;

/// The time now.
#[expect(clippy::expect_used, reason = "fails only for a clock that does not exist, and every kernel has this one")]
pub(crate) fn now() -> Stamp {
    let reading = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("CLOCK_MONOTONIC can be read");
    Stamp(u64::try_from(Duration::from(reading).as_nanos()).unwrap_or(u64::MAX))
}
