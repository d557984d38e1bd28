//! What a load generator is told to do.

use std::time::Duration;

/// Connections, or workers, of those tools that want a number.
pub(crate) const CONNECTIONS: u32 = 64;

/// One run of one tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Job {
    /// As fast as it can.
    Full { length: Duration },
    /// So many requests a second.
    Rate { hz: u32, length: Duration },
    /// The same, and the server stands still meanwhile.
    Stall { hz: u32, length: Duration, after: Duration, still: Duration },
}

impl Job {
    pub(crate) fn length(self) -> Duration {
        let (Job::Full { length } | Job::Rate { length, .. } | Job::Stall { length, .. }) = self;
        length
    }

    /// Requests a second; `None`: as many as it can.
    pub(crate) fn hz(self) -> Option<u32> {
        match self {
            Job::Full { .. } => None,
            Job::Rate { hz, .. } | Job::Stall { hz, .. } => Some(hz),
        }
    }
}
