//! A boundary on a mean, with a capital against either side of it.

use super::Stakes;
use crate::share::{Counts, Fence, Risk};

/// The side that is betted *for*: the capital grows if the mean lies there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// The mean is below the boundary: betted against "it is `at` or more".
    Within,
    /// The mean is above the boundary: betted against "it is `at` or less".
    Beyond,
}

/// "The mean of what is counted is at most `at`".
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Boundary {
    counts: Counts,
    at: f64,
    /// Logarithm of what must be won to show it kept; infinite where that can never be.
    need_within: f64,
    /// Logarithm of what must be won to show it broken.
    need_beyond: f64,
    /// Of a confidence bound where the boundary itself is never shown.
    need_bound: f64,
    within: Stakes,
    beyond: Stakes,
}

impl Boundary {
    /// The boundary of a share, for any values of that mean.
    pub(crate) fn of_share(fence: &Fence, risk: Risk) -> Self {
        Self {
            counts: fence.counts,
            at: fence.at,
            need_within: fence.need_within,
            need_beyond: fence.need_beyond,
            need_bound: -risk.beta.ln(),
            within: Stakes::against_more(fence.at, fence.good),
            beyond: Stakes::against_less(fence.at, fence.bad),
        }
    }

    /// The boundary of a mean difference, moved from `[-1, 1]` to `[0, 1]`.
    pub(crate) fn of_difference(margin: f64, risk: Risk) -> Self {
        Self {
            counts: Counts::Hits,
            at: f64::midpoint(1.0, margin),
            need_within: -risk.beta.ln(),
            need_beyond: -risk.alpha.ln(),
            need_bound: -risk.beta.ln(),
            within: Stakes::on_differences(),
            beyond: Stakes::on_differences(),
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    pub(crate) fn stakes(&self, side: Side) -> &Stakes {
        match side {
            Side::Within => &self.within,
            Side::Beyond => &self.beyond,
        }
    }

    /// Logarithm of the capital that decides for `side`.
    pub(crate) fn need(&self, side: Side) -> f64 {
        match side {
            Side::Within => self.need_within,
            Side::Beyond => self.need_beyond,
        }
    }

    /// As [`Self::need`], of the bound that is shown.
    pub(super) fn need_of_bound(&self, side: Side) -> f64 {
        match side {
            Side::Within => self.need_bound,
            Side::Beyond => self.need_beyond,
        }
    }

    /// What a ticket for `side` pays on a value in `[0, 1]`.
    pub(crate) fn payoff(&self, side: Side, value: f64) -> f64 {
        payoff(side, self.counts.share(value), self.at)
    }
}

/// What a ticket pays on a value of what is counted, were the boundary at `at`. The more the lower it is (*beyond*) or
/// the higher (*within*), for any value.
pub(super) fn payoff(side: Side, counted: f64, at: f64) -> f64 {
    match side {
        Side::Within if at < 1.0 => (1.0 - counted) / (1.0 - at),
        Side::Beyond if at > 0.0 => counted / at,
        // A mean at the end of the range allows one value only: any other excludes it.
        Side::Within => {
            if counted < 1.0 {
                f64::INFINITY
            } else {
                1.0
            }
        }
        Side::Beyond => {
            if counted > 0.0 {
                f64::INFINITY
            } else {
                1.0
            }
        }
    }
}
