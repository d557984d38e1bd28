//! The connections that calls over HTTP/2 share: how many there are, how they end, and that nobody waits for another.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail")]

mod support;

use squall_model::{ClientEnd, Protocol, Stamp};
use squall_traffic::{Line, LoadThread, ScheduleBound, ScheduleMiss, Shape, Start};
use std::{
    collections::BTreeSet,
    io::Write as _,
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};
use support::{
    PATIENCE, Server, Then, end, ends, every, get, hang, ms, send,
    streams::{GOAWAY, SETTINGS, StreamServer, flushed, frame},
};

fn line(server: &StreamServer, shape: Shape) -> Line {
    server.line(Protocol::Http2, shape)
}

#[tokio::test]
async fn connections_are_closed_after_the_run() {
    let server = StreamServer::prompt();
    let (_, records) = send(line(&server, every(500.0, ms(20)))).await;
    assert_eq!(ends(&records), [ClientEnd::Answered(200); 10]);
    server.watch.wait_until_closed();
}

/// What a connection still carries when it is said to end is finished, and the next call goes on another one.
#[tokio::test]
async fn after_a_goaway_a_new_connection_is_opened() {
    let server = StreamServer::start(async |exchange| {
        exchange.go_away();
        flushed().await;
        exchange.ok();
    });
    let (_, records) = send(line(&server, Shape::Serial { calls: 4 })).await;
    assert_eq!(ends(&records), [ClientEnd::Answered(200); 4]);
    let connections: Vec<_> = server.watch.seen().iter().map(|s| s.connection).collect();
    assert_eq!(connections, [0, 1, 2, 3]);
}

/// Nothing is retried, not even what was certainly not worked on.
#[tokio::test]
async fn what_a_goaway_refuses_is_reset() {
    let server = Server::start(|stream, _, _| {
        // The first request is stream 1, and the last that was accepted is none: 0.
        stream.write_all(&frame(SETTINGS, 0, 0, b"")).unwrap();
        stream.write_all(&frame(GOAWAY, 0, 0, &[0; 8])).unwrap();
        hang(stream)
    });
    let (_, records) = send(Line { protocol: Protocol::Http2, ..server.line(Shape::Serial { calls: 3 }) }).await;
    assert_eq!(ends(&records), [ClientEnd::Reset; 3]);
    let connections: BTreeSet<_> = server.watch.seen().iter().map(|s| s.connection).collect();
    assert_eq!(connections, BTreeSet::from([0, 1, 2]));
}

#[tokio::test]
async fn a_connection_that_was_lost_is_replaced() {
    let server = StreamServer::start(async |exchange| match exchange.seen.order % 2 {
        0 => exchange.ok(),
        _ => exchange.close(),
    });
    let (_, records) = send(line(&server, Shape::Serial { calls: 4 })).await;
    let (ok, reset) = (ClientEnd::Answered(200), ClientEnd::Reset);
    assert_eq!(ends(&records), [ok, reset, ok, reset]);
    assert_eq!(server.watch.seen().last().unwrap().connection, 1);
}

/// Answers nobody until so many calls are in flight.
fn gathering(calls: usize, streams: u32) -> StreamServer {
    let mut builder = h2::server::Builder::new();
    builder.max_concurrent_streams(streams);
    let gathered = tokio::sync::watch::Sender::new(0);
    StreamServer::with(builder, async move |exchange| {
        let mut changes = gathered.subscribe();
        gathered.send_modify(|n| *n += 1);
        changes.wait_for(|n| *n >= calls).await.unwrap();
        exchange.ok();
    })
}

#[tokio::test]
async fn a_connection_is_shared_as_long_as_it_has_streams() {
    let server = gathering(250, 100);
    let (summary, records) = send(line(&server, every(2_500.0, ms(100)))).await;
    assert_eq!(ends(&records), [ClientEnd::Answered(200); 250]);
    assert_eq!(summary.schedule.starved, 0);
    let on = |connection| server.watch.seen().iter().filter(|s| s.connection == connection).count();
    assert_eq!([on(0), on(1), on(2), on(3)], [100, 100, 50, 0]);
}

/// Who finds no room on the connections that are allowed waits, and does not go unnoticed.
#[tokio::test]
async fn no_more_connections_than_the_cap_allows() {
    let server = gathering(usize::MAX, 100);
    let load = LoadThread::start().unwrap().with_max_connections(2);
    let run = load.begin(vec![line(&server, every(2_500.0, ms(84)))], Start::default()).unwrap();
    let starved = async {
        while run.schedule().starved < 10 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, starved).await.unwrap();
    server.watch.wait_for(200);
    run.abort();
    let (summary, records) = end(&run).await;
    assert_eq!(ends(&records), [ClientEnd::Unfinished; 210]);
    assert!(server.watch.seen().iter().all(|s| s.connection < 2));
    let miss = summary.schedule.verdict(ScheduleBound::DEFAULT).unwrap_err();
    assert!(matches!(miss, ScheduleMiss::Starved { starved: 10, .. }), "{miss}");
}

/// As over HTTP/1.1: a server that answers nobody until 60 requests have come in stalls a closed loop for ever. Here it is the
/// stall that is measured, though all calls share a connection.
#[tokio::test]
async fn a_stall_delays_no_send_and_is_in_every_latency() {
    let released = Arc::new(Mutex::new(None));
    let release = Arc::clone(&released);
    let gathered = tokio::sync::watch::Sender::new(0);
    let server = StreamServer::start(async move |exchange| {
        let mut changes = gathered.subscribe();
        gathered.send_modify(|n| *n += 1);
        changes.wait_for(|n| *n >= 60).await.unwrap();
        release.lock().unwrap().get_or_insert_with(squall_traffic::now);
        exchange.ok();
    });
    let (summary, records) = send(line(&server, every(300.0, ms(300)))).await;
    assert_eq!((summary.sent, summary.unfinished), (90, 0));
    assert_eq!(ends(&records), [ClientEnd::Answered(200); 90]);
    let released: Stamp = released.lock().unwrap().unwrap();
    assert!(released >= summary.t0 + ms(59 * 10 / 3), "the 60th call is due after 59 intervals");
    let stalled: Vec<_> = records.iter().filter(|r| r.intended < summary.t0 + ms(196)).collect();
    assert_eq!(stalled.len(), 59);
    assert!(stalled.iter().all(|r| r.done.since(r.intended) >= released.since(r.intended)));
    for record in &records {
        assert_eq!(record.intended, summary.t0 + Duration::from_nanos((record.seq as f64 * 1e9 / 300.0) as u64));
        assert!(record.intended <= record.sent && record.sent <= record.done);
    }
    assert!(server.watch.seen().iter().all(|s| s.connection == 0));
}

/// A proxy that does not even read its connections keeps nobody from sending: what the kernel does not take waits in memory.
#[tokio::test]
async fn a_proxy_that_does_not_read_delays_no_other() {
    let (hold, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let stuck = Server::start(move |_, _, _| {
        let _over = held.lock().unwrap().recv();
        Then::Close
    });
    let prompt = StreamServer::prompt();
    let request = get().with_header("x-long", &"x".repeat(4_000)).unwrap();
    let unread = Line { requests: request.into(), deadline: ms(400), ..stuck.line(every(2_000.0, ms(300))) };
    let lines =
        vec![Line { protocol: Protocol::Http2, ..unread }, Line { number: 1, ..line(&prompt, every(500.0, ms(300))) }];
    let run = LoadThread::start().unwrap().begin(lines, Start::default()).unwrap();
    let (summary, records) = end(&run).await;
    assert_eq!((summary.sent, summary.unfinished), (750, 0));
    for record in records {
        let expected = if record.line == 0 { ClientEnd::Deadline } else { ClientEnd::Answered(200) };
        assert_eq!(record.end, expected);
    }
    drop(hold);
}
