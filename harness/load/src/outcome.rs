//! How calls end, told apart as finely as their records allow. Total: every record has one outcome.

use squall_model::{CallRecord, ClientEnd, GrpcStatus};
use std::fmt;

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// A complete, intact answer with this HTTP status.
    Status(u16),
    /// A complete, intact answer of gRPC with this status.
    Grpc(GrpcStatus),
    /// An answer with this HTTP status began and broke off.
    Cut(u16),
    /// The connection was not taken.
    Refused,
    /// The connection, or the stream, ended before an answer began.
    Reset,
    /// What came was not the protocol that was spoken.
    Garbled,
    /// Sent, and not answered in full within the timeout.
    TimedOut,
    /// Never sent: the cap on connections held it back until its time was up.
    HeldBack,
    /// Still without its answer when the run ended.
    Unanswered,
}

/// Outcomes without their status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "as in `Outcome`")]
pub enum Class {
    Answered,
    Cut,
    Refused,
    Reset,
    Garbled,
    TimedOut,
    HeldBack,
    Unanswered,
}

impl Class {
    /// All, in the order in which they are shown.
    pub const ALL: [Class; 8] = [
        Class::Answered,
        Class::Cut,
        Class::Refused,
        Class::Reset,
        Class::Garbled,
        Class::TimedOut,
        Class::HeldBack,
        Class::Unanswered,
    ];

    /// In one word, for columns.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Class::Answered => "answered",
            Class::Cut => "cut",
            Class::Refused => "refused",
            Class::Reset => "reset",
            Class::Garbled => "garbled",
            Class::TimedOut => "timed_out",
            Class::HeldBack => "held_back",
            Class::Unanswered => "unanswered",
        }
    }
}

impl Outcome {
    /// Of one call.
    #[must_use]
    pub fn of(record: &CallRecord) -> Outcome {
        // The engine gives a call that it never turned to the moment of its end for that of its send.
        let never_sent = record.sent == record.done;
        match record.end {
            ClientEnd::Answered(status) => Outcome::Status(status),
            ClientEnd::Grpc(status) => Outcome::Grpc(status),
            ClientEnd::Cut(status) => Outcome::Cut(status),
            ClientEnd::Refused => Outcome::Refused,
            ClientEnd::Reset => Outcome::Reset,
            ClientEnd::Garbled => Outcome::Garbled,
            ClientEnd::Deadline | ClientEnd::Unfinished if never_sent => Outcome::HeldBack,
            ClientEnd::Deadline => Outcome::TimedOut,
            ClientEnd::Unfinished => Outcome::Unanswered,
        }
    }

    /// Without its status.
    #[must_use]
    pub fn class(self) -> Class {
        match self {
            Outcome::Status(_) | Outcome::Grpc(_) => Class::Answered,
            Outcome::Cut(_) => Class::Cut,
            Outcome::Refused => Class::Refused,
            Outcome::Reset => Class::Reset,
            Outcome::Garbled => Class::Garbled,
            Outcome::TimedOut => Class::TimedOut,
            Outcome::HeldBack => Class::HeldBack,
            Outcome::Unanswered => Class::Unanswered,
        }
    }

    /// A complete, intact answer of whatever status: what has a latency. All others are later than any answer.
    #[must_use]
    pub fn is_answer(self) -> bool {
        self.class() == Class::Answered
    }

    /// An answer with a status below 400; of gRPC: with the status OK.
    #[must_use]
    pub fn succeeds(self) -> bool {
        match self {
            Outcome::Status(status) => status < 400,
            Outcome::Grpc(status) => status == GrpcStatus::Ok,
            _ => false,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Status(status) => write!(f, "answered {status}"),
            Outcome::Grpc(status) => write!(f, "answered {status}"),
            Outcome::Cut(status) => write!(f, "answered {status}, cut off"),
            Outcome::Refused => f.write_str("connection refused"),
            Outcome::Reset => f.write_str("reset before an answer"),
            Outcome::Garbled => f.write_str("not the protocol spoken"),
            Outcome::TimedOut => f.write_str("timed out"),
            Outcome::HeldBack => f.write_str("held back, never sent"),
            Outcome::Unanswered => f.write_str("unanswered when the run ended"),
        }
    }
}
