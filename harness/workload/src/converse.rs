//! One connection from its first try to its last.

use crate::{
    INSTANCE, ONWARD, OVERLOAD,
    conduct::Conduct,
    floor::Entry,
    onward::Failure,
    service::{Service, count},
    socket::Stream,
    wire::{Connection, RequestHead, WireError},
};
use http::StatusCode;
use squall_model::Answer;
use std::{fmt::Write as _, io, pin::pin, rc::Rc, time::Duration};

/// Bytes that no HTTP parser takes for an answer.
const GARBAGE: &[u8] = b"\x00\xffthis is not the protocol you are looking for\xff\x00\r\n\r\n";

/// Serves the tries of one connection until either side has had enough.
pub(crate) async fn converse(service: Rc<Service>, stream: Stream) {
    let mut connection = Connection::new(stream);
    loop {
        // A try that has arrived is served even when the process is to end.
        let head = tokio::select! {
            biased;
            head = connection.head(RequestHead::parse) => head,
            () = service.stop.cancelled() => return,
        };
        let flow = match head {
            Ok(Some(head)) => match &head.marker {
                Some(text) => mark(&service, &mut connection, &head, text).await,
                None => serve(&service, &mut connection, &head).await,
            },
            Ok(None) => Flow::Close,
            Err(error) => refuse(&service, &mut connection, &error).await,
        };
        match flow {
            Flow::Next => {}
            Flow::Close => return,
            Flow::Reset => return connection.reset(),
        }
    }
}

/// What becomes of the connection after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Close,
    Reset,
}

/// Answers what is no request.
async fn refuse(service: &Service, connection: &mut Connection, error: &WireError) -> Flow {
    tracing::debug!(%error, "what came was no request");
    if !matches!(error, WireError::Cut | WireError::Io(_)) {
        // Whether the peer reads it or not, it is hung up on.
        let _ = connection.send(&Reply { status: 400, keep_alive: false, ..Reply::new(service) }.render()).await;
    }
    Flow::Close
}

/// Writes a marker into the ledger, then answers: whoever has seen the answer finds the line.
async fn mark(service: &Service, connection: &mut Connection, head: &RequestHead, text: &str) -> Flow {
    if connection.skip_body(head.framing).await.is_err() {
        return Flow::Close;
    }
    service.ledger.mark(text);
    let reply = Reply { status: 204, keep_alive: head.keep_alive, ..Reply::new(service) };
    reply.send(service, connection).await.unwrap_or(Flow::Close)
}

/// Serves one try whose head was just read.
async fn serve(service: &Service, connection: &mut Connection, head: &RequestHead) -> Flow {
    let entry = service.ledger.begin(head);
    let conduct = service.conduct();
    let latency = service.draw(conduct);
    if head.is_check {
        count(&service.checks);
    }
    if connection.skip_body(head.framing).await.is_err() {
        return Flow::Close;
    }
    let reply = Reply { head_only: head.is_head, keep_alive: head.keep_alive, ..Reply::new(service) };
    let worker = match service.floor.enter() {
        Entry::Work(worker) => Some(worker),
        Entry::Wait(waiting) => match connection.attended(waiting.admitted()).await {
            Some(worker) => Some(worker),
            None => return Flow::Close,
        },
        Entry::Shed => None,
    };
    let ending = match &worker {
        None => {
            count(&service.shed);
            Ending::Reply(Reply { status: 503, overload: true, ..reply })
        }
        Some(_) => {
            let mut work = pin!(work(latency));
            if !latency.is_zero() && connection.attended(work.as_mut()).await.is_none() {
                drop(entry);
                // Nobody waits for it, but the worker does not look up: see the crate's documentation.
                work.await;
                return Flow::Close;
            }
            match onward(service, connection, head, conduct).await {
                None => return Flow::Close,
                Some(Err(failure)) => Ending::Reply(Reply { status: failure.status(), onward: Some(failure), ..reply }),
                Some(Ok(())) => Ending::of(conduct.answer, reply),
            }
        }
    };
    let (status, flow) = ending.act(service, connection).await;
    // No await between the answer's last byte and here: whoever has seen the answer finds the line.
    entry.close(status);
    flow
}

/// Makes the onward calls of a try that is to succeed, and says which failed. `None` if the caller went away.
async fn onward(
    service: &Service,
    connection: &mut Connection,
    head: &RequestHead,
    conduct: Conduct,
) -> Option<Result<(), Failure>> {
    match conduct.succeeds() && !head.is_check && service.onward.are_any() {
        true => connection.attended(service.onward.make(head)).await,
        false => Some(Ok(())),
    }
}

/// Works on a try.
#[expect(clippy::disallowed_methods, reason = "the delay is the behaviour, not a wait for something")]
async fn work(latency: Duration) {
    tokio::time::sleep(latency).await;
}

/// How a try ends, if its caller stays.
#[derive(Debug)]
enum Ending<'a> {
    Reply(Reply<'a>),
    CutBody(Reply<'a>),
    Garbage,
    Close,
    Reset,
    Hang,
}

impl<'a> Ending<'a> {
    fn of(answer: Answer, reply: Reply<'a>) -> Ending<'a> {
        match answer {
            Answer::Status(status) => Ending::Reply(Reply { status, ..reply }),
            Answer::CutBody => Ending::CutBody(Reply { cut: true, ..reply }),
            Answer::Garbage => Ending::Garbage,
            Answer::Close => Ending::Close,
            Answer::Reset => Ending::Reset,
            Answer::Hang => Ending::Hang,
        }
    }

    /// Does it; says the status that was answered, 0 if none was, and what becomes of the connection.
    async fn act(self, service: &Service, connection: &mut Connection) -> (u16, Flow) {
        match self {
            Ending::Reply(reply) => {
                let status = reply.status;
                reply.send(service, connection).await.map_or((0, Flow::Close), |flow| (status, flow))
            }
            Ending::CutBody(reply) => {
                let sent = connection.send(&reply.render()).await;
                (if sent.is_ok() { reply.status } else { 0 }, Flow::Close)
            }
            Ending::Garbage => {
                // Sent or not: no status was answered.
                let _ = connection.send(GARBAGE).await;
                (0, Flow::Close)
            }
            Ending::Close => (0, Flow::Close),
            Ending::Reset => (0, Flow::Reset),
            Ending::Hang => {
                connection.gone().await;
                (0, Flow::Close)
            }
        }
    }
}

/// An answer that is HTTP.
#[derive(Debug)]
struct Reply<'a> {
    instance: &'a str,
    status: u16,
    /// To a HEAD request: the length of the body, and no body.
    head_only: bool,
    keep_alive: bool,
    overload: bool,
    onward: Option<Failure>,
    /// Half of the body is missing.
    cut: bool,
}

impl<'a> Reply<'a> {
    fn new(service: &'a Service) -> Reply<'a> {
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
    async fn send(mut self, service: &Service, connection: &mut Connection) -> io::Result<Flow> {
        self.keep_alive &= !service.stop.is_cancelled();
        connection.send(&self.render()).await?;
        Ok(if self.keep_alive { Flow::Next } else { Flow::Close })
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
