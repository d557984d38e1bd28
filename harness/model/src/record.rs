//! What the load engine and the stand-in workload write down: one record a call, one record a try served.
//!
//! The two rooms that write them do not know each other, and evidence, which joins them, does no I/O: so the data lives here.

use crate::Stamp;
use serde::{Deserialize, Serialize};

/// How a call ended, as its client saw it. What the proxies say of it is evidence's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientEnd {
    /// A complete, intact answer with this HTTP status.
    Answered(u16),
    /// An answer with this status began, and its body broke off.
    Cut(u16),
    /// The connection to the caller's own proxy was refused.
    Refused,
    /// The connection ended before an answer began.
    Reset,
    /// What came was not HTTP.
    Garbled,
    /// The client's own deadline passed.
    Deadline,
    /// Still in flight when the drain ended, or the run was stopped: infinite latency.
    Unfinished,
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
}
