//! How a call ended: exactly one outcome each, by the client's record first, then by the proxy on its way that ended it.

use crate::{
    TryView,
    flags::{Flags, answer_of_callee, by_flags, is_denial, is_too_long, shedder},
};
use serde::{Deserialize, Serialize};
use squall_model::{AccessRecord, ClientEnd, GrpcStatus, Shedder};
use std::fmt;

/// How a call ended. *Fail* is everything but `Succeeded`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallOutcome {
    /// A complete, intact answer within the client's deadline: with a status from 200 to 399; of gRPC with OK, whatever its
    /// status of HTTP.
    Succeeded,
    /// Turned away for a limit by a proxy, no workload having seen it.
    Shed(Shedder),
    /// Turned away for who or what it is.
    Denied,
    /// Given up on by a proxy's time limit or the client's deadline.
    TimedOut,
    /// No connection came to be, or there was no healthy instance.
    Refused,
    /// The connection broke, or what came was no answer.
    Reset,
    /// No route, no cluster.
    Unroutable,
    /// Our own fault answered it.
    Aborted,
    /// The workload's own answer, no success.
    Answered,
    /// In flight when the drain ended: infinite latency.
    Unfinished,
}

impl fmt::Display for CallOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CallOutcome::Succeeded => "succeeded",
            CallOutcome::Shed(Shedder::CircuitBreaker) => "shed by the circuit breaker",
            CallOutcome::Shed(Shedder::RateLimit) => "shed by the rate limit",
            CallOutcome::Shed(Shedder::AdmissionControl) => "shed by admission control",
            CallOutcome::Shed(Shedder::AdaptiveConcurrency) => "shed by adaptive concurrency",
            CallOutcome::Denied => "denied",
            CallOutcome::TimedOut => "timed out",
            CallOutcome::Refused => "refused",
            CallOutcome::Reset => "reset",
            CallOutcome::Unroutable => "unroutable",
            CallOutcome::Aborted => "aborted",
            CallOutcome::Answered => "answered",
            CallOutcome::Unfinished => "unfinished",
        })
    }
}

/// The outcome of a call: the client's word where it suffices, else that of the proxy that ended the call.
///
/// A proxy answers calls of gRPC that it ends itself with status 200 and a status of gRPC; its flags and details are the same
/// as on HTTP, so they are asked first on either.
pub(crate) fn classify(end: ClientEnd, line: Option<&AccessRecord>, tries: &[TryView<'_>]) -> CallOutcome {
    match end {
        ClientEnd::Answered(200..=399) | ClientEnd::Grpc(GrpcStatus::Ok) => CallOutcome::Succeeded,
        ClientEnd::Unfinished => CallOutcome::Unfinished,
        ClientEnd::Deadline => CallOutcome::TimedOut,
        ClientEnd::Answered(_)
        | ClientEnd::Grpc(_)
        | ClientEnd::Cut(_)
        | ClientEnd::Refused
        | ClientEnd::Insecure(_)
        | ClientEnd::Reset
        | ClientEnd::Garbled => line
            .and_then(|line| by_caller(line, tries).or_else(|| by_callee(line, tries)))
            .unwrap_or_else(|| by_client(end)),
    }
}

/// What the caller's proxy did to it; `None` if it passed an answer on.
fn by_caller(line: &AccessRecord, tries: &[TryView<'_>]) -> Option<CallOutcome> {
    let flags = Flags(&line.flags);
    if flags.has("FI") {
        return Some(CallOutcome::Aborted);
    }
    let served = tries.iter().any(|t| t.served.is_some());
    if let Some(by) = shedder(line).filter(|_| !served) {
        return Some(CallOutcome::Shed(by));
    }
    if is_denial(line) {
        return Some(CallOutcome::Denied);
    }
    if is_too_long(line) {
        return Some(CallOutcome::TimedOut);
    }
    // With a try sent, it is a retry that the breaker suppressed: what the tries before it got is the call's end.
    if flags.has("UO") && !tries.iter().any(TryView::was_sent) {
        return Some(CallOutcome::Shed(Shedder::CircuitBreaker));
    }
    by_flags(flags)
}

/// What the callee's proxy did to the try whose answer was passed on; `None` if the workload's own answer was.
fn by_callee(line: &AccessRecord, tries: &[TryView<'_>]) -> Option<CallOutcome> {
    let served = tries.iter().any(|t| t.served.is_some());
    answer_of_callee(answering(line, tries)?.arrived?, served)
}

/// The try whose answer the caller's proxy passed on: the last that was answered with the status that it sent.
pub(crate) fn answering<'a, 't>(line: &AccessRecord, tries: &'t [TryView<'a>]) -> Option<&'t TryView<'a>> {
    tries.iter().rev().find(|t| is_passed_on(line, t))
}

/// Can the caller's proxy have passed the answer of this try on? On gRPC nearly every answer has status 200: there the status
/// of gRPC tells, where both observers have it.
pub(crate) fn is_passed_on(line: &AccessRecord, t: &TryView<'_>) -> bool {
    let same_grpc = line.grpc.zip(t.grpc()).is_none_or(|(sent, got)| sent == got);
    t.status() != 0 && t.status() == line.status && same_grpc
}

fn by_client(end: ClientEnd) -> CallOutcome {
    match end {
        ClientEnd::Refused | ClientEnd::Insecure(_) => CallOutcome::Refused,
        ClientEnd::Cut(_) | ClientEnd::Reset | ClientEnd::Garbled => CallOutcome::Reset,
        ClientEnd::Deadline => CallOutcome::TimedOut,
        ClientEnd::Unfinished => CallOutcome::Unfinished,
        ClientEnd::Answered(200..=399) | ClientEnd::Grpc(GrpcStatus::Ok) => CallOutcome::Succeeded,
        ClientEnd::Answered(_) | ClientEnd::Grpc(_) => CallOutcome::Answered,
    }
}

/// The outcome of a single try, by the words for calls.
pub(crate) fn of_try(t: &TryView<'_>) -> CallOutcome {
    let served = t.served.is_some();
    let flags = Flags(t.sent.map_or("", |sent| sent.flags.as_str()));
    match t.answer() {
        // A flag with an answer: it broke off in the midst.
        Some(answer) if answer.is_success() => by_flags(flags).unwrap_or(CallOutcome::Succeeded),
        Some(_) => {
            let made = t.arrived.and_then(|line| answer_of_callee(line, served));
            made.or_else(|| by_flags(flags)).unwrap_or(CallOutcome::Answered)
        }
        None if flags.has("UO") => CallOutcome::Shed(Shedder::CircuitBreaker),
        // Without a flag its sender gave it up: the call's own time limit passed, or its client went away.
        None => by_flags(flags).unwrap_or(CallOutcome::TimedOut),
    }
}

#[cfg(test)]
mod tests;
