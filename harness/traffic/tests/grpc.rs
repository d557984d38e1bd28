//! Unary calls of gRPC, and how they end.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail")]

mod support;

use h2::Reason;
use squall_model::{ClientEnd, GrpcStatus, Protocol};
use squall_traffic::{Line, LoadThread, Request, Shape, Start};
use std::sync::{Arc, Mutex, mpsc};
use support::{
    PATIENCE, end, ends, every, ms, send,
    streams::{Exchange, MESSAGE, StreamServer, flushed, trailers},
};

const ONE: Shape = Shape::Serial { calls: 1 };

/// The end of one call that is answered so.
async fn end_of(answer: impl AsyncFn(Exchange) + Send + 'static) -> ClientEnd {
    let server = StreamServer::start(answer);
    let (_, records) = send(server.line(Protocol::Grpc, ONE)).await;
    records[0].end
}

#[tokio::test]
async fn a_call_is_a_post_with_one_message() {
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&bodies);
    let server = StreamServer::start(async move |mut exchange| {
        let body = exchange.body().await;
        heard.lock().unwrap().push(body);
        exchange.grpc("0");
    });
    let named = Request::new("GET", "reviews", "/a.B/C").unwrap().with_message(b"hi");
    for request in [Request::new("GET", "reviews", "/").unwrap(), named] {
        let line = Line { requests: request.into(), id_prefix: "p.".into(), ..server.line(Protocol::Grpc, ONE) };
        let (_, records) = send(line).await;
        assert_eq!(ends(&records), [ClientEnd::Grpc(GrpcStatus::Ok)]);
    }
    assert_eq!(*bodies.lock().unwrap(), [&b"\0\0\0\0\0"[..], b"\0\0\0\0\x02hi"]);
    let heads: Vec<_> = server.watch.seen().into_iter().map(|s| s.head).collect();
    let rest = "\nuser-agent: squall\nte: trailers\ncontent-type: application/grpc\nx-request-id: p.0\n";
    assert_eq!(heads[0], format!("POST http://reviews/squall.Service/Call{rest}"));
    assert_eq!(heads[1], format!("POST http://reviews/a.B/C{rest}"));
}

#[tokio::test]
async fn many_share_a_connection() {
    let server = StreamServer::start(async |exchange| exchange.grpc("0"));
    let (summary, records) = send(server.line(Protocol::Grpc, every(1_000.0, ms(100)))).await;
    assert_eq!(ends(&records), [ClientEnd::Grpc(GrpcStatus::Ok); 100]);
    assert_eq!(summary.schedule.starved, 0);
    assert!(server.watch.seen().iter().all(|s| s.connection == 0));
}

#[tokio::test]
async fn the_status_stands_in_the_trailers_or_in_a_lone_head() {
    let end = end_of(async |exchange| exchange.grpc("5")).await;
    assert_eq!(end, ClientEnd::Grpc(GrpcStatus::NotFound), "after a message");
    let end = end_of(async |mut exchange| exchange.head(200).send_trailers(trailers("14")).unwrap()).await;
    assert_eq!(end, ClientEnd::Grpc(GrpcStatus::Unavailable), "after a head");
    let end = end_of(async |exchange| exchange.only(200, &[("grpc-status", "8")])).await;
    assert_eq!(end, ClientEnd::Grpc(GrpcStatus::ResourceExhausted), "in a head");
}

#[tokio::test]
async fn without_a_status_it_is_made_of_the_http_status() {
    for (status, made) in [(503, GrpcStatus::Unavailable), (404, GrpcStatus::Unimplemented), (200, GrpcStatus::Unknown)]
    {
        let end = end_of(async move |exchange| exchange.only(status, &[])).await;
        assert_eq!(end, ClientEnd::Grpc(made), "{status}");
    }
}

#[tokio::test]
async fn ok_needs_its_message() {
    let end = end_of(async |exchange| exchange.only(200, &[("grpc-status", "0")])).await;
    assert_eq!(end, ClientEnd::Cut(200));
}

/// A call has ended when its trailers have come, and not when its message has.
#[tokio::test]
async fn late_trailers_are_waited_for() {
    let (sent, message) = mpsc::channel();
    let go = Arc::new(tokio::sync::Notify::new());
    let gone = Arc::clone(&go);
    let server = StreamServer::start(async move |mut exchange: Exchange| {
        let mut body = exchange.head(200);
        body.send_data(MESSAGE, false).unwrap();
        flushed().await;
        sent.send(()).unwrap();
        gone.notified().await;
        body.send_trailers(trailers("0")).unwrap();
    });
    let load = LoadThread::start().unwrap();
    let run = load.begin(vec![server.line(Protocol::Grpc, ONE)], Start::default()).unwrap();
    message.recv_timeout(PATIENCE).unwrap();
    let told = squall_traffic::now();
    go.notify_one();
    let (_, records) = end(&run).await;
    assert_eq!(ends(&records), [ClientEnd::Grpc(GrpcStatus::Ok)]);
    assert!(records[0].done >= told);
}

#[tokio::test]
async fn a_reset_is_recorded_as_one() {
    let end = end_of(async |mut exchange: Exchange| exchange.response.send_reset(Reason::REFUSED_STREAM)).await;
    assert_eq!(end, ClientEnd::Reset);
    let end = end_of(async |mut exchange: Exchange| {
        let mut body = exchange.head(200);
        body.send_data(MESSAGE, false).unwrap();
        flushed().await;
        body.send_reset(Reason::CANCEL);
    })
    .await;
    assert_eq!(end, ClientEnd::Cut(200));
}

#[tokio::test]
async fn what_is_never_answered_is_cancelled_at_the_deadline() {
    let (told, reasons) = mpsc::channel();
    let server = StreamServer::start(async move |mut exchange| told.send(exchange.reset_by_peer().await).unwrap());
    let (_, records) = send(Line { deadline: ms(150), ..server.line(Protocol::Grpc, ONE) }).await;
    assert_eq!(ends(&records), [ClientEnd::Deadline]);
    assert_eq!(reasons.recv_timeout(PATIENCE).unwrap(), Some(Reason::CANCEL));
}
