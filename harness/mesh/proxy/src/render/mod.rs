//! Desired state and addresses to the complete configuration of every proxy. Pure.
//!
//! The configuration is plain data that people can read ([`Config`]); each mesh has its own words for it and says them without
//! deciding anything. Snapshots are of this form, and the version of a resource is the hash of it.
//!
//! A proxy's listeners are the same for its whole life: routes, clusters and the runtime layer are all that ever changes.

mod asked;
mod clusters;
mod edited;
mod faults;
mod layers;
mod lint;
mod refuse;
mod requests;
mod routes;
mod table;
mod ways;

pub use asked::{asking, asking_in, orders};
pub use clusters::{hash_key, preferred};
pub use edited::restarted_in;
pub use faults::{FaultSlot, SLOTS, SlotTouch};
pub use layers::{EPOCHS, NO_EPOCH, epoch_key, layers};
pub use lint::lint;
pub use refuse::{of_nowhere, refusals};
pub use requests::{Condition, Matched, escaped};
pub use routes::probes;
pub use table::{
    Action, Check, ClusterConfig, Config, Endpoint, Forward, Leg, Limits, Outlier, ProxyConfig, RequestMatch, Retry,
    Route, RouteTable, VirtualHost,
};

use serde::Serialize;
use sha2::{Digest, Sha256};
use squall_mesh::{Bindings, Desired, Refusal};
use squall_model::{Calls, PolicyKind, ServiceName, Topology};
use std::time::Duration;

/// The authority of our own probes: on every listener, answered by the proxy itself, never sent upstream.
pub const PROBE: &str = "squall.probe";

/// The header by which a callee's proxy knows the calling service.
pub const CALLER: &str = "x-squall-caller";

/// The header by which users are known.
pub const USER: &str = "x-squall-user";

/// The header by which a caller's proxy names its own instance, where calls stick by where they come from: its client connects
/// over a Unix socket, which has no address to take a hash of.
pub const SOURCE: &str = "x-squall-source";

/// The header by which a caller's proxy tells how much of its time limit is left (router filter). A callee's workload sees it
/// where calls keep their deadline; onward it tells the rest as gRPC does, by `grpc-timeout`.
pub const REST: &str = "x-envoy-expected-rq-timeout-ms";

/// The time between two sweeps of outlier detection: ends of ejections are late by up to this. Also where a mesh's own defaults stay:
/// with the 10 s of Envoy an ejection would last as long as it pleases the sweep, and not as long as the policy says.
pub const SWEEP: Duration = Duration::from_millis(100);

/// How long a connection may take to be accepted; on loopback a host answers at once or not at all.
pub const CONNECT: Duration = Duration::from_secs(1);

/// The cluster that leads from a callee's proxy to its own workload.
pub const LOCAL: &str = "local";

/// The cluster that leads to a service.
#[must_use]
pub fn cluster_of(service: &str) -> String {
    format!("out.{service}")
}

/// The service that a cluster leads to; `None` for that which leads to a proxy's own workload.
#[must_use]
pub fn callee_of(cluster: &str) -> Option<&str> {
    cluster.strip_prefix("out.")
}

/// The name of the fault filter in this slot.
#[must_use]
pub fn slot_name(slot: usize) -> String {
    format!("squall.fault.{slot}")
}

/// The name of what a configuration says: a part of the hash of it.
#[must_use]
pub fn version(of: &impl Serialize) -> String {
    // Plain data with text keys always serialises; were it otherwise, an empty version would fail its confirmation.
    let text = serde_json::to_vec(of).unwrap_or_default();
    Sha256::digest(&text).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a policy or a fault on these calls is for those of this caller to this service.
fn concerns(of: &Calls, caller: &ServiceName, to: &ServiceName) -> bool {
    of.from.as_ref().is_none_or(|from| from == caller) && of.to.as_ref().is_none_or(|target| target.service == *to)
}

/// Whether Envoy's own defaults stay for the calls of this caller to this service.
fn has_own_defaults(topology: &Topology, caller: &ServiceName, to: &ServiceName) -> bool {
    topology.own_defaults.iter().any(|of| concerns(of, caller, to))
}

/// Whether the instances of a service are checked.
fn is_checked(want: &Desired<'_>, service: &ServiceName) -> bool {
    want.policies.iter().any(|policy| matches!(policy, PolicyKind::Check { of, .. } if of == service))
}

/// Renders every proxy of the bindings.
///
/// # Errors
/// Where Envoy has no words for what is wanted.
pub fn render(want: &Desired<'_>, at: &Bindings) -> Result<Config, Refusal> {
    refuse::first(want)?;
    let mut config = Config::default();
    for (instance, service, _) in want.topology.instances() {
        let Some(seat) = at.seats.get(&instance) else { continue };
        let proxy = ProxyConfig {
            instance: instance.to_string(),
            outbound: routes::outbound(want, &instance, service)?,
            inbound: routes::inbound(want, &instance, seat)?,
            clusters: clusters::clusters(want, at, &instance, service, seat),
        };
        config.proxies.insert(seat.node.clone(), proxy);
    }
    Ok(config)
}
