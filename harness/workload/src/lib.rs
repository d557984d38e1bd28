//! The service that stands in for an application: latency, failure, capacity, onward calls, a ledger of every try.
//!
//! One process an instance, one thread a process. It speaks HTTP/1.1, HTTP/2 or gRPC, as [`WorkloadConfig::protocol`] says, and
//! what it does is the same in all of them: a protocol reads a try's head, watches whether its caller is still there, and puts the
//! end into its own words.
//!
//! - [`workload_main`] is the process; [`WorkloadConfig`] says everything about it.
//! - [`Control`] is the runner's end of its control socket: change the [`Behaviour`](squall_model::Behaviour), ask for
//!   the [`State`].
//! - [`parse_line`] reads the ledger.
//!
//! # A try, in order
//! 1. Its head is read: `began`; behaviour and latency are settled here, later changes do not touch it.
//! 2. Its body is read and thrown away.
//! 3. It takes a worker, waits in line, or is shed with 503 (gRPC: RESOURCE_EXHAUSTED) and [`OVERLOAD`] if the line is
//!    full.
//! 4. It is worked on for its latency.
//! 5. If it is to be answered with success, the onward calls are made, one after the other, each in the protocol of its
//!    callee, with what is left of the try's deadline (`x-envoy-expected-rq-timeout-ms`, `grpc-timeout`), as `grpc-timeout`, if it has one.
//! 6. Its line is written to the ledger, and it is answered: whoever has seen an answer finds its line.
//!
//! A caller that goes away (it closes its side, or resets the try's stream) ends the try with status 0 at once; work that
//! has begun is finished all the same, its onward calls too, and its worker is free only then: an application does not look up
//! from its work. That is what makes abandoned tries cost something, overload outlive its cause, and a deadline worth passing
//! on.
//!
//! Health checks of proxies and kubelets (known by their user agent, on gRPC by the method `grpc.health.v1.Health/Check`
//! too) get the ordinary behaviour, but they are no tries: they call nobody onward and leave no line.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail"))]

mod alarms;
mod caller;
mod clock;
mod conduct;
mod config;
mod control;
mod deadline;
mod ending;
mod floor;
mod head;
mod http1;
mod http2;
mod job;
mod latency;
mod ledger;
mod lines;
mod onward;
mod run;
mod service;
mod socket;
#[cfg(test)]
mod tests;

pub use conduct::BehaviourError;
pub use config::{ConfigError, Endpoint, Onward, WorkloadConfig};
pub use control::{Control, Ready, State};
pub use ledger::{LedgerLine, parse_line};
pub use run::{WorkloadArgs, WorkloadError, workload_main};
pub use squall_child::{ControlError, Line, LineError, UnreadConfig};

/// Answer header: the instance that answered, `reviews-2`.
pub const INSTANCE: &str = "x-squall-instance";
/// Answer header: `true` on a 503, or a RESOURCE_EXHAUSTED, that was given because the line was full.
pub const OVERLOAD: &str = "x-squall-overload";
/// Answer header on a 502 or 504 (gRPC: UNAVAILABLE or DEADLINE_EXCEEDED) for an onward call that failed: its target and what came
/// of it, `ratings 503` or `ratings NOT_FOUND`; 0: no answer.
pub const ONWARD: &str = "x-squall-onward";
/// Request header: the service whose proxy sent the try.
pub const CALLER: &str = "x-squall-caller";
/// Request header: the user on whose behalf the call is made; copied to onward calls.
pub const USER: &str = "x-squall-user";
/// Request header: the id of the call.
pub const REQUEST_ID: &str = "x-request-id";
/// Request header: which try of the call, from 1.
pub const ATTEMPT: &str = "x-envoy-attempt-count";
