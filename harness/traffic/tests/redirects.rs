//! Redirects: who follows them, where to, and what is told of a call that did.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail")]

mod support;

use squall_model::{Astray, CallRecord, ClientEnd, Protocol};
use squall_traffic::{Line, Request, Shape};
use std::{io::Read as _, net::TcpListener};
use support::{
    Server, Then, ends, say, send,
    streams::{Exchange, StreamServer},
};

const ONE: Shape = Shape::Serial { calls: 1 };

/// Method and path of what is asked, and of what is answered status and location; `None`: a good answer.
type Map = fn(&str) -> Option<(u16, &'static str)>;

/// A server that sends its callers around by this map, and reads their bodies.
fn leads(map: Map) -> Server {
    Server::start(move |stream, seen, _| {
        let length = seen.header("content-length").map_or(0, |length| length.parse().unwrap());
        stream.read_exact(&mut vec![0; length]).unwrap();
        let asked = seen.head.lines().next().unwrap().trim_end_matches(" HTTP/1.1");
        match map(asked) {
            None => say(stream, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"),
            Some((status, location)) => {
                say(stream, &format!("HTTP/1.1 {status} x\r\nlocation: {location}\r\ncontent-length: 4\r\n\r\ngone"));
            }
        }
        Then::Keep
    })
}

/// The same over HTTP/2.
fn leads_streams(map: Map) -> StreamServer {
    StreamServer::start(async move |mut exchange: Exchange| {
        exchange.body().await;
        let (method, path) =
            (exchange.request.method().clone(), exchange.request.uri().path_and_query().unwrap().clone());
        match map(&format!("{method} {path}")) {
            None => exchange.ok(),
            Some((status, location)) => exchange.only(status, &[("location", location)]),
        }
    })
}

/// What was asked of a server over either protocol, in order.
fn asked(seen: &[support::Seen]) -> Vec<String> {
    let first = |head: &str| {
        let line = head.lines().next().unwrap();
        line.trim_end_matches(" HTTP/1.1").replace("http://reviews/", "/")
    };
    seen.iter().map(|seen| first(&seen.head)).collect()
}

/// One call over each protocol to a server with this map: what it asked, and how it ended.
async fn over_both(map: Map, request: Request, redirects: u32) -> [(Vec<String>, CallRecord); 2] {
    let (server, streams) = (leads(map), leads_streams(map));
    let lines = [server.line(ONE), streams.line(Protocol::Http2, ONE)];
    let mut told = Vec::new();
    for (line, watch) in lines.into_iter().zip([&server.watch, &streams.watch]) {
        let (_, mut records) = send(Line { redirects, requests: request.clone().into(), ..line }).await;
        told.push((asked(&watch.seen()), records.remove(0)));
    }
    told.try_into().unwrap()
}

fn request(method: &str) -> Request {
    let request = Request::new(method, "reviews", "/").unwrap();
    if method == "GET" { request } else { request.with_body("hello") }
}

/// From `/` to `/b/c`, from there to `/b/d?e`, where it ends.
fn three(asked: &str) -> Option<(u16, &'static str)> {
    match asked.split_once(' ').unwrap().1 {
        "/" => Some((302, "http://reviews/b/c")),
        "/b/c" => Some((307, "d?e")),
        _ => None,
    }
}

#[tokio::test]
async fn unless_it_is_asked_for_a_redirect_is_the_answer() {
    for (asked, call) in over_both(three, request("GET"), 0).await {
        assert_eq!((call.end, call.course.astray, asked), (ClientEnd::Answered(302), None, vec!["GET /".to_owned()]));
    }
}

#[tokio::test]
async fn a_call_goes_on_until_it_is_led_no_further() {
    for (asked, call) in over_both(three, request("GET"), 2).await {
        assert_eq!((call.end, call.course.astray), (ClientEnd::Answered(200), None));
        assert_eq!(asked, ["GET /", "GET /b/c", "GET /b/d?e"]);
        assert_eq!(call.course.received, 2, "the body is that of the last answer");
    }
}

#[tokio::test]
async fn what_becomes_of_method_and_body() {
    let to = |status| -> Map {
        match status {
            301 => |asked| (asked == "POST /").then_some((301, "/b")),
            303 => |asked| (asked == "PUT /").then_some((303, "/b")),
            _ => |asked| (asked == "POST /").then_some((308, "/b")),
        }
    };
    for (status, method, then) in [(301, "POST", "GET /b"), (303, "PUT", "GET /b"), (308, "POST", "POST /b")] {
        for (asked, call) in over_both(to(status), request(method), 5).await {
            assert_eq!(call.end, ClientEnd::Answered(200), "{status} {method}");
            assert_eq!(asked, [&*format!("{method} /"), then], "{status}");
        }
    }
    let server = leads(to(301));
    send(Line { redirects: 1, requests: request("POST").into(), ..server.line(ONE) }).await;
    let heads: Vec<_> = server.watch.seen().into_iter().map(|seen| seen.head).collect();
    assert!(heads[0].contains("content-length: 5") && !heads[1].contains("content-length"), "{heads:?}");
    assert!(heads.iter().all(|head| head.contains("x-request-id: 0\r\n")), "it is one call: {heads:?}");
}

#[tokio::test]
async fn it_ends_where_it_would_leave_its_origin_or_its_patience() {
    let elsewhere: Map = |_| Some((302, "http://other.example/"));
    let around: Map = |_| Some((302, "/again"));
    let nowhere: Map = |_| Some((302, "/a b"));
    for (map, astray, times) in
        [(elsewhere, Astray::Elsewhere, 1), (around, Astray::TooOften, 4), (nowhere, Astray::Nowhere, 1)]
    {
        for (asked, call) in over_both(map, request("GET"), 3).await {
            assert_eq!((call.end, call.course.astray), (ClientEnd::Answered(302), Some(astray)));
            assert_eq!(asked.len(), times, "{astray:?}");
        }
    }
}

/// Not even a connection: who is led to another port of the same machine does not knock there.
#[tokio::test]
async fn nobody_is_called_who_was_not_named() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let location = format!("http://127.0.0.1:{}/", other.local_addr().unwrap().port());
    let server = Server::start(move |stream, _, _| {
        say(stream, &format!("HTTP/1.1 302 x\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"));
        Then::Keep
    });
    let (_, records) = send(Line { redirects: 3, ..server.line(Shape::Serial { calls: 3 }) }).await;
    assert!(records.iter().all(|call| call.course.astray == Some(Astray::Elsewhere)), "{records:?}");
    other.set_nonblocking(true).unwrap();
    assert_eq!(other.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

/// A redirect that fails on the way fails the call, and a redirect without a place to go is an answer like another.
#[tokio::test]
async fn the_last_answer_is_that_of_the_call() {
    let server = Server::start(|stream, seen, _| {
        if seen.head.starts_with("GET /b ") {
            return Then::Close;
        }
        say(stream, "HTTP/1.1 302 x\r\nlocation: /b\r\ncontent-length: 0\r\n\r\n");
        Then::Keep
    });
    let (_, records) = send(Line { redirects: 3, ..server.line(ONE) }).await;
    assert_eq!(ends(&records), [ClientEnd::Reset]);
    let server = Server::start(|stream, _, _| {
        say(stream, "HTTP/1.1 302 x\r\ncontent-length: 0\r\n\r\n");
        Then::Keep
    });
    let (_, records) = send(Line { redirects: 3, ..server.line(ONE) }).await;
    assert_eq!((ends(&records), records[0].course.astray), (vec![ClientEnd::Answered(302)], None));
}

/// What was opened on the way was opened after the send: it is in the time to the first byte, and no part of its own.
#[tokio::test]
async fn a_call_that_was_led_on_is_sent_once_and_answered_last() {
    let server = leads(three);
    let line = Line { redirects: 3, keep_alive: false, ..server.line(ONE) };
    let (_, records) = send(line).await;
    let (call, seen) = (&records[0], server.watch.seen());
    assert_eq!(seen.iter().map(|s| s.connection).collect::<Vec<_>>(), [0, 1, 2]);
    assert!(call.intended + call.course.connect.unwrap() <= call.sent, "{call:?}");
    assert!(call.sent <= seen[0].at, "it was sent when it was sent first");
    assert!(call.course.first_byte.unwrap() >= seen[2].at, "its answer is the last");
}
