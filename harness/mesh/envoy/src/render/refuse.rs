//! What Envoy has no words for, found before anything is touched: what is not refused here is done as it was written.

use super::{faults, routes};
use squall_mesh::{Desired, Refusal};
use squall_model::{
    Calls, Destination, FaultKind, Fraction, Level, Plan, PolicyKind, Protocol, Target, Topology, Touch, Traffic, Which,
};
use std::time::Duration;

/// Every reason why a plan cannot be run here; none if it can.
#[must_use]
pub fn refusals(plan: &Plan) -> Vec<Refusal> {
    let topology = &plan.topology;
    let services = topology.services.iter().filter(|s| s.protocol != Protocol::Http);
    let protocols = services.map(|s| Refusal(format!("\"{}\" does not speak HTTP/1.1, all that is run here", s.name)));
    let policies = plan.policies.iter().filter_map(|p| policy(&p.says, topology).err());
    let faults = plan.faults.iter().filter_map(|f| fault(&f.does).err());
    let want = Desired { topology, policies: plan.policies.iter().map(|p| &p.says).collect(), faults: &plan.faults };
    let ways = topology.services.iter().filter_map(|service| routes::outbound(&want, service).err());
    let ends = topology.instances().filter_map(|(id, ..)| faults::inbound(&plan.faults, &id, topology).err());
    protocols.chain(policies).chain(faults).chain(ways).chain(ends).collect()
}

/// Whether a policy can be said in Envoy's words.
pub(super) fn policy(policy: &PolicyKind, topology: &Topology) -> Result<(), Refusal> {
    match policy {
        PolicyKind::Retries { of, .. } => whole_service(of, "retries"),
        PolicyKind::Timeout { of, after } => limit(of, *after, "a time limit"),
        PolicyKind::IdleTimeout { of, after } => limit(of, *after, "an idle limit"),
        PolicyKind::RetryBudget { of, .. } => every_call(of, "a retry budget"),
        PolicyKind::Balance { of, .. } => every_call(of, "an algorithm of balancing"),
        PolicyKind::Ejection { after: 0, of, .. } => refuse(format!("ejection of \"{of}\" after no failure at all")),
        PolicyKind::Route { of, to } => whole_service(of, "a route").and_then(|()| route(to, topology)),
        PolicyKind::Ejection { .. } | PolicyKind::InFlight { .. } | PolicyKind::Connections { .. } => Ok(()),
    }
}

/// Whether a fault can be said in Envoy's words.
pub(super) fn fault(fault: &FaultKind) -> Result<(), Refusal> {
    let FaultKind::Touch { on, touch } = fault else { return Ok(()) };
    match touch {
        // Envoy's own rules (FaultAbort.http_status, FaultDelay.fixed_delay).
        Touch::Abort(status) if !(200..600).contains(status) => refuse(format!("{status} is no status to abort with")),
        Touch::Delay(Duration::ZERO) => refuse("a delay of nothing"),
        _ if on.level == Level::Calls => part(&on.of).map_or(Ok(()), |target| {
            refuse(format!("a fault on calls to {target}: a caller's proxy has not chosen an instance yet, tries have"))
        }),
        Touch::Abort(_) | Touch::Delay(_) => Ok(()),
    }
}

fn limit(of: &Traffic, after: Duration, what: &str) -> Result<(), Refusal> {
    if of.share != Fraction::ALL {
        return refuse(format!("{what} for {} of the calls: it holds for all of them", of.share));
    }
    if after.is_zero() {
        return refuse(format!("{what} of no time at all: to Envoy that is none"));
    }
    whole_service(&of.of, what)
}

fn route(legs: &[Destination], topology: &Topology) -> Result<(), Refusal> {
    let whole: u64 = legs.iter().map(|leg| u64::from(leg.share.ppm())).sum();
    if whole != u64::from(Fraction::ALL.ppm()) {
        return refuse("a split whose shares do not add up to the whole");
    }
    match legs.iter().find(|leg| topology.service(&leg.target.service).is_none()) {
        Some(leg) => refuse(format!("a route to {}, which is no service of the scenario", leg.target)),
        None => Ok(()),
    }
}

/// Policies of clusters hold for every call of a caller to a service.
fn every_call(of: &Calls, what: &str) -> Result<(), Refusal> {
    if !of.filter.is_empty() {
        return refuse(format!("{what} for some of the calls to a service: it holds for all of them"));
    }
    whole_service(of, what)
}

/// Policies of routes are in force before an instance is chosen.
fn whole_service(of: &Calls, what: &str) -> Result<(), Refusal> {
    part(of).map_or(Ok(()), |target| refuse(format!("{what} for {target}: it holds for all of \"{}\"", target.service)))
}

/// The part of a service that calls are to, where it is not the whole.
fn part(of: &Calls) -> Option<&Target> {
    let is_whole = |target: &Target| matches!(target.which, Which::Service | Which::Every) && target.place.is_none();
    of.to.as_ref().filter(|target| !is_whole(target))
}

fn refuse(why: impl Into<String>) -> Result<(), Refusal> {
    Err(Refusal(why.into()))
}
