//! Colours, where there is somebody to see them.

use owo_colors::{AnsiColors, OwoColorize};
use std::fmt::Display;

/// How text is dressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Whether colours are written.
    pub colour: bool,
    /// Columns of the terminal.
    pub width: usize,
}

/// What a colour means here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is its name")]
pub enum Colour {
    Green,
    Red,
    Yellow,
    Blue,
    Faint,
    Bold,
}

impl Style {
    /// No colours, 100 columns: for files, pipes and tests.
    pub const PLAIN: Style = Style { colour: false, width: 100 };

    /// The text in this colour, or as it is.
    #[must_use]
    pub fn paint(self, colour: Colour, text: impl Display) -> String {
        if !self.colour {
            return text.to_string();
        }
        match colour {
            Colour::Green => text.color(AnsiColors::Green).to_string(),
            Colour::Red => text.color(AnsiColors::Red).bold().to_string(),
            Colour::Yellow => text.color(AnsiColors::Yellow).to_string(),
            Colour::Blue => text.color(AnsiColors::Cyan).to_string(),
            Colour::Faint => text.dimmed().to_string(),
            Colour::Bold => text.bold().to_string(),
        }
    }
}
