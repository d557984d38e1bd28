//! What proxies log, and how it is read again. Pure.

mod lines;
mod states;

pub use lines::{TRY, format, read};
pub use states::read as read_state;

use squall_mesh::Bindings;
use squall_model::InstanceId;
use std::path::{Path, PathBuf};

/// Access log and upstream log of the outbound listener.
pub fn outbound(folder: &Path) -> PathBuf {
    folder.join("outbound.log")
}

/// Access log of the inbound listener.
pub fn inbound(folder: &Path) -> PathBuf {
    folder.join("inbound.log")
}

/// What the proxy says of ejections.
pub fn ejections(folder: &Path) -> PathBuf {
    folder.join("ejections.log")
}

/// What the proxy says of the checks that it makes.
pub fn checks(folder: &Path) -> PathBuf {
    folder.join("checks.log")
}

/// Whose address this is.
fn instance(address: &str, at: &Bindings) -> Option<InstanceId> {
    let address: std::net::SocketAddr = address.parse().ok()?;
    at.at(address).cloned()
}
