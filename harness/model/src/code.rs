//! What an answer says of itself: a status of HTTP, or one of gRPC.

use crate::UnknownWord;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The status of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerCode {
    /// Of HTTP.
    Status(u16),
    /// Of gRPC: in the trailers, or in the head of an answer that is nothing but trailers.
    Grpc(GrpcStatus),
}

impl AnswerCode {
    /// The call succeeds that is answered so: 2xx and 3xx, gRPC's OK.
    #[must_use]
    pub fn is_success(self) -> bool {
        match self {
            AnswerCode::Status(status) => (200..400).contains(&status),
            AnswerCode::Grpc(status) => status == GrpcStatus::Ok,
        }
    }

    /// A status from 500 on: what outlier detection counts as a failure. Of gRPC by the status of HTTP that Envoy has for it
    /// (source/common/grpc/status.cc, `grpcToHttpStatus`).
    #[must_use]
    pub fn is_5xx(self) -> bool {
        match self {
            AnswerCode::Status(status) => status >= 500,
            AnswerCode::Grpc(status) => matches!(
                status,
                GrpcStatus::Unknown
                    | GrpcStatus::DeadlineExceeded
                    | GrpcStatus::Unimplemented
                    | GrpcStatus::Internal
                    | GrpcStatus::Unavailable
                    | GrpcStatus::DataLoss
            ),
        }
    }
}

/// In the words of the language: `status 503`, `grpc status "UNAVAILABLE"`.
impl fmt::Display for AnswerCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AnswerCode::Status(status) => write!(f, "status {status}"),
            AnswerCode::Grpc(status) => write!(f, "grpc status \"{status}\""),
        }
    }
}

/// Where a call of gRPC goes that names no method.
pub const GRPC_METHOD: &str = "/squall.Service/Call";

macro_rules! statuses {
    ($($name:ident = $number:literal $word:literal,)*) => {
        /// A status of gRPC, by its standard name (grpc/grpc, doc/statuscodes.md).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
        #[expect(missing_docs, reason = "the standard names")]
        pub enum GrpcStatus {
            $($name = $number,)*
        }

        impl GrpcStatus {
            /// Every name, in order of number.
            pub const WORDS: &'static [&'static str] = &[$($word),*];

            /// The status of this number.
            #[must_use]
            pub fn from_number(number: u64) -> Option<GrpcStatus> {
                match number {
                    $($number => Some(GrpcStatus::$name),)*
                    _ => None,
                }
            }

            /// Its number, as `grpc-status` carries it.
            #[must_use]
            pub fn number(self) -> u8 {
                self as u8
            }
        }

        impl fmt::Display for GrpcStatus {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(GrpcStatus::$name => $word,)*
                })
            }
        }

        impl FromStr for GrpcStatus {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($word => Ok(GrpcStatus::$name),)*
                    other => Err(UnknownWord { given: other.into(), known: GrpcStatus::WORDS }),
                }
            }
        }
    };
}

statuses! {
    Ok = 0 "OK",
    Cancelled = 1 "CANCELLED",
    Unknown = 2 "UNKNOWN",
    InvalidArgument = 3 "INVALID_ARGUMENT",
    DeadlineExceeded = 4 "DEADLINE_EXCEEDED",
    NotFound = 5 "NOT_FOUND",
    AlreadyExists = 6 "ALREADY_EXISTS",
    PermissionDenied = 7 "PERMISSION_DENIED",
    ResourceExhausted = 8 "RESOURCE_EXHAUSTED",
    FailedPrecondition = 9 "FAILED_PRECONDITION",
    Aborted = 10 "ABORTED",
    OutOfRange = 11 "OUT_OF_RANGE",
    Unimplemented = 12 "UNIMPLEMENTED",
    Internal = 13 "INTERNAL",
    Unavailable = 14 "UNAVAILABLE",
    DataLoss = 15 "DATA_LOSS",
    Unauthenticated = 16 "UNAUTHENTICATED",
}

impl GrpcStatus {
    /// The status that an answer says (`grpc-status`), or what a client makes of one that says none, by its status of HTTP. What is no
    /// number, or no known one, is UNKNOWN.
    ///
    /// It is said in the trailers; in the head only where nothing else comes, neither bytes nor trailers (grpc/grpc,
    /// doc/PROTOCOL-HTTP2.md, "Trailers-Only"): `trailers` is `None` where there were none, and `lone_head` that no byte came.
    #[must_use]
    pub fn of_answer(http: u16, head: Option<&[u8]>, trailers: Option<Option<&[u8]>>, lone_head: bool) -> GrpcStatus {
        let said = trailers.unwrap_or(if lone_head { head } else { None });
        let number = |text: &[u8]| std::str::from_utf8(text).ok()?.parse().ok();
        let known = |text| number(text).and_then(GrpcStatus::from_number).unwrap_or(GrpcStatus::Unknown);
        said.map_or_else(|| GrpcStatus::of_http(http), known)
    }

    /// What a client of gRPC makes of an answer without a status of gRPC (grpc/grpc, doc/http-grpc-status-mapping.md).
    #[must_use]
    pub fn of_http(status: u16) -> GrpcStatus {
        match status {
            400 => GrpcStatus::Internal,
            401 => GrpcStatus::Unauthenticated,
            403 => GrpcStatus::PermissionDenied,
            404 => GrpcStatus::Unimplemented,
            429 | 502 | 503 | 504 => GrpcStatus::Unavailable,
            _ => GrpcStatus::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_the_standard_ones() {
        for (number, word) in GrpcStatus::WORDS.iter().enumerate() {
            let status: GrpcStatus = word.parse().unwrap();
            assert_eq!((usize::from(status.number()), status.to_string()), (number, (*word).to_owned()));
            assert_eq!(GrpcStatus::from_number(number as u64), Some(status));
            assert_eq!(serde_json::to_string(&status).unwrap(), format!("\"{word}\""));
        }
        assert_eq!(GrpcStatus::from_number(17), None);
        assert!("Unavailable".parse::<GrpcStatus>().is_err());
    }

    #[test]
    fn the_status_is_that_of_the_trailers_or_of_a_lone_head() {
        let (ok, bad) = (Some(&b"0"[..]), Some(&b"14"[..]));
        for (http, head, trailers, lone_head, expected) in [
            (200, None, Some(ok), false, GrpcStatus::Ok),
            (200, ok, Some(bad), true, GrpcStatus::Unavailable),
            (503, bad, None, true, GrpcStatus::Unavailable),
            // A head that something follows is not where it stands.
            (200, ok, None, false, GrpcStatus::Unknown),
            (200, ok, Some(None), true, GrpcStatus::Unknown),
            (503, None, None, true, GrpcStatus::Unavailable),
            (200, None, Some(Some(b"17")), false, GrpcStatus::Unknown),
            (200, None, Some(Some(b"-1")), false, GrpcStatus::Unknown),
            (200, None, Some(Some(b"OK")), false, GrpcStatus::Unknown),
        ] {
            let status = GrpcStatus::of_answer(http, head, trailers, lone_head);
            assert_eq!(status, expected, "{http} {head:?} {trailers:?} {lone_head}");
        }
    }

    #[test]
    fn what_is_5xx_is_so_in_either_protocol() {
        assert_eq!([404, 499, 500, 599].map(|n| AnswerCode::Status(n).is_5xx()), [false, false, true, true]);
        let bad: Vec<u64> =
            (0..=16).filter(|n| AnswerCode::Grpc(GrpcStatus::from_number(*n).unwrap()).is_5xx()).collect();
        assert_eq!(bad, [2, 4, 12, 13, 14, 15]);
    }
}
