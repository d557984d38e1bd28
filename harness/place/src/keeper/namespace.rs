//! The PID namespace around a run, and its first process.

use super::types::{Net, NetWish};
use nix::unistd::Pid;
use std::io;

/// The net the keeper works with.
#[derive(Debug)]
pub(super) struct Enclosure {
    pub(super) net: Net,
    /// The namespace's first process: the kernel ends all others with it.
    pub(super) init: Option<Pid>,
}

impl Enclosure {
    fn tree(why: impl Into<String>) -> Enclosure {
        Enclosure { net: Net::ProcessTree { why: why.into() }, init: None }
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn enclose(_wish: NetWish) -> io::Result<Enclosure> {
    Ok(Enclosure::tree("this system has no PID namespaces"))
}

/// Encloses all future children of the calling process, by the best means that the wish and the system allow.
///
/// The caller itself stays outside, or it could not clean up after its namespace. It must have one thread only.
///
/// # Errors
/// If a namespace was allowed in rehearsal and then not: the caller could not fork any more.
#[cfg(target_os = "linux")]
pub(super) fn enclose(wish: NetWish) -> io::Result<Enclosure> {
    let mut refused = Vec::new();
    for user in [false, true] {
        if wish > if user { NetWish::UserNamespace } else { NetWish::Best } {
            continue;
        }
        match linux::rehearse(user) {
            Ok(()) => {
                let init = linux::enter(user).and_then(|()| linux::start_init()).map_err(io::Error::other)?;
                return Ok(Enclosure { net: Net::PidNamespace { user }, init: Some(init) });
            }
            Err(why) => refused.push(why),
        }
    }
    Ok(if refused.is_empty() { Enclosure::tree("as asked") } else { Enclosure::tree(refused.join("; ")) })
}

#[cfg(target_os = "linux")]
mod linux {
    use super::{Pid, io};
    use crate::os;
    use nix::errno::Errno;
    use nix::libc;
    use nix::sched::{CloneFlags, unshare};
    use nix::sys::signal::{SigHandler, Signal, signal};
    use nix::sys::wait::waitpid;
    use nix::unistd::{ForkResult, fork, getegid, geteuid, pause};
    use std::fs;
    use std::io::{PipeReader, PipeWriter, Read, Write};

    /// What a first process says once it will die with the keeper.
    const READY: &[u8] = b"ready";

    /// Tries it in a child. There is no way back from a namespace without a first process (no fork succeeds any more),
    /// nor from a user namespace without its maps (no file can be created).
    pub(super) fn rehearse(user: bool) -> Result<(), String> {
        let rehearsal = forked(|tell| {
            let outcome = enter(user).and_then(|()| start_init());
            let _ = (&tell).write_all(outcome.as_ref().map_or_else(String::as_bytes, |_| READY));
        });
        let (rehearsal, mut told) = rehearsal.map_err(|e| format!("namespaces could not be tried: {e}"))?;
        let mut outcome = Vec::new();
        let _ = told.read_to_end(&mut outcome);
        let _ = waitpid(rehearsal, None);
        if outcome == READY { Ok(()) } else { Err(String::from_utf8_lossy(&outcome).into_owned()) }
    }

    /// Future children go into a new PID namespace.
    pub(super) fn enter(user: bool) -> Result<(), String> {
        if !user {
            return unshare(CloneFlags::CLONE_NEWPID).map_err(|e| format!("a PID namespace was refused: {}", words(e)));
        }
        let (uid, gid) = (geteuid(), getegid());
        unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWPID)
            .map_err(|e| format!("a user namespace was refused: {}", words(e)))?;
        let write = |file: &str, text: String| fs::write(file, text).map_err(|e| format!("{file} was refused: {e}"));
        write("/proc/self/setgroups", "deny".into())?;
        write("/proc/self/uid_map", format!("{uid} {uid} 1"))?;
        write("/proc/self/gid_map", format!("{gid} {gid} 1"))
    }

    /// unshare(2) says "no space left on device" for a limit that an administrator sets, often to 0.
    fn words(refusal: Errno) -> &'static str {
        match refusal {
            Errno::ENOSPC => "the limit on namespaces is reached (sysctl user.max_pid_namespaces, max_user_namespaces)",
            other => other.desc(),
        }
    }

    /// The first process of the new namespace: it reaps orphans, dies with its parent, and does nothing else.
    pub(super) fn start_init() -> Result<Pid, String> {
        let failed = |e: io::Error| format!("the namespace's first process was refused: {e}");
        let (init, mut told) = forked(|tell| {
            // Had the parent died before the prctl, the pipe would have no reader any more.
            if os::die_with_parent(os::OUTSIDE).and_then(|()| (&tell).write_all(READY)).is_ok() {
                reap_for_ever();
            }
        })
        .map_err(failed)?;
        let mut ready = [0; READY.len()];
        told.read_exact(&mut ready).map_err(failed)?;
        Ok(init)
    }

    fn reap_for_ever() {
        os::set_process_name(c"squall-init");
        close_everything();
        #[expect(unsafe_code, reason = "a signal's disposition is the process's own; no handler runs")]
        // SAFETY: SIG_IGN is no function. The kernel reaps the children of a process that ignores SIGCHLD.
        let ignored = unsafe { signal(Signal::SIGCHLD, SigHandler::SigIgn) };
        while ignored.is_ok() {
            pause();
        }
    }

    /// The pipe to the runner must close when the keeper dies, and not when init does.
    fn close_everything() {
        #[expect(unsafe_code, reason = "nix has no close_range")]
        // SAFETY: this process only pauses from here on; nothing in it uses a descriptor again.
        unsafe {
            libc::syscall(libc::SYS_close_range, 0, libc::c_uint::MAX, 0);
        }
    }

    /// Runs `body` in a forked child that then exits with 0; the child writes into a pipe, the parent reads from it.
    fn forked(body: impl FnOnce(PipeWriter)) -> io::Result<(Pid, PipeReader)> {
        let (told, tell) = io::pipe()?;
        #[expect(unsafe_code, reason = "the namespace's first process is a fork without exec")]
        // SAFETY: the keeper has one thread, so the child's copy of every lock and of the heap is whole.
        let forked = unsafe { fork() }?;
        match forked {
            ForkResult::Parent { child } => Ok((child, told)),
            ForkResult::Child => {
                drop(told);
                body(tell);
                #[expect(unsafe_code, reason = "the keeper's guards and buffers are not the child's to run")]
                // SAFETY: _exit is always sound.
                unsafe {
                    libc::_exit(0)
                }
            }
        }
    }
}
