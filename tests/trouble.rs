//! Something breaks that nobody asked to: it ends in a verdict that names it, and nothing is left paused or cut.
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
use std::{
    fs,
    os::unix::fs::symlink,
    process::{Child, Stdio},
    time::{Duration, Instant},
};
use support::{Ran, Squall, before_the_next_look, envoy_to_be_had};

/// How long anything that should happen may take.
const SOON: Duration = Duration::from_secs(20);

/// How long everything may take to be gone.
const GONE: Duration = Duration::from_secs(5);

fn feature(given: &str, when: &str, then: &str) -> String {
    format!(
        "Feature: F\n  Background:\n    Given a service \"web\" that calls \"reviews\"\n    \
         And a service \"reviews\" with 2 instances that answer in 5 ms\n\n  @control(none: \"not what this is about\")\n  \
         Scenario: S\n    {given}\n    {when}\n    And \"web\" makes 100 calls per second to \"reviews\" for 6 seconds\n    \
         Then {then}\n"
    )
}

/// A run of a feature of the test's own, under way.
struct UnderWay {
    squall: Squall,
    child: Child,
}

impl UnderWay {
    fn start(text: &str, more: &[&str]) -> UnderWay {
        let squall = Squall::new();
        let path = squall.feature("trouble.feature", text);
        let args: Vec<&str> = ["run"].into_iter().chain(more.iter().copied()).chain([path.as_str()]).collect();
        let child = squall.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        UnderWay { squall, child }
    }

    /// What has been recorded so far.
    fn record(&self) -> String {
        let runs = fs::read_dir(self.squall.home.path().join("runs")).into_iter().flatten().flatten();
        runs.filter_map(|run| fs::read_to_string(run.path().join("events.jsonl")).ok()).collect()
    }

    fn until_recorded(&self, words: &str) {
        let by = Instant::now() + SOON;
        while !self.record().contains(words) {
            assert!(Instant::now() < by, "`{words}` was never recorded: {}", self.record());
            before_the_next_look();
        }
    }

    /// The processes of the run whose arguments have all of these words.
    fn processes(&self, words: &[&str]) -> Vec<Pid> {
        let home = self.squall.home.path().display().to_string();
        let entries = fs::read_dir("/proc").unwrap().flatten();
        let found = entries.filter_map(|entry| {
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let arguments = fs::read(entry.path().join("cmdline")).ok()?;
            let arguments = String::from_utf8_lossy(&arguments).replace('\0', " ");
            let ours = arguments.contains(&home) && words.iter().all(|word| arguments.contains(word));
            ours.then(|| Pid::from_raw(pid))
        });
        found.collect()
    }

    fn end(self) -> (Squall, Ran) {
        let ran = self.child.wait_with_output().unwrap().into();
        (self.squall, ran)
    }
}

#[test]
fn a_link_that_dies_is_named_and_nothing_is_proven() {
    let Some(_turn) = envoy_to_be_had() else { return };
    let cut = "When the wire from \"web\" to instance 2 of \"reviews\" is cut from 4 s to 5 s";
    let run = UnderWay::start(
        &feature("Given calls to \"reviews\" time out after 200 ms", cut, "at least 1 call fails"),
        &[],
    );
    run.until_recorded("stage_began");
    let link = run.processes(&[" link --config"]);
    assert_eq!(link.len(), 1, "one link a run");
    kill(link[0], Signal::SIGKILL).unwrap();
    let (squall, ran) = run.end();
    ran.says(&["the link died by itself: it was killed by SIGKILL"]);
    assert!(matches!(ran.status, Some(3 | 5)), "{}", ran.all());
    assert_eq!(squall.left_after(GONE), Vec::<String>::new());
}

#[test]
fn a_proxy_that_dies_while_a_fault_is_armed_is_named_and_nothing_is_proven() {
    let Some(_turn) = envoy_to_be_had() else { return };
    let abort = "When 30% of the tries reaching \"reviews\" are aborted with status 503";
    let run = UnderWay::start(&feature("", abort, "at least 10% of the calls fail"), &[]);
    run.until_recorded("stage_began");
    // Nodes p0, p1 and p2 are the caller and two callees, in whatever order they were taken.
    let proxies = run.processes(&["envoy.json"]);
    assert_eq!(proxies.len(), 3, "one proxy an instance");
    kill(*proxies.last().unwrap(), Signal::SIGKILL).unwrap();
    let (squall, ran) = run.end();
    ran.says(&["died", "SIGKILL"]);
    assert!(matches!(ran.status, Some(3 | 5)), "{}", ran.all());
    assert_eq!(squall.left_after(GONE), Vec::<String>::new());
}

#[test]
fn an_instance_that_cannot_come_back_is_an_error_that_says_why() {
    let Some(_turn) = envoy_to_be_had() else { return };
    let at_hand = squall_place::envoy::at_hand(None).unwrap().expect("doctor has found it");
    let folder = tempfile::tempdir().unwrap();
    let envoy = folder.path().join("envoy");
    symlink(at_hand.path, &envoy).unwrap();
    let killed = "When instance 2 of \"reviews\" is killed from 1 s to 3 s";
    let text = feature("", killed, "at least 1 call fails");
    let run = UnderWay::start(&text, &["--envoy", envoy.to_str().unwrap()]);
    run.until_recorded("\"what\":\"armed\"");
    fs::remove_file(&envoy).unwrap();
    let (squall, ran) = run.end();
    ran.expect(3).says(&["error", "failed to place"]);
    assert_eq!(squall.left_after(GONE), Vec::<String>::new());
}

#[test]
fn a_zone_without_an_instance_is_a_mistake() {
    let squall = Squall::new();
    let path = squall
        .feature("z.feature", &feature("", "When zone \"east\" is cut off from 1 s to 2 s", "every call succeeds"));
    squall.run(&["run", &path]).expect(2).says(&["[unknown-name]", "there is no zone \"east\""]);
}

#[test]
fn what_is_paused_dies_with_its_parents() {
    let Some(_turn) = envoy_to_be_had() else { return };
    let paused = "When the proxy of instance 2 of \"reviews\" is paused from 500 ms to 5 s";
    let mut run = UnderWay::start(&feature("", paused, "at least 1 call succeeds"), &[]);
    run.until_recorded("\"what\":\"armed\"");
    let keepers = run.processes(&[" keeper --folder"]);
    assert!(!keepers.is_empty());
    keepers.into_iter().for_each(|pid| kill(pid, Signal::SIGKILL).unwrap_or_default());
    run.child.kill().unwrap();
    run.child.wait().unwrap();
    let left = run.squall.left_after(GONE);
    let processes: Vec<&String> = left.iter().filter(|l| l.starts_with("process")).collect();
    assert!(processes.is_empty(), "{processes:#?}");
    run.squall.run(&["recover"]).expect(0);
    assert_eq!(run.squall.left(), Vec::<String>::new());
}

#[test]
fn a_run_that_is_interrupted_while_a_wire_is_cut_leaves_nothing_behind() {
    let Some(_turn) = envoy_to_be_had() else { return };
    let cut = "When the wire from \"web\" to \"reviews\" is cut from 500 ms";
    let run = UnderWay::start(&feature("", cut, "at least 1 call fails"), &[]);
    run.until_recorded("\"what\":\"armed\"");
    kill(Pid::from_raw(run.child.id() as i32), Signal::SIGINT).unwrap();
    let (squall, ran) = run.end();
    ran.expect(3);
    assert_eq!(squall.left_after(GONE), Vec::<String>::new());
}
