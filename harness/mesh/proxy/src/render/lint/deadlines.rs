//! Deadlines that nobody has, or that bound nothing.

use super::{Found, called};
use squall_model::{Calls, Plan, PolicyKind, ServiceName};

/// The rest of a time limit bounds onward calls: so there has to be a limit, and there have to be onward calls.
pub(super) fn keep(plan: &Plan, of: &Calls) -> Option<Found> {
    let services = called(plan, of);
    let calls_nobody = |service: &ServiceName| plan.topology.service(service).is_none_or(|s| s.calls.is_empty());
    if let Some(service) = services.iter().find(|_| services.iter().all(|service| calls_nobody(service))) {
        return Some(Found {
            code: "deadline-of-no-onward-calls",
            message: format!("\"{service}\" calls nobody: there is nothing that a deadline of its calls could bound"),
            label: "bounds nothing".into(),
            hint: "`calls to \"A\" keep their deadline` is about the calls that \"A\" makes meanwhile".into(),
        });
    }
    let is_limited = |service: &ServiceName| {
        plan.policies.iter().any(|policy| match &policy.says {
            PolicyKind::Timeout { of, .. } => of.of.to.as_ref().is_none_or(|target| target.service == *service),
            PolicyKind::KeepDeadline { of } => is_kept_by_a_caller(plan, of, service),
            _ => false,
        })
    };
    let service = services.iter().find(|_| !services.iter().any(|service| is_limited(service)))?;
    Some(Found {
        code: "no-deadline-to-keep",
        message: format!("no line limits the time of calls to \"{service}\": they have no deadline to keep"),
        label: "bounds nothing".into(),
        hint: format!("`calls to \"{service}\" time out after …` is one"),
    })
}

/// Whether calls to a caller of this service keep theirs, so that its own calls have one.
fn is_kept_by_a_caller(plan: &Plan, of: &Calls, service: &ServiceName) -> bool {
    plan.topology.callers(service).any(|caller| of.to.as_ref().is_none_or(|target| target.service == caller.name))
}
