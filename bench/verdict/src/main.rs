//! `squall-bench-verdict calibrate`: measures the statistics of the verdicts and writes docs/calibration.md.

use clap::{Parser, Subcommand};
use squall_bench_verdict::{Effort, Failed, calibrate};
use std::{io::Write, path::PathBuf, process::ExitCode};

#[derive(Parser)]
#[command(about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure error rates, power and sizes; exit with 1 if one is not what is promised.
    Calibrate {
        /// Seconds instead of minutes: fewer runs, and nothing is written.
        #[arg(long)]
        quick: bool,
        /// Where the result is written.
        #[arg(long, default_value = "docs/calibration.md")]
        out: PathBuf,
    },
}

fn main() -> ExitCode {
    let Command::Calibrate { quick, out } = Cli::parse().command;
    match run(quick, &out) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // There is nobody left to tell if this cannot be written.
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::from(3)
        }
    }
}

fn run(quick: bool, out: &std::path::Path) -> Result<bool, Failed> {
    let report = calibrate(if quick { Effort::Quick } else { Effort::Full })?;
    let text = report.markdown();
    write!(std::io::stdout(), "{text}")?;
    if !quick {
        std::fs::write(out, text)?;
    }
    for missed in report.missed() {
        writeln!(std::io::stderr(), "missed: {missed}")?;
    }
    Ok(report.missed().next().is_none())
}
