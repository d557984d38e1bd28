//! The `squall` binary: the only room that knows all others.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail"))]
#![allow(unreachable_pub, reason = "a binary has no API: `pub` here means for the other files of this folder")]

mod args;
#[cfg(feature = "kubernetes")]
mod cluster;
#[cfg(not(feature = "kubernetes"))]
#[path = "no_cluster.rs"]
mod cluster;
mod date;
mod diagnose;
mod doctor;
mod envoy;
mod features;
mod istio;
mod limits;
mod load;
mod mesh;
mod outcome;
mod plan;
mod recorder;
mod report;
mod run;
mod settings;
mod steps;
mod stop;
mod takes;
mod term;
mod up;

use args::{Cli, Command};
use clap::Parser;
use outcome::{Exit, Failure};
use std::process::ExitCode;

fn main() -> ExitCode {
    // The keeper forks and enters namespaces, which a process may do only while it has one thread: so it comes before all else.
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == "keeper") {
        return squall_place::keeper_main(arguments);
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Holds.into() };
        }
    };
    term::log_to_stderr();
    let terminal = term::Out::new(cli.color);
    match dispatch(cli.command, terminal) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            terminal.error(&failure);
            failure.exit().into()
        }
    }
}

fn dispatch(command: Command, out: term::Out) -> Result<Exit, Failure> {
    match command {
        Command::Run(args) => run::run(&args, out),
        Command::Lint(paths) => features::lint(&paths, out),
        Command::Plan(args) => plan::plan(&args, out),
        Command::Load(args) => load::load(&args, out),
        Command::LoadAgent(args) => load::agent(&args),
        Command::Calls(args) => load::calls(&args, out),
        Command::Steps(args) => steps::steps(&args, out),
        Command::Schema => steps::schema(out),
        Command::Report(args) => report::report(&args, out),
        Command::Recover(args) => report::recover(&args, out),
        Command::Doctor(args) => doctor::doctor(&args, out),
        Command::Up(args) => up::up(&args, out),
        Command::Down(args) => up::down(&args, out),
        Command::Agent => agent(),
        Command::Pod(args) => cluster::pod(&args, out),
        Command::PodProcess(args) => cluster::process(&args),
        Command::Runner(args) => cluster::runner(&args),
        Command::Reaper => cluster::reaper(out),
        Command::Keeper(_) => Err(Failure::usage("the keeper is started by a run, not by hand")),
        Command::Link(args) => squall_link::link_main(&squall_link::LinkArgs { config: args.config })
            .map(|()| Exit::Holds)
            .map_err(|e| Failure::environment(format!("the link ended: {e}"))),
        Command::Workload(args) => {
            squall_workload::workload_main(&squall_workload::WorkloadArgs { config: args.config })
                .map(|()| Exit::Holds)
                .map_err(|e| Failure::environment(format!("the workload ended: {e}")))
        }
    }
}

/// Beside a proxy in a pod. Its run's secret is nobody else's business, so it is in no argument.
fn agent() -> Result<Exit, Failure> {
    let token = std::env::var(squall_mesh_istio::manifest::TOKEN)
        .map_err(|_| Failure::usage("the agent is started by a run, not by hand"))?;
    let exe = std::env::current_exe().map_err(|e| Failure::environment(format!("failed to find this program: {e}")))?;
    let args = squall_place::pod::AgentArgs { token, exe };
    squall_place::pod::agent_main(args)
        .map(|()| Exit::Holds)
        .map_err(|e| Failure::environment(format!("the agent ended: {e}")))
}
