//! Reading a clause: a place in a line, the names met on the way, and what is wrong with caret and all.

use crate::source::Mistake;
use squall_model::{Fraction, Place, Severity, parse_duration};
use std::ops::Range;
use std::time::Duration;

/// A name that the topology must know, and where it is written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Named {
    pub(crate) span: Range<usize>,
    pub(crate) what: Name,
}

/// What a name names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Name {
    Service(String),
    Version {
        service: String,
        version: String,
    },
    Instance {
        service: String,
        number: u32,
    },
    First {
        service: String,
        count: u32,
    },
    Place {
        service: Option<String>,
        place: Place,
    },
    Edge {
        from: String,
        to: String,
    },
    /// A service that grows, or shrinks, to so many.
    Size {
        service: String,
        to: u32,
        grows: bool,
    },
}

impl Name {
    /// The service that is named, where nothing else is.
    pub(crate) fn service(&self) -> Option<&str> {
        match self {
            Name::Service(name) => Some(name),
            _ => None,
        }
    }
}

/// A part of the line that this version reads and cannot run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Missing {
    pub(crate) span: Range<usize>,
    pub(crate) what: String,
}

/// A place in a line, and what was met on the way there.
#[derive(Debug)]
pub(crate) struct Reader<'t> {
    text: &'t str,
    at: usize,
    end: usize,
    pub(crate) names: Vec<Named>,
    pub(crate) mistakes: Vec<Mistake>,
    pub(crate) missing: Vec<Missing>,
}

impl<'t> Reader<'t> {
    pub(crate) fn new(text: &'t str, span: Range<usize>) -> Reader<'t> {
        Reader { text, at: span.start, end: span.end, names: Vec::new(), mistakes: Vec::new(), missing: Vec::new() }
    }

    /// The whole of a text.
    #[cfg(test)]
    pub(crate) fn whole(text: &'t str) -> Reader<'t> {
        Reader::new(text, 0..text.len())
    }

    /// Goes on at another clause of the same line.
    pub(crate) fn turn_to(&mut self, span: Range<usize>) {
        self.at = span.start;
        self.end = span.end;
    }

    /// Where it is.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// What was read since.
    pub(crate) fn since(&self, start: usize) -> Range<usize> {
        start..self.at
    }

    /// The text of a part of the line.
    pub(crate) fn slice(&self, span: Range<usize>) -> &'t str {
        self.text.get(span).unwrap_or_default()
    }

    /// What is left of the clause.
    pub(crate) fn rest(&self) -> &'t str {
        self.text.get(self.at..self.end).unwrap_or_default()
    }

    pub(crate) fn is_done(&self) -> bool {
        self.at >= self.end
    }

    /// Reads these words if they come next.
    pub(crate) fn eat(&mut self, words: &str) -> bool {
        let eaten = self.rest().starts_with(words);
        if eaten {
            self.at += words.len();
        }
        eaten
    }

    /// Reads the first of these that comes next.
    pub(crate) fn one_of<T: Copy>(&mut self, words: &[(&str, T)]) -> Option<T> {
        words.iter().find(|(word, _)| self.eat(word)).map(|(_, value)| *value)
    }

    /// Reads a text in quotes; its place is without them.
    pub(crate) fn quoted(&mut self) -> Option<(&'t str, Range<usize>)> {
        let inner = self.rest().strip_prefix('"')?;
        let length = inner.find('"')?;
        let start = self.at + 1;
        self.at = start + length + 1;
        Some((&inner[..length], start..start + length))
    }

    /// Reads digits; a number too large is told and read as the largest.
    pub(crate) fn number(&mut self) -> Option<(u32, Range<usize>)> {
        let digits = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return None;
        }
        let span = self.at..self.at + digits;
        self.at = span.end;
        let number = self.slice(span.clone()).parse().unwrap_or_else(|_| {
            self.mistakes.push(
                Mistake::error("number", span.clone(), "this number is too large")
                    .label(format!("at most {}", u32::MAX)),
            );
            u32::MAX
        });
        Some((number, span))
    }

    /// Reads a number that must not be 0; `why` says what 0 would mean.
    pub(crate) fn at_least_one(&mut self, why: &str) -> Option<(u32, Range<usize>)> {
        let (number, span) = self.number()?;
        if number == 0 {
            self.tell(Mistake::error("zero", span.clone(), why).label("at least 1"));
        }
        Some((number, span))
    }

    /// Reads a number with or without a decimal part, in thousandths.
    pub(crate) fn thousandths(&mut self) -> Option<(u64, Range<usize>)> {
        let text = self.rest();
        let length = text.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
        let (whole, part) = text[..length].split_once('.').unwrap_or((&text[..length], ""));
        if whole.is_empty() {
            return None;
        }
        let span = self.at..self.at + length;
        self.at = span.end;
        if part.len() > 3 {
            self.tell(Mistake::error("number", span.clone(), "finer than a thousandth").label("three digits at most"));
        }
        let part: u64 = format!("{part:0<3}")[..3].parse().unwrap_or(0);
        let whole: u64 = whole.parse().unwrap_or(u64::from(u32::MAX));
        Some((whole.saturating_mul(1000).saturating_add(part), span))
    }

    /// Reads a share such as `30%`.
    pub(crate) fn percent(&mut self) -> Option<(Fraction, Range<usize>)> {
        let length = self.rest().find('%')? + 1;
        let span = self.at..self.at + length;
        self.at = span.end;
        let share = self.slice(span.clone()).parse().unwrap_or_else(|e: squall_model::QuantityError| {
            let mistake =
                Mistake::error("percent", span.clone(), e.to_string()).label("a share lies between 0% and 100%");
            self.tell(mistake);
            Fraction::percent(50)
        });
        Some((share, span))
    }

    /// Reads a time such as `200 ms`.
    pub(crate) fn time(&mut self) -> Option<(Duration, Range<usize>)> {
        let text = self.rest();
        let number = text.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
        let unit = text[number..].trim_start();
        let blank = text[number..].len() - unit.len();
        let letters = unit.bytes().take_while(u8::is_ascii_alphabetic).count();
        if number == 0 || letters == 0 {
            return None;
        }
        let span = self.at..self.at + number + blank + letters;
        self.at = span.end;
        let time = parse_duration(self.slice(span.clone())).unwrap_or_else(|e| {
            self.tell(Mistake::error("time", span.clone(), e.to_string()).label("no time"));
            Duration::from_secs(1)
        });
        Some((time, span))
    }

    /// Reads a time that must not be 0; `why` says what that would mean.
    pub(crate) fn some_time(&mut self, why: &str) -> Option<(Duration, Range<usize>)> {
        let (time, span) = self.time()?;
        if time.is_zero() {
            self.tell(Mistake::error("zero", span.clone(), format!("a time of zero {why}")).label("longer than 0"));
        }
        Some((time, span))
    }

    /// Reads a status from 200 to 599.
    pub(crate) fn status(&mut self) -> Option<(u16, Range<usize>)> {
        let (number, span) = self.number()?;
        let status = u16::try_from(number).ok().filter(|s| (200..=599).contains(s));
        if status.is_none() {
            let mistake = Mistake::error("status", span.clone(), format!("{number} is no status of a final answer"))
                .label("from 200 to 599");
            self.tell(mistake);
        }
        Some((status.unwrap_or(503), span))
    }

    /// Notes a name that the topology must know.
    pub(crate) fn name(&mut self, span: Range<usize>, what: Name) {
        self.names.push(Named { span, what });
    }

    /// Notes a part that cannot be run yet.
    pub(crate) fn lacks(&mut self, span: Range<usize>, what: impl Into<String>) {
        self.missing.push(Missing { span, what: what.into() });
    }

    /// Notes a mistake.
    pub(crate) fn tell(&mut self, mistake: Mistake) {
        self.mistakes.push(mistake);
    }

    /// True if some mistake is an error.
    pub(crate) fn is_wrong(&self) -> bool {
        self.mistakes.iter().any(|m| m.severity == Severity::Error)
    }
}
