//! An item of an experiment: a sentence, or one noun with its time.

use super::nouns::{Given, Nouns, Then, Time, When};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use squall_model::duration;
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

/// What an item says, as a line of the language.
pub(super) struct Item<N> {
    /// The line.
    pub(super) words: String,
    /// It was written as a sentence.
    pub(super) is_sentence: bool,
    nouns: PhantomData<N>,
}

/// Which list of a scenario nouns stand in.
pub(super) trait List: Nouns {
    /// For schemas.
    const NAME: &'static str;
    /// What stands there has a time, and may go on meanwhile.
    const TIMED: bool;
    /// What stands there may be said of the control run.
    const CONTROLLED: bool;
}

impl List for Given {
    const NAME: &'static str = "GivenItem";
    const TIMED: bool = false;
    const CONTROLLED: bool = true;
}

impl List for When {
    const NAME: &'static str = "WhenItem";
    const TIMED: bool = true;
    const CONTROLLED: bool = true;
}

impl List for Then {
    const NAME: &'static str = "ThenItem";
    const TIMED: bool = false;
    const CONTROLLED: bool = false;
}

/// What may stand beside a noun.
#[derive(Default)]
struct Beside {
    at: Option<Duration>,
    from: Option<Duration>,
    to: Option<Duration>,
    meanwhile: bool,
    control: bool,
}

impl Beside {
    fn names<N: List>() -> Vec<&'static str> {
        let mut names = Vec::new();
        if N::TIMED {
            names.extend(["at", "from", "to", "meanwhile"]);
        }
        if N::CONTROLLED {
            names.push("control");
        }
        names
    }

    /// Reads what stands behind this name.
    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "at" => self.at = Some(map.next_value::<Time>()?.0),
            "from" => self.from = Some(map.next_value::<Time>()?.0),
            "to" => self.to = Some(map.next_value::<Time>()?.0),
            "meanwhile" => self.meanwhile = map.next_value()?,
            _ => self.control = map.next_value()?,
        }
        Ok(())
    }

    fn around(&self, words: &str) -> Result<String, &'static str> {
        let when = match (self.at, self.from, self.to) {
            (None, None, None) => String::new(),
            (Some(at), None, None) => format!(" at {}", duration(at)),
            (None, Some(from), None) => format!(" from {}", duration(from)),
            (None, Some(from), Some(to)) => format!(" from {} to {}", duration(from), duration(to)),
            _ => return Err("a time is either `at`, or `from` and perhaps `to`"),
        };
        let control = if self.control { crate::matcher::CONTROL } else { "" };
        let meanwhile = if self.meanwhile { crate::matcher::MEANWHILE } else { "" };
        Ok(format!("{control}{meanwhile}{words}{when}"))
    }
}

struct Either<N>(PhantomData<N>);

impl<'de, N: List> Visitor<'de> for Either<N> {
    type Value = Item<N>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sentence, or a mapping of one noun")
    }

    fn visit_str<E: Error>(self, sentence: &str) -> Result<Item<N>, E> {
        Ok(Item { words: sentence.trim().to_owned(), is_sentence: true, nouns: PhantomData })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Item<N>, A::Error> {
        let beside_names = Beside::names::<N>();
        let (mut beside, mut noun) = (Beside::default(), None);
        while let Some(name) = map.next_key::<String>()? {
            if beside_names.contains(&name.as_str()) {
                beside.read(&name, &mut map)?;
                continue;
            }
            let read = N::read(&name, &mut map)?.ok_or_else(|| unknown::<N, A::Error>(&name))?;
            if noun.replace(read.map_err(A::Error::custom)?).is_some() {
                return Err(A::Error::custom("an item says one thing: give each noun an item of its own"));
            }
        }
        let noun = noun.ok_or_else(|| A::Error::custom("this item says nothing: a sentence, or one noun"))?;
        let words = beside.around(&noun).map_err(A::Error::custom)?;
        Ok(Item { words, is_sentence: false, nouns: PhantomData })
    }
}

/// A name that is no noun: of a sentence with `: ` in it, most likely.
fn unknown<N: List, E: Error>(name: &str) -> E {
    if name.contains(' ') {
        return E::custom("a sentence that has `: ` in it stands in single quotes: to YAML it is a mapping");
    }
    let names: Vec<String> = N::names().into_iter().chain(Beside::names::<N>()).map(|n| format!("`{n}`")).collect();
    E::custom(format!("unknown noun `{name}`, expected one of {}", names.join(", ")))
}

impl<'de, N: List> Deserialize<'de> for Item<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Either(PhantomData))
    }
}

impl<N: List> JsonSchema for Item<N> {
    fn schema_name() -> Cow<'static, str> {
        N::NAME.into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let time = generator.subschema_for::<Time>();
        let nouns = N::schemas(generator);
        let one_of: Vec<serde_json::Value> =
            nouns.iter().map(|(name, _)| json_schema!({"required": [name]}).to_value()).collect();
        let mut properties: serde_json::Map<String, serde_json::Value> =
            nouns.into_iter().map(|(name, schema)| (name.to_owned(), schema.to_value())).collect();
        for name in Beside::names::<N>() {
            let schema = match name {
                "at" | "from" | "to" => time.clone().to_value(),
                _ => serde_json::json!({"type": "boolean"}),
            };
            properties.insert(name.to_owned(), schema);
        }
        json_schema!({
            "description": "A sentence of the language, or one noun.",
            "anyOf": [
                {"type": "string"},
                {"type": "object", "properties": properties, "additionalProperties": false, "oneOf": one_of}
            ]
        })
    }
}
