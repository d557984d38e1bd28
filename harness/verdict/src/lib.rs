//! Claims and evidence to findings.
//!
//! ```text
//! claim ── population ── units ──► ruling          every · total · moment · share · paired
//!                                     │
//! doses, balances, health ── gates ───┴──► finding   holds · violated · inconclusive
//!                                            └── explain   since when · carried by what · which mechanism
//! ```
//!
//! [`judge`] is pure and total: the same plan and evidence give the same findings, whenever and however often. Only a
//! share, and the difference of two, is judged by statistics, and only by a test that may be looked at at any time; no measured
//! proportion is ever compared with a number.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail"))]

mod bearing;
mod control;
mod doubt;
mod every;
mod exemplar;
mod explain;
mod gates;
mod guard;
mod judge;
mod moment;
mod outcome;
mod paired;
mod ruling;
mod share;
mod state;
#[cfg(test)]
mod testing;
mod total;
#[cfg(test)]
mod traps;
mod units;

pub use bearing::bearing;
pub use control::{ControlRun, control_result, scenario};
pub use guard::{GuardTest, InFlight};
pub use judge::{decided, judge, violated_already};
pub use ruling::Settings;
