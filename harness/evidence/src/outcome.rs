//! How a call ended: exactly one outcome each, by the client's record first, then by the proxy on its way that ended it.

use crate::{
    TryView,
    flags::{Flags, answer_of_callee, by_flags, is_denial, shedder},
};
use serde::{Deserialize, Serialize};
use squall_model::{AccessRecord, ClientEnd, Shedder};
use std::fmt;

/// How a call ended. *Fail* is everything but `Succeeded`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallOutcome {
    /// A complete, intact answer with a status from 200 to 399, within the client's deadline.
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
pub(crate) fn classify(end: ClientEnd, line: Option<&AccessRecord>, tries: &[TryView<'_>]) -> CallOutcome {
    match end {
        ClientEnd::Answered(200..=399) => CallOutcome::Succeeded,
        ClientEnd::Unfinished => CallOutcome::Unfinished,
        ClientEnd::Deadline => CallOutcome::TimedOut,
        ClientEnd::Answered(_) | ClientEnd::Cut(_) | ClientEnd::Refused | ClientEnd::Reset | ClientEnd::Garbled => line
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
    let answered = |t: &&TryView<'a>| t.status() != 0;
    tries.iter().rev().filter(answered).find(|t| t.status() == line.status)
}

fn by_client(end: ClientEnd) -> CallOutcome {
    match end {
        ClientEnd::Refused => CallOutcome::Refused,
        ClientEnd::Cut(_) | ClientEnd::Reset | ClientEnd::Garbled => CallOutcome::Reset,
        ClientEnd::Deadline => CallOutcome::TimedOut,
        ClientEnd::Unfinished => CallOutcome::Unfinished,
        ClientEnd::Answered(200..=399) => CallOutcome::Succeeded,
        ClientEnd::Answered(_) => CallOutcome::Answered,
    }
}

/// The outcome of a single try, by the words for calls.
pub(crate) fn of_try(t: &TryView<'_>) -> CallOutcome {
    let served = t.served.is_some();
    match t.status() {
        200..=399 => return CallOutcome::Succeeded,
        0 => {}
        _ => {
            let made = t.arrived.and_then(|line| answer_of_callee(line, served));
            return made.unwrap_or(CallOutcome::Answered);
        }
    }
    let flags = Flags(t.sent.map_or("", |sent| sent.flags.as_str()));
    if flags.has("UO") {
        return CallOutcome::Shed(Shedder::CircuitBreaker);
    }
    // Without a flag its sender gave it up: the call's own time limit passed, or its client went away.
    by_flags(flags).unwrap_or(CallOutcome::TimedOut)
}

#[cfg(test)]
mod tests;
