//! Desired state and addresses to the complete configuration of every proxy. Pure.
//!
//! The configuration is plain data that people can read ([`Config`]); [`crate::encode`] turns it into Envoy's messages without
//! deciding anything. Snapshots are of this form, and the version of a resource is the hash of it.
//!
//! A proxy's listeners are the same for its whole life: routes, clusters and the runtime layer are all that ever changes.

mod clusters;
mod faults;
mod layers;
mod lint;
mod refuse;
mod requests;
mod routes;
mod table;
#[cfg(test)]
mod tests;
mod ways;

pub use faults::{FaultSlot, SLOTS, SlotTouch};
pub use layers::{EPOCHS, layers};
pub(crate) use layers::{NO_EPOCH, epoch_key};
pub use lint::lint;
pub use refuse::refusals;
pub use requests::Condition;
pub(crate) use routes::probes;
pub use table::{
    Action, ClusterConfig, Config, Endpoint, Leg, Limits, Outlier, ProxyConfig, RequestMatch, Retry, Route, RouteTable,
    VirtualHost,
};

use squall_mesh::{Bindings, Desired, Refusal};
use squall_model::{Calls, ServiceName};

/// The authority of our own probes: on every listener, answered by the proxy itself, never sent upstream.
pub const PROBE: &str = "squall.probe";

/// The header by which a callee's proxy knows the calling service.
pub const CALLER: &str = "x-squall-caller";

/// The header by which users are known.
pub const USER: &str = "x-squall-user";

/// The cluster that leads from a callee's proxy to its own workload.
pub const LOCAL: &str = "local";

/// The cluster that leads to a service.
#[must_use]
pub fn cluster_of(service: &str) -> String {
    format!("out.{service}")
}

/// Whether a policy or a fault on these calls is for those of this caller to this service.
fn concerns(of: &Calls, caller: &ServiceName, to: &ServiceName) -> bool {
    of.from.as_ref().is_none_or(|from| from == caller) && of.to.as_ref().is_none_or(|target| target.service == *to)
}

/// Renders every proxy of the bindings.
///
/// # Errors
/// Where Envoy has no words for what is wanted.
pub fn render(want: &Desired<'_>, at: &Bindings) -> Result<Config, Refusal> {
    want.policies.iter().try_for_each(|policy| refuse::policy(policy, want.topology))?;
    want.faults.iter().try_for_each(|fault| refuse::fault(&fault.does))?;
    let mut config = Config::default();
    for (instance, service, _) in want.topology.instances() {
        let Some(seat) = at.seats.get(&instance) else { continue };
        let proxy = ProxyConfig {
            instance: instance.to_string(),
            outbound: routes::outbound(want, service)?,
            inbound: routes::inbound(want, &instance, seat)?,
            clusters: clusters::clusters(want, at, service, seat),
        };
        config.proxies.insert(seat.node.clone(), proxy);
    }
    Ok(config)
}
