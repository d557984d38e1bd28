//! Where requests go: the outbound table of a caller, the inbound table of a callee, and the probes of both.

use super::{
    CALLER, EPOCHS, LOCAL, PROBE, USER, cluster_of,
    clusters::subset,
    faults,
    layers::epoch_key,
    table::{Action, Leg, RequestMatch, Retry, Route, RouteTable, VirtualHost},
};
use squall_mesh::{Desired, Refusal, Seat};
use squall_model::{Calls, Destination, Filter, InstanceId, Level, PolicyKind, RetryOn, Service, ServiceName};
use std::time::Duration;

/// The table of a caller: a virtual host for each service that it calls.
pub(crate) fn outbound(want: &Desired<'_>, caller: &Service) -> Result<RouteTable, Refusal> {
    let mut hosts = vec![probes()];
    for to in &caller.calls {
        hosts.push(VirtualHost {
            name: to.to_string(),
            domains: vec![to.to_string(), format!("{to}:*")],
            counts_tries: true,
            sets: vec![(CALLER.into(), caller.name.to_string())],
            faults: faults::outbound(want.faults, &caller.name, to)?,
            routes: ways(want, &caller.name, to),
        });
    }
    Ok(RouteTable { hosts })
}

/// The table of a callee: everything goes to its own workload.
pub(crate) fn inbound(want: &Desired<'_>, instance: &InstanceId, seat: &Seat) -> Result<RouteTable, Refusal> {
    let then = match seat.workload {
        Some(_) => forward(vec![Leg { weight: WHOLE, cluster: LOCAL.into(), subset: Default::default() }]),
        None => Action::Answer { status: 503, body: "this instance has no workload".into() },
    };
    let all = VirtualHost {
        name: LOCAL.into(),
        domains: vec!["*".into()],
        counts_tries: false,
        sets: Vec::new(),
        faults: faults::inbound(want.faults, instance, want.topology)?,
        routes: vec![Route { when: RequestMatch::default(), then }],
    };
    Ok(RouteTable { hosts: vec![probes(), all] })
}

/// The probes: which table is in force, which runtime layer, and a marker for the log. None of them reaches an upstream.
pub(crate) fn probes() -> VirtualHost {
    let path = |path: &str| RequestMatch { path: Some(path.into()), ..RequestMatch::default() };
    let epochs = (0..EPOCHS).map(|n| Route {
        when: RequestMatch { runtime: Some(epoch_key(n)), ..path("/epoch") },
        then: Action::Answer { status: 200, body: n.to_string() },
    });
    let none = Route { when: path("/epoch"), then: Action::Answer { status: 200, body: "none".into() } };
    let marker = Route {
        when: RequestMatch { prefix: Some("/marker/".into()), ..RequestMatch::default() },
        then: Action::Answer { status: 204, body: String::new() },
    };
    let version = Route { when: path("/version"), then: Action::AnswerVersion };
    VirtualHost {
        name: PROBE.into(),
        domains: vec![PROBE.into()],
        counts_tries: false,
        sets: Vec::new(),
        faults: Vec::new(),
        routes: [version, marker].into_iter().chain(epochs).chain([none]).collect(),
    }
}

/// The whole of a split, in parts per million.
const WHOLE: u32 = 1_000_000;

/// The routes of one caller to one service: a special one for each kind of request that a policy names, then one for the rest.
fn ways(want: &Desired<'_>, caller: &ServiceName, to: &ServiceName) -> Vec<Route> {
    let concerns = |calls: &Calls| {
        calls.from.as_ref().is_none_or(|from| from == caller) && calls.to.as_ref().is_none_or(|t| t.service == *to)
    };
    let policies: Vec<&PolicyKind> =
        want.policies.iter().copied().filter(|policy| route_policy(policy).is_some_and(concerns)).collect();
    let mut kinds: Vec<&Filter> = Vec::new();
    for filter in policies.iter().filter_map(|policy| route_policy(policy)).map(|calls| &calls.filter) {
        if !filter.is_empty() && !kinds.contains(&filter) {
            kinds.push(filter);
        }
    }
    // The more a kind asks of a request, the earlier its route: a stable sort keeps the order of writing among equals.
    kinds.sort_by_key(|filter| std::cmp::Reverse(asks(filter)));
    let rest = Filter::default();
    kinds.into_iter().chain([&rest]).map(|kind| way(&policies, kind, to)).collect()
}

/// The route for one kind of request: the policies for that kind and for all that includes it, the more special ones last.
fn way(policies: &[&PolicyKind], kind: &Filter, to: &ServiceName) -> Route {
    let mut legs = vec![Leg { weight: WHOLE, cluster: cluster_of(to.as_str()), subset: Default::default() }];
    let (mut timeout, mut idle, mut retry) = (None, None, Retry::default());
    let mut applying: Vec<&&PolicyKind> =
        policies.iter().filter(|p| route_policy(p).is_some_and(|calls| includes(&calls.filter, kind))).collect();
    applying.sort_by_key(|p| route_policy(p).map_or(0, |calls| asks(&calls.filter)));
    for policy in applying {
        match policy {
            PolicyKind::Retries { up_to, on, elsewhere, .. } => {
                retry = Retry {
                    per_try: retry.per_try,
                    per_try_idle: retry.per_try_idle,
                    ..retries(*up_to, on, *elsewhere)
                };
            }
            PolicyKind::Timeout { of, after } if of.level == Level::Calls => timeout = Some(*after),
            PolicyKind::Timeout { after, .. } => retry.per_try = Some(*after),
            PolicyKind::IdleTimeout { of, after } if of.level == Level::Calls => idle = Some(*after),
            PolicyKind::IdleTimeout { after, .. } => retry.per_try_idle = Some(*after),
            PolicyKind::Route { to, .. } => legs = to.iter().map(leg).collect(),
            _ => {}
        }
    }
    let retry = (retry != Retry::default()).then_some(retry);
    Route { when: matching(kind), then: Action::Forward { legs, timeout, idle, retry } }
}

/// The calls that a policy on routes is about; `None` for policies that shape clusters.
fn route_policy(policy: &PolicyKind) -> Option<&Calls> {
    match policy {
        PolicyKind::Retries { of, .. } | PolicyKind::Route { of, .. } => Some(of),
        PolicyKind::Timeout { of, .. } | PolicyKind::IdleTimeout { of, .. } => Some(&of.of),
        _ => None,
    }
}

fn retries(up_to: u32, on: &[RetryOn], elsewhere: bool) -> Retry {
    let statuses: Vec<u32> = on
        .iter()
        .filter_map(|on| match on {
            RetryOn::Status(status) => Some(u32::from(*status)),
            _ => None,
        })
        .collect();
    let named = on.iter().filter(|on| !matches!(on, RetryOn::Status(_))).map(ToString::to_string);
    let by_status = (!statuses.is_empty()).then(|| "retriable-status-codes".to_owned());
    Retry { on: named.chain(by_status).collect(), statuses, times: up_to, per_try: None, per_try_idle: None, elsewhere }
}

fn leg(destination: &Destination) -> Leg {
    Leg {
        weight: destination.share.ppm(),
        cluster: cluster_of(destination.target.service.as_str()),
        subset: subset(&destination.target),
    }
}

fn forward(legs: Vec<Leg>) -> Action {
    Action::Forward { legs, timeout: None::<Duration>, idle: None, retry: None }
}

/// How much a filter asks of a request.
fn asks(filter: &Filter) -> usize {
    let Filter { path, host, query, method, header, user } = filter;
    [path.is_some(), host.is_some(), query.is_some(), method.is_some(), header.is_some(), user.is_some()]
        .into_iter()
        .filter(|asked| *asked)
        .count()
}

/// Whether every request of the special kind is one of the general kind too.
fn includes(general: &Filter, special: &Filter) -> bool {
    fn same<T: PartialEq>(general: &Option<T>, special: &Option<T>) -> bool {
        general.is_none() || general == special
    }
    same(&general.path, &special.path)
        && same(&general.host, &special.host)
        && same(&general.query, &special.query)
        && same(&general.method, &special.method)
        && same(&general.header, &special.header)
        && same(&general.user, &special.user)
}

fn matching(filter: &Filter) -> RequestMatch {
    let header = |name: &str, value: &Option<String>| value.clone().map(|v| (name.to_owned(), v));
    let query = filter.query.as_deref().and_then(|q| q.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned()));
    let headers = [
        header(":method", &filter.method),
        header(":authority", &filter.host),
        filter.header.clone(),
        header(USER, &filter.user),
    ];
    RequestMatch {
        path: filter.path.clone(),
        query,
        headers: headers.into_iter().flatten().collect(),
        ..RequestMatch::default()
    }
}
