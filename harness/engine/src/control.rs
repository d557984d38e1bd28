//! Control runs: the scenario without what it tests. At least one claim must then be violated, and none in error.

use crate::{
    Engine,
    pool::Pool,
    scenario::{self, Outcome},
};
use squall_mesh::Mesh;
use squall_model::{
    Body, ClaimId, ControlResult, ControlRule, Controlled, Plan, RunOf, Variation, Verdict, controls, vary,
};

/// Runs the controls of a scenario until one is red, and tells what they came to.
pub(crate) async fn run<M: Mesh>(
    engine: &Engine<'_, M>,
    pool: &Pool<'_, M>,
    plan: &Plan,
    main: &Verdict,
) -> ControlResult {
    let mut runs: Vec<(Variation, Verdict, Vec<ClaimId>)> = Vec::new();
    let mut results = Vec::new();
    let waived = match &plan.control {
        ControlRule::None(why) => Some(ControlResult::None(why.clone())),
        // A run that did not get as far as a verdict has nothing to be compared with.
        _ if matches!(main, Verdict::Unsupported(_) | Verdict::Error(_)) => Some(ControlResult::Skipped),
        _ if engine.stopper.is_stopped() => Some(ControlResult::Skipped),
        _ => None,
    };
    if waived.is_none() {
        for variation in controls(plan) {
            if engine.stopper.is_stopped() {
                break;
            }
            let outcome = scenario::run(engine, pool, &vary(plan, variation), plan).await;
            let result = judged(variation, &outcome);
            let violated =
                outcome.findings.iter().filter(|f| f.verdict == Verdict::Violated).map(|f| f.claim).collect();
            runs.push((variation, outcome.verdict, violated));
            let red = result == ControlResult::Red;
            results.push(result);
            if red {
                break;
            }
        }
    }
    let result = match waived {
        Some(result) => result,
        // Stopped before it came to anything.
        None if engine.stopper.is_stopped() && !results.contains(&ControlResult::Red) => ControlResult::Skipped,
        // A scenario that does not hold is not made worse by a control that does.
        None if sum(&results) == ControlResult::Vacuous && *main != Verdict::Holds => ControlResult::Undecided,
        None => sum(&results),
    };
    let of = RunOf { plan: plan.key.clone(), variation: Variation::Main };
    engine.events.emit(Some(&of), Body::Controlled(Controlled { result: result.clone(), runs }));
    result
}

/// What one control run came to. One that was refused or failed has no findings, and says so itself.
fn judged(variation: Variation, outcome: &Outcome) -> ControlResult {
    match &outcome.verdict {
        Verdict::Error(why) | Verdict::Unsupported(why) => ControlResult::Error(why.clone()),
        _ => squall_verdict::control_result(&[(variation, outcome.findings.clone())]),
    }
}

/// One red is enough; without one an error or a doubt weighs more than a run that held.
fn sum(results: &[ControlResult]) -> ControlResult {
    let find = |wanted: fn(&ControlResult) -> bool| results.iter().find(|r| wanted(r)).cloned();
    find(|r| *r == ControlResult::Red)
        .or_else(|| find(|r| matches!(r, ControlResult::Error(_))))
        .or_else(|| find(|r| *r == ControlResult::Undecided))
        .unwrap_or(ControlResult::Vacuous)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_red_is_enough_and_nothing_to_run_is_vacuous() {
        use ControlResult::{Error, Red, Undecided, Vacuous};
        assert_eq!(sum(&[Vacuous, Red]), Red);
        assert_eq!(sum(&[Vacuous, Undecided]), Undecided);
        assert_eq!(sum(&[Undecided, Error("x".into())]), Error("x".into()));
        assert_eq!(sum(&[]), Vacuous);
    }
}
