//! The protocol half and the fault port against a real Envoy: `SQUALL_ENVOY` says where it is. Without it these tests say SKIPPED
//! on standard error, and fail where `CI` is set.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail")]

mod ads;
mod channel;
mod lab;
mod port;
mod resources;
