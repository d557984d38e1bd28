//! Readers of RunEvent: terminal, JSONL, JUnit, summary, SVG. Pure: text in, text out; who calls writes the files.
//!
//! Nothing here knows more than the events say, so a recorded run replays to the same words.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail"))]

mod absence;
mod block;
mod explain;
mod junit;
mod matrix;
mod record;
mod story;
mod style;
mod svg;
mod terminal;
mod words;

pub use junit::junit;
pub use matrix::{Column, matrix};
pub use record::{RecordError, read_events, write_event};
pub use story::{ScenarioStory, Stories};
pub use style::{Colour, Style};
pub use svg::svg;
pub use terminal::{Terminal, closing};
pub use words::measured;
