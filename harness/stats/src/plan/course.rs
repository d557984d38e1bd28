//! The chances of a test at each of its looks, one after the other: by this its error rates are shown, not assumed.

use super::{Forecast, Lattice, Looks, Outcome, PlanError, share};
use super::{
    pairs::Arms,
    values::{Thirds, ValueLattice},
};
use crate::betting::Boundary;
use crate::paired::PairedDesign;
use crate::share::Design;

/// Chances below this are not followed: they would not show beside any error rate.
const TRIM: f64 = 1e-18;

/// The exact course of a test under a true distribution. Each step costs as many multiply-adds as there are counts that
/// the test may have come to.
pub struct Course(Kind);

enum Kind {
    Calls(Lattice),
    Values(ValueLattice),
}

impl From<Lattice> for Course {
    fn from(lattice: Lattice) -> Self {
        Self(Kind::Calls(lattice))
    }
}

impl From<ValueLattice> for Course {
    fn from(lattice: ValueLattice) -> Self {
        Self(Kind::Values(lattice))
    }
}

impl Course {
    /// Of a [`ShareTest`](crate::share::ShareTest), if the true share of hits is `truth`.
    ///
    /// # Errors
    /// If `truth` is no share.
    pub fn of_calls(design: &Design, truth: f64, looks: Looks) -> Result<Self, PlanError> {
        Ok(Self(Kind::Calls(Lattice::new(design, share(truth)?, looks, TRIM))))
    }

    /// Of a [`MeanTest`](crate::mean::MeanTest) on units of which a share `one` has the value 1, a share `half` the
    /// value ½ and the rest 0.
    ///
    /// # Errors
    /// If `one`, `half` or their sum is no share.
    pub fn of_units(design: &Design, one: f64, half: f64) -> Result<Self, PlanError> {
        let truth = Thirds { one: share(one)?, half: share(half)? };
        share(one + half)?;
        let boundaries: Vec<Boundary> =
            design.fences().iter().map(|fence| Boundary::of_share(fence, design.risk())).collect();
        Ok(Self(Kind::Values(ValueLattice::new(&boundaries, truth, Looks::EveryCall, TRIM))))
    }

    /// Of a [`PairedTest`](crate::paired::PairedTest) on pairs of calls.
    ///
    /// # Errors
    /// If a number in `truth` is no share.
    pub fn of_pairs(design: &PairedDesign, truth: Arms) -> Result<Self, PlanError> {
        Ok(Self(Kind::Values(ValueLattice::new([design.boundary()], truth.of_pair()?, Looks::EveryCall, TRIM))))
    }

    /// To the next look: what was decided by then.
    pub fn step(&mut self) -> Outcome {
        match &mut self.0 {
            Kind::Calls(lattice) => lattice.step(),
            Kind::Values(lattice) => lattice.step(),
        }
    }

    /// Calls, units or pairs so far.
    #[must_use]
    pub fn n(&self) -> u64 {
        match &self.0 {
            Kind::Calls(lattice) => lattice.n(),
            Kind::Values(lattice) => lattice.n(),
        }
    }

    /// What is decided by the first look at or after `n`.
    pub fn until(&mut self, n: u64) -> Outcome {
        while self.n() < n {
            self.step();
        }
        match &self.0 {
            Kind::Calls(lattice) => lattice.outcome(),
            Kind::Values(lattice) => lattice.outcome(),
        }
    }

    /// Calls, units or pairs until a decision; what the budget, in multiply-adds, leaves open is that of a single look.
    pub(super) fn forecast(mut self, single_look: Forecast, budget: u64) -> Forecast {
        let mut median = None;
        while self.cost() < budget {
            let reached = self.step();
            let decided = reached.decided();
            if decided >= 0.5 {
                median.get_or_insert(self.n());
            }
            if let (Some(median), true) = (median, decided >= 0.99) {
                return Forecast { median, most: self.n(), holds: reached.holds / decided, exact: true };
            }
        }
        Forecast { median: median.unwrap_or(single_look.median), ..single_look }
    }

    fn cost(&self) -> u64 {
        match &self.0 {
            Kind::Calls(lattice) => lattice.cost(),
            Kind::Values(lattice) => lattice.cost(),
        }
    }

    /// The first look by which a share `chance` of the runs has decided; `None` if that is after `limit`.
    pub fn calls_for(&mut self, chance: f64, limit: u64) -> Option<u64> {
        let mut decided = self.until(self.n()).decided();
        while decided < chance && self.n() < limit {
            decided = self.step().decided();
        }
        (decided >= chance).then(|| self.n())
    }
}
