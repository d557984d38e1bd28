//! How calls end, told apart as finely as their records allow. Total: every record has one outcome.

use serde::{Deserialize, Serialize};
use squall_model::{Astray, Break, CallRecord, ClientEnd, GrpcStatus, Leg, TlsFault};
use std::fmt;

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A complete, intact answer with this HTTP status.
    Status(u16),
    /// A complete, intact answer of gRPC with this status.
    Grpc(GrpcStatus),
    /// A redirect, by somebody who follows them, that was not followed.
    Redirected(Astray),
    /// An answer with this HTTP status began and broke off; so, where it was the other side that ended it.
    Cut(u16, Option<Break>),
    /// All data of an answer came, and the trailers that end it did not: within the timeout, or, so, because the other side ended it.
    NoTrailers(Option<Break>),
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
    Redirected,
    Cut,
    NoTrailers,
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
    pub const ALL: [Class; 11] = [
        Class::Answered,
        Class::Redirected,
        Class::Cut,
        Class::NoTrailers,
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
            Class::Redirected => "redirected",
            Class::Cut => "cut",
            Class::NoTrailers => "no_trailers",
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
        if let Some(why) = course.astray {
            return Outcome::Redirected(why);
        }
        match record.end {
            ClientEnd::Answered(status) => Outcome::Status(status),
            ClientEnd::Grpc(status) => Outcome::Grpc(status),
            ClientEnd::Cut(_) | ClientEnd::Deadline if course.leg == Leg::Trailing => {
                Outcome::NoTrailers(course.broken)
            }
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
            Outcome::Redirected(_) => Class::Redirected,
            Outcome::Cut(..) => Class::Cut,
            Outcome::NoTrailers(_) => Class::NoTrailers,
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
            Outcome::Redirected(why) => write!(f, "redirected {why}, not followed"),
            Outcome::Cut(0, how) => match how {
                None => f.write_str("answered, cut off"),
                Some(how) => write!(f, "answered, cut off: {how}"),
            },
            Outcome::Cut(status, None) => write!(f, "answered {status}, cut off"),
            Outcome::Cut(status, Some(how)) => write!(f, "answered {status}, cut off: {how}"),
            Outcome::NoTrailers(None) => f.write_str("answered, and its trailers did not come in time"),
            Outcome::NoTrailers(Some(how)) => write!(f, "answered, and its trailers did not come: {how}"),
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
        Leg::Trailing => "waiting for trailers",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::call;
    use std::collections::BTreeSet;

    fn of(end: ClientEnd, leg: Leg, broken: Option<Break>, astray: Option<Astray>) -> Outcome {
        let mut record = call(0, 1_000, end);
        (record.course.leg, record.course.broken, record.course.astray) = (leg, broken, astray);
        Outcome::of(&record)
    }

    /// What tests/failures.rs of the load engine tells apart is told apart in words, too, and is of these classes.
    #[test]
    fn each_failure_has_words_of_its_own() {
        use Leg::{Answering, Connecting, Handshaking, Held, Trailing, Waiting};
        let closed = Some(Break::Closed);
        let failures = [
            (of(ClientEnd::Answered(503), Answering, None, None), Class::Answered),
            (of(ClientEnd::Grpc(GrpcStatus::Unavailable), Answering, None, None), Class::Answered),
            (of(ClientEnd::Grpc(GrpcStatus::DeadlineExceeded), Answering, None, None), Class::Answered),
            (of(ClientEnd::Answered(302), Answering, None, Some(Astray::Elsewhere)), Class::Redirected),
            (of(ClientEnd::Answered(302), Answering, None, Some(Astray::TooOften)), Class::Redirected),
            (of(ClientEnd::Refused, Connecting, None, None), Class::Refused),
            (of(ClientEnd::Insecure(TlsFault::Untrusted), Handshaking, None, None), Class::Insecure),
            (of(ClientEnd::Reset, Waiting, closed, None), Class::Reset),
            (of(ClientEnd::Reset, Waiting, Some(Break::Reset), None), Class::Reset),
            (of(ClientEnd::Reset, Waiting, Some(Break::Stream(2)), None), Class::Reset),
            (of(ClientEnd::Reset, Waiting, Some(Break::Goaway(11)), None), Class::Reset),
            (of(ClientEnd::Reset, Waiting, Some(Break::WebSocket(1011)), None), Class::Reset),
            (of(ClientEnd::Cut(200), Answering, closed, None), Class::Cut),
            (of(ClientEnd::Cut(200), Answering, Some(Break::Reset), None), Class::Cut),
            (of(ClientEnd::Cut(200), Answering, Some(Break::Stream(2)), None), Class::Cut),
            (of(ClientEnd::Cut(200), Answering, Some(Break::Fewer), None), Class::Cut),
            (of(ClientEnd::Cut(200), Trailing, Some(Break::Stream(2)), None), Class::NoTrailers),
            (of(ClientEnd::Deadline, Trailing, None, None), Class::NoTrailers),
            (of(ClientEnd::Garbled, Answering, None, None), Class::Garbled),
            (of(ClientEnd::Deadline, Answering, None, None), Class::TimedOut),
            (of(ClientEnd::Deadline, Waiting, None, None), Class::TimedOut),
            (of(ClientEnd::Deadline, Handshaking, None, None), Class::TimedOut),
            (of(ClientEnd::Deadline, Held, None, None), Class::HeldBack),
            (of(ClientEnd::Unfinished, Trailing, None, None), Class::Unanswered),
        ];
        let words: BTreeSet<String> = failures.iter().map(|(outcome, _)| outcome.to_string()).collect();
        assert_eq!(words.len(), failures.len(), "{words:#?}");
        for (outcome, class) in failures {
            assert_eq!(outcome.class(), class, "{outcome}");
            assert_eq!(outcome.is_answer(), class == Class::Answered, "{outcome}");
        }
    }
}
