//! The fault channel: one runtime layer a proxy, under a lease, on a server and a thread of its own.
//!
//! The layer is a resource with a time to live, kept alive by heartbeats (xDS protocol, "TTL"); whatever ends the
//! heartbeats, our death above all, ends the faults by the proxy's own doing. It has its own xDS cluster in the bootstrap, so
//! a scenario may kill the control plane without ending its faults.
//!
//! A lease that ran out is told once ([`ChannelEvent::Lapsed`]) and never taken up again: the proxy is sent an empty layer, and
//! faults return only with the next [`FaultChannel::set`]. So is an order that no proxy took within the time to live. An empty
//! layer has no lease: there is nothing in it that could outlive us.

mod event;
mod holder;
mod layer;
mod server;
mod service;
mod state;
#[cfg(test)]
mod tests;
mod wire;

pub use event::{ChannelEvent, Lapse, Unarmed};
pub use holder::Push;
pub use layer::{Layer, RuntimeValue};
pub use server::{FaultChannel, Timing};
