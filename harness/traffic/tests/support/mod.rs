//! A server that does as a test says, on a Unix socket in a folder of its own, and what the tests ask of runs.

#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod secured;
pub(crate) mod streams;
pub(crate) mod websocket;

use squall_model::{CallRecord, ClientEnd, Stamp};
use squall_traffic::{Arrivals, Endpoint, Line, LoadThread, Request, Run, Shape, Start, Summary};
use std::{
    io::{Read as _, Write as _},
    os::unix::net::{UnixListener, UnixStream},
    sync::{Arc, Condvar, Mutex},
    time::Duration,
};
use tempfile::TempDir;

/// Far beyond what any test takes: a hang becomes a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A request as the server saw it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Place in the order of arrival, from 0.
    pub(crate) order: usize,
    /// The connection it came on, from 0.
    pub(crate) connection: usize,
    pub(crate) head: String,
    pub(crate) at: Stamp,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// What becomes of a connection after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    Keep,
    Close,
}

#[derive(Debug, Default)]
struct Log {
    seen: Vec<Seen>,
    open: usize,
}

/// The log of a server, and a way to wait for what should come in.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    log: Mutex<Log>,
    changed: Condvar,
}

impl Watch {
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.log.lock().unwrap().seen.clone()
    }

    /// Waits until so many requests have come in.
    pub(crate) fn wait_for(&self, requests: usize) {
        let (log, timeout) = self
            .changed
            .wait_timeout_while(self.log.lock().unwrap(), PATIENCE, |log| log.seen.len() < requests)
            .unwrap();
        assert!(!timeout.timed_out(), "{} of {requests} requests came in", log.seen.len());
    }

    /// Waits until every connection has been closed by the client.
    pub(crate) fn wait_until_closed(&self) {
        let (_log, timeout) =
            self.changed.wait_timeout_while(self.log.lock().unwrap(), PATIENCE, |log| log.open > 0).unwrap();
        assert!(!timeout.timed_out(), "connections stayed open");
    }
}

pub(crate) struct Server {
    pub(crate) endpoint: Endpoint,
    pub(crate) watch: Arc<Watch>,
    _folder: TempDir,
}

impl Server {
    /// Serves each connection on a thread of its own; `answer` writes what is to be answered to one request.
    pub(crate) fn start(answer: impl Fn(&mut UnixStream, &Seen, &Watch) -> Then + Send + Sync + 'static) -> Server {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("proxy.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let (watch, answer) = (Arc::<Watch>::default(), Arc::new(answer));
        let watching = Arc::clone(&watch);
        std::thread::spawn(move || {
            for (connection, stream) in listener.incoming().enumerate() {
                let (mut stream, watch, answer) = (stream.unwrap(), Arc::clone(&watching), Arc::clone(&answer));
                watch.log.lock().unwrap().open += 1;
                std::thread::spawn(move || {
                    while let Some(seen) = receive(&mut stream, connection, &watch) {
                        if answer(&mut stream, &seen, &watch) == Then::Close {
                            break;
                        }
                    }
                    drop(stream);
                    watch.log.lock().unwrap().open -= 1;
                    watch.changed.notify_all();
                });
            }
        });
        Server { endpoint: Endpoint::Unix(path), watch, _folder: folder }
    }

    /// One that answers every request at once.
    pub(crate) fn prompt() -> Server {
        Server::start(|stream, _, _| ok(stream))
    }

    /// A line of traffic to this server.
    pub(crate) fn line(&self, shape: Shape) -> Line {
        Line::new(0, vec![self.endpoint.clone()], get(), shape)
    }
}

fn receive(stream: &mut UnixStream, connection: usize, watch: &Watch) -> Option<Seen> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return None,
        }
    }
    let mut log = watch.log.lock().unwrap();
    let seen =
        Seen { order: log.seen.len(), connection, head: String::from_utf8(head).unwrap(), at: squall_traffic::now() };
    log.seen.push(seen.clone());
    watch.changed.notify_all();
    Some(seen)
}

/// Writes; a client that has gone away is no matter here.
pub(crate) fn say(stream: &mut UnixStream, text: &str) {
    let _ = stream.write_all(text.as_bytes());
}

pub(crate) fn ok(stream: &mut UnixStream) -> Then {
    say(stream, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    Then::Keep
}

/// Says nothing until the client goes away.
pub(crate) fn hang(stream: &mut UnixStream) -> Then {
    let _ = stream.read(&mut [0]);
    Then::Close
}

pub(crate) fn get() -> Request {
    Request::new("GET", "reviews", "/").unwrap()
}

pub(crate) fn every(hz: f64, length: Duration) -> Shape {
    Shape::Open { rate_hz: hz, length, arrivals: Arrivals::Even }
}

pub(crate) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Lets a run come to its own end.
pub(crate) async fn end(run: &Run) -> (Summary, Vec<CallRecord>) {
    end_within(run, PATIENCE).await
}

/// Lets a run come to its end, at the latest so long after its last send.
pub(crate) async fn end_within(run: &Run, drain: Duration) -> (Summary, Vec<CallRecord>) {
    let summary = tokio::time::timeout(PATIENCE, run.finish(drain)).await.expect("the run ends").unwrap();
    let mut records = Vec::new();
    let progress = run.drain_into(&mut records);
    assert_eq!((progress.in_flight, progress.oldest_unresolved_intended), (0, None));
    assert_eq!(progress.done, summary.sent);
    (summary, records)
}

/// Sends one line to its end.
pub(crate) async fn send(line: Line) -> (Summary, Vec<CallRecord>) {
    let run = LoadThread::start().unwrap().begin(vec![line], Start::default()).unwrap();
    end(&run).await
}

pub(crate) fn ends(records: &[CallRecord]) -> Vec<ClientEnd> {
    records.iter().map(|r| r.end).collect()
}

/// The most calls that were in flight at one moment.
pub(crate) fn most_in_flight(records: &[CallRecord]) -> usize {
    let mut events: Vec<_> = records.iter().flat_map(|r| [(r.sent, 1), (r.done, -1)]).collect();
    events.sort();
    let mut now = 0i32;
    events
        .iter()
        .map(|(_, change)| {
            now += change;
            now
        })
        .max()
        .unwrap_or(0) as usize
}
