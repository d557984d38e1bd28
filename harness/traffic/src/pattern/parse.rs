//! Reading a text with places.

use super::{Part, Pattern};
use std::sync::Arc;
use thiserror::Error;

/// Rows of named columns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    /// Their names, in order.
    pub columns: Vec<String>,
    /// Each with as many values as there are columns.
    pub rows: Vec<Vec<String>>,
}

/// Where a text will stand, which says what may stand in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    /// In a path: values of columns are percent-encoded, `{+column}` but for what is reserved (RFC 6570, section 3.2.3).
    Path,
    /// In the value of a header, where `{{` and `}}` are braces.
    Header,
    /// In a body: a brace that opens no known place is one, so that JSON can be written as it is.
    Body,
}

/// Why a text has no such places.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PatternError {
    /// One brace without the other.
    #[error("`{0}` has a brace without its other: places are written {{seq}}, {{rand 1..100}}, {{uuid}} or {{column}}")]
    Brace(String),
    /// Nothing that a call could fill.
    #[error("`{{{0}}}` is no place that a call could fill: there are {{seq}}, {{rand 1..100}}, {{uuid}}{1}")]
    Unknown(String, String),
    /// Not from a number to one that is no less.
    #[error("`{{rand {0}}}` is no range: write {{rand 1..100}}")]
    Range(String),
    /// A table without rows.
    #[error("`{{{0}}}` is a column of a table that has no rows")]
    NoRows(String),
}

impl Pattern {
    /// Reads a text with places; columns are those of the table.
    ///
    /// # Errors
    /// For a place that there is not.
    pub fn parse(text: &str, table: &Table, context: Context) -> Result<Pattern, PatternError> {
        let mut pattern = Pattern::default();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            pattern.push_text(&rest[..at]);
            let (brace, behind) = rest[at..].split_at(1);
            if context == Context::Header && behind.starts_with(brace) {
                pattern.push_text(brace);
                rest = &behind[1..];
                continue;
            }
            let place = if brace == "{" { behind.split_once('}') } else { None };
            let found = match place {
                Some((name, after)) => self::place(name, table, context).map(|part| (part, after)),
                None => Err(PatternError::Brace(text.into())),
            };
            match found {
                Ok((part, after)) => {
                    pattern.0.push(part);
                    rest = after;
                }
                Err(PatternError::Brace(_) | PatternError::Unknown(..)) if context == Context::Body => {
                    pattern.push_text(brace);
                    rest = behind;
                }
                Err(error) => return Err(error),
            }
        }
        if !rest.is_empty() {
            pattern.push_text(rest);
        }
        Ok(pattern)
    }
}

fn place(name: &str, table: &Table, context: Context) -> Result<Part, PatternError> {
    // A column of one's own goes before what is built in.
    let (reserved, column) = match name.strip_prefix('+') {
        Some(column) if context == Context::Path => (true, column),
        _ => (false, name),
    };
    if let Some(at) = table.columns.iter().position(|c| c == column) {
        if table.rows.is_empty() {
            return Err(PatternError::NoRows(name.into()));
        }
        let encode = |value: &String| match context {
            Context::Path => encoded(value, reserved),
            Context::Header | Context::Body => value.clone(),
        };
        return Ok(Part::Column(table.rows.iter().map(|row| encode(&row[at])).collect::<Arc<[String]>>()));
    }
    match name.split_once(' ') {
        None if name == "seq" => Ok(Part::Seq),
        None if name == "uuid" => Ok(Part::Uuid),
        Some(("rand", range)) => self::range(range),
        _ if table.columns.is_empty() => Err(PatternError::Unknown(name.into(), ", and columns of --data".into())),
        _ => Err(PatternError::Unknown(name.into(), format!(", and the columns {}", table.columns.join(", ")))),
    }
}

fn range(text: &str) -> Result<Part, PatternError> {
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let ends = text.split_once("..").and_then(|(from, to)| Some((number(from)?, number(to)?)));
    match ends {
        Some((from, to)) if from <= to => Ok(Part::Random { from, to }),
        _ => Err(PatternError::Range(text.into())),
    }
}

/// RFC 3986: unreserved characters stay, with `reserved` those of section 2.2 too, but for `#`, behind which nothing is sent.
fn encoded(value: &str, reserved: bool) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        let stays = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        match stays || reserved && b":/?[]@!$&'()*+,;=%".contains(&byte) {
            true => text.push(byte.into()),
            false => text += &format!("%{byte:02X}"),
        }
    }
    text
}
