//! Admission, timeline, leases, teardown: the only caller of place, mesh and traffic.
//!
//! ```text
//! admit → place → bind → render → apply → confirm → settle → { arm → traffic ∥ cues → quiesce }*
//!       → end faults → confirm clean → barrier → judge → recycle
//! ```
//! Each arrow has one named deadline ([`deadline`]). Cancellation may come at any of them, and always leaves through
//! *end faults*; when even that is prevented, faults are leases and processes have a keeper.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail"))]

mod asking;
mod behave;
mod clock;
mod control;
pub mod deadline;
mod error;
mod events;
mod gather;
mod guard;
mod lag;
mod lines;
mod pool;
mod run;
mod run_queue;
mod scenario;
mod stage;
mod stopper;
mod tail;
mod tell;
mod watch;
mod world;

pub use error::EngineError;
pub use events::Events;
pub use run::Engine;
pub use stopper::Stopper;
