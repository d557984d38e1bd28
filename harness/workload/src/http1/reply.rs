//! Answers as HTTP/1.1 writes them, and the other ways to end a try.

use super::{connection::Connection, converse::Flow, head::RequestHead};
use crate::{
    INSTANCE, ONWARD, OVERLOAD,
    ending::{Ending, GARBAGE, Note, Reply},
    service::Service,
};
use http::StatusCode;
use std::fmt::Write as _;

/// How an answer is written, whatever it says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    /// To a HEAD request: the length of the body, and no body.
    head_only: bool,
    keep_alive: bool,
    /// Half of the body is missing.
    cut: bool,
}

impl Manner {
    /// After this, the connection is closed.
    pub(crate) const LAST: Manner = Manner { head_only: false, keep_alive: false, cut: false };

    /// As this request wants it.
    pub(crate) fn of(request: &RequestHead) -> Manner {
        Manner { head_only: request.head.is_head, keep_alive: request.keep_alive, cut: false }
    }
}

/// Ends a try, and says what becomes of the connection.
pub(crate) async fn act(ending: &Ending, service: &Service, connection: &mut Connection, manner: Manner) -> Flow {
    let cut;
    let last_words = match ending {
        Ending::Reply(reply) => return send(reply, service, connection, manner).await,
        Ending::Close | Ending::Hang => return Flow::Close,
        Ending::Reset => return Flow::Reset,
        Ending::CutBody(reply) => {
            cut = render(reply, &service.instance, Manner { cut: true, ..manner });
            &*cut
        }
        Ending::Garbage => GARBAGE,
    };
    // Whether the peer reads them or not, it is hung up on.
    let _ = connection.send(last_words).await;
    Flow::Close
}

/// Sends an answer; the connection stays open if both sides want it to.
pub(crate) async fn send(reply: &Reply, service: &Service, connection: &mut Connection, manner: Manner) -> Flow {
    let keep_alive = manner.keep_alive && !service.stop.is_cancelled();
    match connection.send(&render(reply, &service.instance, Manner { keep_alive, ..manner })).await {
        Ok(()) if keep_alive => Flow::Next,
        _ => Flow::Close,
    }
}

fn render(reply: &Reply, instance: &str, manner: Manner) -> Vec<u8> {
    let mut out = String::with_capacity(256);
    // Writing to a string cannot fail.
    let _ = write(&mut out, reply, instance, manner);
    out.into_bytes()
}

fn write(out: &mut String, reply: &Reply, instance: &str, manner: Manner) -> std::fmt::Result {
    let reason = StatusCode::from_u16(reply.status).ok().and_then(|s| s.canonical_reason()).unwrap_or_default();
    write!(out, "HTTP/1.1 {} {reason}\r\n{INSTANCE}: {instance}\r\n", reply.status)?;
    match &reply.note {
        Some(Note::Overload) => write!(out, "{OVERLOAD}: true\r\n")?,
        Some(Note::Onward(failure)) => write!(out, "{ONWARD}: {failure}\r\n")?,
        None => {}
    }
    if !manner.keep_alive {
        out.push_str("connection: close\r\n");
    }
    // RFC 9110, 8.6 and 15.4.5: no length where there can be no body.
    if matches!(reply.status, 204 | 304) {
        out.push_str("\r\n");
        return Ok(());
    }
    let body = instance.len() + 1;
    let length = if manner.cut { 2 * body } else { body };
    write!(out, "content-type: text/plain\r\ncontent-length: {length}\r\n\r\n")?;
    if !manner.head_only {
        writeln!(out, "{instance}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Manner = Manner { keep_alive: true, ..Manner::LAST };

    fn text(reply: &Reply, manner: Manner) -> String {
        String::from_utf8(render(reply, "web-1", manner)).unwrap()
    }

    #[test]
    fn answers_are_rendered() {
        let good = Reply::status(200);
        assert_eq!(
            text(&good, PLAIN),
            "HTTP/1.1 200 OK\r\nx-squall-instance: web-1\r\ncontent-type: text/plain\r\ncontent-length: 6\r\n\r\nweb-1\n"
        );
        assert_eq!(text(&Reply::status(204), PLAIN), "HTTP/1.1 204 No Content\r\nx-squall-instance: web-1\r\n\r\n");
        assert!(text(&good, Manner { head_only: true, ..PLAIN }).ends_with("content-length: 6\r\n\r\n"));
        assert!(text(&good, Manner { cut: true, ..PLAIN }).ends_with("content-length: 12\r\n\r\nweb-1\n"));
        let shed = Reply { note: Some(Note::Overload), ..Reply::status(503) };
        assert!(text(&shed, PLAIN).contains("\r\nx-squall-overload: true\r\n"));
        assert!(text(&good, Manner::LAST).contains("\r\nconnection: close\r\n"));
        assert!(text(&Reply::status(599), PLAIN).starts_with("HTTP/1.1 599 \r\n"));
    }
}
