//! How calls end, as their client saw it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail")]

mod support;

use squall_model::ClientEnd;
use squall_traffic::{Endpoint, Line, LoadThread, Phase, Request, Shape, Start};
use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    os::unix::net::UnixListener,
};
use support::{Server, Then, end, end_within, ends, get, hang, ms, say, send};

const ONE: Shape = Shape::Serial { calls: 1 };

/// The end of one call to a server that answers with this text and closes the connection.
async fn end_after(text: &'static str) -> ClientEnd {
    let server = Server::start(move |stream, _, _| {
        say(stream, text);
        Then::Close
    });
    let (_, records) = send(server.line(ONE)).await;
    records[0].end
}

#[tokio::test]
async fn answered() {
    for (text, status) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", 200),
        ("HTTP/1.1 503 Service Unavailable\r\ntransfer-encoding: chunked\r\n\r\n3\r\nbad\r\n0\r\n\r\n", 503),
        ("HTTP/1.1 200 OK\r\n\r\nuntil the end", 200),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", 204),
    ] {
        assert_eq!(end_after(text).await, ClientEnd::Answered(status), "{text:?}");
    }
}

#[tokio::test]
async fn cut() {
    assert_eq!(end_after("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok").await, ClientEnd::Cut(200));
    assert_eq!(end_after("HTTP/1.1 500 x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhe").await, ClientEnd::Cut(500));
}

#[tokio::test]
async fn reset() {
    assert_eq!(end_after("").await, ClientEnd::Reset);
    assert_eq!(end_after("HTTP/1.1 2").await, ClientEnd::Reset);
}

#[tokio::test]
async fn garbled() {
    assert_eq!(end_after("SSH-2.0-OpenSSH_9.6\r\n").await, ClientEnd::Garbled);
}

#[tokio::test]
async fn refused() {
    let folder = tempfile::tempdir().unwrap();
    let (never, dead) = (folder.path().join("never.sock"), folder.path().join("dead.sock"));
    drop(UnixListener::bind(&dead).unwrap());
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for endpoint in [Endpoint::Unix(never), Endpoint::Unix(dead), Endpoint::Tcp(port)] {
        let (summary, records) = send(Line::new(0, vec![endpoint], get(), ONE)).await;
        assert_eq!(ends(&records), [ClientEnd::Refused]);
        assert_eq!(summary.schedule.starved, 0);
    }
}

#[tokio::test]
async fn deadline() {
    let server = Server::start(|stream, _, _| hang(stream));
    let (_, records) = send(Line { deadline: ms(150), ..server.line(ONE) }).await;
    assert_eq!(ends(&records), [ClientEnd::Deadline]);
    assert!(records[0].done >= records[0].intended + ms(150));
    server.watch.wait_until_closed();
}

/// A call that is 30 s late and has 30 s has none left.
#[tokio::test]
async fn the_deadline_counts_from_the_intended_send() {
    let server = Server::start(|stream, _, _| hang(stream));
    let line = Line { deadline: ms(30_000), ..server.line(ONE) };
    let start = Start { at: Some(squall_traffic::now() - ms(30_000)), first_seq: 0 };
    let run = LoadThread::start().unwrap().begin(vec![line], start).unwrap();
    let (_, records) = end(&run).await;
    assert_eq!(ends(&records), [ClientEnd::Deadline]);
    assert!(records[0].done.since(records[0].sent) < ms(30_000));
}

#[tokio::test]
async fn deadline_in_the_middle_of_an_answer() {
    let server = Server::start(|stream, _, _| {
        say(stream, "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok");
        hang(stream)
    });
    let (_, records) = send(Line { deadline: ms(150), ..server.line(ONE) }).await;
    assert_eq!(ends(&records), [ClientEnd::Deadline]);
}

#[tokio::test]
async fn unfinished_when_the_drain_is_over() {
    let server = Server::start(|stream, _, _| hang(stream));
    let load = LoadThread::start().unwrap();
    let run = load.begin(vec![server.line(Shape::Serial { calls: 1 })], Start::default()).unwrap();
    server.watch.wait_for(1);
    run.reached(Phase::Draining).await.unwrap();
    let (summary, records) = end_within(&run, ms(0)).await;
    assert_eq!((ends(&records), summary.unfinished), (vec![ClientEnd::Unfinished], 1));
    server.watch.wait_until_closed();
}

#[tokio::test]
async fn no_body_after_head() {
    let server = Server::start(|stream, _, _| {
        say(stream, "HTTP/1.1 200 OK\r\ncontent-length: 2000\r\n\r\n");
        Then::Keep
    });
    let request = Request::new("HEAD", "reviews", "/").unwrap();
    let (_, records) = send(Line { requests: request.into(), ..server.line(Shape::Serial { calls: 3 }) }).await;
    assert_eq!(ends(&records), [ClientEnd::Answered(200); 3]);
    assert!(server.watch.seen().iter().all(|s| s.connection == 0));
}

#[tokio::test]
async fn a_long_body_is_read_to_its_end() {
    let server = Server::start(|stream, _, _| {
        say(stream, "HTTP/1.1 200 OK\r\ncontent-length: 3000000\r\n\r\n");
        say(stream, &"x".repeat(3_000_000));
        Then::Keep
    });
    let (_, records) = send(server.line(Shape::Serial { calls: 2 })).await;
    assert_eq!(ends(&records), [ClientEnd::Answered(200); 2]);
    assert!(server.watch.seen().iter().all(|s| s.connection == 0));
}

#[tokio::test]
async fn over_tcp() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = Endpoint::Tcp(listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        for _ in 0..5 {
            let read = stream.read(&mut [0; 1024]).unwrap();
            assert!(read > 0);
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
        }
    });
    let (_, records) = send(Line::new(0, vec![endpoint], get(), Shape::Serial { calls: 5 })).await;
    assert_eq!(ends(&records), [ClientEnd::Answered(200); 5]);
    server.join().unwrap();
}
