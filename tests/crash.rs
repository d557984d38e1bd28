//! Killed at any moment, nothing is left: no process, no socket, no folder.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test that cannot unwrap should fail, and says what it saw"
)]

mod support;

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use rand::RngExt;
use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Stdio},
    time::{Duration, Instant},
};
use support::{Squall, before_the_next_look, envoy_to_be_had};

/// Who is killed.
#[derive(Debug, Clone, Copy)]
enum Victim {
    Runner,
    Keeper,
    Both,
}

/// How long everything may take to be gone.
const GONE: Duration = Duration::from_secs(5);

/// Kills of each kind: few in every run of the tests, 50 by `SQUALL_CRASHES=50`.
fn crashes() -> usize {
    std::env::var("SQUALL_CRASHES").ok().and_then(|n| n.parse().ok()).unwrap_or(3)
}

#[test]
fn kill_9_of_runner_keeper_or_both_at_any_moment_leaves_nothing() {
    let Some(_turn) = envoy_to_be_had() else { return };
    for victim in [Victim::Runner, Victim::Keeper, Victim::Both] {
        for n in 0..crashes() {
            let after = Duration::from_millis(rand::rng().random_range(0..4_000));
            // In turn: every second run has a link that carries damaged wires.
            let what = ["features", "features/chaos/wire.feature"][n % 2];
            let left = crash(victim, what, after);
            assert!(left.is_empty(), "{victim:?} killed after {after:?} left {left:#?}");
            eprintln!("{victim:?} {n}, {what}: killed after {after:?}, nothing left");
        }
    }
}

#[test]
fn sigint_and_sigterm_end_the_run_in_order() {
    let Some(_turn) = envoy_to_be_had() else { return };
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let squall = Squall::new();
        let mut child = start(&squall, "features");
        wait_for_traffic(&mut child);
        kill(Pid::from_raw(child.id() as i32), signal).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(squall.left_after(GONE), Vec::<String>::new());
        let runs = fs::read_dir(squall.home.path().join("runs")).unwrap().flatten().next().unwrap().path();
        let record = fs::read_to_string(runs.join("events.jsonl")).unwrap();
        assert!(record.contains(signal.as_str()), "the record does not say why it ended");
    }
}

fn start(squall: &Squall, what: &str) -> Child {
    squall.command(&["run", "--no-controls", what]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The heading is printed when keeper, control plane and load thread are up.
fn wait_for_traffic(child: &mut Child) {
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("squall"), "{line}");
}

fn crash(victim: Victim, what: &str, after: Duration) -> Vec<String> {
    let squall = Squall::new();
    let mut child = start(&squall, what);
    let at = Instant::now() + after;
    let runner = Pid::from_raw(child.id() as i32);
    let mut keeper = None;
    // Who is to be killed must be there: without a keeper to kill the run would go on to its end.
    let wanted = matches!(victim, Victim::Keeper | Victim::Both);
    while (Instant::now() < at || (wanted && keeper.is_none())) && child.try_wait().unwrap().is_none() {
        keeper = keeper.or_else(|| keeper_of(runner));
        before_the_next_look();
    }
    if matches!(victim, Victim::Keeper | Victim::Both) {
        keeper.into_iter().for_each(|pid| kill(pid, Signal::SIGKILL).unwrap_or_default());
    }
    if matches!(victim, Victim::Runner | Victim::Both) {
        let _ = kill(runner, Signal::SIGKILL);
    }
    child.wait().unwrap();
    let left = squall.left_after(GONE);
    let (folders, processes): (Vec<String>, Vec<String>) = left.into_iter().partition(|l| l.starts_with("folder"));
    if !processes.is_empty() || folders.is_empty() {
        return processes;
    }
    // With the keeper dead nobody removes the folder: the next start does.
    squall.run(&["recover"]).expect(0);
    squall.left()
}

/// The runner's child whose first argument is `keeper`.
fn keeper_of(runner: Pid) -> Option<Pid> {
    let children = fs::read_to_string(format!("/proc/{runner}/task/{runner}/children")).ok()?;
    children.split_whitespace().find_map(|pid| {
        let arguments = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let is_keeper = arguments.split(|b| *b == 0).nth(1) == Some(b"keeper");
        is_keeper.then(|| pid.parse().ok().map(Pid::from_raw)).flatten()
    })
}
