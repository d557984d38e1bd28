//! Istio as a mesh: what the engine drives.

use crate::{
    Network,
    control::{LOOK, State},
    counters::renamed,
    istiod::{Istiod, Said},
    relay::{self, Relays},
    render::{self, Config, NAMESPACE},
};
use serde_json::json;
use squall_mesh::{
    Applied, Bindings, Confirmed, Desired, Endpoint, Launch, LogLine, Logs, Mesh, MeshError, MeshEvent, Refusal, Seat,
    WallOffset,
};
use squall_mesh_proxy::{
    Leases, Proof, Proxies,
    bootstrap::{Bootstrap, Identity, Release},
    confirm::{before, pause},
    logs, now, outbound_socket, render as table, silent,
};
use squall_model::{Diagnostic, Effect, FaultId, InstanceId, Plan, Side, Stamp};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};
use thiserror::Error;

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
    pub(crate) istiod: Istiod,
    network: Network,
    faults: Leases,
    pub(crate) proxies: Proxies,
    pub(crate) relays: Relays,
    /// Never borrowed over an await.
    pub(crate) state: RefCell<State>,
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
        self.faults.bring_to_newcomers(at, Proof::IfItListens, by).await?;
        let newcomers = self.newcomers(new, at);
        let mut new = if newcomers.is_empty() { new.clone() } else { new.without(&newcomers) };
        if let Some(before) = &self.state.borrow().given {
            new = new.keeping(before, |node| self.relays.knows(node));
        }
        let differs = self.state.borrow().given.as_ref() != Some(&new);
        if differs {
            self.give(&new).map_err(|why| control_plane(&why))?;
        }
        let mut state = self.state.borrow_mut();
        state.given = Some(new);
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
        self.read_log();
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
        Ok(Effect::at(asked, gone))
    }

    async fn start_control_plane(&self, at: &Bindings, by: Stamp) -> Result<Effect, MeshError> {
        let asked = now();
        self.relays.start().map_err(|why| control_plane(&why))?;
        Ok(self.prove(at, asked, by).await?.effect(asked))
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
        Ok(Effect::at(asked, gone))
    }

    async fn rejoin(&self, at: &Bindings, by: Stamp) -> Result<Effect, MeshError> {
        let asked = now();
        for (instance, seat) in &at.seats {
            self.relays.rejoin(&seat.node).map_err(|why| silent(instance, &why))?;
        }
        if self.relays.is_stopped() {
            return Ok(Effect::at(asked, asked));
        }
        Ok(self.prove(at, asked, by).await?.effect(asked))
    }

    fn forget(&self, seat: &Seat) {
        self.relays.forget(&seat.node);
        self.faults.forget(&seat.node);
        self.proxies.forget(&seat.node);
    }
}
