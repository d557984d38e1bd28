//! Policies about where calls go, as mappings.

use super::Noun;
use super::calls::CallsForm;
use super::policy::policy;
use super::quantity::{Algorithm, Share, Word};
use super::selector::{PlaceForm, TargetForm};
use crate::words;
use schemars::JsonSchema;
use serde::Deserialize;
use squall_model::{Destination, Fraction, HashKey, PolicyKind, Stick};

policy! {
    /// A route or a split: the shares add up to the whole.
    Route {
        /// Which calls.
        of: CallsForm,
        /// Where they go.
        to: Vec<Leg>,
    } => |it| Ok(PolicyKind::Route {
        of: it.of.calls()?,
        to: it.to.into_iter().map(|leg| Destination {
            share: leg.share.map_or(Fraction::ALL, |share| share.0),
            target: leg.target.0,
        }).collect(),
    })
}

/// One leg of a split.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Leg {
    /// Share of the calls; all where none is written.
    share: Option<Share>,
    /// Where they go.
    target: TargetForm,
}

policy! {
    /// Failover by locality.
    Prefer {
        /// Which calls.
        of: CallsForm,
        /// In this order: two at least.
        #[schemars(length(min = 2))]
        places: Vec<PlaceForm>,
    } => |it| match it.places.len() {
        0 | 1 => Err("two places at least: one to prefer, and one to fail over to".to_owned()),
        _ => Ok(PolicyKind::Prefer { of: it.of.calls()?, places: it.places.into_iter().map(Into::into).collect() }),
    }
}

policy! {
    /// Stickiness: drawn by hash.
    Sticky {
        /// Which calls.
        of: CallsForm,
        /// To what they stick.
        to: StickForm,
        /// By what.
        by: KeyForm,
    } => |it| Ok(PolicyKind::Sticky {
        of: it.of.calls()?,
        to: it.to.into(),
        by: match it.by {
            KeyForm::User => HashKey::User,
            KeyForm::Header(name) => HashKey::Header(name.0),
            KeyForm::Cookie(name) => HashKey::Cookie(name.0),
            KeyForm::SourceAddress => HashKey::SourceAddress,
        },
    })
}

/// What calls stick to.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum StickForm {
    /// One version.
    Version,
    /// One instance.
    Instance,
}

impl From<StickForm> for Stick {
    fn from(form: StickForm) -> Stick {
        match form {
            StickForm::Version => Stick::Version,
            StickForm::Instance => Stick::Instance,
        }
    }
}

/// What a hash is taken of.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum KeyForm {
    /// The user.
    User,
    /// A header.
    Header(Word),
    /// A cookie.
    Cookie(Word),
    /// The address that the call comes from.
    SourceAddress,
}

policy! {
    /// A load-balancing algorithm.
    Balance {
        /// Which calls.
        of: CallsForm,
        /// By what.
        by: Algorithm,
    } => |it| Ok(PolicyKind::Balance { of: it.of.calls()?, by: it.by.0 })
}
