//! What of somebody else's a plan edits: pods that are restarted. Pure.

use squall_model::{Fault, FaultKind, Members, Plan, Service, every_run};

/// The services of others some of whose pods a plan restarts, in the order of the topology; with `controls` in its control runs, too.
pub fn restarted_in(plan: &Plan, controls: bool) -> Vec<&Service> {
    if plan.topology.theirs().next().is_none() {
        return Vec::new();
    }
    let runs = every_run(plan).take(if controls { usize::MAX } else { 1 });
    let faults: Vec<Fault> = runs.flat_map(|run| run.faults).collect();
    let is_meant = |service: &Service| {
        faults.iter().any(|fault| {
            matches!(&fault.does, FaultKind::Restarted { of: Members::Of(target), .. } if target.service == service.name)
        })
    };
    plan.topology.theirs().map(|(service, _)| service).filter(|service| is_meant(service)).collect()
}
