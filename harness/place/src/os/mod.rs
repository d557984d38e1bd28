//! What the kernel offers for watching over processes; the only module that knows which kernel this is.
//!
//! Linux has all of it. Elsewhere the keeper's pipe is the only net, and these functions say so.

mod hold;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod other;
#[cfg(target_os = "linux")]
mod procfs;
mod wait;

pub(crate) use hold::{Hold, wait_for_exit};
#[cfg(target_os = "linux")]
pub(crate) use linux::*;
#[cfg(not(target_os = "linux"))]
pub(crate) use other::*;
#[cfg(target_os = "linux")]
pub(crate) use procfs::{
    boot_id, children_of, command_name, identity, marked, own_identity, pid_namespace, reap_orphan, stands_still, waits,
};
pub(crate) use wait::poll_until;

/// The environment variable that every process of a run carries, and whatever it starts inherits: the run's folder.
pub(crate) const MARK: &str = "SQUALL_RUN";

/// What tells a process from a later one with the same pid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) pid: u32,
    pub(crate) parent: u32,
    /// Clock ticks after the boot.
    pub(crate) start_time: u64,
    /// It has exited and waits to be reaped.
    pub(crate) zombie: bool,
}
