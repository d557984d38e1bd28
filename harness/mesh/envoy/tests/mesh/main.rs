//! The whole mesh against real Envoys: `SQUALL_ENVOY`, the `PATH` or the user's cache says where one is. Without any these
//! tests say SKIPPED on standard error, and fail where `CI` is set.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail")]

mod breakers;
mod change;
mod contract;
mod faults;
mod retries;
mod routes;
mod speed;
mod town;
mod workload;
