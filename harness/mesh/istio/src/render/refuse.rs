//! What Istio has no words for, found before anything is touched.

use super::{Config, Site, callers, render};
use squall_mesh::{Bindings, Desired, Endpoint, Refusal, Seat};
use squall_mesh_proxy::render as table;
use squall_model::{Fraction, HashKey, InstanceId, Plan, PolicyKind, RetryOn, Stick, damaged_wires};
use std::{collections::BTreeSet, net::SocketAddr, time::Duration};

/// Every reason why a plan cannot be run here; none if it can.
#[must_use]
pub fn refusals(plan: &Plan) -> Vec<Refusal> {
    let want = Desired::of(plan);
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

/// Why nothing sticks by where it comes from.
pub(super) const SOURCE_ADDRESS: &str =
    "Istio hashes the address of a connection, and here clients come over a Unix socket";

fn policy_of(policy: &PolicyKind) -> Option<Refusal> {
    let why = match policy {
        PolicyKind::InFlight { at_most: 0, .. }
        | PolicyKind::Connections { at_most: 0, .. }
        | PolicyKind::Connections { waiting: 0, .. }
        | PolicyKind::RetryBudget { at_least: 0, .. }
        | PolicyKind::Ejection { at_most: Fraction::ZERO, .. } => {
            "a limit of 0: Istio takes it for one that nobody wrote".into()
        }
        PolicyKind::Panic { below, .. } if !below.ppm().is_multiple_of(10_000) => {
            "Istio has panic thresholds of whole percents".into()
        }
        PolicyKind::Timeout { after, .. } if !is_whole(*after) => PRECISION.into(),
        PolicyKind::Ejection { lasts, .. } if !is_whole(*lasts) => PRECISION.into(),
        PolicyKind::WarmUp { over, .. } if !is_whole(*over) => PRECISION.into(),
        PolicyKind::Retries { on, .. } => return on.iter().find_map(unknown_status),
        PolicyKind::Check { of, .. } => {
            format!("Istio's sidecars do not check the health of others: \"{of}\" would be checked by nobody")
        }
        PolicyKind::IdleTimeout { .. } => "Istio has no idle limit of a route".into(),
        PolicyKind::KeepDeadline { .. } => "Istio passes no deadline on".into(),
        PolicyKind::Sticky { to: Stick::Version, .. } => "Istio draws the legs of a split anew for each call".into(),
        PolicyKind::Sticky { by: HashKey::SourceAddress, .. } => SOURCE_ADDRESS.into(),
        _ => return None,
    };
    Some(Refusal(why))
}

/// What Istio takes for a time.
const PRECISION: &str = "Istio has times of whole milliseconds, and of at least one";

fn is_whole(time: Duration) -> bool {
    time >= Duration::from_millis(1) && time.subsec_nanos().is_multiple_of(1_000_000)
}

/// Istio takes a status for a condition of retries only if the standard library of Go has a name for it.
fn unknown_status(on: &RetryOn) -> Option<Refusal> {
    let RetryOn::Status(status) = on else { return None };
    let named = matches!(status, 400..=418 | 421..=426 | 428 | 429 | 431 | 451 | 500..=508 | 510 | 511);
    (!named).then(|| Refusal(format!("Istio does not retry on {status}: it knows only statuses that have a name")))
}

/// Why only the wire to an instance that has one caller can be damaged.
pub(super) const ONE_ADDRESS: &str = "istiod tells every caller the same address of an instance, so a wire leads through a link only where there is one caller";

/// The wires that the plan or any of its control runs damages, where they are not the only ones to their callees.
fn wires(plan: &Plan) -> Option<Refusal> {
    let topology = &plan.topology;
    let to: BTreeSet<InstanceId> = damaged_wires(plan, topology).into_iter().map(|wire| wire.to).collect();
    let callers = |to: &InstanceId| callers(topology, to).count();
    let shared = to.iter().find(|to| callers(to) > 1)?;
    Some(Refusal(format!("damage to a wire to {shared}: {ONE_ADDRESS}")))
}

/// Renders at addresses of nobody.
pub(super) fn rehearsed(want: &Desired<'_>) -> Result<Config, Refusal> {
    let mut at = Bindings { tag: "rehearsal".into(), ..Bindings::default() };
    for (number, (id, ..)) in (1_u16..).zip(want.topology.instances()) {
        let seat = Seat {
            node: format!("p{number}"),
            folder: "/nowhere".into(),
            inbound: SocketAddr::from(([127, 0, (number >> 8) as u8, number as u8], crate::INBOUND)),
            workload: Some(Endpoint::Unix("/nowhere/app.sock".into())),
        };
        at.seats.insert(id, seat);
    }
    render(want, &at, &Site::alone())
}
