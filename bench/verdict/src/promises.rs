//! The promises that the documents speak of, and what the house plans with.

use crate::Failed;
use squall_stats::share::{Design, Promise, Risk, Zone};

/// A bound on the failures, one-sided: "at least 99 %" allows 1 %.
pub(crate) struct AtLeast {
    pub(crate) allowed: f64,
    /// The sizes that runs were planned with before they were computed: perfect, a quarter and three times of what is
    /// allowed, the last two as median and 99 % of the runs.
    pub(crate) planned: [&'static str; 3],
}

/// All of them.
pub(crate) const AT_LEAST: [AtLeast; 6] = [
    AtLeast { allowed: 0.001, planned: ["8,500", "15,300 (40,400)", "12,700 (28,200)"] },
    AtLeast { allowed: 0.005, planned: ["1,700", "3,050 (8,450)", "2,600 (5,550)"] },
    AtLeast { allowed: 0.01, planned: ["850", "1,530 (3,700)", "1,250 (2,930)"] },
    AtLeast { allowed: 0.02, planned: ["420", "760 (1,760)", "605 (1,230)"] },
    AtLeast { allowed: 0.05, planned: ["170", "300 (870)", "230 (520)"] },
    AtLeast { allowed: 0.1, planned: ["80", "150 (410)", "110 (240)"] },
];

impl AtLeast {
    /// As it is tested: an upper bound on failures, which is the same test.
    pub(crate) fn design(&self, risk: Risk) -> Result<Design, Failed> {
        Ok(Design::at_most(self.allowed, risk)?)
    }

    pub(crate) fn name(&self) -> String {
        format!("≥ {}", crate::report::percent(1.0 - self.allowed))
    }
}

/// Ranges, with the truth in their middle.
pub(crate) struct Range {
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// Median and 99 % of the runs from the middle, as once planned.
    pub(crate) planned: &'static str,
}

/// All of them.
pub(crate) const RANGES: [Range; 5] = [
    Range { low: 0.08, high: 0.12, planned: "5,660 (10,760)" },
    Range { low: 0.06, high: 0.14, planned: "1,340 (2,740)" },
    Range { low: 0.05, high: 0.15, planned: "880 (1,760)" },
    Range { low: 0.67, high: 0.73, planned: "6,100 (10,970)" },
    Range { low: 0.65, high: 0.75, planned: "2,120 (3,900)" },
];

impl Range {
    pub(crate) fn design(&self, risk: Risk) -> Result<Design, Failed> {
        Ok(Design::between(self.low, self.high, risk)?)
    }

    pub(crate) fn middle(&self) -> f64 {
        f64::midpoint(self.low, self.high)
    }

    /// The bad point of the zone: half the width outside.
    pub(crate) fn outside(&self) -> f64 {
        self.high + (self.high - self.low) / 2.0
    }

    pub(crate) fn name(&self) -> String {
        let [low, high] = [self.low, self.high].map(|share| (share * 1e5).round() / 1e3);
        format!("{low}–{high} %")
    }
}

/// The promises about retries, tuned for what two retries give (97.3 %) and one (91 %).
pub(crate) const RETRIES: [f64; 2] = [0.96, 0.94];

/// Such a promise.
pub(crate) fn retries(least: f64, risk: Risk) -> Result<Design, Failed> {
    Ok(Design::new(Promise::AtLeast(least), risk)?.with_zone(Zone { good: 0.973, bad: 0.91 })?)
}

/// A margin of "as good as".
pub(crate) struct Margin {
    pub(crate) margin: f64,
    /// Pairs as once planned: clean, and the median with both arms 1 % bad.
    pub(crate) planned: [u64; 2],
    /// With 99 % of the runs.
    pub(crate) planned_most: &'static str,
}

/// All of them.
pub(crate) const MARGINS: [Margin; 3] = [
    Margin { margin: 0.01, planned: [920, 3_170], planned_most: "3,170 (7,550)" },
    Margin { margin: 0.02, planned: [460, 920], planned_most: "920 (2,480)" },
    Margin { margin: 0.05, planned: [180, 240], planned_most: "240 (510)" },
];
