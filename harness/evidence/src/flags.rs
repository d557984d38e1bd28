//! Response flags and details of a proxy's log, as Envoy writes them (configuration/observability/access_log, `%RESPONSE_FLAGS%`).
//!
//! The flags of the failures that matter here are the same from release 1.36 to 1.40, so an oracle by flags needs no table of
//! versions; but they are not enough: access control, JWT and admission control show `-` and speak by their details alone.

use crate::CallOutcome;
use squall_model::{AccessRecord, GrpcStatus, Shedder};

/// Response flags as logged: `-`, `URX`, `DI,FI`.
#[derive(Debug, Clone, Copy)]
pub struct Flags<'a>(pub &'a str);

impl<'a> Flags<'a> {
    /// Is this flag among them?
    #[must_use]
    pub fn has(self, flag: &str) -> bool {
        // Most lines carry none: the common case is one comparison.
        self.0.len() >= flag.len() && self.0.split(',').any(|f| f == flag)
    }

    /// Is any of these among them?
    #[must_use]
    pub fn has_any(self, flags: &[&str]) -> bool {
        !self.is_empty() && flags.iter().any(|flag| self.has(flag))
    }

    /// Nothing was flagged.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0.is_empty() || self.0 == "-"
    }

    /// The flags, where they say anything.
    #[must_use]
    pub fn said(self) -> Option<&'a str> {
        (!self.is_empty()).then_some(self.0)
    }
}

/// Flags of what a proxy's own time limits gave up on.
const TIMED_OUT: &[&str] = &["UT", "SI", "DT", "UMSDR"];
/// Flags of connections that never came to be, and of clusters without a host to connect to.
const REFUSED: &[&str] = &["UF", "UH", "DF"];
/// Flags of connections that broke, and of answers that are none.
const RESET: &[&str] = &["UC", "UPE", "UR", "LR", "DPE"];
/// Flags of requests that had nowhere to go.
const UNROUTABLE: &[&str] = &["NR", "NC"];

/// Who shed this request, by the line of the proxy that did; whether a workload had seen it is another question.
/// The circuit breaker's `UO` is left out: only at the caller's proxy, and without a try, does it mean shed.
#[must_use]
pub fn shedder(line: &AccessRecord) -> Option<Shedder> {
    let details = line.details.as_str();
    if details.starts_with("reached_concurrency_limit") {
        return Some(Shedder::AdaptiveConcurrency);
    }
    if details.starts_with("denied_by_admission_control") {
        return Some(Shedder::AdmissionControl);
    }
    Flags(&line.flags).has("RL").then_some(Shedder::RateLimit)
}

/// Did a maximum duration end this call (http_connection_manager, max_stream_duration)? It leaves no flag.
pub(crate) fn is_too_long(line: &AccessRecord) -> bool {
    line.details.starts_with("max_duration_timeout")
}

/// Was this request turned away for who or what it is?
#[must_use]
pub fn is_denial(line: &AccessRecord) -> bool {
    let by = ["rbac_access_denied", "jwt_authn_access_denied", "ext_authz_denied", "ext_authz_error"];
    let own_reply = !matches!(line.details.as_str(), "via_upstream" | "" | "-");
    let forbidden = matches!(line.status, 401 | 403)
        || matches!(line.grpc, Some(GrpcStatus::Unauthenticated | GrpcStatus::PermissionDenied));
    Flags(&line.flags).has_any(&["UAEX", "RLSE"])
        || by.iter().any(|d| line.details.starts_with(d))
        || (own_reply && forbidden)
}

/// What the flags of a line or a try alone say of its end; `None` where they say nothing of it.
#[must_use]
pub(crate) fn by_flags(flags: Flags<'_>) -> Option<CallOutcome> {
    if flags.is_empty() {
        return None;
    }
    let table = [
        (TIMED_OUT, CallOutcome::TimedOut),
        (REFUSED, CallOutcome::Refused),
        (RESET, CallOutcome::Reset),
        (UNROUTABLE, CallOutcome::Unroutable),
    ];
    table.into_iter().find(|(set, _)| flags.has_any(set)).map(|(_, outcome)| outcome)
}

/// What the callee's proxy made of a try by itself, not having been answered by its workload; `None` if the answer is the
/// workload's, or stands for it: where the workload is gone, its callers get an *answer*, a 503.
#[must_use]
pub fn answer_of_callee(line: &AccessRecord, served: bool) -> Option<CallOutcome> {
    if Flags(&line.flags).has("FI") {
        return Some(CallOutcome::Aborted);
    }
    if let Some(by) = shedder(line).filter(|_| !served) {
        return Some(CallOutcome::Shed(by));
    }
    if is_denial(line) {
        return Some(CallOutcome::Denied);
    }
    Flags(&line.flags).has_any(UNROUTABLE).then_some(CallOutcome::Unroutable)
}
