//! Envoy configured by a delta ADS server of our own; render is pure.
//!
//! - [`xds`]: the control plane, one desired state a proxy, pushed make-before-break, acknowledged by generation.
//! - [`encode`]: what a proxy should do as Envoy's messages. Pure.
//! - [`Envoy`]: all of it as a mesh that the engine drives, proven by probes that reach no upstream.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail"))]

mod confirm;
mod control;
pub mod encode;
mod mesh;
#[cfg(test)]
mod rendering;
mod state;
pub mod xds;

pub use mesh::Envoy;
pub use squall_mesh_proxy::{ServeError, now};
