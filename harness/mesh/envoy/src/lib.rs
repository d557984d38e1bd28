//! Envoy configured by a delta ADS server of our own; render is pure.
//!
//! - [`xds`]: the control plane, one desired state a proxy, pushed make-before-break, acknowledged by generation.
//! - [`channel`]: the fault channel, a runtime layer under a lease, on a server and a thread of its own.
//! - [`bootstrap`]: how a proxy is started. Pure.
//! - [`admin`]: what a proxy says of itself.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail"))]

pub mod admin;
pub mod bootstrap;
pub mod channel;
mod clock;
mod host;
mod stream;
pub mod xds;

pub use clock::now;
pub use host::ServeError;
