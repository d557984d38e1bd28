//! Running another program to its end, or to a deadline.

use crate::os;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How often the caller may look around while the program runs.
const TICK: Duration = Duration::from_millis(100);

/// Of what a program says, only the end is kept.
const TAIL: usize = 16 * 1024;

/// How a program ended, and what it said last.
#[derive(Debug)]
pub(super) struct Finished {
    /// None: it was killed at the deadline.
    pub(super) status: Option<ExitStatus>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// Runs the program without input, calling `meanwhile` now and then. It ends with us: also if we are killed.
pub(super) fn run(command: &mut Command, deadline: Instant, mut meanwhile: impl FnMut()) -> io::Result<Finished> {
    die_with_us(command);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = spawn(command, deadline)?;
    let (mut stdout, mut stderr) = (Tail::new(child.stdout.take()), Tail::new(child.stderr.take()));
    while (stdout.is_open() || stderr.is_open()) && Instant::now() < deadline {
        let fds: Vec<_> = [stdout.fd(), stderr.fd()].into_iter().flatten().collect();
        let ready = os::poll_until(&fds, deadline.min(Instant::now() + TICK))?;
        let mut ready = ready.into_iter();
        for tail in [&mut stdout, &mut stderr] {
            if tail.is_open() && ready.next().unwrap_or(false) {
                tail.read();
            }
        }
        meanwhile();
    }
    let status = end(&mut child, deadline)?;
    Ok(Finished { status, stdout: stdout.text(), stderr: stderr.text() })
}

fn end(child: &mut Child, deadline: Instant) -> io::Result<Option<ExitStatus>> {
    let status = os::wait_for_exit(child, deadline)?;
    if status.is_none() {
        child.kill()?;
        child.wait()?;
    }
    Ok(status)
}

/// A binary that was just written may still be open in a fork of another thread, until that comes to its exec.
fn spawn(command: &mut Command, deadline: Instant) -> io::Result<Child> {
    loop {
        match command.spawn() {
            Err(e) if e.kind() == io::ErrorKind::ExecutableFileBusy && Instant::now() < deadline => {
                std::thread::yield_now();
            }
            other => return other,
        }
    }
}

/// The signal comes when the spawning thread ends; [`run`] keeps it until the child has ended.
fn die_with_us(command: &mut Command) {
    let us = nix::unistd::getpid();
    #[expect(unsafe_code, reason = "a parent-death signal can only be set between fork and exec")]
    // SAFETY: two system calls and no allocation, which is safe in a fork of a process with many threads.
    unsafe {
        command.pre_exec(move || os::die_with_parent(us));
    }
}

/// One of the program's outputs: what it said last, and whether it can say more.
struct Tail {
    pipe: Option<File>,
    kept: Vec<u8>,
}

impl Tail {
    fn new(pipe: Option<impl Into<OwnedFd>>) -> Tail {
        Tail { pipe: pipe.map(|pipe| File::from(pipe.into())), kept: Vec::new() }
    }

    fn is_open(&self) -> bool {
        self.pipe.is_some()
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    /// Takes one piece, after poll said that there is one or that there is an end.
    fn read(&mut self) {
        let mut part = [0; 4096];
        match self.pipe.as_mut().map_or(Ok(0), |pipe| pipe.read(&mut part)) {
            Ok(0) | Err(_) => self.pipe = None,
            Ok(bytes) => self.kept.extend_from_slice(&part[..bytes]),
        }
        let excess = self.kept.len().saturating_sub(TAIL);
        self.kept.drain(..excess);
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.kept).trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, within: Duration) -> Finished {
        run(Command::new("sh").args(["-c", script]), Instant::now() + within, || {}).unwrap()
    }

    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn both_outputs_and_the_status() {
        let finished = shell("echo out; echo err >&2; exit 3", LONG);
        assert_eq!((finished.stdout.as_str(), finished.stderr.as_str()), ("out", "err"));
        assert_eq!(finished.status.unwrap().code(), Some(3));
    }

    #[test]
    fn only_the_end_of_a_long_speech_is_kept() {
        let finished = shell("seq 1 100000; echo end", LONG);
        assert!(finished.stdout.ends_with("100000\nend") && finished.stdout.len() <= TAIL);
    }

    #[test]
    fn the_deadline_kills_who_talks_and_who_does_not() {
        for script in ["exec sleep 1000", "echo here; exec sleep 1000", "exec >&- 2>&-; exec sleep 1000"] {
            assert!(shell(script, Duration::from_millis(100)).status.is_none(), "{script}");
        }
    }

    #[test]
    fn the_caller_can_look_around_meanwhile() {
        let mut looks = 0;
        run(Command::new("sh").args(["-c", "echo; sleep 0.3"]), Instant::now() + LONG, || looks += 1).unwrap();
        assert!(looks >= 2, "{looks}");
    }
}
