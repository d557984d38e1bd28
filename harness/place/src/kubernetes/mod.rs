//! Clusters: the only module that knows a type of kube's.
//!
//! Objects are JSON, and are told to the API server by server-side apply under a field manager of our own. Whatever we make is
//! labelled with its run and lies in a namespace of the run's own, so that one deletion ends all of it.

mod client;
mod error;
mod names;
mod pods;

pub use client::{Cluster, FIELD_MANAGER, Version};
pub use error::ClusterError;
pub use names::{RUN, run_of, selector_of};
pub use pods::{Ended, Lines};
