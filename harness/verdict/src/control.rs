//! What a scenario and its control runs come to.

use squall_model::{ControlResult, Finding, Verdict, Why};

/// The worst of a run's findings. A run without any shows nothing.
#[must_use]
pub fn scenario(findings: &[Finding]) -> Verdict {
    match findings {
        [] => Verdict::Inconclusive(Why::Empty),
        some => Verdict::worst(some.iter().map(|f| &f.verdict)),
    }
}

/// What one control run came to.
#[derive(Debug, Clone, PartialEq)]
pub struct ControlRun {
    /// Of the run as a whole: one that was refused or failed has no findings, and says so itself.
    pub verdict: Verdict,
    /// Of its claims.
    pub findings: Vec<Finding>,
}

/// What control runs come to, together: one *red* is enough, that is one in which at least one claim is violated and none is in
/// error. Without one an error or a doubt weighs more than a run that held. All hold, or there was nothing to take away: the
/// scenario passes whether or not what it tests is there.
#[must_use]
pub fn control_result(runs: &[ControlRun]) -> ControlResult {
    let results: Vec<ControlResult> = runs.iter().map(result).collect();
    let find = |wanted: fn(&ControlResult) -> bool| results.iter().find(|r| wanted(r)).cloned();
    find(|r| *r == ControlResult::Red)
        .or_else(|| find(|r| matches!(r, ControlResult::Error(_))))
        .or_else(|| find(|r| *r == ControlResult::Undecided))
        .unwrap_or(ControlResult::Vacuous)
}

fn result(run: &ControlRun) -> ControlResult {
    let mut verdicts = run.findings.iter().map(|f| &f.verdict);
    let error = verdicts.clone().chain([&run.verdict]).find_map(|verdict| match verdict {
        Verdict::Error(why) | Verdict::Unsupported(why) => Some(why.clone()),
        _ => None,
    });
    match error {
        Some(why) => ControlResult::Error(why),
        None if verdicts.clone().any(|v| *v == Verdict::Violated) => ControlResult::Red,
        None if run.findings.is_empty() || verdicts.any(|v| *v != Verdict::Holds) => ControlResult::Undecided,
        None => ControlResult::Vacuous,
    }
}

#[cfg(test)]
mod tests;
