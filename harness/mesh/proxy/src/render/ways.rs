//! The ways of one caller's calls to one service: a route for each kind of request that a policy tells apart.

use super::{
    cluster_of,
    clusters::{hash_key, is_between_places, subset},
    concerns, has_own_defaults,
    requests::{Kind, kind, kinds},
    table::{Action, Forward, Leg, RequestMatch, Retry, Route},
};
use squall_mesh::{Desired, Refusal};
use squall_model::{Calls, Destination, Filter, HashKey, Level, PolicyKind, RetryOn, ServiceName, Stick, Target};
use std::collections::BTreeSet;

/// The whole of a split, in parts per million.
pub(super) const WHOLE: u32 = 1_000_000;

/// The routes, the most special first, the one for every other request last.
pub(super) fn ways(want: &Desired<'_>, caller: &ServiceName, to: &ServiceName) -> Result<Vec<Route>, Refusal> {
    let kinds = kinds(filters(want, caller, to).map(kind))?;
    kinds.into_iter().map(|kind| way(want, caller, to, kind)).collect()
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
fn way(want: &Desired<'_>, caller: &ServiceName, to: &ServiceName, kind: Kind) -> Result<Route, Refusal> {
    let applies = |of: &Calls| concerns(of, caller, to) && self::kind(&of.filter).is_subset(&kind);
    let policies = want.policies.iter().filter_map(|policy| Some((of_route(policy)?, *policy)));
    let mut policies: Vec<(&Calls, &PolicyKind)> = policies.filter(|(of, _)| applies(of)).collect();
    policies.sort_by_key(|(of, _)| specialty(of));

    let mut way = Forward {
        legs: vec![leg(want, &Target::service(to.clone()), WHOLE)],
        own_defaults: has_own_defaults(want.topology, caller, to),
        keeps_deadline: is_bound_by_deadlines(want, caller),
        hashed_by: hash_key(want, caller, to),
        ..Forward::default()
    };
    let (mut retry, mut sticks) = (Retry::default(), None);
    for (_, policy) in policies {
        match policy {
            PolicyKind::Retries { up_to, on, elsewhere, .. } => retry = retries(&retry, *up_to, on, *elsewhere),
            PolicyKind::Timeout { of, after } if of.level == Level::Calls => way.timeout = Some(*after),
            PolicyKind::Timeout { after, .. } => retry.per_try = Some(*after),
            PolicyKind::IdleTimeout { of, after } if of.level == Level::Calls => way.idle = Some(*after),
            PolicyKind::IdleTimeout { after, .. } => retry.per_try_idle = Some(*after),
            PolicyKind::Route { to, .. } => way.legs = legs(want, to),
            PolicyKind::Sticky { by, .. } => sticks = Some(by),
            _ => {}
        }
    }
    way.retry = (retry != Retry::default()).then_some(retry);
    if let Some(by) = sticks {
        stick(&mut way, by, want, caller, to)?;
    }
    let when = RequestMatch { asks: kind, ..RequestMatch::default() };
    Ok(Route { when, drops: Vec::new(), then: Action::Forward(way) })
}

/// The calls that a policy on routes is about; `None` for policies that shape clusters.
fn of_route(policy: &PolicyKind) -> Option<&Calls> {
    match policy {
        PolicyKind::Retries { of, .. } | PolicyKind::Route { of, .. } => Some(of),
        PolicyKind::Sticky { of, to: Stick::Version, .. } => Some(of),
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

/// The legs of a split. One between places is none of the route: the cluster has the shares.
fn legs(want: &Desired<'_>, to: &[Destination]) -> Vec<Leg> {
    match to {
        [first, ..] if is_between_places(to) => {
            vec![leg(want, &Target::service(first.target.service.clone()), WHOLE)]
        }
        _ => to.iter().map(|to| leg(want, &to.target, to.share.ppm())).collect(),
    }
}

fn leg(want: &Desired<'_>, to: &Target, weight: u32) -> Leg {
    Leg { weight, cluster: cluster_of(to.service.as_str()), subset: subset(want, to) }
}

/// Has a split choose its leg by a hash. Calls with one way stick to it by themselves, if it leads to one version.
fn stick(
    way: &mut Forward,
    by: &HashKey,
    want: &Desired<'_>,
    caller: &ServiceName,
    to: &ServiceName,
) -> Result<(), Refusal> {
    if way.legs.len() > 1 {
        way.sticks = true;
        if way.hashed_by.replace(by.clone()).is_some_and(|other| other != *by) {
            let why = "the version of a call is drawn by the same hash as its instance";
            return Err(Refusal(format!("calls from \"{caller}\" to \"{to}\" stick by two different keys: {why}")));
        }
        return Ok(());
    }
    let one = |leg: &Leg| leg.subset.contains_key("version") || leg.subset.contains_key("instance");
    let leads_to = |leg: &Leg| want.topology.services.iter().find(|s| cluster_of(s.name.as_str()) == leg.cluster);
    let open = way.legs.iter().filter(|leg| !one(leg)).filter_map(leads_to).flat_map(|service| &service.instances);
    let versions: BTreeSet<_> = open.map(|instance| &instance.version).collect();
    if versions.len() > 1 {
        let why = format!(
            "calls from \"{caller}\" to \"{to}\" stick to one version, and no line splits them between versions"
        );
        return Err(Refusal(why));
    }
    Ok(())
}

/// Whether this service's own calls end with the deadlines of those that they are made for: where calls to it keep theirs.
fn is_bound_by_deadlines(want: &Desired<'_>, caller: &ServiceName) -> bool {
    want.policies.iter().any(|policy| match policy {
        PolicyKind::KeepDeadline { of } => of.to.as_ref().is_none_or(|target| target.service == *caller),
        _ => false,
    })
}
