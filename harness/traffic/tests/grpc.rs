//! Calls of gRPC, one message each way or several, and how they end.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail")]

mod support;

use h2::Reason;
use squall_model::{Break, CallRecord, ClientEnd, GrpcStatus, Protocol};
use squall_traffic::{Line, LoadThread, Messages, Request, Shape, Start};
use std::{
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};
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

/// So many messages, and that all was well.
async fn stream(mut exchange: Exchange, messages: u32) {
    let mut body = exchange.head(200);
    for _ in 0..messages {
        body.send_data(MESSAGE, false).unwrap();
    }
    body.send_trailers(trailers("0")).unwrap();
}

async fn of_stream(messages: Messages, answer: impl AsyncFn(Exchange) + Send + 'static) -> CallRecord {
    let server = StreamServer::start(answer);
    let (_, mut records) = send(Line { messages, ..server.line(Protocol::Grpc, ONE) }).await;
    records.remove(0)
}

#[tokio::test]
async fn the_messages_of_a_stream_are_counted() {
    let five = Messages { sent: 1, answered: 5 };
    for (come, end, broken) in [
        (5, ClientEnd::Grpc(GrpcStatus::Ok), None),
        (4, ClientEnd::Cut(200), Some(Break::Fewer)),
        (0, ClientEnd::Cut(200), Some(Break::Fewer)),
        (6, ClientEnd::Cut(200), Some(Break::More)),
    ] {
        let call = of_stream(five, async move |exchange| stream(exchange, come).await).await;
        assert_eq!((call.end, call.course.broken), (end, broken), "{come}");
        assert_eq!(call.course.received, u64::from(come) * MESSAGE.len() as u64);
    }
    let failed = async |mut exchange: Exchange| {
        let mut body = exchange.head(200);
        body.send_data(MESSAGE, false).unwrap();
        body.send_trailers(trailers("10")).unwrap();
    };
    let call = of_stream(five, failed).await;
    assert_eq!(
        (call.end, call.course.broken),
        (ClientEnd::Grpc(GrpcStatus::Aborted), None),
        "that it failed says more"
    );
}

#[tokio::test]
async fn a_caller_streams_its_messages_and_ends() {
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&bodies);
    let server = StreamServer::start(async move |mut exchange| {
        let body = exchange.body().await;
        // As many back as came, whatever is asked for.
        let messages = body.len() as u32 / 7;
        heard.lock().unwrap().push(body);
        stream(exchange, messages).await;
    });
    let request = Request::new("POST", "reviews", "/a.B/C").unwrap().with_message(b"hi");
    for answered in [3, 1] {
        let messages = Messages { sent: 3, answered };
        let line = Line { messages, requests: request.clone().into(), ..server.line(Protocol::Grpc, ONE) };
        let (_, records) = send(line).await;
        let expected = if answered == 3 { ClientEnd::Grpc(GrpcStatus::Ok) } else { ClientEnd::Cut(200) };
        assert_eq!(ends(&records), [expected]);
    }
    assert_eq!(*bodies.lock().unwrap(), [b"\0\0\0\0\x02hi".repeat(3), b"\0\0\0\0\x02hi".repeat(3)]);
}

/// A server may say at once that it will answer: what its caller waits for is the first message.
#[tokio::test]
async fn the_first_byte_of_a_stream_is_its_first_message() {
    let (sent, head) = mpsc::channel();
    let go = Arc::new(tokio::sync::Notify::new());
    let gone = Arc::clone(&go);
    let server = StreamServer::start(async move |mut exchange: Exchange| {
        let mut body = exchange.head(200);
        body.send_data(MESSAGE.slice(..6), false).unwrap();
        flushed().await;
        sent.send(()).unwrap();
        gone.notified().await;
        body.send_data(MESSAGE.slice(6..), false).unwrap();
        body.send_data(MESSAGE, false).unwrap();
        body.send_trailers(trailers("0")).unwrap();
    });
    let line = Line { messages: Messages { sent: 1, answered: 2 }, ..server.line(Protocol::Grpc, ONE) };
    let run = LoadThread::start().unwrap().begin(vec![line], Start::default()).unwrap();
    head.recv_timeout(PATIENCE).unwrap();
    let told = squall_traffic::now();
    go.notify_one();
    let (_, records) = end(&run).await;
    assert_eq!(ends(&records), [ClientEnd::Grpc(GrpcStatus::Ok)]);
    assert!(records[0].course.first_byte.unwrap() >= told);
}

/// What servers were told of the time of a call, in microseconds.
fn told_of(server: &StreamServer) -> u64 {
    let seen = server.watch.seen();
    seen[0].header("grpc-timeout").unwrap().strip_suffix('u').unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_server_is_told_what_is_left_of_the_time() {
    let server = StreamServer::start(async |exchange| exchange.grpc("0"));
    send(server.line(Protocol::Grpc, ONE)).await;
    assert_eq!(server.watch.seen()[0].header("grpc-timeout"), None, "unless it is asked for, nothing");
    let line = |server: &StreamServer| Line { told: Some(ms(40_000)), ..server.line(Protocol::Grpc, ONE) };
    let server = StreamServer::start(async |exchange| exchange.grpc("0"));
    send(line(&server)).await;
    assert!((1..=40_000_000).contains(&told_of(&server)), "{}", told_of(&server));
    // A call that is 30 s late has 10 s left.
    let server = StreamServer::start(async |exchange| exchange.grpc("0"));
    let start = Start { at: Some(squall_traffic::now() - ms(30_000)), first_seq: 0 };
    let late = Line { deadline: Duration::from_secs(90), ..line(&server) };
    end(&LoadThread::start().unwrap().begin(vec![late], start).unwrap()).await;
    assert!((1..=10_000_000).contains(&told_of(&server)), "{}", told_of(&server));
}

/// Who says that time is up is told apart: the server, which was told of it, or nobody but the caller.
#[tokio::test]
async fn whose_deadline_it_was_is_told_apart() {
    let server = StreamServer::start(async |exchange| exchange.only(200, &[("grpc-status", "4")]));
    let (_, records) = send(Line { told: Some(ms(1)), ..server.line(Protocol::Grpc, ONE) }).await;
    assert_eq!(ends(&records), [ClientEnd::Grpc(GrpcStatus::DeadlineExceeded)]);
    let server = StreamServer::start(async |mut exchange: Exchange| {
        exchange.reset_by_peer().await;
    });
    let line = Line { told: Some(ms(1)), deadline: ms(150), ..server.line(Protocol::Grpc, ONE) };
    let (_, records) = send(line).await;
    assert_eq!(ends(&records), [ClientEnd::Deadline]);
}
