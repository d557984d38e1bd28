//! A promise made testable.

use super::fence::{Counts, Fence};

/// A promise about the share of hits among calls. Shares are in `[0, 1]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Promise {
    /// The share of hits is this or less.
    AtMost(f64),
    /// The share of hits is this or more.
    AtLeast(f64),
    /// The share of hits is neither below the first nor above the second.
    Between(f64, f64),
}

/// The error rates of one verdict.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Risk {
    /// The chance, at most, of *violated* although the promise is true.
    pub alpha: f64,
    /// The chance, at most, of *holds* although the promise is false.
    pub beta: f64,
}

impl Default for Risk {
    /// α = 1e-7, β = 1e-3: fixed for each claim, so that a verdict does not depend on which others were judged beside
    /// it.
    fn default() -> Self {
        Self { alpha: 1e-7, beta: 1e-3 }
    }
}

/// Two shares of hits for which the test is tuned: half of each stake is laid on them. They decide how soon it ends,
/// never how it may err.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Zone {
    /// A share that keeps the promise, as expected when all is well.
    pub good: f64,
    /// A share that breaks it, as expected when the thing under test is missing.
    pub bad: f64,
}

/// Which decisions a test can come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// *Holds* and *violated*.
    Either,
    /// *Violated* only: no number of calls shows that a share is exactly 0, exactly 1 or exactly anything.
    ViolatedOnly,
}

/// Why a promise cannot be tested.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum DesignError {
    /// A number outside `[0, 1]`.
    #[error("{0} is not a share between 0 and 1")]
    NotAShare(f64),
    /// The lower limit is above the upper one.
    #[error("the lower limit {lo} is above the upper limit {hi}")]
    Backwards {
        /// Lower limit.
        lo: f64,
        /// Upper limit.
        hi: f64,
    },
    /// Every possible share keeps the promise.
    #[error("no outcome could violate it")]
    Vacuous,
    /// An error rate outside `(0, 1)`.
    #[error("{0} is not an error rate between 0 and 1")]
    NotARisk(f64),
    /// A point of the zone lies on the wrong side, or on the border.
    #[error("the zone does not enclose the promised limit: good {good}, bad {bad}")]
    Zone {
        /// The point that should keep the promise.
        good: f64,
        /// The point that should break it.
        bad: f64,
    },
}

/// A promise with its error rates and its zone: everything that a test, a bound or a plan needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Design {
    promise: Promise,
    risk: Risk,
    reach: Reach,
    fences: Fences,
}

/// One boundary or two. A limit at 0 or 1 that cannot be crossed is none.
#[derive(Debug, Clone, PartialEq)]
enum Fences {
    One([Fence; 1]),
    Two([Fence; 2]),
}

impl Design {
    /// The test of `promise`, tuned for the default zone: for an allowed share f₀ half of the stake on f₀/4 and 3 f₀
    /// (at most halfway to 1); for a range, on its middle and half its width outside. A range halves α, not β: one
    /// side suffices to violate it, both are needed to show it.
    ///
    /// # Errors
    /// If a number is no share or no error rate, the limits are reversed, or nothing could violate the promise.
    pub fn new(promise: Promise, risk: Risk) -> Result<Self, DesignError> {
        for rate in [risk.alpha, risk.beta] {
            if !(rate > 0.0 && rate < 1.0) {
                return Err(DesignError::NotARisk(rate));
            }
        }
        let (lo, hi) = limits(promise)?;
        let fences = match (lo > 0.0, hi < 1.0) {
            (false, false) => return Err(DesignError::Vacuous),
            (false, true) => Fences::One([fence(Counts::Hits, hi, risk)]),
            (true, false) => Fences::One([fence(Counts::Misses, 1.0 - lo, risk)]),
            (true, true) => Fences::Two(range(lo, hi, risk)),
        };
        let shown = |fence: &Fence| fence.need_within.is_finite();
        let reach = if fences.as_slice().iter().all(shown) { Reach::Either } else { Reach::ViolatedOnly };
        Ok(Self { promise, risk, reach, fences })
    }

    /// "The share of hits is at most `share`", with the default zone.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn at_most(share: f64, risk: Risk) -> Result<Self, DesignError> {
        Self::new(Promise::AtMost(share), risk)
    }

    /// "The share of hits is at least `share`", with the default zone.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn at_least(share: f64, risk: Risk) -> Result<Self, DesignError> {
        Self::new(Promise::AtLeast(share), risk)
    }

    /// "The share of hits is between `lo` and `hi`", with the default zone.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn between(lo: f64, hi: f64, risk: Risk) -> Result<Self, DesignError> {
        Self::new(Promise::Between(lo, hi), risk)
    }

    /// The same test tuned for other points. Of a range, the limit that `zone.bad` lies beyond takes it; the other
    /// keeps its own.
    ///
    /// # Errors
    /// If `good` does not lie inside the promise or `bad` does not lie outside.
    pub fn with_zone(mut self, zone: Zone) -> Result<Self, DesignError> {
        let misplaced = DesignError::Zone { good: zone.good, bad: zone.bad };
        let mut placed = false;
        for fence in self.fences.as_mut_slice() {
            let good = fence.counts.share(zone.good);
            let bad = fence.counts.share(zone.bad);
            if !(good >= 0.0 && bad <= 1.0) || (good >= fence.at && fence.at > 0.0) {
                return Err(misplaced);
            }
            fence.good = good;
            if bad > fence.at {
                fence.bad = bad;
                placed = true;
            }
        }
        if placed { Ok(self) } else { Err(misplaced) }
    }

    /// What is promised.
    #[must_use]
    pub fn promise(&self) -> Promise {
        self.promise
    }

    /// The error rates.
    #[must_use]
    pub fn risk(&self) -> Risk {
        self.risk
    }

    /// Which decisions the test can come to.
    #[must_use]
    pub fn reach(&self) -> Reach {
        self.reach
    }

    /// Does a true share of hits of `share` keep the promise?
    #[must_use]
    pub fn is_kept_by(&self, share: f64) -> bool {
        let (lo, hi) = self.promise.limits();
        (lo..=hi).contains(&share)
    }

    pub(crate) fn fences(&self) -> &[Fence] {
        self.fences.as_slice()
    }
}

impl Promise {
    /// The smallest and the largest share that keep the promise.
    #[must_use]
    pub fn limits(self) -> (f64, f64) {
        match self {
            Self::AtMost(hi) => (0.0, hi),
            Self::AtLeast(lo) => (lo, 1.0),
            Self::Between(lo, hi) => (lo, hi),
        }
    }
}

impl Fences {
    fn as_slice(&self) -> &[Fence] {
        match self {
            Self::One(one) => one,
            Self::Two(two) => two,
        }
    }

    fn as_mut_slice(&mut self) -> &mut [Fence] {
        match self {
            Self::One(one) => one,
            Self::Two(two) => two,
        }
    }
}

fn limits(promise: Promise) -> Result<(f64, f64), DesignError> {
    let (lo, hi) = promise.limits();
    for share in [lo, hi] {
        if !(0.0..=1.0).contains(&share) {
            return Err(DesignError::NotAShare(share));
        }
    }
    if lo > hi { Err(DesignError::Backwards { lo, hi }) } else { Ok((lo, hi)) }
}

/// The only fence of a one-sided promise: at most `at` of what it counts.
fn fence(counts: Counts, at: f64, risk: Risk) -> Fence {
    let need_within = if at > 0.0 { -risk.beta.ln() } else { f64::INFINITY };
    Fence { counts, at, good: at / 4.0, bad: halfway_to_one(3.0 * at, at), need_within, need_beyond: -risk.alpha.ln() }
}

/// The fences of a range that can be left on both sides.
fn range(lo: f64, hi: f64, risk: Risk) -> [Fence; 2] {
    let halved = Risk { alpha: risk.alpha / 2.0, ..risk };
    let half = (hi - lo) / 2.0;
    [(Counts::Misses, 1.0 - lo), (Counts::Hits, hi)].map(|(counts, at)| {
        let alone = fence(counts, at, halved);
        if half > 0.0 {
            Fence { good: at - half, bad: halfway_to_one(at + half, at), ..alone }
        } else {
            Fence { need_within: f64::INFINITY, ..alone }
        }
    })
}

fn halfway_to_one(point: f64, at: f64) -> f64 {
    point.min(f64::midpoint(1.0, at))
}
