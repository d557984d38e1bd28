//! `squall load` where a call is more than one request and one answer: gRPC that streams, and WebSocket.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail")]

#[path = "../harness/traffic/tests/support/secured.rs"]
mod secured;
mod support;
#[path = "../harness/traffic/tests/support/websocket.rs"]
mod websocket;

use bytes::Bytes;
use h2::{RecvStream, server};
use http::{HeaderMap, HeaderValue, Request, Response};
use rustls::{ServerConnection, StreamOwned};
use secured::Authority;
use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
};
use support::{Ran, Squall};
use websocket::{CLOSE, TEXT, agreement, frame, tell};

fn load(url: &str, args: &[&str]) -> Ran {
    Squall::new().run(&[&["load", url, "--rate", "50", "--duration", "400ms", "--late", "1min"], args].concat())
}

/// What servers of gRPC were told of the time that is left, call by call.
type Told = Arc<Mutex<Vec<Option<String>>>>;

const MESSAGE: Bytes = Bytes::from_static(b"\0\0\0\0\x02ok");

/// A server of gRPC. Three, Sum and Echo answer with three messages, one, and as many as came; Late with what a server says that has no
/// time left.
fn grpc() -> (String, Told) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let (url, told) = (format!("http://{}/t.S", listener.local_addr().unwrap()), Told::default());
    let telling = Arc::clone(&told);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(converse(stream, Arc::clone(&telling)));
            }
        });
    });
    (url, told)
}

async fn converse(stream: tokio::net::TcpStream, told: Told) {
    // The look whether anybody is there says nothing.
    let Ok(mut connection) = server::handshake(stream).await else { return };
    while let Some(Ok((request, response))) = connection.accept().await {
        let left = request.headers().get("grpc-timeout").map(|value| value.to_str().unwrap().to_owned());
        told.lock().unwrap().push(left);
        tokio::spawn(answer(request, response));
    }
}

async fn answer(request: Request<RecvStream>, mut response: server::SendResponse<Bytes>) {
    let path = request.uri().path().to_owned();
    let (mut body, mut length) = (request.into_body(), 0);
    while let Some(Ok(piece)) = body.data().await {
        length += piece.len();
    }
    let messages = match &*path {
        "/t.S/Three" => 3,
        "/t.S/Sum" => 1,
        "/t.S/Echo" => length / MESSAGE.len(),
        _ => 0,
    };
    let status = if path == "/t.S/Late" { "4" } else { "0" };
    let mut stream = response.send_response(Response::new(()), false).unwrap();
    (0..messages).for_each(|_| stream.send_data(MESSAGE, false).unwrap());
    let status = ("grpc-status".parse().unwrap(), HeaderValue::from_static(status));
    stream.send_trailers(HeaderMap::from_iter([status])).unwrap();
}

#[test]
fn streams_of_grpc_have_as_many_messages_as_are_due() {
    let (url, _) = grpc();
    for (method, stream, messages, words) in [
        ("Three", "server", "3", "1 sent, 3 to come back"),
        ("Sum", "client", "5", "5 sent, 1 to come back"),
        ("Echo", "both", "20", "20 sent, 20 to come back"),
    ] {
        let args = ["--grpc", "--body", "ok", "--stream", stream, "--messages", messages];
        load(&format!("{url}/{method}"), &args).expect(0).says(&[words, "100%  answered OK"]);
    }
    let too_many = ["--grpc", "--body", "ok", "--stream", "server", "--messages", "4"];
    load(&format!("{url}/Three"), &too_many).expect(3).says(&["fewer messages than were to come", "was answered"]);
    load(&format!("{url}/Three"), &["--grpc"]).expect(3).says(&["more messages than were to come"]);
}

#[test]
fn a_server_is_told_how_long_it_has_and_its_word_is_told_as_its_own() {
    let (url, told) = grpc();
    let late = format!("{url}/Late");
    load(&late, &["--grpc", "--deadline", "200ms"]).expect(0).says(&["200 ms", "answered DEADLINE_EXCEEDED"]);
    load(&late, &["--grpc", "--timeout", "90s"]).expect(0);
    let micros: Vec<u64> = told
        .lock()
        .unwrap()
        .iter()
        .map(|left| left.as_ref().unwrap().strip_suffix('u').unwrap().parse().unwrap())
        .collect();
    let (of_deadline, of_timeout) = micros.split_at(20);
    assert!(of_deadline.iter().all(|left| (1..=200_000).contains(left)), "{of_deadline:?}");
    assert!(of_timeout.len() == 20 && of_timeout.iter().all(|left| *left > 200_000), "{of_timeout:?}");
}

/// A server of WebSocket that answers each message with what this makes of it; over TLS, where it is given papers.
fn talks(papers: Option<secured::Papers>, answer: fn(&[u8]) -> (u8, Vec<u8>)) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let scheme = if papers.is_some() { "wss" } else { "ws" };
    let url = format!("{scheme}://{}/chat", listener.local_addr().unwrap());
    let config = papers.map(|papers| Arc::new(secured::config(&papers, None, &["http/1.1"])));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let config = config.clone();
            std::thread::spawn(move || match config {
                None => talk(stream, answer),
                Some(config) => talk(StreamOwned::new(ServerConnection::new(config).unwrap(), stream), answer),
            });
        }
    });
    url
}

fn talk(mut stream: impl Read + Write, answer: fn(&[u8]) -> (u8, Vec<u8>)) {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    assert!(head.starts_with("GET /chat HTTP/1.1\r\n"), "{head}");
    let key = head.lines().find_map(|line| line.strip_prefix("sec-websocket-key: ")).unwrap();
    stream.write_all(agreement(key).as_bytes()).unwrap();
    while let Some((..CLOSE, message)) = frame(&mut stream) {
        let (first, said) = answer(&message);
        tell(&mut stream, &[(first, &said)]);
    }
}

#[test]
fn messages_over_websocket_are_calls() {
    let echo = talks(None, |message| (TEXT, message.to_vec()));
    load(&echo, &["--body", "hello"]).expect(0).says(&["WebSocket", "20 in 400 ms", "100%  answered", "connect"]);
    load(&echo, &["--body-template", "{\"n\": {seq}}", "--answer", "echo", "-H", "x-tier: gold"]).expect(0);
    let other = talks(None, |_| (TEXT, b"pong".to_vec()));
    load(&other, &["--body", "ping"]).expect(3).says(&["not the protocol spoken", "none of 20 calls"]);
    load(&other, &["--body", "ping", "--answer", "message"]).expect(0).says(&["100%  answered"]);
    let broken = talks(None, |_| (CLOSE, 1011u16.to_be_bytes().to_vec()));
    load(&broken, &["--body", "ping"]).expect(3).says(&["WebSocket closed, 1011 (internal error)"]);
}

#[test]
fn messages_over_websocket_within_tls() {
    let authority = Authority::new();
    let squall = Squall::new();
    let file = squall.feature("authority.pem", &authority.pem());
    let echo = talks(Some(authority.for_host("127.0.0.1")), |message| (TEXT, message.to_vec()));
    load(&echo, &["--body", "hello", "--cacert", &file]).expect(0).says(&["secured", "TLS", "100%  answered"]);
}
