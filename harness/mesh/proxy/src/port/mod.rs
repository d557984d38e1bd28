//! The fault port: what proxies that are not ours ask about each try of our traffic.
//!
//! It is a service of external authorisation (envoy.service.auth.v3.Authorization) that answers OK at once, always. Where a
//! fault strikes, it adds headers to the request, and a fault filter behind it does what they say ([`filters`]); so flags and
//! counters are those of any fault. Who asks and gets no answer goes on without one: when we die, the faults are gone by the
//! next try, and nobody has to take anything back.
//!
//! Each try is drawn for by a hash of what it is ([`Draw`]), so a seed says it all, and each is written down
//! ([`AskedRecord`](squall_model::AskedRecord)): what share was struck is counted, not estimated.

mod draw;
pub mod filters;
mod order;
mod server;
mod service;
mod state;
#[cfg(test)]
mod tests;

pub use draw::Draw;
pub use order::Order;
pub use server::FaultPort;
pub use state::Whereabouts;
