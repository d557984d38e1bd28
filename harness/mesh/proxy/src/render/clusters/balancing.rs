//! How a host is chosen: the algorithm, what it hashes, which places come first, how new hosts begin.

use super::{super::table::ClusterConfig, said};
use squall_mesh::Desired;
use squall_model::{Balancer, HashKey, Place, PolicyKind, ServiceName, Stick};

/// How a caller's calls to a service are balanced, where that is said. Calls that stick to an instance need a hash.
pub(in super::super) fn balancer(want: &Desired<'_>, caller: &ServiceName, to: &ServiceName) -> Option<Balancer> {
    let by = said(want, caller, to, |policy| match policy {
        PolicyKind::Balance { of, by } => Some((of, *by)),
        _ => None,
    });
    by.or_else(|| sticky(want, caller, to, Stick::Instance).map(|_| Balancer::RingHash))
}

/// What the balancer hashes: what calls stick to an instance by; else, where a hash is asked for by name, the user.
#[must_use]
pub fn hash_key(want: &Desired<'_>, caller: &ServiceName, to: &ServiceName) -> Option<HashKey> {
    let hashes = matches!(balancer(want, caller, to), Some(Balancer::RingHash | Balancer::Maglev));
    sticky(want, caller, to, Stick::Instance).or_else(|| hashes.then_some(HashKey::User))
}

fn sticky(want: &Desired<'_>, caller: &ServiceName, to: &ServiceName, stick: Stick) -> Option<HashKey> {
    said(want, caller, to, |policy| match policy {
        PolicyKind::Sticky { of, to, by } if *to == stick => Some((of, by.clone())),
        _ => None,
    })
}

/// The places that a caller's calls to a service prefer, in order; empty where they prefer none.
#[must_use]
pub fn preferred<'w>(want: &Desired<'w>, caller: &ServiceName, to: &ServiceName) -> &'w [Place] {
    let places = said(want, caller, to, |policy| match policy {
        PolicyKind::Prefer { of, places } => Some((of, places.as_slice())),
        _ => None,
    });
    places.unwrap_or_default()
}

/// What a policy says of new hosts of a service, to every caller alike: the later line counts.
pub(super) fn shape(cluster: &mut ClusterConfig, policy: &PolicyKind, to: &ServiceName) {
    match policy {
        PolicyKind::WarmUp { of, over } if of == to => cluster.warm_up = Some(*over),
        _ => {}
    }
}

pub(super) fn name_of(balancer: Balancer) -> &'static str {
    match balancer {
        Balancer::RoundRobin => "ROUND_ROBIN",
        Balancer::LeastRequest => "LEAST_REQUEST",
        Balancer::Random => "RANDOM",
        Balancer::RingHash => "RING_HASH",
        Balancer::Maglev => "MAGLEV",
    }
}
