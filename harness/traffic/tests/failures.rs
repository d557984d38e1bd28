//! What is done to a call on purpose is told apart: by how it ended, how far it came, and how its connection ended.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail")]

mod support;

use h2::Reason;
use squall_model::{Break, ClientEnd, GrpcStatus, Leg, Protocol, TlsFault};
use squall_traffic::{Endpoint, Line, Peer, Shape, Tls, Trust};
use std::{
    collections::HashSet,
    io::Write as _,
    net::{TcpListener, TcpStream},
    time::Duration,
};
use support::{
    Server, Then, get, hang, ms, say, secured, send,
    streams::{Exchange, GOAWAY, MESSAGE, SETTINGS, StreamServer, flushed, frame, trailers},
};

const ONE: Shape = Shape::Serial { calls: 1 };
/// For calls that are never answered: what is told of them does not depend on it.
const SHORT: Duration = Duration::from_millis(200);

type Told = (ClientEnd, Leg, Option<Break>);

async fn told(line: Line) -> Told {
    let (_, records) = send(line).await;
    (records[0].end, records[0].course.leg, records[0].course.broken)
}

/// A server that does this to each connection, once something has come in that it does not read.
fn unread(act: impl Fn(&mut TcpStream) + Send + 'static) -> Line {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = Endpoint::Tcp(listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            assert!(stream.peek(&mut [0]).unwrap() > 0);
            act(&mut stream);
            // Closed with bytes that nobody has read: the kernel resets the connection.
        }
    });
    Line::new(0, vec![endpoint], get(), ONE)
}

fn saying(text: &'static str, then: fn(&mut std::os::unix::net::UnixStream) -> Then) -> (Server, Line) {
    let server = Server::start(move |stream, _, _| {
        say(stream, text);
        then(stream)
    });
    let line = Line { deadline: SHORT, ..server.line(ONE) };
    (server, line)
}

/// Over HTTP/2, to a server that answers so.
async fn streamed(protocol: Protocol, answer: impl AsyncFn(Exchange) + Send + 'static) -> Told {
    let server = StreamServer::start(answer);
    told(Line { deadline: SHORT, ..server.line(protocol, ONE) }).await
}

#[tokio::test]
async fn each_failure_has_a_class_of_its_own() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (half, whole) =
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    let close = |_: &mut std::os::unix::net::UnixStream| Then::Close;
    let (_closing, closes) = saying("", close);
    let (_cutting, cuts) = saying(half, close);
    let (_crawling, crawls) = saying(half, hang);
    let (_silent, is_silent) = saying("", hang);
    let (_other, is_another) = saying("SSH-2.0-OpenSSH_9.6\r\n", hang);
    let (_good, answers) = saying(whole, hang);
    let silent_tls = {
        let tls = Tls::new(Protocol::Http, &Peer::Host("a".into()), &Trust::Anybody, None).unwrap();
        Line { tls: Some(tls), ..is_silent.clone() }
    };
    let untrusted = {
        let papers = secured::Authority::new().for_host("a");
        let trust = Trust::Authorities(secured::Authority::new().pem().into_bytes());
        let tls = Tls::new(Protocol::Http, &Peer::Host("a".into()), &trust, None).unwrap();
        let at = secured::serve(&papers, None, &[]);
        Line { tls: Some(tls), ..Line::new(0, vec![Endpoint::Tcp(at)], get(), ONE) }
    };
    let away = {
        let server = Server::start(|stream, _, _| {
            let goaway = [&0u32.to_be_bytes()[..], &u32::from(Reason::ENHANCE_YOUR_CALM).to_be_bytes()].concat();
            let _ = stream.write_all(&[frame(SETTINGS, 0, 0, &[]), frame(GOAWAY, 0, 0, &goaway)].concat());
            // To the end: a connection that is closed with bytes unread is reset, and that may be seen before what it was told.
            let _ = std::io::copy(stream, &mut std::io::sink());
            Then::Close
        });
        let line = Line { protocol: Protocol::Http2, deadline: ms(60_000), ..server.line(ONE) };
        told(line).await
    };
    let half_a_stream = async |mut exchange: Exchange| {
        let mut body = exchange.head(200);
        body.send_data("ha".into(), false).unwrap();
        flushed().await;
        body.send_reset(Reason::INTERNAL_ERROR);
    };
    let late_trailers = async |mut exchange: Exchange| {
        let mut body = exchange.head(200);
        body.send_data(MESSAGE, false).unwrap();
        let _ = std::future::poll_fn(|cx| body.poll_reset(cx)).await;
    };
    let cut_trailers = async |mut exchange: Exchange| {
        let mut body = exchange.head(200);
        body.send_data(MESSAGE, false).unwrap();
        flushed().await;
        body.send_reset(Reason::INTERNAL_ERROR);
    };
    let two_messages = async |mut exchange: Exchange| {
        let mut body = exchange.head(200);
        body.send_data(MESSAGE, false).unwrap();
        body.send_data(MESSAGE, false).unwrap();
        body.send_trailers(trailers("0")).unwrap();
    };
    let (internal, calm) = (Reason::INTERNAL_ERROR.into(), Reason::ENHANCE_YOUR_CALM.into());
    let unavailable = ClientEnd::Grpc(GrpcStatus::Unavailable);
    let failures: Vec<(&str, Told, Told)> = vec![
        ("answered", told(answers).await, (ClientEnd::Answered(200), Leg::Answering, None)),
        (
            "refused",
            told(Line::new(0, vec![Endpoint::Tcp(nobody)], get(), ONE)).await,
            (ClientEnd::Refused, Leg::Connecting, None),
        ),
        ("closed before", told(closes).await, (ClientEnd::Reset, Leg::Waiting, Some(Break::Closed))),
        ("reset before", told(unread(|_| {})).await, (ClientEnd::Reset, Leg::Waiting, Some(Break::Reset))),
        (
            "reset after",
            told(unread(move |stream| stream.write_all(half.as_bytes()).unwrap())).await,
            (ClientEnd::Cut(200), Leg::Answering, Some(Break::Reset)),
        ),
        ("cut off", told(cuts).await, (ClientEnd::Cut(200), Leg::Answering, Some(Break::Closed))),
        ("crawling", told(crawls).await, (ClientEnd::Deadline, Leg::Answering, None)),
        ("silent", told(is_silent).await, (ClientEnd::Deadline, Leg::Waiting, None)),
        ("silent in the handshake", told(silent_tls).await, (ClientEnd::Deadline, Leg::Handshaking, None)),
        ("untrusted", told(untrusted).await, (ClientEnd::Insecure(TlsFault::Untrusted), Leg::Handshaking, None)),
        ("another protocol", told(is_another).await, (ClientEnd::Garbled, Leg::Answering, None)),
        (
            "RST_STREAM",
            streamed(Protocol::Http2, async |mut exchange: Exchange| {
                exchange.response.send_reset(Reason::INTERNAL_ERROR);
            })
            .await,
            (ClientEnd::Reset, Leg::Waiting, Some(Break::Stream(internal))),
        ),
        (
            "RST_STREAM after",
            streamed(Protocol::Http2, half_a_stream).await,
            (ClientEnd::Cut(200), Leg::Answering, Some(Break::Stream(internal))),
        ),
        ("GOAWAY", away, (ClientEnd::Reset, Leg::Waiting, Some(Break::Goaway(calm)))),
        (
            "nothing but trailers",
            streamed(Protocol::Grpc, async |exchange| exchange.only(200, &[("grpc-status", "14")])).await,
            (unavailable, Leg::Answering, None),
        ),
        (
            "out of time, says the server",
            streamed(Protocol::Grpc, async |exchange| exchange.only(200, &[("grpc-status", "4")])).await,
            (ClientEnd::Grpc(GrpcStatus::DeadlineExceeded), Leg::Answering, None),
        ),
        (
            "OK without its message",
            streamed(Protocol::Grpc, async |exchange| exchange.only(200, &[("grpc-status", "0")])).await,
            (ClientEnd::Cut(200), Leg::Answering, Some(Break::Fewer)),
        ),
        (
            "OK with one too many",
            streamed(Protocol::Grpc, two_messages).await,
            (ClientEnd::Cut(200), Leg::Answering, Some(Break::More)),
        ),
        ("late trailers", streamed(Protocol::Grpc, late_trailers).await, (ClientEnd::Deadline, Leg::Trailing, None)),
        (
            "trailers cut off",
            streamed(Protocol::Grpc, cut_trailers).await,
            (ClientEnd::Cut(200), Leg::Trailing, Some(Break::Stream(internal))),
        ),
    ];
    for (what, told, expected) in &failures {
        assert_eq!(told, expected, "{what}");
    }
    let classes: HashSet<_> = failures.iter().map(|(_, told, _)| format!("{told:?}")).collect();
    assert_eq!(classes.len(), failures.len(), "each is one of its own");
}

/// Wherever it can be known that no data are to come: by the messages of gRPC, the length that was said, or the last chunk.
#[tokio::test]
async fn late_trailers_are_told_from_late_data() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n";
    let of_http = async |rest: &str| {
        let text = format!("{chunked}{rest}");
        let server = Server::start(move |stream, _, _| {
            say(stream, &text);
            hang(stream)
        });
        told(Line { deadline: SHORT, ..server.line(ONE) }).await.1
    };
    assert_eq!((of_http("").await, of_http("0\r\n").await), (Leg::Answering, Leg::Trailing));
    assert_eq!(of_http("0\r\nx: 1\r\n").await, Leg::Trailing);
    let of_http2 = async |length: Option<&'static str>| {
        let answer = async move |mut exchange: Exchange| {
            let head = http::Response::builder().status(200);
            let head = length.into_iter().fold(head, |head, length| head.header("content-length", length));
            let mut body = exchange.response.send_response(head.body(()).unwrap(), false).unwrap();
            body.send_data("ok".into(), false).unwrap();
            let _ = std::future::poll_fn(|cx| body.poll_reset(cx)).await;
        };
        streamed(Protocol::Http2, answer).await.1
    };
    assert_eq!((of_http2(Some("3")).await, of_http2(Some("2")).await), (Leg::Answering, Leg::Trailing));
    assert_eq!(of_http2(None).await, Leg::Answering, "nobody can know");
}
