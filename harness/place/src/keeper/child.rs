//! Starting one process, as a child of the keeper.

use super::protocol::{Refusal, Spawn};
use crate::folder::journal::{Entry, Journal, Kind};
use crate::os;
use nix::sys::signal::SigSet;
use nix::unistd::Pid;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

/// What all processes of a run share.
#[derive(Debug)]
pub(super) struct Surroundings<'a> {
    /// The run's folder, which is also its mark.
    pub(super) folder: &'a Path,
    pub(super) journal: &'a Arc<Journal>,
    /// Whom `getppid` must name in the child.
    pub(super) parent: Pid,
}

/// Forks and executes. When it returns the program runs, and the journal has named it since before.
///
/// To be called from the keeper's only thread: a parent-death signal is sent when the forking *thread* ends.
pub(super) fn start(spec: &Spawn, around: &Surroundings<'_>) -> Result<Pid, Refusal> {
    // An exec that fails with "not found" does not say what: look at the folder first.
    std::fs::metadata(&spec.cwd)
        .map_err(|e| Refusal::system(format!("cannot enter {}, to run", spec.cwd.display()), &e))?;
    let log = open_log(&spec.log).map_err(|e| Refusal::system("cannot open the log of", &e))?;
    let also_log = log.try_clone().map_err(|e| Refusal::system("cannot open the log of", &e))?;
    let mut command = Command::new(&spec.program);
    command
        .args(&spec.args)
        .envs(spec.env.iter().map(|(name, value)| (name, value)))
        .env(os::MARK, around.folder)
        .current_dir(&spec.cwd)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(also_log)
        .process_group(0);
    before_exec(&mut command, spec.name.clone(), around);
    let child = command.spawn().map_err(|e| Refusal::system("cannot execute", &e))?;
    // The keeper reaps by itself; std's Child neither kills nor waits when dropped.
    Ok(Pid::from_raw(child.id().cast_signed()))
}

fn before_exec(command: &mut Command, name: String, around: &Surroundings<'_>) {
    let (parent, journal) = (around.parent, Arc::clone(around.journal));
    let prepare = move || -> io::Result<()> {
        os::die_with_parent(parent)?;
        SigSet::empty().thread_set_mask()?;
        let own = os::own_identity()?;
        journal.append(&Entry { pid: own.pid, start_time: own.start_time, name: name.clone(), kind: Kind::Process })
    };
    #[expect(unsafe_code, reason = "parent-death signal, signal mask and journal belong between fork and exec")]
    // SAFETY: the keeper has one thread, so the forked child may allocate and use files like any process.
    unsafe {
        command.pre_exec(prepare);
    }
}

fn open_log(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}
