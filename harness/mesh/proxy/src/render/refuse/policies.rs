//! Policies, each by itself.

use super::{super::clusters::is_between_places, every_call, refuse, whole_service};
use squall_mesh::Refusal;
use squall_model::{
    Calls, Destination, Fraction, PolicyKind, Probe, Protocol, ServiceName, Stick, Topology, Traffic, duration,
};
use std::time::Duration;

/// Whether a policy can be said in Envoy's words.
pub(super) fn policy(policy: &PolicyKind, topology: &Topology) -> Result<(), Refusal> {
    match policy {
        PolicyKind::Retries { of, .. } => whole_service(of, "retries"),
        PolicyKind::Timeout { of, after } => limit(of, *after, "a time limit"),
        PolicyKind::IdleTimeout { of, after } => limit(of, *after, "an idle limit"),
        PolicyKind::RetryBudget { of, .. } => every_call(of, "a retry budget"),
        PolicyKind::Balance { of, .. } => every_call(of, "an algorithm of balancing"),
        PolicyKind::Prefer { of, .. } => every_call(of, "an order of places"),
        PolicyKind::Sticky { of, to: Stick::Instance, .. } => every_call(of, "stickiness to an instance"),
        PolicyKind::Sticky { of, to: Stick::Version, .. } => whole_service(of, "stickiness to a version"),
        PolicyKind::KeepDeadline { of } => whole_service(of, "keeping of a deadline"),
        PolicyKind::Ejection { after: 0, of, .. } => refuse(format!("ejection of \"{of}\" after no failure at all")),
        PolicyKind::Route { of, to } => whole_service(of, "a route").and_then(|()| route(of, to, topology)),
        PolicyKind::Check { of, every, by, out_after, back_after } => {
            check(of, *every, by, (*out_after).min(*back_after), topology)
        }
        PolicyKind::WarmUp { of, over } => warm_up(of, *over),
        PolicyKind::Ejection { .. }
        | PolicyKind::InFlight { .. }
        | PolicyKind::Connections { .. }
        | PolicyKind::Panic { .. } => Ok(()),
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

fn route(of: &Calls, legs: &[Destination], topology: &Topology) -> Result<(), Refusal> {
    let whole: u64 = legs.iter().map(|leg| u64::from(leg.share.ppm())).sum();
    if whole != u64::from(Fraction::ALL.ppm()) {
        return refuse("a split whose shares do not add up to the whole");
    }
    if let Some(leg) = legs.iter().find(|leg| topology.service(&leg.target.service).is_none()) {
        return refuse(format!("a route to {}, which is no service of the scenario", leg.target));
    }
    if is_between_places(legs) { places(of, legs) } else { Ok(()) }
}

/// The shares of places are those of a cluster: of all calls of a caller to a service.
fn places(of: &Calls, legs: &[Destination]) -> Result<(), Refusal> {
    every_call(of, "a split between places")?;
    let to = &legs[0].target.service;
    if of.to.as_ref().is_none_or(|target| target.service != *to) {
        return refuse(format!(
            "a split between places of \"{to}\" for calls to others: it holds for calls to \"{to}\""
        ));
    }
    Ok(())
}

fn check(of: &ServiceName, every: Duration, by: &Probe, least: u32, topology: &Topology) -> Result<(), Refusal> {
    // Envoy's own rules: HealthCheck.interval and timeout are at least 1 ms, HttpHealthCheck.path is not empty.
    if every < Duration::from_millis(1) {
        return refuse(format!(
            "checks of \"{of}\" every {}: Envoy's timers know of nothing below 1 ms",
            duration(every)
        ));
    }
    if least == 0 {
        return refuse(format!("checks of \"{of}\" of which none at all decides"));
    }
    let speaks = topology.service(of).map(|service| service.protocol);
    match by {
        Probe::Grpc if speaks != Some(Protocol::Grpc) => {
            refuse(format!("checks of \"{of}\" by grpc: it does not speak gRPC"))
        }
        Probe::Http(path) if !path.starts_with('/') => {
            refuse(format!("checks of \"{of}\" on `{path}`, which is no path"))
        }
        Probe::Http(_) | Probe::Grpc | Probe::Tcp => Ok(()),
    }
}

fn warm_up(of: &ServiceName, over: Duration) -> Result<(), Refusal> {
    if over.is_zero() {
        refuse(format!("a warm-up of \"{of}\" of no time at all: to Envoy that is none"))
    } else {
        Ok(())
    }
}
