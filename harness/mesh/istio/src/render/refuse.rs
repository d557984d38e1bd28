//! What Istio has no words for, found before anything is touched.

use super::{Config, render};
use squall_mesh::{Bindings, Desired, Endpoint, Refusal, Seat};
use squall_mesh_proxy::render as table;
use squall_model::{FaultKind, HashKey, InstanceId, Plan, PolicyKind, Stick, controls, vary};
use std::{collections::BTreeSet, net::SocketAddr};

/// Every reason why a plan cannot be run here; none if it can.
#[must_use]
pub fn refusals(plan: &Plan) -> Vec<Refusal> {
    let policies = plan.policies.iter().map(|policy| &policy.says).collect();
    let want = Desired { topology: &plan.topology, policies, faults: &plan.faults };
    let mut all = table::refusals(plan);
    all.extend(said(&want));
    all.extend(wires(plan));
    if all.is_empty() {
        // What the words of a rule or a route cannot say is found by saying it, with addresses of nobody.
        all.extend(rehearsed(&want).err());
    }
    all
}

/// The first reason.
pub(super) fn first(want: &Desired<'_>) -> Result<(), Refusal> {
    said(want).into_iter().next().map_or(Ok(()), Err)
}

fn said(want: &Desired<'_>) -> Vec<Refusal> {
    let policies = want.policies.iter().filter_map(|policy| policy_of(policy));
    let defaults = (!want.topology.own_defaults.is_empty()).then(|| {
        Refusal("the mesh's own defaults are Istio's here, and not Envoy's: two retries, and limits of its own".into())
    });
    policies.chain(defaults).collect()
}

fn policy_of(policy: &PolicyKind) -> Option<Refusal> {
    let why = match policy {
        PolicyKind::Check { of, .. } => {
            format!("Istio's sidecars do not check the health of others: \"{of}\" would be checked by nobody")
        }
        PolicyKind::IdleTimeout { .. } => "Istio has no idle limit of a route".into(),
        PolicyKind::KeepDeadline { .. } => "Istio passes no deadline on".into(),
        PolicyKind::Sticky { to: Stick::Version, .. } => "Istio draws the legs of a split anew for each call".into(),
        PolicyKind::Sticky { by: HashKey::SourceAddress, .. } => {
            "Istio hashes the address of a connection, and clients come over a Unix socket".into()
        }
        _ => return None,
    };
    Some(Refusal(why))
}

/// Why only the wire to an instance that has one caller can be damaged.
pub(super) const ONE_ADDRESS: &str = "istiod tells every caller the same address of an instance, so a wire leads through a link only where there is one caller";

/// The wires that the plan or any of its control runs damages, where they are not the only ones to their callees.
fn wires(plan: &Plan) -> Option<Refusal> {
    let varied = controls(plan).into_iter().map(|variation| vary(plan, variation));
    let plans: Vec<Plan> = std::iter::once(plan.clone()).chain(varied).collect();
    let topology = &plan.topology;
    let damaged = plans.iter().flat_map(|plan| &plan.faults).flat_map(|fault| match &fault.does {
        FaultKind::Wire { of, .. } => vec![of.clone()],
        FaultKind::Outage { of } => of.wires(topology),
        _ => Vec::new(),
    });
    let to: BTreeSet<InstanceId> = damaged.flat_map(|wires| wires.all(topology)).map(|wire| wire.to).collect();
    let callers = |to: &InstanceId| {
        topology.callers(&to.service).flat_map(|caller| caller.ids()).filter(|from| from != to).count()
    };
    let shared = to.iter().find(|to| callers(to) > 1)?;
    Some(Refusal(format!("damage to a wire to {shared}: {ONE_ADDRESS}")))
}

/// Renders at addresses of nobody.
fn rehearsed(want: &Desired<'_>) -> Result<Config, Refusal> {
    let mut at = Bindings { tag: "rehearsal".into(), ..Bindings::default() };
    for (number, (id, ..)) in (1_u16..).zip(want.topology.instances()) {
        let seat = Seat {
            node: format!("p{number}"),
            folder: "/nowhere".into(),
            inbound: SocketAddr::from(([127, 0, (number >> 8) as u8, number as u8], crate::address::PORT)),
            workload: Some(Endpoint::Unix("/nowhere/app.sock".into())),
        };
        at.seats.insert(id, seat);
    }
    render(want, &at)
}
