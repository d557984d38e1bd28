//! Policies as mappings.

use super::calls::{CallsForm, TrafficForm};
use super::quantity::{Condition, Share, Time, Word};
use super::routes::{Balance, Prefer, Route, Sticky};
use super::{Noun, nouns};
use crate::clauses::check::{BACK_AFTER, OUT_AFTER};
use crate::words;
use schemars::JsonSchema;
use serde::Deserialize;
use squall_model::{Fraction, InFlight, PolicyKind, Probe};

nouns! {
    /// What a mesh promises.
    Given {
        "retries" => Retries,
        "timeout" => Timeout,
        "idle_timeout" => IdleTimeout,
        "retry_budget" => RetryBudget,
        "in_flight" => InFlightForm,
        "connections" => Connections,
        "ejection" => Ejection,
        "route" => Route,
        "check" => Check,
        "panic" => Panic,
        "prefer" => Prefer,
        "sticky" => Sticky,
        "warm_up" => WarmUp,
        "keep_deadline" => KeepDeadline,
        "balance" => Balance,
    }
}

/// A type with named fields that comes to a policy.
macro_rules! policy {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $field:ident: $type:ty,)* } => $kind:expr) => {
        $(#[$doc])*
        #[derive(Debug, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $name {
            $($(#[$of])* $field: $type,)*
        }

        impl Noun for $name {
            fn words(self) -> Result<String, String> {
                let kind: fn($name) -> Result<PolicyKind, String> = $kind;
                kind(self).map(|kind| words::policy(&kind))
            }
        }
    };
}

pub(super) use policy;

policy! {
    /// N retries are N + 1 tries.
    Retries {
        /// Which calls.
        of: CallsForm,
        /// How many more tries at most.
        up_to: u32,
        /// On which answers and failures.
        on: Vec<Condition>,
        /// Each on another instance than those tried before.
        #[serde(default)]
        elsewhere: bool,
    } => |it| Ok(PolicyKind::Retries {
        of: it.of.calls()?,
        up_to: it.up_to,
        on: it.on.into_iter().map(|on| on.0).collect(),
        elsewhere: it.elsewhere,
    })
}

policy! {
    /// A call gives up (over all its tries), or a try does (until the head of its answer).
    Timeout {
        /// Which calls or tries.
        of: TrafficForm,
        /// After how long.
        after: Time,
    } => |it| Ok(PolicyKind::Timeout { of: it.of.traffic()?, after: it.after.0 })
}

policy! {
    /// Nothing in either direction for so long.
    IdleTimeout {
        /// Which calls or tries.
        of: TrafficForm,
        /// For how long.
        after: Time,
    } => |it| Ok(PolicyKind::IdleTimeout { of: it.of.traffic()?, after: it.after.0 })
}

policy! {
    /// Retries in flight as a share of all tries in flight, with a floor.
    RetryBudget {
        /// Which calls.
        of: CallsForm,
        /// The share.
        share: Share,
        /// The floor: so many are always allowed.
        at_least: u32,
    } => |it| Ok(PolicyKind::RetryBudget { of: it.of.calls()?, share: it.share.0, at_least: it.at_least })
}

policy! {
    /// A breaker by concurrency: excess tries are shed at once, excess retries are not made.
    InFlightForm {
        /// Each instance of this service…
        caller: Word,
        /// …has at most so many…
        at_most: u32,
        /// …tries (where nothing is written) or retries…
        #[serde(default)]
        unit: UnitForm,
        /// …to this service in flight.
        to: Word,
    } => |it| Ok(PolicyKind::InFlight {
        caller: it.caller.into(),
        at_most: it.at_most,
        unit: match it.unit {
            UnitForm::Tries => InFlight::Tries,
            UnitForm::Retries => InFlight::Retries,
        },
        to: it.to.into(),
    })
}

/// What a breaker counts.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum UnitForm {
    /// Every try.
    #[default]
    Tries,
    /// Retries alone.
    Retries,
}

policy! {
    /// A breaker by connections.
    Connections {
        /// Each instance of this service…
        caller: Word,
        /// …has at most so many connections…
        at_most: u32,
        /// …and so many calls waiting for one…
        waiting: u32,
        /// …to this service.
        to: Word,
    } => |it| Ok(PolicyKind::Connections {
        caller: it.caller.into(),
        at_most: it.at_most,
        waiting: it.waiting,
        to: it.to.into(),
    })
}

policy! {
    /// Passive outlier ejection by each caller's proxy for itself.
    Ejection {
        /// Instances of this service.
        of: Word,
        /// For how long the first time.
        lasts: Time,
        /// After so many failures in a row.
        after: u32,
        /// At most this share at a time; all where none is written.
        at_most: Option<Share>,
    } => |it| Ok(PolicyKind::Ejection {
        of: it.of.into(),
        lasts: it.lasts.0,
        after: it.after,
        at_most: it.at_most.map_or(Fraction::ALL, |share| share.0),
    })
}

policy! {
    /// Active health checking, by each caller's proxy for itself.
    Check {
        /// Instances of this service.
        of: Word,
        /// How often.
        every: Time,
        /// By asking what.
        by: ProbeForm,
        /// So many failures in a row, and it is called no more; 3 where nothing is written.
        out_after: Option<u32>,
        /// So many passes in a row, and it is called again; 2 where nothing is written.
        back_after: Option<u32>,
    } => |it| Ok(PolicyKind::Check {
        of: it.of.into(),
        every: it.every.0,
        by: match it.by {
            ProbeForm::Http(path) => Probe::Http(path.0),
            ProbeForm::Grpc => Probe::Grpc,
            ProbeForm::Tcp => Probe::Tcp,
        },
        out_after: it.out_after.unwrap_or(OUT_AFTER),
        back_after: it.back_after.unwrap_or(BACK_AFTER),
    })
}

/// What an active health check asks.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ProbeForm {
    /// GET of this path: a status of 200 passes.
    Http(Word),
    /// The health service of gRPC.
    Grpc,
    /// A connection that comes to be passes.
    Tcp,
}

policy! {
    /// Panic threshold: with fewer healthy instances than this, all are called.
    Panic {
        /// Instances of this service.
        of: Word,
        /// Below this share.
        below: Share,
    } => |it| Ok(PolicyKind::Panic { of: it.of.into(), below: it.below.0 })
}

policy! {
    /// Slow start.
    WarmUp {
        /// Instances of this service.
        of: Word,
        /// Over how long.
        over: Time,
    } => |it| Ok(PolicyKind::WarmUp { of: it.of.into(), over: it.over.0 })
}

policy! {
    /// What is left of the deadline of these calls bounds the onward calls made for them.
    KeepDeadline {
        /// Which calls.
        of: CallsForm,
    } => |it| Ok(PolicyKind::KeepDeadline { of: it.of.calls()? })
}
