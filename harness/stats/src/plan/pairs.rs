//! How many pairs "as good as" takes.

use super::values::{Evidence, Thirds, ValueLattice};
use super::{Chance, Course, Forecast, Looks, PlanError, share};
use crate::paired::PairedDesign;

/// Multiply-adds that a question about pairs may cost: some tenths of a second.
const BUDGET: u64 = 400_000_000;
/// Chances below this are not followed.
const TRIM: f64 = 1e-10;
/// More pairs than any run makes.
const HORIZON: f64 = 1e9;

/// Standard normal quantile of 99 %: it sizes a run, no verdict rests on it.
const NORMAL_99: f64 = 2.326;

/// The true shares of failures, of calls that fail independently of each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arms {
    /// With the fault.
    pub treated: f64,
    /// Without it.
    pub baseline: f64,
}

impl Arms {
    /// What a pair comes to: 1 is worse with the fault, ½ is the same, 0 is better.
    pub(super) fn of_pair(self) -> Result<Thirds, PlanError> {
        let (treated, baseline) = (share(self.treated)?, share(self.baseline)?);
        let one = treated * (1.0 - baseline);
        let zero = baseline * (1.0 - treated);
        Ok(Thirds { one, half: 1.0 - one - zero })
    }

    fn difference(self) -> f64 {
        self.treated - self.baseline
    }
}

/// Pairs of calls until `design` decides. Exact, by dynamic programming over (pairs, worse, better), up to some
/// thousands of pairs; beyond that those of a single look on the expected path, which needs more
/// ([`Forecast::exact`]).
///
/// # Errors
/// If a number is no share, or the difference is the margin itself.
pub fn pairs_to_decide(design: &PairedDesign, truth: Arms) -> Result<Forecast, PlanError> {
    let of_pair = truth.of_pair()?;
    let single_look = single_look(design, truth, of_pair).ok_or(PlanError::OnTheLimit(truth.difference()))?;
    let lattice = ValueLattice::new([design.boundary()], of_pair, Looks::Stretching, TRIM);
    Ok(Course::from(lattice).forecast(single_look, BUDGET))
}

/// What `n` pairs of calls decide; `None` if that would take too long to say.
///
/// # Errors
/// If a number is no share.
pub fn chance_of_pairs(design: &PairedDesign, n: u64, truth: Arms) -> Result<Option<Chance>, PlanError> {
    let mut lattice = ValueLattice::new([design.boundary()], truth.of_pair()?, Looks::Stretching, TRIM);
    while lattice.n() < n {
        if lattice.cost() > BUDGET {
            return Ok(None);
        }
        lattice.step();
    }
    let reached = lattice.outcome();
    Ok(Some(Chance { holds: reached.holds, violated: reached.violated, exact: true }))
}

/// A look when the expected path crosses, and when one does on which the difference is 2.3 standard deviations nearer
/// to the margin.
fn single_look(design: &PairedDesign, truth: Arms, of_pair: Thirds) -> Option<Forecast> {
    let evidence = Evidence::new(design.boundary());
    let good = truth.difference() < design.margin();
    let (one, zero) = (of_pair.one, 1.0 - of_pair.one - of_pair.half);
    let sd = (one + zero - truth.difference().powi(2)).max(0.0).sqrt();
    let crossed_after = |spread: f64| {
        super::fixed::first_calls(1.0, HORIZON, |n| {
            let away = if good { 0.5 } else { -0.5 } * spread * sd * n.sqrt();
            let (ones, zeros) = ((one * n + away).max(0.0), (zero * n - away).max(0.0));
            let halves = n - ones - zeros;
            let crosses = |ones, halves, zeros| match good {
                true => evidence.within(ones, halves, zeros),
                false => evidence.beyond(ones, halves, zeros),
            };
            halves >= 0.0 && crosses(ones, halves, zeros)
        })
    };
    let (median, most) = (crossed_after(0.0)?, crossed_after(NORMAL_99)?);
    Some(Forecast { median: median as u64, most: most as u64, holds: f64::from(u8::from(good)), exact: false })
}
