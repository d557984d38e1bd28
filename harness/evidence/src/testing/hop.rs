//! What became of a try, and what each observer writes of it.

use super::{HOP, TRY};
use squall_model::{GrpcStatus, Protocol};
use std::time::Duration;

/// What became of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hop {
    /// The workload of this instance answered 200; on gRPC: OK.
    Ok(u32),
    /// It answered with this status of HTTP.
    Status(u32, u16),
    /// It answered with this status of gRPC.
    Grpc(u32, GrpcStatus),
    /// It answered well after so many milliseconds.
    Slow(u32, u64),
    /// Its proxy aborted the try with this status.
    Aborted(u32, u16),
    /// Its proxy held the try for so many milliseconds, then the workload answered well.
    Delayed(u32, u64),
    /// Its proxy held the try for so many milliseconds, then aborted it with this status.
    Held(u32, u64, u16),
    /// Its proxy held it; the caller's gave up after so many milliseconds, before that was over.
    GivenUp(u32, u64),
    /// Its proxy's rate limit turned it away.
    Limited(u32),
    /// Its proxy refused the caller.
    Denied(u32),
    /// The connection was refused.
    Refused(u32),
    /// No connection came to be: nobody answered, and the call's own time limit passed after so many milliseconds.
    Nobody(u32, u64),
    /// The caller's proxy gave up after so many milliseconds; the workload saw the try.
    TimedOut(u32, u64),
    /// The same, but the try never arrived.
    Unheard(u32, u64),
    /// The same, but the try was answered well; the answer never came back.
    Unanswered(u32, u64),
    /// The connection broke after the workload had seen the try.
    Broken(u32),
}

/// An answer: its status of HTTP, 0 if there was none, and that of gRPC.
pub(super) type Answer = (u16, Option<GrpcStatus>);

/// What a workload answers with this status. Of an answer of gRPC that has no status of gRPC proxies log what a client would
/// make of it.
fn workload_says(status: u16, protocol: Protocol) -> Answer {
    match (status, protocol) {
        (200, Protocol::Grpc) => (200, Some(GrpcStatus::Ok)),
        (status @ 1.., Protocol::Grpc) => (status, Some(GrpcStatus::of_http(status))),
        (status, _) => (status, None),
    }
}

/// What a proxy answers by itself: on gRPC always with status 200.
pub(super) fn proxy_says(status: u16, protocol: Protocol) -> Answer {
    match (status, protocol) {
        (1.., Protocol::Grpc) => (200, Some(GrpcStatus::of_http(status))),
        (status, _) => (status, None),
    }
}

impl Hop {
    /// Its instance.
    #[must_use]
    pub fn instance(self) -> u32 {
        match self {
            Hop::Ok(n) | Hop::Limited(n) | Hop::Denied(n) | Hop::Refused(n) | Hop::Broken(n) | Hop::Grpc(n, _) => n,
            Hop::Status(n, _) | Hop::Aborted(n, _) => n,
            Hop::Slow(n, _) | Hop::Delayed(n, _) | Hop::TimedOut(n, _) => n,
            Hop::Nobody(n, _) | Hop::Unheard(n, _) | Hop::Unanswered(n, _) => n,
            Hop::Held(n, ..) | Hop::GivenUp(n, _) => n,
        }
    }

    /// What its sender got, and flags of the sender's log. A call's own time limit leaves no flag on its tries.
    pub(super) fn at_sender(self, protocol: Protocol) -> (Answer, &'static str) {
        match self {
            Hop::Ok(_) | Hop::Slow(..) | Hop::Delayed(..) => (workload_says(200, protocol), "-"),
            Hop::Status(_, status) => (workload_says(status, protocol), "-"),
            Hop::Grpc(_, status) => ((200, Some(status)), "-"),
            Hop::Aborted(_, status) | Hop::Held(_, _, status) => (proxy_says(status, protocol), "-"),
            Hop::Limited(_) => (proxy_says(429, protocol), "-"),
            Hop::Denied(_) => (proxy_says(403, protocol), "-"),
            Hop::Refused(_) => ((0, None), "UF"),
            Hop::Nobody(..) => ((0, None), "-"),
            Hop::TimedOut(..) | Hop::Unheard(..) | Hop::Unanswered(..) | Hop::GivenUp(..) => ((0, None), "UT"),
            Hop::Broken(_) => ((0, None), "UC"),
        }
    }

    /// What the callee's proxy answered, its flags and details; `None` if it never saw the try.
    pub(super) fn at_callee(self, protocol: Protocol) -> Option<(Answer, &'static str, &'static str)> {
        let own = |status| proxy_says(status, protocol);
        Some(match self {
            Hop::Ok(_) | Hop::Slow(..) | Hop::Unanswered(..) => (workload_says(200, protocol), "-", "via_upstream"),
            Hop::Delayed(..) => (workload_says(200, protocol), "DI", "via_upstream"),
            Hop::Status(_, status) => (workload_says(status, protocol), "-", "via_upstream"),
            Hop::Grpc(_, status) => ((200, Some(status)), "-", "via_upstream"),
            Hop::Aborted(_, status) => (own(status), "FI", "fault_filter_abort"),
            Hop::Held(_, _, status) => (own(status), "DI,FI", "fault_filter_abort"),
            Hop::GivenUp(..) => ((0, None), "DI,DC", "downstream_remote_disconnect"),
            Hop::Limited(_) => (own(429), "RL", "local_rate_limited"),
            Hop::Denied(_) => (own(403), "-", "rbac_access_denied_matched_policy[none]"),
            Hop::TimedOut(..) => ((0, None), "DC", "downstream_remote_disconnect"),
            Hop::Broken(_) => (own(503), "UC", "upstream_reset_before_response_started{connection_termination}"),
            Hop::Refused(_) | Hop::Nobody(..) | Hop::Unheard(..) => return None,
        })
    }

    /// What the workload answered; `None` if it never saw the try.
    pub(super) fn at_workload(self, protocol: Protocol) -> Option<Answer> {
        let grpc = |status: GrpcStatus| (protocol == Protocol::Grpc).then_some(status);
        match self {
            Hop::Ok(_) | Hop::Slow(..) | Hop::Delayed(..) | Hop::Unanswered(..) => Some((200, grpc(GrpcStatus::Ok))),
            Hop::Status(_, status) => Some((status, None)),
            Hop::Grpc(_, status) => Some((200, Some(status))),
            Hop::TimedOut(..) | Hop::Broken(_) => Some((0, None)),
            Hop::Aborted(..) | Hop::Held(..) | Hop::GivenUp(..) | Hop::Limited(_) | Hop::Denied(_) => None,
            Hop::Refused(_) | Hop::Nobody(..) | Hop::Unheard(..) => None,
        }
    }

    pub(super) fn took(self) -> Duration {
        match self {
            Hop::Slow(_, ms) => Duration::from_millis(ms) + HOP,
            Hop::TimedOut(_, ms) | Hop::Unheard(_, ms) | Hop::Unanswered(_, ms) | Hop::Nobody(_, ms) => {
                Duration::from_millis(ms)
            }
            Hop::GivenUp(_, ms) => Duration::from_millis(ms),
            Hop::Held(_, ms, _) => Duration::from_millis(ms) + HOP * 2,
            Hop::Delayed(_, ms) => TRY + Duration::from_millis(ms),
            Hop::Aborted(..) | Hop::Limited(_) | Hop::Denied(_) | Hop::Refused(_) => HOP * 2,
            Hop::Ok(_) | Hop::Status(..) | Hop::Grpc(..) | Hop::Broken(_) => TRY,
        }
    }

    /// For how long the callee had it: a try that was answered and not heard of was over long before its caller gave up.
    pub(super) fn took_callee(self) -> Duration {
        match self {
            Hop::Unanswered(..) => TRY.saturating_sub(HOP),
            other => other.took().saturating_sub(HOP),
        }
    }

    /// What the call is answered with that ends with this try, its flags and details.
    pub(super) fn at_caller(self, protocol: Protocol) -> (Answer, &'static str, &'static str) {
        let own = |status| proxy_says(status, protocol);
        match self {
            Hop::Refused(_) => (own(503), "UF", "upstream_reset_before_response_started{connection_failure}"),
            Hop::TimedOut(..) | Hop::Unheard(..) | Hop::Unanswered(..) | Hop::GivenUp(..) => {
                (own(504), "UT", "upstream_per_try_timeout")
            }
            Hop::Nobody(..) => (own(504), "UT", "response_timeout"),
            Hop::Broken(_) => (own(503), "UC", "upstream_reset_before_response_started{connection_termination}"),
            answered => (answered.at_sender(protocol).0, "-", "via_upstream"),
        }
    }
}
