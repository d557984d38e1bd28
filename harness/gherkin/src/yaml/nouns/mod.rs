//! Nouns as mappings: what may stand in an experiment instead of a sentence.

mod calls;
mod claim;
mod comparison;
mod fault;
mod outcome;
mod policy;
mod population;
mod quantity;
mod routes;
mod selector;
mod traffic;

pub(super) use quantity::{COUNT_OF_INSTANCES, Time, Word, capacity, latency, protocol};

use schemars::{Schema, SchemaGenerator};
use serde::de::MapAccess;

/// A noun that a sentence can say.
pub(super) trait Noun {
    /// The sentence without its time; or why there is none.
    fn words(self) -> Result<String, String>;
}

/// The nouns that may stand in one list of an experiment.
pub(super) trait Nouns {
    /// Their names.
    fn names() -> Vec<&'static str>;

    /// Reads the value behind a name: the sentence that it comes to. `None` where there is no such name.
    fn read<'de, A: MapAccess<'de>>(name: &str, map: &mut A) -> Result<Option<Result<String, String>>, A::Error>;

    /// The schema of what may stand behind each name.
    fn schemas(generator: &mut SchemaGenerator) -> Vec<(&'static str, Schema)>;
}

/// Nouns by their names, as [`Nouns`].
macro_rules! nouns {
    ($(#[$doc:meta])* $set:ident { $($name:literal => $noun:ty,)* }) => {
        $(#[$doc])*
        pub(in crate::yaml) struct $set;

        impl $crate::yaml::nouns::Nouns for $set {
            fn names() -> Vec<&'static str> {
                vec![$($name),*]
            }

            fn read<'de, A: serde::de::MapAccess<'de>>(
                name: &str,
                map: &mut A,
            ) -> Result<Option<Result<String, String>>, A::Error> {
                use $crate::yaml::nouns::Noun as _;
                Ok(match name {
                    $($name => Some(map.next_value::<$noun>()?.words()),)*
                    _ => None,
                })
            }

            fn schemas(generator: &mut schemars::SchemaGenerator) -> Vec<(&'static str, schemars::Schema)> {
                vec![$(($name, generator.subschema_for::<$noun>())),*]
            }
        }
    };
}
use nouns;

/// Policies: under `given`.
pub(super) use policy::Given;

/// Changes, faults, traffic: under `when`.
pub(super) struct When;

/// Expectations: under `then`.
pub(super) use claim::Then;

impl Nouns for When {
    fn names() -> Vec<&'static str> {
        [Given::names(), fault::Faults::names(), traffic::Lines::names()].concat()
    }

    fn read<'de, A: MapAccess<'de>>(name: &str, map: &mut A) -> Result<Option<Result<String, String>>, A::Error> {
        if Given::names().contains(&name) {
            return Given::read(name, map);
        }
        if fault::Faults::names().contains(&name) {
            return fault::Faults::read(name, map);
        }
        traffic::Lines::read(name, map)
    }

    fn schemas(generator: &mut SchemaGenerator) -> Vec<(&'static str, Schema)> {
        let mut all = Given::schemas(generator);
        all.extend(fault::Faults::schemas(generator));
        all.extend(traffic::Lines::schemas(generator));
        all
    }
}
