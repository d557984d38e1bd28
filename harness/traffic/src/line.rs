//! What to send: lines of traffic, as the caller of the engine describes them.

use crate::{
    mix::Mix,
    request::{self, RequestError},
    schedule::{Arrivals, Piece, Schedule},
    tcp::Until,
    tls::Tls,
    websocket::Reply,
};
use serde::{Deserialize, Serialize};
use squall_model::{Protocol, Stamp};
use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};
use thiserror::Error;

/// Room for a path in `sockaddr_un` with its closing zero: 108 bytes on Linux, 104 on macOS.
const MAX_SOCKET_PATH: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// Where a caller's proxy accepts the calls of its instance.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// A Unix stream socket.
    Unix(PathBuf),
    /// A TCP port; connections have `TCP_NODELAY`.
    Tcp(SocketAddr),
}

/// How the calls of a line follow each other.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// Open loop: calls are due by schedule, whatever became of those before.
    Open {
        /// Calls per second.
        rate_hz: f64,
        /// Until when calls are due; a cap, where the run is told to stop sending earlier.
        length: Duration,
        /// Evenly or at random moments.
        arrivals: Arrivals,
    },
    /// Open loop with a rate that changes linearly.
    Ramp {
        /// Calls per second at the origin.
        from_hz: f64,
        /// Calls per second at the end.
        to_hz: f64,
        /// How long the change takes.
        length: Duration,
    },
    /// Open loop with a rate that is one piece after another.
    Profile {
        /// Rates and lengths.
        pieces: Arc<[Piece]>,
        /// How the calls are spread.
        arrivals: Arrivals,
    },
    /// Open loop in bursts: so many calls are due at one moment.
    Bursts {
        /// Calls of one burst.
        size: u32,
        /// From one burst to the next.
        every: Duration,
        /// Until when bursts are due.
        length: Duration,
    },
    /// Open loop at moments that were recorded.
    Replay {
        /// Offsets from the origin, ascending.
        offsets: Arc<[Duration]>,
        /// Until when calls are due.
        length: Duration,
    },
    /// One call after another, one in flight: each is due at the moment the one before has ended.
    Serial {
        /// How many.
        calls: u64,
    },
    /// Closed loop: each user has one call in flight or thinks, and calls again `thinking` after the end of the call before.
    ///
    /// The users' first calls are spread evenly over one `thinking`, lest they march in step. The line's [`Line::users`] is not
    /// looked at.
    Closed {
        /// How many users.
        users: u32,
        /// Until when calls are due.
        length: Duration,
        /// From the end of a call to the next one of the same user.
        thinking: Duration,
    },
}

impl Shape {
    /// The offsets of all calls from the origin; `None` where they depend on the answers.
    #[must_use]
    pub fn schedule(&self) -> Option<Schedule> {
        match self {
            Shape::Open { rate_hz, length, arrivals } => Some(Schedule::open(*rate_hz, *length, *arrivals)),
            Shape::Ramp { from_hz, to_hz, length } => Some(Schedule::ramp(*from_hz, *to_hz, *length)),
            Shape::Profile { pieces, arrivals } => Some(Schedule::of(pieces, *arrivals)),
            Shape::Bursts { size, every, length } => Some(Schedule::bursts(*size, *every, *length)),
            Shape::Replay { offsets, length } => Some(Schedule::replay(Arc::clone(offsets), *length)),
            Shape::Serial { .. } | Shape::Closed { .. } => None,
        }
    }
}

/// One line of traffic.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Number of the line, from 0 over the whole plan: goes to `CallRecord::line`.
    pub number: u16,
    /// The proxies of the caller's instances, in order; calls go to them in turn, and `CallRecord::caller` is the place in this
    /// list, from 1.
    pub targets: Vec<Endpoint>,
    /// What is spoken; HTTP/2 and gRPC with prior knowledge. A call of gRPC is a POST, and where the request's path is `/`, to
    /// `/squall.Service/Call`.
    pub protocol: Protocol,
    /// Over HTTP/1.1: connections are upgraded to WebSocket, once, and a call is a message, the request's body, with such an answer;
    /// `None`: they are not.
    pub websocket: Option<Reply>,
    /// Of gRPC: how many messages a call has.
    pub messages: Messages,
    /// Of gRPC: what the server is told that a call may take, from its intended send (`grpc-timeout`); `None`: nothing.
    pub told: Option<Duration>,
    /// How its connections are secured; `None`: not at all. Made for the protocol that is spoken.
    pub tls: Option<Tls>,
    /// False: each call has a connection of its own, and over HTTP/1.1 says that it is the last on it. HTTP/2 and gRPC have no such calls.
    pub keep_alive: bool,
    /// So many redirects of one call are followed at most, to no other origin; 0: none, it is the call's answer. Only HTTP has them.
    pub redirects: u32,
    /// What is sent.
    pub requests: Mix,
    /// Over TCP: how much of what comes back is an answer. What is sent is the request's body alone.
    pub until: Until,
    /// What places are filled by, and requests of a mix are drawn by.
    pub seed: u64,
    /// When it is sent.
    pub shape: Shape,
    /// The calls are those of so many users in turn, each round beginning with another one; `None`: of nobody.
    pub users: Option<u32>,
    /// The header that carries `user-1`, `user-2`, …
    pub user_header: String,
    /// How long the client waits for the end of an answer, from the intended send.
    pub deadline: Duration,
    /// What stands before the number of the call in `x-request-id`.
    pub id_prefix: String,
    /// Which of its calls are sent from here.
    pub share: Share,
}

/// Every `of`-th call of a line from the `nth` on, from 0; of a closed loop so of its users. The shares of `of` runs of the same
/// line together are the line: the same calls, with the same numbers, at the same moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Which, below `of`.
    pub nth: u32,
    /// Of how many.
    pub of: u32,
}

/// How many messages a call of gRPC has: one each way of a unary call, several one way or both of one that streams. What it
/// says, it says one message after the other, without waiting for any of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Messages {
    /// Those of the request: each is the message of the line.
    pub sent: u32,
    /// Those of the answer. One with another number is broken, if it ends with OK.
    pub answered: u32,
}

impl Messages {
    /// One each way.
    pub const UNARY: Messages = Messages { sent: 1, answered: 1 };
}

impl Share {
    /// The whole line.
    pub const WHOLE: Share = Share { nth: 0, of: 1 };

    pub(crate) fn has_user(self, user: u32) -> bool {
        user % self.of == self.nth
    }
}

impl Line {
    /// A line with the usual rest: HTTP/1.1 on connections that are used again, no users, known by `x-squall-user` if they are set, a deadline of 10 s, ids without a prefix.
    #[must_use]
    pub fn new(number: u16, targets: Vec<Endpoint>, request: impl Into<Mix>, shape: Shape) -> Line {
        Line {
            number,
            targets,
            protocol: Protocol::Http,
            websocket: None,
            messages: Messages::UNARY,
            told: None,
            tls: None,
            keep_alive: true,
            redirects: 0,
            requests: request.into(),
            until: Until::default(),
            seed: 0,
            shape,
            users: None,
            user_header: "x-squall-user".into(),
            deadline: Duration::from_secs(10),
            id_prefix: String::new(),
            share: Share::WHOLE,
        }
    }

    /// Looks for what would keep the line from being sent.
    pub(crate) fn check(&self) -> Result<(), LineError> {
        if self.targets.is_empty() {
            return Err(LineError::NoTarget);
        }
        for target in &self.targets {
            if let Endpoint::Unix(path) = target
                && path.as_os_str().len() > MAX_SOCKET_PATH
            {
                return Err(LineError::LongPath(path.clone()));
            }
        }
        if !self.keep_alive && matches!(self.protocol, Protocol::Http2 | Protocol::Grpc) {
            return Err(LineError::Connections);
        }
        if self.websocket.is_some() && !self.can_upgrade() {
            return Err(LineError::WebSocket);
        }
        if self.redirects > 0 && matches!(self.protocol, Protocol::Grpc | Protocol::Tcp) {
            return Err(LineError::Redirects);
        }
        request::check_header_name(&self.user_header)?;
        if !request::is_id_prefix(&self.id_prefix) {
            return Err(LineError::IdPrefix(self.id_prefix.clone()));
        }
        if self.messages.sent == 0 || self.messages.answered == 0 {
            return Err(LineError::NoMessages);
        }
        let of_grpc = self.messages != Messages::UNARY || self.told.is_some();
        if of_grpc && self.protocol != Protocol::Grpc {
            return Err(LineError::Message);
        }
        if self.users == Some(0) {
            return Err(LineError::NoCalls);
        }
        if self.share.nth >= self.share.of {
            return Err(LineError::Share(self.share));
        }
        self.shape.check()
    }
}

impl Line {
    /// One request asks for the upgrade, in the one protocol that knows it, for a connection that is used again.
    fn can_upgrade(&self) -> bool {
        let is_one = matches!(self.requests.requests(), [request] if request.method == "GET");
        is_one && self.protocol == Protocol::Http && self.keep_alive && self.redirects == 0
    }
}

impl Shape {
    fn check(&self) -> Result<(), LineError> {
        let rate = |hz: f64| if hz.is_finite() && hz >= 0.0 { Ok(()) } else { Err(LineError::Rate(hz)) };
        let calls = match self {
            Shape::Open { rate_hz, length, .. } => {
                rate(*rate_hz)?;
                *rate_hz > 0.0 && !length.is_zero()
            }
            Shape::Ramp { from_hz, to_hz, length } => {
                rate(*from_hz)?;
                rate(*to_hz)?;
                from_hz + to_hz > 0.0 && !length.is_zero()
            }
            Shape::Profile { pieces, .. } => {
                for piece in pieces.iter() {
                    rate(piece.from_hz)?;
                    rate(piece.to_hz)?;
                }
                pieces.iter().any(|piece| piece.calls() > 0.0)
            }
            Shape::Bursts { size, every, length } => *size > 0 && !every.is_zero() && !length.is_zero(),
            Shape::Replay { offsets, .. } if !offsets.is_sorted() => return Err(LineError::Unsorted),
            Shape::Replay { offsets, length } => offsets.first().is_some_and(|first| first < length),
            Shape::Serial { calls } => *calls > 0,
            Shape::Closed { users, length, .. } => *users > 0 && !length.is_zero(),
        };
        if calls { Ok(()) } else { Err(LineError::NoCalls) }
    }
}

/// Why a line cannot be sent.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum LineError {
    /// A share that there is not.
    #[error("share {} of {} is none: they count from 0", .0.nth, .0.of)]
    Share(Share),
    /// No proxy to send to.
    #[error("no target")]
    NoTarget,
    /// A rate, a length or a number of zero: a line without a call proves nothing.
    #[error("its shape has no calls")]
    NoCalls,
    /// Negative, infinite or no number.
    #[error("{0} calls per second is no rate")]
    Rate(f64),
    /// Recorded moments that do not ascend.
    #[error("the moments to replay do not ascend")]
    Unsorted,
    /// Longer than the address of a Unix socket can be.
    #[error("socket path {} is longer than {MAX_SOCKET_PATH} bytes", .0.display())]
    LongPath(PathBuf),
    /// Blanks, control or non-ASCII characters.
    #[error("`{0}` cannot begin a request id")]
    IdPrefix(String),
    /// HTTP/2 is made for the contrary.
    #[error("over HTTP/2 calls share connections: none has one of its own")]
    Connections,
    /// What is no HTTP redirects nobody.
    #[error("only HTTP redirects its callers")]
    Redirects,
    /// A mix, another method, another protocol, connections that are not used again, redirects.
    #[error("a WebSocket is asked for by one GET over HTTP/1.1, on a connection that is used again")]
    WebSocket,
    /// Over TCP, or in a message of WebSocket, nothing else is sent.
    #[error("a call is the bytes of its body, and it has none")]
    NoBytes,
    /// Plain HTTP has a body instead.
    #[error("only a call of gRPC has messages, and a server that is told how long it may take")]
    Message,
    /// Zero, one way or the other.
    #[error("a call of gRPC has one message at least, there and back")]
    NoMessages,
    /// gRPC frames messages, and knows no body without that.
    #[error("a call of gRPC has a message, and no other body")]
    Body,
    /// Longer than four bytes can say.
    #[error("a message of {0} bytes is longer than gRPC can say")]
    LongMessage(usize),
    /// The request, or the header for users, cannot be said in the line's protocol, or is the engine's own.
    #[error(transparent)]
    Request(#[from] RequestError),
}

/// Where a run begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Start {
    /// The origin of time of all lines; `None`: a few milliseconds from now. One that has passed makes the first calls late, and
    /// the schedule's health says so.
    pub at: Option<Stamp>,
    /// The smallest number that a call of this run may have: the run before says it in `Summary::next_seq`.
    pub first_seq: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Request;

    #[test]
    fn lines_that_cannot_be_sent() {
        let good = Line::new(
            0,
            vec![Endpoint::Unix("/run/web.sock".into())],
            Request::new("GET", "reviews", "/").unwrap(),
            Shape::Serial { calls: 1 },
        );
        assert_eq!(good.check(), Ok(()));
        let second = Duration::from_secs(1);
        let open = |rate_hz, length| Shape::Open { rate_hz, length, arrivals: Arrivals::Even };
        let long = PathBuf::from("x".repeat(200));
        for (line, error) in [
            (Line { targets: vec![], ..good.clone() }, LineError::NoTarget),
            (Line { targets: vec![Endpoint::Unix(long.clone())], ..good.clone() }, LineError::LongPath(long)),
            (Line { users: Some(0), ..good.clone() }, LineError::NoCalls),
            (Line { shape: Shape::Serial { calls: 0 }, ..good.clone() }, LineError::NoCalls),
            (Line { shape: open(100.0, Duration::ZERO), ..good.clone() }, LineError::NoCalls),
            (Line { shape: open(0.0, second), ..good.clone() }, LineError::NoCalls),
            (Line { shape: open(-1.0, second), ..good.clone() }, LineError::Rate(-1.0)),
            (Line { shape: open(f64::INFINITY, second), ..good.clone() }, LineError::Rate(f64::INFINITY)),
            (
                Line { shape: Shape::Ramp { from_hz: 0.0, to_hz: 0.0, length: second }, ..good.clone() },
                LineError::NoCalls,
            ),
            (Line { protocol: Protocol::Grpc, keep_alive: false, ..good.clone() }, LineError::Connections),
            (Line { protocol: Protocol::Grpc, redirects: 1, ..good.clone() }, LineError::Redirects),
            (Line { messages: Messages { sent: 1, answered: 2 }, ..good.clone() }, LineError::Message),
            (Line { messages: Messages { sent: 0, answered: 1 }, ..good.clone() }, LineError::NoMessages),
            (Line { websocket: Some(Reply::Echo), keep_alive: false, ..good.clone() }, LineError::WebSocket),
            (Line { websocket: Some(Reply::Echo), protocol: Protocol::Http2, ..good.clone() }, LineError::WebSocket),
            (Line { id_prefix: "a b".into(), ..good.clone() }, LineError::IdPrefix("a b".into())),
            (Line { user_header: "host".into(), ..good }, RequestError::Reserved("host".into()).into()),
        ] {
            assert_eq!(line.check(), Err(error));
        }
    }
}
