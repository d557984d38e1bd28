//! The workload as its callers and its runner see it: a real one in a thread, raw bytes, or frames, on real sockets.

mod answers;
mod capacity;
mod control;
mod grpc;
mod http2;
mod ledger;
mod onward;
mod onward_streams;
mod rig;
mod streams;
