//! Numerics: sequential tests, exact bounds, order statistics. Pure: plain numbers in, plain numbers out; no model
//! types, no I/O, no clock.
//!
//! - [`share`]: is the share of hits among calls what was promised? An anytime-valid test that may be looked at as
//!   often as one likes.
//! - [`bounds`]: what may be said beside a measured number: Clopper-Pearson, the bound that belongs to the test,
//!   ranks around a percentile.
//! - [`plan`]: how many calls a promise takes, what a given number of calls can decide. Exact, by dynamic programming.
//! - [`sample`]: the mean and the nearest-rank quantile of a slice.
//!
//! Nothing here uses a normal approximation for a verdict: at the error rates of [`share::Risk`] none is valid.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail"))]

pub mod bounds;
pub mod plan;
pub mod sample;
pub mod share;
mod special;
