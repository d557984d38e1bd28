//! A workload in a thread of its own, and peers that speak raw bytes.

use crate::{
    Control, Endpoint, LedgerLine, WorkloadConfig, WorkloadError, parse_line,
    run::run,
    socket::{Stream, bind_unix},
};
use bytes::BytesMut;
use squall_model::{Answer, Behaviour, InstanceId, LedgerRecord, Protocol, Stamp};
use std::{
    future::pending,
    io,
    path::{Path, PathBuf},
    thread::JoinHandle,
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    net::UnixListener,
    runtime::{Builder, LocalOptions},
    time::{interval, timeout},
};

/// What a test waits for comes long before, unless it never comes.
pub(super) const DEADLINE: Duration = Duration::from_secs(30);

/// Waits until `look` sees something.
pub(super) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let search = async {
        let mut ticks = interval(Duration::from_millis(1));
        loop {
            ticks.tick().await;
            if let Some(found) = look().await {
                return found;
            }
        }
    };
    timeout(DEADLINE, search).await.unwrap_or_else(|_| panic!("never: {what}"))
}

/// A running workload: instance 2 of `reviews`, on a Unix socket, answering 200 at once.
pub(super) struct Rig {
    pub(super) control: Control,
    pub(super) config: WorkloadConfig,
    dir: TempDir,
    thread: JoinHandle<Result<(), WorkloadError>>,
}

impl Rig {
    pub(super) async fn start() -> Rig {
        Rig::with(|_, _| {}).await
    }

    /// Changes the configuration first; the path is a folder for the test's own sockets.
    pub(super) async fn with(change: impl FnOnce(&mut WorkloadConfig, &Path)) -> Rig {
        let dir = tempfile::tempdir().unwrap();
        let mut config = WorkloadConfig {
            instance: InstanceId { service: "reviews".into(), number: 2 },
            listen: Endpoint::Unix(dir.path().join("listen")),
            protocol: Protocol::Http,
            control: dir.path().join("control"),
            ledger: dir.path().join("ledger"),
            behaviour: Behaviour::default(),
            onward: Vec::new(),
            seed: 1,
        };
        change(&mut config, dir.path());
        let thread = std::thread::spawn({
            let config = config.clone();
            move || {
                let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default()).unwrap();
                runtime.block_on(run(config, pending()))
            }
        });
        let control = Control::connect(&config.control, DEADLINE).await.unwrap();
        Rig { control, config, dir, thread }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A new connection to it.
    pub(super) async fn caller(&self) -> Peer {
        Peer::new(Stream::connect(&self.control.ready().listen).await.unwrap())
    }

    /// A new connection that has sent a GET with this id.
    pub(super) async fn asking(&self, id: &str) -> Peer {
        let mut caller = self.caller().await;
        caller.get(id).await;
        caller
    }

    pub(super) async fn answer_with(&mut self, answer: Answer) -> Stamp {
        self.control.set(&Behaviour { answer, ..self.config.behaviour.clone() }).await.unwrap()
    }

    /// Waits until so many tries are being worked on, and so many wait.
    pub(super) async fn crowd(&mut self, in_flight: u32, waiting: u32) {
        let control = &mut self.control;
        eventually(&format!("{in_flight} in flight, {waiting} waiting"), async || {
            let state = control.state().await.unwrap();
            ((state.in_flight, state.waiting) == (in_flight, waiting)).then_some(())
        })
        .await;
    }

    /// The ledger, once it has `n` lines.
    pub(super) async fn lines(&self, n: usize) -> Vec<LedgerLine> {
        eventually(&format!("{n} lines in the ledger"), async || {
            let text = std::fs::read_to_string(&self.config.ledger).unwrap();
            (text.lines().count() >= n).then(|| text.lines().map(|line| parse_line(line).unwrap()).collect())
        })
        .await
    }

    /// The tries of the ledger, once it has `n` lines.
    pub(super) async fn tries(&self, n: usize) -> Vec<LedgerRecord> {
        let tries = self.lines(n).await.into_iter().filter_map(|line| match line {
            LedgerLine::Record(record) => Some(record),
            LedgerLine::Marker(_) => None,
        });
        tries.collect()
    }

    /// Asks it to quit, and waits until it did; its folder.
    pub(super) async fn quit(self) -> Result<TempDir, WorkloadError> {
        self.control.quit().await.unwrap();
        finished(self.thread).await.map(|()| self.dir)
    }

    /// Waits until it has ended by itself.
    pub(super) async fn ended(self) -> Result<(), WorkloadError> {
        finished(self.thread).await
    }
}

async fn finished(thread: JoinHandle<Result<(), WorkloadError>>) -> Result<(), WorkloadError> {
    eventually("the end of the workload", async || thread.is_finished().then_some(())).await;
    thread.join().unwrap()
}

/// An answer that was read whole.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

/// One end of a connection.
pub(super) struct Peer {
    stream: Stream,
    ahead: BytesMut,
}

impl Peer {
    pub(super) fn new(stream: Stream) -> Peer {
        Peer { stream, ahead: BytesMut::new() }
    }

    pub(super) async fn say(&mut self, text: &str) {
        self.stream.write(text.as_bytes()).await.unwrap();
    }

    pub(super) async fn get(&mut self, id: &str) {
        self.say(&format!("GET / HTTP/1.1\r\nhost: reviews\r\nx-request-id: {id}\r\n\r\n")).await;
    }

    /// Reads a head, its empty line included.
    pub(super) async fn hear_head(&mut self) -> String {
        loop {
            if let Some(at) = self.ahead.windows(4).position(|w| w == b"\r\n\r\n") {
                return String::from_utf8(self.ahead.split_to(at + 4).into()).unwrap();
            }
            assert_ne!(self.read().await.unwrap(), 0, "the connection ended before a head");
        }
    }

    /// Reads an answer with its body.
    pub(super) async fn hear(&mut self) -> Heard {
        let head = self.hear_head().await;
        let length = head.lines().find_map(|l| l.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
        while self.ahead.len() < length {
            assert_ne!(self.read().await.unwrap(), 0, "the connection ended in a body");
        }
        let body = String::from_utf8(self.ahead.split_to(length).into()).unwrap();
        Heard { status: head.split(' ').nth(1).unwrap().parse().unwrap(), head, body }
    }

    /// Reads to the end of the connection.
    pub(super) async fn hear_out(&mut self) -> io::Result<Vec<u8>> {
        while self.read().await? > 0 {}
        Ok(std::mem::take(&mut self.ahead).into())
    }

    /// Whether nothing has come, and the connection is open.
    pub(super) fn hears_nothing(&self) -> bool {
        self.ahead.is_empty() && self.stream.is_quiet()
    }

    async fn read(&mut self) -> io::Result<usize> {
        timeout(DEADLINE, self.stream.read(&mut self.ahead)).await.expect("the other side says nothing")
    }
}

/// A service that is called: its proxy's socket, answered by the test.
pub(super) struct Upstream(UnixListener);

impl Upstream {
    pub(super) fn bind(path: &Path) -> Upstream {
        Upstream(bind_unix(path).unwrap())
    }

    pub(super) async fn accept(&self) -> Peer {
        let (stream, _) = timeout(DEADLINE, self.0.accept()).await.expect("nobody calls").unwrap();
        Peer::new(Stream::of_unix(stream).unwrap())
    }

    /// Whether anybody has connected so far: what has happened is known after a turn of the poll.
    pub(super) async fn is_called(&self) -> bool {
        timeout(Duration::from_millis(1), self.0.accept()).await.is_ok()
    }
}
