//! What evidence says of one claim, before anybody asks whether the evidence can be trusted.

use squall_evidence::Evidence;
use squall_model::{Discord, ErrorRates, Measured, Plan, Verdict, Why};
use squall_stats::share::{Decision, Risk};

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

/// The verdict of a statistical test, as it is and as it would be without its doubtful units (`None` where there is none), with the
/// reason of the doubt: both must decide alike, and where one is open, so is the whole.
pub(crate) fn statistical(
    with: Decision,
    otherwise: Option<(Decision, Why)>,
    needed: impl FnOnce() -> Option<u64>,
    contradiction: &str,
) -> Verdict {
    let decision = match (with, otherwise) {
        (one, None) => one,
        (one, Some((other, _))) if one == other => one,
        (Decision::Undecided, _) | (_, Some((Decision::Undecided, _))) => Decision::Undecided,
        (_, Some((_, why))) => return Verdict::Inconclusive(why),
    };
    match decision {
        Decision::Holds => Verdict::Holds,
        Decision::Violated => Verdict::Violated,
        Decision::Undecided => Verdict::Inconclusive(Why::Undecided { needed: needed() }),
        Decision::Contradicted => Verdict::Inconclusive(Why::Books(vec![Discord::Unexplained(contradiction.into())])),
    }
}

/// A verdict at both ends of what is uncertain: it must come out alike. Where one end is open, so is the whole.
pub(crate) fn alike(one: Verdict, other: Verdict) -> Verdict {
    match (one, other) {
        (one, other) if one == other => one,
        (open @ Verdict::Inconclusive(_), _) | (_, open @ Verdict::Inconclusive(_)) => open,
        _ => Verdict::Inconclusive(Why::Border),
    }
}
