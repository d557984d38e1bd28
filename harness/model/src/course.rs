//! What happened to a call between its intended start and its end: how far it came, and where its time went.

use crate::Stamp;
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// The course of a call, as its client saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Course {
    /// Which of the line's requests it was, from 0.
    pub request: u16,
    /// How far it came.
    pub leg: Leg,
    /// How long the connection took that was opened for it; `None`: it was sent on one that stood, or was being opened for another.
    pub connect: Option<Duration>,
    /// How long the handshake of TLS took on that connection.
    pub tls: Option<Duration>,
    /// When the first bytes of its answer were seen.
    pub first_byte: Option<Stamp>,
    /// Bytes of the answer's body.
    pub received: u64,
    /// How its connection, or its stream, ended before the call did; `None`: it did not.
    pub broken: Option<Break>,
    /// Why its answer, a redirect, was not followed by a caller who follows them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub astray: Option<Astray>,
}

/// The leg of its way that a call was on last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leg {
    /// Nothing had been done for it.
    #[default]
    Held,
    /// It waited for a connection.
    Connecting,
    /// It waited for the handshake of TLS.
    Handshaking,
    /// It was sent, or being sent, and waited for its answer.
    Waiting,
    /// Its answer had begun.
    Answering,
    /// All data of its answer had come, and it waited for the trailers that end it.
    Trailing,
}

/// How a connection, or a stream of it, ended before its call did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Break {
    /// The other side closed the connection in order.
    Closed,
    /// The connection was reset.
    Reset,
    /// The stream was reset with this code (`RST_STREAM`).
    Stream(u32),
    /// The other side went away with this code (`GOAWAY`).
    Goaway(u32),
    /// The other side closed the WebSocket with this code.
    WebSocket(u16),
    /// The stream ended in order, with fewer messages than were to come.
    Fewer,
    /// The stream ended in order, with more messages than were to come.
    More,
}

/// Why a redirect was not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Astray {
    /// It leads to another origin than the one that was to be called.
    Elsewhere,
    /// It was one more than are followed.
    TooOften,
    /// What it says is no place.
    Nowhere,
}

/// Why a connection could not be secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TlsFault {
    /// The server's certificate is of nobody who is trusted.
    Untrusted,
    /// The server's certificate is not valid any more, or not yet.
    Expired,
    /// The server is somebody else.
    WrongIdentity,
    /// The server did not want to go on: it said so by an alert.
    TurnedAway,
    /// They have no protocol in common that would be spoken within.
    NoProtocol,
    /// What came was not TLS.
    NotTls,
    /// The connection ended in the middle of the handshake.
    BrokenOff,
    /// Something else was wrong with the handshake.
    Other,
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TlsFault::Untrusted => "the server's certificate is not trusted",
            TlsFault::Expired => "the server's certificate is not valid at this time",
            TlsFault::WrongIdentity => "the server is somebody else",
            TlsFault::TurnedAway => "the server turned the caller away",
            TlsFault::NoProtocol => "no protocol in common",
            TlsFault::NotTls => "the server does not speak TLS",
            TlsFault::BrokenOff => "the server broke the handshake off",
            TlsFault::Other => "the handshake failed",
        })
    }
}

impl fmt::Display for Astray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Astray::Elsewhere => "to another origin",
            Astray::TooOften => "more often than is followed",
            Astray::Nowhere => "to what is no place",
        })
    }
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Break::Closed => f.write_str("connection closed"),
            Break::Reset => f.write_str("connection reset"),
            Break::Stream(code) => write!(f, "stream reset, {}", code_of_http2(*code)),
            Break::Goaway(code) => write!(f, "GOAWAY, {}", code_of_http2(*code)),
            Break::WebSocket(code) => write!(f, "WebSocket closed, {code} ({})", code_of_websocket(*code)),
            Break::Fewer => f.write_str("fewer messages than were to come"),
            Break::More => f.write_str("more messages than were to come"),
        }
    }
}

/// RFC 6455 section 7.4.1, and those registered since.
fn code_of_websocket(code: u16) -> &'static str {
    match code {
        1000 => "done",
        1001 => "going away",
        1002 => "protocol error",
        1003 => "data not taken",
        1005 => "no code",
        1007 => "data malformed",
        1008 => "against a policy",
        1009 => "message too big",
        1010 => "extension missing",
        1011 => "internal error",
        1012 => "restarting",
        1013 => "try again later",
        1014 => "bad gateway",
        3000..=3999 => "registered",
        4000..=4999 => "private",
        _ => "an unknown code",
    }
}

/// RFC 9113 section 7.
fn code_of_http2(code: u32) -> &'static str {
    const NAMES: [&str; 14] = [
        "NO_ERROR",
        "PROTOCOL_ERROR",
        "INTERNAL_ERROR",
        "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT",
        "STREAM_CLOSED",
        "FRAME_SIZE_ERROR",
        "REFUSED_STREAM",
        "CANCEL",
        "COMPRESSION_ERROR",
        "CONNECT_ERROR",
        "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY",
        "HTTP_1_1_REQUIRED",
    ];
    NAMES.get(code as usize).copied().unwrap_or("an unknown code")
}
