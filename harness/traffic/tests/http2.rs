//! Calls over HTTP/2: what is sent, and how they end.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail")]

mod support;

use h2::Reason;
use squall_model::{ClientEnd, Protocol};
use squall_traffic::{Endpoint, Line, LineError, LoadError, LoadThread, Phase, Request, Shape, Start};
use std::{net::TcpListener, os::unix::net::UnixListener, sync::mpsc};
use support::{
    PATIENCE, Server, Then, end_within, ends, every, get, hang, ms, say, send,
    streams::{Exchange, StreamServer, flushed},
};

const ONE: Shape = Shape::Serial { calls: 1 };

fn line(server: &StreamServer, shape: Shape) -> Line {
    server.line(Protocol::Http2, shape)
}

/// The end of one call that is answered so.
async fn end_of(answer: impl AsyncFn(Exchange) + Send + 'static) -> ClientEnd {
    let server = StreamServer::start(answer);
    let (_, records) = send(line(&server, ONE)).await;
    records[0].end
}

#[tokio::test]
async fn answered() {
    assert_eq!(end_of(async |exchange| exchange.ok()).await, ClientEnd::Answered(200));
    assert_eq!(end_of(async |exchange| exchange.only(204, &[])).await, ClientEnd::Answered(204));
    assert_eq!(end_of(async |exchange| exchange.only(503, &[("grpc-status", "0")])).await, ClientEnd::Answered(503));
    let early = async |mut exchange: Exchange| {
        let hint = http::Response::builder().status(103).body(()).unwrap();
        exchange.response.send_informational(hint).unwrap();
        flushed().await;
        exchange.ok();
    };
    assert_eq!(end_of(early).await, ClientEnd::Answered(200));
}

#[tokio::test]
async fn reset() {
    for reason in [Reason::INTERNAL_ERROR, Reason::REFUSED_STREAM, Reason::NO_ERROR] {
        let end = end_of(async move |mut exchange: Exchange| exchange.response.send_reset(reason)).await;
        assert_eq!(end, ClientEnd::Reset, "{reason}");
    }
    assert_eq!(end_of(async |exchange| exchange.close()).await, ClientEnd::Reset);
}

#[tokio::test]
async fn cut() {
    let reset = async |mut exchange: Exchange| {
        let mut body = exchange.head(200);
        body.send_data("ha".into(), false).unwrap();
        flushed().await;
        body.send_reset(Reason::INTERNAL_ERROR);
    };
    assert_eq!(end_of(reset).await, ClientEnd::Cut(200));
    let close = async |mut exchange: Exchange| {
        let _body = exchange.head(500);
        flushed().await;
        exchange.close();
        exchange.reset_by_peer().await;
    };
    assert_eq!(end_of(close).await, ClientEnd::Cut(500));
}

#[tokio::test]
async fn garbled() {
    for text in ["HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n", "SSH-2.0-OpenSSH_9.6\r\n"] {
        let server = Server::start(move |stream, _, _| {
            say(stream, text);
            hang(stream)
        });
        let (_, records) = send(Line { protocol: Protocol::Http2, ..server.line(ONE) }).await;
        assert_eq!(ends(&records), [ClientEnd::Garbled], "{text}");
    }
    // Less came than was said.
    let short = async |mut exchange: Exchange| {
        let head = http::Response::builder().header("content-length", "9").body(()).unwrap();
        exchange.response.send_response(head, false).unwrap().send_data("ok".into(), true).unwrap();
    };
    assert_eq!(end_of(short).await, ClientEnd::Garbled);
}

#[tokio::test]
async fn refused() {
    let folder = tempfile::tempdir().unwrap();
    let (never, dead) = (folder.path().join("never.sock"), folder.path().join("dead.sock"));
    drop(UnixListener::bind(&dead).unwrap());
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for endpoint in [Endpoint::Unix(never), Endpoint::Unix(dead), Endpoint::Tcp(port)] {
        let line = Line::new(0, vec![endpoint], get(), every(500.0, ms(10)));
        let (summary, records) = send(Line { protocol: Protocol::Http2, ..line }).await;
        assert_eq!(ends(&records), [ClientEnd::Refused; 5]);
        assert_eq!(summary.schedule.starved, 0);
    }
}

#[tokio::test]
async fn one_that_closes_at_once_is_no_refusal() {
    let server = Server::start(|_, _, _| Then::Close);
    let (_, records) = send(Line { protocol: Protocol::Http2, ..server.line(Shape::Serial { calls: 3 }) }).await;
    assert_eq!(ends(&records), [ClientEnd::Reset; 3]);
}

/// A server that answers nobody, and tells why each stream ended.
fn silent() -> (StreamServer, mpsc::Receiver<Option<Reason>>) {
    let (told, reasons) = mpsc::channel();
    let server = StreamServer::start(async move |mut exchange| told.send(exchange.reset_by_peer().await).unwrap());
    (server, reasons)
}

#[tokio::test]
async fn a_deadline_resets_its_stream_and_no_other() {
    let (told, reasons) = mpsc::channel();
    let server = StreamServer::start(async move |mut exchange| {
        if exchange.seen.order == 0 {
            told.send(exchange.reset_by_peer().await).unwrap();
        } else {
            exchange.ok();
        }
    });
    let (_, records) = send(Line { deadline: ms(150), ..line(&server, Shape::Serial { calls: 3 }) }).await;
    assert_eq!(ends(&records), [ClientEnd::Deadline, ClientEnd::Answered(200), ClientEnd::Answered(200)]);
    assert!(records[0].done >= records[0].intended + ms(150));
    assert_eq!(reasons.recv_timeout(PATIENCE).unwrap(), Some(Reason::CANCEL));
    assert!(server.watch.seen().iter().all(|s| s.connection == 0));
}

#[tokio::test]
async fn a_deadline_in_the_middle_of_an_answer() {
    let (told, reasons) = mpsc::channel();
    let server = StreamServer::start(async move |mut exchange: Exchange| {
        let mut body = exchange.head(200);
        let reason = std::future::poll_fn(|cx| body.poll_reset(cx)).await;
        told.send(reason.unwrap()).unwrap();
    });
    let (_, records) = send(Line { deadline: ms(150), ..line(&server, ONE) }).await;
    assert_eq!(ends(&records), [ClientEnd::Deadline]);
    assert_eq!(reasons.recv_timeout(PATIENCE).unwrap(), Reason::CANCEL);
}

#[tokio::test]
async fn what_is_given_up_is_cancelled_and_the_connection_closed() {
    let (server, reasons) = silent();
    let run = LoadThread::start().unwrap().begin(vec![line(&server, ONE)], Start::default()).unwrap();
    server.watch.wait_for(1);
    run.reached(Phase::Draining).await.unwrap();
    let (summary, records) = end_within(&run, ms(0)).await;
    assert_eq!((ends(&records), summary.unfinished), (vec![ClientEnd::Unfinished], 1));
    assert_eq!(reasons.recv_timeout(PATIENCE).unwrap(), Some(Reason::CANCEL));
    server.watch.wait_until_closed();
}

#[tokio::test]
async fn ids_users_and_hosts_are_said() {
    let server = StreamServer::prompt();
    let request = Request::new("PUT", "reviews:80", "/a?b=1").unwrap().with_header("X-Tier", "gold").unwrap();
    let line = Line {
        requests: request.into(),
        users: Some(2),
        id_prefix: "p.".into(),
        ..line(&server, Shape::Serial { calls: 2 })
    };
    send(line).await;
    let heads: Vec<_> = server.watch.seen().into_iter().map(|s| s.head).collect();
    assert_eq!(
        heads[1],
        "PUT http://reviews:80/a?b=1\nx-tier: gold\nuser-agent: squall\ncontent-length: 0\nx-request-id: p.1\n\
         x-squall-user: user-2\n"
    );
    assert!(heads[0].contains("x-request-id: p.0\nx-squall-user: user-1\n"));
}

#[tokio::test]
async fn a_long_body_is_read_to_its_end() {
    let server = StreamServer::start(async |mut exchange| {
        exchange.head(200).send_data("x".repeat(3_000_000).into(), true).unwrap();
    });
    let (_, records) = send(line(&server, Shape::Serial { calls: 2 })).await;
    assert_eq!(ends(&records), [ClientEnd::Answered(200); 2]);
}

#[tokio::test]
async fn no_body_after_head() {
    let server = StreamServer::start(async |exchange| exchange.only(200, &[("content-length", "2000")]));
    let request = Request::new("HEAD", "reviews", "/").unwrap();
    let (_, records) = send(Line { requests: request.into(), ..line(&server, ONE) }).await;
    assert_eq!(ends(&records), [ClientEnd::Answered(200)]);
}

#[tokio::test]
async fn over_tcp() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint::Tcp(listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut connection = h2::server::handshake(stream).await.unwrap();
        while let Some(Ok((_, mut response))) = connection.accept().await {
            response.send_response(http::Response::new(()), true).unwrap();
        }
    });
    let line = Line::new(0, vec![endpoint], get(), Shape::Serial { calls: 5 });
    let (_, records) = send(Line { protocol: Protocol::Http2, ..line }).await;
    assert_eq!(ends(&records), [ClientEnd::Answered(200); 5]);
}

#[tokio::test]
async fn what_cannot_be_said_is_not_begun() {
    let server = StreamServer::prompt();
    let load = LoadThread::start().unwrap();
    let error = |line| match load.begin(vec![line], Start::default()).unwrap_err() {
        LoadError::Line { number: 0, error } => error,
        other => panic!("{other}"),
    };
    assert_eq!(error(server.line(Protocol::Tcp, ONE)), LineError::NoBytes);
    let request = get().with_message(b"hi");
    assert_eq!(
        error(Line { requests: request.clone().into(), ..server.line(Protocol::Http, ONE) }),
        LineError::Message
    );
    assert_eq!(error(Line { requests: request.into(), ..line(&server, ONE) }), LineError::Message);
    let request = Request::new("GET", "reviews", "/a#b").unwrap();
    assert!(matches!(error(Line { requests: request.into(), ..line(&server, ONE) }), LineError::Request(_)));
}
