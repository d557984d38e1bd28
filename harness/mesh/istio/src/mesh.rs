//! Istio as a mesh: what the engine drives.

use crate::{
    Network,
    counters::renamed,
    istiod::{Istiod, Said, said},
    relay::{self, Relays},
    render::{self, Config, NAMESPACE, service_of},
};
use futures_util::future::{join_all, try_join3};
use serde_json::json;
use squall_mesh::{
    Applied, Bindings, Confirmed, Desired, Endpoint, Launch, LogLine, Logs, Mesh, MeshError, MeshEvent, Refusal, Seat,
    WallOffset,
};
use squall_mesh_proxy::{
    Leases, Proof, Proxies,
    bootstrap::{Bootstrap, Identity, Release},
    confirm::{Ask, Seen, before, listener, pause},
    gather, logs, now, outbound_socket, render as table, silent,
};
use squall_model::{Diagnostic, Effect, FaultId, InstanceId, Plan, Side, Stamp};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};
use thiserror::Error;

/// How often proxies are asked whether a configuration has arrived: istiod takes a quarter of a second to look at its folder, and
/// a proxy that is asked more often than this costs more than the moment is worth.
const LOOK: Duration = Duration::from_millis(5);

/// How long istiod may take to tell of a change, and a proxy to have listeners, before it is let in again.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why there is no Istio.
#[derive(Debug, Error)]
pub enum IstioError {
    /// Its files cannot be written.
    #[error("the files of istiod cannot be written: {0}")]
    Files(io::Error),
    /// The fault channel cannot be served.
    #[error(transparent)]
    Faults(#[from] squall_mesh_proxy::ServeError),
}

/// A real istiod, and real Envoys that it configures, broken over our own fault channel.
#[derive(Debug)]
pub struct Istio {
    envoy: PathBuf,
    release: Release,
    istiod: Istiod,
    network: Network,
    faults: Leases,
    proxies: Proxies,
    relays: Relays,
    /// Never borrowed over an await.
    state: RefCell<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What istiod was given last.
    given: Option<Config>,
    generation: u64,
    /// How far its log was read.
    read: u64,
    /// What it complained of, and nobody was told yet.
    complaints: Vec<Said>,
    /// How often it has told proxies of a configuration.
    pushes: u64,
    /// How often it had when it was given the last one.
    pushed_before: u64,
}

impl State {
    /// Whether istiod has told of what it was given last.
    fn has_pushed(&self) -> bool {
        self.pushes > self.pushed_before
    }
}

impl Istio {
    /// Makes what istiod is started with in its folder, and starts the fault channel in the run's. Neither istiod nor any proxy
    /// is started: both are, by whoever places them.
    ///
    /// # Errors
    /// Where a file or a socket cannot be made.
    pub fn start(
        envoy: &Path,
        release: Release,
        istiod: Istiod,
        network: Network,
        folder: &Path,
    ) -> Result<Istio, IstioError> {
        istiod.prepare().map_err(IstioError::Files)?;
        let faults = Leases::start(folder)?;
        let relays = Relays::new(istiod.discovery);
        let (envoy, proxies, state) = (envoy.to_owned(), Proxies::default(), RefCell::default());
        Ok(Istio { envoy, release, istiod, network, faults, proxies, relays, state })
    }

    /// How istiod is started.
    #[must_use]
    pub fn istiod(&self) -> &Istiod {
        &self.istiod
    }

    /// Gives istiod a configuration: whole, by a rename, so that it never reads half of one.
    fn give(&self, config: &Config) -> io::Result<()> {
        let folder = self.istiod.configuration();
        let (new, file) = (folder.join("mesh.yaml.new"), folder.join("mesh.yaml"));
        std::fs::write(&new, config.text())?;
        std::fs::rename(new, file)
    }

    /// Whatever istiod complained of since the last time. A file that it cannot read is an error: it then keeps everything as it
    /// was, and says so in its log alone.
    fn listen(&self) -> Result<(), MeshError> {
        let mut state = self.state.borrow_mut();
        for one in said(&written_since(&log_of(&self.istiod.folder), &mut state.read)) {
            match one {
                Said::Pushed => state.pushes += 1,
                complaint => state.complaints.push(complaint),
            }
        }
        let unread = state.complaints.iter().position(|one| matches!(one, Said::Unread(_)));
        match unread.map(|at| state.complaints.remove(at)) {
            Some(Said::Unread(words)) => Err(MeshError::Rejected { instance: "istiod".into(), words }),
            _ => Ok(()),
        }
    }

    /// Lets newcomers to istiod once it has taken over what names them, and again where that came to nothing: it looks at who a
    /// proxy is when that connects, and may not look again.
    async fn admit(&self, at: &Bindings) -> MeshError {
        let newcomers: Vec<(&InstanceId, &Seat)> =
            at.seats.iter().filter(|(_, seat)| !self.relays.is_open(&seat.node)).collect();
        let late = now() + PATIENCE;
        while !self.state.borrow().has_pushed() && now() < late {
            pause(LOOK).await;
        }
        loop {
            for (instance, seat) in &newcomers {
                let has_listeners = outbound_socket(&seat.folder).exists();
                if !has_listeners && let Err(why) = self.relays.open_anew(&seat.node) {
                    return silent(instance, &why);
                }
            }
            pause(PATIENCE).await;
        }
    }

    /// Proves that what istiod was given last is in force at every proxy that can be told.
    async fn prove(&self, at: &Bindings, asked: Stamp, by: Stamp) -> Result<Confirmed, MeshError> {
        let Some(config) = self.state.borrow().given.clone() else {
            return Ok(Confirmed { acked: asked, effective: asked, last_old: asked });
        };
        let reached = at.seats.iter().filter(|(_, seat)| !self.relays.is_severed(&seat.node));
        let all = join_all(reached.map(|(instance, seat)| self.holds(instance, seat, &config, by)));
        let seen = tokio::select! {
            all = all => gather(all).map_err(|error| self.with_complaints(error))?,
            refused = self.refused() => return Err(refused),
            unable = self.admit(at) => return Err(unable),
        };
        let seen = Seen::of_all(seen, asked);
        Ok(Confirmed { acked: seen.acked, effective: seen.effective, last_old: seen.last_old.unwrap_or(asked) })
    }

    /// Ends when istiod says that it could not read what it was given.
    async fn refused(&self) -> MeshError {
        loop {
            if let Err(refused) = self.listen() {
                return refused;
            }
            pause(10 * LOOK).await;
        }
    }

    /// A proxy that lags may have rejected what it was sent: istiod's log has its words.
    fn with_complaints(&self, error: MeshError) -> MeshError {
        let MeshError::Lagging(mut who) = error else { return error };
        drop(self.listen());
        let state = self.state.borrow();
        let rejected = state.complaints.iter().filter_map(|one| match one {
            Said::Rejected(words) => Some(format!("istiod was told: {words}")),
            Said::Unread(_) | Said::Pushed => None,
        });
        who.extend(rejected.take(3));
        MeshError::Lagging(who)
    }

    /// Both listeners of a proxy answer by the configuration, and its clusters have the hosts of it.
    async fn holds(&self, instance: &InstanceId, seat: &Seat, config: &Config, by: Stamp) -> Result<Seen, MeshError> {
        let (outbound, inbound) = (Endpoint::Unix(outbound_socket(&seat.folder)), Endpoint::Tcp(seat.inbound));
        let ask = |wanted| Ask { path: "/version", wanted, every: LOOK };
        let (out, inn, ()) = try_join3(
            listener(instance, &outbound, ask(&config.version), by),
            listener(instance, &inbound, ask(&config.inbound), by),
            self.has_hosts(instance, seat, config, by),
        )
        .await?;
        // Listeners are made once: what tells is the routes, which come last.
        Ok(Seen { last_old: out.last_old, ..out.and(inn) })
    }

    async fn has_hosts(&self, instance: &InstanceId, seat: &Seat, config: &Config, by: Stamp) -> Result<(), MeshError> {
        let Some(wanted) = config.hosts.get(&seat.node) else { return Ok(()) };
        let admin = self.proxies.admin(instance, seat)?;
        loop {
            let all = before(by, instance, admin.hosts()).await?;
            let whole = |name: &str| {
                let (host, port_and_subset) = (name.rsplit('|').next()?, name.split('|').nth(2)?);
                port_and_subset.is_empty().then_some(service_of(host)?.0.to_owned())
            };
            let held: BTreeMap<String, &BTreeSet<SocketAddr>> =
                all.iter().filter_map(|(name, hosts)| Some((whole(name)?, hosts))).collect();
            let lacks = wanted.iter().find(|(service, hosts)| held.get(service.as_str()) != Some(hosts));
            let Some((service, hosts)) = lacks else { return Ok(()) };
            if now() >= by {
                let why = format!("{instance} does not have the {} hosts of \"{service}\"", hosts.len());
                return Err(MeshError::Lagging(vec![why]));
            }
            pause(LOOK).await;
        }
    }

    fn effect(asked: Stamp, confirmed: Confirmed) -> Effect {
        Effect { asked, acked: confirmed.acked, effective: confirmed.effective, last_old: confirmed.last_old }
    }
}

/// The log of istiod: that of the process which was started in this folder.
fn log_of(folder: &Path) -> PathBuf {
    folder.join("output.log")
}

/// What a file says after so many bytes, whole lines only; the number is moved on.
fn written_since(file: &Path, read: &mut u64) -> String {
    let mut text = String::new();
    let Ok(mut file) = File::open(file) else { return text };
    if file.seek(SeekFrom::Start(*read)).is_err() || file.read_to_string(&mut text).is_err() {
        return String::new();
    }
    text.truncate(text.rfind('\n').map_or(0, |end| end + 1));
    *read += text.len() as u64;
    text
}

fn control_plane(error: &dyn std::fmt::Display) -> MeshError {
    MeshError::ControlPlane(error.to_string())
}

impl Mesh for Istio {
    type Config = Config;

    fn name(&self) -> &str {
        "istio"
    }

    fn refuses(&self, plan: &Plan) -> Vec<Refusal> {
        render::refusals(plan)
    }

    fn lint(&self, plan: &Plan) -> Vec<Diagnostic> {
        table::lint(plan)
    }

    fn render(&self, want: &Desired<'_>, at: &Bindings) -> Result<Config, Refusal> {
        render::render(want, at)
    }

    fn is_reusable(&self) -> bool {
        // Its clusters have the same names in every scenario: what was ejected, or broken, would stay so.
        false
    }

    fn launch(&self, node: &str, folder: &Path) -> Launch {
        let ip = self.network.proxy(node).ip().to_string();
        let domain = format!("{NAMESPACE}.svc.cluster.local");
        let said = json!({
            "CLUSTER_ID": "Kubernetes",
            "INSTANCE_IPS": ip,
            "INTERCEPTION_MODE": "NONE",
            "ISTIO_VERSION": "1.31.0",
            "NAME": node,
            "NAMESPACE": NAMESPACE,
        });
        let identity = Identity {
            id: format!("sidecar~{ip}~{node}.{NAMESPACE}~{domain}"),
            metadata: said.as_object().cloned().unwrap_or_default(),
        };
        let bootstrap = Bootstrap {
            node: node.to_owned(),
            identity: Some(identity),
            cluster: format!("{node}.{NAMESPACE}"),
            folder: folder.to_owned(),
            ads: relay::socket(folder),
            faults: self.faults.socket().to_owned(),
            runtime: BTreeMap::from([("re2.max_program_size.error_level".into(), json!(32_768))]),
            release: self.release,
        };
        Launch {
            program: self.envoy.clone(),
            // istiod goes on sending fields that newer Envoys would rather not see.
            args: bootstrap.args().into_iter().chain(["--skip-deprecated-logs".to_owned()]).collect(),
            files: vec![(Bootstrap::file(folder), bootstrap.render().to_string())],
        }
    }

    /// A proxy has no listeners before a configuration names it: it is ready when it answers for itself.
    async fn ready(&self, node: &str, folder: &Path, by: Stamp) -> Result<SocketAddr, MeshError> {
        let inbound = self.network.proxy(node);
        let seat = Seat { node: node.to_owned(), folder: folder.to_owned(), inbound, workload: None };
        let nobody = InstanceId { service: node.into(), number: 0 };
        self.relays.expect(node, folder);
        let admin = self.proxies.admin(&nobody, &seat)?;
        loop {
            match before(by, &nobody, admin.server()).await {
                Ok(_) => return Ok(inbound),
                Err(error) if now() >= by => return Err(error),
                Err(_) => pause(LOOK).await,
            }
        }
    }

    fn outbound(&self, folder: &Path) -> Endpoint {
        Endpoint::Unix(outbound_socket(folder))
    }

    async fn apply(&self, new: &Config, at: &Bindings, by: Stamp) -> Result<Applied, MeshError> {
        let asked = now();
        // Newcomers have no listeners yet: theirs will have the faults from the beginning.
        self.faults.bring_to_newcomers(at, Proof::Acknowledgement, by).await?;
        self.listen()?;
        let differs = self.state.borrow().given.as_ref() != Some(new);
        if differs {
            let mut state = self.state.borrow_mut();
            state.pushed_before = state.pushes;
            self.give(new).map_err(|why| control_plane(&why))?;
        }
        let mut state = self.state.borrow_mut();
        state.given = Some(new.clone());
        state.generation += 1;
        Ok(Applied { generation: state.generation, asked })
    }

    async fn confirm(&self, done: &Applied, at: &Bindings, by: Stamp) -> Result<Confirmed, MeshError> {
        if self.relays.is_stopped() {
            return Ok(Confirmed { acked: done.asked, effective: done.asked, last_old: done.asked });
        }
        self.prove(at, done.asked, by).await
    }

    async fn arm(&self, plan: &Plan, at: &Bindings, armed: &BTreeSet<FaultId>, by: Stamp) -> Result<Effect, MeshError> {
        self.faults.arm(plan, at, armed, by).await
    }

    async fn counters(&self, at: &Bindings) -> Result<BTreeMap<InstanceId, BTreeMap<String, u64>>, MeshError> {
        let all = self.proxies.counters(at).await?;
        Ok(all.into_iter().map(|(instance, counters)| (instance, renamed(counters))).collect())
    }

    async fn mark(&self, marker: &str, at: &Bindings, by: Stamp) -> Result<(), MeshError> {
        self.proxies.mark(marker, at, by).await
    }

    fn logs(&self, folder: &Path) -> Logs {
        Logs {
            outbound: logs::outbound(folder),
            inbound: logs::inbound(folder),
            tries: logs::outbound(folder),
            states: vec![logs::ejections(folder)],
            own: Bootstrap::log(folder),
        }
    }

    fn read_access(
        &self,
        line: &str,
        side: Side,
        proxy: &InstanceId,
        at: &Bindings,
        clock: WallOffset,
    ) -> Result<LogLine, String> {
        logs::read(line, side, proxy, at, clock)
    }

    fn read_try(&self, line: &str, proxy: &InstanceId, at: &Bindings, clock: WallOffset) -> Result<LogLine, String> {
        logs::read(line, Side::Outbound, proxy, at, clock)
    }

    fn read_state(&self, line: &str, proxy: &InstanceId, at: &Bindings, clock: WallOffset) -> Result<LogLine, String> {
        logs::read_state(line, proxy, at, clock)
    }

    fn events(&self) -> Vec<MeshEvent> {
        drop(self.listen());
        let rejected =
            std::mem::take(&mut self.state.borrow_mut().complaints).into_iter().filter_map(|one| match one {
                Said::Rejected(words) | Said::Unread(words) => {
                    Some(MeshEvent::Rejected { node: "istiod".into(), words })
                }
                Said::Pushed => None,
            });
        rejected.chain(self.faults.events()).collect()
    }

    /// Every proxy's way to it is cut. It lives on, and reads what it is given meanwhile; to proxies it is dead.
    async fn stop_control_plane(&self) -> Result<Effect, MeshError> {
        let asked = now();
        self.relays.stop();
        let gone = now();
        Ok(Effect { asked, acked: gone, effective: gone, last_old: gone })
    }

    async fn start_control_plane(&self, at: &Bindings, by: Stamp) -> Result<Effect, MeshError> {
        let asked = now();
        self.relays.start().map_err(|why| control_plane(&why))?;
        let confirmed = self.prove(at, asked, by).await?;
        Ok(Istio::effect(asked, confirmed))
    }

    async fn connected(&self, at: &Bindings, by: Stamp) -> Result<BTreeMap<InstanceId, bool>, MeshError> {
        self.proxies.connected(at, by).await
    }

    async fn drain(&self, instance: &InstanceId, seat: &Seat, by: Stamp) -> Result<(), MeshError> {
        self.proxies.drain(instance, seat, by).await
    }

    fn unwritten(&self) -> Duration {
        self.release.unwritten()
    }

    async fn sever(&self, at: &Bindings) -> Result<Effect, MeshError> {
        let asked = now();
        at.seats.values().for_each(|seat| self.relays.sever(&seat.node));
        let gone = now();
        Ok(Effect { asked, acked: gone, effective: gone, last_old: gone })
    }

    async fn rejoin(&self, at: &Bindings, by: Stamp) -> Result<Effect, MeshError> {
        let asked = now();
        for (instance, seat) in &at.seats {
            self.relays.rejoin(&seat.node).map_err(|why| silent(instance, &why))?;
        }
        if self.relays.is_stopped() {
            return Ok(Effect { asked, acked: asked, effective: asked, last_old: asked });
        }
        let confirmed = self.prove(at, asked, by).await?;
        Ok(Istio::effect(asked, confirmed))
    }

    fn forget(&self, seat: &Seat) {
        self.relays.forget(&seat.node);
        self.faults.forget(&seat.node);
        self.proxies.forget(&seat.node);
    }
}
