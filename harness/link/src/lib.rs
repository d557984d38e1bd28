//! The process that carries the wires between proxies, so that they can be cut, slowed, throttled and reset.
//!
//! A *wire* is the way from one caller's proxy to one callee's. The caller's proxy is told to connect to a port of the link, and
//! the link connects on to the callee's proxy: all in user space, so that a wire can be damaged without privileges. What each
//! [`Damage`](squall_model::Damage) means is said there, and what it did to each connection is in its
//! [`WireRecord`](squall_model::WireRecord).
//!
//! - [`link_main`] is the process; [`LinkConfig`] says everything about it.
//! - [`Control`] is the runner's end of its control socket: damage wires, lead them elsewhere, mark the records.
//! - [`parse_line`] reads the records: a line for each connection that ended.
//!
//! # A clean wire
//! carries bytes, ends, half-closes and resets as they come; a reset that follows an end, too. It is read no faster than the other
//! side reads, and Nagle's algorithm is off on both. What cannot be carried faithfully is how a connection begins: the caller's
//! comes to be before the callee's. Where the callee's proxy does not accept, although somebody is said to be there, the caller's
//! connection is reset at once ([`Refused`](squall_model::WireEnd::Refused)); where nobody is there
//! ([`Control::lead`]), the kernel refuses it.
//!
//! # A damaged wire
//! All damages of all wires are set at once, and are in place for every connection when the answer comes. They are under a lease,
//! as every fault is: [`Control`] has a heart that beats every 0.5 s on a thread of its own; when no beat has come for
//! [`LinkConfig::ttl`], or the runner's connection ends, all wires are clean. A runner that only stalled is told so once
//! ([`ControlError::Lapsed`]).
//!
//! What differs from the real thing: both ends stand on kernels that go on acknowledging what they get. So keep-alive probes
//! and `TCP_USER_TIMEOUT` notice neither a cut nor a half-open connection, what a cut has held arrives at once when it ends and
//! not with the sender's next repetition, and a sender is held back only when the buffers of its connection are full, which
//! takes some megabytes. How new connections meet with silence or a refusal, and what escapes in the microseconds around a
//! change, is told in `door.rs`. Off Linux, silence is weaker: a connection comes to be, and nobody answers on it.
//!
//! # Cost
//! A call of 300 bytes there and back over kept connections, 1,000 a second on 2 cores of a virtual machine, release build
//! (`examples/cost.rs`): the median call takes 18 to 24 µs longer, of 18 to 26 µs without a link, and 18 to 24 µs of the link's CPU
//! (26 in a debug build; 27 to 35 where five other processes want the same two cores). It costs six system calls, two each of
//! `epoll_wait`, `recv` and `send`; nine tenths of the CPU are the kernel's, above all for waking the next process. A bare
//! forwarder on tokio's `AsyncFd`, a task a connection, measured in turn with it, makes the same six calls and costs the same
//! within noise (22 to 25 µs). The loop is the link's own for another reason: all that a change must reach is in one place, between
//! two polls.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail"))]

mod alarms;
mod carrier;
mod clock;
mod config;
mod connection;
mod control;
mod door;
mod draw;
mod harm;
mod hurts;
mod lease;
mod pipe;
mod rates;
mod records;
mod run;
mod socket;
mod terminate;
mod throttle;
mod timer;
mod token;
mod wire;

pub use config::{ConfigError, LinkConfig, WireConfig};
pub use control::{Control, ControlError, Ready};
pub use door::can_be_silent;
pub use harm::HarmError;
pub use records::{LinkLine, parse_line};
pub use run::{LinkArgs, LinkError, link_main};
pub use squall_child::{Line, LineError, UnreadConfig};
