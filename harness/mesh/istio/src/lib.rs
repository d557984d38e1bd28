//! Istio as a mesh: what is wanted is said in Istio's own objects, a real istiod tells it to the proxies, and faults come over
//! a channel of our own, as everywhere.
//!
//! - [`render`]: desired state to objects. Pure.
//! - [`Istio`]: all of it as a mesh that the engine drives, wherever it lives.
//! - [`Alone`]: on one machine, with an istiod that needs no Kubernetes ([`istiod`]), which reads a folder.
//! - [`Pods`]: on a cluster, in pods with injected sidecars; objects are kept by the API server.
//! - `counters`: what Istio calls a cluster, by the names that evidence knows.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail"))]

mod alone;
mod carry;
mod control;
mod counters;
mod home;
mod mesh;
mod pods;
pub mod render;

pub use alone::{Alone, Network, istiod};
pub use home::Home;
pub use mesh::Istio;
pub use pods::{
    Frozen, Keep, Lapse, Pods, Runner, Unkept, Way, asking, manifest, refused as refused_in_pods, starter_of,
};
pub use squall_mesh_proxy::ServeError;

/// The port of every proxy's inbound listener: one that hardly anybody listens on at every address of a machine.
pub(crate) const INBOUND: u16 = 15_808;
