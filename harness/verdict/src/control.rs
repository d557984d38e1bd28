//! What a scenario and its control runs come to.

use squall_model::{ControlResult, Finding, Variation, Verdict, Why};

/// The worst of a run's findings. A run without any shows nothing.
#[must_use]
pub fn scenario(findings: &[Finding]) -> Verdict {
    match findings {
        [] => Verdict::Inconclusive(Why::Empty),
        some => Verdict::worst(some.iter().map(|f| &f.verdict)),
    }
}

/// What control runs come to, together: *red* if in one of them at least one claim is violated and none is in error. All
/// hold in all of them: the scenario passes whether or not what it tests is there.
#[must_use]
pub fn control_result(runs: &[(Variation, Vec<Finding>)]) -> ControlResult {
    let error = |findings: &[Finding]| {
        findings.iter().find_map(|f| match &f.verdict {
            Verdict::Error(text) => Some(text.clone()),
            _ => None,
        })
    };
    let any = |findings: &[Finding], verdict: fn(&Verdict) -> bool| findings.iter().any(|f| verdict(&f.verdict));
    let is_red = |findings: &[Finding]| error(findings).is_none() && any(findings, |v| *v == Verdict::Violated);
    let is_open = |findings: &[Finding]| findings.is_empty() || any(findings, |v| *v != Verdict::Holds);
    if runs.is_empty() {
        return ControlResult::Skipped;
    }
    if runs.iter().any(|(_, findings)| is_red(findings)) {
        return ControlResult::Red;
    }
    match runs.iter().find_map(|(_, findings)| error(findings)) {
        Some(text) => ControlResult::Error(text),
        None if runs.iter().any(|(_, findings)| is_open(findings)) => ControlResult::Undecided,
        None => ControlResult::Vacuous,
    }
}

#[cfg(test)]
mod tests;
