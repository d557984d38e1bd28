//! gRPC and plain HTTP side by side: what the one has no word for, and what looks like success to the other.

use super::envoy::callee;
use super::view::View;
use crate::source::Mistake;
use squall_model::{
    AnswerCode, Answers, Calls, ClaimKind, FaultKind, Outcome, Plan, PolicyKind, Probe, Protocol, Quantity, RetryOn,
    ServiceName, Touch,
};

/// Looks at every code, probe and condition.
pub(crate) fn check(view: &mut View<'_, '_, '_>) {
    let plan = view.plan().clone();
    faults(view, &plan);
    claims(view, &plan);
    traffic(view, &plan);
    policies(view, &plan);
}

fn speaks_grpc(plan: &Plan, service: &ServiceName) -> bool {
    plan.topology.service(service).is_some_and(|s| s.protocol == Protocol::Grpc)
}

/// Whether these calls are gRPC; `None` where some are and some are not.
fn are_grpc(plan: &Plan, calls: &Calls) -> Option<bool> {
    if let Some(to) = callee(calls) {
        return Some(speaks_grpc(plan, to));
    }
    let mut all: Vec<bool> = plan.lines().map(|line| speaks_grpc(plan, &line.to.service)).collect();
    all.dedup();
    match all.as_slice() {
        [same] => Some(*same),
        _ => None,
    }
}

/// An abort with a grpc status is an answer 200 with a text to a plain call; one with a status of HTTP has no grpc status.
fn faults(view: &mut View<'_, '_, '_>, plan: &Plan) {
    for fault in &plan.faults {
        let line = view.fault_line(fault.id);
        match &fault.does {
            FaultKind::Touch { on, touch: Touch::Abort(code) } => match (are_grpc(plan, &on.of), code) {
                (Some(true), AnswerCode::Status(_)) => view.tell(line, |line| {
                    Mistake::error("protocol", line.clause("touch"), "these calls are gRPC: they end with a grpc status")
                        .label("no status of gRPC")
                        .hint("write `aborted with grpc status \"UNAVAILABLE\"`")
                }),
                (Some(false), AnswerCode::Grpc(_)) => view.tell(line, |line| {
                    Mistake::error("protocol", line.clause("touch"), "these calls are plain HTTP")
                        .label("to them this is an answer 200 with a text: a success")
                        .hint("write `aborted with status 503`, or let the service speak gRPC: `a service \"…\" speaking grpc`")
                }),
                _ => {}
            },
            FaultKind::Answers { of, how: Answers::With(AnswerCode::Grpc(_)) | Answers::After { .. } }
                if !speaks_grpc(plan, &of.service) =>
            {
                let service = of.service.clone();
                view.tell(line, |line| {
                    Mistake::error("protocol", line.clause("event"), format!("\"{service}\" speaks plain HTTP"))
                        .label("it has no status of gRPC")
                        .hint(format!("write `answers with status 503`, or `a service \"{service}\" speaking grpc`"))
                });
            }
            _ => {}
        }
    }
}

fn claims(view: &mut View<'_, '_, '_>, plan: &Plan) {
    for claim in &plan.claims {
        let (ClaimKind::Every { of, outcome, .. }
        | ClaimKind::Share { of, outcome, .. }
        | ClaimKind::Total { quantity: Quantity::Count { of, outcome }, .. }) = &claim.kind
        else {
            continue;
        };
        let Outcome::Answered(code) = outcome else { continue };
        let line = view.claim_line(claim);
        match (are_grpc(plan, &of.calls), code) {
            (Some(true), AnswerCode::Status(_)) => view.tell(line, |line| {
                Mistake::error(
                    "protocol",
                    line.clause("outcome"),
                    "these calls are gRPC: whatever comes, its status is 200",
                )
                .label("say which grpc status")
                .hint("write `answered with grpc status \"UNAVAILABLE\"`")
            }),
            (Some(false), AnswerCode::Grpc(_)) => view.tell(line, |line| {
                Mistake::error("protocol", line.clause("outcome"), "these calls are plain HTTP")
                    .label("no answer has a grpc status")
                    .hint("write `answered with status 503`")
            }),
            _ => {}
        }
    }
}

fn traffic(view: &mut View<'_, '_, '_>, plan: &Plan) {
    for traffic in plan.lines().filter(|l| l.with.method.is_some() && speaks_grpc(plan, &l.to.service)) {
        let line = view.built.traffic_lines.get(usize::from(traffic.number)).copied();
        view.tell(line, |line| {
            Mistake::error("protocol", line.clause("with"), "every call of gRPC is a POST")
                .label("no method of HTTP to choose")
                .hint("leave the method out")
        });
    }
}

fn policies(view: &mut View<'_, '_, '_>, plan: &Plan) {
    for policy in &plan.policies {
        let line = view.policy_line(policy.id);
        match &policy.says {
            PolicyKind::Retries { of, on, .. } if are_grpc(plan, of) == Some(true) && on.iter().all(is_http_only) => {
                view.tell(line, |line| {
                    Mistake::warning("retry-on-http", line.clause("text"), "a failure of gRPC comes with the status 200")
                        .label("its grpc status is not looked at")
                        .hint("retry on \"unavailable\", \"internal\", \"cancelled\", \"deadline-exceeded\" or \"resource-exhausted\"")
                });
            }
            PolicyKind::Check { of, by: Probe::Grpc, .. } if !speaks_grpc(plan, of) => view.tell(line, |line| {
                Mistake::error("protocol", line.clause("check"), format!("\"{of}\" speaks plain HTTP"))
                    .label("the check would never pass: nobody is called")
                    .hint("check it by http on a path: `by http on path \"/healthz\"`")
            }),
            PolicyKind::Check { of, by: Probe::Http(_), .. } if speaks_grpc(plan, of) => view.tell(line, |line| {
                Mistake::error("protocol", line.clause("check"), format!("\"{of}\" speaks gRPC"))
                    .label("no path of it answers a GET with 200: nobody is called")
                    .hint("check it by its health service: `by grpc`")
            }),
            _ => {}
        }
    }
}

/// Conditions that look at the status of HTTP alone (Envoy, `x-envoy-retry-on`).
fn is_http_only(on: &RetryOn) -> bool {
    matches!(
        on,
        RetryOn::FiveHundreds
            | RetryOn::GatewayError
            | RetryOn::Retriable4xx
            | RetryOn::EnvoyRatelimited
            | RetryOn::Status(_)
    )
}
