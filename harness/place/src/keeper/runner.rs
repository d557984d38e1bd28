//! The runner's side: starting the keeper, and asking it from any task.

use super::entry::{FOLDER, NET, WORD};
use super::protocol::{Command, Refusal, Spawn, write_line};
use super::table::{Answer, Standing, Table};
use super::types::{Exit, Exited, Life, Net, NetWish, ProcessHandle, ProcessId, ProcessSpec, Signal};
use crate::error::PlaceError;
use crate::folder::RunFolder;
use crate::os;
use crate::recover;
use nix::sys::signal::{Signal as Unix, kill};
use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{self, Child, ChildStdin, ChildStdout, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::{broadcast, oneshot, watch};
use tokio::time::{timeout, timeout_at};

/// Starting and answering take milliseconds; on a machine this slow nothing measured would mean anything.
const PATIENCE: Duration = Duration::from_secs(15);

/// What the keeper's own clean-up may take after the grace of a shutdown.
const AFTER_GRACE: Duration = Duration::from_secs(20);

/// The keeper's standard error, in the run folder.
const LOG: &str = "keeper.log";

/// A handle on the keeper of one run. Dropping it ends the run's processes and removes the folder, a moment later;
/// [`shutdown`](Keeper::shutdown) does it in order and waits.
///
/// Two threads of its own speak with the keeper, so it can be used from any tokio runtime (with time enabled), and a busy
/// one delays no news. Read the processes' logs before a shutdown: the folder goes with it.
#[derive(Debug)]
pub struct Keeper {
    shared: Arc<Shared>,
    commands: mpsc::Sender<Command>,
    next: AtomicU64,
    net: Net,
}

/// What the reading thread keeps until the keeper has ended: above all the folder, with its lock.
#[derive(Debug)]
struct Shared {
    table: Table,
    folder: RunFolder,
    child: Mutex<Option<Child>>,
    pid: u32,
}

impl Keeper {
    /// Starts the keeper of a run: `exe keeper …`, where `exe` is the program whose `main` calls
    /// [`keeper_main`](super::keeper_main).
    ///
    /// # Errors
    /// [`PlaceError::KeeperStart`] with the keeper's last words.
    pub async fn start(exe: &Path, folder: RunFolder) -> Result<Keeper, PlaceError> {
        Keeper::start_with(exe, folder, NetWish::Best).await
    }

    /// As [`start`](Keeper::start), with a wish for how the processes are held together.
    ///
    /// # Errors
    /// [`PlaceError::KeeperStart`] with the keeper's last words.
    pub async fn start_with(exe: &Path, folder: RunFolder, wish: NetWish) -> Result<Keeper, PlaceError> {
        let refuse = |why: String| PlaceError::KeeperStart { exe: exe.to_owned(), why };
        // Should the keeper be killed, its orphans become ours. Where there is no such thing they are left to recovery.
        let _ = os::become_subreaper();
        let mut child = launch(exe, folder.path(), wish).map_err(|e| refuse(e.to_string()))?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(refuse("it has no pipes".into()));
        };
        let pid = child.id();
        let shared = Arc::new(Shared { table: Table::new(), folder, child: Mutex::new(Some(child)), pid });
        let mut standing = shared.table.standing();
        let (commands, queue) = mpsc::channel();
        let thread_failed = |e: std::io::Error| refuse(format!("no thread to speak with it: {e}"));
        spawn_thread("squall-keeper-w", move || write_commands(&queue, &stdin)).map_err(thread_failed)?;
        let reader = Arc::clone(&shared);
        spawn_thread("squall-keeper-r", move || read_events(&reader, stdout)).map_err(thread_failed)?;
        let settled = timeout(PATIENCE, standing.wait_for(|standing| *standing != Standing::Starting)).await;
        let settled = settled.map(|standing| standing.map(|standing| standing.clone()));
        match settled {
            Ok(Ok(Standing::Serving(net))) => Ok(Keeper { shared, commands, next: AtomicU64::new(1), net }),
            Ok(_) => Err(refuse(last_words(shared.folder.path()))),
            Err(_) => {
                shared.kill();
                Err(refuse(format!("it said nothing for {PATIENCE:?}")))
            }
        }
    }

    /// What holds the processes of this run together.
    #[must_use]
    pub fn net(&self) -> &Net {
        &self.net
    }

    /// The run's folder.
    #[must_use]
    pub fn folder(&self) -> &RunFolder {
        &self.shared.folder
    }

    /// The keeper's own pid.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.shared.pid
    }

    /// Starts a process. When this returns its program is executing, which does not mean that it is ready.
    ///
    /// # Errors
    /// [`PlaceError::Spawn`] with the system's answer, [`PlaceError::Spec`], [`PlaceError::ShuttingDown`],
    /// [`PlaceError::KeeperLost`], [`PlaceError::Unresponsive`].
    pub async fn spawn(&self, spec: ProcessSpec) -> Result<ProcessHandle, PlaceError> {
        let seq = self.next.fetch_add(1, Ordering::Relaxed);
        let command = Command::Spawn(Spawn::new(seq, &spec)?);
        match self.ask(seq, &spec.name, command, "spawn").await? {
            Answer::Started(handle) => Ok(handle),
            Answer::Refused(Refusal::System { what, errno }) => Err(PlaceError::Spawn {
                name: spec.name,
                what,
                program: spec.program,
                source: std::io::Error::from_raw_os_error(errno),
            }),
            Answer::Refused(_) | Answer::Done => Err(PlaceError::ShuttingDown),
        }
    }

    /// Signals a process and its process group. When this returns the signal is sent, not yet obeyed.
    ///
    /// # Errors
    /// [`PlaceError::Exited`], [`PlaceError::UnknownProcess`], [`PlaceError::Signal`], [`PlaceError::KeeperLost`],
    /// [`PlaceError::Unresponsive`].
    pub async fn signal(&self, id: ProcessId, signal: Signal) -> Result<(), PlaceError> {
        let seq = self.next.fetch_add(1, Ordering::Relaxed);
        match self.ask(seq, "", Command::Signal { seq, id, signal }, "signal").await? {
            Answer::Done | Answer::Started(_) => Ok(()),
            Answer::Refused(Refusal::HasExited) => Err(PlaceError::Exited { id }),
            Answer::Refused(Refusal::System { errno, .. }) => {
                Err(PlaceError::Signal { id, source: std::io::Error::from_raw_os_error(errno) })
            }
            Answer::Refused(Refusal::UnknownProcess | Refusal::ShuttingDown) => Err(PlaceError::UnknownProcess { id }),
        }
    }

    /// Pauses a process and its group, and waits until every thread of it stands still.
    ///
    /// # Errors
    /// As [`signal`](Keeper::signal); [`PlaceError::StillRuns`] at the deadline.
    pub async fn pause(&self, process: &ProcessHandle, deadline: Instant) -> Result<(), PlaceError> {
        let since = Instant::now();
        self.signal(process.id, Signal::Pause).await?;
        loop {
            match os::stands_still(process.pid) {
                Ok(true) => return Ok(()),
                Ok(false) if Instant::now() < deadline => {}
                Ok(false) => {
                    let (name, pid) = (process.name.clone(), process.pid);
                    return Err(PlaceError::StillRuns { name, pid, waited: since.elapsed() });
                }
                Err(_) => return Err(PlaceError::Exited { id: process.id }),
            }
            look_again().await;
        }
    }

    /// For how long each thread of each of the processes has been ready to run without getting a processor, in nanoseconds since it
    /// began, by its number. Empty where the kernel does not count that.
    #[must_use]
    pub fn waits(&self) -> BTreeMap<u32, u64> {
        self.shared.table.running().into_iter().flat_map(os::waits).collect()
    }

    /// News of the processes from now on. A listener that falls 4096 behind misses some; [`ends`](Keeper::ends) has all.
    #[must_use]
    pub fn lives(&self) -> broadcast::Receiver<Life> {
        self.shared.table.lives()
    }

    /// Every end so far, in the order in which they were seen. An unasked one among them means that something broke.
    #[must_use]
    pub fn ends(&self) -> Vec<Exited> {
        self.shared.table.ends()
    }

    /// Waits for the end of a process, which may lie in the past.
    ///
    /// # Errors
    /// [`PlaceError::StillAlive`] at the deadline, [`PlaceError::UnknownProcess`], [`PlaceError::KeeperLost`].
    pub async fn wait_exit(&self, id: ProcessId, deadline: Instant) -> Result<Exited, PlaceError> {
        let Some((name, pid, mut end)) = self.shared.table.process(id) else {
            return Err(PlaceError::UnknownProcess { id });
        };
        let since = Instant::now();
        let ended = timeout_at(deadline.into(), end.wait_for(Option::is_some)).await;
        match ended.map(|end| end.ok().and_then(|end| end.clone())) {
            Ok(Some(exited)) if exited.how != Exit::Lost => Ok(exited),
            Ok(_) => Err(PlaceError::KeeperLost),
            Err(_) => Err(PlaceError::StillAlive { name, pid, waited: since.elapsed() }),
        }
    }

    /// Ends the run: SIGTERM to all, SIGKILL to who is left after `grace`, and the folder removed. Nothing of the run is
    /// left when this returns without an error. A second call waits for the same end.
    ///
    /// # Errors
    /// [`PlaceError::KeeperLost`] if the keeper died meanwhile, [`PlaceError::FolderLeft`] if only the folder resists,
    /// [`PlaceError::Unresponsive`] if the keeper had to be killed.
    pub async fn shutdown(&self, grace: Duration) -> Result<(), PlaceError> {
        let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        let _ = self.commands.send(Command::Shutdown { grace_ms });
        let mut standing = self.shared.table.standing();
        let patience = grace.saturating_add(AFTER_GRACE);
        let Ok(ended) = timeout(patience, wait_over(&mut standing)).await else {
            self.shared.kill();
            let _ = timeout(PATIENCE, wait_over(&mut standing)).await;
            return Err(PlaceError::Unresponsive { what: "shutdown", waited: patience });
        };
        match ended {
            Standing::Gone { left: None } => Ok(()),
            Standing::Gone { left: Some(why) } => Err(PlaceError::FolderLeft { why }),
            _ => Err(PlaceError::KeeperLost),
        }
    }

    async fn ask(&self, seq: u64, name: &str, command: Command, what: &'static str) -> Result<Answer, PlaceError> {
        let answered: oneshot::Receiver<Answer> = self.shared.table.expect(seq, name);
        self.commands.send(command).map_err(|_| PlaceError::KeeperLost)?;
        match timeout(PATIENCE, answered).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(self.why_silent()),
            Err(_) => Err(PlaceError::Unresponsive { what, waited: PATIENCE }),
        }
    }

    fn why_silent(&self) -> PlaceError {
        match *self.shared.table.standing().borrow() {
            Standing::Gone { .. } => PlaceError::ShuttingDown,
            _ => PlaceError::KeeperLost,
        }
    }
}

impl Shared {
    /// For a keeper that does not listen. Its processes die with it.
    fn kill(&self) {
        // The lock keeps the reading thread from reaping it, so the pid is still the keeper's.
        if self.child().is_some() {
            let _ = kill(Pid::from_raw(self.pid.cast_signed()), Unix::SIGKILL);
        }
    }

    /// Takes the dead keeper out of the process table.
    fn reap(&self) {
        if let Some(child) = self.child().as_mut() {
            let _ = child.wait();
        }
        *self.child() = None;
    }

    fn child(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A process has no way to say that it stands still but to be looked at.
#[expect(clippy::disallowed_methods, reason = "this is the interval of looking, not a wait for luck")]
async fn look_again() {
    tokio::time::sleep(Duration::from_micros(200)).await;
}

async fn wait_over(standing: &mut watch::Receiver<Standing>) -> Standing {
    standing.wait_for(Standing::is_over).await.map_or(Standing::Lost, |standing| standing.clone())
}

fn launch(exe: &Path, folder: &Path, wish: NetWish) -> std::io::Result<Child> {
    let log = fs::OpenOptions::new().append(true).create(true).open(folder.join(LOG))?;
    process::Command::new(exe)
        .arg(WORD)
        .arg(FOLDER)
        .arg(folder)
        .args([NET, wish.word()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
}

fn spawn_thread(name: &str, body: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    thread::Builder::new().name(name.into()).spawn(body).map(drop)
}

/// Ends, and closes the pipe, when the keeper's handle is dropped or the pipe breaks.
fn write_commands(queue: &mpsc::Receiver<Command>, pipe: &ChildStdin) {
    while let Ok(command) = queue.recv() {
        if let Err(e) = write_line(pipe, &command) {
            tracing::debug!("the keeper's pipe is closed: {e}");
            break;
        }
    }
}

/// Ends with the keeper, whose remains it clears away.
fn read_events(shared: &Shared, pipe: ChildStdout) {
    for line in BufReader::new(pipe).lines() {
        match line.map_err(|e| e.to_string()).and_then(|line| serde_json::from_str(&line).map_err(|e| e.to_string())) {
            Ok(event) => {
                if matches!(event, super::protocol::Event::Ready { .. }) {
                    shared.folder.leave_to_keeper(true);
                }
                shared.table.hear(event);
            }
            Err(e) => {
                tracing::warn!("the keeper cannot be understood: {e}");
                break;
            }
        }
    }
    settle(shared);
}

fn settle(shared: &Shared) {
    let died = !shared.table.took_leave();
    if died {
        // One that only closed its output, or speaks nonsense, is no keeper any more.
        shared.kill();
    }
    shared.reap();
    shared.table.fell_silent();
    if died {
        // Nobody else will: end what escaped, and let the folder go with its value.
        recover::end_processes(shared.folder.path());
        shared.folder.leave_to_keeper(false);
    }
    shared.table.close();
}

fn last_words(folder: &Path) -> String {
    let mut log = String::new();
    let _ = fs::File::open(folder.join(LOG)).and_then(|mut file| file.read_to_string(&mut log));
    let tail: Vec<&str> = log.lines().rev().take(3).collect();
    if tail.is_empty() {
        "it ended without a word".into()
    } else {
        tail.into_iter().rev().collect::<Vec<_>>().join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_and_threads_can_share_a_keeper() {
        fn shareable<T: Send + Sync + 'static>() {}
        shareable::<Keeper>();
    }
}
