//! Targets, places, wires: names as they are, or mappings.

use super::quantity::Word;
use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use squall_model::{Members, Place, PlaceKind, PlaceName, ServiceName, Target, VersionName, Which, Wires};
use std::fmt;
use std::marker::PhantomData;

impl From<Word> for ServiceName {
    fn from(word: Word) -> ServiceName {
        ServiceName::from(word.0)
    }
}

/// Some or all instances of a service.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TargetFields {
    /// The service; left out where a place as a whole is meant.
    service: Option<Word>,
    /// The one with this number, from 1.
    #[schemars(range(min = 1))]
    instance: Option<u32>,
    /// The first so many.
    #[schemars(range(min = 1))]
    instances: Option<u32>,
    /// Those of this version.
    version: Option<Word>,
    /// Every instance, each for itself.
    #[serde(default)]
    every: bool,
    /// Those in this zone.
    zone: Option<Word>,
    /// Those at this site.
    site: Option<Word>,
}

impl TargetFields {
    fn of_service(name: &str) -> TargetFields {
        TargetFields {
            service: Some(Word(name.to_owned())),
            instance: None,
            instances: None,
            version: None,
            every: false,
            zone: None,
            site: None,
        }
    }

    fn which(&self) -> Result<Which, String> {
        let given = [
            self.instance.map(Which::Instance),
            self.instances.map(Which::First),
            self.version.clone().map(|v| Which::Version(VersionName::from(v.0))),
            self.every.then_some(Which::Every),
        ];
        let mut given = given.into_iter().flatten();
        match (given.next(), given.next()) {
            (which, None) => Ok(which.unwrap_or(Which::Service)),
            _ => Err("one of `instance`, `instances`, `version` and `every` is enough".to_owned()),
        }
    }

    fn target(self) -> Result<Target, String> {
        let which = self.which()?;
        let place = place(self.zone, self.site)?;
        let service = self.service.ok_or("missing field `service`")?;
        Ok(Target { service: service.into(), which, place })
    }

    fn members(self) -> Result<Members, String> {
        if self.service.is_some() {
            return self.target().map(Members::Of);
        }
        let whole = self.which()? == Which::Service;
        match place(self.zone, self.site)? {
            Some(place) if whole => Ok(Members::In(place)),
            _ => Err("missing field `service`".to_owned()),
        }
    }
}

fn place(zone: Option<Word>, site: Option<Word>) -> Result<Option<Place>, String> {
    let of = |kind, name: Word| Some(Place { kind, name: PlaceName::from(name.0) });
    match (zone, site) {
        (Some(_), Some(_)) => Err("one of `zone` and `site` is enough".to_owned()),
        (Some(name), None) => Ok(of(PlaceKind::Zone, name)),
        (None, Some(name)) => Ok(of(PlaceKind::Site, name)),
        (None, None) => Ok(None),
    }
}

/// A place.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum PlaceForm {
    /// A zone of this name.
    Zone(Word),
    /// A site of this name.
    Site(Word),
}

impl From<PlaceForm> for Place {
    fn from(form: PlaceForm) -> Place {
        match form {
            PlaceForm::Zone(name) => Place { kind: PlaceKind::Zone, name: PlaceName::from(name.0) },
            PlaceForm::Site(name) => Place { kind: PlaceKind::Site, name: PlaceName::from(name.0) },
        }
    }
}

/// What is read from a name, or from fields.
trait FromFields: Sized {
    fn from_fields(fields: TargetFields) -> Result<Self, String>;
}

/// A target: the name of a service, or fields.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(with = "NameOrFields")]
pub(super) struct TargetForm(pub(super) Target);

/// A target, or a place as a whole.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(with = "NameOrFields")]
pub(super) struct MembersForm(pub(super) Members);

/// Instances: the name of a service, or what tells them.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "what a schema says, and nobody makes")]
enum NameOrFields {
    /// A service as a whole.
    Name(Word),
    /// Some of its instances.
    Fields(TargetFields),
}

impl FromFields for TargetForm {
    fn from_fields(fields: TargetFields) -> Result<Self, String> {
        fields.target().map(TargetForm)
    }
}

impl FromFields for MembersForm {
    fn from_fields(fields: TargetFields) -> Result<Self, String> {
        fields.members().map(MembersForm)
    }
}

struct Instances<T>(PhantomData<T>);

impl<'de, T: FromFields> Visitor<'de> for Instances<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a service, or `{service: …, instance: 2}`")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<T, E> {
        T::from_fields(TargetFields::of_service(name)).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        let fields = TargetFields::deserialize(MapAccessDeserializer::new(map))?;
        T::from_fields(fields).map_err(serde::de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for TargetForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Instances(PhantomData))
    }
}

impl<'de> Deserialize<'de> for MembersForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Instances(PhantomData))
    }
}

/// Wires: to a target, from one caller or from all; or those that cross the border of a place.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WiresForm {
    /// The caller.
    from: Option<Word>,
    /// The callees.
    to: Option<TargetForm>,
    /// All that cross the border of this zone.
    zone: Option<Word>,
    /// All that cross the border of this site.
    site: Option<Word>,
}

impl WiresForm {
    pub(super) fn wires(self) -> Result<Wires, String> {
        match (self.to, place(self.zone, self.site)?) {
            (Some(to), None) => Ok(Wires::Between { from: self.from.map(ServiceName::from), to: to.0 }),
            (None, Some(place)) if self.from.is_none() => Ok(Wires::Of(place)),
            _ => Err("wires are told by `to` (and perhaps `from`), or by a place".to_owned()),
        }
    }
}
