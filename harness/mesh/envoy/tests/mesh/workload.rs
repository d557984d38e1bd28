//! The smallest workload: it answers on a Unix socket, as it is told to, and remembers what it saw.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    task::JoinHandle,
};

/// A try as the workload saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Served {
    pub(crate) id: String,
    pub(crate) attempt: String,
    pub(crate) caller: String,
}

#[derive(Debug, Clone)]
pub(crate) struct Workload(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    name: String,
    answers: Mutex<(u16, Duration)>,
    served: Mutex<Vec<Served>>,
}

impl Workload {
    /// Answers 200 with its name, at once.
    pub(crate) fn start(name: &str, socket: &Path) -> (Workload, JoinHandle<()>) {
        let shared = Shared { name: name.into(), answers: Mutex::new((200, Duration::ZERO)), served: Mutex::default() };
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
        *self.0.answers.lock().unwrap() = (status, after);
    }

    pub(crate) fn served(&self) -> Vec<Served> {
        self.0.served.lock().unwrap().clone()
    }

    async fn serve(self, mut connection: UnixStream) {
        let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
        while let Ok(read @ 1..) = connection.read(&mut buffer).await {
            seen.extend_from_slice(&buffer[..read]);
            if !seen.ends_with(b"\r\n\r\n") {
                continue;
            }
            let head = String::from_utf8(std::mem::take(&mut seen)).unwrap();
            let header = |name: &str| {
                let line = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                line.unwrap_or_default().to_owned()
            };
            let served = Served {
                id: header("x-request-id"),
                attempt: header("x-envoy-attempt-count"),
                caller: header("x-squall-caller"),
            };
            self.0.served.lock().unwrap().push(served);
            let (status, after) = *self.0.answers.lock().unwrap();
            if !after.is_zero() {
                tokio::time::sleep_until(tokio::time::Instant::now() + after).await;
            }
            let name = &self.0.name;
            let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{name}", name.len());
            if connection.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }
}
