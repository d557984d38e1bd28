//! Kernels without parent-death signals, subreapers, PID namespaces and `/proc`.

use super::Identity;
use nix::errno::Errno;
use nix::sys::wait::WaitStatus;
use nix::unistd::Pid;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::Duration;

pub(crate) const OUTSIDE: Pid = Pid::from_raw(0);

pub(crate) fn own_identity() -> io::Result<Identity> {
    Ok(Identity { pid: std::process::id(), parent: 0, start_time: 0, zombie: false })
}

/// Without a start time no pid is safe to kill later, so nobody is ever found.
pub(crate) fn identity(_pid: u32) -> io::Result<Identity> {
    Err(io::ErrorKind::NotFound.into())
}

/// Nobody can tell; the signal was sent.
pub(crate) fn stands_still(_pid: u32) -> io::Result<bool> {
    Ok(true)
}

pub(crate) fn waits(_pid: u32) -> Vec<(u32, u64)> {
    Vec::new()
}

pub(crate) fn children_of(_pid: u32) -> Vec<u32> {
    Vec::new()
}

pub(crate) fn marked(_run: &Path) -> Vec<Identity> {
    Vec::new()
}

pub(crate) fn command_name(_pid: u32) -> String {
    String::new()
}

pub(crate) fn reap_orphan(_pid: u32, _start_time: u64) {}

pub(crate) fn boot_id() -> Option<String> {
    None
}

pub(crate) fn pid_namespace() -> Option<String> {
    None
}

pub(crate) fn become_subreaper() -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn die_with_parent(_parent: Pid) -> io::Result<()> {
    Ok(())
}

/// Without signals as file descriptors the keeper looks for exits at intervals.
#[derive(Debug)]
pub(crate) struct ChildWatch;

impl ChildWatch {
    pub(crate) fn new() -> io::Result<ChildWatch> {
        Ok(ChildWatch)
    }

    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    pub(crate) fn tick(&self) -> Option<Duration> {
        Some(Duration::from_millis(20))
    }

    pub(crate) fn clear(&self) {}
}

/// Here the child is reaped by looking.
pub(crate) fn peek_exit() -> Result<Option<(Pid, WaitStatus)>, Errno> {
    let status = nix::sys::wait::waitpid(None, Some(nix::sys::wait::WaitPidFlag::WNOHANG))?;
    Ok(status.pid().map(|pid| (pid, status)))
}
