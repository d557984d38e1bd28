//! The ways of one caller's calls to one service: a route for each kind of request that a policy tells apart.

use super::{
    USER, cluster_of,
    clusters::{balancer, subset},
    concerns,
    requests::{Kind, kind, kinds},
    table::{Action, Leg, RequestMatch, Retry, Route},
};
use squall_mesh::{Desired, Refusal};
use squall_model::{Balancer, Calls, Destination, Filter, Level, PolicyKind, RetryOn, ServiceName, Target};

/// The whole of a split, in parts per million.
pub(super) const WHOLE: u32 = 1_000_000;

/// The routes, the most special first, the one for every other request last.
pub(super) fn ways(want: &Desired<'_>, caller: &ServiceName, to: &ServiceName) -> Result<Vec<Route>, Refusal> {
    let kinds = kinds(filters(want, caller, to))?;
    Ok(kinds.into_iter().map(|kind| way(want, caller, to, kind)).collect())
}

/// What policies ask of this caller's calls to this service, where they do not mean all of them.
pub(super) fn filters<'w>(
    want: &'w Desired<'_>,
    caller: &'w ServiceName,
    to: &'w ServiceName,
) -> impl Iterator<Item = &'w Filter> {
    want.policies
        .iter()
        .filter_map(|policy| of_route(policy))
        .filter(|of| concerns(of, caller, to))
        .map(|of| &of.filter)
}

/// The route for one kind of request: by the policies for it and for whatever it is a kind of, the more special ones last;
/// among equals the later line counts.
fn way(want: &Desired<'_>, caller: &ServiceName, to: &ServiceName, kind: Kind) -> Route {
    let applies = |of: &Calls| concerns(of, caller, to) && self::kind(&of.filter).is_subset(&kind);
    let policies = want.policies.iter().filter_map(|policy| Some((of_route(policy)?, *policy)));
    let mut policies: Vec<(&Calls, &PolicyKind)> = policies.filter(|(of, _)| applies(of)).collect();
    policies.sort_by_key(|(of, _)| specialty(of));

    let whole = Target::service(to.clone());
    let mut legs = vec![Leg { weight: WHOLE, cluster: cluster_of(to.as_str()), subset: subset(want, &whole) }];
    let (mut timeout, mut idle, mut retry) = (None, None, Retry::default());
    for (_, policy) in policies {
        match policy {
            PolicyKind::Retries { up_to, on, elsewhere, .. } => retry = retries(&retry, *up_to, on, *elsewhere),
            PolicyKind::Timeout { of, after } if of.level == Level::Calls => timeout = Some(*after),
            PolicyKind::Timeout { after, .. } => retry.per_try = Some(*after),
            PolicyKind::IdleTimeout { of, after } if of.level == Level::Calls => idle = Some(*after),
            PolicyKind::IdleTimeout { after, .. } => retry.per_try_idle = Some(*after),
            PolicyKind::Route { to, .. } => legs = to.iter().map(|to| leg(want, to)).collect(),
            _ => {}
        }
    }
    let retry = (retry != Retry::default()).then_some(retry);
    let then = Action::Forward { legs, timeout, idle, hashed_by: hashed_by(want, caller, to), retry };
    Route { when: RequestMatch { asks: kind, ..RequestMatch::default() }, then }
}

/// The calls that a policy on routes is about; `None` for policies that shape clusters.
fn of_route(policy: &PolicyKind) -> Option<&Calls> {
    match policy {
        PolicyKind::Retries { of, .. } | PolicyKind::Route { of, .. } => Some(of),
        PolicyKind::Timeout { of, .. } | PolicyKind::IdleTimeout { of, .. } => Some(&of.of),
        _ => None,
    }
}

/// How much a policy asks of calls: what they look like counts before who makes them to whom.
pub(super) fn specialty(of: &Calls) -> (usize, usize) {
    (kind(&of.filter).len(), usize::from(of.from.is_some()) + usize::from(of.to.is_some()))
}

/// Other retries than before, with the same limits of each try.
fn retries(before: &Retry, up_to: u32, on: &[RetryOn], elsewhere: bool) -> Retry {
    let statuses = on.iter().filter_map(|on| match on {
        RetryOn::Status(status) => Some(u32::from(*status)),
        _ => None,
    });
    let statuses: Vec<u32> = statuses.collect();
    let named = on.iter().filter(|on| !matches!(on, RetryOn::Status(_))).map(ToString::to_string);
    let by_status = (!statuses.is_empty()).then(|| "retriable-status-codes".to_owned());
    Retry { on: named.chain(by_status).collect(), statuses, times: up_to, elsewhere, ..before.clone() }
}

fn leg(want: &Desired<'_>, to: &Destination) -> Leg {
    let cluster = cluster_of(to.target.service.as_str());
    Leg { weight: to.share.ppm(), cluster, subset: subset(want, &to.target) }
}

/// Balancing by hash goes by the user; a request of nobody goes anywhere.
fn hashed_by(want: &Desired<'_>, caller: &ServiceName, to: &ServiceName) -> Option<String> {
    matches!(balancer(want, caller, to), Some(Balancer::RingHash | Balancer::Maglev)).then(|| USER.to_owned())
}
