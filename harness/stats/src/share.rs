//! The sequential test of a promise about a share: "at least 99 % of the calls succeed", "between 8 % and 12 % reach
//! v2".
//!
//! For each boundary of the promise two likelihood-ratio martingales are kept, one against each side. Half of a
//! martingale's stake is laid on a point of the planning [`Zone`], half is spread by Jeffreys' prior Beta(½, ½),
//! truncated to the other side of the boundary. Such a martingale starts at 1 and, where the side it tests against is
//! true, ever exceeds 1/ε with a chance of at most ε (Ville's inequality), whenever one looks and however one stops:
//! Robbins, *Statistical methods related to the law of the iterated logarithm* (1970); Howard, Ramdas, McAuliffe &
//! Sekhon, *Time-uniform, nonparametric, nonasymptotic confidence sequences* (2021); Waudby-Smith & Ramdas,
//! *Estimating means of bounded random variables by betting* (2024).
//!
//! - *Violated*: the evidence excludes, at α, that the promise is true.
//! - *Holds*: the evidence excludes, at β, that it is false. No hidden tolerance: the zone only tunes the test.
//!
//! The calls must be exchangeable (each has the same chance of a hit by mechanism) and be pushed in an order that
//! does not depend on their outcome: by intended start, up to the oldest call that is not yet resolved. In order of
//! completion fast answers come first, and slow failures never get in before the stop.

mod design;
mod fence;
mod watch;

pub use design::{Design, DesignError, Promise, Reach, Risk, Zone};
pub(crate) use fence::{Counts, Fence};
use watch::Watch;

/// Calls between two looks. Looking less often loses nothing but time; more often gains next to nothing.
pub const LOOK_EVERY: u64 = 20;

/// What the evidence says so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Neither side is excluded.
    Undecided,
    /// That the promise is false is excluded, at β.
    Holds,
    /// That the promise is true is excluded, at α.
    Violated,
    /// Both sides of one boundary were excluded in turn: the calls did not have one share (or had bad luck, with a
    /// chance of at most β).
    Contradicted,
}

/// Calls and hits at a moment of the test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Look {
    /// Calls.
    pub n: u64,
    /// Hits among them.
    pub hits: u64,
}

/// The running test of a [`Design`]. The first crossing, on the grid of every [`LOOK_EVERY`] calls or at
/// [`ShareTest::conclude`], is final; only a crossing on the other side as well changes it, to
/// [`Decision::Contradicted`].
///
/// ```
/// use squall_stats::share::{Decision, Design, Risk, ShareTest};
///
/// let promise = Design::at_least(0.99, Risk::default())?;
/// let mut test = ShareTest::new(promise);
/// test.extend(std::iter::repeat_n(true, 1_000));
/// assert_eq!(test.conclude(), Decision::Holds);
/// assert_eq!(test.decided_at(), Some(860));
/// # Ok::<(), squall_stats::share::DesignError>(())
/// ```
#[derive(Debug, Clone)]
pub struct ShareTest {
    design: Design,
    now: Look,
    watched: [Watched; 2],
    decision: Decision,
    decided: Option<Look>,
}

/// Which sides of one boundary have ever been excluded.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Crossed {
    pub(crate) within: bool,
    pub(crate) beyond: bool,
}

/// The two sides of one fence.
#[derive(Debug, Clone, Copy, Default)]
struct Watched {
    within: Watch,
    beyond: Watch,
}

impl ShareTest {
    /// A test that has seen nothing.
    #[must_use]
    pub fn new(design: Design) -> Self {
        Self {
            design,
            now: Look::default(),
            watched: [Watched::default(); 2],
            decision: Decision::Undecided,
            decided: None,
        }
    }

    /// One call more.
    pub fn push(&mut self, hit: bool) {
        self.now.n += 1;
        self.now.hits += u64::from(hit);
        if self.now.n.is_multiple_of(LOOK_EVERY) || self.is_counter_example(hit) {
            self.look();
        }
    }

    /// The last look, off the grid: call it when no call is to come. Harmless at any other time.
    pub fn conclude(&mut self) -> Decision {
        if self.now.n > 0 {
            self.look();
        }
        self.decision
    }

    /// What the looks so far have decided.
    #[must_use]
    pub fn decision(&self) -> Decision {
        self.decision
    }

    /// Calls and hits so far.
    #[must_use]
    pub fn now(&self) -> Look {
        self.now
    }

    /// Calls so far.
    #[must_use]
    pub fn n(&self) -> u64 {
        self.now.n
    }

    /// Hits so far.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.now.hits
    }

    /// Calls and hits at the first crossing: the numbers to show beside the decision. Those of a later moment may
    /// seem to say less.
    #[must_use]
    pub fn decided(&self) -> Option<Look> {
        self.decided
    }

    /// Calls at the first crossing.
    #[must_use]
    pub fn decided_at(&self) -> Option<u64> {
        self.decided.map(|look| look.n)
    }

    /// What is tested.
    #[must_use]
    pub fn design(&self) -> &Design {
        &self.design
    }

    /// A call that the promise does not allow at all needs no look.
    fn is_counter_example(&self, hit: bool) -> bool {
        self.design.fences().iter().any(|fence| fence.at <= 0.0 && (fence.counts == Counts::Hits) == hit)
    }

    fn look(&mut self) {
        let (n, hits) = (self.now.n as f64, self.now.hits as f64);
        for (fence, watched) in self.design.fences().iter().zip(&mut self.watched) {
            let k = fence.counts.of(n, hits);
            let most = fence.most_won();
            watched.within.look(n - k, most.within, || fence.short_of_within(n, k));
            watched.beyond.look(k, most.beyond, || fence.short_of_beyond(n, k));
        }
        self.decision = decide(self.design.fences().iter().zip(&self.watched).map(|(_, watched)| watched.crossed()));
        if self.decision != Decision::Undecided {
            self.decided.get_or_insert(self.now);
        }
    }
}

impl Watched {
    fn crossed(&self) -> Crossed {
        Crossed { within: self.within.crossed, beyond: self.beyond.crossed }
    }
}

impl Extend<bool> for ShareTest {
    fn extend<I: IntoIterator<Item = bool>>(&mut self, hits: I) {
        hits.into_iter().for_each(|hit| self.push(hit));
    }
}

/// The verdict on a promise of which these boundaries were crossed.
pub(crate) fn decide(mut boundaries: impl Iterator<Item = Crossed> + Clone) -> Decision {
    let violations = boundaries.clone().filter(|c| c.beyond).count();
    if violations > 1 || boundaries.clone().any(|c| c.within && c.beyond) {
        Decision::Contradicted
    } else if violations == 1 {
        Decision::Violated
    } else if boundaries.all(|c| c.within) {
        Decision::Holds
    } else {
        Decision::Undecided
    }
}

#[cfg(test)]
mod enumerated;
#[cfg(test)]
mod tests;
