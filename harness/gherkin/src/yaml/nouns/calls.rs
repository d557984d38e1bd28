//! Calls and shares of traffic.

use super::quantity::{Share, Word};
use super::selector::TargetForm;
use schemars::JsonSchema;
use serde::Deserialize;
use squall_model::{Calls, Filter, Fraction, Level, ServiceName, Traffic};

/// What a request must have to be meant.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FilterFields {
    pub(super) path: Option<Word>,
    pub(super) host: Option<Word>,
    pub(super) query: Option<Word>,
    pub(super) method: Option<Word>,
    /// `name: value`.
    pub(super) header: Option<Word>,
    pub(super) user: Option<Word>,
}

impl FilterFields {
    pub(super) fn filter(self) -> Result<Filter, String> {
        let text = |word: Option<Word>| word.map(|word| word.0);
        let header = match text(self.header) {
            None => None,
            Some(header) => {
                let (name, value) = header.split_once(':').ok_or(format!("`{header}` is no header: `name: value`"))?;
                Some((name.trim().to_lowercase(), value.trim().to_owned()))
            }
        };
        Ok(Filter {
            path: text(self.path),
            host: text(self.host),
            query: text(self.query),
            method: text(self.method),
            header,
            user: text(self.user),
        })
    }
}

/// Types with the fields of calls: serde cannot flatten and refuse unknown fields at once.
macro_rules! with_calls {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $name {
            $($(#[$of])* pub(super) $field: $type,)*
            /// Made by this service.
            from: Option<Word>,
            /// Made to these instances.
            to: Option<TargetForm>,
            /// On this very path.
            path: Option<Word>,
            /// On this host.
            host: Option<Word>,
            /// With this query: `a=1`.
            query: Option<Word>,
            /// With this method.
            method: Option<Word>,
            /// With this header: `name: value`.
            header: Option<Word>,
            /// Of this user.
            user: Option<Word>,
        }

        impl $name {
            /// The calls that its fields tell.
            pub(super) fn calls(&self) -> Result<Calls, String> {
                let filter = FilterFields {
                    path: self.path.clone(),
                    host: self.host.clone(),
                    query: self.query.clone(),
                    method: self.method.clone(),
                    header: self.header.clone(),
                    user: self.user.clone(),
                };
                Ok(Calls {
                    from: self.from.clone().map(ServiceName::from),
                    to: self.to.clone().map(|to| to.0),
                    filter: filter.filter()?,
                })
            }
        }
    };
}
pub(super) use with_calls;

with_calls! {
    /// Some calls. All absent: every call of the traffic lines.
    CallsForm {}
}

with_calls! {
    /// A share of some calls or tries.
    TrafficForm {
        /// How large a share; all of it where none is written.
        share: Option<Share>,
        /// Calls, where none is written; or the tries made for them, `to` being what they reach.
        #[serde(default)]
        #[schemars(schema_with = "level")]
        level: LevelForm,
    }
}

/// Calls or tries.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum LevelForm {
    /// What the caller made.
    #[default]
    Calls,
    /// Each attempt that a proxy makes for it.
    Tries,
}

fn level(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    generator.subschema_for::<LevelForm>()
}

impl TrafficForm {
    pub(super) fn traffic(&self) -> Result<Traffic, String> {
        let level = match self.level {
            LevelForm::Calls => Level::Calls,
            LevelForm::Tries => Level::Tries,
        };
        let share = self.share.map_or(Fraction::ALL, |share| share.0);
        Ok(Traffic { share, level, of: self.calls()? })
    }
}
