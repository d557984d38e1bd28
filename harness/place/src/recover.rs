//! Ending what a dead run left: processes named by its journal or marked as its own, and its folder.

use crate::folder::journal::{self, Entry, Kind};
use crate::folder::lock::{Holder, Lock, Taken};
use crate::folder::{self, Base};
use crate::os::{self, Hold};
use nix::sys::signal::Signal;
use serde::Serialize;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A keeper whose runner is dead is at work already, unless it was stopped: it is woken and given this long.
const KEEPER_ENDS: Duration = Duration::from_secs(3);

/// A namespace's first process leaves when all others have; it is given this long to do it before our eyes.
const INIT_LEAVES: Duration = Duration::from_millis(500);

/// After SIGKILL only a process that hangs in the kernel lives on.
const KILL_TAKES: Duration = Duration::from_secs(5);

/// What a recovery found, and what it did about it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Recovery {
    /// Runs whose runner was dead.
    pub runs: Vec<RunRecovery>,
    /// Folders of runs that are alive, or in another recovery's hands. They were not touched.
    pub running: Vec<PathBuf>,
}

/// One dead run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunRecovery {
    /// Its folder.
    pub folder: PathBuf,
    /// Its processes that still lived.
    pub ended: Vec<Ended>,
    /// Why the folder is still there; none if it was removed.
    pub left: Option<String>,
}

/// A process of a dead run that still lived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ended {
    /// Its pid.
    pub pid: u32,
    /// Its name in the run's journal, or its command's for one that a process of the run had started.
    pub name: String,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a process that was to be ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It was killed.
    Killed,
    /// It ended by itself when it was woken: a keeper does, and everything in its care with it.
    Ended,
    /// It does not die; the next recovery tries again.
    Survived,
}

impl Recovery {
    /// Nothing was left to do, or all of it was done.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.runs.iter().all(|run| run.left.is_none())
    }
}

/// Ends what earlier runs of this user left on this machine. Never touches a run whose runner lives; any number of
/// recoveries may run at once.
#[must_use]
pub fn recover() -> Recovery {
    recover_in(&Base::existing())
}

/// As [`recover`], in the given bases only.
#[must_use]
pub fn recover_in(bases: &[Base]) -> Recovery {
    let mut recovery = Recovery::default();
    for folder in bases.iter().flat_map(|base| folders_in(base.path())) {
        match Lock::take(&folder) {
            Ok(Taken::Ours(lock, holder)) => {
                recovery.runs.push(recover_run(&folder, holder.as_ref()));
                drop(lock);
            }
            Ok(Taken::Held) => recovery.running.push(folder),
            // Just being made, or a runner died making it: only an empty folder can be removed like this, and a runner
            // who loses it makes another.
            Ok(Taken::Absent) => drop(fs::remove_dir(&folder)),
            Err(e) => recovery.runs.push(RunRecovery { folder, ended: Vec::new(), left: Some(e.to_string()) }),
        }
    }
    recovery
}

fn folders_in(base: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(base).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()).collect()
}

fn recover_run(folder: &Path, holder: Option<&Holder>) -> RunRecovery {
    let report = |ended, left| RunRecovery { folder: folder.to_owned(), ended, left };
    let ended = match whereabouts(holder, &Holder::ourselves()) {
        Whereabouts::Here => end_processes(folder),
        Whereabouts::BeforeTheBoot => Vec::new(),
        Whereabouts::AnotherNamespace => {
            return report(Vec::new(), Some("it ran in another PID namespace (a container?); recover it there".into()));
        }
    };
    if ended.iter().any(|process| process.fate == Fate::Survived) {
        return report(ended, Some("some of its processes do not die".into()));
    }
    let removed: io::Result<()> = folder::remove(folder);
    report(ended, removed.err().map(|e| e.to_string()))
}

#[derive(Debug, PartialEq, Eq)]
enum Whereabouts {
    Here,
    BeforeTheBoot,
    AnotherNamespace,
}

/// Pids and start times are only good on the boot and in the PID namespace that gave them.
fn whereabouts(holder: Option<&Holder>, ours: &Holder) -> Whereabouts {
    // A lock without a holder is that of a run that died before it started anything.
    let Some(holder) = holder else { return Whereabouts::Here };
    if holder.boot != ours.boot {
        Whereabouts::BeforeTheBoot
    } else if holder.pid_namespace != ours.pid_namespace {
        Whereabouts::AnotherNamespace
    } else {
        Whereabouts::Here
    }
}

/// Ends all processes of a run that the journal names or that carry the run's mark; says which there were.
pub(crate) fn end_processes(folder: &Path) -> Vec<Ended> {
    let entries = journal::read(folder).unwrap_or_default();
    let of = |kind: Kind| entries.iter().filter(move |entry| entry.kind == kind);
    let mut ended: Vec<Ended> = of(Kind::Keeper).filter_map(end_keeper).collect();
    ended.extend(kill_all(of(Kind::Process).map(|entry| (entry.pid, entry.start_time, entry.name.clone()))));
    ended.extend(kill_marked(folder));
    // Last, because a namespace's first process stays until all others are reaped, which may be up to us.
    ended.extend(of(Kind::Init).filter_map(end_init));
    ended
}

/// With the SIGKILL the namespace is dead. Its first process may stay in the table for as long as somebody who should
/// reap another one does not (a container's first process, say): it runs no code any more, and is no reason to wait.
fn end_init(entry: &Entry) -> Option<Ended> {
    let hold = Hold::of(entry.pid, entry.start_time)?;
    let killed = hold.signal(Signal::SIGKILL).is_ok();
    hold.wait_gone(Instant::now() + INIT_LEAVES);
    hold.reap();
    let fate = if killed { Fate::Killed } else { Fate::Survived };
    Some(Ended { pid: entry.pid, name: entry.name.clone(), fate })
}

/// The keeper knows its tree best: killed at once, it could not end the daemons in it.
fn end_keeper(entry: &Entry) -> Option<Ended> {
    let hold = Hold::of(entry.pid, entry.start_time)?;
    let _ = hold.signal(Signal::SIGCONT);
    let fate = if hold.wait_gone(Instant::now() + KEEPER_ENDS) {
        Fate::Ended
    } else {
        let _ = hold.signal(Signal::SIGKILL);
        if hold.wait_gone(Instant::now() + KILL_TAKES) { Fate::Killed } else { Fate::Survived }
    };
    Some(Ended { pid: entry.pid, name: entry.name.clone(), fate })
}

fn kill_all(processes: impl Iterator<Item = (u32, u64, String)>) -> Vec<Ended> {
    let held: Vec<(Hold, u32, String)> = processes
        .filter_map(|(pid, start_time, name)| match Hold::of(pid, start_time) {
            Some(hold) => Some((hold, pid, name)),
            None => {
                os::reap_orphan(pid, start_time);
                None
            }
        })
        .collect();
    for (hold, ..) in &held {
        let _ = hold.signal(Signal::SIGKILL);
    }
    let deadline = Instant::now() + KILL_TAKES;
    let gone = |(hold, pid, name): (Hold, u32, String)| {
        let fate = if hold.wait_gone(deadline) { Fate::Killed } else { Fate::Survived };
        hold.reap();
        Ended { pid, name, fate }
    };
    held.into_iter().map(gone).collect()
}

/// Daemons and other orphans: what they start meanwhile is marked too, so look until there is nobody.
fn kill_marked(run: &Path) -> Vec<Ended> {
    let deadline = Instant::now() + KILL_TAKES;
    let mut ended: Vec<Ended> = Vec::new();
    loop {
        let found = os::marked(run);
        if found.is_empty() {
            return ended;
        }
        let named = found.into_iter().map(|process| (process.pid, process.start_time, os::command_name(process.pid)));
        let round = kill_all(named);
        let survived = round.iter().any(|process| process.fate == Fate::Survived);
        ended.extend(round);
        if survived || Instant::now() >= deadline {
            return ended;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::RunFolder;
    use crate::folder::journal::Journal;
    use std::process::{Child, Command};

    fn base() -> (tempfile::TempDir, Base) {
        let dir = tempfile::tempdir().unwrap();
        let base = Base::at(dir.path().join("base")).unwrap();
        (dir, base)
    }

    /// A run folder as a killed runner leaves it.
    fn dead_run(base: &Base) -> PathBuf {
        let folder = RunFolder::create_in(base).unwrap();
        folder.leave_to_keeper(true);
        folder.path().to_owned()
    }

    /// A process that is gone when the test is, whatever becomes of the test.
    struct Sleeper(Child);

    impl Sleeper {
        fn start(prepare: impl FnOnce(&mut Command) -> &mut Command) -> Sleeper {
            Sleeper(prepare(Command::new("sleep").arg("1000")).spawn().unwrap())
        }

        fn journalled(folder: &Path) -> Sleeper {
            let sleeper = Sleeper::start(|command| command);
            sleeper.journal(folder, 0);
            sleeper
        }

        /// Names it in the folder's journal, with a start time that is too early by this much.
        fn journal(&self, folder: &Path, too_early: u64) {
            let start_time = self.identity().start_time - too_early;
            let entry = Entry { pid: self.0.id(), start_time, name: "web".into(), kind: Kind::Process };
            Journal::open(folder).unwrap().append(&entry).unwrap();
        }

        fn identity(&self) -> os::Identity {
            os::identity(self.0.id()).unwrap()
        }

        fn lives(&mut self) -> bool {
            self.0.try_wait().unwrap().is_none()
        }
    }

    impl Drop for Sleeper {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    #[test]
    fn a_dead_run_is_ended_and_removed_even_if_stopped() {
        let (_dir, base) = base();
        let folder = dead_run(&base);
        let sleeper = Sleeper::journalled(&folder);
        let found = sleeper.identity();
        Hold::of(found.pid, found.start_time).unwrap().signal(Signal::SIGSTOP).unwrap();
        let recovery = recover_in(std::slice::from_ref(&base));
        let ended = vec![Ended { pid: found.pid, name: "web".into(), fate: Fate::Killed }];
        assert_eq!(recovery.runs, [RunRecovery { folder: folder.clone(), ended, left: None }]);
        assert!(recovery.is_clean());
        assert!(!folder.exists());
        assert_eq!(recover_in(&[base]), Recovery::default());
    }

    #[test]
    fn a_live_run_is_not_touched() {
        let (_dir, base) = base();
        let folder = RunFolder::create_in(&base).unwrap();
        let mut sleeper = Sleeper::journalled(folder.path());
        let recovery = recover_in(&[base]);
        assert_eq!((recovery.runs.len(), recovery.running), (0, vec![folder.path().to_owned()]));
        assert!(sleeper.lives());
    }

    #[test]
    fn a_stranger_with_a_reused_pid_lives_on() {
        let (_dir, base) = base();
        let folder = dead_run(&base);
        let mut sleeper = Sleeper::start(|command| command);
        sleeper.journal(&folder, 1);
        let recovery = recover_in(&[base]);
        assert_eq!(recovery.runs, [RunRecovery { folder, ended: vec![], left: None }]);
        assert!(sleeper.lives());
    }

    #[test]
    fn what_carries_the_mark_or_works_in_the_folder_is_ended() {
        let (_dir, base) = base();
        let folder = dead_run(&base);
        let marked = Sleeper::start(|command| command.env(os::MARK, &folder));
        let inside = Sleeper::start(|command| command.current_dir(&folder));
        let mut neither = Sleeper::start(|command| command.env(os::MARK, folder.join("x")));
        let recovery = recover_in(&[base]);
        let mut pids: Vec<u32> = recovery.runs[0].ended.iter().map(|process| process.pid).collect();
        pids.sort_unstable();
        let mut expected = [marked.0.id(), inside.0.id()];
        expected.sort_unstable();
        assert_eq!(pids, expected);
        assert!(neither.lives());
    }

    #[test]
    fn recoveries_at_once_share_the_work() {
        let (_dir, base) = base();
        let folders: Vec<PathBuf> = (0..10).map(|_| dead_run(&base)).collect();
        let _sleepers: Vec<Sleeper> = folders.iter().map(|folder| Sleeper::journalled(folder)).collect();
        let reports: Vec<Recovery> = std::thread::scope(|scope| {
            let at_once: Vec<_> = (0..4).map(|_| scope.spawn(|| recover_in(std::slice::from_ref(&base)))).collect();
            at_once.into_iter().map(|recovery| recovery.join().unwrap()).collect()
        });
        assert!(reports.iter().all(Recovery::is_clean), "{reports:?}");
        assert_eq!(reports.iter().flat_map(|report| &report.runs).flat_map(|run| &run.ended).count(), 10);
        assert!(folders.iter().all(|folder| !folder.exists()));
    }

    #[test]
    fn runs_that_are_just_starting_are_not_taken_for_dead() {
        let (_dir, base) = base();
        let start = || {
            for _ in 0..200 {
                let folder = RunFolder::create_in(&base).unwrap();
                assert!(folder.process_folder("web").is_ok(), "somebody removed a run that lives");
                assert!(matches!(Lock::take(folder.path()).unwrap(), Taken::Held));
            }
        };
        std::thread::scope(|scope| {
            let starting: Vec<_> = (0..4).map(|_| scope.spawn(start)).collect();
            while starting.iter().any(|runs| !runs.is_finished()) {
                assert!(recover_in(std::slice::from_ref(&base)).is_clean());
            }
        });
        assert_eq!(fs::read_dir(base.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_half_made_folder_goes_only_if_empty() {
        let (_dir, base) = base();
        let (empty, strange) = (base.path().join("empty"), base.path().join("strange"));
        fs::create_dir(&empty).unwrap();
        fs::create_dir(&strange).unwrap();
        fs::write(strange.join("notes"), "mine").unwrap();
        assert_eq!(recover_in(&[base]), Recovery::default());
        assert!(!empty.exists());
        assert!(strange.exists());
    }

    #[test]
    fn pids_of_another_boot_or_namespace_mean_nothing_here() {
        let ours = Holder { pid: 1, boot: Some("b".into()), pid_namespace: Some("n".into()) };
        let there = Holder { pid_namespace: Some("m".into()), ..ours.clone() };
        let then = Holder { boot: Some("a".into()), ..there.clone() };
        assert_eq!(whereabouts(None, &ours), Whereabouts::Here);
        assert_eq!(whereabouts(Some(&ours), &ours), Whereabouts::Here);
        assert_eq!(whereabouts(Some(&there), &ours), Whereabouts::AnotherNamespace);
        assert_eq!(whereabouts(Some(&then), &ours), Whereabouts::BeforeTheBoot);
    }
}
