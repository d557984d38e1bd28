//! An agent: sends its share of a load run, and tells what came of it. It is told what to do by lines of JSON on its standard input,
//! and answers on its standard output; where its input ends, whoever gave the orders is gone, and so is the reason to send.
//!
//! Between machines the two are carried by something else, and `at` by a clock that both can read: [`in_pod`].

use super::{
    args::LoadArgs,
    drive::{self, Driven, Teller, runtime},
    in_pod,
    plan::Planned,
};
use crate::{
    args::{Cli, Command, LoadAgentArgs},
    outcome::{Exit, Failure},
};
use clap::Parser as _;
use serde::{Deserialize, Serialize};
use squall_load::{Generator, Recorder};
use squall_model::Stamp;
use squall_traffic::{Share, Start};
use std::{
    io::{BufRead as _, Write as _},
    time::Duration,
};
use tokio::sync::mpsc;

/// What agents and whoever leads them speak.
pub const VERSION: u16 = 1;

/// To an agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Get ready: everything is checked, and the target found. First of all.
    Prepare {
        /// [`VERSION`].
        v: u16,
        /// The command line of the whole run.
        args: Vec<String>,
        /// What is drawn is drawn from this, so that all agents draw the same.
        seed: u64,
        /// What of it is this agent's.
        share: Share,
    },
    /// The first intended send of the whole run is at this moment.
    Start {
        /// On the machine's monotonic clock.
        at: Stamp,
    },
    /// Send no more; what is in flight is waited for.
    Stop,
}

/// From an agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum News {
    /// It could start now.
    Ready,
    /// It cannot, or could not.
    Failed {
        /// The status with which it ends.
        status: u8,
        /// Why, with a way out.
        message: String,
    },
    /// Calls that have ended since the last time.
    Calls(Box<Recorder>),
    /// All calls have been told.
    Done {
        /// How its engine did.
        generator: Generator,
        /// How long it sent.
        took: Duration,
    },
}

/// The whole life of an agent.
///
/// # Errors
/// Exit 2 and 3 as of a run; whoever leads is told the same.
pub fn agent(args: &LoadAgentArgs) -> Result<Exit, Failure> {
    if let Some(folder) = &args.task {
        return in_pod::agent(folder);
    }
    let orders = orders();
    match runtime().and_then(|runtime| runtime.block_on(serve(orders))) {
        Ok(()) => Ok(Exit::Holds),
        Err(failure) => {
            tell(&News::Failed { status: failure.exit().status(), message: failure.to_string() });
            Err(failure)
        }
    }
}

async fn serve(mut orders: mpsc::UnboundedReceiver<Order>) -> Result<(), Failure> {
    let planned = match orders.recv().await {
        Some(Order::Prepare { v: VERSION, args, seed, share }) => prepare(load_args(&args)?, seed, share)?,
        Some(Order::Prepare { v, .. }) => {
            return Err(Failure::usage(format!("this agent speaks version {VERSION}, and was asked for {v}")));
        }
        Some(_) => return Err(Failure::usage("an agent has to be told what to prepare first")),
        // Nobody wants anything.
        None => return Ok(()),
    };
    tell(&News::Ready);
    let Some(Order::Start { at }) = orders.recv().await else { return Ok(()) };
    let stop = async {
        match orders.recv().await {
            Some(_) => "an order",
            None => "the end of its orders",
        }
    };
    let start = Start { at: Some(at), ..Start::default() };
    let part = Teller::Parts(Box::new(|calls| tell(&News::Calls(Box::new(calls)))));
    let Driven { calls, generator, took, .. } = drive::send(&planned, start, None, stop, part).await?;
    tell(&News::Calls(Box::new(calls)));
    tell(&News::Done { generator, took });
    Ok(())
}

/// As the whole run would be prepared, but for what is not this agent's.
pub fn prepare(args: LoadArgs, seed: u64, share: Share) -> Result<Planned, Failure> {
    let mut planned = Planned::of(&LoadArgs { seed: Some(seed), ..args })?;
    planned.line.share = share;
    planned.connections = planned.connections.map(|all| part(all, share));
    Ok(planned)
}

/// The part of a number that comes to a share; each gets one at least.
fn part(all: usize, share: Share) -> usize {
    squall_load::part(all as u64, share.nth, share.of).max(1) as usize
}

/// A command line, read again.
///
/// # Errors
/// Exit 2 where it is none of `load`.
pub fn load_args(args: &[String]) -> Result<LoadArgs, Failure> {
    let cli = Cli::try_parse_from(args).map_err(|error| Failure::usage(error.to_string()))?;
    match cli.command {
        Command::Load(args) => Ok(*args),
        _ => Err(Failure::usage("an agent can do nothing but load")),
    }
}

/// The orders as they come, read on a thread of its own: a read of the standard input cannot be given up.
fn orders() -> mpsc::UnboundedReceiver<Order> {
    let (sender, orders) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            // What cannot be read is no order of ours, and whoever sends such things is not to be obeyed any longer.
            let order = line.ok().and_then(|line| serde_json::from_str(&line).ok());
            match order.map(|order| sender.send(order)) {
                Some(Ok(())) => {}
                _ => return,
            }
        }
    });
    orders
}

fn tell(news: &News) {
    let Ok(line) = serde_json::to_string(news) else { return };
    let mut out = std::io::stdout().lock();
    // Where nobody reads any more, the orders have ended as well.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_connections_are_all_of_them() {
        let parts = |all, of| (0..of).map(|nth| part(all, Share { nth, of })).collect::<Vec<_>>();
        assert_eq!(parts(7, 3), [3, 2, 2]);
        assert_eq!(parts(6, 3), [2, 2, 2]);
        assert_eq!(parts(2, 3), [1, 1, 1]);
    }

    #[test]
    fn orders_are_lines_that_people_can_read() {
        let share = Share { nth: 1, of: 3 };
        let order = Order::Prepare { v: 1, args: vec!["squall".into(), "load".into()], seed: 7, share };
        let line = r#"{"prepare":{"v":1,"args":["squall","load"],"seed":7,"share":{"nth":1,"of":3}}}"#;
        assert_eq!(serde_json::to_string(&order).unwrap(), line);
        assert_eq!(serde_json::to_string(&Order::Stop).unwrap(), r#""stop""#);
        assert_eq!(serde_json::from_str::<Order>(line).unwrap(), order);
    }
}
