//! The whole mesh against real Envoys: `SQUALL_ENVOY`, the `PATH` or the user's cache says where one is. Without any these
//! tests say SKIPPED on standard error, and fail where `CI` is set.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail")]

mod breakers;
mod change;
mod contract;
mod deadlines;
mod defaults;
mod drain;
mod faults;
mod health;
mod http2;
mod leases;
mod places;
mod protocols;
mod retries;
mod routes;
mod speed;
mod sticky;
mod town;
mod wires;
mod workload;
