//! A proxy and its workload in a pod, as processes of this machine.
//!
//! Everything that knows a local process knows a pod, too: a process of ours *holds* it. What lies in the folder of a proxy lies
//! in the pod under the same path; the holder relays its sockets, and [`Mirrors`] follow its files. Who kills
//! the holder kills what is in the pod: the [`agent`](agent_main) beside the proxy ends all of it when the holder's connection
//! closes, or is silent for three seconds. So a pod's life is a lease, as a fault's is, and hangs on no API server.
//!
//! - [`wire`]: how the two speak: one line that asks, one that answers, then bytes.
//! - [`agent_main`]: in the pod.
//! - [`hold`]: the process that stands for a pod; [`hold_process`]: one that stands for a workload in it.
//! - [`freeze`]: has processes in a pod stand still, and wakes them when it is dropped.
//! - [`Seat`]: what the holder writes down for others: where the pod is.

mod agent;
mod files;
mod holder;
mod mirrors;
mod process;
mod relay;
mod still;
mod wire;

pub use agent::{AgentArgs, agent_main};
pub use holder::{Seat, hold};
pub use mirrors::Mirrors;
pub use process::{ProcessInPod, hold_process};
pub use still::{Lapse, Still, freeze};
pub use wire::Freeze;

use std::time::Duration;

/// The port of the agent in every pod.
pub const AGENT_PORT: u16 = 15_900;

/// The folder that the proxy's container and ours share, the same in every pod: what all proxies are told alike lies in it.
pub const HOME: &str = "/run/squall";

/// How long a pod outlives the last sign of its holder: as long as a fault outlives us.
pub(crate) const LEASE: Duration = Duration::from_secs(3);

/// How often the holder gives a sign.
pub(crate) const BEAT: Duration = Duration::from_millis(500);

/// How often a file is looked at.
pub(crate) const LOOK: Duration = Duration::from_millis(4);

/// Until something may have changed that has no way to say so.
#[expect(clippy::disallowed_methods, reason = "this is the interval of looking, not a wait for luck")]
pub(crate) async fn look_again(after: Duration) {
    tokio::time::sleep(after).await;
}
