//! Calls over WebSocket: one message and its answer each, on connections that are upgraded once.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail")]

mod support;

use squall_model::{Break, CallRecord, ClientEnd, Leg};
use squall_traffic::{Context, Line, LoadThread, Pattern, Reply, Request, Shape, Start, Table};
use std::{
    os::unix::net::UnixStream,
    sync::{Arc, Mutex, mpsc},
};
use support::{
    PATIENCE, Seen, Server, Then, end, ends, hang, most_in_flight, ms, say, send,
    websocket::{CLOSE, PING, PONG, TEXT, agreement, frame, tell},
};

const ONE: Shape = Shape::Serial { calls: 1 };

/// A server that agrees to each upgrade, and then gives the connection to `serve`.
fn upgraded(serve: impl Fn(&mut UnixStream, &Seen) + Send + Sync + 'static) -> Server {
    Server::start(move |stream, seen, _| {
        say(stream, &agreement(seen.header("sec-websocket-key").unwrap()));
        serve(stream, seen);
        Then::Close
    })
}

/// Answers each message with itself, and says which frames came.
fn echo() -> (Server, mpsc::Receiver<(u8, Vec<u8>)>) {
    let (heard, frames) = mpsc::channel();
    let heard = Mutex::new(heard);
    let server = upgraded(move |stream, _| {
        while let Some((first, payload)) = frame(stream) {
            heard.lock().unwrap().send((first, payload.clone())).unwrap();
            if first < CLOSE {
                tell(stream, &[(first, &payload)]);
            }
        }
    });
    (server, frames)
}

fn line(server: &Server, shape: Shape) -> Line {
    let request = Request::new("GET", "chat", "/room").unwrap().with_body("ping");
    Line { websocket: Some(Reply::Echo), requests: request.into(), deadline: PATIENCE, ..server.line(shape) }
}

/// One call on a connection that is served so.
async fn one(serve: impl Fn(&mut UnixStream, &Seen) + Send + Sync + 'static) -> CallRecord {
    let server = upgraded(serve);
    let (_, mut records) = send(line(&server, ONE)).await;
    records.remove(0)
}

#[tokio::test]
async fn a_connection_is_upgraded_once_and_carries_message_after_message() {
    let (server, frames) = echo();
    let (_, records) = send(line(&server, Shape::Serial { calls: 5 })).await;
    assert_eq!(ends(&records), [ClientEnd::Answered(0); 5]);
    let seen = server.watch.seen();
    assert_eq!(seen.len(), 1, "one upgrade");
    assert!(seen[0].head.starts_with("GET /room HTTP/1.1\r\nhost: chat\r\n"), "{}", seen[0].head);
    let (first, later) = (&records[0], &records[1..]);
    assert!(
        first.intended + first.course.connect.unwrap() <= first.sent,
        "the upgrade lies before the send: {first:?}"
    );
    assert!(first.course.first_byte.unwrap() >= first.sent);
    assert!(later.iter().all(|call| call.course.connect.is_none()), "{later:?}");
    assert!(records.iter().all(|call| (call.course.leg, call.course.received) == (Leg::Answering, 4)), "{records:?}");
    server.watch.wait_until_closed();
    let frames: Vec<_> = frames.try_iter().collect();
    assert_eq!(frames[..5], vec![(TEXT, b"ping".to_vec()); 5]);
    assert_eq!(frames[5..], [(CLOSE, 1000u16.to_be_bytes().to_vec())], "it takes its leave");
}

/// As over HTTP/1.1: nobody waits for the answer to another call.
#[tokio::test]
async fn calls_in_flight_have_a_connection_each() {
    let barrier = Arc::new(std::sync::Barrier::new(3));
    let server = upgraded(move |stream, _| {
        let message = frame(stream).unwrap();
        barrier.wait();
        tell(stream, &[(TEXT, &message.1)]);
    });
    let shape = Shape::Bursts { size: 3, every: ms(1_000), length: ms(500) };
    let (_, records) = send(line(&server, shape)).await;
    assert_eq!((ends(&records), most_in_flight(&records)), (vec![ClientEnd::Answered(0); 3], 3));
    assert_eq!(server.watch.seen().len(), 3);
}

#[tokio::test]
async fn a_message_is_binary_unless_it_is_a_text() {
    let (server, frames) = echo();
    let filled = Pattern::parse("n{seq}", &Table::default(), Context::Body).unwrap();
    let request = || Request::new("GET", "chat", "/").unwrap();
    for request in [request().with_body(&b"\xff\x00"[..]), request().with_filled_body(filled)] {
        let (_, records) = send(Line { requests: request.into(), ..line(&server, ONE) }).await;
        assert_eq!(ends(&records), [ClientEnd::Answered(0)]);
    }
    server.watch.wait_until_closed();
    let messages: Vec<_> = frames.try_iter().filter(|(first, _)| *first != CLOSE).collect();
    assert_eq!(messages, [(0x82, b"\xff\x00".to_vec()), (TEXT, b"n0".to_vec())]);
}

#[tokio::test]
async fn what_is_no_echo_may_be_an_answer() {
    let answers = |stream: &mut UnixStream, _: &Seen| {
        while frame(stream).is_some_and(|(first, _)| first < CLOSE) {
            tell(stream, &[(0x01, b"po"), (0x80, b"ng")]);
        }
    };
    assert_eq!(one(answers).await.end, ClientEnd::Garbled);
    let server = upgraded(answers);
    let (_, records) = send(Line { websocket: Some(Reply::Any), ..line(&server, Shape::Serial { calls: 3 }) }).await;
    assert_eq!((ends(&records), server.watch.seen().len()), (vec![ClientEnd::Answered(0); 3], 1));
}

/// While a call waits for its answer, and while none does.
#[tokio::test]
async fn pings_are_answered() {
    let (heard, pongs) = mpsc::channel();
    let heard = Mutex::new(heard);
    let server = upgraded(move |stream, _| {
        for _ in 0..3 {
            let Some((TEXT, message)) = frame(stream) else { return };
            tell(stream, &[(PING, b"now")]);
            heard.lock().unwrap().send((frame(stream), squall_traffic::now())).unwrap();
            // Behind the answer, and so for nobody but who looks after the connection before the next call.
            tell(stream, &[(TEXT, &message), (PING, b"then")]);
            heard.lock().unwrap().send((frame(stream), squall_traffic::now())).unwrap();
        }
    });
    let (_, records) = send(line(&server, Shape::Serial { calls: 2 })).await;
    assert_eq!((ends(&records), server.watch.seen().len()), (vec![ClientEnd::Answered(0); 2], 1));
    server.watch.wait_until_closed();
    let (pongs, moments): (Vec<_>, Vec<_>) = pongs.try_iter().unzip();
    let pong = |text: &[u8]| Some((PONG, text.to_vec()));
    assert_eq!(pongs[..3], [pong(b"now"), pong(b"then"), pong(b"now")]);
    let began = records[0].course.first_byte.unwrap();
    assert!(began >= moments[0], "a ping is not the first of an answer");
}

#[tokio::test]
async fn why_a_server_closed_is_told() {
    let (heard, answers) = mpsc::channel();
    let heard = Mutex::new(heard);
    let before = one(move |stream, _| {
        frame(stream);
        tell(stream, &[(CLOSE, &[&1011u16.to_be_bytes()[..], b"broken"].concat())]);
        heard.lock().unwrap().send(frame(stream)).unwrap();
    });
    let told = |call: &CallRecord| (call.end, call.course.broken);
    assert_eq!(told(&before.await), (ClientEnd::Reset, Some(Break::WebSocket(1011))));
    let answer = answers.recv_timeout(PATIENCE).unwrap();
    assert_eq!(answer, Some((CLOSE, 1011u16.to_be_bytes().to_vec())), "a close is answered with the same");
    let within = one(|stream, _| {
        frame(stream);
        tell(stream, &[(0x01, b"pi"), (CLOSE, &1001u16.to_be_bytes())]);
        frame(stream);
    });
    assert_eq!(told(&within.await), (ClientEnd::Cut(0), Some(Break::WebSocket(1001))));
    let without_a_word = one(|stream, _| drop(frame(stream)));
    assert_eq!(told(&without_a_word.await), (ClientEnd::Reset, Some(Break::Closed)));
}

/// One that was closed while nobody called is not used, and its call is none the worse for it.
#[tokio::test]
async fn a_connection_that_was_closed_between_calls_is_opened_anew() {
    let (heard, answers) = mpsc::channel();
    let heard = Mutex::new(heard);
    let server = upgraded(move |stream, _| {
        let (_, message) = frame(stream).unwrap();
        tell(stream, &[(TEXT, &message), (CLOSE, &1001u16.to_be_bytes())]);
        heard.lock().unwrap().send(frame(stream)).unwrap();
    });
    let (_, records) = send(line(&server, Shape::Serial { calls: 3 })).await;
    assert_eq!((ends(&records), server.watch.seen().len()), (vec![ClientEnd::Answered(0); 3], 3));
    server.watch.wait_until_closed();
    let first: Vec<_> = answers.try_iter().take(2).collect();
    assert_eq!(first, vec![Some((CLOSE, 1001u16.to_be_bytes().to_vec())); 2], "a close is answered");
}

#[tokio::test]
async fn a_server_that_does_not_agree_ends_the_call() {
    for (text, end) in [
        ("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n", ClientEnd::Answered(403)),
        ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", ClientEnd::Garbled),
        ("HTTP/1.1 101 x\r\nupgrade: websocket\r\nsec-websocket-accept: no\r\n\r\n", ClientEnd::Garbled),
        ("", ClientEnd::Reset),
    ] {
        let server = Server::start(move |stream, _, _| {
            say(stream, text);
            Then::Close
        });
        let (_, records) = send(line(&server, Shape::Serial { calls: 2 })).await;
        assert_eq!(ends(&records), [end; 2], "{text:?}");
    }
}

#[tokio::test]
async fn what_is_never_answered_is_given_up() {
    let server = upgraded(|stream, _| {
        frame(stream);
        hang(stream);
    });
    let run = LoadThread::start().unwrap();
    let run = run.begin(vec![Line { deadline: ms(150), ..line(&server, ONE) }], Start::default()).unwrap();
    let (_, records) = end(&run).await;
    assert_eq!((records[0].end, records[0].course.leg), (ClientEnd::Deadline, Leg::Waiting));
    server.watch.wait_until_closed();
}
