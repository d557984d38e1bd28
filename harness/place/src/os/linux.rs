//! Linux: subreapers, parent-death signals, signals as a file descriptor.

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::{Pid, getppid};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// From now on the orphans among our descendants become our children.
pub(crate) fn become_subreaper() -> io::Result<()> {
    Ok(prctl::set_child_subreaper(true)?)
}

/// SIGKILL for the calling process when the thread that forked it ends. SIGKILL, because a stopped process handles
/// nothing else. `parent` is whom `getppid` must name afterwards; another one means that ours died before the call.
///
/// Async-signal-safe.
pub(crate) fn die_with_parent(parent: Pid) -> io::Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    if getppid() != parent {
        return Err(Errno::ESRCH.into());
    }
    Ok(())
}

/// Whom `getppid` names in a process whose parent is outside its PID namespace.
pub(crate) const OUTSIDE: Pid = Pid::from_raw(0);

/// A name for `ps`, at most 15 bytes.
pub(crate) fn set_process_name(name: &std::ffi::CStr) {
    let _ = prctl::set_name(name);
}

/// SIGCHLD as something to poll. The signal must be blocked.
#[derive(Debug)]
pub(crate) struct ChildWatch {
    signals: SignalFd,
}

impl ChildWatch {
    pub(crate) fn new() -> io::Result<ChildWatch> {
        let mask: SigSet = [Signal::SIGCHLD].into_iter().collect();
        let signals = SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        Ok(ChildWatch { signals })
    }

    /// Readable when a child may have exited.
    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.signals.as_fd())
    }

    /// How often to look although nothing became readable.
    pub(crate) fn tick(&self) -> Option<Duration> {
        None
    }

    /// Takes what is there to read: SIGCHLDs merge, so one says only "look".
    pub(crate) fn clear(&self) {
        while let Ok(Some(_)) = self.signals.read_signal() {}
    }
}

/// A child that has exited and is not reaped yet, so that its pid and group are still its own.
///
/// None: no child has exited. ECHILD: there are no children.
pub(crate) fn peek_exit() -> Result<Option<(Pid, WaitStatus)>, Errno> {
    let status = waitid(Id::All, WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT)?;
    Ok(status.pid().map(|pid| (pid, status)))
}
