//! Chances of consecutive counts, and where a look sends them.

use std::ops::Range;

/// Cumulative chances at a look, by what the test said first.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Outcome {
    /// That it said *holds*.
    pub holds: f64,
    /// That it said *violated*.
    pub violated: f64,
    /// That both sides were excluded at once.
    pub contradicted: f64,
    /// Given up because each single chance was too small to follow; in none of the others.
    pub untracked: f64,
}

impl Outcome {
    /// The chance of a first crossing, of whatever kind.
    #[must_use]
    pub fn decided(&self) -> f64 {
        self.holds + self.violated + self.contradicted
    }

    /// A look: `chance` of a path on which the boundaries in the bit set `within` were ever shown to be kept and those
    /// in `beyond` are now shown to be broken, of `boundaries` in all. `None` if it is decided and leaves; else the
    /// layer in which it goes on, the boundaries shown so far.
    pub(super) fn sort(&mut self, chance: f64, within: usize, beyond: usize, boundaries: usize) -> Option<usize> {
        if within & beyond != 0 || beyond.count_ones() > 1 {
            self.contradicted += chance;
        } else if beyond != 0 {
            self.violated += chance;
        } else if within == (1 << boundaries) - 1 {
            self.holds += chance;
        } else {
            return Some(within);
        }
        None
    }
}

/// Chances of consecutive numbers of hits.
#[derive(Debug, Default, Clone)]
pub(super) struct Window {
    pub(super) start: u64,
    pub(super) chances: Vec<f64>,
}

impl Window {
    /// Nothing counted yet, for certain.
    pub(super) fn certain() -> Self {
        Self { start: 0, chances: vec![1.0] }
    }

    /// With their counts.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, f64)> {
        (self.start..).zip(self.chances.iter().copied())
    }

    pub(super) fn add(&mut self, hits: u64, chance: f64) {
        self.cover(hits, hits + 1);
        self.chances[(hits - self.start) as usize] += chance;
    }

    /// Adds `weight` times the chances of `from`, each moved by `more` hits.
    pub(super) fn add_moved(&mut self, from: &Self, more: u64, weight: f64) {
        if from.chances.is_empty() || weight <= 0.0 {
            return;
        }
        let start = from.start + more;
        self.cover(start, start + from.chances.len() as u64);
        let offset = (start - self.start) as usize;
        for (sum, chance) in self.chances[offset..].iter_mut().zip(&from.chances) {
            *sum += weight * chance;
        }
    }

    /// Keeps the chances of the hits in `kept`; the sums of those below and above.
    pub(super) fn cut(&mut self, kept: Range<u64>) -> (f64, f64) {
        let index = |hits: u64| (hits.saturating_sub(self.start) as usize).min(self.chances.len());
        let (first, past) = (index(kept.start), index(kept.end.max(kept.start)));
        let above = self.chances.drain(past..).sum();
        let below = self.chances.drain(..first).sum();
        self.start += first as u64;
        (below, above)
    }

    /// Drops the ends that are too small to follow; their sum.
    pub(super) fn trim(&mut self, below: f64) -> f64 {
        let kept = |chance: &f64| *chance >= below;
        let first = self.chances.iter().position(kept).unwrap_or(self.chances.len());
        let past = self.chances.iter().rposition(kept).map_or(first, |last| last + 1);
        let lost = self.chances[..first].iter().chain(&self.chances[past..]).sum();
        self.chances.truncate(past);
        self.chances.drain(..first);
        self.start += first as u64;
        lost
    }

    /// Makes room for the hits in `first..past`.
    fn cover(&mut self, first: u64, past: u64) {
        if self.chances.is_empty() {
            self.start = first;
        }
        if first < self.start {
            let missing = (self.start - first) as usize;
            self.chances.splice(0..0, std::iter::repeat_n(0.0, missing));
            self.start = first;
        }
        let length = (past - self.start) as usize;
        if length > self.chances.len() {
            self.chances.resize(length, 0.0);
        }
    }
}
