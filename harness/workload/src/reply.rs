//! Answers, and the other ways to end a try.

use crate::{INSTANCE, ONWARD, OVERLOAD, converse::Flow, onward::Failure, service::Service, wire::Connection};
use http::StatusCode;
use squall_model::Answer;
use std::fmt::Write as _;

/// Bytes that no HTTP parser takes for an answer.
const GARBAGE: &[u8] = b"\x00\xffthis is not the protocol you are looking for\xff\x00\r\n\r\n";

/// How a try ends, if its caller stays.
#[derive(Debug)]
pub(crate) enum Ending<'a> {
    Reply(Reply<'a>),
    CutBody(Reply<'a>),
    Garbage,
    Close,
    Reset,
    Hang,
}

impl<'a> Ending<'a> {
    pub(crate) fn of(answer: Answer, reply: Reply<'a>) -> Ending<'a> {
        match answer {
            Answer::Status(status) => Ending::Reply(Reply { status, ..reply }),
            Answer::CutBody => Ending::CutBody(Reply { cut: true, ..reply }),
            Answer::Garbage => Ending::Garbage,
            Answer::Close => Ending::Close,
            Answer::Reset => Ending::Reset,
            Answer::Hang => Ending::Hang,
        }
    }

    /// The status that is answered; 0 if none is.
    pub(crate) fn status(&self) -> u16 {
        match self {
            Ending::Reply(reply) | Ending::CutBody(reply) => reply.status,
            Ending::Garbage | Ending::Close | Ending::Reset | Ending::Hang => 0,
        }
    }

    /// Does it, and says what becomes of the connection.
    pub(crate) async fn act(self, service: &Service, connection: &mut Connection) -> Flow {
        let last_words = match self {
            Ending::Reply(reply) => return reply.send(service, connection).await,
            Ending::Close | Ending::Hang => return Flow::Close,
            Ending::Reset => return Flow::Reset,
            Ending::CutBody(reply) => reply.render(),
            Ending::Garbage => GARBAGE.to_vec(),
        };
        // Whether the peer reads them or not, it is hung up on.
        let _ = connection.send(&last_words).await;
        Flow::Close
    }
}

/// An answer that is HTTP.
#[derive(Debug)]
pub(crate) struct Reply<'a> {
    pub(crate) instance: &'a str,
    pub(crate) status: u16,
    /// To a HEAD request: the length of the body, and no body.
    pub(crate) head_only: bool,
    pub(crate) keep_alive: bool,
    pub(crate) overload: bool,
    pub(crate) onward: Option<Failure>,
    /// Half of the body is missing.
    pub(crate) cut: bool,
}

impl<'a> Reply<'a> {
    pub(crate) fn new(service: &'a Service) -> Reply<'a> {
        Reply {
            instance: &service.instance,
            status: 200,
            head_only: false,
            keep_alive: true,
            overload: false,
            onward: None,
            cut: false,
        }
    }

    /// Sends it; the connection stays open if both sides want it to.
    pub(crate) async fn send(mut self, service: &Service, connection: &mut Connection) -> Flow {
        self.keep_alive &= !service.stop.is_cancelled();
        match connection.send(&self.render()).await {
            Ok(()) if self.keep_alive => Flow::Next,
            _ => Flow::Close,
        }
    }

    fn render(&self) -> Vec<u8> {
        let mut out = String::with_capacity(256);
        // Writing to a string cannot fail.
        let _ = self.write(&mut out);
        out.into_bytes()
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let reason = StatusCode::from_u16(self.status).ok().and_then(|s| s.canonical_reason()).unwrap_or_default();
        write!(out, "HTTP/1.1 {} {reason}\r\n{INSTANCE}: {}\r\n", self.status, self.instance)?;
        if self.overload {
            write!(out, "{OVERLOAD}: true\r\n")?;
        }
        if let Some(failure) = &self.onward {
            write!(out, "{ONWARD}: {failure}\r\n")?;
        }
        if !self.keep_alive {
            out.push_str("connection: close\r\n");
        }
        // RFC 9110, 8.6 and 15.4.5: no length where there can be no body.
        if matches!(self.status, 204 | 304) {
            out.push_str("\r\n");
            return Ok(());
        }
        let body = self.instance.len() + 1;
        let length = if self.cut { 2 * body } else { body };
        write!(out, "content-type: text/plain\r\ncontent-length: {length}\r\n\r\n")?;
        if !self.head_only {
            writeln!(out, "{}", self.instance)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16) -> Reply<'static> {
        Reply {
            instance: "web-1",
            status,
            head_only: false,
            keep_alive: true,
            overload: false,
            onward: None,
            cut: false,
        }
    }

    fn text(reply: &Reply<'_>) -> String {
        String::from_utf8(reply.render()).unwrap()
    }

    #[test]
    fn answers_are_rendered() {
        assert_eq!(
            text(&reply(200)),
            "HTTP/1.1 200 OK\r\nx-squall-instance: web-1\r\ncontent-type: text/plain\r\ncontent-length: 6\r\n\r\nweb-1\n"
        );
        assert_eq!(text(&reply(204)), "HTTP/1.1 204 No Content\r\nx-squall-instance: web-1\r\n\r\n");
        assert!(text(&Reply { head_only: true, ..reply(200) }).ends_with("content-length: 6\r\n\r\n"));
        assert!(text(&Reply { cut: true, ..reply(200) }).ends_with("content-length: 12\r\n\r\nweb-1\n"));
        assert!(text(&Reply { overload: true, ..reply(503) }).contains("\r\nx-squall-overload: true\r\n"));
        assert!(text(&Reply { keep_alive: false, ..reply(200) }).contains("\r\nconnection: close\r\n"));
        assert!(text(&reply(599)).starts_with("HTTP/1.1 599 \r\n"));
    }
}
