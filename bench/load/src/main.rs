//! `squall-bench-load compare`: prints one table, and writes it as JSON where asked.

use clap::{Parser, Subcommand};
use squall_bench_load::{Effort, Failed, compare};
use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

#[derive(Parser)]
#[command(about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs every load generator that is on the PATH (wrk, h2load, oha, hey, fortio, vegeta, k6) beside `squall load`.
    Compare {
        /// The program that is measured; a release build, else it is no comparison.
        #[arg(long, default_value = "target/release/squall")]
        squall: PathBuf,
        /// Rounds; each figure is the median of all.
        #[arg(long, default_value_t = 3)]
        rounds: usize,
        /// Writes the rows as JSON, too.
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
        /// One round of seconds: whether it works, and nothing about speed.
        #[arg(long)]
        quick: bool,
    },
}

fn main() -> ExitCode {
    let Command::Compare { squall, rounds, json, quick } = Cli::parse().command;
    let effort = if quick { Effort::quick() } else { Effort::full(rounds) };
    match run(&squall, &effort, json.as_deref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is nobody left to tell if this cannot be written.
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::from(3)
        }
    }
}

fn run(squall: &Path, effort: &Effort, json: Option<&Path>) -> Result<(), Failed> {
    let table = compare(squall, effort, &mut |line| drop(writeln!(std::io::stderr(), "{line}")))?;
    write!(std::io::stdout(), "{}", table.text())?;
    if let Some(file) = json {
        std::fs::write(file, table.json())?;
    }
    Ok(())
}
