//! Whether the control run can go red: what is known beforehand.

use super::envoy::callee;
use super::view::View;
use crate::source::Mistake;
use squall_model::{
    Bound, Claim, ClaimKind, Condition, ControlRule, Destination, Happening, Outcome, Phase, PolicyKind, Quantity,
    Replacement, ServiceName, ShareBound, Topology,
};

/// Looks at what is taken away, and what would notice.
pub(crate) fn check(view: &mut View<'_, '_, '_>) {
    equal_splits(view);
    let plan = view.plan();
    if !plan.needs.is_empty() {
        return;
    }
    let own = plan.policies.iter().any(|p| p.own);
    let faults = view.faults().next().is_some();
    let events = plan.faults.iter().any(|f| f.does.is_event());
    match plan.control.clone() {
        ControlRule::Default if own => untouched(view),
        ControlRule::Default if faults || events => no_harm(view, faults),
        ControlRule::Default => nothing(view),
        ControlRule::Policies if !own => tag(view, "policies", "this scenario has no policies of its own"),
        ControlRule::Faults if !faults => tag(view, "faults", "this scenario has no faults"),
        ControlRule::Outage if !faults => tag(view, "outage", "there is no fault whose window it could fill"),
        ControlRule::Replace(all) => unchanged(view, &all),
        ControlRule::Policies | ControlRule::Faults | ControlRule::Outage | ControlRule::None(_) => {}
    }
}

/// Without the fault, a promise of no harm holds all the better: the control run cannot go red.
fn no_harm(view: &mut View<'_, '_, '_>, faults: bool) {
    let claims = &view.plan().claims;
    if claims.is_empty() || !claims.iter().all(promises_no_harm) {
        return;
    }
    let what = if faults { "the fault" } else { "the event" };
    let hint = if faults {
        "say under a Given of this scenario which policy keeps the promise (retries, ejection, a failover…): the control run takes it away;\n\
         or tag it @control(outage): the claimed calls are cut off while the fault lasts, and a line must notice;\n\
         or say `in the control run …` what would break the promise; or expect a sign that the fault was felt"
    } else {
        "say under a Given of this scenario which policy keeps the promise: the control run takes it away;\n\
         or expect a sign that it happened: `instance 3 of … gets traffic …`;\n\
         or say `in the control run …` what would break the promise"
    };
    let message = format!("every line promises no harm: without {what} it holds all the better");
    view.tell_scenario(Mistake::error("no-harm", 0..0, message).label("its control run could never go red").hint(hint));
}

fn promises_no_harm(claim: &Claim) -> bool {
    let good = |o: &Outcome| matches!(o, Outcome::Succeed(_) | Outcome::FinishWithin(_) | Outcome::ReachOnlyOne(_));
    let bad = |o: &Outcome| !good(o) && !matches!(o, Outcome::Reach(_));
    let before = matches!(claim.kind.phase(), Phase::Before(_));
    let kind = match &claim.kind {
        ClaimKind::Every { all: true, of, outcome } => good(outcome) && of.only.is_none(),
        ClaimKind::Every { all: false, outcome, .. } => bad(outcome),
        ClaimKind::Share { outcome, bound: ShareBound::AtLeast(_) | ShareBound::MoreThan(_), .. } => good(outcome),
        ClaimKind::Share { outcome, bound: ShareBound::AtMost(_), .. } => bad(outcome),
        ClaimKind::Share { .. } => false,
        ClaimKind::Total { quantity: Quantity::Count { outcome, .. }, bound: Bound { low: None, .. } } => bad(outcome),
        ClaimKind::Total { .. } => false,
        ClaimKind::Moment { what, .. } => {
            matches!(what, Happening::Recover(_)) || matches!(what, Happening::Becomes(s) if s.is == Condition::Healthy)
        }
        ClaimKind::State { what, ever, .. } => *ever == (what.is == Condition::Healthy),
        ClaimKind::Lasts { what, .. } => what.is == Condition::Healthy,
        ClaimKind::Paired { .. } => true,
    };
    kind || before
}

/// A policy that no claim can feel: not about its callee, nor about anybody who calls that one and has a capacity to lose.
fn untouched(view: &mut View<'_, '_, '_>) {
    let plan = view.plan().clone();
    // Where a deadline is kept, a limit is felt behind the callee too.
    let keeps = plan.policies.iter().any(|policy| matches!(policy.says, PolicyKind::KeepDeadline { .. }));
    let feels = |claim: &Claim, callee: &ServiceName| match spoken_of(claim) {
        None => true,
        Some(service) if service == callee => true,
        Some(service) if keeps && reaches(&plan.topology, callee, service) => true,
        Some(service) => reaches(&plan.topology, service, callee),
    };
    for policy in plan.policies.iter().filter(|p| p.own) {
        let Some(callee) = callee_of(&policy.says) else { continue };
        if plan.claims.iter().any(|claim| feels(claim, callee)) {
            continue;
        }
        let line = view.policy_line(policy.id);
        view.tell(line, |line| {
            Mistake::warning("unfelt", line.whole(), format!("no line speaks of calls that come to \"{callee}\""))
                .label("without this policy all would hold too")
                .hint("services share nothing by themselves: put a caller with a capacity in front,\n`each instance of \"web\" handles at most 40 calls at a time`")
        });
    }
    bulkheads(view);
}

/// A bulkhead protects a caller that can run out of something.
fn bulkheads(view: &mut View<'_, '_, '_>) {
    let plan = view.plan().clone();
    for policy in plan.policies.iter().filter(|p| p.own) {
        let (PolicyKind::InFlight { caller, .. } | PolicyKind::Connections { caller, .. }) = &policy.says else {
            continue;
        };
        let behind = plan.lines().all(|line| line.to.service == *caller);
        let about_it = plan.claims.iter().all(|claim| spoken_of(claim).is_none_or(|service| service == caller));
        let endless = plan.topology.service(caller).is_some_and(|s| s.capacity.is_none());
        if behind && about_it && endless && plan.lines().next().is_some() {
            let line = view.policy_line(policy.id);
            view.tell(line, |line| {
                Mistake::warning("no-capacity", line.clause("service"), format!("\"{caller}\" has no capacity to lose"))
                    .label("a slow callee costs it nothing, limit or not")
                    .hint(format!("say `each instance of \"{caller}\" handles at most 40 calls at a time`"))
            });
        }
    }
}

/// The service that a claim speaks of, where it names one.
fn spoken_of(claim: &Claim) -> Option<&ServiceName> {
    match &claim.kind {
        ClaimKind::Total { quantity: Quantity::Tries { target, .. }, .. }
        | ClaimKind::Moment { what: Happening::GetsTraffic(target), .. } => Some(&target.service),
        ClaimKind::Moment { what: Happening::Becomes(state), .. }
        | ClaimKind::State { what: state, .. }
        | ClaimKind::Lasts { what: state, .. } => Some(&state.of.service),
        ClaimKind::Moment { what: Happening::Recover(calls), .. } | ClaimKind::Paired { calls, .. } => callee(calls),
        other => other.population().and_then(|of| callee(&of.calls)),
    }
}

fn callee_of(says: &PolicyKind) -> Option<&ServiceName> {
    match says {
        PolicyKind::Retries { of, .. }
        | PolicyKind::RetryBudget { of, .. }
        | PolicyKind::Balance { of, .. }
        | PolicyKind::Prefer { of, .. }
        | PolicyKind::Sticky { of, .. } => callee(of),
        PolicyKind::Timeout { of, .. } | PolicyKind::IdleTimeout { of, .. } => callee(&of.of),
        PolicyKind::InFlight { to, .. } | PolicyKind::Connections { to, .. } => Some(to),
        PolicyKind::Ejection { of, .. }
        | PolicyKind::Check { of, .. }
        | PolicyKind::Panic { of, .. }
        | PolicyKind::WarmUp { of, .. } => Some(of),
        // A route may lead anywhere, and a deadline is felt behind its callee.
        PolicyKind::Route { .. } | PolicyKind::KeepDeadline { .. } => None,
    }
}

/// Whether calls to one service lead to calls to another.
fn reaches(topology: &Topology, from: &ServiceName, to: &ServiceName) -> bool {
    let mut seen = vec![from];
    let mut next = 0;
    while let Some(name) = seen.get(next).copied() {
        next += 1;
        for callee in topology.service(name).into_iter().flat_map(|s| &s.calls) {
            if !seen.contains(&callee) {
                seen.push(callee);
            }
        }
    }
    seen.contains(&to)
}

fn nothing(view: &mut View<'_, '_, '_>) {
    let background = view.plan().policies.iter().any(|p| !p.own);
    let hint = if background {
        "the policies are the Background's: say the one that is tested in the scenario;\nor tag it @control(none: \"reason\")"
    } else {
        "say what it tests, a policy or a fault; or tag it @control(none: \"reason\")"
    };
    let mistake = Mistake::warning("no-control", 0..0, "nothing here can be taken away, so nothing is shown to matter")
        .label("no control run")
        .hint(hint);
    view.tell_scenario(mistake);
}

fn tag(view: &mut View<'_, '_, '_>, form: &str, message: &str) {
    let wanted = format!("@control({form})");
    let origin =
        view.built.case.tags.iter().rev().find(|(_, tag)| tag.text == wanted).map(|(_, tag)| tag.origin.clone());
    let mistake = Mistake::error("control", 0..0, message).label("its control run would change nothing");
    let origin = origin.unwrap_or_else(|| view.built.case.origin.clone());
    view.sink.out.push(mistake.at(origin));
}

/// A replacement that says the same changes nothing.
fn unchanged(view: &mut View<'_, '_, '_>, replacements: &[Replacement]) {
    let plan = view.plan().clone();
    for replacement in replacements {
        let (same, line) = match replacement {
            Replacement::Policy { instead_of: Some(id), says } => {
                (plan.policy(*id).is_some_and(|p| p.says == *says), view.policy_line(*id))
            }
            Replacement::Fault { instead_of: Some(id), fault } => {
                let same = plan.fault(*id).is_some_and(|f| f.does == fault.does && f.when == fault.when);
                (same, view.fault_line(*id))
            }
            Replacement::Policy { .. } | Replacement::Fault { .. } => continue,
        };
        if same {
            view.tell(line, |line| {
                Mistake::error("no-control", line.whole(), "the control run says the same as this line")
                    .label("it would hold like the main run: vacuous")
            });
        }
    }
}

/// A split that round robin over the instances makes by itself.
fn equal_splits(view: &mut View<'_, '_, '_>) {
    let plan = view.plan().clone();
    for policy in plan.policies.iter().filter(|p| p.own) {
        let PolicyKind::Route { of, to } = &policy.says else { continue };
        let Some(service) = of.to.as_ref().and_then(|to| plan.topology.service(&to.service)) else { continue };
        let all = service.instances.len();
        let by_itself = |leg: &Destination| {
            let here = leg.target.service == service.name;
            let share = leg.target.instances(&plan.topology).len() as f64 / all.max(1) as f64;
            here && (share - leg.share.as_f64()).abs() < 0.02
        };
        if !to.is_empty() && to.iter().all(by_itself) {
            let line = view.policy_line(policy.id);
            view.tell(line, |line| {
                let shares: Vec<String> =
                    to.iter().map(|leg| leg.target.instances(&plan.topology).len().to_string()).collect();
                let span = line.clause("traffic").start..line.whole().end;
                let message = match to.len() {
                    1 => "all instances are of this kind: the calls go there anyway".to_owned(),
                    _ => format!("{} instances of {all} get these shares without the policy", shares.join(" and ")),
                };
                Mistake::warning("equal-split", span, message)
                    .label("its control run would hold too: vacuous")
                    .hint("choose instances that do not stand in these proportions: one of each version")
            });
        }
    }
}
