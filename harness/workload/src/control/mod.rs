//! The control socket: one JSON object a line, asked by the runner, answered by the workload.
//!
//! The workload greets every client with `{"ready": …}`; then each `{"set": Behaviour}` is answered with
//! `{"done": Stamp}`, each `{"mark": TEXT}` with `{"done": Stamp}`, each `{"state": {}}` with `{"state": …}`, `{"quit": {}}` with
//! `{"bye": {}}`, and what cannot be done with `{"refused": WHY}`.

mod client;
mod server;

pub use client::Control;
pub(crate) use server::answer_controls;

use crate::Endpoint;
use serde::{Deserialize, Serialize};
use squall_model::{Behaviour, InstanceId, Stamp};

/// What the runner asks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Ask {
    Set(Behaviour),
    Mark(String),
    State {},
    Quit {},
}

/// What the workload says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Say {
    Ready(Ready),
    Done(Stamp),
    State(State),
    Bye {},
    Refused(String),
}

impl squall_child::Say for Say {
    fn unless_refused(self) -> Result<Say, String> {
        if let Say::Refused(why) = self { Err(why) } else { Ok(self) }
    }
}

/// The workload's greeting: it accepts tries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// Which instance it is.
    pub instance: InstanceId,
    /// Where it accepts tries; with the kernel's port where none was asked for.
    pub listen: Endpoint,
    /// Its process id: which life of the instance this is.
    pub pid: u32,
}

/// What the workload is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct State {
    /// Tries being worked on, those included whose caller has gone, or that hang.
    pub in_flight: u32,
    /// Tries waiting in line.
    pub waiting: u32,
    /// Tries that ended, however: as many as there are lines in the ledger from this life, markers left out.
    pub served: u64,
    /// Of these and of the checks, those that were shed because the line was full.
    pub shed: u64,
    /// Health checks, which are no tries and not in the ledger.
    pub checks: u64,
}
