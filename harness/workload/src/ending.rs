//! How tries end: what is said, before a protocol has put it into its words. Pure.

use crate::onward::Failure;
use squall_model::{Answer, AnswerCode, GrpcStatus, Protocol};

/// Bytes that no parser of HTTP/1.1 takes for an answer, and none of HTTP/2 for a frame: it would be longer than any is allowed.
pub(crate) const GARBAGE: &[u8] = b"\x00\xffthis is not the protocol you are looking for\xff\x00\r\n\r\n";

/// How a try ends, if its caller stays.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Reply(Reply),
    /// The same, but that half of the body is missing.
    CutBody(Reply),
    Garbage,
    Close,
    Reset,
    Hang,
}

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    /// Of HTTP.
    pub(crate) status: u16,
    /// `None`: it is no answer of gRPC.
    pub(crate) grpc: Option<Grpc>,
    pub(crate) note: Option<Note>,
}

/// An answer of gRPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grpc {
    pub(crate) status: GrpcStatus,
    /// So many messages before it; without any, the answer is nothing but trailers.
    pub(crate) messages: u32,
}

/// Why a try failed that was not told to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Note {
    /// The line was full.
    Overload,
    /// An onward call failed.
    Onward(Failure),
}

/// What was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Answered {
    /// Of HTTP; 0: nothing was answered.
    pub(crate) status: u16,
    pub(crate) grpc: Option<GrpcStatus>,
}

impl Answered {
    pub(crate) fn code(self) -> AnswerCode {
        self.grpc.map_or(AnswerCode::Status(self.status), AnswerCode::Grpc)
    }
}

impl Reply {
    /// An answer of HTTP.
    pub(crate) fn status(status: u16) -> Reply {
        Reply { status, grpc: None, note: None }
    }

    fn grpc(status: GrpcStatus, messages: u32) -> Reply {
        Reply { grpc: Some(Grpc { status, messages }), ..Reply::status(200) }
    }

    /// The good answer.
    fn good(protocol: Protocol) -> Reply {
        if protocol == Protocol::Grpc { Reply::grpc(GrpcStatus::Ok, 1) } else { Reply::status(200) }
    }
}

impl Ending {
    /// As the service was told to answer.
    pub(crate) fn of(answer: Answer, protocol: Protocol) -> Ending {
        match (answer, protocol) {
            // Of gRPC that is OK; a failure of HTTP has no status of gRPC.
            (Answer::Status(..400), Protocol::Grpc) => Ending::Reply(Reply::good(protocol)),
            (Answer::Status(status), _) => Ending::Reply(Reply::status(status)),
            (Answer::Grpc { status, after }, Protocol::Grpc) => Ending::Reply(Reply::grpc(status, after)),
            // A status of gRPC says nothing to a caller that speaks plain HTTP.
            (Answer::Grpc { .. }, _) => Ending::Reply(Reply::good(protocol)),
            (Answer::CutBody, _) => Ending::CutBody(Reply::good(protocol)),
            (Answer::Garbage, _) => Ending::Garbage,
            (Answer::Close, _) => Ending::Close,
            (Answer::Reset, _) => Ending::Reset,
            (Answer::Hang, _) => Ending::Hang,
        }
    }

    /// There was no place in the line: 503, or RESOURCE_EXHAUSTED, which is what servers of gRPC say that have no thread, or no
    /// room in their queue, for a call (grpc/grpc, doc/statuscodes.md; `load_shed` of tonic).
    pub(crate) fn overload(protocol: Protocol) -> Ending {
        let reply = match protocol {
            Protocol::Grpc => Reply::grpc(GrpcStatus::ResourceExhausted, 0),
            _ => Reply::status(503),
        };
        Ending::Reply(Reply { note: Some(Note::Overload), ..reply })
    }

    /// An onward call failed: a timeout is passed on as such, anything else as a bad gateway, or as an unavailable one.
    pub(crate) fn onward(failure: Failure, protocol: Protocol) -> Ending {
        let reply = match (protocol, failure.is_timeout()) {
            (Protocol::Grpc, true) => Reply::grpc(GrpcStatus::DeadlineExceeded, 0),
            (Protocol::Grpc, false) => Reply::grpc(GrpcStatus::Unavailable, 0),
            (_, true) => Reply::status(504),
            (_, false) => Reply::status(502),
        };
        Ending::Reply(Reply { note: Some(Note::Onward(failure)), ..reply })
    }

    /// What it answers.
    pub(crate) fn answered(&self) -> Answered {
        match self {
            Ending::Reply(reply) => Answered { status: reply.status, grpc: reply.grpc.map(|grpc| grpc.status) },
            // Its status of gRPC would have come after what is missing.
            Ending::CutBody(reply) => Answered { status: reply.status, grpc: None },
            Ending::Garbage | Ending::Close | Ending::Reset | Ending::Hang => Answered::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an ending comes to in the ledger, and how many messages of gRPC it has.
    fn said(ending: &Ending) -> (u16, Option<(GrpcStatus, Option<u32>)>) {
        let answered = ending.answered();
        let messages = match ending {
            Ending::Reply(reply) => reply.grpc.map(|grpc| grpc.messages),
            _ => None,
        };
        (answered.status, answered.grpc.map(|status| (status, messages)))
    }

    #[test]
    fn an_answer_is_said_in_the_words_of_the_protocol() {
        let grpc = |status, after| Answer::Grpc { status, after };
        let said = |answer, protocol| said(&Ending::of(answer, protocol));
        for protocol in [Protocol::Http, Protocol::Http2] {
            assert_eq!(said(Answer::Status(204), protocol), (204, None));
            assert_eq!(said(Answer::Status(503), protocol), (503, None));
            assert_eq!(said(grpc(GrpcStatus::Unavailable, 1), protocol), (200, None));
            assert_eq!(said(Answer::CutBody, protocol), (200, None));
        }
        assert_eq!(said(Answer::Status(204), Protocol::Grpc), (200, Some((GrpcStatus::Ok, Some(1)))));
        assert_eq!(said(Answer::Status(400), Protocol::Grpc), (400, None));
        assert_eq!(said(grpc(GrpcStatus::Aborted, 0), Protocol::Grpc), (200, Some((GrpcStatus::Aborted, Some(0)))));
        assert_eq!(said(grpc(GrpcStatus::Aborted, 3), Protocol::Grpc), (200, Some((GrpcStatus::Aborted, Some(3)))));
        assert_eq!(said(Answer::CutBody, Protocol::Grpc), (200, None));
        assert_eq!(said(Answer::Hang, Protocol::Grpc), (0, None));
    }

    #[test]
    fn a_full_line_and_a_failed_onward_call_are_said_in_the_words_of_the_protocol() {
        assert_eq!(said(&Ending::overload(Protocol::Http2)), (503, None));
        let exhausted = (200, Some((GrpcStatus::ResourceExhausted, Some(0))));
        assert_eq!(said(&Ending::overload(Protocol::Grpc)), exhausted);
        let answered = |status, grpc| Answered { status, grpc };
        for (seen, http, grpc) in [
            (answered(504, None), 504, GrpcStatus::DeadlineExceeded),
            (answered(200, Some(GrpcStatus::DeadlineExceeded)), 504, GrpcStatus::DeadlineExceeded),
            (answered(503, None), 502, GrpcStatus::Unavailable),
            (answered(200, Some(GrpcStatus::NotFound)), 502, GrpcStatus::Unavailable),
            (answered(0, None), 502, GrpcStatus::Unavailable),
        ] {
            let failed = |protocol| said(&Ending::onward(Failure::new("ratings".into(), seen), protocol));
            assert_eq!(failed(Protocol::Http), (http, None));
            assert_eq!(failed(Protocol::Grpc), (200, Some((grpc, Some(0)))));
        }
    }
}
