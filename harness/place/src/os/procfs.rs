//! Reading `/proc` (proc_pid_stat(5), proc_pid_environ(5)).

use super::{Identity, MARK};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Who has this pid now. Not found: nobody.
pub(crate) fn identity(pid: u32) -> io::Result<Identity> {
    read_stat(Path::new(&format!("/proc/{pid}/stat")))
}

/// Ourselves, under the pid that the mounted `/proc` knows: inside a fresh PID namespace `getpid` answers another one.
pub(crate) fn own_identity() -> io::Result<Identity> {
    read_stat(Path::new("/proc/self/stat"))
}

/// Do all threads of a process stand still (SIGSTOP, group stop)? Not found: it is gone.
pub(crate) fn stands_still(pid: u32) -> io::Result<bool> {
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread that ended meanwhile does not run.
        let Ok(stat) = fs::read_to_string(task?.path().join("stat")) else { continue };
        if state(&stat).is_some_and(|state| state != "T") {
            return Ok(false);
        }
    }
    Ok(true)
}

/// For how long each thread of a process has been ready to run without a processor, in nanoseconds since it began: the second number
/// of `schedstat` (Documentation/scheduler/sched-stats.rst). Nothing of a process that is gone, or where the kernel does not count.
pub(crate) fn waits(pid: u32) -> Vec<(u32, u64)> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let wait = |task: fs::DirEntry| {
        let stat = fs::read_to_string(task.path().join("schedstat")).ok()?;
        Some((task.file_name().to_str()?.parse().ok()?, stat.split_ascii_whitespace().nth(1)?.parse().ok()?))
    };
    tasks.filter_map(|task| wait(task.ok()?)).collect()
}

fn state(stat: &str) -> Option<&str> {
    stat.rsplit_once(") ")?.1.split_ascii_whitespace().next()
}

/// All processes whose parent is `pid`, zombies left out.
pub(crate) fn children_of(pid: u32) -> Vec<u32> {
    pids()
        .filter_map(|child| identity(child).ok())
        .filter(|child| child.parent == pid && !child.zombie)
        .map(|child| child.pid)
        .collect()
}

/// All live processes but us that carry a run's mark in their environment or work in its folder.
pub(crate) fn marked(run: &Path) -> Vec<Identity> {
    let variable = [MARK.as_bytes(), b"=", run.as_os_str().as_bytes()].concat();
    pids()
        .filter(|pid| *pid != std::process::id())
        .filter(|pid| carries(*pid, &variable) || works_in(*pid, run))
        .filter_map(|pid| identity(pid).ok())
        .filter(|found| !found.zombie)
        .collect()
}

/// What the process calls itself, at most 15 bytes.
pub(crate) fn command_name(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).map(|name| name.trim_end().to_owned()).unwrap_or_default()
}

/// Takes an exited process out of the process table, if a subreaper's fate has made it our child.
pub(crate) fn reap_orphan(pid: u32, start_time: u64) {
    let ours = |found: &Identity| found.start_time == start_time && found.zombie && found.parent == std::process::id();
    if identity(pid).is_ok_and(|found| ours(&found)) {
        let _ = waitpid(Pid::from_raw(pid.cast_signed()), Some(WaitPidFlag::WNOHANG));
    }
}

pub(crate) fn boot_id() -> Option<String> {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").ok().map(|id| id.trim().to_owned())
}

pub(crate) fn pid_namespace() -> Option<String> {
    fs::read_link("/proc/self/ns/pid").ok().map(|link| link.to_string_lossy().into_owned())
}

fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Other users' processes cannot be read, and are none of ours.
fn carries(pid: u32, variable: &[u8]) -> bool {
    fs::read(format!("/proc/{pid}/environ"))
        .is_ok_and(|environment| environment.split(|byte| *byte == 0).any(|entry| entry == variable))
}

fn works_in(pid: u32, run: &Path) -> bool {
    fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(run))
}

fn read_stat(path: &Path) -> io::Result<Identity> {
    let stat = match fs::read(path) {
        // A process that ends while its file is open.
        Err(e) if e.raw_os_error() == Some(nix::libc::ESRCH) => return Err(io::ErrorKind::NotFound.into()),
        other => other?,
    };
    parse_stat(&String::from_utf8_lossy(&stat)).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}

/// `pid (comm) state ppid …`, where comm is any text, blanks and brackets included.
fn parse_stat(stat: &str) -> Option<Identity> {
    let (pid, rest) = stat.split_once(" (")?;
    let (_, fields) = rest.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
    Some(Identity {
        pid: pid.parse().ok()?,
        parent: fields.get(1)?.parse().ok()?,
        // Fields are counted from 1, and the first here is the third.
        start_time: fields.get(22 - 3)?.parse().ok()?,
        zombie: matches!(*fields.first()?, "Z" | "X"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_command_name_is_seen_through(name in ".{0,15}", pid in 1u32..4_194_304, parent in 0u32..4_194_304, start: u64) {
            let stat = format!("{pid} ({name}) S {parent} 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 {start} 9 10 11");
            prop_assert_eq!(parse_stat(&stat), Some(Identity { pid, parent, start_time: start, zombie: false }));
        }

        #[test]
        fn no_text_upsets_it(text in ".{0,200}") {
            let _ = parse_stat(&text);
        }
    }

    #[test]
    fn we_find_ourselves() {
        let own = own_identity().unwrap();
        assert_eq!(own.pid, std::process::id());
        assert_eq!(own, identity(own.pid).unwrap());
        assert_eq!(own.parent, nix::unistd::getppid().as_raw().unsigned_abs());
    }

    #[test]
    fn a_pid_that_nobody_has_is_not_found() {
        assert_eq!(identity(u32::MAX).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn the_state_is_seen_through_any_name() {
        assert_eq!(state("7 (a) R ) T 1 1"), Some("T"));
        assert_eq!(state("7 a"), None);
        assert!(!stands_still(std::process::id()).unwrap());
        assert_eq!(stands_still(u32::MAX).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_zombie_is_told_from_a_process() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while !identity(child.id()).unwrap().zombie {
            assert!(std::time::Instant::now() < deadline);
            super::super::poll_until(&[], std::time::Instant::now()).unwrap();
        }
        assert!(!children_of(std::process::id()).contains(&child.id()));
        child.wait().unwrap();
    }
}
