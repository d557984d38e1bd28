//! Numerics: sequential tests, exact bounds, order statistics. Pure: plain numbers in, plain numbers out; no model
//! types, no I/O, no clock.
//!
//! - [`share`]: is the share of hits among calls what was promised? An anytime-valid test that may be looked at as
//!   often as one likes.
//! - [`mean`]: the same of units that are not calls (users, connections, seconds), each with a value in `[0, 1]`.
//! - [`paired`]: do calls fare as well with a fault as without, up to a margin?
//! - [`balance`]: what a deterministic balancer can do: no statistics, a range.
//! - [`bounds`]: what may be said beside a measured number: Clopper-Pearson, the bound that belongs to the test,
//!   percentiles between their ranks.
//! - [`contrast`]: a part against the rest (Fisher's exact test), and the stretch of a sequence that stands out most.
//! - [`plan`]: how many calls a promise takes, what a given number of calls can decide, and what the error rates of the
//!   tests really are. Exact, by dynamic programming.
//! - [`sample`]: means, nearest-rank quantiles and design effects, for reports.
//!
//! Nothing here uses a normal approximation for a verdict: at the error rates of [`share::Risk`] none is valid.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail"))]

pub mod balance;
mod betting;
pub mod bounds;
pub mod contrast;
pub mod mean;
pub mod paired;
pub mod plan;
pub mod sample;
pub mod share;
mod special;
