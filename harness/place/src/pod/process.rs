//! The process that stands for a workload in a pod.

use super::{
    Seat,
    holder::socket,
    wire::{ASK_TO_END, Ask, To},
};
use serde::{Deserialize, Serialize};
use std::{fs, io, path::PathBuf};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};

/// A process of our own program in a pod. Every path is the same here and there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessInPod {
    /// The folder of the proxy whose pod it is.
    pub proxy: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Files that it reads, to be brought there.
    pub files: Vec<PathBuf>,
    /// Sockets that it listens on.
    pub sockets: Vec<PathBuf>,
    /// Where it says there what it has to say.
    pub log: PathBuf,
}

/// Starts it, and lives as long as it does. Who ends us ends it.
///
/// # Errors
/// Where it cannot be started, or has ended.
pub async fn hold_process(process: &ProcessInPod) -> io::Result<()> {
    let mut ended = signal(SignalKind::terminate())?;
    let seat = Seat::read(&process.proxy).ok_or_else(|| io::Error::other("there is no pod that it could be in"))?;
    let agent = seat.found();
    let read = |path: &PathBuf| fs::read_to_string(path).map(|text| (path.clone(), text));
    let files = process.files.iter().map(read).collect::<io::Result<_>>()?;
    let run = Ask::Run { files, args: process.args.clone(), log: process.log.clone() };
    let mut life = agent.ask(run).await?;
    let mut carrying = JoinSet::new();
    for path in process.sockets.clone() {
        let agent = agent.clone();
        carrying.spawn(async move {
            agent.awaits(&path).await?;
            socket(agent, path.clone(), To::Unix(path)).await
        });
    }
    tokio::select! {
        _ = life.read_u8() => Err(io::Error::other("the process in the pod has ended")),
        Some(failed) = carrying.join_next() => failed.map_err(io::Error::other)?,
        _ = ended.recv() => {
            // In order: it finishes what it has, and its end is the connection's.
            life.write_all(&[ASK_TO_END]).await?;
            let _ = life.read_u8().await;
            Ok(())
        }
    }
}
