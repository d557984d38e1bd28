//! `squall keeper`: the process itself, from its first instruction.

use super::household::Household;
use super::namespace::{self, Enclosure};
use super::protocol::{Event, write_line};
use super::types::{Net, NetWish};
use crate::folder::journal::{Entry, Journal, Kind};
use crate::os::{self, ChildWatch};
use nix::sys::signal::{SigSet, Signal};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

pub(super) const WORD: &str = "keeper";
pub(super) const FOLDER: &str = "--folder";
pub(super) const NET: &str = "--net";
const PROBE: &str = "--probe";

/// Becomes the keeper of one run: `args` are those after the word `keeper`, as [`Keeper::start`](super::Keeper::start)
/// gives them. Commands come by standard input, events go to standard output; at the end of input the run ends.
///
/// To be called first thing in `main`, before there is a second thread or a runtime: the keeper forks.
/// Exit status: 0 if everything was ended and removed, 2 for wrong arguments, 1 for anything else.
#[must_use]
pub fn keeper_main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let outcome = match Arguments::parse(args) {
        Some(Arguments::Keep { folder, wish }) => keep(&folder, wish),
        Some(Arguments::Probe) => answer_probe(),
        None => {
            complain("squall keeper is started by squall itself: keeper --folder PATH [--net best|user|tree]");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            complain(&format!("squall keeper: {e}"));
            ExitCode::FAILURE
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Arguments {
    Keep { folder: PathBuf, wish: NetWish },
    Probe,
}

impl Arguments {
    fn parse(args: impl IntoIterator<Item = OsString>) -> Option<Arguments> {
        let (mut folder, mut wish) = (None, NetWish::Best);
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            match arg.to_str()? {
                FOLDER => folder = Some(PathBuf::from(args.next()?)),
                NET => {
                    let word = args.next()?;
                    wish = NetWish::ALL.into_iter().find(|wish| word == wish.word())?;
                }
                PROBE => return Some(Arguments::Probe),
                _ => return None,
            }
        }
        folder.map(|folder| Arguments::Keep { folder, wish })
    }
}

fn keep(folder: &Path, wish: NetWish) -> io::Result<()> {
    detach()?;
    let journal = Journal::open(folder)?;
    let own = os::own_identity()?;
    let entry = |pid, start_time, name: &str, kind| Entry { pid, start_time, name: name.into(), kind };
    journal.append(&entry(own.pid, own.start_time, "keeper", Kind::Keeper))?;
    // Where this fails, orphans of the tree go to the system's init; a namespace keeps them all the same.
    let _ = os::become_subreaper();
    let watch = ChildWatch::new()?;
    let Enclosure { net, init } = namespace::enclose(wish)?;
    if let Some(init) = init {
        let init = os::identity(init.as_raw().unsigned_abs())?;
        journal.append(&entry(init.pid, init.start_time, "init", Kind::Init))?;
    }
    write_line(io::stdout(), &Event::Ready { net })?;
    Household::new(folder, journal, init, watch).run()
}

/// Out of reach of the terminal, of the runner's signals and of its working folder.
fn detach() -> io::Result<()> {
    ignored_signals().thread_block()?;
    // Refused to a group leader, which is as good: a Ctrl-C reaches neither.
    let _ = nix::unistd::setsid();
    std::env::set_current_dir("/")?;
    keep_descriptors_from_children()
}

/// All that end a process by default and are not its own fault. Blocked rather than ignored: SIGCHLD is polled for, and
/// an ignored signal would stay ignored in the children.
fn ignored_signals() -> SigSet {
    use Signal::{
        SIGALRM, SIGCHLD, SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2,
    };
    [SIGALRM, SIGCHLD, SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2]
        .into_iter()
        .collect()
}

/// Whatever the runner inherited without close-on-exec (a build tool's pipes, say) ends here.
fn keep_descriptors_from_children() -> io::Result<()> {
    use nix::fcntl::{FcntlArg, FdFlag, fcntl};
    use std::os::fd::BorrowedFd;
    let open: Vec<i32> = std::fs::read_dir("/dev/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|fd| *fd > 2)
        .collect();
    for fd in open {
        #[expect(unsafe_code, reason = "descriptors that nobody in this program owns are known by number only")]
        // SAFETY: only a flag of it is changed, and a number that is no longer open is refused by the kernel.
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        let _ = fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC));
    }
    Ok(())
}

/// The keeper's standard error is a log in the run folder.
fn complain(words: &str) {
    use std::io::Write;
    let _ = writeln!(io::stderr(), "{words}");
}

/// What `squall keeper --probe` prints.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Probed {
    pub(crate) net: Net,
    pub(crate) subreaper: bool,
}

fn answer_probe() -> io::Result<()> {
    let subreaper = os::become_subreaper().is_ok();
    let Enclosure { net, init } = namespace::enclose(NetWish::Best)?;
    write_line(io::stdout(), &Probed { net, subreaper })?;
    // The namespace would end with us anyway; this way without a zombie for whoever reaps next.
    if let Some(init) = init {
        nix::sys::signal::kill(init, Signal::SIGKILL)?;
        nix::sys::wait::waitpid(init, None)?;
    }
    Ok(())
}

/// Asks a keeper of this program what the machine allows: only a process with one thread can try.
pub(crate) fn probe(exe: &Path) -> io::Result<Probed> {
    let mut child = Command::new(exe)
        .args([WORD, PROBE])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    if os::wait_for_exit(&mut child, Instant::now() + Duration::from_secs(10))?.is_none() {
        child.kill()?;
    }
    let output = child.wait_with_output()?;
    serde_json::from_slice(&output.stdout).map_err(io::Error::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Option<Arguments> {
        Arguments::parse(args.iter().map(OsString::from))
    }

    #[test]
    fn arguments() {
        let keep = |wish| Some(Arguments::Keep { folder: "/x".into(), wish });
        assert_eq!(parse(&["--folder", "/x"]), keep(NetWish::Best));
        assert_eq!(parse(&["--net", "tree", "--folder", "/x"]), keep(NetWish::ProcessTree));
        assert_eq!(parse(&["--folder", "/x", "--net", "user"]), keep(NetWish::UserNamespace));
        assert_eq!(parse(&["--probe"]), Some(Arguments::Probe));
        for wrong in [&[][..], &["--folder"], &["/x"], &["--folder", "/x", "--net", "safety"]] {
            assert_eq!(parse(wrong), None, "{wrong:?}");
        }
    }
}
