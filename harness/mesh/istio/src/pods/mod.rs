//! Istio on a cluster: proxies are injected sidecars of pods, and objects are kept by the API server.
//!
//! The pods are seats, not Deployments: each is one proxy with a workload beside it or none, goes from one scenario to the next, and is
//! told by its labels who it is. An instance that is killed stays in the mesh's configuration, so what takes its calls elsewhere is the
//! mesh, and not Kubernetes, which would take its endpoint away.

pub mod asking;
pub mod manifest;
mod pauses;
mod replacing;
mod way;

pub use replacing::starter_of;
pub use way::Way;

use crate::{
    INBOUND,
    home::Home,
    render::{Config, Object, Site},
};
use futures_util::{StreamExt as _, future::LocalBoxFuture, stream};
use pauses::{Pause, Pauses};
use replacing::Moves;
use serde_json::{Value, json};
use squall_mesh::{Bindings, Launch, Leaving, MeshError, MeshEvent, Refusal, Replaced, Seat, WorkloadStart};
use squall_mesh_proxy::{confirm::pause, instant, logs, now, port::FaultPort, silent};
use squall_model::{Damage, Down, Effect, FaultKind, InstanceId, Part, Plan, Stamp};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    rc::Rc,
    time::Duration,
};

/// How many objects are told at once.
const AT_ONCE: usize = 8;

/// How long a pod may take to be there: its image is loaded, its sidecar asks istiod.
const UP: Duration = Duration::from_secs(60);

/// How long proxies may take to follow before they connect anew: seven times as long as 99 of 100 changes take.
const PATIENCE: Duration = Duration::from_secs(3);

/// How soon the API server is asked again that did not answer.
const AGAIN: Duration = Duration::from_millis(200);

/// What the mesh asks of a cluster.
pub trait Keep: Debug {
    /// Has the cluster keep an object as it is here.
    fn apply(&self, object: Value) -> LocalBoxFuture<'_, Result<(), Unkept>>;

    /// Removes an object; one that is gone already is no error.
    fn delete(&self, object: Value) -> LocalBoxFuture<'_, Result<(), Unkept>>;

    /// The pods of a namespace with all of these labels.
    fn pods(
        &self,
        namespace: &str,
        labels: &BTreeMap<String, String>,
    ) -> LocalBoxFuture<'_, Result<Vec<Value>, Unkept>>;

    /// Has a pod evicted: it ends in order, in the time that its owners give it; one that is gone already is no error.
    fn evict(&self, pod: Value) -> LocalBoxFuture<'_, Result<(), Unkept>>;

    /// How the process is started that stands for a pod on this machine: one of this manifest, with the proxy's files in this folder, and
    /// the fault channel at this socket.
    fn hold(&self, manifest: Value, folder: &Path, faults: &Path) -> Launch;

    /// How the process is started that stands for a workload in a pod.
    fn process(&self, start: &WorkloadStart<'_>) -> Launch;

    /// Where the pod is whose files are in this folder; `None`: it is not there yet.
    fn address(&self, folder: &Path) -> Option<IpAddr>;

    /// Has what files of this pod say be written here, too: each there, and here.
    fn follow(&self, folder: &Path, files: &[(PathBuf, PathBuf)]);

    /// Has processes of this pod stand still, under a lease: they do, or the reason why not. They go on when what comes back is dropped.
    fn freeze(&self, folder: &Path, part: Part) -> LocalBoxFuture<'_, Result<Box<dyn Frozen>, String>>;
}

/// Processes that stand still.
pub trait Frozen: Debug {
    /// Why not all of them stand still any more, though nobody told them to go on; `None`: they do, as far as is known.
    fn lapse(&self) -> Option<Lapse>;

    /// Has them go on: they do when this ends. An error says why not all of them stood still until then.
    fn go_on(self: Box<Self>) -> LocalBoxFuture<'static, Result<(), Lapse>>;
}

/// A pause that ended before it was ended, for one of those that stood still or for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lapse {
    /// Since when, as far as is known.
    pub at: Stamp,
    /// Why.
    pub why: String,
}

/// An object that the cluster does not keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unkept {
    /// Why.
    pub why: String,
    /// Whether it may be otherwise in a moment.
    pub passing: bool,
}

/// The pod that we are in ourselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runner {
    /// Its address: links are found there.
    pub address: IpAddr,
    /// The node that it is on, by name: all pods of a run are.
    pub machine: String,
    /// Whether its kernel lets a link be silent.
    pub can_be_silent: bool,
}

/// On a cluster.
#[derive(Debug)]
pub struct Pods {
    site: Site,
    keep: Rc<dyn Keep>,
    pod: manifest::Settings,
    runner: Runner,
    way: Way,
    port: Option<FaultPort>,
    /// Never borrowed over an await.
    state: RefCell<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The objects that the cluster keeps of ours, by kind and name.
    kept: BTreeMap<(&'static str, String), Object>,
    /// Who each pod is to istiod, by its node id.
    labelled: BTreeMap<String, BTreeMap<&'static str, String>>,
    /// Names the scenario: what is in inbound listeners.
    inbound: String,
    /// The nodes that have their listeners of it.
    listening: BTreeSet<String>,
    nodes: BTreeSet<String>,
    pauses: Pauses,
    moves: Moves,
}

/// What has to be told for a configuration.
struct Difference {
    /// New or other objects.
    first: Vec<Object>,
    /// Objects that are not wanted any more.
    gone: Vec<Object>,
    /// What says that all the rest is in force, as far as it is other.
    last: Vec<Object>,
}

impl State {
    /// A new scenario begins with nobody listening.
    fn turn_to(&mut self, config: &Config) {
        if self.inbound != config.inbound {
            self.inbound.clone_from(&config.inbound);
            self.listening.clear();
        }
    }

    fn difference(&self, config: &Config) -> Difference {
        let wanted: BTreeSet<(&str, &str)> = config.objects.iter().map(|o| (o.kind, o.name.as_str())).collect();
        let differs = |object: &&Object| self.kept.get(&(object.kind, object.name.clone())) != Some(*object);
        let (last, first) = config.objects.iter().filter(differs).cloned().partition(is_last);
        let gone = self.kept.values().filter(|o| !wanted.contains(&(o.kind, o.name.as_str()))).cloned().collect();
        Difference { first, gone, last }
    }

    /// Who each pod is, where it is told otherwise so far; those that are nobody in this configuration among them.
    fn labels_to_tell(&self, config: &Config) -> BTreeMap<String, BTreeMap<&'static str, String>> {
        let somebody = config.nodes.iter().map(|(id, node)| (node.clone(), manifest::labels_of(id)));
        let mut wanted: BTreeMap<_, _> = somebody.collect();
        for node in self.labelled.keys().filter(|node| self.nodes.contains(*node)) {
            wanted.entry(node.clone()).or_insert_with(|| manifest::labels_of_nobody(node));
        }
        wanted.retain(|node, labels| self.labelled.get(node) != Some(labels));
        wanted
    }
}

impl Pods {
    /// In this namespace, whose pods are like this, and find istiod by this way.
    #[must_use]
    pub fn new(keep: Rc<dyn Keep>, pod: manifest::Settings, runner: Runner, way: Way) -> Pods {
        let site = Site::pods(&pod.namespace, pod.home.clone());
        Pods { site, keep, pod, runner, way, port: None, state: RefCell::default() }
    }

    /// The same, with this port asked by proxies of others.
    #[must_use]
    pub fn asked_by_others(self, port: FaultPort) -> Pods {
        Pods { port: Some(port), ..self }
    }

    /// Objects that are told in any order, and at once.
    async fn apply_all(&self, objects: Vec<Object>, by: Stamp) -> Result<(), MeshError> {
        let telling = objects.into_iter().map(|object| async move {
            let json = object.json(&self.site.namespace);
            self.insist(by, || self.keep.apply(json.clone())).await?;
            self.state.borrow_mut().kept.insert((object.kind, object.name.clone()), object);
            Ok(())
        });
        at_once(telling).await
    }

    async fn delete_all(&self, objects: Vec<Object>, by: Stamp) -> Result<(), MeshError> {
        let telling = objects.into_iter().map(|object| async move {
            let json = object.json(&self.site.namespace);
            self.insist(by, || self.keep.delete(json.clone())).await?;
            self.state.borrow_mut().kept.remove(&(object.kind, object.name));
            Ok(())
        });
        at_once(telling).await
    }

    /// Tells each pod who it is; those that are nobody in this configuration are told that, too.
    async fn label_all(&self, config: &Config, by: Stamp) -> Result<(), MeshError> {
        let telling = self.state.borrow().labels_to_tell(config).into_iter().map(|(node, labels)| async move {
            let pod = json!({
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": node, "namespace": self.site.namespace, "labels": labels},
            });
            self.insist(by, || self.keep.apply(pod.clone())).await?;
            self.state.borrow_mut().labelled.insert(node, labels);
            Ok(())
        });
        at_once(telling).await
    }

    /// Asks an API server that is away for a moment again.
    async fn insist<'k, T>(
        &'k self,
        by: Stamp,
        ask: impl Fn() -> LocalBoxFuture<'k, Result<T, Unkept>>,
    ) -> Result<T, MeshError> {
        loop {
            match ask().await {
                Ok(answer) => return Ok(answer),
                Err(Unkept { passing: true, .. }) if now() < by => pause(AGAIN).await,
                Err(Unkept { why, .. }) => return Err(MeshError::ControlPlane(why)),
            }
        }
    }
}

/// All of it to its end, some at a time; the first failure, if there is one.
async fn at_once(telling: impl Iterator<Item = impl Future<Output = Result<(), MeshError>>>) -> Result<(), MeshError> {
    let all: Vec<_> = stream::iter(telling).buffer_unordered(AT_ONCE).collect().await;
    all.into_iter().collect()
}

/// What the agent of a pod does, by the deadline.
async fn done_by<T>(by: Stamp, instance: &InstanceId, doing: impl Future<Output = T>) -> Result<T, MeshError> {
    tokio::time::timeout_at(instant(by), doing).await.map_err(|_| silent(instance, &"no answer by the deadline"))
}

/// What says that all the rest is in force comes last.
fn is_last(object: &Object) -> bool {
    object.kind == "EnvoyFilter" && object.name.ends_with("-probes")
}

impl Home for Pods {
    fn site(&self) -> &Site {
        &self.site
    }

    fn refuses(&self, plan: &Plan) -> Vec<Refusal> {
        let mut all = refused(plan);
        if !self.runner.can_be_silent && plan.faults.iter().any(|fault| is_silent(&fault.does)) {
            let why = "the kernel of this node lets only those who administrate the network keep a port silent, so no wire can be cut";
            all.push(Refusal(why.into()));
        }
        all
    }

    fn link_host(&self) -> IpAddr {
        self.runner.address
    }

    fn port(&self) -> Option<&FaultPort> {
        self.port.as_ref()
    }

    fn launch(&self, node: &str, folder: &Path, faults: &Path) -> Launch {
        let way = SocketAddr::new(self.runner.address, self.way.port());
        self.keep.hold(manifest::pod(&self.pod, node, folder, way, &self.runner), folder, faults)
    }

    fn boots_within(&self) -> Option<Duration> {
        Some(UP)
    }

    fn workload(&self, start: &WorkloadStart<'_>) -> Launch {
        self.keep.follow(start.proxy, &[(start.ledger.to_owned(), start.ledger.to_owned())]);
        self.keep.process(start)
    }

    fn expect(&self, node: &str, _folder: &Path) {
        self.state.borrow_mut().nodes.insert(node.to_owned());
    }

    fn arrived(&self, folder: &Path) {
        let names: [fn(&Path) -> PathBuf; 3] = [logs::outbound, logs::inbound, logs::ejections];
        let files: Vec<_> = names.iter().map(|name| (name(&self.site.logs), name(folder))).collect();
        self.keep.follow(folder, &files);
    }

    fn knows(&self, node: &str) -> bool {
        self.state.borrow().nodes.contains(node)
    }

    fn inbound(&self, _node: &str, folder: &Path) -> Option<SocketAddr> {
        self.keep.address(folder).map(|ip| SocketAddr::new(ip, INBOUND))
    }

    fn listens(&self, seat: &Seat) -> bool {
        self.state.borrow().listening.contains(&seat.node)
    }

    fn proved(&self, at: &Bindings) {
        self.state.borrow_mut().listening.extend(at.seats.values().map(|seat| seat.node.clone()));
    }

    /// What is new or other, then who the pods are, then what is not wanted any more goes, and at last what says that all of it is in
    /// force.
    async fn give(&self, config: &Config, by: Stamp) -> Result<(), MeshError> {
        self.state.borrow_mut().turn_to(config);
        let Difference { first, gone, last } = self.state.borrow().difference(config);
        self.apply_all(first, by).await?;
        self.label_all(config, by).await?;
        self.delete_all(gone, by).await?;
        self.apply_all(last, by).await
    }

    fn complaint(&self) -> Option<MeshError> {
        None
    }

    /// The proxies say by themselves what they lack.
    async fn refused(&self) -> MeshError {
        std::future::pending().await
    }

    fn unreached(&self) -> Option<String> {
        self.way.failure()
    }

    /// Pods are in the mesh from their beginning. One that does not follow, since istiod sent it what was meant for who it was before, and
    /// nothing after that, connects anew: then it is told everything. Not those that have connected since then: whoever is sent away waits longer
    /// before it comes again.
    async fn admit(&self, at: &Bindings) -> MeshError {
        let begun = now();
        loop {
            pause(PATIENCE).await;
            // Whoever waits here may stop at any moment: nothing is left to be undone. Who follows already hears the same once more.
            let pods = at.seats.values().filter_map(|seat| self.keep.address(&seat.folder));
            pods.for_each(|ip| self.way.begin_anew(ip, begun));
        }
    }

    /// Who went on before it was told to: an agent that hears nothing of us wakes whom it stopped.
    fn events(&self) -> Vec<MeshEvent> {
        self.state.borrow_mut().pauses.events()
    }

    fn is_stopped(&self) -> bool {
        self.way.is_cut_for_all()
    }

    /// The way of every proxy of ours is cut. It lives on for everybody else, and learns what is asked of it meanwhile.
    async fn stop(&self) -> Result<Effect, MeshError> {
        let asked = now();
        self.way.cut_all(true);
        Ok(Effect::at(asked, now()))
    }

    async fn start(&self) -> Result<(), MeshError> {
        self.way.cut_all(false);
        Ok(())
    }

    fn is_severed(&self, node: &str) -> bool {
        self.way.is_cut(node)
    }

    async fn sever(&self, at: &Bindings) -> Result<Effect, MeshError> {
        let asked = now();
        for (instance, seat) in &at.seats {
            let ip = self.keep.address(&seat.folder).ok_or_else(|| silent(instance, &"its pod is not there"))?;
            self.way.cut(&seat.node, ip);
        }
        Ok(Effect::at(asked, now()))
    }

    async fn rejoin(&self, at: &Bindings) -> Result<(), MeshError> {
        at.seats.values().for_each(|seat| self.way.mend(&seat.node));
        Ok(())
    }

    /// The agent beside them does it, and wakes them by itself when it hears nothing of us.
    async fn pause(&self, part: Part, at: &Bindings, by: Stamp) -> Result<bool, MeshError> {
        let freezing = at.seats.iter().map(|(instance, seat)| async move {
            let frozen = done_by(by, instance, self.keep.freeze(&seat.folder, part)).await?;
            let frozen = frozen.map_err(|why| silent(instance, &why))?;
            self.state.borrow_mut().pauses.begin(&seat.node, part, frozen);
            Ok(())
        });
        at_once(freezing).await.map(|()| true)
    }

    async fn resume(&self, part: Part, at: &Bindings, by: Stamp) -> Result<bool, MeshError> {
        let pauses = self.state.borrow_mut().pauses.take(part, at);
        let waking = pauses.into_iter().map(|(instance, Pause { of, frozen, told })| async move {
            let woken = done_by(by, &instance, frozen.go_on()).await;
            let lapse = match &woken {
                Ok(Ok(())) => None,
                Ok(Err(lapse)) => Some(lapse.clone()),
                Err(_) => Some(Lapse { at: now(), why: "no word from the pod when it was to end".into() }),
            };
            if let Some(lapse) = lapse.filter(|_| !told) {
                self.state.borrow_mut().pauses.did_not_last(&of, lapse);
            }
            // Who went on before, or has ended, does not have to be woken, and is no error.
            woken.map(drop)
        });
        at_once(waking).await.map(|()| true)
    }

    async fn replace(&self, of: Leaving<'_>, by: Stamp) -> Result<Vec<Replaced>, MeshError> {
        self.replace_pods(of, by).await
    }

    fn found(&self, deployed: SocketAddr) -> SocketAddr {
        self.state.borrow().moves.found(deployed)
    }

    /// The logs of a sidecar are written every ten milliseconds, by a thread that has to get a core.
    fn unwritten(&self) -> Duration {
        Duration::from_millis(30)
    }

    fn forget(&self, node: &str) {
        let mut state = self.state.borrow_mut();
        state.nodes.remove(node);
        state.labelled.remove(node);
        state.listening.remove(node);
        state.pauses.forget(node);
        self.way.mend(node);
    }
}

/// Whether nobody answers who connects.
fn is_silent(fault: &FaultKind) -> bool {
    matches!(fault, FaultKind::Wire { damage: Damage::Cut, .. })
}

/// What of a plan cannot be done to pods.
#[must_use]
pub fn refused(plan: &Plan) -> Vec<Refusal> {
    let why = plan.faults.iter().find_map(|fault| unsupported(&fault.does));
    why.map(|why| Refusal(why.into())).into_iter().collect()
}

/// What this version does not do to pods.
fn unsupported(fault: &FaultKind) -> Option<&'static str> {
    match fault {
        FaultKind::Down { how: Down::Paused, .. } => None,
        FaultKind::Down { part: Part::Proxy, .. } | FaultKind::Restarted { part: Part::Proxy, .. } => Some(
            "a sidecar that dies is started again by Kubernetes at once: only an instance can be killed, its whole pod",
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
