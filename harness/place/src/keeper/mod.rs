//! The keeper: one small process a run, parent of every other one.
//!
//! ```text
//! runner ──pipe──▶ keeper ──┬─ init (first process of a PID namespace, where allowed)
//!        ◀──pipe──          ├─ process 1 ── whatever it starts
//!                           └─ process 2 …
//! ```
//!
//! | who dies | what ends the processes |
//! |---|---|
//! | the runner | the keeper reads the end of its pipe, kills its tree, removes the folder |
//! | the keeper | parent-death signals; the namespace, whose init has one itself; what escaped, the runner (a subreaper) |
//! | both at once | parent-death signals and the namespace; without a namespace, what escaped waits for a recovery |

mod child;
mod entry;
mod household;
mod namespace;
mod protocol;
mod runner;
mod table;
mod types;

pub use entry::keeper_main;
pub(crate) use entry::probe;
pub use runner::Keeper;
pub use types::{Exit, Exited, Life, Net, NetWish, ProcessHandle, ProcessId, ProcessSpec, Signal};
