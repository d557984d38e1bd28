//! What is put beside an application of somebody else's while a run lasts: what has its proxies ask the fault port, one object for each service
//! whose tries some fault means.

use super::{doctor::Lacking, failure, job::Job, manifest};
use crate::outcome::Failure;
use serde_json::{Value, json};
use squall_mesh_istio::asking::{asking, name};
use squall_mesh_proxy::render;
use squall_model::{Plan, Service, controls, vary};
use squall_place::kubernetes::{Cluster, ClusterError, RUN};
use std::{cell::RefCell, collections::BTreeMap, time::Duration};

/// How long the runner's pod may take to have an address.
const UP: Duration = Duration::from_secs(60);

/// What a run needs in the namespace of an application whose proxies are to ask.
pub(super) fn rules() -> Value {
    json!([{"apiGroups": ["networking.istio.io"], "resources": ["envoyfilters"], "verbs": ["get", "create", "delete"]}])
}

/// Services of others whose proxies are to ask, and what was made for that.
#[derive(Debug, Default)]
pub(super) struct Asking {
    services: Vec<Service>,
    made: RefCell<Vec<Value>>,
}

impl Asking {
    /// Those that some fault of these plans needs, or of their control runs.
    pub(super) fn of(plans: &[Plan]) -> Asking {
        let mut all: BTreeMap<(String, String), Service> = BTreeMap::new();
        for plan in plans.iter().filter(|plan| plan.topology.theirs().next().is_some()) {
            let varied = controls(plan).into_iter().map(|variation| vary(plan, variation));
            for run in std::iter::once(plan.clone()).chain(varied) {
                for service in render::asking(run.faults.iter(), &run.topology) {
                    let Some(of) = service.deployed.as_ref().filter(|of| of.pods.is_some()) else { continue };
                    all.insert((of.namespace.clone(), service.name.to_string()), service.clone());
                }
            }
        }
        Asking { services: all.into_values().collect(), made: RefCell::default() }
    }

    /// Nobody asks.
    pub(super) fn is_empty(&self) -> bool {
        self.services.is_empty()
    }

    /// Where they are.
    pub(super) fn namespaces(&self) -> Vec<&str> {
        let mut all: Vec<&str> =
            self.services.iter().filter_map(|service| Some(service.deployed.as_ref()?.namespace.as_str())).collect();
        all.dedup();
        all
    }

    /// Why it cannot be made, before anything is: what is not permitted, and who else does it already.
    pub(super) async fn refuse(&self, cluster: &Cluster) -> Result<(), Failure> {
        for namespace in self.namespaces() {
            if let Some(words) = Lacking::within(Some(namespace), cluster, &[rules()]).await.missing() {
                let what = format!(
                    "to break tries that reach the application a run needs to {words} in namespace {namespace}"
                );
                return Err(Failure::environment(ClusterError::Forbidden(what).to_string())
                    .help("kind-config/application.yaml has a role for that; `--fault-by native` runs what can be done without it"));
            }
        }
        for service in &self.services {
            let like = like(service);
            if let Some(there) = cluster.get(&like).await.map_err(|e| failure(&e))? {
                return Err(taken(service, there["metadata"]["labels"][RUN].as_str().unwrap_or("unknown")));
            }
        }
        Ok(())
    }

    /// Has them ask the runner of this job.
    pub(super) async fn put(&self, cluster: &Cluster, job: &Job) -> Result<(), ClusterError> {
        if self.is_empty() {
            return Ok(());
        }
        let runner = cluster.address_of(&job.namespace, manifest::RUNNER, UP).await?;
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": job.namespace}});
        let uid =
            cluster.get(&namespace).await?.map(|it| it["metadata"]["uid"].as_str().unwrap_or_default().to_owned());
        let owner = (job.namespace.as_str(), uid.as_deref().unwrap_or_default());
        for object in self.services.iter().filter_map(|service| asking(service, runner, &job.labels, owner)) {
            cluster.create(&object).await?;
            self.made.borrow_mut().push(object);
        }
        Ok(())
    }

    /// They ask no more. What cannot be removed goes with the run's namespace, which owns it.
    pub(super) async fn take_away(&self, cluster: &Cluster) {
        for object in self.made.take() {
            let _ = cluster.delete(&object).await;
        }
    }
}

/// The object of a service, by name.
fn like(service: &Service) -> Value {
    let namespace = service.deployed.as_ref().map(|of| of.namespace.as_str());
    json!({
        "apiVersion": "networking.istio.io/v1alpha3",
        "kind": "EnvoyFilter",
        "metadata": {"name": name(service), "namespace": namespace},
    })
}

fn taken(service: &Service, run: &str) -> Failure {
    Failure::environment(format!(
        "the proxies of \"{}\" ask the fault port of another run already ({run}): two runs cannot break the same service",
        service.name
    ))
    .help("wait for its end; where it is gone, `squall recover --on kubernetes` removes what it left")
}
