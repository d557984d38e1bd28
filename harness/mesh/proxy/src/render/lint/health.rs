//! What needs somebody to say which instances are healthy, and has nobody.

use super::{super::clusters::is_between_places, Found, called};
use squall_model::{Calls, Destination, FaultKind, Place, Plan, PolicyKind, Probe, ServiceName};

/// An answer that is not SERVING is no failure of the network, and only those are counted (`GrpcHealthCheck`; for HTTP
/// `retriable_statuses` says otherwise).
pub(super) fn check(of: &ServiceName, by: &Probe, out_after: u32) -> Option<Found> {
    (*by == Probe::Grpc && out_after > 1).then(|| Found {
        code: "grpc-check-at-once",
        message: format!("an instance of \"{of}\" that answers a check with anything but SERVING is out at once"),
        label: format!("{out_after} failures are counted only where there is no answer"),
        hint: "`out after 1 failure` says what happens; checks by http count every failure".into(),
    })
}

/// Panic is about instances that are known to be unhealthy (load balancing, panic threshold).
pub(super) fn panic(plan: &Plan, of: &ServiceName) -> Option<Found> {
    (!knows_health(plan, of)).then(|| Found {
        code: "panic-without-health",
        message: format!(
            "no line says when an instance of \"{of}\" is unhealthy: to its callers all of them are healthy"
        ),
        label: "never comes to pass".into(),
        hint: ejection_or_check(of),
    })
}

/// A host is new when it comes to be, or when it passes a check that it had failed; not when its ejection ends
/// (load balancing, slow start mode).
pub(super) fn warm_up(plan: &Plan, of: &ServiceName) -> Option<Found> {
    let grows =
        plan.faults.iter().any(|fault| matches!(&fault.does, FaultKind::Resized { service, .. } if service == of));
    let comes_back =
        plan.faults.iter().any(|fault| matches!(fault.does, FaultKind::Down { .. } | FaultKind::Restarted { .. }));
    (!grows && !comes_back && !is_checked(plan, of)).then(|| Found {
        code: "warm-up-of-nobody",
        message: format!(
            "\"{of}\" does not grow, and is not checked: no instance of it is ever new, nor back from a failed check"
        ),
        label: "never comes to pass".into(),
        hint: format!("an ejection that ends makes no host new; `\"{of}\" grows to …` or a line on checks does"),
    })
}

/// A place is passed over when its hosts are known to be unhealthy (load balancing, priority levels).
pub(super) fn prefer(plan: &Plan, of: &Calls, places: &[Place]) -> Option<Found> {
    let services = called(plan, of);
    let is_in = |service: &&ServiceName, place: &Place| {
        let instances = plan.topology.service(service).map_or(&[][..], |service| &service.instances);
        instances.iter().any(|instance| instance.place.as_ref() == Some(place))
    };
    if let Some(place) = places.iter().find(|place| !services.iter().any(|service| is_in(service, place))) {
        return Some(Found {
            code: "preferred-place-of-nobody",
            message: format!("none of the instances that are called is in {place}"),
            label: "nobody is preferred".into(),
            hint: "`\"…\" has 1 instance in zone \"…\"` puts one there".into(),
        });
    }
    services.into_iter().find(|service| !knows_health(plan, service)).map(stays)
}

/// Between places the share of one without healthy hosts goes to the others. Where nothing breaks, nobody misses that.
pub(super) fn split(plan: &Plan, to: &[Destination]) -> Option<Found> {
    if plan.faults.is_empty() {
        return None;
    }
    let of = to.first().filter(|_| is_between_places(to)).map(|leg| &leg.target.service)?;
    (!knows_health(plan, of)).then(|| stays(of))
}

fn stays(of: &ServiceName) -> Found {
    Found {
        code: "failover-without-health",
        message: format!(
            "no line says when an instance of \"{of}\" is unhealthy: calls stay with a place that is down"
        ),
        label: "nothing moves them".into(),
        hint: ejection_or_check(of),
    }
}

fn ejection_or_check(of: &ServiceName) -> String {
    format!("`an instance of \"{of}\" is ejected …` or `each instance of \"{of}\" is checked …` does")
}

fn knows_health(plan: &Plan, service: &ServiceName) -> bool {
    let ejected = |policy: &PolicyKind| matches!(policy, PolicyKind::Ejection { of, .. } if of == service);
    is_checked(plan, service) || plan.policies.iter().any(|policy| ejected(&policy.says))
}

fn is_checked(plan: &Plan, service: &ServiceName) -> bool {
    plan.policies.iter().any(|policy| matches!(&policy.says, PolicyKind::Check { of, .. } if of == service))
}
