//! A link as a process, on real sockets, seen from both ends.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail")]

mod clean;
mod control;
mod damage;
mod lease;
mod life;
mod rig;
#[cfg(target_os = "linux")]
mod silence;
mod soak;

use squall_link::{LinkArgs, link_main};

/// Not a test but the process under test: this binary, told by the variable to be a link.
#[test]
fn link_process() {
    if let Some(config) = rig::told() {
        link_main(&LinkArgs { config }).unwrap();
    }
}
