//! What a unit does, as a word or as a mapping.

use super::quantity::{Code, Time, Word};
use super::routes::StickForm;
use super::selector::TargetForm;
use schemars::JsonSchema;
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use squall_model::{Outcome, Shedder};
use std::fmt;

/// An outcome: a word such as `succeed`, or a mapping such as `{succeed: 50 ms}`.
#[derive(Debug, JsonSchema)]
#[schemars(with = "WordOrMapping")]
pub(super) struct OutcomeForm(pub(super) Outcome);

/// An outcome: a word such as `succeed`, or a mapping such as `{succeed: 50 ms}`.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "what a schema says, and nobody makes")]
enum WordOrMapping {
    /// By itself.
    Word(OutcomeWord),
    /// With what it needs.
    Mapping(OutcomeOf),
}

/// Outcomes that need nothing more.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum OutcomeWord {
    Succeed,
    Fail,
    TimeOut,
    Shed,
    Refused,
    Reset,
    Unroutable,
    Denied,
    Retried,
    TriedTwiceOnOneInstance,
}

/// Outcomes with something more.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum OutcomeOf {
    /// Within a time from the intended send.
    Succeed(Time),
    /// Any end, within a time.
    FinishWithin(Time),
    /// Any end, no sooner than this.
    TakeAtLeast(Time),
    /// By whom.
    Shed(ShedderForm),
    /// With this status.
    Answered(Code),
    /// Its answer came from one of these.
    Reach(TargetForm),
    /// All of a user's calls came from one version, or one instance.
    ReachOnlyOne(StickForm),
    /// More tries than this were made for it.
    TriedMoreThan(u32),
    /// The caller's proxy logged this response flag.
    LoggedWithFlag(Word),
}

/// Who sheds.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ShedderForm {
    CircuitBreaker,
    RateLimit,
    AdmissionControl,
    AdaptiveConcurrency,
}

impl From<OutcomeWord> for Outcome {
    fn from(word: OutcomeWord) -> Outcome {
        match word {
            OutcomeWord::Succeed => Outcome::Succeed(None),
            OutcomeWord::Fail => Outcome::Fail,
            OutcomeWord::TimeOut => Outcome::TimeOut,
            OutcomeWord::Shed => Outcome::Shed(None),
            OutcomeWord::Refused => Outcome::Refused,
            OutcomeWord::Reset => Outcome::Reset,
            OutcomeWord::Unroutable => Outcome::Unroutable,
            OutcomeWord::Denied => Outcome::Denied,
            OutcomeWord::Retried => Outcome::Retried,
            OutcomeWord::TriedTwiceOnOneInstance => Outcome::TriedTwiceOnOneInstance,
        }
    }
}

impl From<OutcomeOf> for Outcome {
    fn from(of: OutcomeOf) -> Outcome {
        match of {
            OutcomeOf::Succeed(time) => Outcome::Succeed(Some(time.0)),
            OutcomeOf::FinishWithin(time) => Outcome::FinishWithin(time.0),
            OutcomeOf::TakeAtLeast(time) => Outcome::TakeAtLeast(time.0),
            OutcomeOf::Shed(by) => Outcome::Shed(Some(match by {
                ShedderForm::CircuitBreaker => Shedder::CircuitBreaker,
                ShedderForm::RateLimit => Shedder::RateLimit,
                ShedderForm::AdmissionControl => Shedder::AdmissionControl,
                ShedderForm::AdaptiveConcurrency => Shedder::AdaptiveConcurrency,
            })),
            OutcomeOf::Answered(code) => Outcome::Answered(code.0),
            OutcomeOf::Reach(target) => Outcome::Reach(target.0),
            OutcomeOf::ReachOnlyOne(to) => Outcome::ReachOnlyOne(to.into()),
            OutcomeOf::TriedMoreThan(tries) => Outcome::TriedMoreThan(tries),
            OutcomeOf::LoggedWithFlag(flag) => Outcome::LoggedWithFlag(flag.0),
        }
    }
}

struct Either;

impl<'de> Visitor<'de> for Either {
    type Value = OutcomeForm;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an outcome: `succeed`, `fail`, `{succeed: 50 ms}`, `{answered: 503}`…")
    }

    fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<OutcomeForm, E> {
        OutcomeWord::deserialize(StrDeserializer::new(word)).map(|word| OutcomeForm(word.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<OutcomeForm, A::Error> {
        OutcomeOf::deserialize(MapAccessDeserializer::new(map)).map(|of| OutcomeForm(of.into()))
    }
}

impl<'de> Deserialize<'de> for OutcomeForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Either)
    }
}
