//! Istio as a mesh: what the engine drives.

use crate::{
    control::{LOOK, State},
    counters::renamed,
    home::Home,
    render::{self, Config},
};
use squall_mesh::{
    Applied, Bindings, Confirmed, Desired, Endpoint, Launch, Leaving, LogLine, Logs, Mesh, MeshError, MeshEvent,
    PoliciesInForce, Refusal, Replaced, Seat, WallOffset, WorkloadStart, settling,
};
use squall_mesh_proxy::{
    Leases, Proof, Proxies, ServeError,
    bootstrap::Bootstrap,
    confirm::{before, pause},
    logs, now, outbound_socket,
    port::FaultPort,
    render as table,
};
use squall_model::{AskedRecord, Diagnostic, Effect, FaultId, InstanceId, Part, Plan, ServiceName, Side, Stamp};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    path::Path,
    time::Duration,
};

/// A real istiod, and real Envoys that it configures, broken over our own fault channel.
#[derive(Debug)]
pub struct Istio<H> {
    pub(crate) home: H,
    faults: Leases,
    pub(crate) proxies: Proxies,
    /// Never borrowed over an await.
    pub(crate) state: RefCell<State>,
}

impl<H: Home> Istio<H> {
    /// Starts the fault channel in the run's folder. Neither istiod nor any proxy is started: both are, by whoever places them.
    ///
    /// # Errors
    /// Where its socket cannot be made.
    pub fn start(home: H, folder: &Path) -> Result<Istio<H>, ServeError> {
        let faults = Leases::start(folder)?;
        Ok(Istio { home, faults, proxies: Proxies::default(), state: RefCell::default() })
    }

    /// Where it lives.
    #[must_use]
    pub fn home(&self) -> &H {
        &self.home
    }

    /// What the fault port says of tries of this run from now on.
    fn order(&self, port: &FaultPort, plan: &Plan, at: &Bindings, armed: &BTreeSet<FaultId>) {
        let theirs = |those: &BTreeSet<ServiceName>| -> Vec<(SocketAddr, InstanceId)> {
            let all = plan.topology.instances().filter(|(id, ..)| those.contains(&id.service));
            all.filter_map(|(id, _, instance)| Some((self.home.found(instance.at?), id))).collect()
        };
        // Another service may stand before the very same pods: only those that are meant have a say.
        let every = plan.faults.iter().map(|fault| fault.id).collect();
        let whose = table::orders(&plan.faults, &plan.topology, &every).into_iter().filter_map(|order| order.from);
        let ours = at.seats.iter().map(|(id, seat)| (seat.inbound.ip(), id.service.clone()));
        let callers = theirs(&whose.collect()).into_iter().map(|(at, id)| (at.ip(), id.service)).chain(ours);
        port.know(theirs(&self.asking(plan)).into_iter().collect(), callers.collect());
        port.set(&settling(&at.tag), Vec::new());
        port.set(&format!("{}.", at.tag), table::orders(&plan.faults, &plan.topology, armed));
    }
}

impl<H: Home> Mesh for Istio<H> {
    type Config = Config;

    fn name(&self) -> &str {
        "istio"
    }

    fn refuses(&self, plan: &Plan) -> Vec<Refusal> {
        let mut all = render::refusals(plan);
        all.extend(self.home.refuses(plan));
        all
    }

    fn lint(&self, plan: &Plan) -> Vec<Diagnostic> {
        table::lint(plan)
    }

    fn render(&self, want: &Desired<'_>, at: &Bindings) -> Result<Config, Refusal> {
        render::render(want, at, self.home.site())
    }

    fn is_reusable(&self) -> bool {
        // Elsewhere its clusters have the same names in every scenario: what was ejected, or broken, would stay so.
        self.home.site().pods
    }

    fn launch(&self, node: &str, folder: &Path) -> Launch {
        self.home.launch(node, folder, self.faults.socket())
    }

    fn boots_within(&self) -> Option<Duration> {
        self.home.boots_within()
    }

    fn workload(&self, start: &WorkloadStart<'_>) -> Launch {
        self.home.workload(start)
    }

    /// A proxy has no listeners before a configuration names it: it is ready when it answers for itself.
    async fn ready(&self, node: &str, folder: &Path, by: Stamp) -> Result<SocketAddr, MeshError> {
        self.home.expect(node, folder);
        let nobody = InstanceId { service: node.into(), number: 0 };
        loop {
            let inbound = self.home.inbound(node, folder);
            let answers = async {
                let inbound = inbound.ok_or_else(|| MeshError::Lagging(vec![format!("{node} is not there yet")]))?;
                let seat = Seat { node: node.to_owned(), folder: folder.to_owned(), inbound, workload: None };
                let admin = self.proxies.admin(&nobody, &seat)?;
                before(by, &nobody, admin.server()).await.map(|_| inbound)
            };
            match answers.await {
                // It may have been the address of the one before it.
                Ok(answered) if self.home.inbound(node, folder) == Some(answered) => {
                    self.home.arrived(folder);
                    return Ok(answered);
                }
                Ok(_) => {}
                Err(error) if now() >= by => {
                    // It waits for a control plane that it does not find.
                    return Err(self.home.unreached().map_or(error, MeshError::ControlPlane));
                }
                Err(_) => pause(LOOK).await,
            }
        }
    }

    fn outbound(&self, folder: &Path) -> Endpoint {
        Endpoint::Unix(outbound_socket(folder))
    }

    fn link_host(&self) -> IpAddr {
        self.home.link_host()
    }

    async fn apply(&self, new: &Config, at: &Bindings, by: Stamp) -> Result<Applied, MeshError> {
        let asked = now();
        // Newcomers have no listeners yet: theirs will have the faults from the beginning.
        self.faults.bring_to_newcomers(at, Proof::IfItListens, by).await?;
        let newcomers = self.newcomers(new, at);
        let mut new = if newcomers.is_empty() { new.clone() } else { new.without(&newcomers) };
        if let Some(before) = &self.state.borrow().given {
            new = new.keeping(before, |node| self.home.knows(node));
        }
        let differs = self.state.borrow().given.as_ref() != Some(&new);
        if differs {
            self.home.give(&new, by).await?;
        }
        let mut state = self.state.borrow_mut();
        state.given = Some(new);
        state.generation += 1;
        Ok(Applied { generation: state.generation, asked })
    }

    async fn confirm(&self, done: &Applied, at: &Bindings, by: Stamp) -> Result<Confirmed, MeshError> {
        if self.home.is_stopped() {
            return Ok(Confirmed { acked: done.asked, effective: done.asked, last_old: done.asked });
        }
        self.prove(at, done.asked, by).await
    }

    async fn arm(&self, plan: &Plan, at: &Bindings, armed: &BTreeSet<FaultId>, by: Stamp) -> Result<Effect, MeshError> {
        if let Some(port) = self.home.port() {
            self.order(port, plan, at, armed);
        }
        self.faults.arm(plan, at, armed, by).await
    }

    fn asking(&self, plan: &Plan) -> BTreeSet<ServiceName> {
        table::asking(plan.faults.iter(), &plan.topology).into_iter().map(|service| service.name.clone()).collect()
    }

    fn asked(&self, prefix: &str) -> Vec<AskedRecord> {
        self.home.port().map(|port| port.take(prefix)).unwrap_or_default()
    }

    async fn counters(&self, at: &Bindings) -> Result<BTreeMap<InstanceId, BTreeMap<String, u64>>, MeshError> {
        let all = self.proxies.counters(at).await?;
        Ok(all.into_iter().map(|(instance, counters)| (instance, renamed(counters))).collect())
    }

    async fn policies(&self, at: &Bindings) -> PoliciesInForce {
        self.proxies.policies(at, render::leads_to).await
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
        let mut all = self.home.events();
        all.extend(self.faults.events());
        all
    }

    async fn stop_control_plane(&self) -> Result<Effect, MeshError> {
        self.home.stop().await
    }

    async fn start_control_plane(&self, at: &Bindings, by: Stamp) -> Result<Effect, MeshError> {
        let asked = now();
        self.home.start().await?;
        Ok(self.prove(at, asked, by).await?.effect(asked))
    }

    async fn connected(&self, at: &Bindings, by: Stamp) -> Result<BTreeMap<InstanceId, bool>, MeshError> {
        self.proxies.connected(at, by).await
    }

    async fn drain(&self, instance: &InstanceId, seat: &Seat, by: Stamp) -> Result<(), MeshError> {
        self.proxies.drain(instance, seat, by).await
    }

    async fn pause(&self, part: Part, at: &Bindings, by: Stamp) -> Result<bool, MeshError> {
        self.home.pause(part, at, by).await
    }

    async fn resume(&self, part: Part, at: &Bindings, by: Stamp) -> Result<bool, MeshError> {
        self.home.resume(part, at, by).await
    }

    async fn replace(&self, of: Leaving<'_>, by: Stamp) -> Result<Vec<Replaced>, MeshError> {
        self.home.replace(of, by).await
    }

    fn found(&self, deployed: SocketAddr) -> SocketAddr {
        self.home.found(deployed)
    }

    fn unwritten(&self) -> Duration {
        self.home.unwritten()
    }

    async fn sever(&self, at: &Bindings) -> Result<Effect, MeshError> {
        self.home.sever(at).await
    }

    async fn rejoin(&self, at: &Bindings, by: Stamp) -> Result<Effect, MeshError> {
        let asked = now();
        self.home.rejoin(at).await?;
        if self.home.is_stopped() {
            return Ok(Effect::at(asked, asked));
        }
        Ok(self.prove(at, asked, by).await?.effect(asked))
    }

    fn forget(&self, seat: &Seat) {
        self.home.forget(&seat.node);
        self.faults.forget(&seat.node);
        self.proxies.forget(&seat.node);
    }
}
