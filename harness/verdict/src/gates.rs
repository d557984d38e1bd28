//! Can the evidence be trusted? A verdict that rests on a fault that was not as meant, on observers that disagree, or on a
//! machine in trouble, is none.

use squall_evidence::{Evidence, discords, doses};
use squall_model::{
    Bound, Claim, ClaimKind, Condition, Discord, Dose, DoseCount, Happening, Outcome, Plan, Quantity, ShareBound,
    Verdict, Why,
};

/// What stands between a ruling and a verdict.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Gates {
    trouble: Option<String>,
    discords: Vec<Discord>,
    doses: Vec<DoseCount>,
}

impl Gates {
    pub(crate) fn of(plan: &Plan, evidence: &Evidence) -> Gates {
        let discords = discords(plan, evidence);
        let doses = unconfirmed(plan, evidence);
        let trouble = evidence.observed().troubles().first().map(ToString::to_string);
        Gates { trouble, discords, doses }
    }

    /// The verdict that is left of a ruling's. Only holds and violated have something to lose.
    pub(crate) fn pass(&self, claim: &Claim, verdict: Verdict) -> Verdict {
        let violated = match verdict {
            Verdict::Holds => false,
            Verdict::Violated => true,
            other => return other,
        };
        if let Some(trouble) = &self.trouble {
            return Verdict::Inconclusive(Why::Environment(trouble.clone()));
        }
        if !self.discords.is_empty() {
            return Verdict::Inconclusive(Why::Books(self.discords.clone()));
        }
        match self.doses.iter().find(|dose| !(violated && stays_violated(claim, &dose.dose))) {
            Some(count) => {
                let (fault, dose, discord) = (count.fault, count.dose.clone(), discord(count));
                Verdict::Inconclusive(Why::Dose { fault, dose, discord })
            }
            None => verdict,
        }
    }
}

/// Where a fault was not what it was meant to be, as far as that is known.
fn discord(count: &DoseCount) -> Option<Discord> {
    match count.dose {
        Dose::Leaked(_) if !count.leaks.is_empty() => Some(Discord::FaultLeaked(count.leaks.clone())),
        Dose::Weaker if count.is_partial() => Some(Discord::FaultPartial(count.parts.clone())),
        _ => None,
    }
}

/// The faults that were not, or so far are not, what they were meant to be.
pub(crate) fn unconfirmed(plan: &Plan, evidence: &Evidence) -> Vec<DoseCount> {
    let mut doses = doses(plan, evidence);
    doses.retain(|d| d.dose != Dose::Confirmed);
    doses
}

/// A promise that no harm comes of the fault, and is broken by less than the fault, is broken by all of it. A promise that
/// the fault is felt is not: there the fault itself may be missing.
pub(crate) fn stays_violated(claim: &Claim, dose: &Dose) -> bool {
    matches!(dose, Dose::Weaker | Dose::Absent) && promises_no_harm(&claim.kind)
}

fn promises_no_harm(kind: &ClaimKind) -> bool {
    let good = |outcome: &Outcome| matches!(outcome, Outcome::Succeed(_) | Outcome::ReachOnlyOne(_));
    let bad = |outcome: &Outcome| matches!(outcome, Outcome::Fail);
    match kind {
        ClaimKind::Every { all, outcome, .. } => {
            if *all {
                good(outcome)
            } else {
                bad(outcome)
            }
        }
        ClaimKind::Share { outcome, bound, .. } => match bound {
            ShareBound::AtLeast(_) | ShareBound::MoreThan(_) => good(outcome),
            ShareBound::AtMost(_) => bad(outcome),
            ShareBound::Between(..) => false,
        },
        ClaimKind::Total { quantity: Quantity::Count { outcome, .. }, bound: Bound { low: None, .. } } => bad(outcome),
        // Is never ejected; is healthy at some moment.
        ClaimKind::State { what, ever, .. } => *ever == (what.is == Condition::Healthy),
        // What becomes so, or lasts so long, has to come first: that is for the fault to bring about. Also *is healthy again*.
        ClaimKind::Total { .. } | ClaimKind::Lasts { .. } => false,
        ClaimKind::Moment { what, .. } => matches!(what, Happening::Recover(_)),
    }
}

#[cfg(test)]
mod tests;
