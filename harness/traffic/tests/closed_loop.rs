//! Calls that wait for the ones before, and the connections they go on.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail")]

mod support;

use squall_model::ClientEnd;
use squall_traffic::{Endpoint, Line, LoadThread, Phase, Shape, Start};
use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
};
use support::{PATIENCE, Server, Then, end, ends, every, get, hang, most_in_flight, ms, say, send};

#[tokio::test]
async fn one_after_another() {
    let server = Server::prompt();
    let (summary, records) = send(Line { users: Some(2), ..server.line(Shape::Serial { calls: 40 }) }).await;
    assert_eq!((records.len(), most_in_flight(&records)), (40, 1));
    assert_eq!(records[0].intended, summary.t0);
    for (k, pair) in records.windows(2).enumerate() {
        assert_eq!(pair[1].intended, pair[0].done, "each is due when the one before has ended");
        assert_eq!(pair[0].seq, k as u64);
    }
    for round in records.chunks(2) {
        assert_eq!(round[0].user + round[1].user, 3, "each has a turn in a round");
    }
    assert!(server.watch.seen().iter().all(|s| s.connection == 0), "one connection is enough");
}

#[tokio::test]
async fn users_think_between_calls() {
    let server = Server::prompt();
    let shape = Shape::Closed { users: 5, length: ms(300), thinking: ms(40) };
    let (summary, records) = send(server.line(shape)).await;
    assert!(most_in_flight(&records) <= 5);
    let mut of_user = BTreeMap::<u32, Vec<_>>::new();
    for record in &records {
        assert!(record.intended < summary.t0 + ms(300));
        of_user.entry(record.user).or_default().push(record);
    }
    assert_eq!(of_user.keys().copied().collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    for (user, calls) in of_user {
        assert_eq!(calls[0].intended, summary.t0 + ms(8) * (user - 1), "first calls are spread over one thinking");
        assert!(calls.windows(2).all(|pair| pair[1].intended == pair[0].done + ms(40)));
    }
    assert!(server.watch.seen().iter().all(|s| s.header("x-squall-user").unwrap().starts_with("user-")));
}

#[tokio::test]
async fn a_closed_loop_drains_from_its_end_on() {
    let server = Server::start(|stream, _, _| hang(stream));
    let shape = Shape::Closed { users: 3, length: ms(300), thinking: ms(0) };
    let run = LoadThread::start().unwrap().begin(vec![server.line(shape)], Start::default()).unwrap();
    run.reached(Phase::Draining).await.unwrap();
    assert_eq!(run.progress().in_flight, 3);
    run.abort();
    let (summary, records) = end(&run).await;
    assert_eq!((summary.unfinished, ends(&records)), (3, vec![ClientEnd::Unfinished; 3]));
}

#[tokio::test]
async fn a_stopped_loop_lets_its_call_end() {
    let server = Server::prompt();
    let run =
        LoadThread::start().unwrap().begin(vec![server.line(Shape::Serial { calls: 100_000_000 })], Start::default());
    let run = run.unwrap();
    server.watch.wait_for(10);
    run.stop_sending();
    let (summary, records) = end(&run).await;
    assert!(summary.sent < 100_000_000);
    assert!(records.iter().all(|r| r.end == ClientEnd::Answered(200)));
}

#[tokio::test]
async fn no_connection_is_used_after_it_was_said_to_close() {
    let server = Server::start(|stream, _, _| {
        say(stream, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        Then::Close
    });
    let (_, records) = send(server.line(Shape::Serial { calls: 10 })).await;
    assert_eq!(ends(&records), [ClientEnd::Answered(200); 10]);
    assert_eq!(server.watch.seen().last().unwrap().connection, 9);
}

/// A proxy whose accept queue is full lets callers wait; a Unix socket says so at once, and that is no refusal.
/// The server would keep each connection: it is the caller who has no use for it, and says so.
#[tokio::test]
async fn where_none_is_used_again_each_call_opens_its_own() {
    let server = Server::prompt();
    let (summary, records) = send(Line { keep_alive: false, ..server.line(Shape::Serial { calls: 4 }) }).await;
    assert_eq!((ends(&records), summary.schedule.starved), (vec![ClientEnd::Answered(200); 4], 0));
    let seen = server.watch.seen();
    assert_eq!(seen.iter().map(|s| s.connection).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert!(seen.iter().all(|s| s.header("connection") == Some("close")), "{seen:?}");
    for call in &records {
        let connect = call.course.connect.unwrap();
        assert!(connect <= call.sent.since(call.intended), "it lies before the send: {call:?}");
    }
    server.watch.wait_until_closed();
}

#[tokio::test]
async fn a_full_accept_queue_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("busy.sock");
    let socket = tokio::net::UnixSocket::new_stream().unwrap();
    socket.bind(&path).unwrap();
    let listener = socket.listen(1).unwrap();
    let line = Line::new(0, vec![Endpoint::Unix(path)], get(), every(1_000.0, ms(20)));
    let run = LoadThread::start().unwrap().begin(vec![line], Start::default()).unwrap();
    tokio::time::timeout(PATIENCE, run.reached(Phase::Draining)).await.unwrap().unwrap();
    assert_eq!(run.progress().in_flight, 20, "none was refused");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let stream = stream.into_std().unwrap();
            std::thread::spawn(move || serve(stream));
        }
    });
    let (summary, records) = end(&run).await;
    assert_eq!(ends(&records), [ClientEnd::Answered(200); 20]);
    assert_eq!(summary.schedule.starved, 0, "the engine had room");
}

fn serve(mut stream: UnixStream) {
    stream.set_nonblocking(false).unwrap();
    while stream.read(&mut [0; 1024]).is_ok_and(|read| read > 0) {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    }
}
