//! What a mesh promises: the lines of kind P.

use crate::{Calls, Fraction, Place, ServiceName, Target, Traffic, duration_text};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr, time::Duration};

/// Number of a policy within its plan, from 0, in order of writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PolicyId(pub u32);

/// A policy as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Its number.
    pub id: PolicyId,
    /// The scenario's own, and not its Background's: what a control run takes away.
    pub own: bool,
    /// What it says.
    pub says: PolicyKind,
}

/// What a policy says.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum PolicyKind {
    /// N retries are N + 1 tries.
    Retries {
        /// Which calls.
        of: Calls,
        /// How many more tries at most.
        up_to: u32,
        /// On which answers and failures.
        on: Vec<RetryOn>,
        /// Each on another instance than those tried before.
        elsewhere: bool,
    },
    /// A call gives up (over all its tries), or a try does (until the head of its answer).
    Timeout {
        /// Which calls or tries.
        of: Traffic,
        /// After how long.
        #[serde(with = "duration_text")]
        after: Duration,
    },
    /// Nothing in either direction for so long.
    IdleTimeout {
        /// Which calls or tries.
        of: Traffic,
        /// For how long.
        #[serde(with = "duration_text")]
        after: Duration,
    },
    /// Retries in flight as a share of all tries in flight, with a floor.
    RetryBudget {
        /// Which calls.
        of: Calls,
        /// The share.
        share: Fraction,
        /// The floor: so many are always allowed.
        at_least: u32,
    },
    /// A breaker by concurrency: excess tries are shed at once, excess retries are not made.
    InFlight {
        /// Each instance of this service…
        caller: ServiceName,
        /// …has at most so many…
        at_most: u32,
        /// …tries or retries…
        unit: InFlight,
        /// …to this service in flight.
        to: ServiceName,
    },
    /// A breaker by connections.
    Connections {
        /// Each instance of this service…
        caller: ServiceName,
        /// …has at most so many connections…
        at_most: u32,
        /// …and so many calls waiting for one…
        waiting: u32,
        /// …to this service.
        to: ServiceName,
    },
    /// Passive outlier ejection by each caller's proxy for itself.
    Ejection {
        /// Instances of this service.
        of: ServiceName,
        /// For how long the first time.
        #[serde(with = "duration_text")]
        lasts: Duration,
        /// After so many failures in a row.
        after: u32,
        /// At most this share at a time; all where none was written.
        at_most: Fraction,
    },
    /// A route or a split: the shares add up to the whole.
    Route {
        /// Which calls.
        of: Calls,
        /// Where they go, and how large a share of them.
        to: Vec<Destination>,
    },
    /// Active health checking, by each caller's proxy for itself.
    Check {
        /// Instances of this service.
        of: ServiceName,
        /// How often.
        #[serde(with = "duration_text")]
        every: Duration,
        /// By asking what.
        by: Probe,
        /// So many failures in a row, and it is called no more.
        out_after: u32,
        /// So many passes in a row, and it is called again.
        back_after: u32,
    },
    /// Panic threshold: with fewer healthy instances than this, all are called.
    Panic {
        /// Instances of this service.
        of: ServiceName,
        /// Below this share.
        below: Fraction,
    },
    /// Failover by locality: the first place that has healthy instances, as far as they go round; then the next. Instances
    /// in none of them come last.
    Prefer {
        /// Which calls.
        of: Calls,
        /// In this order.
        places: Vec<Place>,
    },
    /// Stickiness: drawn by hash, so that the same key leads to the same place as long as that is there.
    Sticky {
        /// Which calls.
        of: Calls,
        /// To what they stick.
        to: Stick,
        /// By what.
        by: HashKey,
    },
    /// Slow start: an instance that is new, or healthy again, gets its share of the calls little by little.
    WarmUp {
        /// Instances of this service.
        of: ServiceName,
        /// Over how long.
        #[serde(with = "duration_text")]
        over: Duration,
    },
    /// What is left of the deadline of these calls bounds the onward calls made for them.
    KeepDeadline {
        /// Which calls.
        of: Calls,
    },
    /// A load-balancing algorithm.
    Balance {
        /// Which calls.
        of: Calls,
        /// By what.
        by: Balancer,
    },
}

/// One leg of a split.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Destination {
    /// Share of the calls.
    pub share: Fraction,
    /// Where they go.
    pub target: Target,
}

/// What a breaker counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InFlight {
    /// Every try.
    Tries,
    /// Retries alone.
    Retries,
}

/// What an active health check asks.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Probe {
    /// GET of this path: a status of 200 passes.
    Http(String),
    /// The health service of gRPC (grpc.health.v1.Health/Check): SERVING passes.
    Grpc,
    /// A connection that comes to be passes.
    Tcp,
}

/// `http on path "/healthz"`, `grpc`, `tcp`.
impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Probe::Http(path) => write!(f, "http on path \"{path}\""),
            Probe::Grpc => f.write_str("grpc"),
            Probe::Tcp => f.write_str("tcp"),
        }
    }
}

/// What calls stick to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stick {
    /// One version.
    Version,
    /// One instance.
    Instance,
}

/// What a hash is taken of.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HashKey {
    /// The user, known by the header `x-squall-user`.
    User,
    /// A header, its name in lower case.
    Header(String),
    /// A cookie.
    Cookie(String),
    /// The address that the call comes from.
    SourceAddress,
}

/// `user`, `header "x"`, `cookie "x"`, `source address`.
impl fmt::Display for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HashKey::User => f.write_str("user"),
            HashKey::Header(name) => write!(f, "header \"{name}\""),
            HashKey::Cookie(name) => write!(f, "cookie \"{name}\""),
            HashKey::SourceAddress => f.write_str("source address"),
        }
    }
}

/// Load-balancing algorithms, by Envoy's names (config/cluster/v3/cluster.proto, LbPolicy).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it, and Envoy's documentation more")]
pub enum Balancer {
    RoundRobin,
    LeastRequest,
    Random,
    RingHash,
    Maglev,
}

/// Text that names nothing known, with all that is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not one of: {}", known.join(", "))]
pub struct UnknownWord {
    /// What was written.
    pub given: String,
    /// What could have been.
    pub known: &'static [&'static str],
}

impl Balancer {
    /// The words of the language for them.
    pub const WORDS: &'static [&'static str] = &["round robin", "least request", "random", "ring hash", "Maglev"];
}

impl FromStr for Balancer {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.to_ascii_lowercase().as_str() {
            "round robin" => Ok(Balancer::RoundRobin),
            "least request" => Ok(Balancer::LeastRequest),
            "random" => Ok(Balancer::Random),
            "ring hash" => Ok(Balancer::RingHash),
            "maglev" => Ok(Balancer::Maglev),
            _ => Err(UnknownWord { given: text.into(), known: Balancer::WORDS }),
        }
    }
}

/// What is retried, by Envoy's names (`x-envoy-retry-on`, router filter).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names say it, and Envoy's documentation more")]
pub enum RetryOn {
    #[serde(rename = "5xx")]
    FiveHundreds,
    GatewayError,
    Reset,
    ResetBeforeRequest,
    ConnectFailure,
    EnvoyRatelimited,
    #[serde(rename = "retriable-4xx")]
    Retriable4xx,
    RefusedStream,
    Cancelled,
    DeadlineExceeded,
    Internal,
    ResourceExhausted,
    Unavailable,
    /// One status, written as its number: by way of `retriable-status-codes`.
    Status(u16),
}

impl RetryOn {
    /// The words of the language for them.
    pub const WORDS: &'static [&'static str] = &[
        "5xx",
        "gateway-error",
        "reset",
        "reset-before-request",
        "connect-failure",
        "envoy-ratelimited",
        "retriable-4xx",
        "refused-stream",
        "cancelled",
        "deadline-exceeded",
        "internal",
        "resource-exhausted",
        "unavailable",
        "a status such as 503",
    ];
}

impl fmt::Display for RetryOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RetryOn::FiveHundreds => "5xx",
            RetryOn::GatewayError => "gateway-error",
            RetryOn::Reset => "reset",
            RetryOn::ResetBeforeRequest => "reset-before-request",
            RetryOn::ConnectFailure => "connect-failure",
            RetryOn::EnvoyRatelimited => "envoy-ratelimited",
            RetryOn::Retriable4xx => "retriable-4xx",
            RetryOn::RefusedStream => "refused-stream",
            RetryOn::Cancelled => "cancelled",
            RetryOn::DeadlineExceeded => "deadline-exceeded",
            RetryOn::Internal => "internal",
            RetryOn::ResourceExhausted => "resource-exhausted",
            RetryOn::Unavailable => "unavailable",
            RetryOn::Status(status) => return write!(f, "{status}"),
        })
    }
}

impl FromStr for RetryOn {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "5xx" => RetryOn::FiveHundreds,
            "gateway-error" => RetryOn::GatewayError,
            "reset" => RetryOn::Reset,
            "reset-before-request" => RetryOn::ResetBeforeRequest,
            "connect-failure" => RetryOn::ConnectFailure,
            "envoy-ratelimited" => RetryOn::EnvoyRatelimited,
            "retriable-4xx" => RetryOn::Retriable4xx,
            "refused-stream" => RetryOn::RefusedStream,
            "cancelled" => RetryOn::Cancelled,
            "deadline-exceeded" => RetryOn::DeadlineExceeded,
            "internal" => RetryOn::Internal,
            "resource-exhausted" => RetryOn::ResourceExhausted,
            "unavailable" => RetryOn::Unavailable,
            other => match other.parse::<u16>() {
                Ok(status @ 400..=599) => RetryOn::Status(status),
                _ => return Err(UnknownWord { given: other.into(), known: RetryOn::WORDS }),
            },
        })
    }
}
