//! What becomes of a call in the fake mesh: its rules, in the order in which a proxy has them.

use super::{Call, Defect, Seen, Trouble, fake::ProxyConfig, state::State};
use squall_model::{
    AnswerCode, Calls, Destination, Fault, FaultKind, Filter, Fraction, InFlight, InstanceId, Level, PolicyKind,
    RetryOn, ServiceName, Target, Touch,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// What a proxy remembers of its calls.
#[derive(Debug, Default)]
pub(super) struct Memory {
    turns: usize,
    draws: u64,
    failures: BTreeMap<InstanceId, u32>,
    ejected: BTreeSet<InstanceId>,
}

/// How a caller's proxy treats one call.
#[derive(Debug)]
struct Way {
    retries: u32,
    on: Vec<RetryOn>,
    elsewhere: bool,
    whole: Option<Duration>,
    each: Option<Duration>,
    legs: Vec<Destination>,
    sheds: bool,
    ejects_after: Option<u32>,
}

/// What came of one try.
struct Tried {
    status: u16,
    took: Duration,
    served: bool,
}

/// Makes a call.
pub(super) fn call(state: &mut State, call: &Call) -> Seen {
    let mut seen = Seen { status: 503, tries: Vec::new(), took: Duration::ZERO };
    let Some(node) = state.seats.get(&call.from).cloned() else { return seen };
    let Some(proxy) = state.proxies.get(&node) else { return seen };
    let (config, layer) = (proxy.holds.clone(), proxy.layer.clone());
    let way = way(state.defect, &config, call);
    let (aborted, held) = touched(state, &layer, Level::Calls, call);
    seen.took += held;
    if let Some(status) = aborted {
        seen.status = status;
        if !(state.is(Defect::CallFaultsAreRetried) && retries(&way, state.defect, status)) {
            return seen;
        }
    }
    if way.sheds {
        return seen;
    }
    tries(state, &node, &config, &way, call, &mut seen);
    seen
}

/// The tries of a call, until one needs no other.
fn tries(state: &mut State, node: &str, config: &ProxyConfig, way: &Way, call: &Call, seen: &mut Seen) {
    let target = draw(state, node, &way.legs);
    let mut tried: Vec<InstanceId> = Vec::new();
    let more = u32::from(state.is(Defect::RetriesOnceMore) && way.retries > 0);
    for _ in 0..=way.retries + more {
        let passed = if way.elsewhere { &tried[..] } else { &[] };
        let Some(host) = choose(state, node, config, &target, passed) else {
            seen.status = 503;
            return;
        };
        tried.push(host.clone());
        let Tried { mut status, mut took, served } = a_try(state, &host, call);
        if let Some(each) = way.each.filter(|each| took > *each) {
            (status, took) = (504, each);
        }
        if served {
            seen.tries.push(host.clone());
        }
        remember(state, node, way, &host, status);
        seen.took += took;
        seen.status = status;
        if let Some(whole) = way.whole.filter(|whole| seen.took > *whole) {
            (seen.status, seen.took) = (504, whole);
            return;
        }
        if !retries(way, state.defect, status) {
            return;
        }
    }
}

/// One try at the callee's proxy, and behind it.
fn a_try(state: &mut State, host: &InstanceId, call: &Call) -> Tried {
    let refused = Tried { status: 503, took: Duration::ZERO, served: false };
    let Some(proxy) = state.seats.get(host).and_then(|node| state.proxies.get(node)) else { return refused };
    if matches!(proxy.trouble, Some(Trouble::Dead | Trouble::Paused)) {
        return refused;
    }
    let layer = proxy.layer.clone();
    let (aborted, held) = touched(state, &layer, Level::Tries, call);
    if let Some(status) = aborted {
        return Tried { status, took: held, served: false };
    }
    let (status, after) = state.workloads.get(host).copied().unwrap_or((503, Duration::ZERO));
    Tried { status, took: held + after, served: true }
}

/// What the faults of a layer do to a call or a try: the delays first, then the first abort.
fn touched(state: &mut State, layer: &[Fault], at: Level, call: &Call) -> (Option<u16>, Duration) {
    let (mut status, mut held) = (None, Duration::ZERO);
    for fault in layer {
        let (of, level, touch, share) = match &fault.does {
            FaultKind::Touch { on, touch } => (&on.of, on.level, *touch, on.share),
            _ => continue,
        };
        if level != at || share == Fraction::ZERO || !concerns(state.defect, of, call, &call.to) {
            continue;
        }
        match touch {
            Touch::Abort(AnswerCode::Status(with)) => status = status.or(Some(with)),
            // The calls of the contract are plain HTTP.
            Touch::Abort(AnswerCode::Grpc(_)) => {}
            Touch::Delay(_) if state.is(Defect::DelaysAreNotWaitedFor) => {}
            Touch::Delay(time) => held += time,
        }
    }
    (status, held)
}

/// Whether a policy or a fault is about this call.
fn concerns(defect: Option<Defect>, of: &Calls, call: &Call, to: &ServiceName) -> bool {
    let ignores = |this| defect == Some(this);
    let caller = of.from.as_ref().is_none_or(|from| *from == call.from.service);
    (caller || ignores(Defect::IgnoresCallers))
        && of.to.as_ref().is_none_or(|target| target.service == *to)
        && (fits(&of.filter, &call.with) || ignores(Defect::IgnoresFilters))
}

/// Whether a request has all that is asked of it.
fn fits(asked: &Filter, request: &Filter) -> bool {
    let method = |filter: &Filter| filter.method.clone().unwrap_or_else(|| "GET".into());
    let path = |filter: &Filter| filter.path.clone().unwrap_or_else(|| "/".into());
    asked.path.as_ref().is_none_or(|wanted| *wanted == path(request))
        && asked.method.as_ref().is_none_or(|wanted| *wanted == method(request))
        && asked.host.as_ref().is_none_or(|wanted| request.host.as_ref() == Some(wanted))
        && asked.query.as_ref().is_none_or(|wanted| request.query.as_ref() == Some(wanted))
        && asked.header.as_ref().is_none_or(|wanted| request.header.as_ref() == Some(wanted))
        && asked.user.as_ref().is_none_or(|wanted| request.user.as_ref() == Some(wanted))
}

/// What the policies say of a call: the more special ones last, among equals the later line.
fn way(defect: Option<Defect>, config: &ProxyConfig, call: &Call) -> Way {
    let whole = Destination { share: Fraction::ALL, target: Target::service(call.to.clone()) };
    let mut way = Way {
        retries: 0,
        on: Vec::new(),
        elsewhere: false,
        whole: None,
        each: None,
        legs: vec![whole],
        sheds: false,
        ejects_after: None,
    };
    let mut policies: Vec<&PolicyKind> = config.policies.iter().filter(|p| is_about(defect, p, call)).collect();
    if defect != Some(Defect::LaterLineWins) {
        policies.sort_by_key(|policy| specialty(policy));
    }
    policies.into_iter().for_each(|policy| follow(&mut way, policy, defect));
    way
}

fn follow(way: &mut Way, policy: &PolicyKind, defect: Option<Defect>) {
    let heeds = |this| defect != Some(this);
    match policy {
        PolicyKind::Retries { up_to, on, elsewhere, .. } => {
            (way.retries, way.on, way.elsewhere) = (*up_to, on.clone(), *elsewhere);
        }
        PolicyKind::Timeout { of, after } if heeds(Defect::IgnoresTimeouts) => match of.level {
            Level::Calls => way.whole = Some(*after),
            Level::Tries => way.each = Some(*after),
        },
        PolicyKind::Route { to, .. } if heeds(Defect::IgnoresRoutes) => way.legs.clone_from(to),
        PolicyKind::InFlight { at_most: 0, unit: InFlight::Tries, .. } => way.sheds = heeds(Defect::IgnoresBreakers),
        PolicyKind::Ejection { after, .. } if heeds(Defect::IgnoresEjection) => way.ejects_after = Some(*after),
        _ => {}
    }
}

fn of_calls(policy: &PolicyKind) -> Option<&Calls> {
    match policy {
        PolicyKind::Retries { of, .. } | PolicyKind::Route { of, .. } => Some(of),
        PolicyKind::Timeout { of, .. } => Some(&of.of),
        _ => None,
    }
}

fn is_about(defect: Option<Defect>, policy: &PolicyKind, call: &Call) -> bool {
    match policy {
        PolicyKind::InFlight { caller, to, .. } => {
            (*caller == call.from.service || defect == Some(Defect::IgnoresCallers)) && *to == call.to
        }
        PolicyKind::Ejection { of, .. } => *of == call.to,
        other => of_calls(other).is_some_and(|of| concerns(defect, of, call, &call.to)),
    }
}

fn specialty(policy: &PolicyKind) -> (usize, usize) {
    let of = of_calls(policy).cloned().unwrap_or_default();
    let Filter { path, host, query, method, header, user } = &of.filter;
    let asked = [path.is_some(), host.is_some(), query.is_some(), method.is_some(), header.is_some(), user.is_some()];
    let named = usize::from(of.from.is_some()) + usize::from(of.to.is_some());
    (asked.into_iter().filter(|asked| *asked).count(), named)
}

/// The leg of a call, spread evenly by the golden ratio.
fn draw(state: &mut State, node: &str, legs: &[Destination]) -> Target {
    let Some(proxy) = state.proxies.get_mut(node) else { return legs[0].target.clone() };
    proxy.memory.draws += 1;
    let mut at = (proxy.memory.draws * 618_034 % 1_000_000) as u32;
    for leg in legs {
        if at < leg.share.ppm() {
            return leg.target.clone();
        }
        at -= leg.share.ppm();
    }
    legs[0].target.clone()
}

/// The next host in turn.
fn choose(
    state: &mut State,
    node: &str,
    config: &ProxyConfig,
    target: &Target,
    passed: &[InstanceId],
) -> Option<InstanceId> {
    let memory = &mut state.proxies.get_mut(node)?.memory;
    let hosts = target.instances(&config.topology);
    let healthy: Vec<InstanceId> = hosts.into_iter().filter(|host| !memory.ejected.contains(host)).collect();
    let others: Vec<&InstanceId> = healthy.iter().filter(|host| !passed.contains(host)).collect();
    memory.turns += 1;
    let among = if others.is_empty() { healthy.iter().collect() } else { others };
    among.get(memory.turns % among.len().max(1)).copied().cloned()
}

/// Counts failures in a row, and ejects.
fn remember(state: &mut State, node: &str, way: &Way, host: &InstanceId, status: u16) {
    let Some(proxy) = state.proxies.get_mut(node) else { return };
    let failures = proxy.memory.failures.entry(host.clone()).or_default();
    *failures = if status >= 500 { *failures + 1 } else { 0 };
    if way.ejects_after.is_some_and(|after| *failures >= after) {
        proxy.memory.ejected.insert(host.clone());
    }
}

fn retries(way: &Way, defect: Option<Defect>, status: u16) -> bool {
    let named = way.on.iter().any(|on| match on {
        RetryOn::FiveHundreds => status >= 500,
        RetryOn::GatewayError => (502..=504).contains(&status),
        RetryOn::Status(named) => *named == status,
        _ => false,
    });
    named || (defect == Some(Defect::RetriesAnything) && status >= 500 && way.retries > 0)
}
