//! Points on the machine's monotonic clock.
//!
//! The model has no clock: it only says what a reading of one looks like. Every process on one machine reads the same
//! `CLOCK_MONOTONIC`, so stamps of the load thread, of a workload and of the engine can be compared directly.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Nanoseconds of `CLOCK_MONOTONIC`. Comparable between processes of one machine and boot, and with nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Stamp(pub u64);

impl Stamp {
    /// The time from `earlier` to `self`, zero if `earlier` is the later one.
    #[must_use]
    pub fn since(self, earlier: Stamp) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The time from `earlier` to `self` in nanoseconds, negative if `earlier` is the later one.
    #[must_use]
    pub fn signed_since(self, earlier: Stamp) -> i64 {
        self.0.wrapping_sub(earlier.0) as i64
    }
}

impl std::ops::Add<Duration> for Stamp {
    type Output = Stamp;

    fn add(self, by: Duration) -> Stamp {
        Stamp(self.0.saturating_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl std::ops::Sub<Duration> for Stamp {
    type Output = Stamp;

    fn sub(self, by: Duration) -> Stamp {
        Stamp(self.0.saturating_sub(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX)))
    }
}
