//! How calls end, told apart as finely as their records allow. Total: every record has one outcome.

use serde::{Deserialize, Serialize};
use squall_model::{Break, CallRecord, ClientEnd, GrpcStatus, Leg, TlsFault};
use std::fmt;

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A complete, intact answer with this HTTP status.
    Status(u16),
    /// A complete, intact answer of gRPC with this status.
    Grpc(GrpcStatus),
    /// An answer with this HTTP status began and broke off; so, where it was the other side that ended it.
    Cut(u16, Option<Break>),
    /// The connection was not taken.
    Refused,
    /// The connection was taken, and could not be secured.
    Insecure(TlsFault),
    /// The connection, or the stream, ended before an answer began.
    Reset(Option<Break>),
    /// What came was not the protocol that was spoken.
    Garbled,
    /// Not answered in full within the timeout, which ended when the call had come so far.
    TimedOut(Leg),
    /// Never set about: the cap on connections held it back until its time was up.
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
    Insecure,
    Reset,
    Garbled,
    TimedOut,
    HeldBack,
    Unanswered,
}

impl Class {
    /// All, in the order in which they are shown.
    pub const ALL: [Class; 9] = [
        Class::Answered,
        Class::Cut,
        Class::Refused,
        Class::Insecure,
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
            Class::Insecure => "tls_failed",
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
        let course = &record.course;
        match record.end {
            ClientEnd::Answered(status) => Outcome::Status(status),
            ClientEnd::Grpc(status) => Outcome::Grpc(status),
            ClientEnd::Cut(status) => Outcome::Cut(status, course.broken),
            ClientEnd::Refused => Outcome::Refused,
            ClientEnd::Insecure(fault) => Outcome::Insecure(fault),
            ClientEnd::Reset => Outcome::Reset(course.broken),
            ClientEnd::Garbled => Outcome::Garbled,
            ClientEnd::Deadline | ClientEnd::Unfinished if course.leg == Leg::Held => Outcome::HeldBack,
            ClientEnd::Deadline => Outcome::TimedOut(course.leg),
            ClientEnd::Unfinished => Outcome::Unanswered,
        }
    }

    /// Without its status.
    #[must_use]
    pub fn class(self) -> Class {
        match self {
            Outcome::Status(_) | Outcome::Grpc(_) => Class::Answered,
            Outcome::Cut(..) => Class::Cut,
            Outcome::Refused => Class::Refused,
            Outcome::Insecure(_) => Class::Insecure,
            Outcome::Reset(_) => Class::Reset,
            Outcome::Garbled => Class::Garbled,
            Outcome::TimedOut(_) => Class::TimedOut,
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
            Outcome::Status(0) => f.write_str("answered"),
            Outcome::Status(status) => write!(f, "answered {status}"),
            Outcome::Grpc(status) => write!(f, "answered {status}"),
            Outcome::Cut(0, how) => match how {
                None => f.write_str("answered, cut off"),
                Some(how) => write!(f, "answered, cut off: {how}"),
            },
            Outcome::Cut(status, None) => write!(f, "answered {status}, cut off"),
            Outcome::Cut(status, Some(how)) => write!(f, "answered {status}, cut off: {how}"),
            Outcome::Refused => f.write_str("connection refused"),
            Outcome::Insecure(fault) => write!(f, "TLS failed: {fault}"),
            Outcome::Reset(None) => f.write_str("reset before an answer"),
            Outcome::Reset(Some(how)) => write!(f, "reset before an answer: {how}"),
            Outcome::Garbled => f.write_str("not the protocol spoken"),
            Outcome::TimedOut(leg) => write!(f, "timed out {}", during(*leg)),
            Outcome::HeldBack => f.write_str("held back, never sent"),
            Outcome::Unanswered => f.write_str("unanswered when the run ended"),
        }
    }
}

fn during(leg: Leg) -> &'static str {
    match leg {
        Leg::Held => "before anything was done",
        Leg::Connecting => "connecting",
        Leg::Handshaking => "in the handshake of TLS",
        Leg::Waiting => "waiting for an answer",
        Leg::Answering => "in the middle of an answer",
    }
}
