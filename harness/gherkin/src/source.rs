//! A source file, and places in it.

use jiff::civil::Date;
use squall_model::{Diagnostic, ErrorRates, Origin, Rate, Service, Severity};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// A feature file as it was read.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its name as the user gave it.
    pub file: Arc<str>,
    /// Its text.
    pub text: String,
}

impl Source {
    /// A file of this name with this text.
    pub fn new(file: impl Into<Arc<str>>, text: impl Into<String>) -> Source {
        Source { file: file.into(), text: text.into() }
    }
}

/// What a feature leaves open.
#[derive(Clone, Copy)]
pub struct Defaults<'a> {
    /// The one seed of every plan.
    pub seed: u64,
    /// The error rates of verdicts, where no tag says others.
    pub rates: ErrorRates,
    /// What day it is, for quarantines; `None`: they are not looked at.
    pub today: Option<Date>,
    /// The rate of `makes enough calls to decide`.
    pub decide_rate: Rate,
    /// The longest that `makes enough calls to decide` may take.
    pub decide_cap: Duration,
    /// The text of `scenarios/<name>.yaml`, for `the mesh {text}`; `None` where there is no such file.
    pub mesh: &'a dyn Fn(&str) -> Option<String>,
    /// What is deployed in a namespace, for `the application in namespace {text}`.
    pub application: &'a dyn Fn(&str) -> Application,
}

/// What is known of an application that somebody else deployed.
#[derive(Debug, Clone, PartialEq)]
pub enum Application {
    /// Nobody has looked: whoever is not declared is taken for a service of it, and the scenario cannot be run.
    Unseen,
    /// Its services, with their instances.
    Seen(Vec<Service>),
}

impl Default for Defaults<'_> {
    /// Seed 1, the usual error rates, no day, 800 calls per second for 30 s at the longest, no mesh files, applications unseen.
    fn default() -> Self {
        Defaults {
            seed: 1,
            rates: ErrorRates::default(),
            today: None,
            decide_rate: Rate::per_second(800),
            decide_cap: Duration::from_secs(30),
            mesh: &|_| None,
            application: &|_| Application::Unseen,
        }
    }
}

impl std::fmt::Debug for Defaults<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Defaults")
            .field("seed", &self.seed)
            .field("rates", &self.rates)
            .field("today", &self.today)
            .field("decide_rate", &self.decide_rate)
            .field("decide_cap", &self.decide_cap)
            .finish_non_exhaustive()
    }
}

/// A text with the beginnings of its lines, to turn bytes into lines and columns.
#[derive(Debug, Clone)]
pub(crate) struct Index {
    pub(crate) file: Arc<str>,
    pub(crate) text: Arc<str>,
    starts: Vec<usize>,
}

impl Index {
    pub(crate) fn new(file: Arc<str>, text: &str) -> Index {
        let after_breaks = text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at + 1);
        Index { file, text: text.into(), starts: std::iter::once(0).chain(after_breaks).collect() }
    }

    /// The line, from 0, that holds this byte.
    pub(crate) fn line_of(&self, byte: usize) -> usize {
        self.starts.partition_point(|start| *start <= byte).saturating_sub(1)
    }

    /// The bytes of a line, from 0, without its break.
    pub(crate) fn line(&self, number: usize) -> Range<usize> {
        let start = self.starts.get(number).copied().unwrap_or(self.text.len());
        let end = self.starts.get(number + 1).map_or(self.text.len(), |next| next - 1);
        let end = if self.text.as_bytes().get(end.wrapping_sub(1)) == Some(&b'\r') { end - 1 } else { end };
        start..end.max(start)
    }

    /// How many lines there are.
    pub(crate) fn lines(&self) -> usize {
        self.starts.len()
    }

    /// The place of these bytes, as far as they lie in one line.
    pub(crate) fn origin(&self, bytes: Range<usize>) -> Origin {
        let number = self.line_of(bytes.start);
        let line = self.line(number);
        let start = bytes.start.min(line.end);
        let chars = |range: Range<usize>| self.text.get(range).map_or(0, |t| t.chars().count());
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Origin {
            file: Arc::clone(&self.file),
            line: count(number + 1),
            column: count(chars(line.start..start) + 1),
            length: count(chars(start..bytes.end.clamp(start, line.end)).max(1)),
        }
    }
}

/// What is wrong with some bytes of a text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mistake {
    pub(crate) code: &'static str,
    pub(crate) severity: Severity,
    pub(crate) span: Range<usize>,
    pub(crate) message: String,
    pub(crate) label: String,
    pub(crate) hint: Option<String>,
}

impl Mistake {
    pub(crate) fn error(code: &'static str, span: Range<usize>, message: impl Into<String>) -> Mistake {
        Mistake { code, severity: Severity::Error, span, message: message.into(), label: String::new(), hint: None }
    }

    pub(crate) fn warning(code: &'static str, span: Range<usize>, message: impl Into<String>) -> Mistake {
        Mistake { severity: Severity::Warning, ..Mistake::error(code, span, message) }
    }

    pub(crate) fn label(mut self, label: impl Into<String>) -> Mistake {
        self.label = label.into();
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Mistake {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn maybe_hint(mut self, hint: Option<String>) -> Mistake {
        self.hint = hint;
        self
    }

    /// The same, at a place of a file.
    pub(crate) fn at(self, origin: Origin) -> Diagnostic {
        Diagnostic {
            code: self.code.to_owned(),
            severity: self.severity,
            message: self.message,
            origin,
            label: self.label,
            hint: self.hint,
        }
    }
}
