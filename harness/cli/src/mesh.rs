//! What the mesh that features are run on says of a plan, before anything starts.

use crate::args::GroundKind;
use squall_mesh::Refusal;
use squall_model::{Diagnostic, Plan, Severity};

/// What it would accept and then ignore: Envoy's doing, whoever configures it.
pub fn lint(plan: &Plan) -> Vec<Diagnostic> {
    squall_mesh_proxy::render::lint(plan)
}

/// Why these meshes cannot run this plan, each with its place; none if all can.
pub fn unsupported(plan: &Plan, on: &[GroundKind]) -> Vec<Diagnostic> {
    let diagnostic = |message: String, origin: &squall_model::Origin| Diagnostic {
        code: "unsupported".into(),
        severity: Severity::Warning,
        message,
        origin: origin.clone(),
        label: "the scenario would be unsupported".into(),
        hint: None,
    };
    let needs = plan.needs.iter().map(|n| diagnostic(format!("this version cannot run: {}", n.what), &n.origin));
    let refused = on.iter().flat_map(|mesh| refusals(plan, *mesh).into_iter().map(|why| (mesh.word(), why)));
    let refused = refused.map(|(mesh, why)| diagnostic(format!("not on {mesh}: {why}"), &plan.origins.scenario));
    needs.chain(refused).collect()
}

fn refusals(plan: &Plan, on: GroundKind) -> Vec<Refusal> {
    // What nobody has looked at is told as what the plan needs.
    let nowhere = || squall_mesh_proxy::render::of_nowhere(plan).filter(|_| plan.needs.is_empty());
    match on {
        GroundKind::Envoy => squall_mesh_proxy::render::refusals(plan).into_iter().chain(nowhere()).collect(),
        GroundKind::Istio => squall_mesh_istio::render::refusals(plan).into_iter().chain(nowhere()).collect(),
        GroundKind::IstioOnKubernetes => {
            let mut all = squall_mesh_istio::render::refusals(plan);
            all.extend(squall_mesh_istio::refused_in_pods(plan));
            all
        }
    }
}
