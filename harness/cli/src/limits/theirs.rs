//! What is done to applications that somebody else deployed: which of them are joined, and by which methods they are called.

use super::{ELSEWHERE, Label, Limit, Limits, diagnostic};
use crate::settings::FILE;
use squall_mesh_proxy::render;
use squall_model::{Deployed, Diagnostic, Plan, Protocol, Service, Severity, TrafficLine};
use std::collections::BTreeSet;

/// Services of an application that are called, whose tries are broken, or whose pods are restarted, without one of these labels.
fn unlabelled(plan: &Plan, limit: &Limit<Vec<Label>>) -> Vec<Diagnostic> {
    let broken = render::asking_in(plan, true).into_iter().chain(render::restarted_in(plan, true));
    let broken: BTreeSet<_> = broken.map(|service| &service.name).collect();
    let meant = plan.topology.theirs().filter(|(s, _)| plan.topology.is_called(&s.name) || broken.contains(&s.name));
    let lacking = meant.filter_map(|(service, of)| {
        let label = limit.value.iter().find(|label| of.labels.get(&label.name) != Some(&label.value))?;
        let what = format!("\"{}\" has no label {label}", service.name);
        Some(diagnostic(&what, limit, &plan.origins.scenario, "this scenario"))
    });
    lacking.collect()
}

/// Services of an application whose pods are restarted, or whose proxies are to ask, where nothing may be edited.
fn edited(plan: &Plan, limit: &Limit<bool>) -> Vec<Diagnostic> {
    let of = |service: &Service, what: fn(&Deployed) -> bool| service.deployed.as_ref().is_some_and(what);
    let restarted = render::restarted_in(plan, true).into_iter().filter(|s| of(s, |of| of.restarted.is_some()));
    let asking = render::asking_in(plan, true).into_iter().filter(|s| of(s, |of| of.pods.is_some()));
    let told = restarted.map(|s| format!("pods of \"{}\" are restarted", s.name));
    let told = told.chain(asking.map(|s| format!("an EnvoyFilter is put beside \"{}\"", s.name)));
    told.map(|what| diagnostic(&what, limit, &plan.origins.scenario, "this scenario")).collect()
}

/// The methods that change nothing (RFC 9110, 9.2.1): all others have to be spelled out by whoever owns the project.
pub(super) const SAFE: [&str; 2] = ["GET", "HEAD"];

impl Limits {
    /// Why the application of a namespace may not be joined, nor looked at; `None`: it may.
    #[cfg(feature = "kubernetes")]
    pub fn refuse_application(&self, namespace: &str) -> Option<String> {
        let limit = self.applications.as_ref().filter(|limit| !limit.value.iter().any(|one| one == namespace))?;
        Some(format!("the application in namespace `{namespace}` is none of those that may be joined: {limit}"))
    }

    /// What of a plan is done to applications that may not be, or not so.
    pub(super) fn beyond_theirs(&self, plan: &Plan) -> Vec<Diagnostic> {
        let mut all = Vec::new();
        if let Some(limit) = &self.applications {
            let joined = plan.topology.joined().into_iter();
            for namespace in joined.filter(|namespace| !limit.value.iter().any(|one| one == namespace)) {
                let what = format!("the application in namespace \"{namespace}\" is joined");
                all.push(diagnostic(&what, limit, &plan.origins.scenario, "this scenario"));
            }
        }
        all.extend(self.labels.iter().flat_map(|limit| unlabelled(plan, limit)));
        all.extend(self.edits.iter().filter(|limit| !limit.value).flat_map(|limit| edited(plan, limit)));
        all.extend(
            plan.lines()
                .filter(|line| plan.topology.deployed(&line.to.service).is_some())
                .filter_map(|line| self.unsafe_method(plan, line)),
        );
        all
    }

    /// Calls to it by a method that may change something, where nobody has spelled that out.
    fn unsafe_method(&self, plan: &Plan, line: &TrafficLine) -> Option<Diagnostic> {
        let is_grpc = plan.topology.service(&line.to.service).is_some_and(|service| service.protocol == Protocol::Grpc);
        // A call of gRPC is always a POST.
        let method = line.with.method.as_deref().unwrap_or(if is_grpc { "POST" } else { "GET" });
        let origin = plan.origins.lines.get(&line.number).unwrap_or(&plan.origins.scenario);
        let what = format!("{method} may change what somebody else deployed");
        match &self.methods {
            _ if SAFE.contains(&method) => None,
            Some(limit) if limit.value.iter().any(|one| one == method) => None,
            Some(limit) => Some(diagnostic(&what, limit, origin, "this traffic")),
            None => Some(Diagnostic {
                code: "beyond-limit".into(),
                severity: Severity::Error,
                message: what,
                origin: origin.clone(),
                label: "this traffic".into(),
                hint: Some(format!(
                    "where it may, spell it out: `methods = [\"{method}\"]` under [kubernetes.limits] in {FILE}; or {ELSEWHERE}"
                )),
            }),
        }
    }
}
