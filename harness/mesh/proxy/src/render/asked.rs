//! What the fault port says of tries that reach services which somebody else deployed: faults at proxies that are not ours. Pure.

use super::{
    faults::{SlotTouch, touching},
    requests::kind,
};
use crate::port::Order;
use squall_model::{
    Calls, Fault, FaultId, FaultKind, InstanceId, Level, Plan, Service, ServiceName, Topology, every_run,
};
use std::collections::BTreeSet;

/// The services of others whose proxies have to ask about what the faults of a plan mean, in the order of the topology.
pub fn asking<'f, 't>(faults: impl Iterator<Item = &'f Fault>, topology: &'t Topology) -> Vec<&'t Service> {
    let meant: Vec<&Calls> = faults.filter_map(on_tries).collect();
    let is_meant = |service: &Service| meant.iter().any(|of| !callers(of, &service.name, topology).is_empty());
    topology.theirs().map(|(service, _)| service).filter(|service| is_meant(service)).collect()
}

/// The same of a plan, and with `controls` of its control runs, too.
pub fn asking_in(plan: &Plan, controls: bool) -> Vec<&Service> {
    asking(faults_in(plan, controls).iter(), &plan.topology)
}

/// The faults of a plan, and with `controls` of its control runs, too.
pub(super) fn faults_in(plan: &Plan, controls: bool) -> Vec<Fault> {
    every_run(plan).take(if controls { usize::MAX } else { 1 }).flat_map(|run| run.faults).collect()
}

/// The tries that a fault means, where it is one on tries.
fn on_tries(fault: &Fault) -> Option<&Calls> {
    match &fault.does {
        FaultKind::Touch { on, .. } if on.level == Level::Tries => Some(&on.of),
        _ => None,
    }
}

/// Whose tries are meant of those that reach this service of others: of the one that is named, be it theirs, too; else of ours that call it.
pub(crate) fn callers(of: &Calls, callee: &ServiceName, topology: &Topology) -> Vec<ServiceName> {
    if of.to.as_ref().is_some_and(|target| target.service != *callee) || topology.deployed(callee).is_none() {
        return Vec::new();
    }
    let calls_it = |caller: &ServiceName| topology.callers(callee).any(|service| service.name == *caller);
    match &of.from {
        // Whom they call among themselves nobody has said but whoever names both.
        Some(from) if topology.deployed(from).is_some() => of.to.iter().map(|_| from.clone()).collect(),
        Some(from) => Some(from.clone()).filter(calls_it).into_iter().collect(),
        None => topology.callers(callee).map(|service| service.name.clone()).collect(),
    }
}

/// What is said of each try, with exactly these faults in place. Those that delay come first, as at our own proxies.
pub fn orders(faults: &[Fault], topology: &Topology, armed: &BTreeSet<FaultId>) -> Vec<Order> {
    let touches = faults.iter().filter(|fault| armed.contains(&fault.id) && on_tries(fault).is_some());
    let mut all: Vec<Order> = touches.flat_map(|fault| orders_of(fault, topology)).collect();
    all.sort_by_key(|order| matches!(order.does, SlotTouch::Abort(_)));
    all
}

/// One for each caller and callee: whose tries are meant depends on what they reach.
fn orders_of(fault: &Fault, topology: &Topology) -> Vec<Order> {
    let (Some((id, does, of)), Some(share)) = (touching(fault), fault.does.share()) else { return Vec::new() };
    let only = kind(&of.filter);
    let mut all = Vec::new();
    for (service, _) in topology.theirs() {
        let at: BTreeSet<InstanceId> = match &of.to {
            Some(target) => target.instances(topology).into_iter().collect(),
            None => service.ids().collect(),
        };
        let order = |from| Order { fault: id, at: at.clone(), from: Some(from), only: only.clone(), share, does };
        all.extend(callers(of, &service.name, topology).into_iter().map(order));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_model::{AnswerCode, Deployed, Fraction, Instance, Target, Touch, Traffic, When};
    use std::time::Duration;

    /// `web`, which is ours, calls `front`; `front` and `reviews` are theirs, `ours` is not.
    fn topology() -> Topology {
        let theirs = |name: &str| Service {
            deployed: Some(Deployed { namespace: "shop".into(), port: 80, ..Deployed::default() }),
            instances: vec![Instance::default(); 2],
            ..Service::new(name.into())
        };
        let web = Service { calls: vec!["front".into(), "ours".into()], ..Service::new("web".into()) };
        let services = vec![web, Service::new("ours".into()), theirs("front"), theirs("reviews")];
        Topology { services, ..Topology::default() }
    }

    fn fault(id: u32, level: Level, of: Calls, touch: Touch) -> Fault {
        let on = Traffic { share: Fraction::ALL, level, of };
        Fault { id: FaultId(id), does: FaultKind::Touch { on, touch }, when: When::Standing }
    }

    fn calls(from: Option<&str>, to: Option<&str>) -> Calls {
        Calls { from: from.map(Into::into), to: to.map(|to| Target::service(to.into())), ..Calls::default() }
    }

    #[test]
    fn who_is_asked_about_whose_tries() {
        let topology = topology();
        let asked = |level, of: Calls| -> Vec<String> {
            let faults = [fault(0, level, of, Touch::Abort(AnswerCode::Status(503)))];
            asking(faults.iter(), &topology).iter().map(|service| service.name.to_string()).collect()
        };
        assert_eq!(asked(Level::Tries, calls(None, None)), ["front"], "all that ours call");
        assert_eq!(asked(Level::Tries, calls(Some("web"), None)), ["front"]);
        assert_eq!(asked(Level::Tries, calls(None, Some("front"))), ["front"]);
        assert_eq!(asked(Level::Tries, calls(Some("front"), Some("reviews"))), ["reviews"], "among themselves");
        for nobody in [calls(None, Some("ours")), calls(None, Some("reviews")), calls(Some("front"), None)] {
            assert_eq!(asked(Level::Tries, nobody), [""; 0]);
        }
        assert_eq!(asked(Level::Calls, calls(None, Some("front"))), [""; 0], "those are our own proxies'");
    }

    #[test]
    fn what_is_armed_is_ordered_and_delays_come_first() {
        let abort = fault(0, Level::Tries, calls(None, Some("front")), Touch::Abort(AnswerCode::Status(503)));
        let delay = fault(1, Level::Tries, calls(None, None), Touch::Delay(Duration::from_millis(5)));
        let (faults, topology) = ([abort, delay], topology());
        let told = |armed: &[u32]| -> Vec<(u32, String, usize)> {
            let armed = armed.iter().map(|id| FaultId(*id)).collect();
            let all = orders(&faults, &topology, &armed).into_iter();
            all.map(|o| (o.fault.0, o.from.map(|from| from.to_string()).unwrap_or_default(), o.at.len())).collect()
        };
        assert_eq!(told(&[]), []);
        assert_eq!(told(&[0, 1]), [(1, "web".into(), 2), (0, "web".into(), 2)]);
    }
}
