//! Measures what the statistics of `squall-stats` promise: how often a verdict errs, how often it is reached, and after
//! how many calls. Exact where it can be, by dynamic programming over everything that can happen to a test; simulated
//! where it cannot, and there against an exact binomial test.

mod binomial;
mod early;
mod exact;
mod lanes;
mod pairs;
mod power;
mod promises;
mod replay;
mod report;
mod simulated;
mod tail;
mod units;

pub use report::Report;

/// Why nothing was measured.
pub type Failed = Box<dyn std::error::Error + Send + Sync>;

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// Minutes on two cores.
    Full,
    /// Seconds: what is exact, and every simulation with a tenth to a hundredth of its runs.
    Quick,
}

impl Effort {
    /// So many runs of a simulation.
    pub(crate) fn runs(self, full: u64) -> u64 {
        match self {
            Self::Full => full,
            Self::Quick => (full / 50).max(200),
        }
    }
}

/// Measures everything.
///
/// # Errors
/// If a promise of the catalogue cannot be tested at all, which is a mistake in it.
pub fn calibrate(effort: Effort) -> Result<Report, Failed> {
    let mut report = exact()?;
    for section in [simulated::section, tail::section, power::section, units::rivals, pairs::rivals] {
        report.add(section(effort)?);
    }
    Ok(report)
}

/// The exact part: the same on every machine and at every effort.
///
/// # Errors
/// As [`calibrate`].
pub fn exact() -> Result<Report, Failed> {
    let mut report = Report::default();
    for section in [
        exact::of_shares,
        exact::of_units,
        exact::of_pairs,
        early::section,
        units::sizes,
        pairs::sizes,
        replay::section,
    ] {
        report.add(section()?);
    }
    Ok(report)
}
