//! What the tests share: folders, processes that can be recognised, and waiting.

use nix::unistd::Pid;
use squall_place::{Base, Keeper, NetWish, ProcessSpec, Recovery, RunFolder, recover_in};
use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Long enough for a machine that is busy with something else; what is waited for takes milliseconds.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// A killed run's processes are to be gone within this.
pub(crate) const GONE: Duration = Duration::from_secs(5);

pub(crate) fn soon() -> Instant {
    Instant::now() + SOON
}

pub(crate) fn exe() -> PathBuf {
    std::env::current_exe().unwrap()
}

/// Waits until the condition holds. Panics with what it last said if it does not in time.
pub(crate) fn until<T, W: std::fmt::Debug>(within: Duration, mut look: impl FnMut() -> Result<T, W>) -> T {
    let deadline = Instant::now() + within;
    loop {
        match look() {
            Ok(found) => return found,
            Err(why) if Instant::now() >= deadline => panic!("not within {within:?}: {why:?}"),
            Err(_) => std::thread::park_timeout(Duration::from_millis(5)),
        }
    }
}

/// On a runtime of one thread, as the engine's.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// A base of its own, gone with the value.
pub(crate) struct World {
    _dir: tempfile::TempDir,
    pub(crate) base: Base,
}

impl World {
    pub(crate) fn new() -> World {
        let dir = tempfile::Builder::new().prefix("sq").tempdir().unwrap();
        let base = Base::at(dir.path().join("b")).unwrap();
        World { _dir: dir, base }
    }

    pub(crate) async fn keeper(&self, wish: NetWish) -> Keeper {
        let folder = RunFolder::create_in(&self.base).unwrap();
        Keeper::start_with(&exe(), folder, wish).await.unwrap()
    }

    /// Folders of runs that are still there.
    pub(crate) fn folders(&self) -> Vec<PathBuf> {
        fs::read_dir(self.base.path()).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    /// What a recovery in this base finds.
    pub(crate) fn recover(&self) -> Recovery {
        recover_in(std::slice::from_ref(&self.base))
    }

    pub(crate) fn wait_clean(&self) {
        until(GONE, || match self.folders() {
            left if left.is_empty() => Ok(()),
            left => Err(left),
        });
    }
}

/// A shell script as a process of the run.
pub(crate) fn script(keeper: &Keeper, name: &str, script: &str) -> ProcessSpec {
    ProcessSpec::new(name, "sh", keeper.folder().process_folder(name).unwrap()).args(["-c", script])
}

/// An argument for `sleep` that no other process on this machine has.
pub(crate) fn unique_nap() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("9{:07}.{:04}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A process found in `/proc` by its command line.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) pid: u32,
    pub(crate) state: char,
}

/// All `sleep` and `sh` that were executed with this word and have not exited.
pub(crate) fn sleepers(nap: &str) -> Vec<Found> {
    let pids = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| {
        let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let state = state_of(pid)?;
        let words: Vec<&[u8]> = command.split(|byte| *byte == 0).collect();
        let of_ours = matches!(words[0], b"sleep" | b"sh") && words.contains(&nap.as_bytes());
        (of_ours && !matches!(state, 'Z' | 'X')).then_some(Found { pid, state })
    })
    .collect()
}

/// As `ps` shows it; none if there is no such process.
fn state_of(pid: u32) -> Option<char> {
    fs::read_to_string(format!("/proc/{pid}/stat")).ok()?.rsplit_once(") ")?.1.chars().next()
}

pub(crate) fn wait_stopped(pid: Pid) {
    until(SOON, || match state_of(pid.as_raw().unsigned_abs()) {
        Some('T') => Ok(()),
        other => Err(other),
    });
}

pub(crate) fn wait_for_sleepers(nap: &str, number: usize) {
    until(SOON, || match sleepers(nap) {
        found if found.len() == number => Ok(()),
        found => Err(found),
    });
}

/// Killed processes are to be gone within seconds.
pub(crate) fn wait_gone(nap: &str) {
    until(GONE, || match sleepers(nap) {
        left if left.is_empty() => Ok(()),
        left => Err(left),
    });
}

/// Until a process has said something into its log: it is up.
pub(crate) fn wait_for_words(log: &Path, words: &str) {
    until(SOON, || match fs::read_to_string(log) {
        Ok(said) if said == words => Ok(()),
        other => Err(other),
    });
}
