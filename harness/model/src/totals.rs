//! What a run came to, in numbers.

use crate::{ControlResult, Verdict};
use serde::{Deserialize, Serialize};

/// What a run came to: `--summary` writes this.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "verdicts by their names")]
pub struct Totals {
    pub scenarios: u32,
    pub holds: u32,
    pub violated: u32,
    pub inconclusive: u32,
    pub unsupported: u32,
    pub error: u32,
    pub vacuous: u32,
    pub controls_red: u32,
    pub controls_none: u32,
    pub controls_undecided: u32,
    #[serde(default)]
    pub controls_error: u32,
    /// Scenarios in quarantine that are not green: counted here alone.
    #[serde(default)]
    pub quarantined: u32,
    /// Scenarios that a run which was stopped did not come to.
    #[serde(default)]
    pub not_run: u32,
    /// Sum of the false-alarm rates of all statistical claims.
    pub alpha: f64,
    pub wall_s: f64,
}

impl Totals {
    /// Counts a scenario: its main run, and its control runs where they were made. One in quarantine counts if it is green.
    pub fn count(&mut self, verdict: &Verdict, controlled: Option<&ControlResult>, in_quarantine: bool) {
        self.scenarios += 1;
        let sound = matches!(controlled, None | Some(ControlResult::Red | ControlResult::None(_)));
        if in_quarantine && !(*verdict == Verdict::Holds && sound) {
            self.quarantined += 1;
            return;
        }
        self.count_verdict(verdict);
        if let Some(result) = controlled {
            self.count_control(result);
        }
    }

    fn count_verdict(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Holds => self.holds += 1,
            Verdict::Violated => self.violated += 1,
            Verdict::Inconclusive(_) => self.inconclusive += 1,
            Verdict::Unsupported(_) => self.unsupported += 1,
            Verdict::Error(_) => self.error += 1,
        }
    }

    fn count_control(&mut self, result: &ControlResult) {
        match result {
            ControlResult::Red => self.controls_red += 1,
            // A scenario that holds without what it tests does not count as one that holds.
            ControlResult::Vacuous => {
                self.holds = self.holds.saturating_sub(1);
                self.vacuous += 1;
            }
            ControlResult::Undecided => self.controls_undecided += 1,
            ControlResult::Error(_) => self.controls_error += 1,
            ControlResult::None(_) => self.controls_none += 1,
            ControlResult::Skipped => {}
        }
    }

    /// The exit status of a run with these totals: 1 violated or vacuous, 3 error, 5 inconclusive or unsupported, 4 nothing ran, 0.
    ///
    /// The worst wins in this order: a red never hides behind an error.
    #[must_use]
    pub fn exit_status(&self, allow_unsupported: bool) -> u8 {
        match self {
            t if t.violated + t.vacuous > 0 => 1,
            t if t.error + t.controls_error > 0 => 3,
            t if t.inconclusive + t.controls_undecided > 0 => 5,
            t if t.unsupported > 0 && !allow_unsupported => 5,
            t if t.scenarios == 0 => 4,
            // Nothing that counts was shown.
            t if t.scenarios == t.quarantined => 5,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_quarantine_counts_only_if_it_is_green() {
        let came_to = |all: &[(Verdict, Option<ControlResult>, bool)]| {
            let mut totals = Totals::default();
            all.iter().for_each(|(verdict, control, apart)| totals.count(verdict, control.as_ref(), *apart));
            (totals.quarantined, totals.exit_status(false))
        };
        let red = || (Verdict::Violated, None, true);
        let green = |apart| (Verdict::Holds, Some(ControlResult::Red), apart);
        assert_eq!(came_to(&[red(), green(false)]), (1, 0));
        assert_eq!(came_to(&[(Verdict::Holds, Some(ControlResult::Vacuous), true), green(true)]), (1, 0));
        assert_eq!(came_to(&[green(true)]), (0, 0));
        assert_eq!(came_to(&[red(), (Verdict::Violated, None, false)]), (1, 1));
        assert_eq!(came_to(&[red()]), (1, 5), "nothing that counts was shown");
    }
}
