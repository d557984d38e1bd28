//! The sequential test of "as good as": a fault is switched on and off in short alternating blocks, units of the two
//! kinds of block are paired, and the treated units fail more often than the others by no more than a stated margin.
//!
//! - *Violated*: the evidence excludes, at α, that the difference is the margin or less.
//! - *Holds*: it excludes, at β, that it is the margin or more. No difference *found* shows nothing: for lack of data
//!   the test stays undecided.
//!
//! It bets on the mean of the differences `treated - baseline`, in `[-1, 1]` (`betting.rs`), and therefore holds
//! whatever the baseline is, however the two units of a pair hang together, and for values between 0 and 1 as well. A
//! test on the discordant pairs alone (McNemar 1947) would be exact for a margin of 0 only: how often pairs differ is a
//! nuisance that a margin does not fix. A bet that follows the discordance seen so far ends 5 to 10 % sooner in half of the
//! runs and no sooner in the slow ones (docs/calibration.md), but depends on the order of the pairs, so that its errors
//! could be simulated only.
//!
//! The expected difference must be the same for each pair by mechanism, whatever those before it were: what drifts must
//! drift little from one block to the next, against the margin. [`Arm::in_turn`] alternates the order, so that a steady
//! drift does not add up. Where the calls of a block hang together, pair the blocks' shares instead of their calls.

mod matching;

use crate::betting::{Boundary, Game};
use crate::bounds::Interval;
use crate::mean::{MeanBounds, OutOfRange};
use crate::share::{Decision, Risk};

pub use matching::{Arm, Block, Pair, matched};

/// Why a margin cannot be tested.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum MarginError {
    /// Not in `(0, 1)`: without a margin equal arms are never shown to be equal, and 1 allows everything.
    #[error("{0} is not a margin between 0 and 1, both excluded")]
    NotAMargin(f64),
    /// An error rate outside `(0, 1)`.
    #[error("{0} is not an error rate between 0 and 1")]
    NotARisk(f64),
}

/// "Treated units fail more often than the others by at most `margin`", with its error rates.
#[derive(Debug, Clone, PartialEq)]
pub struct PairedDesign {
    margin: f64,
    risk: Risk,
    boundary: Boundary,
}

impl PairedDesign {
    /// The test of a margin, a difference of shares: 0.01 is one percentage point.
    ///
    /// # Errors
    /// If the margin or an error rate is not in `(0, 1)`.
    pub fn new(margin: f64, risk: Risk) -> Result<Self, MarginError> {
        for rate in [risk.alpha, risk.beta] {
            if !(rate > 0.0 && rate < 1.0) {
                return Err(MarginError::NotARisk(rate));
            }
        }
        if !(margin > 0.0 && margin < 1.0) {
            return Err(MarginError::NotAMargin(margin));
        }
        Ok(Self { margin, risk, boundary: Boundary::of_difference(margin, risk) })
    }

    /// The largest difference that keeps the promise.
    #[must_use]
    pub fn margin(&self) -> f64 {
        self.margin
    }

    /// The error rates.
    #[must_use]
    pub fn risk(&self) -> Risk {
        self.risk
    }

    pub(crate) fn boundary(&self) -> &Boundary {
        &self.boundary
    }
}

/// The running test of a [`PairedDesign`]; it looks at every pair. The first crossing is final; only a crossing on the
/// other side as well changes it, to [`Decision::Contradicted`].
///
/// ```
/// use squall_stats::{paired::{PairedDesign, PairedTest}, share::{Decision, Risk}};
///
/// let mut test = PairedTest::new(PairedDesign::new(0.05, Risk::default())?);
/// for i in 0..400 {
///     let (treated, baseline) = (i % 100 == 7, i % 100 == 60);
///     test.push(f64::from(treated), f64::from(baseline))?;
/// }
/// assert_eq!(test.conclude(), Decision::Holds);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct PairedTest {
    design: PairedDesign,
    game: Game,
}

impl PairedTest {
    /// A test that has seen nothing.
    #[must_use]
    pub fn new(design: PairedDesign) -> Self {
        let game = Game::new([design.boundary.clone()]);
        Self { design, game }
    }

    /// One pair more, and a look. A value is 1 for a call that failed, 0 for one that did not, or the share of a unit's
    /// calls that failed.
    ///
    /// # Errors
    /// If a value is not in `[0, 1]`; the test is then as before.
    pub fn push(&mut self, treated: f64, baseline: f64) -> Result<(), OutOfRange> {
        for value in [treated, baseline] {
            if !(0.0..=1.0).contains(&value) {
                return Err(OutOfRange(value));
            }
        }
        self.game.push((1.0 + (treated - baseline)) / 2.0);
        Ok(())
    }

    /// The decision when no pair is to come: every pair was looked at, so it is [`Self::decision`].
    #[must_use]
    pub fn conclude(&self) -> Decision {
        self.decision()
    }

    /// What the pairs so far have decided.
    #[must_use]
    pub fn decision(&self) -> Decision {
        self.game.decision()
    }

    /// Pairs so far.
    #[must_use]
    pub fn n(&self) -> u64 {
        self.game.n() as u64
    }

    /// The mean difference so far, in `[-1, 1]`; `None` of no pair.
    #[must_use]
    pub fn measured(&self) -> Option<f64> {
        self.game.mean().map(difference)
    }

    /// Pairs at the first crossing.
    #[must_use]
    pub fn decided_at(&self) -> Option<u64> {
        self.game.decided_at().map(|n| n as u64)
    }

    /// What is tested.
    #[must_use]
    pub fn design(&self) -> &PairedDesign {
        &self.design
    }

    /// The confidence sequence of the difference, in `[-1, 1]`: as it stood at the first crossing, or as it stands while
    /// there is none. Its lower end is in `sure`, its upper end in `likely`.
    #[must_use]
    pub fn interval(&self) -> MeanBounds {
        let values = self.game.decisive();
        let (likely, sure) = self.game.bounds();
        let measured = crate::sample::mean(values).map(difference);
        let of = |range: Interval| Interval { low: difference(range.low), high: difference(range.high) };
        MeanBounds { n: values.len() as u64, measured, likely: of(likely), sure: of(sure) }
    }
}

/// Back from `[0, 1]`.
fn difference(value: f64) -> f64 {
    2.0 * value - 1.0
}

#[cfg(test)]
mod tests;
