//! Readers of RunEvent: terminal, JSONL, JUnit, summary, SVG. Pure: text in, text out; who calls writes the files.
//!
//! Nothing here knows more than the events say, so a recorded run replays to the same words.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail"))]

mod absence;
mod block;
mod control;
mod dose;
mod ending;
mod explain;
mod help;
mod in_force;
mod junit;
mod list;
mod matrix;
mod proof;
mod record;
mod story;
mod style;
mod summary;
mod svg;
mod terminal;
mod words;

pub use ending::closing;
pub use junit::junit;
pub use matrix::{Column, matrix};
pub use record::{RecordError, read_event, read_events, write_event};
pub use story::{ControlStory, FAIL_FAST, ScenarioStory, Stories};
pub use style::{Colour, Style};
pub use summary::summary;
pub use svg::svg;
pub use terminal::Terminal;
pub use words::{count, measured};
