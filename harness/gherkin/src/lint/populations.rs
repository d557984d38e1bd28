//! Claims must speak of calls that are made.

use super::view::View;
use crate::source::Mistake;
use squall_model::{
    Calls, ClaimKind, Filter, Happening, Outcome, Per, PolicyKind, Population, Protocol, Quantity, Shape, ShareBound,
    Target, Topology, TrafficLine, Unit, Which,
};

/// Calls that a user must have made to be asked what he sticks to.
const CALLS_OF_A_USER: u64 = 5;

/// Looks at every claim.
pub(crate) fn check(view: &mut View<'_, '_, '_>) {
    if !view.plan().needs.is_empty() {
        // Traffic that cannot be run may be what the claims speak of.
        return;
    }
    for claim in &view.built.plan.claims.clone() {
        let line = view.claim_line(claim);
        match &claim.kind {
            ClaimKind::Every { of, .. }
            | ClaimKind::Share { of, .. }
            | ClaimKind::Total { quantity: Quantity::Count { of, .. }, .. } => {
                calls(view, line, &of.calls, "claim");
                if of.unit == Unit::User {
                    users(view, line, of);
                    any_of_theirs(view, line, &claim.kind);
                }
                if matches!(claim.kind, ClaimKind::Every { outcome: Outcome::ReachOnlyOne(_), .. }) {
                    enough_for_each(view, line, of);
                }
            }
            ClaimKind::Moment { what: Happening::Recover(of), .. } | ClaimKind::Paired { calls: of, .. } => {
                calls(view, line, of, "calls");
            }
            ClaimKind::Total { quantity: Quantity::Tries { target, per, .. }, .. } => {
                tries(view, line, target, *per);
            }
            ClaimKind::Moment { what: Happening::GetsTraffic(target), .. } => tries(view, line, target, Per::Total),
            ClaimKind::Moment { what: Happening::Becomes(state), .. }
            | ClaimKind::State { what: state, .. }
            | ClaimKind::Lasts { what: state, .. } => tries(view, line, &state.of, Per::Total),
        }
    }
}

/// A user does what all of its calls do (it fails if any does): said in the negative, one of many would not show.
fn any_of_theirs(view: &mut View<'_, '_, '_>, line: Option<usize>, kind: &ClaimKind) {
    let outcome = match kind {
        ClaimKind::Every { outcome, all: false, .. }
        | ClaimKind::Share { outcome, bound: ShareBound::AtMost(_), .. } => outcome,
        ClaimKind::Total { quantity: Quantity::Count { outcome, .. }, bound } if bound.high.is_some() => outcome,
        _ => return,
    };
    if matches!(outcome, Outcome::Fail | Outcome::Succeed(_) | Outcome::FinishWithin(_) | Outcome::ReachOnlyOne(_)) {
        return;
    }
    view.tell(line, |line| {
        Mistake::error("some-of-theirs", line.clause("outcome"), "a user does this only if all of its calls do")
            .label("of a user of whose calls some do, this would hold")
            .hint("say it of the calls: `no call …`; or of users that they fail, which they do if any of their calls does: `no user fails`")
    });
}

/// Some line, or some workload that `from` names, makes such calls.
fn calls(view: &mut View<'_, '_, '_>, line: Option<usize>, calls: &Calls, clause: &'static str) {
    let onward = calls.from.as_ref().is_some_and(|from| is_called(view, from));
    if onward || view.traffic().iter().any(|traffic| is_meant(calls, traffic, &view.plan().topology)) {
        return;
    }
    let hint = match (&calls.from, &calls.to) {
        (None, Some(to)) if is_onward(view, to) => {
            let caller = view.plan().topology.callers(&to.service).next().map(|s| s.name.clone());
            caller.map(|c| {
                format!("onward calls are meant only where `from` names their caller: `calls from \"{c}\" to {to}`")
            })
        }
        _ => {
            Some("the claim and a traffic line must agree in caller, callee, path, method, header and user".to_owned())
        }
    };
    view.tell(line, |line| {
        Mistake::error("no-such-calls", line.clause(clause), "no traffic line makes such calls")
            .label("nothing to judge: inconclusive for ever")
            .maybe_hint(hint)
    });
}

/// The service is called by a traffic line, or by one that is.
fn is_called(view: &View<'_, '_, '_>, service: &squall_model::ServiceName) -> bool {
    let mut reached: Vec<_> = view.traffic().iter().map(|line| line.to.service.clone()).collect();
    let mut next = 0;
    while let Some(name) = reached.get(next).cloned() {
        next += 1;
        for callee in view.plan().topology.service(&name).into_iter().flat_map(|s| &s.calls) {
            if !reached.contains(callee) {
                reached.push(callee.clone());
            }
        }
    }
    reached.contains(service)
}

fn is_onward(view: &View<'_, '_, '_>, to: &Target) -> bool {
    is_called(view, &to.service) && !view.traffic().iter().any(|line| line.to.service == to.service)
}

/// Could a call of this line be meant by the clause?
pub(crate) fn is_meant(calls: &Calls, line: &TrafficLine, topology: &Topology) -> bool {
    let to = calls.to.as_ref().is_none_or(|to| to.service == line.to.service && meet(to, &line.to, topology));
    to && calls.from.as_ref().is_none_or(|from| *from == line.caller) && fits(&calls.filter, line, topology)
}

fn meet(a: &Target, b: &Target, topology: &Topology) -> bool {
    let whole = |t: &Target| t.which == Which::Service && t.place.is_none();
    whole(a) || whole(b) || a.instances(topology).iter().any(|id| b.instances(topology).contains(id))
}

/// Requests of a line have path `/` and method GET unless it says otherwise; those of gRPC are POSTs to its methods.
fn fits(filter: &Filter, line: &TrafficLine, topology: &Topology) -> bool {
    let with = &line.with;
    let is_grpc = topology.service(&line.to.service).is_some_and(|s| s.protocol == Protocol::Grpc);
    let is = |wanted: &Option<String>, given: &Option<String>, default: &str| {
        wanted.as_ref().is_none_or(|wanted| wanted == given.as_deref().unwrap_or(default))
    };
    let user = filter.user.as_ref().is_none_or(|user| {
        let numbered = || user.strip_prefix("user-").and_then(|n| n.parse::<u32>().ok());
        with.user.as_ref() == Some(user) || numbered().is_some_and(|n| line.users.is_some_and(|users| n <= users))
    });
    user && (is_grpc && with.path.is_none() || is(&filter.path, &with.path, "/"))
        && is(&filter.method, &with.method, if is_grpc { "POST" } else { "GET" })
        && (filter.host.is_none() || filter.host == with.host)
        && (filter.query.is_none() || filter.query == with.query)
        && (filter.header.is_none() || filter.header == with.header)
}

fn users(view: &mut View<'_, '_, '_>, line: Option<usize>, of: &Population) {
    let topology = &view.plan().topology;
    let meant: Vec<&TrafficLine> =
        view.traffic().into_iter().filter(|traffic| is_meant(&of.calls, traffic, topology)).collect();
    if !meant.iter().copied().any(has_users) {
        view.tell(line, |line| {
            Mistake::error("no-such-calls", line.clause("claim"), "no traffic line has users")
                .label("nothing to judge: inconclusive for ever")
                .hint("say whose calls they are: `… as 50 users for 5 s`")
        });
    }
}

/// Whether the calls of a line are made by users.
pub(crate) fn has_users(traffic: &TrafficLine) -> bool {
    traffic.users.is_some() || traffic.with.user.is_some() || matches!(traffic.shape, Shape::Closed { .. })
}

/// What a user sticks to is shown by several calls of his.
fn enough_for_each(view: &mut View<'_, '_, '_>, line: Option<usize>, of: &Population) {
    let topology = &view.plan().topology;
    let lines = view.traffic();
    let meant = || lines.iter().filter(|traffic| is_meant(&of.calls, traffic, topology));
    let each = |traffic: &TrafficLine| Some((traffic.shape.calls()?, u64::from(traffic.users?)));
    let Some(counts) = meant().map(|traffic| each(traffic)).collect::<Option<Vec<_>>>() else { return };
    // The same names come in every line: user-1 is one user.
    let calls: u64 = counts.iter().map(|(calls, users)| calls / (*users).max(1)).sum();
    if !counts.is_empty() && calls < CALLS_OF_A_USER {
        view.tell(line, |line| {
            Mistake::error("no-such-calls", line.whole(), format!("each user makes {calls} calls"))
                .label(format!("users with at least {CALLS_OF_A_USER} calls are meant: inconclusive for ever"))
                .hint("make more calls, or let fewer users make them")
        });
    }
}

/// Somebody calls the service whose tries are counted.
fn tries(view: &mut View<'_, '_, '_>, line: Option<usize>, target: &Target, per: Per) {
    let direct = view.traffic().iter().any(|traffic| traffic.to.service == target.service);
    let routed = view.plan().policies.iter().any(|p| match &p.says {
        PolicyKind::Route { to, .. } => to.iter().any(|leg| leg.target.service == target.service),
        _ => false,
    });
    let service = &target.service;
    if per == Per::Call && !direct {
        view.tell(line, |line| {
            Mistake::error("no-such-calls", line.clause("target"), format!("no traffic line calls \"{service}\""))
                .label("for each of which calls?")
                .hint("`for each call` counts the calls of the traffic lines to this very service")
        });
    } else if !direct && !routed && !is_called(view, service) {
        view.tell(line, |line| {
            Mistake::error("no-such-calls", line.clause("target"), format!("nobody calls \"{service}\" here"))
                .label("it gets no tries at all")
        });
    }
}
