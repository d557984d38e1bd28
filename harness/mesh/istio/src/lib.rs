//! Istio as a mesh: what is wanted is said in Istio's own objects, a real istiod tells it to the proxies, and faults come over
//! a channel of our own, as everywhere.
//!
//! - [`render`]: desired state to objects. Pure.
//! - [`istiod`]: how one is started that needs no Kubernetes, and what its log says of what it was given.
//! - [`relay`]: each proxy's way to istiod, which can be cut.
//! - [`counters`]: what Istio calls a cluster, by the names that evidence knows.
//! - [`Istio`]: all of it as a mesh that the engine drives.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail"))]

mod address;
mod control;
mod counters;
pub mod istiod;
mod mesh;
mod relay;
pub mod render;

pub use address::Network;
pub use mesh::{Istio, IstioError};
