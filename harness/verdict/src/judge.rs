//! All claims of a plan against the evidence.

use crate::{
    every, exemplar,
    explain::explain,
    gates::{Doubts, Gates},
    moment, paired,
    ruling::{Case, Ruling, Settings, Standing},
    share, state, total,
};
use squall_evidence::Evidence;
use squall_model::{Claim, ClaimKind, Explanation, Finding, Plan, Verdict};

/// What came of each claim, in order. Pure and total: the same plan, evidence and settings give the same findings.
///
/// Made for a run that is over. Of one that is under way every finding is inconclusive, since its books are still open.
#[must_use]
pub fn judge(plan: &Plan, evidence: &Evidence, settings: &Settings) -> Vec<Finding> {
    let case = Case { plan, evidence, settings };
    let gates = Gates::of(plan, evidence);
    let finding = |claim: &Claim| {
        let Ruling { verdict, measured, offenders, .. } = rule(case, claim);
        let exemplars = match verdict {
            Verdict::Holds => Vec::new(),
            _ => exemplar::spread(evidence, &offenders),
        };
        let verdict = gates.pass(claim, verdict);
        let explanation = match verdict {
            Verdict::Violated => explain(case, claim, &offenders),
            _ => Explanation::default(),
        };
        Finding { claim: claim.id, verdict, measured, exemplars, explanation }
    };
    plan.claims.iter().map(finding).collect()
}

/// May the last stage of a run under way end, as far as the claims go? All of them are decided, or have enough to be, and
/// every fault has been what it was meant to be.
///
/// Says nothing of cues that are still to come: while there are any, a stage goes on.
#[must_use]
pub fn decided(plan: &Plan, evidence: &Evidence, settings: &Settings) -> bool {
    let case = Case { plan, evidence, settings };
    let closed = plan.claims.iter().all(|claim| rule(case, claim).standing != Standing::Open);
    closed && Doubts::of(plan, evidence).first().is_none()
}

/// Is a claim violated, whatever else may be observed? Then a control run has shown what it was made for.
///
/// Not before the faults that it keeps have been what they were meant to be: stopped earlier it would show nothing.
#[must_use]
pub fn violated_already(plan: &Plan, evidence: &Evidence, settings: &Settings) -> bool {
    let case = Case { plan, evidence, settings };
    let is_violated = |claim: &&Claim| {
        let ruling = rule(case, claim);
        ruling.verdict == Verdict::Violated && ruling.standing == Standing::Final
    };
    let mut violated = plan.claims.iter().filter(is_violated).peekable();
    if violated.peek().is_none() {
        return false;
    }
    let doubts = Doubts::of(plan, evidence);
    violated.any(|claim| doubts.against_violated(claim).is_none())
}

pub(crate) fn rule(case: Case<'_>, claim: &Claim) -> Ruling {
    match &claim.kind {
        ClaimKind::Every { of, all, outcome } => every::rule(case, of, *all, outcome),
        ClaimKind::Total { quantity, bound } => total::rule(case, quantity, *bound),
        ClaimKind::Moment { what, within, of } => moment::rule(case, what, *within, *of),
        ClaimKind::State { what, ever, phase } => state::ever(case, what, *ever, *phase),
        ClaimKind::Lasts { what, least, most } => state::lasts(case, what, *least, *most),
        ClaimKind::Share { of, outcome, bound } => share::rule(case, of, outcome, *bound),
        ClaimKind::Paired { calls, reference, margin } => paired::rule(case, calls, *reference, *margin),
    }
}

#[cfg(test)]
mod tests;
