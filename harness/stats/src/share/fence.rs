//! One boundary of a promise and the two martingales that test against it.

use crate::special::{ln_sum, scaled_tails};

/// What a fence counts. Each fence is "the share of what it counts is at most `at`"; a lower limit on hits is an
/// upper limit on misses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counts {
    Hits,
    Misses,
}

impl Counts {
    /// This fence's count among `n` calls with `hits` hits. Real-valued: plans follow the expected path too.
    pub(crate) fn of(self, n: f64, hits: f64) -> f64 {
        match self {
            Self::Hits => hits,
            Self::Misses => n - hits,
        }
    }

    /// This fence's count among `n` calls with `hits` hits.
    pub(crate) fn count(self, n: u64, hits: u64) -> u64 {
        match self {
            Self::Hits => hits,
            Self::Misses => n - hits,
        }
    }

    /// A share of hits, as a share of what this fence counts (and back).
    pub(crate) fn share(self, hits: f64) -> f64 {
        match self {
            Self::Hits => hits,
            Self::Misses => 1.0 - hits,
        }
    }
}

/// A boundary, the points that half of each stake is laid on, and what each side must win.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Fence {
    pub(crate) counts: Counts,
    /// Largest share that keeps the promise, in `[0, 1)`.
    pub(crate) at: f64,
    pub(crate) good: f64,
    pub(crate) bad: f64,
    /// `ln 1/β`; infinite where the promise can be broken but never shown.
    pub(crate) need_within: f64,
    /// `ln 1/α`, α already halved if there are two fences.
    pub(crate) need_beyond: f64,
}

/// What bounds computed in doubles may be wrong by.
const ROUNDING: f64 = 1e-6;

/// What a call can add at most to the logarithms of the two martingales.
pub(super) struct Won {
    pub(super) within: f64,
    pub(super) beyond: f64,
}

impl Fence {
    /// Is the evidence at `k` of `n` enough to exclude that the share lies beyond the fence?
    pub(crate) fn within(&self, n: f64, k: f64) -> bool {
        self.short_of_within(n, k) <= 0.0
    }

    /// Is the evidence at `k` of `n` enough to exclude that the share lies within the fence?
    pub(crate) fn beyond(&self, n: f64, k: f64) -> bool {
        self.short_of_beyond(n, k) <= 0.0
    }

    /// What the logarithm of the martingale against "`at` or more" still lacks, or less than that while it is positive:
    /// no likelihood ratio in the mixture exceeds that of the measured share, which costs next to nothing to know.
    pub(super) fn short_of_within(&self, n: f64, k: f64) -> f64 {
        let at_least = self.need_within - if k < self.at * n { self.ln_best(n, k) } else { 0.0 };
        if at_least > ROUNDING { at_least } else { self.need_within - self.ln_within(n, k) }
    }

    /// As [`Self::short_of_within`], against "`at` or less".
    pub(super) fn short_of_beyond(&self, n: f64, k: f64) -> f64 {
        let at_least = self.need_beyond - if k > self.at * n { self.ln_best(n, k) } else { 0.0 };
        if at_least > ROUNDING { at_least } else { self.need_beyond - self.ln_beyond(n, k) }
    }

    /// Logarithm of the likelihood ratio of the measured share to `at`: `n KL(k/n, at)`.
    fn ln_best(&self, n: f64, k: f64) -> f64 {
        let share = k / n;
        times(k, (share / self.at).ln()) + times(n - k, (-share).ln_1p() - (-self.at).ln_1p())
    }

    /// Logarithm of the martingale against "the share is `at` or more": `½ L(good)/L(at) + ½ ∫ L(p)/L(at) dJ(p)`, `J`
    /// Jeffreys' prior on `[0, at]`.
    ///
    /// Each likelihood ratio in it has mean 1 at `at` and less beyond, so by Ville's inequality it ever reaches `1/β`
    /// with a chance of at most β.
    fn ln_within(&self, n: f64, k: f64) -> f64 {
        if self.at <= 0.0 {
            return f64::NEG_INFINITY;
        }
        let mixture = || {
            let tails = scaled_tails(k + 0.5, n - k + 0.5, self.at);
            tails.lower - (2.0 * self.at.sqrt().asin()).ln()
        };
        self.wager(n, k, self.good, mixture)
    }

    /// Logarithm of the martingale against "the share is `at` or less"; as [`Self::ln_within`], with `bad` and
    /// Jeffreys' prior on `[at, 1]`.
    fn ln_beyond(&self, n: f64, k: f64) -> f64 {
        if self.at <= 0.0 {
            return if k > 0.0 { f64::INFINITY } else { f64::NEG_INFINITY };
        }
        let mixture = || {
            let tails = scaled_tails(k + 0.5, n - k + 0.5, self.at);
            tails.upper - (2.0 * (1.0 - self.at).sqrt().asin()).ln()
        };
        self.wager(n, k, self.bad, mixture)
    }

    /// The most that one call adds to either logarithm: against "`at` or more" what it does not count, `(1 - p) / (1 -
    /// at)` at most for any `p` on the other side; against "`at` or less" what it counts, `p / at` at most.
    pub(super) fn most_won(&self) -> Won {
        Won { within: -(-self.at).ln_1p(), beyond: -self.at.ln() }
    }

    fn wager(&self, n: f64, k: f64, point: f64, mixture: impl Fn() -> f64) -> f64 {
        let on_point = times(k, (point / self.at).ln()) + times(n - k, (-point).ln_1p() - (-self.at).ln_1p());
        let on_side = mixture() + 0.5 * (self.at.ln() + (-self.at).ln_1p());
        ln_sum(on_point, on_side) - std::f64::consts::LN_2
    }

    /// The same fence at another boundary in `(0, 1)`. The points keep their odds ratio to it, which makes both
    /// martingales monotone in the boundary wherever they cross, and the fence itself one of the family. A fence at 0
    /// has no odds: its family is that of the default zone.
    pub(crate) fn moved(&self, at: f64) -> Self {
        let odds = |p: f64| p / (1.0 - p);
        let (good, bad) =
            if self.at > 0.0 { (odds(self.good) / odds(self.at), odds(self.bad) / odds(self.at)) } else { (0.25, 3.0) };
        let carried = |ratio: f64| {
            let moved = odds(at) * ratio;
            if moved.is_finite() { moved / (1.0 + moved) } else { 1.0 }
        };
        Self { at, good: carried(good), bad: carried(bad), ..*self }
    }
}

/// `count × ln`, where nothing counted weighs nothing even against an impossibility.
fn times(count: f64, ln: f64) -> f64 {
    if count == 0.0 { 0.0 } else { count * ln }
}
