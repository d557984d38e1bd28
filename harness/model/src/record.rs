//! What the load engine and the stand-in workload write down: one record a call, one record a try served.
//!
//! The two rooms that write them do not know each other, and evidence, which joins them, does no I/O: so the data lives here.

use crate::{
    AnswerCode, Condition, Course, Damage, FaultId, GrpcStatus, InstanceId, ServiceName, Stamp, TlsFault, Wire,
};
use serde::{Deserialize, Serialize};

/// How a call ended, as its client saw it. What the proxies say of it is evidence's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientEnd {
    /// A complete, intact answer with this HTTP status; over TCP, which has none, 0.
    Answered(u16),
    /// A complete, intact answer of gRPC with this status; or what a client of gRPC makes of an answer without one.
    Grpc(GrpcStatus),
    /// An answer with this HTTP status began, and its body broke off; or it is an OK of gRPC without its one message.
    Cut(u16),
    /// The connection to the caller's own proxy was refused.
    Refused,
    /// A connection came about, and TLS on it did not.
    Insecure(TlsFault),
    /// The connection, or over HTTP/2 the call's stream, ended before an answer began.
    Reset,
    /// What came was not HTTP of the version that was spoken.
    Garbled,
    /// The client's own deadline passed.
    Deadline,
    /// Still in flight when the drain ended, or the run was stopped: infinite latency.
    Unfinished,
}

impl ClientEnd {
    /// The call was sent to nobody: there was no connection, or none that could be trusted.
    #[must_use]
    pub fn is_without_a_connection(self) -> bool {
        matches!(self, ClientEnd::Refused | ClientEnd::Insecure(_))
    }
}

/// One call, as its client saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRecord {
    /// Number of the call within its run, from 0, unique over all traffic lines; with the run's prefix it is the `x-request-id`.
    pub seq: u64,
    /// Number of the traffic line, from 0 over the whole plan.
    pub line: u16,
    /// Instance of the caller that made it, from 1: calls are spread over the instances in turn.
    pub caller: u32,
    /// Number of the user that made it, from 1; 0 where the line names no users.
    pub user: u32,
    /// When the schedule meant it to be sent. Latency counts from here.
    pub intended: Stamp,
    /// When it was sent.
    pub sent: Stamp,
    /// When its last byte, or its end of any other kind, was seen.
    pub done: Stamp,
    /// How it ended.
    pub end: ClientEnd,
    /// What happened to it until then.
    #[serde(default)]
    pub course: Course,
}

/// One try that reached a workload: a line of its ledger.
///
/// Written as one JSON object a line, in one `write`, so that a killed workload loses nothing that it had served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerRecord {
    /// `x-request-id` of the try.
    pub id: String,
    /// `x-envoy-attempt-count` of the try, from 1; 0 where the header is absent.
    pub attempt: u32,
    /// `x-squall-caller`: the service whose proxy sent it; empty where the header is absent.
    pub caller: String,
    /// True for a mirrored copy: its host ends in `-shadow`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub copy: bool,
    /// When its head was read.
    pub began: Stamp,
    /// When its answer was written, or the try was given up.
    pub ended: Stamp,
    /// Status answered; 0 if the caller went away, or the workload closed without an answer.
    pub status: u16,
    /// Status of gRPC answered, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grpc: Option<GrpcStatus>,
}

impl LedgerRecord {
    /// What it was answered with: by its status of gRPC where there was one.
    #[must_use]
    pub fn answer(&self) -> AnswerCode {
        self.grpc.map_or(AnswerCode::Status(self.status), AnswerCode::Grpc)
    }
}

/// Which of a proxy's two listeners.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The caller's: calls leave its instance here.
    Outbound,
    /// The callee's: tries reach its instance here.
    Inbound,
}

/// One line of a proxy's access log: a call at the caller's proxy, a try at the callee's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessRecord {
    /// The instance whose proxy wrote it.
    pub proxy: InstanceId,
    /// At which listener.
    pub side: Side,
    /// `x-request-id`.
    pub id: String,
    /// Inbound: `x-envoy-attempt-count` of the try, from 1. Outbound: how many tries were made, 0 if none was.
    pub attempts: u32,
    /// Status sent downstream; 0 if none was.
    pub status: u16,
    /// Status of gRPC sent downstream, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grpc: Option<GrpcStatus>,
    /// Response flags as logged: `-`, `URX`, `DI,FI`.
    pub flags: String,
    /// Response code details as logged.
    pub details: String,
    /// `x-squall-caller` as the callee's proxy saw it; empty at the caller's.
    pub caller: String,
    /// The instance that the last try went to.
    pub upstream: Option<InstanceId>,
    /// When the request's head was read, mapped to the monotonic clock.
    pub began: Stamp,
    /// From then to the end of the answer, nanoseconds (the log gives microseconds at best).
    pub took: u64,
}

/// One line of the upstream log of a caller's proxy: a try as its sender saw it, arrived or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TryRecord {
    /// The instance whose proxy made it.
    pub proxy: InstanceId,
    /// `x-request-id`.
    pub id: String,
    /// `x-envoy-attempt-count`, from 1.
    pub attempt: u32,
    /// Status received; 0 if none was.
    pub status: u16,
    /// Status of gRPC received, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grpc: Option<GrpcStatus>,
    /// Response flags of this try: `-`, `UT`, `UF`.
    pub flags: String,
    /// The instance that it went to; `None` if no host was chosen or the address is not one of ours.
    pub upstream: Option<InstanceId>,
    /// Why the transport failed, where it did.
    pub failure: String,
    /// When it began, mapped to the monotonic clock.
    pub began: Stamp,
    /// How long it lasted, nanoseconds.
    pub took: u64,
}

/// One try that a proxy which is not ours asked the fault port about: a record of ours of what happened at somebody else's.
///
/// It says what was answered. Whether the proxy waited for the answer, only its log or its client can tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedRecord {
    /// The instance whose proxy asked.
    pub at: InstanceId,
    /// `x-request-id` of the try.
    pub id: String,
    /// `x-envoy-attempt-count` of the try, from 1; 0 where the header is absent.
    pub attempt: u32,
    /// The service that sent it, by the address that it came from; `None` where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<ServiceName>,
    /// The faults that were drawn for it: in place, and aimed at it.
    pub meant: Vec<FaultId>,
    /// Those of them whose draw hit. Of several that abort, the first one answers.
    pub struck: Vec<FaultId>,
    /// When it was asked.
    pub asked: Stamp,
    /// The port had been held up: the proxy may have gone on before the answer came.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub late: bool,
}

/// Counters of one proxy. One that was killed takes its own with it; the one that comes in its place begins anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CounterRecord {
    /// Whose.
    pub proxy: InstanceId,
    /// What each counter rose by between the baseline and the end. Zeroes are left out.
    pub rises: std::collections::BTreeMap<String, u64>,
}

/// Whether a proxy had its control plane, by its own word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlRecord {
    /// Which proxy.
    pub proxy: InstanceId,
    /// When it was asked.
    pub at: Stamp,
    /// It was connected to it.
    pub connected: bool,
}

/// A caller's proxy changed its mind about an instance: a line of its log of ejections, or of health checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateRecord {
    /// Whose proxy.
    pub by: InstanceId,
    /// About which instance.
    pub of: InstanceId,
    /// What: [`Condition::Ejected`] or [`Condition::Unhealthy`].
    pub what: Condition,
    /// True where it begins, false where it ends.
    pub begins: bool,
    /// When, mapped to the monotonic clock. The proxy's workers may learn of it later.
    pub at: Stamp,
}

/// One connection over a wire, as the link that carried it saw it. An attempt that was refused, or met with silence, is none.
///
/// One that was open when it was first written down is written down again when it has ended: the wire and the moment of opening
/// say which it is, and the last record of it counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireRecord {
    /// Which wire.
    pub wire: Wire,
    /// When the caller's proxy connected. No two connections of a link have the same.
    pub opened: Stamp,
    /// When it was over; `None`: it was open when this was written.
    pub ended: Option<Stamp>,
    /// How it ended.
    pub end: WireEnd,
    /// Bytes that were passed on to the callee.
    pub sent: u64,
    /// Bytes that were passed back to the caller.
    pub answered: u64,
    /// What damage did to it: each damage that held, delayed, throttled or threw away any of its bytes or its end, or reset it,
    /// once. One that was in place and met nothing is not among them.
    pub hurt: Vec<Hurt>,
    /// What it carried while a rate was in place: once for each time that one was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rated: Vec<Rated>,
}

/// What one connection carried while its wire was held to a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rated {
    /// The rate.
    pub bytes_per_second: u64,
    /// Since when: the rate's beginning, or the connection's.
    pub from: Stamp,
    /// Until when: the end of either, or the moment at which this was written.
    pub to: Stamp,
    /// Bytes that were taken from the caller.
    pub sent: u64,
    /// Bytes that were taken from the callee.
    pub answered: u64,
}

/// What one damage did to one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hurt {
    /// Which.
    pub by: Damage,
    /// The first moment at which it did anything to the connection.
    pub first: Stamp,
    /// The last one: until then something was held, or on its way. In between there may have been pauses.
    pub last: Stamp,
}

/// How a connection over a wire ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WireEnd {
    /// It was open when this was written.
    Open,
    /// The caller's proxy closed it, before the callee's did.
    Caller,
    /// The callee's proxy closed it, before the caller's did.
    Callee,
    /// One of the two reset it, and neither had closed it before.
    Reset,
    /// The callee's proxy did not accept it, so it was reset. (The caller's saw it come to be.)
    Refused,
    /// The link reset it: that was the damage.
    Damage,
}
