//! Who a line is about, and in which aspect: a later line on the same subject and aspect replaces the earlier.

use super::line::Restored;
use squall_model::{
    Answers, Calls, Damage, FaultKind, InFlight, Level, Members, Part, PolicyKind, ServiceName, Target, Topology,
    Touch, Wires,
};
use std::mem::{Discriminant, discriminant};

/// The aspects of what a mesh promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Promise {
    Retries,
    Timeout(Level),
    IdleTimeout(Level),
    RetryBudget,
    InFlight(InFlight),
    Connections,
    Ejection,
    Route,
    Balance,
    Check,
    Panic,
    Prefer,
    Sticky,
    WarmUp,
    KeepDeadline,
}

/// Whom a policy is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whom<'a> {
    Calls(&'a Calls),
    /// The instances of a service.
    Service(&'a ServiceName),
    /// What one service has in flight to another.
    Pair(&'a ServiceName, &'a ServiceName),
}

impl<'a> Whom<'a> {
    /// The service that is called, where one is named.
    fn callee(self) -> Option<&'a ServiceName> {
        match self {
            Whom::Calls(of) => of.to.as_ref().map(|to| &to.service),
            Whom::Service(of) | Whom::Pair(_, of) => Some(of),
        }
    }
}

fn about(says: &PolicyKind) -> (Promise, Whom<'_>) {
    match says {
        PolicyKind::Retries { of, .. } => (Promise::Retries, Whom::Calls(of)),
        PolicyKind::Timeout { of, .. } => (Promise::Timeout(of.level), Whom::Calls(&of.of)),
        PolicyKind::IdleTimeout { of, .. } => (Promise::IdleTimeout(of.level), Whom::Calls(&of.of)),
        PolicyKind::RetryBudget { of, .. } => (Promise::RetryBudget, Whom::Calls(of)),
        PolicyKind::InFlight { caller, unit, to, .. } => (Promise::InFlight(*unit), Whom::Pair(caller, to)),
        PolicyKind::Connections { caller, to, .. } => (Promise::Connections, Whom::Pair(caller, to)),
        PolicyKind::Ejection { of, .. } => (Promise::Ejection, Whom::Service(of)),
        PolicyKind::Route { of, .. } => (Promise::Route, Whom::Calls(of)),
        PolicyKind::Balance { of, .. } => (Promise::Balance, Whom::Calls(of)),
        PolicyKind::Check { of, .. } => (Promise::Check, Whom::Service(of)),
        PolicyKind::Panic { of, .. } => (Promise::Panic, Whom::Service(of)),
        PolicyKind::Prefer { of, .. } => (Promise::Prefer, Whom::Calls(of)),
        PolicyKind::Sticky { of, .. } => (Promise::Sticky, Whom::Calls(of)),
        PolicyKind::WarmUp { of, .. } => (Promise::WarmUp, Whom::Service(of)),
        PolicyKind::KeepDeadline { of } => (Promise::KeepDeadline, Whom::Calls(of)),
    }
}

/// Whether two policies are about the same subject in the same aspect: the later one then replaces the earlier.
pub(crate) fn same_policy(a: &PolicyKind, b: &PolicyKind, topology: &Topology) -> bool {
    let ((a, whose), (b, theirs)) = (about(a), about(b));
    let same = match (whose, theirs) {
        (Whom::Calls(a), Whom::Calls(b)) => normal(a, topology) == normal(b, topology),
        (a, b) => a == b,
    };
    a == b && same
}

/// `calls from "web" to "reviews"` are `calls to "reviews"` where nobody else calls it.
fn normal(calls: &Calls, topology: &Topology) -> Calls {
    let mut calls = calls.clone();
    if let (Some(from), Some(to)) = (&calls.from, &calls.to)
        && topology.callers(&to.service).all(|caller| caller.name == *from)
    {
        calls.from = None;
    }
    calls
}

/// The same aspect for the same service, whichever of its calls are meant: what a line `in the control run` replaces.
pub(crate) fn answers_for(old: &PolicyKind, new: &PolicyKind) -> bool {
    let ((old, whose), (new, theirs)) = (about(old), about(new));
    let (a, b) = (whose.callee(), theirs.callee());
    old == new && (a.is_none() || b.is_none() || a == b)
}

/// What a fault does to whom, in one aspect.
#[derive(Debug, PartialEq)]
enum Subject<'a> {
    Abort(&'a Calls, Level),
    Delay(&'a Calls, Level),
    Status(&'a Target),
    Latency(&'a Target),
    Down(Part, &'a Members),
    Restart(Part, &'a Members),
    Wire(&'a Wires, Discriminant<Damage>),
    ControlPlane,
    Size(&'a ServiceName),
    Outage(&'a Calls),
}

fn subject(does: &FaultKind) -> Subject<'_> {
    match does {
        FaultKind::Touch { on, touch: Touch::Abort(_) } => Subject::Abort(&on.of, on.level),
        FaultKind::Touch { on, touch: Touch::Delay(_) } => Subject::Delay(&on.of, on.level),
        FaultKind::Answers { of, how } if is_latency(*how) => Subject::Latency(of),
        FaultKind::Answers { of, .. } => Subject::Status(of),
        FaultKind::Down { part, of, .. } => Subject::Down(*part, of),
        FaultKind::Restarted { part, of } => Subject::Restart(*part, of),
        FaultKind::Wire { of, damage } => Subject::Wire(of, discriminant(damage)),
        FaultKind::ControlPlaneKilled => Subject::ControlPlane,
        FaultKind::Resized { service, .. } => Subject::Size(service),
        FaultKind::Outage { of } => Subject::Outage(of),
    }
}

fn is_latency(how: Answers) -> bool {
    matches!(how, Answers::In(_) | Answers::AtOnce)
}

/// Whether two faults are about the same subject in the same aspect.
pub(crate) fn same_fault(a: &FaultKind, b: &FaultKind) -> bool {
    subject(a) == subject(b)
}

/// Whether this brings back what a fault took.
pub(crate) fn restores(what: &Restored, does: &FaultKind) -> bool {
    match (what, does) {
        (Restored::Members(part, members), FaultKind::Down { part: gone, of, .. }) => part == gone && members == of,
        (
            Restored::Members(Part::Instance, Members::In(place)),
            FaultKind::Wire { of: Wires::Of(of), damage: Damage::Cut },
        ) => place == of,
        (Restored::ControlPlane, FaultKind::ControlPlaneKilled) => true,
        (Restored::Answers(target), FaultKind::Answers { of, .. }) => target == of,
        _ => false,
    }
}

/// The aspects of what a fault does, wherever it does it.
#[derive(Debug, PartialEq, Eq)]
enum Aspect {
    Abort,
    Delay,
    Status,
    Latency,
    /// Its processes go: killed, paused, restarted.
    Processes,
    Wire,
    ControlPlane,
    Size,
    Outage,
}

fn aspect(does: &FaultKind) -> (Aspect, Option<&ServiceName>) {
    match subject(does) {
        Subject::Abort(of, _) => (Aspect::Abort, of.to.as_ref().map(|to| &to.service)),
        Subject::Delay(of, _) => (Aspect::Delay, of.to.as_ref().map(|to| &to.service)),
        Subject::Status(of) => (Aspect::Status, Some(&of.service)),
        Subject::Latency(of) => (Aspect::Latency, Some(&of.service)),
        Subject::Down(_, Members::Of(of)) | Subject::Restart(_, Members::Of(of)) => {
            (Aspect::Processes, Some(&of.service))
        }
        Subject::Down(_, Members::In(_)) | Subject::Restart(_, Members::In(_)) => (Aspect::Processes, None),
        Subject::Wire(Wires::Between { to, .. }, _) => (Aspect::Wire, Some(&to.service)),
        Subject::Wire(Wires::Of(_), _) => (Aspect::Wire, None),
        Subject::ControlPlane => (Aspect::ControlPlane, None),
        Subject::Size(service) => (Aspect::Size, Some(service)),
        Subject::Outage(of) => (Aspect::Outage, of.to.as_ref().map(|to| &to.service)),
    }
}

/// Whether a fault of a control run may stand for this one: the same aspect of the same service.
pub(crate) fn stands_for(old: &FaultKind, new: &FaultKind) -> bool {
    aspect(old) == aspect(new)
}
