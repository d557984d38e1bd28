//! What this machine allows. Facts only: the words are for whoever reads them to a person.

use crate::folder::Base;
use crate::keeper::{self, Net};
use crate::os;
use serde::Serialize;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// `python3 --version` and the like take a fraction of a second.
const VERSION_TAKES: Duration = Duration::from_secs(10);

/// Facts about this machine, for `squall doctor`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Survey {
    /// What would hold the processes of a run together; an error if no keeper could be started to find out.
    pub net: Result<Net, String>,
    /// Whether orphans come to the keeper and the runner instead of the system's init.
    pub subreaper: bool,
    /// Cores that this process may use, limits of its control group included. At least 1.
    pub cores: usize,
    /// Memory; none where the system does not tell.
    pub memory: Option<Memory>,
    /// Open files allowed to a process: soft and hard limit. None where the system does not tell.
    pub open_files: Option<(u64, u64)>,
    /// Where runs keep their folders, or why nowhere.
    pub base: Result<PathBuf, String>,
    /// What `python3 --version` says.
    pub python: Option<String>,
    /// What `python3 -m pip --version` says.
    pub pip: Option<String>,
    /// Operating system and machine as this program was built for, as `linux` and `x86_64`.
    pub platform: (&'static str, &'static str),
}

/// Memory in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// All of it, or the limit of our control group if that is less.
    pub total: u64,
    /// What could be used without swapping, by the kernel's estimate.
    pub available: u64,
}

/// Looks around. `exe` is the program whose `main` calls [`keeper_main`](crate::keeper_main): only a process with one
/// thread can try what namespaces allow. Takes up to a second (Python starts twice); changes nothing.
#[must_use]
pub fn survey(exe: &Path) -> Survey {
    let probed = keeper::probe(exe);
    Survey {
        subreaper: probed.as_ref().is_ok_and(|probed| probed.subreaper),
        net: probed.map(|probed| probed.net).map_err(|e| e.to_string()),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        memory: memory(),
        open_files: open_files(),
        base: Base::find().and_then(|base| writable(&base).map(|()| base.path().to_owned())).map_err(|e| e.to_string()),
        python: version("python3", &["--version"]),
        pip: version("python3", &["-m", "pip", "--version"]),
        platform: (std::env::consts::OS, std::env::consts::ARCH),
    }
}

fn writable(base: &Base) -> Result<(), crate::PlaceError> {
    crate::RunFolder::create_in(base).map(drop)
}

fn version(program: &str, args: &[&str]) -> Option<String> {
    let asked = || -> io::Result<Option<String>> {
        let mut child = Command::new(program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        // One line fits into the pipe, so it may be read after the end.
        if os::wait_for_exit(&mut child, Instant::now() + VERSION_TAKES)?.is_none() {
            child.kill()?;
        }
        let output = child.wait_with_output()?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        Ok((output.status.success() && !text.is_empty()).then_some(text))
    };
    asked().ok().flatten()
}

fn open_files() -> Option<(u64, u64)> {
    use nix::sys::resource::{Resource, getrlimit};
    getrlimit(Resource::RLIMIT_NOFILE).ok()
}

fn memory() -> Option<Memory> {
    let memory = parse_meminfo(&fs::read_to_string("/proc/meminfo").ok()?)?;
    let limit = fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|limit| limit.trim().parse().ok());
    let total = memory.total.min(limit.unwrap_or(u64::MAX));
    Some(Memory { total, available: memory.available.min(total) })
}

/// `/proc/meminfo` (proc_meminfo(5)): one `Name:   number kB` a line.
fn parse_meminfo(text: &str) -> Option<Memory> {
    let bytes = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
    };
    Some(Memory { total: bytes("MemTotal")?, available: bytes("MemAvailable")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meminfo() {
        let text = "MemTotal:       24680000 kB\nMemFree:         300 kB\nMemAvailable:    2000 kB\n";
        assert_eq!(parse_meminfo(text), Some(Memory { total: 24_680_000 * 1024, available: 2000 * 1024 }));
        assert_eq!(parse_meminfo("MemTotal: many kB\n"), None);
    }

    #[test]
    fn a_program_without_a_keeper_still_gets_the_other_facts() {
        let survey = survey(Path::new("/bin/true"));
        assert!(survey.net.is_err());
        assert!(!survey.subreaper);
        assert!(survey.cores >= 1);
        assert!(survey.base.is_ok(), "{survey:?}");
    }

    #[test]
    fn what_is_not_there_has_no_version() {
        assert_eq!(version("/does/not/exist", &[]), None);
        assert_eq!(version("sh", &["-c", "echo Python 3; exit 1"]), None);
        assert_eq!(version("sh", &["-c", "echo Python 3"]), Some("Python 3".into()));
    }
}
