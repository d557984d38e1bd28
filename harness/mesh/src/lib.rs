//! The port between the engine and a mesh: what the engine asks of a backend, and nothing of how it is done.
//!
//! A backend configures proxies; where their processes live is the business of the room `place`. There is no `revert`:
//! reverting is applying the earlier configuration again, with the same confirmation.
//!
//! What a backend owes beyond its signatures is data in `testing` (feature `testing`): cases that all of them pass.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail"))]

mod ids;
mod port;
mod seat;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use ids::{settling, word_of};
pub use port::{
    Applied, Confirmed, Leaving, LogLine, Logs, Mesh, MeshError, MeshEvent, PoliciesInForce, PolicyInForce, Refusal,
    Replaced, WallOffset,
};
pub use seat::{Bindings, Desired, Endpoint, Launch, Seat, WorkloadStart};
