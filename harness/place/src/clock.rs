//! The machine's monotonic clock, read as the model's [`Stamp`].

use nix::time::{ClockId, clock_gettime};
use squall_model::Stamp;

/// Now, in nanoseconds of `CLOCK_MONOTONIC`.
pub(crate) fn now() -> Stamp {
    // The clock exists wherever Squall runs, so the read cannot fail.
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(Stamp(0), |time| {
        let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
        let nanos = u64::try_from(time.tv_nsec()).unwrap_or(0);
        Stamp(seconds * 1_000_000_000 + nanos)
    })
}
