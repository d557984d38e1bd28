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
    /// What can have made a red of a good mesh.
    slowed: Option<String>,
    discords: Vec<Discord>,
    doses: Doubts,
}

impl Gates {
    pub(crate) fn of(plan: &Plan, evidence: &Evidence) -> Gates {
        let discords = discords(plan, evidence);
        let doses = Doubts::of(plan, evidence);
        let trouble = evidence.observed().troubles().first().map(ToString::to_string);
        let slowed = evidence.observed().slowed(plan).map(|trouble| trouble.to_string());
        Gates { trouble, slowed, discords, doses }
    }

    /// The verdict that is left of a ruling's. Only holds and violated have something to lose.
    pub(crate) fn pass(&self, claim: &Claim, verdict: Verdict) -> Verdict {
        let violated = match verdict {
            Verdict::Holds => false,
            Verdict::Violated => true,
            other => return other,
        };
        let slowed = self.slowed.as_ref().filter(|_| violated);
        if let Some(trouble) = self.trouble.as_ref().or(slowed) {
            return Verdict::Inconclusive(Why::Environment(trouble.clone()));
        }
        if !self.discords.is_empty() {
            return Verdict::Inconclusive(Why::Books(self.discords.clone()));
        }
        let doubt = if violated { self.doses.against_violated(claim) } else { self.doses.first() };
        match doubt {
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

/// A fault that was not what it was meant to be.
#[derive(Debug, Clone, PartialEq)]
struct Doubt {
    count: DoseCount,
    /// It can only make things worse: less of it is less harm.
    is_harm: bool,
}

/// The faults that were not, or so far are not, what they were meant to be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Doubts {
    doses: Vec<Doubt>,
    /// There are faults, and none of them touched anything.
    none_touched: bool,
}

impl Doubts {
    pub(crate) fn of(plan: &Plan, evidence: &Evidence) -> Doubts {
        let all = doses(plan, evidence);
        let none_touched = !all.is_empty() && all.iter().all(|d| d.dose == Dose::Absent);
        let is_harm = |count: &DoseCount| plan.fault(count.fault).is_some_and(|fault| fault.does.is_harm());
        let not_as_meant = all.into_iter().filter(|d| d.dose != Dose::Confirmed);
        let doses = not_as_meant.map(|count| Doubt { is_harm: is_harm(&count), count }).collect();
        Doubts { doses, none_touched }
    }

    pub(crate) fn first(&self) -> Option<&DoseCount> {
        self.doses.first().map(|doubt| &doubt.count)
    }

    /// What speaks against it that a claim is violated. A promise that no harm comes of the fault, and is broken by less than
    /// the fault, is broken by all of it. A promise that the fault is felt is not: there the fault itself may be missing. Nor is
    /// any where the fault is a cure: it may be the missing part that would have kept the promise. Nor is a comparison, if no
    /// fault touched anything: whatever made the difference, no fault did.
    pub(crate) fn against_violated(&self, claim: &Claim) -> Option<&DoseCount> {
        let made_by_none = self.none_touched && matches!(claim.kind, ClaimKind::Paired { .. });
        let no_harm = promises_no_harm(&claim.kind) && !made_by_none;
        let is_excused = |doubt: &Doubt| doubt.is_harm && matches!(doubt.count.dose, Dose::Weaker | Dose::Absent);
        self.doses.iter().find(|doubt| !(no_harm && is_excused(doubt))).map(|doubt| &doubt.count)
    }
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
        ClaimKind::Paired { .. } => true,
    }
}

#[cfg(test)]
mod tests;
