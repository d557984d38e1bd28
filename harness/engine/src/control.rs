//! Control runs: the scenario without what it tests. At least one claim must then be violated, and none in error.

use crate::{Engine, pool::Pool, scenario};
use squall_mesh::Mesh;
use squall_model::{
    Body, ClaimId, ControlResult, ControlRule, Controlled, Plan, RunOf, Variation, Verdict, controls, vary,
};
use squall_verdict::{ControlRun, control_result};

/// Runs the controls of a scenario until one is red, and tells what they came to.
pub(crate) async fn run<M: Mesh>(
    engine: &Engine<'_, M>,
    pool: &Pool<'_, M>,
    plan: &Plan,
    main: &Verdict,
) -> ControlResult {
    let mut told: Vec<(Variation, Verdict, Vec<ClaimId>)> = Vec::new();
    let mut runs: Vec<ControlRun> = Vec::new();
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
            let Some(outcome) = scenario::run(engine, pool, &vary(plan, variation), plan).await else { break };
            let violated =
                outcome.findings.iter().filter(|f| f.verdict == Verdict::Violated).map(|f| f.claim).collect();
            told.push((variation, outcome.verdict.clone(), violated));
            runs.push(ControlRun { verdict: outcome.verdict, findings: outcome.findings });
            if control_result(&runs) == ControlResult::Red {
                break;
            }
        }
    }
    let came = control_result(&runs);
    let result = match waived {
        Some(result) => result,
        // Stopped before it came to anything.
        None if engine.stopper.is_stopped() && came != ControlResult::Red => ControlResult::Skipped,
        // A scenario that does not hold is not made worse by a control that does.
        None if came == ControlResult::Vacuous && *main != Verdict::Holds => ControlResult::Undecided,
        None => came,
    };
    let of = RunOf { plan: plan.key.clone(), variation: Variation::Main };
    engine.events.emit(Some(&of), Body::Controlled(Controlled { result: result.clone(), runs: told }));
    result
}
