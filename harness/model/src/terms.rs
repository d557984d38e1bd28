//! On what terms a scenario is judged: how often its verdicts may err, and whether they count.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::fmt;

/// On what terms a scenario is judged.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// How often a verdict may err.
    #[serde(default)]
    pub rates: ErrorRates,
    /// Its verdict is shown and does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<Quarantine>,
}

/// How often the verdict on a statistical claim may err. For each claim; never divided, so that a verdict does not depend on
/// what else was selected (docs/statistics.md).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ErrorRates {
    /// The chance, at most, of *violated* although the promise is true.
    pub alpha: f64,
    /// The chance, at most, of *holds* although the promise is false.
    pub beta: f64,
}

impl Default for ErrorRates {
    /// α = 1e-7: a thousand claims are red by chance once in 10,000 runs. β = 1e-3.
    fn default() -> ErrorRates {
        ErrorRates { alpha: 1e-7, beta: 1e-3 }
    }
}

impl ErrorRates {
    /// Whether a number can be an error rate: more than 0, and less than a coin's.
    #[must_use]
    pub fn is_rate(value: f64) -> bool {
        value > 0.0 && value < 0.5
    }
}

/// A scenario that is known to be unwell: it runs and is shown, and until a day that is near its verdict does not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quarantine {
    /// The last day of it.
    pub until: Date,
    /// Why.
    pub reason: String,
}

/// `in quarantine until 2026-12-31: slow disk`.
impl fmt::Display for Quarantine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "in quarantine until {}: {}", self.until, self.reason)
    }
}
