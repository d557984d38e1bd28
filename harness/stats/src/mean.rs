//! The sequential test of a promise about the mean of values in `[0, 1]`: where draws hang together the sample unit is
//! not the call but the connection, the user, the second, and its value is the share of its calls with the outcome.
//!
//! The promise, its error rates, its zone and its decisions are those of [`crate::share`]; only the units differ. The
//! test bets on the mean (`betting.rs` says how, and after whom) and is valid whatever the values' distribution, at any
//! number of units, whenever one looks. For values of 0 and 1 it is the test of [`crate::share`] with a look at every
//! unit.
//!
//! - The units must be exchangeable: each has the same expected value by mechanism, whatever those before it were, and
//!   they are pushed in an order that does not depend on their values.
//! - The mean is over *units*. A user with 10 calls weighs as much as one with 1,000: where sizes differ by mechanism
//!   and go with the outcome, it is not the share of calls.
//! - A unit may be bad as a whole, and no test may assume that it is not: without a failure it still takes about `ln(1/β)
//!   / allowed` *units* to hold, however many calls are in each.

use crate::betting::{Boundary, Game};
use crate::bounds::Interval;
use crate::share::{Decision, Design};

/// A value that is not in `[0, 1]`, or not a number: no such unit exists, and the test has not taken it.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("{0} is not a value between 0 and 1")]
pub struct OutOfRange(pub f64);

/// What the values so far bound, at the error rates of the test and valid at every moment at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeanBounds {
    /// Units that this rests on.
    pub n: u64,
    /// Their mean; `None` of no unit.
    pub measured: Option<f64>,
    /// Misses the true mean, on the side that would wrongly show the promise, with a chance of at most β. Within the
    /// promise exactly where the test says *holds*.
    pub likely: Interval,
    /// Misses the true mean, on the side that would wrongly break the promise, with a chance of at most α. Outside the
    /// promise exactly where the test says *violated*.
    pub sure: Interval,
}

/// The running test of a [`Design`] on units. The first crossing is final; only a crossing on the other side as well
/// changes it, to [`Decision::Contradicted`].
///
/// ```
/// use squall_stats::{mean::MeanTest, share::{Decision, Design, Risk}};
///
/// // "at least 90 % of the calls succeed", by user: nearly every user is served, each of them nearly always.
/// let mut test = MeanTest::new(Design::at_least(0.9, Risk::default())?);
/// for _ in 0..100 {
///     test.push(0.99)?;
/// }
/// assert_eq!(test.conclude(), Decision::Holds);
/// assert_eq!(test.decided_at(), Some(89));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct MeanTest {
    design: Design,
    game: Game,
}

impl MeanTest {
    /// A test that has seen nothing.
    #[must_use]
    pub fn new(design: Design) -> Self {
        let game = Game::new(design.fences().iter().map(|fence| Boundary::of_share(fence, design.risk())));
        Self { design, game }
    }

    /// One unit more, and a look.
    ///
    /// # Errors
    /// If `value` is not in `[0, 1]`; the test is then as before.
    pub fn push(&mut self, value: f64) -> Result<(), OutOfRange> {
        if !(0.0..=1.0).contains(&value) {
            return Err(OutOfRange(value));
        }
        self.game.push(value);
        Ok(())
    }

    /// The decision when no unit is to come: every unit was looked at, so it is [`Self::decision`].
    #[must_use]
    pub fn conclude(&self) -> Decision {
        self.decision()
    }

    /// What the units so far have decided.
    #[must_use]
    pub fn decision(&self) -> Decision {
        self.game.decision()
    }

    /// Units so far.
    #[must_use]
    pub fn n(&self) -> u64 {
        self.game.n() as u64
    }

    /// Their mean; `None` of no unit.
    #[must_use]
    pub fn measured(&self) -> Option<f64> {
        self.game.mean()
    }

    /// Units at the first crossing.
    #[must_use]
    pub fn decided_at(&self) -> Option<u64> {
        self.game.decided_at().map(|n| n as u64)
    }

    /// What is tested.
    #[must_use]
    pub fn design(&self) -> &Design {
        &self.design
    }

    /// The confidence sequence of the test: as it stood at the first crossing, or as it stands while there is none.
    /// Some hundred passes over the units: for showing, not for every push.
    #[must_use]
    pub fn interval(&self) -> MeanBounds {
        let values = self.game.decisive();
        let (likely, sure) = self.game.bounds();
        MeanBounds { n: values.len() as u64, measured: crate::sample::mean(values), likely, sure }
    }
}

#[cfg(test)]
mod tests;
