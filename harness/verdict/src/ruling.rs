//! What evidence says of one claim, before anybody asks whether the evidence can be trusted.

use crate::doubt::{Doubt, Reading};
use squall_evidence::Evidence;
use squall_model::{Discord, ErrorRates, Measured, Plan, Verdict, Why};
use squall_stats::{
    bounds::Interval,
    share::{Decision, Risk},
};
use std::fmt;

/// How sure one wants to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// The chance, at most, of *violated* although the promise is true. For each claim; never divided, so that a verdict does
    /// not depend on which other claims were judged beside it.
    pub alpha: f64,
    /// The chance, at most, of *holds* although the promise is false.
    pub beta: f64,
    /// So many units at least before a claim about a mechanism (every, total, moment) lets its stage end early.
    pub minimum: u64,
}

impl Default for Settings {
    fn default() -> Self {
        let ErrorRates { alpha, beta } = ErrorRates::default();
        Settings { alpha, beta, minimum: 100 }
    }
}

impl Settings {
    /// Those of a plan.
    #[must_use]
    pub fn of(plan: &Plan) -> Settings {
        let ErrorRates { alpha, beta } = plan.terms.rates;
        Settings { alpha, beta, ..Settings::default() }
    }

    /// The error rates.
    pub(crate) fn risk(&self) -> Risk {
        Risk { alpha: self.alpha, beta: self.beta }
    }
}

/// Whether more traffic could change a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It could, and should be waited for.
    Open,
    /// It could, but there is enough to judge by.
    Enough,
    /// It could not.
    Final,
}

/// What evidence says of one claim.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ruling {
    pub(crate) verdict: Verdict,
    pub(crate) measured: Measured,
    pub(crate) standing: Standing,
    /// The calls that speak against the claim, in order: their indices among all calls.
    pub(crate) offenders: Vec<usize>,
}

impl Ruling {
    pub(crate) fn inconclusive(why: Why, measured: Measured) -> Ruling {
        Ruling { verdict: Verdict::Inconclusive(why), measured, standing: Standing::Open, offenders: Vec::new() }
    }

    /// There was nothing to judge.
    pub(crate) fn empty() -> Ruling {
        Ruling::inconclusive(Why::Empty, Measured::Nothing)
    }

    /// No test says anything of it.
    pub(crate) fn untestable(why: impl fmt::Display) -> Ruling {
        let verdict = Verdict::Error(format!("the claim cannot be tested: {why}"));
        Ruling { verdict, measured: Measured::Nothing, standing: Standing::Final, offenders: Vec::new() }
    }

    /// Whatever it says, it is not to be relied on while its units can still change.
    pub(crate) fn open_while(self, can_still_change: bool) -> Ruling {
        let standing = if can_still_change { Standing::Open } else { self.standing };
        Ruling { standing, ..self }
    }

    /// Nothing is left to rest on once the doubtful is left out.
    pub(crate) fn resting_on_nothing(self, why: Why) -> Ruling {
        Ruling { verdict: Verdict::Inconclusive(why), standing: Standing::Open, ..self }
    }

    pub(crate) fn against(self, offenders: Vec<usize>) -> Ruling {
        Ruling { offenders, ..self }
    }
}

/// What every ruling reads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) evidence: &'a Evidence,
    pub(crate) settings: &'a Settings,
}

/// The verdict of a statistical test, which has to come out alike by every reading of what is doubtful.
pub(crate) fn statistical(
    doubt: Doubt,
    test: impl Fn(Reading) -> Decision,
    needed: impl FnOnce() -> Option<u64>,
    contradiction: &str,
) -> Verdict {
    let seen = test(Reading::Seen);
    let all = doubt.readings().try_fold(seen, |decision, reading| match decision {
        Decision::Undecided => Ok(decision),
        _ => alike(decision, test(reading), || doubt.why_by(reading)),
    });
    verdict(all, needed, contradiction)
}

/// An exact verdict at both ends of what is uncertain, which has to come out alike; `why` it need not.
pub(crate) fn at_both_ends(one: Decision, other: Decision, why: impl FnOnce() -> Why) -> Verdict {
    verdict(alike(one, other, why), || None, "both are so at one end")
}

/// It must come out alike, else nobody knows, and this is why. Where one is open, so is the whole.
fn alike(one: Decision, other: Decision, why: impl FnOnce() -> Why) -> Result<Decision, Why> {
    match (one, other) {
        _ if one == other => Ok(one),
        (Decision::Undecided, _) | (_, Decision::Undecided) => Ok(Decision::Undecided),
        _ => Err(why()),
    }
}

fn verdict(all: Result<Decision, Why>, needed: impl FnOnce() -> Option<u64>, contradiction: &str) -> Verdict {
    match all {
        Ok(Decision::Holds) => Verdict::Holds,
        Ok(Decision::Violated) => Verdict::Violated,
        Ok(Decision::Undecided) => Verdict::Inconclusive(Why::Undecided { needed: needed() }),
        Ok(Decision::Contradicted) => {
            Verdict::Inconclusive(Why::Books(vec![Discord::Unexplained(contradiction.into())]))
        }
        Err(why) => Verdict::Inconclusive(why),
    }
}

/// The ends of the interval that belongs to a verdict, and its error rate.
pub(crate) fn shown(verdict: &Verdict, likely: Interval, sure: Interval, risk: Risk) -> (f64, f64, f64) {
    match verdict {
        Verdict::Violated => (sure.low, sure.high, risk.alpha),
        _ => (likely.low.max(sure.low), likely.high.min(sure.high), risk.beta),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_kinds_of_doubt_do_not_cancel_each_other_out() {
        let both = Doubt { crossing: true, held: 2, longest: 5 };
        let held_up = Why::HeldUp { calls: 2, longest: 5 };
        let other = |doubt, differs, other| {
            let test = |reading| if reading == differs { other } else { Decision::Holds };
            statistical(doubt, test, || Some(9), "")
        };
        for (differs, why) in
            [(Reading::Inner, Why::Border), (Reading::Unheld, held_up), (Reading::InnerUnheld, Why::Border)]
        {
            let verdict = other(both, differs, Decision::Violated);
            assert_eq!(verdict, Verdict::Inconclusive(why), "{differs:?} alone comes out otherwise");
            let open = Verdict::Inconclusive(Why::Undecided { needed: Some(9) });
            assert_eq!(other(both, differs, Decision::Undecided), open, "and there it is open");
            assert_eq!(
                other(Doubt::default(), differs, Decision::Violated),
                Verdict::Holds,
                "where nothing is doubtful"
            );
        }
    }
}
