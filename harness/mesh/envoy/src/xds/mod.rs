//! The control plane: a delta ADS server of our own.
//!
//! What a proxy should have is set whole ([`AdsServer::set`]); what it lacks is computed here and pushed make-before-break:
//! clusters and, without waiting for their acknowledgement, their endpoints; then listeners; then routes; and only when all
//! of those are acknowledged, what is to be taken away. (Envoy's xDS protocol, "Eventual consistency considerations"; an
//! Envoy acknowledges a changed cluster only after it has its endpoints, and does not ask for them again.)
//!
//! A rejected push halts its generation: Envoy applies a rejected batch in part, so what it then holds is unknown. The
//! resources of that push are sent again with the next state, whatever that is; setting the last good one is the cure.

mod error;
mod flow;
mod node;
mod resources;
mod server;
mod service;
mod session;
mod state;
#[cfg(test)]
mod tests;

pub use error::{Behind, Lag, Rejection, XdsEvent};
pub use node::Generation;
pub use resources::{Kind, Resource, Resources};
pub use server::AdsServer;
pub use squall_mesh_proxy::stream::Acked;
