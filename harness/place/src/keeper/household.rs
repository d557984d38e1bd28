//! The keeper's loop: commands in, exits out, and at the end nobody left.

use super::child::{self, Surroundings};
use super::protocol::{Command, Event, Refusal, Spawn, write_line};
use super::types::{Exit, ProcessId, Signal};
use crate::clock;
use crate::folder::{self, journal::Journal};
use crate::os::{self, ChildWatch};
use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{self, kill, killpg};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, getpid};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// SIGKILL is answered at once, but by a process that hangs in the kernel; then the journal stays for a recovery.
const KILL_TAKES: Duration = Duration::from_secs(10);

/// One read of the runner's pipe takes at most this much.
const READ: usize = 64 * 1024;

/// All processes of a run, and what there is to tell about them.
#[derive(Debug)]
pub(super) struct Household {
    folder: PathBuf,
    journal: Arc<Journal>,
    init: Option<Pid>,
    watch: ChildWatch,
    children: BTreeMap<ProcessId, Child>,
    ended: BTreeSet<ProcessId>,
    phase: Phase,
}

#[derive(Debug)]
struct Child {
    pid: Pid,
    asked_to_end: bool,
    asked_to_die: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Phase {
    Serving,
    /// Everybody was asked to end; who has not at the deadline is killed.
    Leaving {
        deadline: Instant,
    },
    /// The runner is gone, or does not listen any more.
    Deserted,
}

impl Household {
    pub(super) fn new(folder: &Path, journal: Journal, init: Option<Pid>, watch: ChildWatch) -> Household {
        Household {
            folder: folder.to_owned(),
            journal: Arc::new(journal),
            init,
            watch,
            children: BTreeMap::new(),
            ended: BTreeSet::new(),
            phase: Phase::Serving,
        }
    }

    /// Serves until the runner asks for the end or its pipe closes, then ends everything and removes the folder.
    pub(super) fn run(mut self) -> io::Result<()> {
        let mut input = Input::default();
        while !self.is_over() {
            let (commands, exits) = self.wait(&input)?;
            if exits {
                self.watch.clear();
                self.reap();
            }
            if commands {
                match input.read() {
                    Ok(commands) => commands.into_iter().for_each(|command| self.obey(command)),
                    Err(_) => self.phase = Phase::Deserted,
                }
            }
        }
        self.end()
    }

    fn is_over(&self) -> bool {
        match self.phase {
            Phase::Serving => false,
            Phase::Leaving { deadline } => self.children.is_empty() || Instant::now() >= deadline,
            Phase::Deserted => true,
        }
    }

    /// Until there are commands to read, children to reap, or the deadline of leaving.
    fn wait(&self, input: &Input) -> io::Result<(bool, bool)> {
        let tick = self.watch.tick();
        let far = Duration::from_secs(3600);
        let mut deadline = Instant::now() + tick.unwrap_or(far);
        if let Phase::Leaving { deadline: leave } = self.phase {
            deadline = deadline.min(leave);
        }
        let mut fds = vec![input.stdin.as_fd()];
        fds.extend(self.watch.fd());
        let ready = os::poll_until(&fds, deadline)?;
        Ok((ready[0], tick.is_some() || ready.get(1).copied().unwrap_or(false)))
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Spawn(spec) => {
                let answer = self.start(&spec);
                self.tell(&answer.unwrap_or_else(|refusal| Event::Refused { seq: spec.seq, refusal }));
            }
            Command::Signal { seq, id, signal } => {
                let answer = self.signal(id, signal).map(|()| Event::Done { seq });
                self.tell(&answer.unwrap_or_else(|refusal| Event::Refused { seq, refusal }));
            }
            Command::Shutdown { grace_ms } => {
                self.phase = Phase::Leaving { deadline: Instant::now() + Duration::from_millis(grace_ms) };
                let all: Vec<ProcessId> = self.children.keys().copied().collect();
                for id in all {
                    // A paused process handles SIGTERM only once it runs again.
                    let _ = self.signal(id, Signal::Term).and_then(|()| self.signal(id, Signal::Resume));
                }
            }
        }
    }

    fn start(&mut self, spec: &Spawn) -> Result<Event, Refusal> {
        if self.phase != Phase::Serving {
            return Err(Refusal::ShuttingDown);
        }
        let parent = if self.init.is_some() { os::OUTSIDE } else { getpid() };
        let around = Surroundings { folder: &self.folder, journal: &self.journal, parent };
        let pid = child::start(spec, &around)?;
        self.children.insert(ProcessId(spec.seq), Child { pid, asked_to_end: false, asked_to_die: false });
        Ok(Event::Started { seq: spec.seq, pid: pid.as_raw().unsigned_abs(), at: clock::now() })
    }

    /// To the process's whole group. Its pid cannot be another's: it is ours to reap.
    fn signal(&mut self, id: ProcessId, wanted: Signal) -> Result<(), Refusal> {
        let Some(child) = self.children.get_mut(&id) else {
            return Err(if self.ended.contains(&id) { Refusal::HasExited } else { Refusal::UnknownProcess });
        };
        let signal = match wanted {
            Signal::Kill => signal::SIGKILL,
            Signal::Term => signal::SIGTERM,
            Signal::Pause => signal::SIGSTOP,
            Signal::Resume => signal::SIGCONT,
        };
        child.asked_to_end |= wanted == Signal::Term;
        child.asked_to_die |= wanted == Signal::Kill;
        killpg(child.pid, signal).map_err(|e| Refusal::system("cannot signal", &e.into()))
    }

    /// Takes everybody who has exited out of the process table. False if there are no children at all.
    fn reap(&mut self) -> bool {
        loop {
            match os::peek_exit() {
                Ok(Some((pid, status))) => self.bury(pid, status),
                Ok(None) => return true,
                Err(Errno::EINTR) => {}
                Err(_) => return false,
            }
        }
    }

    fn bury(&mut self, pid: Pid, status: WaitStatus) {
        let found = self.children.iter().find(|(_, child)| child.pid == pid).map(|(id, _)| *id);
        // An instance is its group: half of it must not hold on to its ports. Until we reap, the group's number is its.
        if found.is_some() {
            let _ = killpg(pid, signal::SIGKILL);
        }
        let _ = waitpid(pid, None);
        let Some((id, child)) = found.and_then(|id| self.children.remove_entry(&id)) else { return };
        self.ended.insert(id);
        let how = match status {
            WaitStatus::Signaled(_, signal, _) => Exit::Signal(signal as i32),
            WaitStatus::Exited(_, status) => Exit::Code(status),
            _ => Exit::Lost,
        };
        let pid = pid.as_raw().unsigned_abs();
        self.tell(&Event::Exited { id, pid, how, asked: child.asked_for(how), at: clock::now() });
    }

    /// A full pipe waits for the runner; a closed one is its death.
    fn tell(&mut self, event: &Event) {
        if self.phase != Phase::Deserted && write_line(io::stdout(), event).is_err() {
            self.phase = Phase::Deserted;
        }
    }

    /// Kills whoever is left, removes the folder, says so.
    fn end(mut self) -> io::Result<()> {
        let everybody = self.kill_all();
        let removed = if everybody { folder::remove(&self.folder) } else { Err(io::ErrorKind::TimedOut.into()) };
        let left = match &removed {
            Ok(()) => None,
            Err(_) if !everybody => Some(format!("some processes do not die; see {}", self.folder.display())),
            Err(e) => Some(format!("{}: {e}", self.folder.display())),
        };
        self.tell(&Event::Gone { left });
        removed
    }

    /// SIGKILL to all, until the process table has no child of ours left. A killed child's children become ours in turn,
    /// before we hear of its death. False if some did not die in time.
    fn kill_all(&mut self) -> bool {
        let deadline = Instant::now() + KILL_TAKES;
        for child in self.children.values_mut() {
            child.asked_to_die = true;
            let _ = killpg(child.pid, signal::SIGKILL);
        }
        while self.reap() {
            if Instant::now() >= deadline {
                return false;
            }
            // Orphans, and the namespace's init: with it goes whoever is still in there.
            for child in os::children_of(std::process::id()) {
                let _ = kill(Pid::from_raw(child.cast_signed()), signal::SIGKILL);
            }
            let fds: Vec<_> = self.watch.fd().into_iter().collect();
            let until = self.watch.tick().map_or(deadline, |tick| deadline.min(Instant::now() + tick));
            if os::poll_until(&fds, until).is_err() {
                return false;
            }
            self.watch.clear();
        }
        true
    }
}

impl Child {
    /// Whether this end is the one that was asked for: who is asked to end and then crashes has crashed.
    fn asked_for(&self, how: Exit) -> bool {
        match how {
            Exit::Signal(libc::SIGKILL) => self.asked_to_die,
            Exit::Code(_) | Exit::Signal(libc::SIGTERM) => self.asked_to_end,
            Exit::Signal(_) | Exit::Lost => false,
        }
    }
}

/// The runner's commands, line by line.
#[derive(Debug)]
struct Input {
    stdin: io::Stdin,
    unread: Vec<u8>,
}

impl Default for Input {
    fn default() -> Input {
        Input { stdin: io::stdin(), unread: Vec::new() }
    }
}

impl Input {
    /// What is there, after poll said that something is. An error is the end of the runner, or of its senses.
    fn read(&mut self) -> io::Result<Vec<Command>> {
        let mut part = vec![0; READ];
        // Below std's buffer, of which poll knows nothing.
        let read = nix::unistd::read(&self.stdin, &mut part)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.unread.extend_from_slice(&part[..read]);
        let Some(last) = self.unread.iter().rposition(|byte| *byte == b'\n') else { return Ok(Vec::new()) };
        let whole: Vec<u8> = self.unread.drain(..=last).collect();
        whole.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(parse).collect()
    }
}

fn parse(line: &[u8]) -> io::Result<Command> {
    serde_json::from_slice(line).map_err(io::Error::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn child(asked_to_end: bool, asked_to_die: bool) -> Child {
        Child { pid: Pid::from_raw(1), asked_to_end, asked_to_die }
    }

    #[test]
    fn what_counts_as_asked() {
        let (term, kill, segv) = (Exit::Signal(15), Exit::Signal(9), Exit::Signal(11));
        for (child, how, asked) in [
            (child(false, false), Exit::Code(0), false),
            (child(false, false), kill, false),
            (child(true, false), Exit::Code(0), true),
            (child(true, false), Exit::Code(143), true),
            (child(true, false), term, true),
            (child(true, false), kill, false),
            (child(true, false), segv, false),
            (child(false, true), kill, true),
            (child(false, true), Exit::Code(1), false),
            (child(true, true), kill, true),
        ] {
            assert_eq!(child.asked_for(how), asked, "{child:?} {how:?}");
        }
    }
}
