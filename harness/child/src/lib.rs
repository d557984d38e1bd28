//! What the child processes of a run, workloads and the link, have in common: how each of them is told what it is, is asked things
//! by the runner, and writes down what it did.
//!
//! - [`read_config`] reads the file that a child is started with.
//! - [`Connection`] is the runner's end of a control socket: one JSON object a line, a question and its answer.
//! - [`Appender`] writes lines that a killed process leaves whole, and [`parse_line`] reads them.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail"))]

mod config;
mod control;
mod limit;
mod lines;

pub use config::{UnreadConfig, read_config};
pub use control::{Connection, ControlError, Say};
pub use limit::raise_file_limit;
pub use lines::{Appender, Line, LineError, parse_line};
