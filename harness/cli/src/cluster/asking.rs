//! What is put beside an application of somebody else's while a run lasts: what has its proxies ask the fault port, one object for each service
//! whose tries some fault means.

use super::{doctor::Lacking, failure, job::Job, manifest, remote::UP};
use crate::{outcome::Failure, run::Work};
use serde_json::{Value, json};
use squall_mesh::word_of;
use squall_mesh_istio::{
    asking::{Run, asking},
    refused_in_pods,
};
use squall_mesh_proxy::render;
use squall_model::{Plan, Service};
use squall_place::kubernetes::{Cluster, ClusterError, RUN};
use std::{cell::RefCell, collections::BTreeMap, net::IpAddr, time::Duration};
use tokio::time::{Instant, sleep_until};

/// How often the runner looks whether they are put.
const LOOK: Duration = Duration::from_millis(200);

/// What a run needs in the namespace of an application whose proxies are to ask.
pub(super) fn rules() -> Value {
    json!([{"apiGroups": ["networking.istio.io"], "resources": ["envoyfilters"], "verbs": ["list", "create", "delete"]}])
}

/// Services of others whose proxies are to ask, and what was made for that.
#[derive(Debug, Default)]
pub(super) struct Asking {
    services: Vec<Service>,
    made: RefCell<Vec<Value>>,
}

impl Asking {
    /// Those that some fault of this work needs, or of its control runs. What cannot be run needs none.
    pub(super) fn of(work: &Work) -> Asking {
        let mut all: BTreeMap<(String, String), Service> = BTreeMap::new();
        let joins = |plan: &&Plan| plan.topology.theirs().next().is_some();
        for plan in work.plans.iter().filter(joins).filter(|plan| is_run(plan)) {
            for service in render::asking_in(plan, work.controls) {
                let Some(of) = service.deployed.as_ref().filter(|of| of.pods.is_some()) else { continue };
                all.insert((of.namespace.clone(), service.name.to_string()), service.clone());
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
        for namespace in self.namespaces() {
            let there = cluster.list(&like(namespace)).await.map_err(|e| failure(&e))?;
            if let Some(run) = there.iter().find_map(|one| one["metadata"]["labels"][RUN].as_str()) {
                return Err(taken(namespace, run));
            }
        }
        self.shared().map_or(Ok(()), |why| Err(Failure::usage(why)))
    }

    /// Two services that stand before the same pod, of whose tries nobody could tell which of them is meant.
    fn shared(&self) -> Option<String> {
        let mut seen: BTreeMap<IpAddr, &Service> = BTreeMap::new();
        for service in &self.services {
            for at in service.instances.iter().filter_map(|instance| instance.at) {
                if let Some(other) = seen.insert(at.ip(), service).filter(|other| other.name != service.name) {
                    return Some(format!(
                        "\"{}\" and \"{}\" stand before the same pods: break tries to one of them in a run",
                        other.name, service.name
                    ));
                }
            }
        }
        None
    }

    /// Has them ask the runner of this job.
    pub(super) async fn put(&self, cluster: &Cluster, job: &Job) -> Result<(), ClusterError> {
        if self.is_empty() {
            return Ok(());
        }
        let runner = cluster.address_of(&job.namespace, manifest::RUNNER, UP).await?;
        let uid = cluster.uid_of_namespace(&job.namespace).await?;
        let run =
            Run { word: &word_of(&job.work.run), runner, labels: &job.labels, namespace: &job.namespace, uid: &uid };
        for object in self.services.iter().filter_map(|service| asking(service, &run)) {
            cluster.create(&object).await?;
            self.made.borrow_mut().push(object);
        }
        cluster.apply(&put(job)).await
    }

    /// They ask no more. What cannot be removed goes with the run's namespace, which owns it.
    pub(super) async fn take_away(&self, cluster: &Cluster) {
        for object in self.made.take() {
            let _ = cluster.delete(&object).await;
        }
    }
}

/// Whether a plan is run in pods: for what is not, nothing is put beside an application.
pub(super) fn is_run(plan: &Plan) -> bool {
    plan.needs.is_empty() && squall_mesh_istio::render::refusals(plan).is_empty() && refused_in_pods(plan).is_empty()
}

/// Waits, on the runner's side, until they are there: a connection that is older than the filters would go on without them.
pub(super) async fn are_put(cluster: &Cluster, job: &Job) -> Result<(), Failure> {
    let by = Instant::now() + UP;
    while cluster.get(&put(job)).await.ok().flatten().is_none() {
        if Instant::now() > by {
            return Err(Failure::environment(
                "whoever started the run did not have the application's proxies ask the fault port",
            ));
        }
        sleep_until(Instant::now() + LOOK).await;
    }
    Ok(())
}

/// The object that says that they are there: one of a kind that a runner may look at.
fn put(job: &Job) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "squall-port", "namespace": job.namespace, "labels": job.labels},
    })
}

/// Objects of this kind in a namespace.
fn like(namespace: &str) -> Value {
    json!({"apiVersion": "networking.istio.io/v1alpha3", "kind": "EnvoyFilter", "metadata": {"namespace": namespace}})
}

fn taken(namespace: &str, run: &str) -> Failure {
    Failure::environment(format!(
        "the proxies of the application in namespace {namespace} ask the fault port of another run already ({run})"
    ))
    .help("two runs cannot break tries to one application: wait for the end of the other; where it is gone, `squall recover --on kubernetes` removes what it left")
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_model::Instance;

    #[test]
    fn services_before_the_same_pods_do_not_ask_both() {
        let service = |name: &str, last: u8, port: u16| {
            let at = Some(([10, 0, 0, last], port).into());
            Service { instances: vec![Instance { at, ..Instance::default() }], ..Service::new(name.into()) }
        };
        let shared = |services: Vec<Service>| Asking { services, ..Asking::default() }.shared();
        assert_eq!(shared(vec![service("front", 1, 80), service("reviews", 2, 80)]), None);
        let why = shared(vec![service("reviews", 2, 80), service("reviews-grpc", 2, 81)]).unwrap();
        assert!(why.contains("\"reviews\" and \"reviews-grpc\""), "{why}");
    }
}
