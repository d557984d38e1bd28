//! What can go wrong with places and processes.

use crate::keeper::ProcessId;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// A failure of the place: a folder, the keeper or a process. Messages fit after "failed to …: ".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlaceError {
    /// The folder that holds the run folders cannot be used.
    #[error("the folder for runs, {path}, cannot be used: {why}", path = path.display())]
    Base {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A file or folder of a run could not be made, read or removed.
    #[error("{what} {path}: {source}", path = path.display())]
    Folder {
        /// What was tried, as "cannot create".
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A Unix socket's path would be longer than the kernel takes (107 bytes).
    #[error("the socket path {path} has {bytes} bytes, the kernel takes at most {most}", path = path.display())]
    SocketPath {
        /// The path.
        path: PathBuf,
        /// Its length in bytes.
        bytes: usize,
        /// The longest possible.
        most: usize,
    },
    /// The keeper could not be started.
    #[error("the keeper ({exe} keeper) did not start: {why}", exe = exe.display())]
    KeeperStart {
        /// The program that should have become the keeper.
        exe: PathBuf,
        /// The system's answer, or the last words of the keeper's log.
        why: String,
    },
    /// The keeper died under us, and every process of the run with it.
    #[error("the keeper of this run died, and its processes with it")]
    KeeperLost,
    /// The keeper lives but did not answer in time.
    #[error("the keeper did not answer \"{what}\" within {waited:?}")]
    Unresponsive {
        /// The command.
        what: &'static str,
        /// How long it was given.
        waited: Duration,
    },
    /// The run is being shut down: nothing new is started.
    #[error("the run is being shut down")]
    ShuttingDown,
    /// A process could not be started.
    #[error("{name} did not start: {what} {program}: {source}", program = program.display())]
    Spawn {
        /// The process's name.
        name: String,
        /// The step that failed, as "cannot execute".
        what: String,
        /// Its program.
        program: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A process's description cannot be carried to the keeper.
    #[error("{name} cannot be described to the keeper: {why}")]
    Spec {
        /// The process's name.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// A signal was meant for a process that has exited.
    #[error("process {id} has exited already")]
    Exited {
        /// The process.
        id: ProcessId,
    },
    /// No process of this run has that id.
    #[error("this run has no process {id}")]
    UnknownProcess {
        /// The id.
        id: ProcessId,
    },
    /// The system refused a signal.
    #[error("the system refused the signal to process {id}: {source}")]
    Signal {
        /// The process.
        id: ProcessId,
        /// The system's answer.
        source: io::Error,
    },
    /// A process that should have ended by now still lives.
    #[error("{name} (pid {pid}) still lives after {waited:?}")]
    StillAlive {
        /// The process's name.
        name: String,
        /// Its pid.
        pid: u32,
        /// How long it was waited for.
        waited: Duration,
    },
    /// A process that was paused still runs.
    #[error("{name} (pid {pid}) does not stand still after {waited:?}")]
    StillRuns {
        /// The process's name.
        name: String,
        /// Its pid.
        pid: u32,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The keeper ended in order but could not remove the run folder.
    #[error("the processes are gone, but the run folder is not: {why}")]
    FolderLeft {
        /// What the keeper said.
        why: String,
    },
}

impl PlaceError {
    pub(crate) fn folder(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> PlaceError {
        let path = path.into();
        move |source| PlaceError::Folder { what, path, source }
    }
}
