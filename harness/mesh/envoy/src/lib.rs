//! Envoy configured by a delta ADS server of our own; render is pure.
//!
//! - [`xds`]: the control plane, one desired state a proxy, pushed make-before-break, acknowledged by generation.
//! - [`channel`]: the fault channel, a runtime layer under a lease, on a server and a thread of its own.
//! - [`bootstrap`]: how a proxy is started. Pure.
//! - [`admin`]: what a proxy says of itself.
//! - [`render`]: desired state to configuration, as people read it. Pure.
//! - [`encode`]: that configuration as Envoy's messages. Pure.
//! - [`Envoy`]: all of it as a mesh that the engine drives, proven by probes that reach no upstream.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail"))]

pub mod admin;
mod arming;
pub mod bootstrap;
pub mod channel;
mod clock;
mod confirm;
mod control;
mod drain;
pub mod encode;
mod host;
mod logs;
mod mesh;
mod probe;
pub mod render;
mod state;
mod stream;
pub mod xds;

pub use clock::now;
pub use host::ServeError;
pub use mesh::Envoy;

pub(crate) use encode::outbound_socket;
