//! How many calls a promise takes, what a given number of calls can decide ([`calls_to_decide`], [`chance_to_decide`];
//! of pairs [`pairs_to_decide`], [`chance_of_pairs`]), and how often a test errs ([`Course`]).
//!
//! Exact for the test as it runs: dynamic programming over (calls, hits) with its looks every
//! [`LOOK_EVERY`](crate::share::LOOK_EVERY) calls; above 4,000 calls the looks of the *plan* are spaced by half a
//! percent of the calls made, which overstates a number by less than that. Where even this would take long (a true
//! share next to the promised one), the numbers are those of a single look at the end, and say so
//! ([`Forecast::exact`]).

mod course;
mod fixed;
mod lattice;
mod pairs;
mod tightest;
mod values;
mod window;

use crate::share::{Design, Reach};
pub use course::Course;
pub use lattice::Looks;
pub use pairs::{Arms, chance_of_pairs, pairs_to_decide};
pub use tightest::tightest;
pub use window::Outcome;

pub(crate) use lattice::Lattice;

/// Multiply-adds that a question may cost: some 10 ms.
const BUDGET: u64 = 12_000_000;

/// Calls until a decision, over many runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Forecast {
    /// Half of the runs have decided after this many calls.
    pub median: u64,
    /// 99 % of the runs have decided after this many calls.
    pub most: u64,
    /// The chance that a run that decides says *holds*.
    pub holds: f64,
    /// Whether the numbers are exact; otherwise they belong to a single look at the end, which needs more calls.
    pub exact: bool,
}

/// What a number of calls decides, over many runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chance {
    /// The chance of *holds*.
    pub holds: f64,
    /// The chance of *violated*.
    pub violated: f64,
    /// Whether the numbers are exact; otherwise they belong to a single look at the end, which decides less often.
    pub exact: bool,
}

impl Chance {
    /// The chance of a decision, either way.
    #[must_use]
    pub fn decides(&self) -> f64 {
        self.holds + self.violated
    }
}

/// Why a plan has no answer.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// A number outside `[0, 1]`.
    #[error("{0} is not a share between 0 and 1")]
    NotAShare(f64),
    /// The true share (or difference) is the promised limit itself, or as good as: no number of calls tells them apart.
    #[error("a true share of {0} lies on the promised limit, which no number of calls can decide")]
    OnTheLimit(f64),
    /// A promise of exactly 0, exactly 1 or exactly anything, kept: it is never shown by counting.
    #[error("a share of exactly that much is never shown by counting; promise every call or no call instead")]
    NeverShown,
}

/// Calls until `design` decides if the true share of hits is `truth`.
///
/// # Errors
/// If `truth` is no share, or no number of calls decides.
pub fn calls_to_decide(design: &Design, truth: f64) -> Result<Forecast, PlanError> {
    let truth = share(truth)?;
    let kept = design.is_kept_by(truth);
    if kept && design.reach() == Reach::ViolatedOnly {
        return Err(PlanError::NeverShown);
    }
    let single_look = fixed::forecast(design, truth).ok_or(PlanError::OnTheLimit(truth))?;
    let lattice = Lattice::new(design, truth, Looks::Stretching, 1e-9);
    Ok(Course::from(lattice).forecast(single_look, BUDGET))
}

/// What `n` calls decide of `design` if the true share of hits is `truth`.
///
/// # Errors
/// If `truth` is no share.
pub fn chance_to_decide(design: &Design, n: u64, truth: f64) -> Result<Chance, PlanError> {
    Ok(chance_within(design, n, share(truth)?, BUDGET))
}

/// The fewest calls after which any test can say "at most a share of `allowed`", hits or none: `ln(β) / ln(1 -
/// allowed)`, about `ln(1/β) / allowed`. One call fewer and a share just above `allowed` would produce none with a
/// chance above β. `None` if `allowed` or `beta` is not in `(0, 1)`.
#[must_use]
pub fn floor(allowed: f64, beta: f64) -> Option<u64> {
    let possible = allowed > 0.0 && allowed < 1.0 && beta > 0.0 && beta < 1.0;
    possible.then(|| (beta.ln() / (-allowed).ln_1p()).ceil() as u64)
}

fn chance_within(design: &Design, n: u64, truth: f64, budget: u64) -> Chance {
    let mut lattice = Lattice::new(design, truth, Looks::Stretching, 1e-9).ending_at(n);
    while lattice.n() < n {
        if lattice.cost() > budget {
            return fixed::chance(design, n, truth);
        }
        lattice.step();
    }
    let Outcome { holds, violated, .. } = lattice.outcome();
    Chance { holds, violated, exact: true }
}

fn share(truth: f64) -> Result<f64, PlanError> {
    if (0.0..=1.0).contains(&truth) { Ok(truth) } else { Err(PlanError::NotAShare(truth)) }
}

#[cfg(test)]
mod tests;
