//! What Envoy has no words for, found before anything is touched: what is not refused here is done as it was written.

mod deployed;
mod edges;
mod policies;

use super::{concerns, faults, routes};
use squall_mesh::{Desired, Refusal};
use squall_model::{
    AnswerCode, Calls, FaultKind, Level, Plan, Protocol, Service, ServiceName, Target, Topology, Touch, Which,
};
use std::time::Duration;

/// Every reason why a plan cannot be run here; none if it can.
#[must_use]
pub fn refusals(plan: &Plan) -> Vec<Refusal> {
    let (topology, want) = (&plan.topology, Desired::of(plan));
    let said = all(&want);
    let first = |service: &Service| service.ids().next();
    let callers = topology.services.iter().filter_map(|service| Some((first(service)?, service)));
    let ways = callers.filter_map(|(id, service)| routes::outbound(&want, &id, service).err());
    let ends = topology.instances().filter_map(|(id, ..)| faults::inbound(&want, &id).err());
    let claims = plan.claims.iter().filter_map(|claim| deployed::claim(claim, topology));
    let theirs = deployed::shared(&plan.faults, topology).into_iter().chain(deployed::in_controls(plan));
    let all = said.into_iter().chain(ways).chain(ends).chain(claims).chain(theirs);
    // A control run may do what the main run does.
    all.fold(Vec::new(), |mut told, why| {
        if !told.contains(&why) {
            told.push(why);
        }
        told
    })
}

/// Why a plan cannot be run where nobody else's application is in reach.
#[must_use]
pub fn of_nowhere(plan: &Plan) -> Option<Refusal> {
    let (service, _) = plan.topology.theirs().next()?;
    Some(Refusal(format!("\"{}\" is deployed on a cluster, and is joined there (`--on kubernetes`)", service.name)))
}

/// The first reason why what is wanted cannot be rendered, short of what rendering itself finds.
pub(super) fn first(want: &Desired<'_>) -> Result<(), Refusal> {
    all(want).into_iter().next().map_or(Ok(()), Err)
}

/// What services speak, what policies and faults say each by itself, and what policies say together.
fn all(want: &Desired<'_>) -> Vec<Refusal> {
    let topology = want.topology;
    let protocols = topology.services.iter().filter_map(protocol);
    let defaults = topology.own_defaults.iter().filter_map(|of| own_defaults(of).err());
    let policies = want.policies.iter().filter_map(|policy| policies::policy(policy, topology).err());
    let faults = want.faults.iter().filter_map(|f| fault(&f.does, topology).err());
    let theirs = want.policies.iter().filter_map(|policy| deployed::policy(policy, topology));
    let theirs = theirs.chain(want.faults.iter().filter_map(|f| deployed::fault(&f.does, topology)));
    let edges = topology.edges().filter_map(|edge| edges::edge(want, &edge).err());
    protocols.chain(defaults).chain(policies).chain(faults).chain(theirs).chain(edges).collect()
}

fn protocol(service: &Service) -> Option<Refusal> {
    let why = "sessions come later: what is run here is HTTP/1.1, HTTP/2 and gRPC";
    (service.protocol == Protocol::Tcp).then(|| Refusal(format!("\"{}\" speaks TCP: {why}", service.name)))
}

/// Defaults are those of a caller's cluster for a service.
fn own_defaults(of: &Calls) -> Result<(), Refusal> {
    every_call(of, "Envoy's own defaults")
}

/// Whether a fault can be said in Envoy's words.
fn fault(fault: &FaultKind, topology: &Topology) -> Result<(), Refusal> {
    let FaultKind::Touch { on, touch } = fault else { return Ok(()) };
    if let Some(target) = part(&on.of).filter(|_| on.level == Level::Calls) {
        let why = "a caller's proxy has not chosen an instance yet, tries have";
        return refuse(format!("a fault on calls to {target}: {why}"));
    }
    match touch {
        // Envoy's own rules (FaultAbort.http_status, FaultDelay.fixed_delay).
        Touch::Abort(AnswerCode::Status(status)) if !(200..600).contains(status) => {
            refuse(format!("{status} is no status to abort with"))
        }
        Touch::Delay(Duration::ZERO) => refuse("a delay of nothing"),
        Touch::Abort(AnswerCode::Grpc(status)) => match not_grpc(&on.of, topology) {
            // A plain request would be answered with HTTP's 200 and a text: a fault that looks like success.
            Some(name) => refuse(format!("an abort with the status {status} of gRPC: \"{name}\" does not speak gRPC")),
            None => Ok(()),
        },
        Touch::Abort(_) | Touch::Delay(_) => Ok(()),
    }
}

/// A service among those that these calls are made to which does not speak gRPC.
fn not_grpc<'t>(of: &Calls, topology: &'t Topology) -> Option<&'t ServiceName> {
    let called = topology.edges().filter(|edge| concerns(of, &edge.from, &edge.to)).map(|edge| edge.to);
    // What services of others call among themselves is no edge.
    let named = of.to.iter().map(|target| target.service.clone());
    let mut services = called.chain(named).filter_map(|to| topology.service(&to));
    services.find(|service| service.protocol != Protocol::Grpc).map(|service| &service.name)
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
