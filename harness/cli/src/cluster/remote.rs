//! This side of a run on a cluster: what it makes there, what it hears, and how it ends all of it.

use super::{failure, job::Job, life, manifest};
use crate::{
    args::RunArgs,
    outcome::{Exit, Failure},
    run::Work,
    settings::Settings,
    term::Out,
};
use serde_json::json;
use squall_engine::Stopper;
use squall_model::{Body, RunEvent};
use squall_place::kubernetes::{Cluster, ClusterError, run_of, selector_of};
use squall_report::read_events;
use std::{sync::mpsc::Sender, time::Duration};
use tokio::time::{Instant, sleep_until, timeout};

/// How long the runner's own pod may take to run.
const UP: Duration = Duration::from_secs(60);

/// How long the API server may be away before the run is given up: the runner does not need it for everything, and goes on.
const AWAY: Duration = Duration::from_secs(60);

/// How long the runner may take to end in order.
const LEAVE: Duration = Duration::from_secs(30);

/// How long a namespace may take to be gone.
const GONE: Duration = Duration::from_secs(90);

/// How soon the API server is asked again.
const AGAIN: Duration = Duration::from_millis(500);

/// A cluster to run on.
#[derive(Debug, Clone)]
pub struct Ground {
    /// The context of the kubeconfig.
    context: Option<String>,
    pub image: String,
    /// What istiod is, in its own words.
    pub mesh_version: String,
    /// The label of a namespace whose pods get sidecars.
    injection: (String, String),
}

/// Looks whether a run can be made on the cluster at all: nothing is touched.
pub fn ground(args: &RunArgs, settings: &Settings) -> Result<Ground, Failure> {
    super::seat::block_on(async {
        let context = args.context.as_deref().or(settings.kubernetes.context.as_deref());
        let cluster = Cluster::connect(context).await.map_err(|e| failure(&e))?;
        let version = cluster.version().await.map_err(|e| failure(&e))?;
        let kind = json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": "virtualservices.networking.istio.io"},
        });
        // Who may not look is told when it is needed.
        if matches!(cluster.get(&kind).await, Ok(None)) {
            let (kind, api) = ("VirtualService".into(), "networking.istio.io/v1".into());
            return Err(failure(&ClusterError::NoSuchKind { kind, api }));
        }
        if cluster.may("create", "", "namespaces", None).await == Some(false) {
            return Err(failure(&ClusterError::Forbidden(
                "a run makes a namespace of its own (create namespaces)".into(),
            )));
        }
        let istiod = cluster.image_of("istio-system", "app=istiod").await;
        let tag =
            istiod.as_deref().and_then(|image| image.rsplit_once(':')).map_or("of an unknown version", |(_, tag)| tag);
        let injection = match &settings.kubernetes.revision {
            Some(revision) => ("istio.io/rev".to_owned(), revision.clone()),
            None => ("istio-injection".to_owned(), "enabled".to_owned()),
        };
        Ok(Ground {
            mesh_version: format!("istio {tag} · kubernetes {}", version.server),
            image: image(args.image.as_deref(), settings),
            context: context.map(str::to_owned),
            injection,
        })
    })?
}

/// The image of our own pods.
pub(super) fn image(named: Option<&str>, settings: &Settings) -> String {
    let named = named.map(str::to_owned).or_else(|| settings.kubernetes.image.clone());
    named.unwrap_or_else(|| format!("squall:{}", env!("CARGO_PKG_VERSION")))
}

/// What the runner there is given.
fn job(ground: &Ground, work: &Work) -> Job {
    Job {
        plans: work.plans.clone(),
        controls: work.controls,
        seed: work.seed,
        run: work.run.clone(),
        early_stop: work.early_stop,
        mesh_version: ground.mesh_version.clone(),
        namespace: format!("squall-{}", work.run),
        image: ground.image.clone(),
        labels: labels(&work.run),
        token: format!("{:032x}", rand::random::<u128>()),
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
    let listening = async {
        make(cluster, ground, job).await.map_err(|e| failure(&e))?;
        let mut ear = Ear { events, next: 0, finished: false, said: Vec::new() };
        tokio::select! {
            heard = ear.listen(cluster, job) => heard,
            () = leave(cluster, job, &stopper) => {
                Err(Failure::environment(format!("the runner did not end within {LEAVE:?}")))
            }
            () = life::give(cluster, job) => Ok(()),
        }
    };
    let heard = listening.await;
    out.note(&format!("removing namespace {} and all that is in it", job.namespace));
    let gone = cluster.remove_namespace(&job.namespace, GONE).await;
    let left = |error: ClusterError| {
        Failure::environment(format!("namespace {} is left: {error}", job.namespace))
            .help("`squall recover --on kubernetes` removes what runs have left")
    };
    heard.and(gone.map_err(left))
}

async fn make(cluster: &Cluster, ground: &Ground, job: &Job) -> Result<(), ClusterError> {
    let injection = (ground.injection.0.as_str(), ground.injection.1.as_str());
    cluster.create(&manifest::namespace(job, injection)).await?;
    let objects = manifest::before_runner(job)
        .map_err(|why| ClusterError::Refused { what: "tell the runner its job".into(), words: why.to_string() })?;
    for object in objects {
        cluster.apply(&object).await?;
    }
    cluster.create(&manifest::runner(job)).await?;
    cluster.runs(&job.namespace, manifest::RUNNER, UP).await
}

/// Has the runner end in order when the run is to stop, and gives it time for that.
async fn leave(cluster: &Cluster, job: &Job, stopper: &Stopper) {
    stopper.stopped().await;
    let _ = cluster.end_pod(&job.namespace, manifest::RUNNER, LEAVE).await;
    sleep_until(Instant::now() + LEAVE + AGAIN).await;
}

/// Hears what the runner says.
struct Ear {
    events: Sender<RunEvent>,
    /// The number of the event that comes next: after a broken connection all of them are said again.
    next: u64,
    finished: bool,
    /// The last lines that were no events.
    said: Vec<String>,
}

impl Ear {
    async fn listen(&mut self, cluster: &Cluster, job: &Job) -> Result<(), Failure> {
        let mut heard = Instant::now();
        loop {
            match cluster.lines_of(&job.namespace, manifest::RUNNER, manifest::RUNNER).await {
                Ok(mut lines) => {
                    while let Some(line) = lines.next().await {
                        self.hear(&line);
                        heard = Instant::now();
                    }
                }
                Err(error) if !error.is_passing() && self.finished => return Ok(()),
                Err(error) if !error.is_passing() => return Err(failure(&error)),
                Err(_) => {}
            }
            match cluster.end_of(&job.namespace, manifest::RUNNER, manifest::RUNNER).await {
                _ if self.finished => return Ok(()),
                Ok(Some(ended)) if ended.status == 0 => return Ok(()),
                Ok(Some(ended)) => {
                    let last = self.said.join("; ");
                    let why = format!("the runner ended with {} ({}): {last}", ended.status, ended.reason);
                    return Err(Failure::environment(why));
                }
                Ok(None) => heard = Instant::now(),
                Err(error) if !error.is_passing() => return Err(failure(&error)),
                Err(error) if heard.elapsed() > AWAY => return Err(failure(&error)),
                Err(_) => {}
            }
            sleep_until(Instant::now() + AGAIN).await;
        }
    }

    fn hear(&mut self, line: &str) {
        match read_events(&format!("{line}\n")).ok().and_then(|mut events| events.pop()) {
            Some(event) if event.seq < self.next => {}
            Some(event) => {
                self.next = event.seq + 1;
                self.finished |= matches!(event.body, Body::RunFinished(_));
                // A reader that is gone is no reason to stop.
                let _ = self.events.send(event);
            }
            None => {
                self.said.push(line.to_owned());
                if self.said.len() > 3 {
                    self.said.remove(0);
                }
            }
        }
    }
}

/// Removes the namespaces of runs that nobody waits for any more, and says what it found.
pub fn leftovers(context: Option<&str>, out: Out) -> Result<Exit, Failure> {
    super::seat::block_on(async {
        let cluster = Cluster::connect(context).await.map_err(|e| failure(&e))?;
        let all = cluster.namespaces(&selector_of()).await.map_err(|e| failure(&e))?;
        let mut left = Vec::new();
        for (name, _) in all {
            match is_alive(&cluster, &name).await {
                true => out.print(&format!("{name}: its run is alive, and is left alone\n")),
                false => left.push(name),
            }
        }
        if left.is_empty() {
            out.print("nothing is left on the cluster\n");
        }
        for name in &left {
            cluster.remove_namespace(name, GONE).await.map_err(|e| failure(&e))?;
            out.print(&format!("removed namespace {name}, with all that a run had left in it\n"));
        }
        Ok(Exit::Holds)
    })?
}

/// Whether the one who started a run gives signs of life: they change within the time of a few.
async fn is_alive(cluster: &Cluster, namespace: &str) -> bool {
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": manifest::LEASE, "namespace": namespace},
    });
    let sign = || async {
        let lease = cluster.get(&lease).await.ok()??;
        lease["spec"]["holderIdentity"].as_str().map(str::to_owned)
    };
    let first = sign().await;
    let changes = async {
        while sign().await == first {
            sleep_until(Instant::now() + AGAIN).await;
        }
    };
    first.is_some() && timeout(3 * life::BEAT, changes).await.is_ok()
}

/// Names what a run makes.
fn labels(run: &str) -> std::collections::BTreeMap<String, String> {
    let label = run_of(run);
    let (key, value) = label.split_once('=').unwrap_or((&label, ""));
    std::collections::BTreeMap::from([
        (key.to_owned(), value.to_owned()),
        ("app.kubernetes.io/managed-by".to_owned(), "squall".to_owned()),
    ])
}
