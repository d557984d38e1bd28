//! One side of a fence, watched without looking more often than its martingale can have moved.

/// Whether a side was ever excluded, and how much must be counted before it can be.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Watch {
    pub(super) crossed: bool,
    idle_until: f64,
}

impl Watch {
    /// Looks, if that can matter. `fed` counts the calls that let this side's martingale grow, `most` is the most that
    /// its logarithm gains by one of them, `short` what it lacks.
    ///
    /// A call of the other kind never makes it grow, so with `short` lacking no look can cross before another
    /// `short / most` calls of this kind: skipping those looks changes no decision.
    pub(super) fn look(&mut self, fed: f64, most: f64, short: impl FnOnce() -> f64) {
        if self.crossed || fed < self.idle_until {
            return;
        }
        let short = short();
        self.crossed = short <= 0.0;
        // A hundredth of a call for rounding. Where one call may win everything (`most` is infinite) none is skipped.
        let calls = (short / most - 0.01).floor();
        if calls >= 1.0 {
            self.idle_until = fed + calls;
        }
    }
}
