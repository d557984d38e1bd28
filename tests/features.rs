//! The catalogue holds on real proxies, and every scenario goes red without what it tests.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test that cannot unwrap should fail, and says what it saw"
)]

mod support;

use std::cell::RefCell;
use support::{NotGreen, Ran, Squall, envoy_to_be_had, root, until_decided};

#[test]
fn every_feature_holds_and_every_control_goes_red() {
    let Some(_turn) = envoy_to_be_had() else { return };
    let squall = Squall::new();
    let summary = squall.home.path().join("summary.json");
    let junit = squall.home.path().join("junit.xml");
    let (summary_text, junit_text) = (summary.display().to_string(), junit.display().to_string());
    let ran = squall.run(&["run", "--controls", "--summary", &summary_text, "--junit", &junit_text, "features"]);
    eprintln!("{}", ran.out);
    let totals: serde_json::Value = serde_json::from_slice(&std::fs::read(&summary).unwrap()).unwrap();
    let scenarios = totals["scenarios"].as_u64().unwrap();
    eprintln!("{scenarios} scenarios ran on real proxies, {} controls went red", totals["controls_red"]);
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    assert!(readme.contains(&format!("all {scenarios} scenarios")), "README.md has another number than {scenarios}");
    // A machine that stalls makes a run inconclusive, which is no red and no green: two of all runs at most, each by its own
    // health record, and those are run again, and hold then. Everything else must hold, and every control that was decided must be red.
    let count = |name: &str| totals[name].as_u64().unwrap();
    let open = NotGreen::all(&totals);
    assert!(open.iter().all(NotGreen::by_the_machine), "not green, and not for the machine: {open:?}");
    assert!(open.len() <= 2, "{open:?} were not decided");
    assert_eq!(count("holds") + count("inconclusive"), scenarios, "{totals}");
    assert_eq!(
        count("controls_red") + count("controls_undecided"),
        scenarios,
        "a scenario of the catalogue has no red control: {totals}"
    );
    ran.expect(if open.is_empty() { 0 } else { 5 });
    if !open.is_empty() {
        let again: Vec<&str> =
            ["run", "--controls"].into_iter().chain(open.iter().map(|one| one.place.as_str())).collect();
        until_decided(|| squall.run(&again)).expect(0);
    }
    assert_eq!(std::fs::read_to_string(&junit).unwrap().matches("<testcase").count() as u64, scenarios);
    assert_eq!(squall.left_after(std::time::Duration::from_secs(5)), Vec::<String>::new());
}

#[test]
fn what_is_not_decided_is_run_again_and_nothing_else_is() {
    let runs = |statuses: &[i32]| {
        let left = RefCell::new(statuses.iter());
        let next = || Ran { status: left.borrow_mut().next().copied(), out: String::new(), err: String::new() };
        let last = until_decided(next).status.unwrap();
        (last, left.borrow().len())
    };
    assert_eq!(runs(&[0, 1]), (0, 1));
    assert_eq!(runs(&[1, 0]), (1, 1), "no red one is tried twice");
    assert_eq!(runs(&[5, 5, 0, 0]), (0, 1));
    assert_eq!(runs(&[5, 1, 0]), (1, 1));
    assert_eq!(runs(&[5, 5, 5, 0]), (5, 1), "three times at most");
}

#[test]
fn a_recorded_run_replays_to_the_same_words() {
    let Some(_turn) = envoy_to_be_had() else { return };
    let squall = Squall::new();
    let ran = squall.run_when_the_machine_allows(&["run", "--tags", "@smoke", "features/timeout"]);
    ran.expect(0);
    let again = squall.run(&["report", "last"]);
    again.expect(0);
    assert_eq!(ran.out, again.out);
    squall.run(&["report", "last", "--format", "junit"]).expect(0).says(&["A slow callee does not hold its caller"]);
    squall.run(&["report", "last", "--format", "svg"]).expect(0).says(&["<svg", "Timeout"]);
}
