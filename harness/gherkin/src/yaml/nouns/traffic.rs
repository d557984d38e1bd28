//! Traffic lines as mappings.

use super::calls::FilterFields;
use super::quantity::{PerTime, Time, Word};
use super::selector::TargetForm;
use super::{Noun, nouns};
use crate::source::Defaults;
use crate::words;
use schemars::JsonSchema;
use serde::Deserialize;
use squall_model::{Arrivals, Shape, TrafficLine};

nouns! {
    /// Who calls whom, how often.
    Lines {
        "traffic" => TrafficLineForm,
    }
}

/// A traffic line.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TrafficLineForm {
    /// Who calls.
    caller: Word,
    /// Who is called.
    to: TargetForm,
    /// What each request looks like.
    #[serde(default)]
    with: FilterFields,
    /// `user-1`, `user-2`… in turn, so many.
    users: Option<u32>,
    /// How the calls are spread over time.
    shape: ShapeForm,
}

/// How calls are spread over time.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ShapeForm {
    /// Open loop: by schedule, whatever the answers do.
    Open {
        /// How many.
        rate: PerTime,
        /// For how long.
        length: Time,
        /// Evenly spaced where nothing is written.
        #[serde(default)]
        arrivals: ArrivalsForm,
    },
    /// Until every claim is decided.
    Decide,
    /// One after another.
    Serial {
        /// How many.
        calls: u32,
    },
    /// So many users, each waiting for its answer, then thinking.
    Closed {
        /// How many users.
        users: u32,
        /// For how long.
        length: Time,
        /// Between an answer and the next call.
        thinking: Time,
    },
    /// Open loop, linearly from one rate to another.
    Ramp {
        /// Calls per second at the start.
        from: u32,
        /// Calls per second at the end.
        to: u32,
        /// Over how long.
        length: Time,
    },
}

/// The moments of an open loop.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ArrivalsForm {
    /// Evenly spaced.
    #[default]
    Even,
    /// At random moments.
    Random,
}

impl Noun for TrafficLineForm {
    fn words(self) -> Result<String, String> {
        let defaults = Defaults::default();
        let shape = match self.shape {
            ShapeForm::Open { rate, length, arrivals } => {
                let arrivals = match arrivals {
                    ArrivalsForm::Even => Arrivals::Even,
                    ArrivalsForm::Random => Arrivals::Random,
                };
                Shape::Open { rate: rate.0, length: length.0, arrivals }
            }
            ShapeForm::Decide => Shape::Decide { rate: defaults.decide_rate, cap: defaults.decide_cap },
            ShapeForm::Serial { calls } => Shape::Serial { calls },
            ShapeForm::Closed { users, length, thinking } => {
                Shape::Closed { users, length: length.0, thinking: thinking.0 }
            }
            ShapeForm::Ramp { from, to, length } => Shape::Ramp { from, to, length: length.0 },
        };
        Ok(words::traffic(&TrafficLine {
            number: 0,
            caller: self.caller.into(),
            to: self.to.0,
            with: self.with.filter()?,
            users: self.users,
            shape,
        }))
    }
}
