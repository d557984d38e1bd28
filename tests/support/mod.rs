//! What the tests that cross rooms share: the program itself, run as a user would, and a look at what it leaves.
#![allow(dead_code, unreachable_pub, clippy::print_stderr, reason = "each test uses its part, and says what it saw")]

#[cfg(feature = "kubernetes")]
pub mod cluster;
#[cfg(feature = "kubernetes")]
pub mod shop;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{Mutex, MutexGuard, PoisonError, mpsc},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// The root of the project.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The program, with runs recorded and sockets kept in a folder of the test's own.
pub struct Squall {
    pub home: TempDir,
}

/// What a verdict says that rests on the machine's health and on nothing else.
pub const MACHINE: &str = "the run proves nothing";

/// What it says when calls that nothing was done to got slower or quicker: where all there is are a machine and a mesh of fixed
/// times, it was the machine.
const DRIFTED: &str = "what it is compared with changed by itself";

/// How long a machine in trouble is given to get well.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// What a run of the program came to.
pub struct Ran {
    pub status: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// Everything that it said.
    pub fn all(&self) -> String {
        format!("{}{}", self.out, self.err)
    }

    /// Whether nothing was decided, for no other reason than the machine.
    pub fn machine_was_in_trouble(&self) -> bool {
        self.status == Some(5) && [MACHINE, DRIFTED].iter().any(|why| self.out.contains(why))
    }

    /// Fails with all that it said unless it ended with this status.
    #[track_caller]
    pub fn expect(&self, status: i32) -> &Ran {
        assert_eq!(self.status, Some(status), "wrong exit status; it said:\n{}", self.all());
        self
    }

    /// Fails unless it said each of these.
    #[track_caller]
    pub fn says(&self, words: &[&str]) -> &Ran {
        for word in words {
            assert!(self.all().contains(word), "it did not say `{word}`; it said:\n{}", self.all());
        }
        self
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Ran {
        Ran {
            status: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Squall {
    pub fn new() -> Squall {
        // Short, for the paths of Unix sockets.
        Squall { home: tempfile::Builder::new().prefix("sq").tempdir_in("/tmp").unwrap() }
    }

    /// A command that has not been started, in the project's root.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_squall"));
        command.args(args).current_dir(root()).stdin(Stdio::null());
        command.env("XDG_RUNTIME_DIR", self.home.path()).env("SQUALL_OUT", self.home.path().join("runs"));
        command.env_remove("SQUALL_SEED").env("NO_COLOR", "1");
        command
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        self.command(args).output().unwrap().into()
    }

    /// As `run`, and again, three times at least and for as long as there is patience, while what the run says is that the *machine*
    /// was in trouble: by its health record or by calls that met no fault, never because a verdict was not the wanted one.
    pub fn run_when_the_machine_allows(&self, args: &[&str]) -> Ran {
        let began = Instant::now();
        let is_in_trouble =
            |ran: &Ran, tries| ran.machine_was_in_trouble() && (tries < 3 || began.elapsed() < PATIENCE);
        repeated(|| self.run(args), is_in_trouble)
    }

    /// Writes a feature of the test's own and gives its path.
    pub fn feature(&self, name: &str, text: &str) -> String {
        let path = self.home.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// Processes and files that are still there: none, if all is well.
    pub fn left(&self) -> Vec<String> {
        let home = self.home.path().display().to_string();
        let mut left = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let path = entry.path();
            let arguments = fs::read(path.join("cmdline")).unwrap_or_default();
            let environment = fs::read(path.join("environ")).unwrap_or_default();
            let mentions = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(&home);
            let own = entry.file_name().to_string_lossy() == std::process::id().to_string();
            // A zombie has no memory and so no environment: it is gone but for its parent's looking.
            if !own && (mentions(&arguments) || mentions(&environment)) {
                let words = String::from_utf8_lossy(&arguments).replace('\0', " ");
                left.push(format!("process {}: {words}", entry.file_name().to_string_lossy()));
            }
        }
        let runs = self.home.path().join("squall");
        left.extend(
            fs::read_dir(runs).into_iter().flatten().flatten().map(|e| format!("folder {}", e.path().display())),
        );
        left
    }

    /// What is left when nothing more goes, or after the time.
    pub fn left_after(&self, time: Duration) -> Vec<String> {
        let by = Instant::now() + time;
        loop {
            let left = self.left();
            if left.is_empty() || Instant::now() > by {
                return left;
            }
            before_the_next_look();
        }
    }
}

/// A scenario that is not green, by its summary.
pub struct NotGreen {
    pub scenario: String,
    /// A line of it: `features/retry/retry.feature:14`.
    pub place: String,
    /// What came of it: `inconclusive: too few calls to decide`.
    pub came: String,
}

impl NotGreen {
    pub fn all(totals: &serde_json::Value) -> Vec<NotGreen> {
        let read = |one: &serde_json::Value| NotGreen {
            scenario: one["scenario"].as_str().unwrap().to_owned(),
            place: format!("{}:{}", one["file"].as_str().unwrap(), one["line"]),
            came: one["came"].as_str().unwrap().to_owned(),
        };
        totals["not_green"].as_array().unwrap().iter().map(read).collect()
    }

    /// The machine kept it, or its control, from being judged.
    pub fn by_the_machine(&self) -> bool {
        [MACHINE, DRIFTED, "undecided"].iter().any(|why| self.came.contains(why))
    }

    /// It, or its control, was not judged, for whatever reason.
    pub fn is_open(&self) -> bool {
        self.by_the_machine() || self.word() == "inconclusive"
    }

    fn word(&self) -> &str {
        self.came.split(':').next().unwrap_or(&self.came)
    }
}

impl std::fmt::Debug for NotGreen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, {}: {}", self.scenario, self.place, self.came)
    }
}

/// Fails unless all came out as docs/meshes.md says. What is open is run again, and comes out so then: three scenarios at most.
#[track_caller]
pub fn came_as_told(
    totals: &serde_json::Value,
    told: &BTreeMap<String, String>,
    is_open: fn(&NotGreen) -> bool,
    again: impl Fn(&[&str]) -> Ran,
) {
    let as_told = |one: &NotGreen| told.get(&one.scenario).is_some_and(|told| told == one.word());
    let differs = NotGreen::all(totals).into_iter().filter(|one| !as_told(one));
    let (open, wrong): (Vec<_>, Vec<_>) = differs.partition(is_open);
    assert!(wrong.is_empty(), "docs/meshes.md says otherwise of {wrong:?}");
    assert!(open.len() <= 3, "{open:?} were not decided");
    for one in open {
        let ran = until_decided(|| again(&["--controls", &one.place]));
        let status = if told.get(&one.scenario).is_some_and(|told| told == "violated") { 1 } else { 0 };
        assert!([Some(0), Some(status)].contains(&ran.status), "{one:?}\n{}", ran.all());
    }
}

/// Runs it, and again, three times at most, while it says no more than that something could not be decided: on a machine with something
/// beside it that is no wonder, and no red one is tried twice.
pub fn until_decided(run: impl Fn() -> Ran) -> Ran {
    repeated(run, |ran, tries| ran.status == Some(5) && tries < 3)
}

/// Runs it, and again as long as this says so, of what it said and of how often it has run.
fn repeated(run: impl Fn() -> Ran, once_more: impl Fn(&Ran, u32) -> bool) -> Ran {
    let (mut ran, mut tries) = (run(), 1);
    while once_more(&ran, tries) {
        eprintln!("once more, since not everything was decided:\n{}", ran.out);
        ran = run();
        tries += 1;
    }
    ran
}

/// The rows of the tables of docs/meshes.md, cell by cell.
pub fn rows_of_meshes() -> Vec<Vec<String>> {
    let text = fs::read_to_string(root().join("docs/meshes.md")).unwrap();
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    text.lines().map(cells).collect()
}

/// Waits for the next look at what has no way to say that it changed: files of another process, and `/proc`.
pub fn before_the_next_look() {
    const LOOK: Duration = Duration::from_millis(5);
    let (_nobody_sends, nothing) = mpsc::channel::<()>();
    let _ = nothing.recv_timeout(LOOK);
}

/// Runs on real proxies take turns: two at once on a small machine make each other inconclusive.
static TURN: Mutex<()> = Mutex::new(());

/// A turn on real proxies, where any can be had. Without any: loudly skipped, and in CI a failure.
pub fn envoy_to_be_had() -> Option<MutexGuard<'static, ()>> {
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let doctor = Squall::new().run(&["doctor"]);
    let found = doctor.out.contains("✓ Envoy");
    if !found {
        assert!(std::env::var_os("CI").is_none(), "no Envoy to be had:\n{}", doctor.all());
        eprintln!("SKIPPED: no Envoy to be had; `squall doctor` says why:\n{}", doctor.all());
    }
    found.then_some(turn)
}
