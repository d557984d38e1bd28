//! Where mistakes of a scenario go.

use crate::document::Step;
use crate::source::{Index, Mistake};
use squall_model::{Diagnostic, Origin, Severity};
use std::ops::Range;

/// The mistakes of a file so far.
pub(crate) struct Sink<'a> {
    pub(crate) index: &'a Index,
    pub(crate) out: Vec<Diagnostic>,
}

impl Sink<'_> {
    /// Notes a mistake in the text of a step.
    pub(crate) fn tell(&mut self, step: &Step, mistake: Mistake) {
        let origin = self.origin(step, mistake.span.clone());
        self.out.push(mistake.at(origin));
    }

    pub(crate) fn all(&mut self, step: &Step, mistakes: impl IntoIterator<Item = Mistake>) {
        for mistake in mistakes {
            self.tell(step, mistake);
        }
    }

    /// The place of a part of a step.
    pub(crate) fn origin(&self, step: &Step, span: Range<usize>) -> Origin {
        self.index.origin(step.text.source(span))
    }

    /// How many errors there are.
    pub(crate) fn errors(&self) -> usize {
        self.out.iter().filter(|d| d.severity == Severity::Error).count()
    }
}
