//! Clusters: the only module that knows a type of kube's.
//!
//! Objects are JSON, and are told to the API server by server-side apply under a field manager of our own. Whatever we make is
//! labelled with its run and lies in a namespace of the run's own, so that one deletion ends all of it.

mod client;
mod error;
mod pods;

pub use client::{Cluster, current_context};
pub use error::ClusterError;
pub use pods::{Ended, Lines};

/// The label of everything that a run makes, with the run's name; by itself it selects what any run has made.
pub const RUN: &str = "squall.dev/run";

/// What the namespace of a run is called.
#[must_use]
pub fn namespace_of(run: &str) -> String {
    format!("squall-{run}")
}
