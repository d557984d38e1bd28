//! The workload as its callers and its runner see it: a real one in a thread, raw bytes on real sockets.

mod answers;
mod capacity;
mod control;
mod ledger;
mod onward;
mod rig;
