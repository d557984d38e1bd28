//! The smallest workload: it answers on a Unix socket, as it is told to, and remembers what it saw.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    task::JoinHandle,
};

/// The path on which a workload is asked for its health: no try, and remembered apart.
pub(crate) const HEALTH: &str = "/healthz";

/// A try as the workload saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Served {
    pub(crate) id: String,
    pub(crate) attempt: String,
    pub(crate) caller: String,
    pub(crate) headers: BTreeMap<String, String>,
}

/// How a workload answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Conduct {
    /// With this status, after so long.
    Answer(u16, Duration),
    /// It begins an answer, and stops in the middle of it.
    Stall,
}

#[derive(Debug, Clone)]
pub(crate) struct Workload(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    name: String,
    conduct: Mutex<Conduct>,
    /// The status that it is healthy with, or not.
    health: Mutex<u16>,
    served: Mutex<Vec<Served>>,
    checked: Mutex<usize>,
}

impl Workload {
    /// Answers 200 with its name, at once.
    pub(crate) fn start(name: &str, socket: &Path) -> (Workload, JoinHandle<()>) {
        let shared = Shared {
            name: name.into(),
            conduct: Mutex::new(Conduct::Answer(200, Duration::ZERO)),
            health: Mutex::new(200),
            served: Mutex::default(),
            checked: Mutex::default(),
        };
        let workload = Workload(Arc::new(shared));
        let listener = UnixListener::bind(socket).unwrap();
        let serving = workload.clone();
        let task = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serving.clone().serve(connection));
            }
        });
        (workload, task)
    }

    pub(crate) fn answer(&self, status: u16, after: Duration) {
        *self.0.conduct.lock().unwrap() = Conduct::Answer(status, after);
    }

    /// Begins its answers from now on, and does not end them.
    pub(crate) fn stall(&self) {
        *self.0.conduct.lock().unwrap() = Conduct::Stall;
    }

    /// Answers checks with this status from now on.
    pub(crate) fn health(&self, status: u16) {
        *self.0.health.lock().unwrap() = status;
    }

    pub(crate) fn served(&self) -> Vec<Served> {
        self.0.served.lock().unwrap().clone()
    }

    /// How often it was asked for its health.
    pub(crate) fn checked(&self) -> usize {
        *self.0.checked.lock().unwrap()
    }

    async fn serve(self, mut connection: UnixStream) {
        let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
        while let Ok(read @ 1..) = connection.read(&mut buffer).await {
            seen.extend_from_slice(&buffer[..read]);
            if !seen.ends_with(b"\r\n\r\n") {
                continue;
            }
            let head = String::from_utf8(std::mem::take(&mut seen)).unwrap();
            let name = &self.0.name;
            let answer = |status: u16| format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{name}", name.len());
            let answered = match self.take(&head) {
                Conduct::Stall => {
                    let cut = format!("HTTP/1.1 200 X\r\ncontent-length: {}\r\n\r\n{name}", name.len() + 1);
                    connection.write_all(cut.as_bytes()).await
                }
                Conduct::Answer(status, Duration::ZERO) => connection.write_all(answer(status).as_bytes()).await,
                Conduct::Answer(status, after) => {
                    tokio::time::sleep_until(tokio::time::Instant::now() + after).await;
                    connection.write_all(answer(status).as_bytes()).await
                }
            };
            if answered.is_err() {
                return;
            }
        }
    }

    /// Remembers a request, and says what comes of it.
    fn take(&self, head: &str) -> Conduct {
        if head.split(' ').nth(1) == Some(HEALTH) {
            *self.0.checked.lock().unwrap() += 1;
            return Conduct::Answer(*self.0.health.lock().unwrap(), Duration::ZERO);
        }
        let headers: BTreeMap<String, String> =
            head.lines().filter_map(|line| line.split_once(": ")).map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        let header = |name: &str| headers.get(name).cloned().unwrap_or_default();
        let served = Served {
            id: header("x-request-id"),
            attempt: header("x-envoy-attempt-count"),
            caller: header("x-squall-caller"),
            headers,
        };
        self.0.served.lock().unwrap().push(served);
        *self.0.conduct.lock().unwrap()
    }
}
