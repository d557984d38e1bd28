//! Where things stand in a YAML file. Its reader keeps no places of what it has read and tells one of what is wrong: to
//! learn where something stands, the file is read once more by a reader that stumbles over it.

use crate::document::Text;
use crate::source::Index;
use serde::Deserialize;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_yaml::with::singleton_map_recursive;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;

/// A step on the way to something.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Way<'a> {
    Key(&'a str),
    Item(usize),
}

/// The byte at this line and column, both from 1, columns in characters.
pub(super) fn byte(index: &Index, line: usize, column: usize) -> usize {
    let line = index.line(line.saturating_sub(1));
    let text = index.text.get(line.clone()).unwrap_or_default();
    let column = text.char_indices().nth(column.saturating_sub(1)).map_or(text.len(), |(at, _)| at);
    (line.start + column).min(line.end)
}

/// The byte at which something begins; that of the file where it is not there.
pub(super) fn find(index: &Index, way: &[Way<'_>]) -> usize {
    let at = unread::<Here>(index, way).and_then(|error| error.location());
    at.map_or(0, |at| byte(index, at.line(), at.column()))
}

/// Why what stands there is no `T`: `None` where it is one.
pub(super) fn unread<T: DeserializeOwned>(index: &Index, way: &[Way<'_>]) -> Option<serde_yaml::Error> {
    Seek::<T>(way, PhantomData).deserialize(serde_yaml::Deserializer::from_str(&index.text)).err()
}

/// What everything is stumbled over as.
struct Here;

impl<'de> Deserialize<'de> for Here {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Here, D::Error> {
        deserializer.deserialize_any(Here)
    }
}

impl Visitor<'_> for Here {
    type Value = Here;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("something else: this is the place")
    }
}

struct Seek<'a, T>(&'a [Way<'a>], PhantomData<T>);

impl<'de, T: DeserializeOwned> DeserializeSeed<'de> for Seek<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.0 {
            [] => singleton_map_recursive::deserialize::<T, D>(deserializer).map(drop),
            _ => deserializer.deserialize_any(self),
        }
    }
}

impl<'de, T: DeserializeOwned> Visitor<'de> for Seek<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the way to something")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((Way::Key(wanted), rest)) = self.0.split_first() else { return Err(A::Error::custom("no list")) };
        while let Some(key) = map.next_key::<String>()? {
            if key == *wanted {
                map.next_value_seed(Seek::<T>(rest, PhantomData))?;
                // To a reader what is left over is a mistake.
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                return Ok(());
            }
            map.next_value::<IgnoredAny>()?;
        }
        Err(A::Error::custom("not here"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Some((Way::Item(wanted), rest)) = self.0.split_first() else { return Err(A::Error::custom("a list")) };
        for _ in 0..*wanted {
            items.next_element::<IgnoredAny>()?;
        }
        items.next_element_seed(Seek::<T>(rest, PhantomData))?;
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

/// A text that stands for something at a place as a whole.
pub(super) fn whole(index: &Index, text: &str, start: usize) -> Text {
    let end = index.line(index.line_of(start)).end;
    let rest = index.text.get(start..end).unwrap_or_default().trim_start_matches('{');
    let from = end - rest.len();
    let length = rest.find([':', ' ', ',', '}']).unwrap_or(rest.len()).max(1);
    let mut whole = Text::default();
    whole.push(text, from..(from + length).min(end.max(from)), false);
    whole
}

/// A scalar with the places of its characters, as far as they are written one by one; else all of its first line.
pub(super) fn scalar(index: &Index, value: &str, start: usize) -> Text {
    let written = index.text.get(start..).unwrap_or_default();
    let pieces = match written.as_bytes().first() {
        Some(b'\'') => single_quoted(written),
        Some(b'"') => double_quoted(written),
        _ => {
            written.starts_with(value).then(|| value.char_indices().map(|(at, c)| (c, at..at + c.len_utf8())).collect())
        }
    };
    let pieces = pieces.filter(|pieces| pieces.iter().map(|(c, _)| *c).eq(value.chars()));
    let Some(pieces) = pieces else {
        let mut text = Text::default();
        text.push(value, start..index.line(index.line_of(start)).end, false);
        return text;
    };
    let mut text = Text::default();
    for (c, there) in pieces {
        let is_plain = there.len() == c.len_utf8();
        text.push(c.encode_utf8(&mut [0; 4]), start + there.start..start + there.end, is_plain);
    }
    text
}

type Pieces = Vec<(char, Range<usize>)>;

/// `''` is one quote; folded lines are not taken apart.
fn single_quoted(written: &str) -> Option<Pieces> {
    let mut pieces = Pieces::new();
    let mut chars = written.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '\n' => return None,
            '\'' if chars.next_if(|(_, next)| *next == '\'').is_some() => pieces.push((c, at..at + 2)),
            '\'' => return Some(pieces),
            c => pieces.push((c, at..at + c.len_utf8())),
        }
    }
    None
}

/// `\"` and `\\` are one character; other escapes, and folded lines, are not taken apart.
fn double_quoted(written: &str) -> Option<Pieces> {
    let mut pieces = Pieces::new();
    let mut chars = written.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '\n' => return None,
            '"' => return Some(pieces),
            '\\' => match chars.next()? {
                (_, escaped @ ('"' | '\\' | '/')) => pieces.push((escaped, at..at + 2)),
                _ => return None,
            },
            c => pieces.push((c, at..at + c.len_utf8())),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "a: 1\nb:\n  - x\n  - {c: 'it''s', d: \"say \\\"x\\\"\"}\n  - e: é f\n    g: 2\n";

    fn at(way: &[Way<'_>]) -> &'static str {
        let index = Index::new("t".into(), TEXT);
        &TEXT[find(&index, way)..]
    }

    #[test]
    fn things_are_found() {
        assert!(at(&[Way::Key("a")]).starts_with("1\n"));
        assert!(at(&[Way::Key("b"), Way::Item(0)]).starts_with("x\n"));
        assert!(at(&[Way::Key("b"), Way::Item(1)]).starts_with("{c:"));
        assert!(at(&[Way::Key("b"), Way::Item(1), Way::Key("d")]).starts_with("\"say"));
        assert!(at(&[Way::Key("b"), Way::Item(2)]).starts_with("e: é"));
        assert!(at(&[Way::Key("b"), Way::Item(2), Way::Key("g")]).starts_with("2\n"));
    }

    #[test]
    fn characters_know_where_they_were_written() {
        let index = Index::new("t".into(), TEXT);
        let place = |value: &str, way: &[Way<'_>], part: &str| {
            let text = scalar(&index, value, find(&index, way));
            let from = text.text.find(part).unwrap();
            &TEXT[text.source(from..from + part.len())]
        };
        let d = [Way::Key("b"), Way::Item(1), Way::Key("d")];
        assert_eq!(place("say \"x\"", &d, "x"), "x");
        assert_eq!(place("say \"x\"", &d, "\"x\""), "\\\"x\\\"");
        let c = [Way::Key("b"), Way::Item(1), Way::Key("c")];
        assert_eq!(place("it's", &c, "'"), "''");
        assert_eq!(place("it's", &c, "s"), "s");
        let e = [Way::Key("b"), Way::Item(2), Way::Key("e")];
        assert_eq!(place("é f", &e, "f"), "f");
        assert_eq!(place("folded otherwise", &e, "otherwise"), "é f", "the whole of the line");
    }
}
