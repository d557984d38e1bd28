//! `squall load` beside the load generators that are installed, in turn, each on one core, against one server on another.
//!
//! Three questions: what a request costs the client, in processor time and memory; whether it sends when it says it does, as the
//! server sees it; and whether it tells the truth about a server that stands still for a second.

mod compare;
mod cost;
mod job;
mod said;
mod server;
mod table;
mod tools;
mod truth;

pub use compare::{Effort, Failed, compare};
pub use table::{Row, Table};
