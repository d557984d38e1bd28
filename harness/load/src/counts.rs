//! How many.

use crate::outcome::Outcome;
use serde::{Deserialize, Serialize};

/// Calls by how they ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// All.
    pub calls: u64,
    /// Answered in full, whatever the status.
    pub answered: u64,
    /// Answered with success.
    pub succeeded: u64,
}

impl Counts {
    pub(crate) fn count(&mut self, outcome: Outcome, calls: u64) {
        self.calls += calls;
        self.answered += if outcome.is_answer() { calls } else { 0 };
        self.succeeded += if outcome.succeeds() { calls } else { 0 };
    }

    pub(crate) fn add(&mut self, other: Counts) {
        self.calls += other.calls;
        self.answered += other.answered;
        self.succeeded += other.succeeded;
    }

    /// Without an answer, for whatever reason.
    #[must_use]
    pub fn unanswered(&self) -> u64 {
        self.calls - self.answered
    }

    /// Without success.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.calls - self.succeeded
    }
}
