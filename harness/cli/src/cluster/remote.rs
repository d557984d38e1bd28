//! This side of a run on a cluster: what it makes there, what it hears, and how it ends all of it.

use super::{asking::Asking, doctor::Lacking, ear::Ear, edits, failure, job::Job, life, manifest};
use crate::{
    args::RunArgs,
    limits::{Limits, sounds_like_production},
    outcome::Failure,
    run::Work,
    settings::{Kubernetes, Settings},
    term::Out,
};
use serde_json::Value;
use squall_engine::Stopper;
use squall_model::RunEvent;
use squall_place::kubernetes::{Cluster, ClusterError, RUN, current_context, namespace_of};
use std::{collections::BTreeMap, sync::mpsc::Sender, time::Duration};
use tokio::time::{Instant, sleep_until};

/// How long the runner's own pod may take to run.
pub(super) const UP: Duration = Duration::from_secs(60);

/// How long the runner may take to end in order.
const LEAVE: Duration = Duration::from_secs(30);

/// A cluster to run on.
#[derive(Debug, Clone)]
pub struct Ground {
    /// The context of the kubeconfig.
    context: Option<String>,
    pub image: String,
    /// Where pods find istiod.
    istiod: String,
    limits: Limits,
    /// What istiod is, in its own words.
    pub mesh_version: String,
    /// The label of a namespace whose pods get sidecars.
    injection: (String, String),
}

/// Looks whether a run can be made on the cluster at all: nothing is touched.
pub fn ground(args: &RunArgs, settings: &Settings) -> Result<Ground, Failure> {
    super::seat::block_on(async {
        let context = permitted(args.context.as_deref(), &settings.kubernetes)?;
        let cluster = Cluster::connect(context.as_deref()).await.map_err(|e| failure(&e))?;
        let version = cluster.version().await.map_err(|e| failure(&e))?;
        let kind = manifest::definition("virtualservices.networking.istio.io");
        // Who may not look is told when it is needed.
        if matches!(cluster.get(&kind).await, Ok(None)) {
            let (kind, api) = ("VirtualService".into(), "networking.istio.io/v1".into());
            return Err(failure(&ClusterError::NoSuchKind { kind, api }));
        }
        // All of them before anything is made: who may make a namespace, and not remove it, would leave it.
        Lacking::ask(&cluster).await.refuse()?;
        let istiod = cluster.image_of("istio-system", "app=istiod").await;
        let tag =
            istiod.as_deref().and_then(|image| image.rsplit_once(':')).map_or("of an unknown version", |(_, tag)| tag);
        let injection = match &settings.kubernetes.revision {
            Some(revision) => ("istio.io/rev".to_owned(), revision.clone()),
            None => ("istio-injection".to_owned(), "enabled".to_owned()),
        };
        Ok(Ground {
            mesh_version: format!("istio {tag} · kubernetes {version}"),
            image: settings.kubernetes.image(args.image.as_deref()),
            istiod: settings.kubernetes.istiod(),
            limits: settings.kubernetes.limits.clone(),
            context,
            injection,
        })
    })?
}

/// The context of the cluster that is meant, if there are contexts, where this project lets a run be made on it, and now; one that sounds like
/// production has to be spelled out. Found once: what is current may be another by the time that anybody connects.
pub(super) fn permitted(spelled: Option<&str>, kubernetes: &Kubernetes) -> Result<Option<String>, Failure> {
    let context = kubernetes.context(spelled).map(str::to_owned).or_else(current_context);
    let name = context.as_deref().unwrap_or("in-cluster");
    if sounds_like_production(name) && spelled != Some(name) {
        return Err(Failure::usage(format!("the context `{name}` sounds like production"))
            .help(format!("if that is what is meant, spell it out: `--context {name}`")));
    }
    match kubernetes.limits.refuse(name, &jiff::Zoned::now()) {
        Some(why) => Err(Failure::usage(why)),
        None => Ok(context),
    }
}

/// What the runner there is given.
fn job(ground: &Ground, work: &Work) -> Job {
    Job {
        work: work.clone(),
        mesh_version: ground.mesh_version.clone(),
        namespace: namespace_of(&work.run),
        image: ground.image.clone(),
        istiod: ground.istiod.clone(),
        limits: ground.limits.clone(),
        labels: labels(&work.run),
        lease: life::LEASE,
    }
}

/// Runs on a cluster, and leaves it as it was, whatever came of it.
pub async fn run_on(
    ground: &Ground,
    work: &Work,
    events: Sender<RunEvent>,
    stopper: Stopper,
    out: Out,
) -> Result<(), Failure> {
    // A connection lives in the runtime that it was made in.
    let cluster = &Cluster::connect(ground.context.as_deref()).await.map_err(|e| failure(&e))?;
    let job = &job(ground, work);
    let injection = (ground.injection.0.as_str(), ground.injection.1.as_str());
    let begun = format!("its runner has {} s to be there", UP.as_secs());
    out.note(&format!("within {}", ground.limits.whose()));
    let asking = Asking::of(work);
    asking.refuse(cluster).await?;
    edits::refuse(cluster, &edits::edited(work)).await?;
    let heard = async {
        let heard = attend(cluster, job, &asking, events, &stopper, out).await;
        asking.take_away(cluster).await;
        heard
    };
    let ((), left) = in_its_own(cluster, &manifest::namespace(job, injection), &begun, out, heard).await?;
    left.map_or(Ok(()), Err)
}

/// Does something in a namespace that is made for it, and removed afterwards, whatever came of it; where it is left, that comes with what came
/// of the work.
pub(super) async fn in_its_own<T>(
    cluster: &Cluster,
    namespace: &Value,
    begun: &str,
    out: Out,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<(T, Option<Failure>), Failure> {
    let name = namespace["metadata"]["name"].as_str().unwrap_or_default();
    match cluster.create_once(namespace).await {
        Ok(()) => {}
        // It may have been made all the same.
        Err(error) if error.is_passing() => {
            let left = cluster.remove_namespace(name, UNSURE).await.err();
            let failure = failure(&error);
            return Err(match left {
                None => failure,
                Some(_) => failure.help(format!("namespace {name} may have been made: {LEFT}")),
            });
        }
        Err(error) => return Err(failure(&error)),
    }
    out.note(&format!("namespace {name} on {}; {begun}", cluster.server()));
    let came = work.await;
    out.note(&format!("removing namespace {name} and all that is in it"));
    let left = cluster.remove_namespace(name, manifest::GONE).await.err();
    let left = left.map(|error| format!("namespace {name} is left: {error}"));
    match (came, left) {
        (came, None) => came.map(|came| (came, None)),
        (Ok(came), Some(left)) => Ok((came, Some(Failure::environment(left).help(LEFT)))),
        (Err(failure), Some(left)) => Err(failure.help(left).help(LEFT)),
    }
}

/// What helps where a namespace is left.
const LEFT: &str = "`squall recover --on kubernetes` removes what runs have left";

/// How long a namespace of which nobody knows whether it was made is tried to be removed.
const UNSURE: Duration = Duration::from_secs(15);

/// Makes the runner and hears it, and gives signs of life meanwhile; ends early where the run is to stop.
async fn attend(
    cluster: &Cluster,
    job: &Job,
    asking: &Asking,
    events: Sender<RunEvent>,
    stopper: &Stopper,
    out: Out,
) -> Result<(), Failure> {
    let mut ear = Ear::new(events, stopper.clone());
    let running = async {
        make(cluster, job, asking).await.map_err(|e| failure(&e))?;
        asking.put(cluster, job).await.map_err(|e| failure(&e))?;
        ear.listen(cluster, job).await
    };
    tokio::select! {
        heard = running => heard,
        why = leave(cluster, job, stopper, out) => Err(why),
        never = life::give(cluster, |number| manifest::sign(job, number)) => match never {},
    }
}

async fn make(cluster: &Cluster, job: &Job, asking: &Asking) -> Result<(), ClusterError> {
    let token = format!("{:032x}", rand::random::<u128>());
    let objects = manifest::before_runner(job, asking, &token)
        .map_err(|why| ClusterError::Refused { what: "tell the runner its job".into(), words: why.to_string() })?;
    for object in objects {
        cluster.apply(&object).await?;
    }
    edits::allow(cluster, job).await?;
    cluster.create(&manifest::runner(job)).await?;
    cluster.runs(&job.namespace, manifest::RUNNER, UP).await
}

/// Has the runner end in order when the run is to stop, and gives it time for that; says why it is waited for no longer.
async fn leave(cluster: &Cluster, job: &Job, stopper: &Stopper, out: Out) -> Failure {
    stopper.stopped().await;
    let by = Instant::now() + LEAVE;
    // Where nobody says, it may have.
    if let Ok(false) = cluster.has_begun(&job.namespace, manifest::RUNNER).await {
        let why = stopper.why().unwrap_or_default();
        return Failure::environment(format!("interrupted by {why} before the runner began: nothing ran"));
    }
    out.note(&format!("ending the run, up to {} s; a second signal leaves that to the runner", LEAVE.as_secs()));
    let _ = cluster.end_pod(&job.namespace, manifest::RUNNER, LEAVE).await;
    sleep_until(by).await;
    Failure::environment(format!("the runner did not end within {LEAVE:?}"))
}

/// Names what a run makes.
pub(super) fn labels(run: &str) -> BTreeMap<String, String> {
    let names = [(RUN, run), ("app.kubernetes.io/managed-by", "squall")];
    names.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}
