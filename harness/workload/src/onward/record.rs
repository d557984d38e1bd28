//! The log of onward calls.

use crate::{clock, ending::Answered, lines::LineFile};
use serde::{Deserialize, Serialize};
use squall_model::{GrpcStatus, ServiceName, Stamp};

/// One onward call: a line of the log of onward calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnwardRecord {
    /// Its `x-request-id`: that of the try, the target, and which try of its call it was, `run-7.ratings.1`. So each try
    /// of a call has onward calls of its own. Of a mirrored copy: `run-7-shadow.ratings.1`. Empty if the try had none.
    pub id: String,
    /// The service that was called.
    pub target: ServiceName,
    /// When the first byte was about to be sent.
    pub began: Stamp,
    /// When the last byte of the answer was read, or the call was over in any other way.
    pub ended: Stamp,
    /// Status of a complete answer; 0 if there was none, or the try ended first.
    pub status: u16,
    /// Of a complete answer to a call of gRPC: its status, or what a client makes of an answer without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grpc: Option<GrpcStatus>,
}

/// Reads one line of the log of onward calls.
///
/// # Errors
/// If it is no [`OnwardRecord`].
pub fn parse_onward_line(line: &str) -> Result<OnwardRecord, serde_json::Error> {
    serde_json::from_str(line)
}

/// An onward call that has not ended. Its line is written when it is dropped, the try's own end included.
pub(super) struct OpenCall<'a> {
    log: Option<&'a LineFile>,
    record: OnwardRecord,
}

impl<'a> OpenCall<'a> {
    pub(super) fn new(log: Option<&'a LineFile>, id: String, target: ServiceName, began: Stamp) -> OpenCall<'a> {
        OpenCall { log, record: OnwardRecord { id, target, began, ended: Stamp::default(), status: 0, grpc: None } }
    }

    pub(super) fn is_answered(&mut self, with: Answered) {
        self.record.status = with.status;
        self.record.grpc = with.grpc;
    }

    /// What came back, so far.
    pub(super) fn answered(&self) -> Answered {
        Answered { status: self.record.status, grpc: self.record.grpc }
    }
}

impl Drop for OpenCall<'_> {
    fn drop(&mut self) {
        if let Some(log) = self.log {
            self.record.ended = clock::now();
            log.append(&self.record);
        }
    }
}
