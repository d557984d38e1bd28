//! What the mesh that features are run on says of a plan, before anything starts.

use squall_mesh_envoy::render;
use squall_model::{Diagnostic, Plan, Severity};

/// What it would accept and then ignore.
pub fn lint(plan: &Plan) -> Vec<Diagnostic> {
    render::lint(plan)
}

/// Why it cannot run this plan, each with its place; none if it can.
pub fn unsupported(plan: &Plan) -> Vec<Diagnostic> {
    let diagnostic = |message: String, origin: &squall_model::Origin| Diagnostic {
        code: "unsupported".into(),
        severity: Severity::Warning,
        message,
        origin: origin.clone(),
        label: "the scenario would be unsupported".into(),
        hint: None,
    };
    let needs = plan.needs.iter().map(|n| diagnostic(format!("this version cannot run: {}", n.what), &n.origin));
    let refused = render::refusals(plan);
    let refused = refused.into_iter().map(|why| diagnostic(format!("not on envoy: {why}"), &plan.origins.scenario));
    needs.chain(refused).collect()
}
