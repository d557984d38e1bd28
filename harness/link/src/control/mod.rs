//! The control socket: one JSON object a line, asked by the runner, answered by the link.
//!
//! The link greets every client with `{"ready": …}`; then each `{"damage": [[Wire, [Damage]]]}`,
//! `{"lead": {"wire": Wire, "to": ADDRESS}}` and `{"mark": TEXT}` is answered with `{"done": Stamp}`, each `{"renew": {}}` with
//! `{"renewed": {"lapsed": Stamp}}`, `{"quit": {}}` with `{"bye": {}}`, damage after a lapse with `{"lapsed": Stamp}`, and what
//! cannot be done with `{"refused": WHY}`.

mod client;
mod heartbeat;
mod server;

pub use client::{Control, ControlError};
pub(crate) use server::{Desk, Heard};

use serde::{Deserialize, Serialize};
use squall_model::{Damage, Stamp, Wire};
use std::net::SocketAddr;

/// What the runner asks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Ask {
    Damage(Vec<(Wire, Vec<Damage>)>),
    Lead { wire: Wire, to: Option<SocketAddr> },
    Mark(String),
    Renew {},
    Quit {},
}

/// What the link says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Say {
    Ready(Ready),
    Done(Stamp),
    /// When a lease last ran out.
    Renewed {
        lapsed: Option<Stamp>,
    },
    Lapsed(Stamp),
    Bye {},
    Refused(String),
}

impl squall_child::Say for Say {
    fn unless_refused(self) -> Result<Say, String> {
        if let Say::Refused(why) = self { Err(why) } else { Ok(self) }
    }
}

/// The link's greeting: it carries its wires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// Its process id.
    pub pid: u32,
    /// Where each wire accepts connections, in the order of the configuration. An address stays for the life of the link.
    pub listens: Vec<(Wire, SocketAddr)>,
}
