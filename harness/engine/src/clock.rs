//! The machine's clocks, read here and nowhere else in this room.

use nix::time::{ClockId, clock_gettime};
use squall_mesh::WallOffset;
use squall_model::Stamp;
use std::time::Duration;

/// The monotonic clock, now.
#[must_use]
pub(crate) fn now() -> Stamp {
    Stamp(nanoseconds(ClockId::CLOCK_MONOTONIC).unsigned_abs() as u64)
}

/// How far the wall clock is ahead of the monotonic one, now. Proxies log by the wall clock.
#[must_use]
pub(crate) fn wall_offset() -> WallOffset {
    // Read in the order mono, wall, mono: the mean of the outer two is when the inner one was read.
    let before = nanoseconds(ClockId::CLOCK_MONOTONIC);
    let wall = nanoseconds(ClockId::CLOCK_REALTIME);
    let after = nanoseconds(ClockId::CLOCK_MONOTONIC);
    WallOffset(wall - (before + after) / 2)
}

/// By how much the machine was suspended since it started: the boot-time clock runs on, the monotonic one does not.
#[must_use]
pub(crate) fn suspended() -> Duration {
    let asleep = nanoseconds(ClockId::CLOCK_BOOTTIME) - nanoseconds(ClockId::CLOCK_MONOTONIC);
    Duration::from_nanos(u64::try_from(asleep).unwrap_or(0))
}

/// Returns at this moment. For what is meant to happen then, never as a wait for something else.
pub(crate) async fn until(at: Stamp) {
    tokio::time::sleep_until(tokio::time::Instant::now() + at.since(now())).await;
}

/// The result of a future, or `None` when the moment comes first.
pub(crate) async fn before<T>(by: Stamp, work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(by.since(now()), work).await.ok()
}

fn nanoseconds(clock: ClockId) -> i128 {
    // These clocks exist on every Linux that Rust supports; a kernel without them is a broken invariant.
    clock_gettime(clock).map_or(0, |t| i128::from(t.tv_sec()) * 1_000_000_000 + i128::from(t.tv_nsec()))
}
