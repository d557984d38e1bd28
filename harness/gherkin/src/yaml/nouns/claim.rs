//! Claims as mappings.

use super::calls::CallsForm;
use super::comparison::AsGoodAs;
use super::outcome::OutcomeForm;
use super::population::{PhaseForm, PopulationForm};
use super::quantity::{Share, Time};
use super::selector::TargetForm;
use super::{Noun, nouns};
use crate::words;
use schemars::JsonSchema;
use serde::Deserialize;
use squall_model::{Bound, ClaimKind, Condition, Happening, MomentRef, Per, Quantity, SeenBy, ShareBound, State};

nouns! {
    /// What is expected.
    Then {
        "every" => Every,
        "share" => ShareForm,
        "count" => Count,
        "tries" => Tries,
        "moment" => Moment,
        "state" => StateForm,
        "lasts" => Lasts,
        "as_good_as" => AsGoodAs,
    }
}

pub(super) fn said(kind: &ClaimKind) -> Result<String, String> {
    words::claim(kind).ok_or_else(|| "the language has no sentence for this".to_owned())
}

/// Of all units, or of none.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Every {
    /// Of which units.
    of: PopulationForm,
    /// `false` for `no`.
    #[serde(default = "yes")]
    all: bool,
    /// What they do, or do not.
    outcome: OutcomeForm,
}

fn yes() -> bool {
    true
}

impl Noun for Every {
    fn words(self) -> Result<String, String> {
        said(&ClaimKind::Every { of: self.of.population()?, all: self.all, outcome: self.outcome.0 })
    }
}

/// An unknown proportion.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ShareForm {
    /// Of which units.
    of: PopulationForm,
    /// Of what they do.
    outcome: OutcomeForm,
    /// Between which proportions.
    bound: ShareBoundForm,
}

/// Bounds on a proportion, ends included.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ShareBoundForm {
    /// No less than.
    AtLeast(Share),
    /// No more than.
    AtMost(Share),
    /// More than.
    MoreThan(Share),
    /// Both.
    Between(Share, Share),
}

impl Noun for ShareForm {
    fn words(self) -> Result<String, String> {
        let bound = match self.bound {
            ShareBoundForm::AtLeast(share) => ShareBound::AtLeast(share.0),
            ShareBoundForm::AtMost(share) => ShareBound::AtMost(share.0),
            ShareBoundForm::MoreThan(share) => ShareBound::MoreThan(share.0),
            ShareBoundForm::Between(low, high) => ShareBound::Between(low.0, high.0),
        };
        said(&ClaimKind::Share { of: self.of.population()?, outcome: self.outcome.0, bound })
    }
}

/// How many units have an outcome.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Count {
    /// Of which units.
    of: PopulationForm,
    /// With which outcome.
    outcome: OutcomeForm,
    /// `at_least`, `at_most`, or both alike.
    bound: BoundForm,
}

/// Bounds on a number, ends included.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct BoundForm {
    /// The least.
    at_least: Option<f64>,
    /// The most.
    at_most: Option<f64>,
}

impl BoundForm {
    fn bound(&self) -> Result<Bound, String> {
        let thousandths = |number: f64| {
            let exact = number * 1000.0;
            let whole = exact.round();
            let fits = (0.0..1e12).contains(&whole) && (exact - whole).abs() < 1e-6;
            fits.then_some(whole as u64).ok_or(format!("{number} is no number of thousandths"))
        };
        let bound = Bound {
            low: self.at_least.map(thousandths).transpose()?,
            high: self.at_most.map(thousandths).transpose()?,
        };
        if bound.low.is_none() && bound.high.is_none() {
            return Err("`at_least`, `at_most` or both".to_owned());
        }
        Ok(bound)
    }
}

impl Noun for Count {
    fn words(self) -> Result<String, String> {
        let quantity = Quantity::Count { of: self.of.population()?, outcome: self.outcome.0 };
        said(&ClaimKind::Total { quantity, bound: self.bound.bound()? })
    }
}

/// Tries of a target.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Tries {
    /// Whose.
    target: TargetForm,
    /// Where they are counted; by the callee's proxy where nothing is written.
    #[serde(default)]
    seen_by: SeenByForm,
    /// As what; in all where nothing is written.
    #[serde(default)]
    per: PerForm,
    /// Its bounds.
    bound: BoundForm,
    /// In this part of the time.
    #[serde(default)]
    phase: PhaseForm,
}

/// Where a try is counted.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum SeenByForm {
    /// By the callee's proxy: it receives.
    #[default]
    Proxy,
    /// By the workload: it serves.
    Workload,
}

/// A count as what.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum PerForm {
    /// As it is.
    #[default]
    Total,
    /// For each call.
    Call,
    /// Per second.
    Second,
}

impl Noun for Tries {
    fn words(self) -> Result<String, String> {
        let quantity = Quantity::Tries {
            target: self.target.0,
            seen_by: match self.seen_by {
                SeenByForm::Proxy => SeenBy::Proxy,
                SeenByForm::Workload => SeenBy::Workload,
            },
            per: match self.per {
                PerForm::Total => Per::Total,
                PerForm::Call => Per::Call,
                PerForm::Second => Per::Second,
            },
            phase: self.phase.into(),
        };
        said(&ClaimKind::Total { quantity, bound: self.bound.bound()? })
    }
}

/// The time of one event.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Moment {
    /// What happens.
    what: HappeningForm,
    /// How soon.
    within: Time,
    /// After what.
    of: MomentForm,
}

/// What happens.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum HappeningForm {
    /// Calls fail as seldom as before, or by 10 points more at most.
    Recover(CallsForm),
    /// The first try reaches one of these.
    GetsTraffic(TargetForm),
    /// It comes to be so.
    Becomes(IsForm),
}

/// A moment.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum MomentForm {
    /// The start of the fault.
    FaultStart,
    /// The end of the fault.
    FaultEnd,
    /// The change.
    Change,
    /// The n-th failure of the subject.
    Failure(u32),
}

/// What an instance is to a caller's proxy.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct IsForm {
    /// Which.
    is: ConditionForm,
    /// Of whom.
    of: TargetForm,
}

/// A condition.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ConditionForm {
    /// Out, by outlier detection.
    Ejected,
    /// Out, by active checks.
    Unhealthy,
    /// In, by active checks.
    Healthy,
}

impl From<IsForm> for State {
    fn from(form: IsForm) -> State {
        let is = match form.is {
            ConditionForm::Ejected => Condition::Ejected,
            ConditionForm::Unhealthy => Condition::Unhealthy,
            ConditionForm::Healthy => Condition::Healthy,
        };
        State { is, of: form.of.0 }
    }
}

impl Noun for Moment {
    fn words(self) -> Result<String, String> {
        let what = match self.what {
            HappeningForm::Recover(calls) => Happening::Recover(calls.calls()?),
            HappeningForm::GetsTraffic(target) => Happening::GetsTraffic(target.0),
            HappeningForm::Becomes(state) => Happening::Becomes(state.into()),
        };
        let of = match self.of {
            MomentForm::FaultStart => MomentRef::FaultStart,
            MomentForm::FaultEnd => MomentRef::FaultEnd,
            MomentForm::Change => MomentRef::Change,
            MomentForm::Failure(number) => MomentRef::Failure(number),
        };
        said(&ClaimKind::Moment { what, within: self.within.0, of })
    }
}

/// A state is seen at some moment of a phase, or at none.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct StateForm {
    /// Which, of whom.
    what: IsForm,
    /// `false` for `never`.
    #[serde(default = "yes")]
    ever: bool,
    /// In this part of the time.
    #[serde(default)]
    phase: PhaseForm,
}

impl Noun for StateForm {
    fn words(self) -> Result<String, String> {
        said(&ClaimKind::State { what: self.what.into(), ever: self.ever, phase: self.phase.into() })
    }
}

/// How long the first interval of a state is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Lasts {
    /// Which, of whom.
    what: IsForm,
    /// The shortest.
    least: Option<Time>,
    /// The longest.
    most: Option<Time>,
}

impl Noun for Lasts {
    fn words(self) -> Result<String, String> {
        let (least, most) = (self.least.map(|t| t.0), self.most.map(|t| t.0));
        said(&ClaimKind::Lasts { what: self.what.into(), least, most })
    }
}
