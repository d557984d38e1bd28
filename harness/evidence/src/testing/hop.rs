//! What became of a try, and what each observer writes of it.

use super::{HOP, TRY};
use std::time::Duration;

/// What became of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hop {
    /// The workload of this instance answered 200.
    Ok(u32),
    /// It answered with this status.
    Status(u32, u16),
    /// It answered 200 after so many milliseconds.
    Slow(u32, u64),
    /// Its proxy aborted the try with this status.
    Aborted(u32, u16),
    /// Its proxy held the try for so many milliseconds, then the workload answered 200.
    Delayed(u32, u64),
    /// Its proxy's rate limit turned it away.
    Limited(u32),
    /// Its proxy refused the caller.
    Denied(u32),
    /// The connection was refused.
    Refused(u32),
    /// The caller's proxy gave up after so many milliseconds; the workload saw the try.
    TimedOut(u32, u64),
    /// The connection broke after the workload had seen the try.
    Broken(u32),
}

impl Hop {
    /// Its instance.
    #[must_use]
    pub fn instance(self) -> u32 {
        match self {
            Hop::Ok(n) | Hop::Limited(n) | Hop::Denied(n) | Hop::Refused(n) | Hop::Broken(n) => n,
            Hop::Status(n, _) | Hop::Slow(n, _) | Hop::Aborted(n, _) | Hop::Delayed(n, _) | Hop::TimedOut(n, _) => n,
        }
    }

    /// Status that its sender got, and flags of the sender's log.
    pub(super) fn at_sender(self) -> (u16, &'static str) {
        match self {
            Hop::Ok(_) | Hop::Slow(..) | Hop::Delayed(..) => (200, "-"),
            Hop::Status(_, status) | Hop::Aborted(_, status) => (status, "-"),
            Hop::Limited(_) => (429, "-"),
            Hop::Denied(_) => (403, "-"),
            Hop::Refused(_) => (0, "UF"),
            Hop::TimedOut(..) => (0, "UT"),
            Hop::Broken(_) => (0, "UC"),
        }
    }

    /// Status, flags and details of the callee's proxy; `None` if it never saw the try.
    pub(super) fn at_callee(self) -> Option<(u16, &'static str, &'static str)> {
        Some(match self {
            Hop::Ok(_) | Hop::Slow(..) => (200, "-", "via_upstream"),
            Hop::Delayed(..) => (200, "DI", "via_upstream"),
            Hop::Status(_, status) => (status, "-", "via_upstream"),
            Hop::Aborted(_, status) => (status, "FI", "fault_filter_abort"),
            Hop::Limited(_) => (429, "RL", "local_rate_limited"),
            Hop::Denied(_) => (403, "-", "rbac_access_denied_matched_policy[none]"),
            Hop::TimedOut(..) => (0, "DC", "downstream_remote_disconnect"),
            Hop::Broken(_) => (503, "UC", "upstream_reset_before_response_started{connection_termination}"),
            Hop::Refused(_) => return None,
        })
    }

    /// Status that the workload answered with; `None` if it never saw the try.
    pub(super) fn at_workload(self) -> Option<u16> {
        match self {
            Hop::Ok(_) | Hop::Slow(..) | Hop::Delayed(..) => Some(200),
            Hop::Status(_, status) => Some(status),
            Hop::TimedOut(..) | Hop::Broken(_) => Some(0),
            Hop::Aborted(..) | Hop::Limited(_) | Hop::Denied(_) | Hop::Refused(_) => None,
        }
    }

    pub(super) fn took(self) -> Duration {
        match self {
            Hop::Slow(_, ms) => Duration::from_millis(ms) + HOP,
            Hop::TimedOut(_, ms) => Duration::from_millis(ms),
            Hop::Delayed(_, ms) => TRY + Duration::from_millis(ms),
            Hop::Aborted(..) | Hop::Limited(_) | Hop::Denied(_) | Hop::Refused(_) => HOP * 2,
            Hop::Ok(_) | Hop::Status(..) | Hop::Broken(_) => TRY,
        }
    }

    /// Status and flags of the call that ends with this try.
    pub(super) fn at_caller(self) -> (u16, &'static str, &'static str) {
        match self {
            Hop::Refused(_) => (503, "UF", "upstream_reset_before_response_started{connection_failure}"),
            Hop::TimedOut(..) => (504, "UT", "upstream_per_try_timeout"),
            Hop::Broken(_) => (503, "UC", "upstream_reset_before_response_started{connection_termination}"),
            answered => (answered.at_sender().0, "-", "via_upstream"),
        }
    }
}
