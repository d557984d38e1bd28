//! A hold on one process that a reused pid cannot betray.

use super::identity;
#[cfg(target_os = "linux")]
use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

/// How often a process is looked at where the kernel has no pidfd (before Linux 5.3).
const LOOK: Duration = Duration::from_millis(10);

/// One process, found by pid and start time and held by a pidfd where the kernel has them.
#[derive(Debug)]
pub(crate) struct Hold {
    pid: u32,
    start_time: u64,
    fd: Option<OwnedFd>,
}

impl Hold {
    /// None if the process is gone: nobody has the pid, another process has it, or it only waits to be reaped.
    pub(crate) fn of(pid: u32, start_time: u64) -> Option<Hold> {
        let hold = Hold { pid, start_time, fd: open_pidfd(pid) };
        // Looked at after the pidfd was opened: if it is the right process now, it was then.
        hold.lives().then_some(hold)
    }

    /// Sends the signal; a process that has just ended is no error.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        let sent = match &self.fd {
            Some(fd) => send_by_pidfd(fd, signal),
            None if self.lives() => kill(self.nix_pid(), signal).map_err(io::Error::from),
            None => Ok(()),
        };
        match sent {
            Err(e) if e.raw_os_error() == Some(nix::libc::ESRCH) => Ok(()),
            other => other,
        }
    }

    /// Waits until the process has exited. False if it still lives at the deadline.
    pub(crate) fn wait_gone(&self, deadline: Instant) -> bool {
        while self.lives() {
            let (fds, until) = match &self.fd {
                Some(fd) => (vec![fd.as_fd()], deadline),
                None => (vec![], deadline.min(Instant::now() + LOOK)),
            };
            if super::poll_until(&fds, until).is_err() || Instant::now() >= deadline {
                break;
            }
        }
        !self.lives()
    }

    /// If it has become our child (a subreaper's fate), takes it out of the process table.
    pub(crate) fn reap(&self) {
        let _ = waitpid(self.nix_pid(), Some(WaitPidFlag::WNOHANG));
    }

    fn lives(&self) -> bool {
        identity(self.pid).is_ok_and(|found| found.start_time == self.start_time && !found.zombie)
    }

    fn nix_pid(&self) -> Pid {
        Pid::from_raw(self.pid.cast_signed())
    }
}

/// Waits until a child of ours has exited, and reaps it. None if it still runs at the deadline.
pub(crate) fn wait_for_exit(child: &mut Child, deadline: Instant) -> io::Result<Option<ExitStatus>> {
    let fd = open_pidfd(child.id());
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        match &fd {
            Some(fd) => super::poll_until(&[fd.as_fd()], deadline)?,
            None => super::poll_until(&[], deadline.min(Instant::now() + LOOK))?,
        };
    }
}

#[cfg(target_os = "linux")]
fn open_pidfd(pid: u32) -> Option<OwnedFd> {
    use std::os::fd::FromRawFd;
    #[expect(unsafe_code, reason = "nix has no pidfd_open; the kernel hands us a new descriptor, close-on-exec")]
    // SAFETY: the call takes two integers, and a non-negative answer is a descriptor that nobody else owns.
    unsafe {
        let fd = libc::syscall(libc::SYS_pidfd_open, pid, 0);
        i32::try_from(fd).ok().filter(|fd| *fd >= 0).map(|fd| OwnedFd::from_raw_fd(fd))
    }
}

#[cfg(not(target_os = "linux"))]
fn open_pidfd(_pid: u32) -> Option<OwnedFd> {
    None
}

#[cfg(target_os = "linux")]
fn send_by_pidfd(fd: &OwnedFd, signal: Signal) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    #[expect(unsafe_code, reason = "nix has no pidfd_send_signal")]
    // SAFETY: the descriptor is open, and a null siginfo asks for the one that kill(2) would send.
    let sent = unsafe {
        let no_info = std::ptr::null::<libc::siginfo_t>();
        libc::syscall(libc::SYS_pidfd_send_signal, fd.as_raw_fd(), signal as libc::c_int, no_info, 0)
    };
    if sent == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(not(target_os = "linux"))]
fn send_by_pidfd(_fd: &OwnedFd, _signal: Signal) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    #[test]
    fn a_stopped_process_is_killed_and_seen_to_go() {
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        let found = identity(child.id()).unwrap();
        let hold = Hold::of(found.pid, found.start_time).unwrap();
        hold.signal(Signal::SIGSTOP).unwrap();
        assert!(!hold.wait_gone(Instant::now()));
        hold.signal(Signal::SIGKILL).unwrap();
        assert!(hold.wait_gone(soon()));
        hold.signal(Signal::SIGKILL).unwrap();
        assert!(Hold::of(found.pid, found.start_time).is_none(), "a zombie is not held");
        child.wait().unwrap();
    }

    #[test]
    fn without_a_pidfd_the_same() {
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        let found = identity(child.id()).unwrap();
        let hold = Hold { pid: found.pid, start_time: found.start_time, fd: None };
        assert!(!hold.wait_gone(Instant::now() + Duration::from_millis(30)));
        hold.signal(Signal::SIGKILL).unwrap();
        assert!(hold.wait_gone(soon()));
        child.wait().unwrap();
    }

    #[test]
    fn a_later_process_with_the_same_pid_is_not_taken_for_it() {
        let own = super::super::own_identity().unwrap();
        assert!(Hold::of(own.pid, own.start_time).is_some());
        assert!(Hold::of(own.pid, own.start_time + 1).is_none());
    }

    #[test]
    fn a_child_is_waited_for_no_longer_than_the_deadline() {
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        assert_eq!(wait_for_exit(&mut child, Instant::now() + Duration::from_millis(20)).unwrap(), None);
        child.kill().unwrap();
        assert!(wait_for_exit(&mut child, soon()).unwrap().is_some());
    }
}
