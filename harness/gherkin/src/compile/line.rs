//! A line on its way from sentence to noun: its clauses one after the other, and what it says in the end.

use crate::clauses::{Missing, Name, Named, Reader};
use crate::document::Step;
use crate::matcher::Match;
use crate::source::Mistake;
use squall_model::{
    ClaimKind, FaultKind, GuardKind, Members, Part, PolicyKind, ServiceName, Target, TrafficLine, When,
};
use std::ops::Range;

/// A step that is a sentence.
pub(crate) struct Line<'a> {
    pub(crate) step: &'a Step,
    pub(crate) is: Match,
}

impl Line<'_> {
    /// Its text without the keyword.
    pub(crate) fn text(&self) -> &str {
        &self.step.text.text
    }

    /// All of it.
    pub(crate) fn whole(&self) -> Range<usize> {
        0..self.text().len()
    }

    /// The place of its clause of this name; of the whole line where it has none.
    pub(crate) fn clause(&self, name: &str) -> Range<usize> {
        let found = self.is.clauses.iter().find(|(clause, span)| *clause == name && !span.is_empty());
        found.map_or(self.whole(), |(_, span)| span.clone())
    }

    pub(crate) fn args(&self) -> Args<'_> {
        Args::of(self.text(), &self.is.clauses)
    }
}

/// The clauses of a line, read in order.
pub(crate) struct Args<'a> {
    line: &'a str,
    clauses: &'a [(&'static str, Range<usize>)],
    next: usize,
    pub(crate) r: Reader<'a>,
}

impl<'a> Args<'a> {
    /// The clauses of a line that is a sentence.
    pub(crate) fn of(line: &'a str, clauses: &'a [(&'static str, Range<usize>)]) -> Args<'a> {
        Args { line, clauses, next: 0, r: Reader::new(line, 0..0) }
    }

    /// Turns to the next clause; gives its name and place.
    pub(crate) fn turn(&mut self) -> Option<(&'static str, Range<usize>)> {
        let (name, span) = self.clauses.get(self.next).cloned()?;
        self.next += 1;
        self.r.turn_to(span.clone());
        Some((name, span))
    }

    /// Reads the next clause with this parser.
    pub(crate) fn take<T>(&mut self, read: impl FnOnce(&mut Reader<'a>) -> T) -> T {
        self.turn();
        read(&mut self.r)
    }

    /// The place of the clause that was read last.
    pub(crate) fn last(&self) -> Range<usize> {
        self.clauses.get(self.next.wrapping_sub(1)).map_or(0..0, |(_, span)| span.clone())
    }

    /// The words between the clause that was read last and the one before it.
    pub(crate) fn words_before_last(&self) -> &'a str {
        let start = self.clauses.get(self.next.wrapping_sub(2)).map_or(0, |(_, span)| span.end);
        self.line.get(start..self.last().start).unwrap_or_default()
    }

    /// Reads a service.
    pub(crate) fn service(&mut self) -> Option<ServiceName> {
        self.turn();
        let (name, span) = self.r.quoted()?;
        self.r.name(span, Name::Service(name.to_owned()));
        Some(ServiceName::from(name))
    }

    /// Reads a text, with its place.
    pub(crate) fn quoted(&mut self) -> Option<(&'a str, Range<usize>)> {
        self.take(Reader::quoted)
    }

    /// Notes that `from` must call `to`, at this place.
    pub(crate) fn edge(&mut self, span: Range<usize>, from: &ServiceName, to: &ServiceName) {
        self.r.name(span, Name::Edge { from: from.to_string(), to: to.to_string() });
    }

    pub(crate) fn tell(&mut self, mistake: Mistake) {
        self.r.tell(mistake);
    }
}

/// What a line says.
#[derive(Debug, Clone)]
pub(crate) enum Says {
    Policy(PolicyKind),
    Fault(FaultKind),
    /// An event that ends faults said before.
    Restore(Restored),
    Traffic(TrafficLine),
    Claim(ClaimKind),
    Guard(GuardKind),
    /// Nothing that this version can run, or nothing that could be read.
    Nothing,
}

/// What is restored.
#[derive(Debug, Clone)]
pub(crate) enum Restored {
    /// Who went down, or was cut off, comes back.
    Members(Part, Members),
    /// The control plane comes back.
    ControlPlane,
    /// Instances answer as before, in both aspects.
    Answers(Target),
}

/// A line that was read.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    /// Which line of the scenario.
    pub(crate) line: usize,
    pub(crate) own: bool,
    pub(crate) control: bool,
    pub(crate) meanwhile: bool,
    /// It stands under When.
    pub(crate) under_when: bool,
    pub(crate) when: When,
    pub(crate) says: Says,
    pub(crate) names: Vec<Named>,
    pub(crate) missing: Vec<Missing>,
}

#[cfg(test)]
impl Statement {
    /// It came to something that can be run.
    pub(crate) fn is_said(&self) -> bool {
        !matches!(self.says, Says::Nothing)
    }
}
