//! The proxy that every mesh of Envoys has, whoever configures it.
//!
//! - [`bootstrap`]: how it is started. Pure.
//! - [`render`]: desired state to a table of what it should do, as people read it. Pure; each mesh says it in its own words.
//! - [`channel`]: the fault channel, a runtime layer under a lease, on a server and a thread of its own; [`Leases`]: what is armed
//!   where, and the proof of it.
//! - [`port`]: the fault port, which proxies of others ask about each try of our traffic.
//! - [`admin`]: what a proxy says of itself; [`logs`]: what it logs; [`confirm`]: what its listeners answer.
//! - [`Proxies`]: what is asked of all of them alike.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail"))]

pub mod admin;
pub mod bootstrap;
pub mod channel;
mod clock;
pub mod confirm;
mod drain;
pub mod host;
mod leases;
pub mod logs;
mod policy;
pub mod port;
mod probe;
mod proxies;
pub mod render;
pub mod stream;

pub use clock::{instant, now};
pub use host::ServeError;
pub use leases::{Leases, Proof};
pub use policy::LeadsTo;
pub use proxies::{Counted, Proxies, gather, heard, silent};

use std::path::{Path, PathBuf};

/// Where an instance's calls leave: a Unix socket in the proxy's own folder.
#[must_use]
pub fn outbound_socket(folder: &Path) -> PathBuf {
    folder.join("out.sock")
}
