//! What policies cannot say together of one caller's calls to one service.

use super::{
    super::{
        clusters::{balancer, has_parts, places, preferred},
        concerns,
    },
    refuse,
};
use squall_mesh::{Desired, Refusal};
use squall_model::{Balancer, Edge, PolicyKind, Stick};

/// Whether the policies on this way can hold together.
pub(super) fn edge(want: &Desired<'_>, edge: &Edge) -> Result<(), Refusal> {
    let by = balancer(want, &edge.from, &edge.to);
    let between = format!("calls from \"{}\" to \"{}\"", edge.from, edge.to);
    let hashes = matches!(by, Some(Balancer::RingHash | Balancer::Maglev));
    if sticks_to_instances(want, edge) && !hashes {
        return refuse(format!(
            "{between} stick to an instance, which takes \"ring hash\" or \"Maglev\" to balance them"
        ));
    }
    // config/cluster/v3/cluster.proto: only RoundRobinLbConfig and LeastRequestLbConfig have a slow_start_config.
    if warms_up(want, edge) && !matches!(by, None | Some(Balancer::RoundRobin | Balancer::LeastRequest)) {
        let to = &edge.to;
        return refuse(format!("{between} find \"{to}\" warming up, which takes \"round robin\" or \"least request\""));
    }
    if places(want, &edge.from, &edge.to).is_none() {
        return Ok(());
    }
    if !preferred(want, &edge.from, &edge.to).is_empty() {
        return refuse(format!("{between} prefer a place and are split between places: it is one or the other"));
    }
    let to_a_part = |policy: &&&PolicyKind| {
        let of = matches!(policy, PolicyKind::Route { of, .. } if concerns(of, &edge.from, &edge.to));
        of && has_parts(policy, &edge.to)
    };
    match want.policies.iter().find(to_a_part) {
        Some(_) => {
            refuse(format!("{between} are split between places, and others of them go to a part of \"{}\"", edge.to))
        }
        None => Ok(()),
    }
}

fn sticks_to_instances(want: &Desired<'_>, edge: &Edge) -> bool {
    want.policies.iter().any(|policy| match policy {
        PolicyKind::Sticky { of, to: Stick::Instance, .. } => concerns(of, &edge.from, &edge.to),
        _ => false,
    })
}

fn warms_up(want: &Desired<'_>, edge: &Edge) -> bool {
    want.policies.iter().any(|policy| matches!(policy, PolicyKind::WarmUp { of, .. } if *of == edge.to))
}
