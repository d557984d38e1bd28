//! The wire between two proxies, and what can be done to it.

use crate::{
    Calls, FaultKind, Fraction, InstanceId, Place, Plan, ServiceName, Target, Topology, controls, duration,
    duration_text, vary,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, fmt, time::Duration};

/// Some of the ways between callers' proxies and callees'.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Wires {
    /// From the instances of a caller (of every caller, where none is named) to these instances.
    Between {
        /// The caller.
        from: Option<ServiceName>,
        /// The callees.
        to: Target,
    },
    /// Every wire that crosses the border of a place, in either direction.
    Of(Place),
}

/// One wire: from one instance's proxy to another's. Calls go one way over it, their answers the other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Wire {
    /// Whose proxy connects.
    pub from: InstanceId,
    /// Whose proxy accepts.
    pub to: InstanceId,
}

impl Wires {
    /// Each wire that is meant in this topology, in order. There is a wire where a service calls another.
    #[must_use]
    pub fn all(&self, topology: &Topology) -> Vec<Wire> {
        let mut wires = Vec::new();
        for edge in topology.edges() {
            let ends = |name: &ServiceName| topology.service(name).into_iter().flat_map(|s| s.ids());
            for from in ends(&edge.from) {
                for to in ends(&edge.to).filter(|to| *to != from) {
                    if self.means(topology, &from, &to) {
                        wires.push(Wire { from: from.clone(), to });
                    }
                }
            }
        }
        wires
    }

    /// Is the wire between these two among them?
    #[must_use]
    pub fn means(&self, topology: &Topology, from: &InstanceId, to: &InstanceId) -> bool {
        let here = |place: &Place, id: &InstanceId| topology.place_of(id) == Some(place);
        match self {
            Wires::Between { from: caller, to: target } => {
                caller.as_ref().is_none_or(|caller| *caller == from.service) && target.instances(topology).contains(to)
            }
            Wires::Of(place) => here(place, from) != here(place, to),
        }
    }
}

/// Every wire that a plan or one of its control runs damages, in this topology.
#[must_use]
pub fn damaged_wires(main: &Plan, topology: &Topology) -> BTreeSet<Wire> {
    let varied = controls(main).into_iter().map(|variation| vary(main, variation));
    let plans = std::iter::once(main.clone()).chain(varied);
    let wires = plans.flat_map(|plan| plan.faults).flat_map(|fault| fault.does.wires(topology));
    wires.flat_map(|wires| wires.all(topology)).collect()
}

impl FaultKind {
    /// The wires that it damages; none where it is no fault of the wire.
    #[must_use]
    pub fn wires(&self, topology: &Topology) -> Vec<Wires> {
        match self {
            FaultKind::Wire { of, .. } => vec![of.clone()],
            FaultKind::Outage { of } => of.wires(topology),
            _ => Vec::new(),
        }
    }
}

impl Calls {
    /// The wires that they go over: to every instance of a service that is named, for which of them is chosen by the proxies.
    #[must_use]
    pub fn wires(&self, topology: &Topology) -> Vec<Wires> {
        let to: Vec<ServiceName> = match &self.to {
            Some(to) => vec![to.service.clone()],
            None => topology.services.iter().map(|service| service.name.clone()).collect(),
        };
        to.into_iter().map(|to| Wires::Between { from: self.from.clone(), to: Target::service(to) }).collect()
    }
}

impl fmt::Display for Wires {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wires::Between { from: Some(from), to } => write!(f, "the wire from \"{from}\" to {to}"),
            Wires::Between { from: None, to } => write!(f, "the wire to {to}"),
            Wires::Of(place) => write!(f, "the wires of {place}"),
        }
    }
}

/// `web-1 → reviews-2`.
impl fmt::Display for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} → {}", self.from, self.to)
    }
}

/// What is done to a wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Damage {
    /// Silence both ways: nothing passes on open connections, neither bytes nor an end, and nobody answers who wants a new one.
    /// What was under way arrives, in order, when the cut ends.
    Cut,
    /// What the caller sends arrives; what comes back, bytes or an end, does not, until this ends. Connections come to be.
    SwallowAnswers,
    /// What the caller sends, bytes or an end, does not arrive, until this ends. Connections come to be.
    SwallowRequests,
    /// New connections are refused. Open ones live on.
    Refuse,
    /// Each connection, open or new, is drawn once; one that is drawn is reset, both ways, when the caller next sends bytes on it.
    Reset(Fraction),
    /// What comes back, bytes or an end, arrives so much later: a round trip takes so much longer.
    Slow {
        /// By how much.
        #[serde(with = "duration_text")]
        by: Duration,
        /// Each piece by up to so much more or less, any of it as likely; order is kept.
        #[serde(with = "duration_text")]
        jitter: Duration,
    },
    /// At most so many bytes a second each way, over all connections of the wire together, each in its turn. After a pause a
    /// [`burst`] may pass at once.
    Rate {
        /// Bytes per second, at least 1.
        bytes_per_second: u64,
    },
    /// When this begins, the callee's end of every open connection is gone, and the caller is not told: what it sends on them is
    /// lost. New connections are good. When this ends, what is left of the others is reset.
    HalfOpen,
    /// When one end closes or resets, the other learns of it so much later. Bytes are not delayed.
    SlowClose(#[serde(with = "duration_text")] Duration),
}

/// A packet's worth, in bytes: a slow wire carries packets and not crumbs.
pub const PACKET: u64 = 1_500;

/// What a wire that carries at most so many bytes a second lets pass at once after a pause, in bytes: 10 ms' worth, short against
/// whatever a scenario measures, or a packet's where that is more.
#[must_use]
pub fn burst(bytes_per_second: u64) -> u64 {
    (bytes_per_second / 100).max(PACKET)
}

/// In the words of the language.
impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Damage::Cut => f.write_str("is cut"),
            Damage::SwallowAnswers => f.write_str("swallows answers"),
            Damage::SwallowRequests => f.write_str("swallows requests"),
            Damage::Refuse => f.write_str("refuses connections"),
            Damage::Reset(share) => write!(f, "resets {share} of its connections"),
            Damage::Slow { by, jitter: Duration::ZERO } => write!(f, "is slowed by {}", duration(*by)),
            Damage::Slow { by, jitter } => {
                write!(f, "is slowed by {}, give or take {}", duration(*by), duration(*jitter))
            }
            Damage::Rate { bytes_per_second } => match bytes_per_second {
                bytes if bytes.is_multiple_of(1_000_000_000) => {
                    write!(f, "carries at most {} GB/s", bytes / 1_000_000_000)
                }
                bytes if bytes.is_multiple_of(1_000_000) => write!(f, "carries at most {} MB/s", bytes / 1_000_000),
                bytes => write!(f, "carries at most {} KB/s", bytes / 1000),
            },
            Damage::HalfOpen => f.write_str("leaves its connections half open"),
            Damage::SlowClose(time) => write!(f, "closes its connections {} late", duration(*time)),
        }
    }
}
