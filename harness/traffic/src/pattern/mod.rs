//! Texts with places that each call fills: `/item/{seq}`, `{rand 1..100}`, `{uuid}`, and columns of a table, `{column}`.
//!
//! What a place is filled with follows from the seed and the number of the call alone: the same seed makes the same calls, whatever
//! the order in which they are sent.

mod draw;
mod parse;

pub(crate) use draw::draw;
pub use parse::{Context, PatternError, Table};

use draw::uuid;
use std::sync::Arc;

/// A text with places in it, or without.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pattern(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    /// The number of the call.
    Seq,
    /// A number, evenly from one to the other.
    Random {
        from: u64,
        to: u64,
    },
    /// A random UUID (RFC 9562, version 4).
    Uuid,
    /// The values of a column, in turn, as they are to stand there.
    Column(Arc<[String]>),
}

/// What places are filled by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Filling {
    pub(crate) seed: u64,
    pub(crate) seq: u64,
}

impl Pattern {
    /// The text itself, where there is no place in it.
    #[must_use]
    pub fn literal(&self) -> Option<&str> {
        match &self.0[..] {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// True where what it is filled with is drawn.
    #[must_use]
    pub fn is_drawn(&self) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Random { .. } | Part::Uuid))
    }

    /// Every text that calls may have in common, or that a column has: what is left to digits and dashes is left out.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .flat_map(|part| match part {
                Part::Text(text) => std::slice::from_ref(text),
                Part::Column(values) => values,
                Part::Seq | Part::Random { .. } | Part::Uuid => &[],
            })
            .map(String::as_str)
    }

    /// The text before the first place.
    pub(crate) fn beginning(&self) -> &str {
        match self.0.first() {
            Some(Part::Text(text)) => text,
            _ => "",
        }
    }

    pub(crate) fn push_text(&mut self, text: &str) {
        match self.0.last_mut() {
            Some(Part::Text(last)) => last.push_str(text),
            _ => self.0.push(Part::Text(text.to_owned())),
        }
    }

    pub(crate) fn push_seq(&mut self) {
        self.0.push(Part::Seq);
    }

    pub(crate) fn push(&mut self, other: &Pattern) {
        for part in &other.0 {
            match part {
                Part::Text(text) => self.push_text(text),
                place => self.0.push(place.clone()),
            }
        }
    }

    /// Appends the text of one call.
    pub(crate) fn render(&self, Filling { seed, seq }: Filling, bytes: &mut Vec<u8>) {
        for (place, part) in (0..).zip(&self.0) {
            match part {
                Part::Text(text) => bytes.extend_from_slice(text.as_bytes()),
                Part::Seq => push_decimal(bytes, seq),
                Part::Random { from, to } => push_decimal(bytes, draw::within(draw(seed, seq, place), *from, *to)),
                Part::Uuid => bytes.extend_from_slice(&uuid(seed, seq, place)),
                Part::Column(values) => {
                    let value = &values[(seq % values.len() as u64) as usize];
                    bytes.extend_from_slice(value.as_bytes());
                }
            }
        }
    }
}

/// Without places, whatever it looks like.
impl From<&str> for Pattern {
    fn from(text: &str) -> Self {
        Pattern(vec![Part::Text(text.to_owned())])
    }
}

impl From<&String> for Pattern {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

pub(crate) fn push_decimal(bytes: &mut Vec<u8>, mut number: u64) {
    let from = bytes.len();
    loop {
        bytes.push(b'0' + (number % 10) as u8);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    bytes[from..].reverse();
}

#[cfg(test)]
mod tests;
