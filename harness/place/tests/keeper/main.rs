//! The keeper with real processes: what it starts, what it sees, and that nothing survives a `kill -9`.
//!
//! This program is its own helper: `keeper …` becomes a keeper, `runner …` a runner to be killed. Otherwise it is a small
//! test harness that speaks enough of libtest's arguments for cargo and cargo-nextest.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail")]
#![allow(clippy::print_stdout, reason = "the runner's and the harness's output")]

mod lives;
mod survives;
mod world;

use std::panic::catch_unwind;
use std::process::ExitCode;

type Test = (&'static str, fn());

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    match args.next().as_deref().and_then(|word| word.to_str()) {
        // Before there is a second thread: the keeper forks.
        Some("keeper") => squall_place::keeper_main(args),
        Some("runner") => survives::runner(args),
        _ => run(&[lives::TESTS, survives::TESTS].concat()),
    }
}

fn run(tests: &[Test]) -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| args.iter().any(|arg| arg == flag);
    let words: Vec<&String> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    let wanted = |name: &str| {
        words.is_empty()
            || words.iter().any(|word| if has("--exact") { name == *word } else { name.contains(word.as_str()) })
    };
    // No test here is an ignored one.
    let chosen = tests.iter().filter(|(name, _)| wanted(name) && !has("--ignored"));
    if has("--list") {
        chosen.for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let mut failed = Vec::new();
    for (name, test) in chosen {
        let passed = catch_unwind(test).is_ok();
        println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
        if !passed {
            failed.push(name);
        }
    }
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
