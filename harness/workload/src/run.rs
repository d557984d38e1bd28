//! The process: from its configuration to its end.

use crate::{
    ConfigError, Ready, WorkloadConfig,
    control::answer_controls,
    http1, http2,
    service::Service,
    socket::{Listener, Stream, bind_unix},
};
use squall_child::raise_file_limit;
use squall_model::Protocol;
use std::{future::Future, io, path::PathBuf, rc::Rc, time::Duration};
use thiserror::Error;
use tokio::{
    runtime::{Builder, LocalOptions},
    signal::unix::{SignalKind, signal},
};
use tokio_util::task::TaskTracker;

/// What is in flight when the process is to end may take so long.
const GRACE: Duration = Duration::from_secs(1);

/// What `squall workload` is told.
#[derive(Debug, Clone)]
pub struct WorkloadArgs {
    /// File of a [`WorkloadConfig`] in JSON.
    pub config: PathBuf,
}

/// Why a workload did not start, or had to stop.
#[derive(Debug, Error)]
pub enum WorkloadError {
    /// Its configuration is none.
    #[error("configuration: {0}")]
    Config(#[from] ConfigError),
    /// It cannot listen.
    #[error("listen on {at}: {source}")]
    Listen {
        /// Where.
        at: String,
        /// Why.
        source: io::Error,
    },
    /// Its ledger cannot be written.
    #[error("write {path}: {source}")]
    Ledger {
        /// Its file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The runtime, a signal or a timer cannot be had.
    #[error("run: {0}")]
    Runtime(io::Error),
}

/// Runs a workload until SIGTERM, or until it is asked to quit: it then accepts no more, finishes what is in flight
/// within a second, and returns.
///
/// It is ready when its control socket accepts; see [`Control::connect`](crate::Control::connect).
///
/// # Errors
/// See [`WorkloadError`].
pub fn workload_main(args: &WorkloadArgs) -> Result<(), WorkloadError> {
    let config = WorkloadConfig::read(&args.config)?;
    raise_file_limit();
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())
        .map_err(WorkloadError::Runtime)?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).map_err(WorkloadError::Runtime)?;
        run(config, async move {
            terminate.recv().await;
        })
        .await
    })
}

/// Runs a workload until `end`. Needs a local runtime; what is still in flight afterwards ends with that runtime.
pub(crate) async fn run(config: WorkloadConfig, end: impl Future<Output = ()>) -> Result<(), WorkloadError> {
    let service = Rc::new(Service::new(&config)?);
    let refused = |at: String| move |source| WorkloadError::Listen { at, source };
    let listener = Listener::bind(&config.listen).await.map_err(refused(config.listen.to_string()))?;
    let listen = listener.endpoint(&config.listen).map_err(refused(config.listen.to_string()))?;
    // Last of all: whoever can connect to it may rely on everything else.
    let control = bind_unix(&config.control).map_err(refused(config.control.display().to_string()))?;
    let ready = Ready { instance: config.instance.clone(), listen, pid: std::process::id() };
    let controls = tokio::task::spawn_local(answer_controls(Rc::clone(&service), control, ready));

    let life = async {
        let connections = TaskTracker::new();
        let ended = tokio::select! {
            () = accept(&service, listener, &connections) => Ok(()),
            () = end => Ok(()),
            () = service.stop.cancelled() => Ok(()),
            source = service.ledger.failed() => Err(WorkloadError::Ledger { path: config.ledger, source }),
        };
        service.stop.cancel();
        connections.close();
        if tokio::time::timeout(GRACE, connections.wait()).await.is_err() {
            tracing::info!(left = connections.len(), "gave up what was still in flight");
        }
        ended
    };
    let ended = tokio::select! {
        ended = life => ended,
        error = service.ring() => Err(WorkloadError::Runtime(error)),
    };
    controls.abort();
    ended
}

/// Accepts connections until it is dropped; the listening socket goes with it.
async fn accept(service: &Rc<Service>, listener: Listener, connections: &TaskTracker) {
    loop {
        match listener.accept().await {
            Ok(stream) => converse(service, stream, connections),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                back_off().await;
            }
        }
    }
}

/// Serves a connection, in what the workload speaks.
fn converse(service: &Rc<Service>, stream: Stream, connections: &TaskTracker) {
    let service = Rc::clone(service);
    match service.protocol {
        Protocol::Http2 | Protocol::Grpc => {
            connections.spawn_local(http2::converse(service, stream, connections.clone()));
        }
        Protocol::Http | Protocol::Tcp => {
            connections.spawn_local(http1::converse(service, stream));
        }
    }
}

/// Lets others run after an accept failed: out of files, say, it would fail at once for ever.
#[expect(clippy::disallowed_methods, reason = "there is no event for `a file descriptor was freed`")]
pub(crate) async fn back_off() {
    tokio::time::sleep(Duration::from_millis(10)).await;
}
