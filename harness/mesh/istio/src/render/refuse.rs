//! What Istio has no words for, found before anything is touched.

use super::{Config, render};
use squall_mesh::{Bindings, Desired, Endpoint, Refusal, Seat};
use squall_mesh_proxy::render as table;
use squall_model::{FaultKind, HashKey, Plan, PolicyKind, Stick};
use std::net::SocketAddr;

/// Every reason why a plan cannot be run here; none if it can.
#[must_use]
pub fn refusals(plan: &Plan) -> Vec<Refusal> {
    let policies = plan.policies.iter().map(|policy| &policy.says).collect();
    let want = Desired { topology: &plan.topology, policies, faults: &plan.faults };
    let mut all = table::refusals(plan);
    all.extend(said(&want));
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
    let faults = want.faults.iter().filter_map(|fault| fault_of(&fault.does));
    let defaults = (!want.topology.own_defaults.is_empty()).then(|| {
        Refusal("the mesh's own defaults are Istio's here, and not Envoy's: two retries, and limits of its own".into())
    });
    policies.chain(faults).chain(defaults).collect()
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

fn fault_of(fault: &FaultKind) -> Option<Refusal> {
    let FaultKind::Wire { .. } = fault else { return None };
    let why = "istiod tells every caller the same address of an instance, so no single wire can lead through a link";
    Some(Refusal(format!("damage to a wire: {why}")))
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
