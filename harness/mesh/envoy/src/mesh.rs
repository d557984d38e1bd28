//! Envoys as a mesh: what the engine drives.

use crate::{
    confirm, encode,
    state::State,
    xds::{AdsServer, XdsEvent},
};
use squall_mesh::{
    Applied, Bindings, Confirmed, Desired, Endpoint, Launch, LogLine, Logs, Mesh, MeshError, MeshEvent,
    PoliciesInForce, Refusal, Seat, WallOffset,
};
use squall_mesh_proxy::{
    Leases, Proof, Proxies,
    bootstrap::{Bootstrap, Release},
    heard, logs, now, outbound_socket,
    render::{self, Config},
};
use squall_model::{Diagnostic, Effect, FaultId, InstanceId, Plan, Side, Stamp};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::sync::broadcast::Receiver;

/// Real Envoys, configured by our own control plane, broken over our own fault channel.
#[derive(Debug)]
pub struct Envoy {
    program: PathBuf,
    release: Release,
    pub(crate) ads: AdsServer,
    pub(crate) faults: Leases,
    pub(crate) proxies: Proxies,
    /// Never borrowed over an await.
    pub(crate) state: RefCell<State>,
    heard: RefCell<Receiver<XdsEvent>>,
}

impl Envoy {
    /// Starts control plane and fault channel on sockets in this folder. The program is not started: proxies are, by whoever
    /// places them.
    ///
    /// # Errors
    /// Where a socket cannot be bound.
    pub fn start(program: &Path, release: Release, folder: &Path) -> Result<Envoy, crate::ServeError> {
        let ads = AdsServer::start(&folder.join("ads.sock"))?;
        let faults = Leases::start(folder)?;
        let heard = RefCell::new(ads.events());
        let (program, proxies, state) = (program.to_owned(), Proxies::default(), RefCell::default());
        Ok(Envoy { program, release, ads, faults, proxies, state, heard })
    }
}

impl Mesh for Envoy {
    type Config = Config;

    fn name(&self) -> &str {
        "envoy"
    }

    fn refuses(&self, plan: &Plan) -> Vec<Refusal> {
        let mut all = render::refusals(plan);
        all.extend(render::of_nowhere(plan));
        all
    }

    fn lint(&self, plan: &Plan) -> Vec<Diagnostic> {
        render::lint(plan)
    }

    fn render(&self, want: &Desired<'_>, at: &Bindings) -> Result<Config, Refusal> {
        render::render(want, at)
    }

    fn launch(&self, node: &str, folder: &Path) -> Launch {
        let bootstrap = Bootstrap {
            node: node.to_owned(),
            identity: None,
            cluster: "squall".into(),
            folder: folder.to_owned(),
            ads: self.ads.socket().to_owned(),
            faults: self.faults.socket().to_owned(),
            runtime: BTreeMap::new(),
            release: self.release,
        };
        Launch {
            program: self.program.clone(),
            args: bootstrap.args(),
            files: vec![(Bootstrap::file(folder), bootstrap.render().to_string())],
        }
    }

    async fn ready(&self, node: &str, folder: &Path, by: Stamp) -> Result<SocketAddr, MeshError> {
        let seat = Seat {
            node: node.to_owned(),
            folder: folder.to_owned(),
            inbound: SocketAddr::from(([127, 0, 0, 1], 0)),
            workload: None,
        };
        // Nobody knows yet which instance it will be.
        let nobody = InstanceId { service: node.into(), number: 0 };
        self.send(&seat, encode::blank(&seat));
        let admin = self.proxies.admin(&nobody, &seat)?;
        confirm::live(&seat, &admin, by).await
    }

    fn outbound(&self, folder: &Path) -> Endpoint {
        Endpoint::Unix(outbound_socket(folder))
    }

    async fn apply(&self, new: &Config, at: &Bindings, by: Stamp) -> Result<Applied, MeshError> {
        let asked = now();
        self.faults.bring_to_newcomers(at, Proof::Answers, by).await?;
        self.send_all(new, at);
        if !self.state.borrow().stopped {
            self.acknowledged_by_all(at, by).await?;
        }
        Ok(Applied { generation: self.state.borrow_mut().next_generation(), asked })
    }

    async fn confirm(&self, done: &Applied, at: &Bindings, by: Stamp) -> Result<Confirmed, MeshError> {
        self.prove_all(at, done.asked, by).await
    }

    async fn arm(&self, plan: &Plan, at: &Bindings, armed: &BTreeSet<FaultId>, by: Stamp) -> Result<Effect, MeshError> {
        self.faults.arm(plan, at, armed, by).await
    }

    async fn counters(&self, at: &Bindings) -> Result<BTreeMap<InstanceId, BTreeMap<String, u64>>, MeshError> {
        self.proxies.counters(at).await
    }

    async fn policies(&self, at: &Bindings) -> PoliciesInForce {
        self.proxies.policies(at, squall_mesh_proxy::render::callee_of).await
    }

    async fn mark(&self, marker: &str, at: &Bindings, by: Stamp) -> Result<(), MeshError> {
        self.proxies.mark(marker, at, by).await
    }

    fn logs(&self, folder: &Path) -> Logs {
        Logs {
            outbound: logs::outbound(folder),
            inbound: logs::inbound(folder),
            tries: logs::outbound(folder),
            states: vec![logs::ejections(folder), logs::checks(folder)],
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
        let rejected = heard(&mut self.heard.borrow_mut()).into_iter().filter_map(|event| match event {
            XdsEvent::Rejected(r) => Some(MeshEvent::Rejected { node: r.node, words: r.words }),
            _ => None,
        });
        rejected.chain(self.faults.events()).collect()
    }

    async fn stop_control_plane(&self) -> Result<Effect, MeshError> {
        let asked = now();
        self.ads.stop().map_err(|e| MeshError::ControlPlane(e.to_string()))?;
        self.state.borrow_mut().stopped = true;
        let gone = now();
        Ok(Effect::at(asked, gone))
    }

    async fn start_control_plane(&self, at: &Bindings, by: Stamp) -> Result<Effect, MeshError> {
        let asked = now();
        self.ads.resume().map_err(|e| MeshError::ControlPlane(e.to_string()))?;
        self.state.borrow_mut().stopped = false;
        Ok(self.prove_all(at, asked, by).await?.effect(asked))
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
        at.seats.values().for_each(|seat| self.ads.sever(&seat.node));
        let gone = now();
        Ok(Effect::at(asked, gone))
    }

    async fn rejoin(&self, at: &Bindings, by: Stamp) -> Result<Effect, MeshError> {
        let asked = now();
        at.seats.values().for_each(|seat| self.ads.rejoin(&seat.node));
        if self.state.borrow().stopped {
            return Ok(Effect::at(asked, asked));
        }
        Ok(self.prove_all(at, asked, by).await?.effect(asked))
    }

    fn forget(&self, seat: &Seat) {
        self.ads.forget(&seat.node);
        self.faults.forget(&seat.node);
        self.proxies.forget(&seat.node);
        self.state.borrow_mut().forget(&seat.node);
    }
}
