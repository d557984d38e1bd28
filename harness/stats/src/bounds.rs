//! What may be said beside a measured number: exact bounds for shares and percentiles, and the bounds that belong to
//! the sequential test.
//!
//! Clopper-Pearson and the percentile ranks hold for a number of calls fixed in advance. Beside the result of a test
//! that stopped when it had seen enough only [`anytime`] is honest: its bounds hold at every moment at once.

mod percentile;

use crate::share::{Counts, Design, Fence, Look};
use crate::special::{ln_binomial_at_least, ln_binomial_at_most};

pub use percentile::{Percentile, Position, percentile, percentile_by};

/// A range of shares or, in general, of anything from `low` to `high`, ends included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// All shares: what is known before the first call.
    pub const ALL: Self = Self { low: 0.0, high: 1.0 };

    /// Is `share` in the range?
    #[must_use]
    pub fn contains(&self, share: f64) -> bool {
        (self.low..=self.high).contains(&share)
    }
}

/// The two-sided interval of Clopper & Pearson, *The use of confidence or fiducial limits* (1934): it misses the true
/// share with a chance of at most `error`, half on either side. `None` if there are more hits than calls or `error`
/// is not in `(0, 1)`.
#[must_use]
pub fn clopper_pearson(seen: Look, error: f64) -> Option<Interval> {
    let side = error / 2.0;
    Some(Interval { low: clopper_pearson_lower(seen, side)?, high: clopper_pearson_upper(seen, side)? })
}

/// The largest share that `seen` does not exclude at `error`, all of it spent on this side. `None` as for
/// [`clopper_pearson`].
#[must_use]
pub fn clopper_pearson_upper(seen: Look, error: f64) -> Option<f64> {
    let Look { n, hits } = checked(seen, error)?;
    if hits == n {
        return Some(1.0);
    }
    let excluded = |p: f64| ln_binomial_at_most(hits, n, p) <= error.ln();
    Some(first_true(hits as f64 / n as f64, 1.0, excluded))
}

/// The smallest share that `seen` does not exclude at `error`, all of it spent on this side. `None` as for
/// [`clopper_pearson`].
#[must_use]
pub fn clopper_pearson_lower(seen: Look, error: f64) -> Option<f64> {
    let Look { n, hits } = checked(seen, error)?;
    if hits == 0 {
        return Some(0.0);
    }
    let excluded = |p: f64| ln_binomial_at_least(hits, n, p) <= error.ln();
    Some(last_true(0.0, hits as f64 / n as f64, excluded))
}

/// What the evidence of a sequential test bounds, at the test's own error rates and valid at every moment at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Anytime {
    /// Calls and hits that it rests on.
    pub seen: Look,
    /// Misses the true share, on the side that would wrongly show the promise, with a chance of at most β. Within the
    /// promise exactly where the test says *holds*.
    pub likely: Interval,
    /// Misses the true share, on the side that would wrongly break the promise, with a chance of at most α. Outside
    /// the promise exactly where the test says *violated*.
    pub sure: Interval,
}

impl Anytime {
    /// The measured share of hits; `None` of no calls.
    #[must_use]
    pub fn measured(&self) -> Option<f64> {
        (self.seen.n > 0).then(|| self.seen.hits as f64 / self.seen.n as f64)
    }
}

/// The anytime-valid bounds that belong to `design`: the limits which the same test, its zone moved along at equal
/// odds ratios, would have decided by now (a confidence sequence by inversion: Howard et al. 2021). Beside a decision
/// show those at [`ShareTest::decided`](crate::share::ShareTest::decided). A one-sided promise has one-sided bounds.
/// `None` if there are more hits than calls.
#[must_use]
pub fn anytime(design: &Design, seen: Look) -> Option<Anytime> {
    if seen.hits > seen.n {
        return None;
    }
    let mut bounds = Anytime { seen, likely: Interval::ALL, sure: Interval::ALL };
    for fence in design.fences() {
        let (n, hits) = (seen.n as f64, seen.hits as f64);
        let k = fence.counts.of(n, hits);
        let need_within = -design.risk().beta.ln();
        let most = upper_limit(&Fence { need_within, ..*fence }, n, k);
        let least = lower_limit(fence, n, k);
        match fence.counts {
            Counts::Hits => (bounds.likely.high, bounds.sure.low) = (most, least),
            Counts::Misses => (bounds.likely.low, bounds.sure.high) = (1.0 - most, 1.0 - least),
        }
    }
    Some(bounds)
}

/// The smallest limit that `k` of `n` would have shown to be kept.
fn upper_limit(fence: &Fence, n: f64, k: f64) -> f64 {
    if k >= n { 1.0 } else { first_true(k / n, 1.0, |at| fence.moved(at).within(n, k)) }
}

/// The largest limit that `k` of `n` would have shown to be broken.
fn lower_limit(fence: &Fence, n: f64, k: f64) -> f64 {
    if k <= 0.0 { 0.0 } else { last_true(0.0, k / n, |at| fence.moved(at).beyond(n, k)) }
}

/// Ranks (1-based, in ascending order) between which a percentile lies. `None`: the sample is too small to bound that
/// side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ranks {
    /// The value of this rank is above the percentile with a chance of at most the error.
    pub lower: Option<u64>,
    /// The value of this rank is below the percentile with a chance of at most the error.
    pub upper: Option<u64>,
}

/// Exact, distribution-free bounds for the `q`-quantile of `n` independent values by order statistics (Thompson
/// 1936), each side wrong with a chance of at most `error`. Ties do not harm. `None` if `q` or `error` is not in `(0,
/// 1)`.
#[must_use]
pub fn percentile_ranks(n: u64, q: f64, error: f64) -> Option<Ranks> {
    if !(q > 0.0 && q < 1.0 && error > 0.0 && error < 1.0) {
        return None;
    }
    let allowed = error.ln();
    // Values at or below the quantile number at least Binomial(n, q); values strictly below it at most that.
    let too_high = |rank: u64| ln_binomial_at_most(rank - 1, n, q) <= allowed;
    let too_low = |rank: u64| ln_binomial_at_least(rank, n, q) <= allowed;
    let lower = partition(n, too_high).checked_sub(1).filter(|rank| *rank > 0);
    let upper = Some(partition(n, |rank| !too_low(rank))).filter(|rank| *rank <= n);
    Some(Ranks { lower, upper })
}

/// The first rank in `1..=n` for which `holds` is false (`n + 1` if for none), `holds` being true and then false.
fn partition(n: u64, holds: impl Fn(u64) -> bool) -> u64 {
    let (mut first, mut past) = (1, n + 1);
    while first < past {
        let middle = first + (past - first) / 2;
        if holds(middle) {
            first = middle + 1;
        } else {
            past = middle;
        }
    }
    first
}

fn checked(seen: Look, error: f64) -> Option<Look> {
    (seen.hits <= seen.n && error > 0.0 && error < 1.0).then_some(seen)
}

/// Where `excluded`, false and then true, turns true between two shares: the nearest excluded double, so that
/// rounding only widens an interval.
pub(crate) fn first_true(mut open: f64, mut excluding: f64, excluded: impl Fn(f64) -> bool) -> f64 {
    if open.is_nan() {
        return excluding;
    }
    loop {
        let middle = f64::midpoint(open, excluding);
        if middle <= open || middle >= excluding {
            return excluding;
        }
        if excluded(middle) {
            excluding = middle;
        } else {
            open = middle;
        }
    }
}

/// Where `excluded`, true and then false, turns false: the nearest excluded double.
pub(crate) fn last_true(mut excluding: f64, mut open: f64, excluded: impl Fn(f64) -> bool) -> f64 {
    if open.is_nan() {
        return excluding;
    }
    loop {
        let middle = f64::midpoint(excluding, open);
        if middle <= excluding || middle >= open {
            return excluding;
        }
        if excluded(middle) {
            excluding = middle;
        } else {
            open = middle;
        }
    }
}

#[cfg(test)]
mod tests;
