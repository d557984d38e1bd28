//! What the keeper and its runner speak about.

use crate::folder::ProcessFolder;
use serde::{Deserialize, Serialize};
use squall_model::Stamp;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

/// One process of a run, numbered from 1 in the order of the requests to start them. Never reused within a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProcessId(pub(crate) u64);

impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// What catches the processes of a run when runner and keeper are killed at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Net {
    /// They live in a PID namespace: all of them end with the keeper, daemons and stopped ones too.
    PidNamespace {
        /// It needed a user namespace, so only the user's own id exists inside (no `sudo`, no other users).
        user: bool,
    },
    /// Only parent-death signals and the process tree: a daemon that a process left behind waits for a recovery.
    ProcessTree {
        /// Why there is no namespace.
        why: String,
    },
}

impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Net::PidNamespace { user: false } => write!(f, "PID namespace"),
            Net::PidNamespace { user: true } => write!(f, "PID namespace within a user namespace"),
            Net::ProcessTree { why } => write!(f, "process tree only ({why})"),
        }
    }
}

/// Which net to try for first; what the system refuses falls back to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum NetWish {
    /// A PID namespace as root.
    #[default]
    Best,
    /// A PID namespace within a user namespace.
    UserNamespace,
    /// No namespace.
    ProcessTree,
}

impl NetWish {
    pub(crate) const ALL: [NetWish; 3] = [NetWish::Best, NetWish::UserNamespace, NetWish::ProcessTree];

    pub(crate) fn word(self) -> &'static str {
        match self {
            NetWish::Best => "best",
            NetWish::UserNamespace => "user",
            NetWish::ProcessTree => "tree",
        }
    }
}

/// What to start. Standard input is `/dev/null`; standard output and error are appended to the folder's
/// [`log`](ProcessFolder::log); the process leads a process group of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessSpec {
    pub(crate) name: String,
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<OsString>,
    pub(crate) env: Vec<(OsString, OsString)>,
    pub(crate) folder: ProcessFolder,
    pub(crate) cwd: Option<PathBuf>,
}

impl ProcessSpec {
    /// A process called `name` (for people), running `program` in its own fresh folder.
    ///
    /// A program without a slash is looked for on the `PATH`; any other one is taken from the runner's working folder.
    #[must_use]
    pub fn new(name: impl Into<String>, program: impl Into<PathBuf>, folder: ProcessFolder) -> ProcessSpec {
        ProcessSpec { name: name.into(), program: program.into(), args: Vec::new(), env: Vec::new(), folder, cwd: None }
    }

    /// With these arguments after those it has.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> ProcessSpec {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// With a variable in addition to the runner's environment.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> ProcessSpec {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Working in another folder than its own: a user's command expects its project's.
    #[must_use]
    pub fn cwd(mut self, cwd: impl Into<PathBuf>) -> ProcessSpec {
        self.cwd = Some(cwd.into());
        self
    }
}

/// A started process. Only data: the process lives on when this value goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProcessHandle {
    /// Its number within the run.
    pub id: ProcessId,
    /// Its pid as the runner sees it.
    pub pid: u32,
    /// Its name, for people.
    pub name: String,
    /// When its program was executing, by the keeper's reading of the clock.
    pub started: Stamp,
}

/// What can be done to a process, and to everything in its process group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// SIGKILL. The exit that follows was asked for.
    Kill,
    /// SIGTERM. The exit that follows, by any status or by that signal, was asked for.
    Term,
    /// SIGSTOP.
    Pause,
    /// SIGCONT.
    Resume,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// With this status.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// With the keeper, unseen.
    Lost,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Code(status) => write!(f, "exited with status {status}"),
            Exit::Signal(number) => match nix::sys::signal::Signal::try_from(*number) {
                Ok(signal) => write!(f, "was killed by {}", signal.as_str()),
                Err(_) => write!(f, "was killed by signal {number}"),
            },
            Exit::Lost => write!(f, "was lost with the keeper"),
        }
    }
}

/// The end of one process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exited {
    /// Its number within the run.
    pub id: ProcessId,
    /// Its name, for people.
    pub name: String,
    /// The pid it had.
    pub pid: u32,
    /// How it ended.
    pub how: Exit,
    /// We ended it. False for everything that happened on its own: a crash, an early exit, another's kill.
    pub asked: bool,
    /// When the keeper saw it.
    pub at: Stamp,
}

/// News of the run's processes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Life {
    /// A process ended.
    Exited(Exited),
    /// The keeper died under us. An [`Exited`](Life::Exited) for each process that lived came before.
    KeeperLost {
        /// When the runner saw it.
        at: Stamp,
    },
}
