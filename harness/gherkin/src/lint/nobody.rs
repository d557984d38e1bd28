//! Faults on instances that are not there, on wires that nobody uses, and on those who call.

use super::view::View;
use crate::source::Mistake;
use squall_model::{FaultKind, InstanceId, Members, Plan, Service, ServiceName, Target, Wires};

/// Looks at every fault.
pub(crate) fn check(view: &mut View<'_, '_, '_>) {
    let plan = view.plan().clone();
    // A service that grows may have later who is not there yet.
    let grows = plan.faults.iter().any(|f| f.does.is_event());
    for fault in &plan.faults {
        let line = view.fault_line(fault.id);
        if !grows && let Some(of) = absent(&plan, &fault.does) {
            view.tell(line, |line| {
                Mistake::error("nobody", line.whole(), format!("{of} means no instance at all"))
                    .label("nobody to break")
            });
        }
        if let FaultKind::Wire { of, .. } = &fault.does
            && of.all(&plan.topology).is_empty()
        {
            no_wire(view, line, of);
        }
        callers_gone(view, &plan, line, &fault.does);
    }
}

/// The target of a fault, where it means nobody.
fn absent<'f>(plan: &Plan, does: &'f FaultKind) -> Option<&'f Target> {
    let of = match does {
        FaultKind::Answers { of, .. }
        | FaultKind::Down { of: Members::Of(of), .. }
        | FaultKind::Restarted { of: Members::Of(of), .. } => of,
        FaultKind::Wire { of: Wires::Between { to, .. }, .. } => to,
        FaultKind::Touch { on, .. } => on.of.to.as_ref()?,
        _ => return None,
    };
    // Of an application that was not looked at nobody knows whom it has.
    let unseen = |service: &Service| service.deployed.is_some() && !plan.needs.is_empty();
    let known = plan.topology.service(&of.service).is_some_and(|service| !unseen(service));
    (known && of.instances(&plan.topology).is_empty()).then_some(of)
}

/// There is a wire where a service calls another.
fn no_wire(view: &mut View<'_, '_, '_>, line: Option<usize>, of: &Wires) {
    let (message, hint) = match of {
        Wires::Between { to, .. } => (
            format!("nobody calls \"{}\": there is no wire to it", to.service),
            format!("say who does: `a service \"…\" that calls \"{}\"`", to.service),
        ),
        Wires::Of(place) => (
            format!("no wire crosses the border of {place}"),
            "callers and callees are all inside, or all outside".to_owned(),
        ),
    };
    view.tell(line, |line| {
        Mistake::error("no-wire", line.clause("wire"), message).label("nothing to damage").hint(hint)
    });
}

/// Who makes the calls goes down together with who is called: nobody is left to notice.
fn callers_gone(view: &mut View<'_, '_, '_>, plan: &Plan, line: Option<usize>, does: &FaultKind) {
    let FaultKind::Down { part, of, .. } = does else { return };
    if !part.has_proxy() {
        // The calls of traffic lines do not pass the caller's workload.
        return;
    }
    let down = of.instances(&plan.topology);
    for caller in callers(plan) {
        let all: Vec<InstanceId> = plan.topology.service(caller).into_iter().flat_map(|s| s.ids()).collect();
        let gone = all.iter().filter(|id| down.contains(id)).count();
        let in_a_place = matches!(of, Members::In(_));
        if gone == 0 || !in_a_place && gone < all.len() {
            continue;
        }
        let message = match gone == all.len() {
            true => format!("\"{caller}\", which makes the calls, goes down too"),
            false => format!("{gone} of {} instances of \"{caller}\", which makes the calls, go down too", all.len()),
        };
        let label = if gone == all.len() { "nobody is left to call" } else { "their own calls fail" };
        view.tell(line, |line| {
            let mistake = Mistake::warning("caller-down", line.clause("subject"), message).label(label);
            match of {
                Members::In(place) => mistake.hint(format!(
                    "keep the caller out of {place}, or name who goes: `every instance of \"…\" in {place} is killed`"
                )),
                Members::Of(_) => mistake.hint("name somebody who is called"),
            }
        });
    }
}

/// Who makes the calls of the traffic lines, each once.
fn callers(plan: &Plan) -> Vec<&ServiceName> {
    let mut all: Vec<&ServiceName> = plan.lines().map(|line| &line.caller).collect();
    all.sort();
    all.dedup();
    all
}
