//! Short lists in a report: a line for each of the first few.

use crate::style::{Colour, Style};
use std::fmt::Write;

/// So many are shown.
const MOST: usize = 8;

/// Each as `line` says it; nothing where there is none.
pub(crate) fn lines<T>(all: &[T], line: impl Fn(&T) -> String, style: Style) -> String {
    let mut text = String::new();
    for one in all.iter().take(MOST) {
        let _ = writeln!(text, "    {} {}", style.paint(Colour::Faint, "·"), line(one));
    }
    if all.len() > MOST {
        let _ = writeln!(text, "    {}", style.paint(Colour::Faint, format!("… and {} more", all.len() - MOST)));
    }
    text
}
