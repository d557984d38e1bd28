//! Where processes live: run folders, the keeper, what recovers a dead run, and Envoy's provisioning.
//!
//! Nothing that Squall starts outlives it. A run has one [`RunFolder`], whose lock the kernel gives back at any death of
//! the runner, and one [`Keeper`], the parent of every process of the run: it kills its tree when the runner's end of a
//! pipe closes, and its tree dies with it. Whatever can still be left after both were killed at once, [`recover()`] finds.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail"))]

mod clock;
pub mod envoy;
mod error;
mod folder;
mod keeper;
#[cfg(feature = "kubernetes")]
pub mod kubernetes;
mod os;
pub mod pod;
mod program;
mod recover;
mod survey;

pub use error::PlaceError;
pub use folder::{Base, ProcessFolder, RunFolder};
pub use keeper::{
    Exit, Exited, Keeper, Life, Net, NetWish, ProcessHandle, ProcessId, ProcessSpec, Signal, keeper_main,
};
pub use program::programs;
pub use recover::{Ended, Fate, Recovery, RunRecovery, recover, recover_in};
pub use survey::{Memory, Survey, survey};
