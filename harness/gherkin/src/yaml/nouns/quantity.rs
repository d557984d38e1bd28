//! Quantities and words as texts, with the schemas of what may be written.

use crate::clauses::shape::MOST_INSTANCES;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};
use squall_model::{AnswerCode, Balancer, Fraction, GrpcStatus, Rate, RetryOn, parse_duration};
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

/// A time with its unit.
#[derive(Debug, Clone, Copy)]
pub(in crate::yaml) struct Time(pub(in crate::yaml) Duration);

/// A share with its sign.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share(pub(super) Fraction);

/// A name, a path, a header: what a sentence has between its quotes.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::yaml) struct Word(pub(in crate::yaml) String);

/// Calls per second or minute.
#[derive(Debug, Clone, Copy)]
pub(super) struct PerTime(pub(super) Rate);

/// A status of HTTP as a number, or one of gRPC by its name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Code(pub(super) AnswerCode);

/// A condition to retry on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Condition(pub(super) RetryOn);

/// A load-balancing algorithm.
#[derive(Debug, Clone, Copy)]
pub(super) struct Algorithm(pub(super) Balancer);

/// A number of instances, for schemas.
pub(in crate::yaml) const COUNT_OF_INSTANCES: u32 = MOST_INSTANCES;

/// Reads a text or a number, whichever was written; in the visitor, where a mistake still has its place.
struct Plain<T> {
    expecting: &'static str,
    read: fn(&str) -> Result<T, String>,
}

impl<T> Visitor<'_> for Plain<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expecting)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.read)(text).map_err(E::custom)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }
}

/// A type that is read from a text (or a number), with the schema of such texts.
macro_rules! written {
    ($type:ident, $expecting:literal, $read:expr, $schema:tt) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(Plain { expecting: $expecting, read: $read })
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

written!(
    Time,
    "a time such as `200 ms`",
    |text| parse_duration(text).map(Time).map_err(|e| e.to_string()),
    {
        "description": "A time with its unit: `200 ms`, `1.5 s`, `5 seconds`, `2 min`.",
        "type": "string",
        "pattern": r"^\d+(\.\d+)? ?(ns|us|µs|ms|milliseconds?|s|seconds?|min|minutes?)$"
    }
);
written!(
    Share,
    "a share such as `30%`",
    |text| text.parse().map(Share).map_err(|e: squall_model::QuantityError| e.to_string()),
    {"description": "A share with its sign: `30%`.", "type": "string", "pattern": r"^\d+(\.\d{1,4})?%$"}
);
written!(
    Word,
    "a text",
    |text| match text.contains(['"', '\n']) {
        true => Err("no quotes and no line breaks within a name".to_owned()),
        false => Ok(Word(text.to_owned())),
    },
    {"description": "A text without double quotes.", "type": "string", "pattern": "^[^\"\n]*$"}
);
written!(
    PerTime,
    "a rate such as `200 per second`, or a number of calls per second",
    per_time,
    {
        "description": "Calls per second as a number, or `200 per second`, `30 per minute`.",
        "anyOf": [
            {"type": "integer", "minimum": 1},
            {"type": "string", "pattern": r"^\d+( calls?)? per (second|minute)$"}
        ]
    }
);
written!(
    Code,
    "a status such as `503` or `UNAVAILABLE`",
    |text| match text.parse::<u16>() {
        Ok(status @ 200..=599) => Ok(Code(AnswerCode::Status(status))),
        Ok(status) => Err(format!("{status} is no status of a final answer: from 200 to 599")),
        Err(_) => text.parse().map(|status| Code(AnswerCode::Grpc(status))).map_err(|e: squall_model::UnknownWord| e.to_string()),
    },
    {
        "description": "A status of HTTP as a number, or one of gRPC by its name.",
        "anyOf": [{"type": "integer", "minimum": 200, "maximum": 599}, {"enum": GrpcStatus::WORDS}]
    }
);
written!(
    Condition,
    "a condition such as `5xx`, or a status",
    |text| text.parse().map(Condition).map_err(|e: squall_model::UnknownWord| e.to_string()),
    {
        "description": "A condition by Envoy's name (`x-envoy-retry-on`), or one status.",
        "anyOf": [{"enum": &RetryOn::WORDS[..RetryOn::WORDS.len() - 1]}, {"type": "integer", "minimum": 400, "maximum": 599}]
    }
);
written!(
    Algorithm,
    "an algorithm such as `round robin`",
    |text| text.replace('_', " ").parse().map(Algorithm).map_err(|e: squall_model::UnknownWord| e.to_string()),
    {"description": "A load-balancing algorithm, by Envoy's name.", "enum": algorithms()}
);

/// Their names as the language has them, and as one word.
fn algorithms() -> Vec<String> {
    let words = Balancer::WORDS.iter();
    let mut all: Vec<String> =
        words.flat_map(|word| [(*word).to_owned(), word.to_lowercase().replace(' ', "_")]).collect();
    all.dedup();
    all
}

fn per_time(text: &str) -> Result<PerTime, String> {
    let (number, unit) = text.split_once(' ').unwrap_or((text, "per second"));
    let unit = unit.strip_prefix("calls ").or_else(|| unit.strip_prefix("call ")).unwrap_or(unit);
    let per = match unit {
        "per second" => Duration::from_secs(1),
        "per minute" => Duration::from_secs(60),
        other => return Err(format!("`{other}` is no unit of a rate: per second or per minute")),
    };
    match number.parse() {
        Ok(count @ 1..) => Ok(PerTime(Rate { count, per })),
        _ => Err(format!("`{number}` is no number of calls")),
    }
}

/// The schema of a latency, as the model writes it.
pub(in crate::yaml) fn latency(generator: &mut SchemaGenerator) -> Schema {
    let time = generator.subschema_for::<Time>();
    let object = |fields: &[&str]| {
        let properties: serde_json::Map<String, serde_json::Value> =
            fields.iter().map(|field| ((*field).to_owned(), time.clone().to_value())).collect();
        json_schema!({"type": "object", "properties": properties, "required": fields, "additionalProperties": false})
    };
    let fixed = object(&["fixed"]);
    let of = |name: &str, inner: Schema| json_schema!({"type": "object", "properties": {name: inner}, "required": [name], "additionalProperties": false});
    json_schema!({
        "description": "How long an instance works on a try.",
        "oneOf": [
            fixed,
            of("uniform", object(&["from", "to"])),
            of("exponential", object(&["mean"])),
            of("log_normal", object(&["median", "p99"])),
        ]
    })
}

/// The schema of what a service speaks.
pub(in crate::yaml) fn protocol(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"description": "What a service speaks.", "enum": ["http", "http2", "grpc", "tcp"]})
}

/// The schema of a capacity.
pub(in crate::yaml) fn capacity(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "description": "Tries that each instance works on at a time, and that may wait in line (any number without `queue`).",
        "type": ["object", "null"],
        "properties": {
            "workers": {"type": "integer", "minimum": 1},
            "queue": {"type": ["integer", "null"], "minimum": 0}
        },
        "required": ["workers"],
        "additionalProperties": false
    })
}
