//! The smallest mesh: proxies that are values in memory, a clock that counts, and every trouble that a proxy can be in.

use super::{
    Defect,
    memory::nowhere,
    state::{Armed, State},
};
use crate::{
    Applied, Bindings, Confirmed, Desired, Endpoint, Launch, LogLine, Logs, Mesh, MeshError, MeshEvent, Refusal, Seat,
    WallOffset,
};
use serde::Serialize;
use squall_model::{
    Diagnostic, Effect, FaultId, FaultKind, Fraction, InstanceId, Level, Plan, PolicyKind, Side, Stamp, Topology, Which,
};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// Every proxy's configuration, by node id.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct FakeConfig {
    pub(super) proxies: BTreeMap<String, ProxyConfig>,
}

/// What a proxy of the fake knows.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub(super) struct ProxyConfig {
    pub(super) run: String,
    pub(super) topology: Topology,
    pub(super) policies: Vec<PolicyKind>,
}

/// A mesh in memory, and the ground that it stands on.
#[derive(Debug, Default)]
pub struct Fake {
    pub(super) state: RefCell<State>,
}

impl Fake {
    /// One that is wrong in this way.
    #[must_use]
    pub fn with(defect: Defect) -> Fake {
        let fake = Fake::default();
        fake.state.borrow_mut().defect = Some(defect);
        fake
    }
}

impl Mesh for Fake {
    type Config = FakeConfig;

    fn name(&self) -> &str {
        "fake"
    }

    fn refuses(&self, plan: &Plan) -> Vec<Refusal> {
        if self.state.borrow().is(Defect::RefusesNothing) {
            return Vec::new();
        }
        let policies = plan.policies.iter().filter_map(|policy| match &policy.says {
            PolicyKind::Route { to, .. } => {
                let whole: u32 = to.iter().map(|leg| leg.share.ppm()).sum();
                let nowhere = to.iter().any(|leg| plan.topology.service(&leg.target.service).is_none());
                (whole != Fraction::ALL.ppm() || nowhere).then(|| Refusal("a route that leads nowhere".into()))
            }
            _ => None,
        });
        let faults = plan.faults.iter().filter_map(|fault| match &fault.does {
            FaultKind::Touch { on, .. } if on.level == Level::Calls => {
                let part = on.of.to.as_ref().is_some_and(|to| !matches!(to.which, Which::Service | Which::Every));
                part.then(|| Refusal("a fault on calls to a part of a service".into()))
            }
            _ => None,
        });
        policies.chain(faults).collect()
    }

    fn lint(&self, _plan: &Plan) -> Vec<Diagnostic> {
        Vec::new()
    }

    fn render(&self, want: &Desired<'_>, at: &Bindings) -> Result<FakeConfig, Refusal> {
        let config = ProxyConfig {
            run: at.tag.clone(),
            topology: want.topology.clone(),
            policies: want.policies.iter().map(|policy| (*policy).clone()).collect(),
        };
        Ok(FakeConfig { proxies: at.seats.values().map(|seat| (seat.node.clone(), config.clone())).collect() })
    }

    fn launch(&self, node: &str, _folder: &Path) -> Launch {
        Launch { program: PathBuf::from("fake"), args: vec![node.to_owned()], files: Vec::new() }
    }

    async fn ready(&self, node: &str, _folder: &Path, _by: Stamp) -> Result<SocketAddr, MeshError> {
        self.state.borrow_mut().proxies.entry(node.to_owned()).or_default();
        Ok(nowhere())
    }

    fn outbound(&self, folder: &Path) -> Endpoint {
        Endpoint::Unix(folder.join("out.sock"))
    }

    async fn apply(&self, new: &FakeConfig, at: &Bindings, _by: Stamp) -> Result<Applied, MeshError> {
        let mut state = self.state.borrow_mut();
        let asked = state.now();
        if let Some(armed) = state.armed.get(&at.tag).cloned()
            && !state.is(Defect::LateComersAreSpared)
        {
            state.bring_layers(at, &armed)?;
        }
        let keeps = state.is(Defect::PoliciesStay);
        let forgets = state.stopped && state.is(Defect::ForgetsWhatItWasToldWhenStopped);
        for seat in at.seats.values() {
            let forgets = forgets || state.is_severed(&seat.node) && state.is(Defect::ForgetsWhatTheSeveredMissed);
            let config = new.proxies.get(&seat.node).cloned();
            let (Some(proxy), Some(config)) = (state.proxies.get_mut(&seat.node), config) else { continue };
            let less = config.policies.len() < proxy.wanted.policies.len() && config.run == proxy.wanted.run;
            if !(forgets || keeps && less) {
                proxy.wanted = config;
            }
        }
        if !state.stopped || state.is(Defect::TellsThoughStopped) {
            state.tell(at)?;
        }
        Ok(Applied { generation: state.clock, asked })
    }

    async fn confirm(&self, done: &Applied, at: &Bindings, _by: Stamp) -> Result<Confirmed, MeshError> {
        let mut state = self.state.borrow_mut();
        if !state.is(Defect::BelievesAcknowledgements) {
            state.lagging(&state.awaited(at), |proxy| proxy.holds != proxy.wanted, "answers by the state before")?;
        }
        for seat in at.seats.values().filter(|seat| !state.severed.contains(&seat.node)).collect::<Vec<_>>() {
            if let Some(proxy) = state.proxies.get_mut(&seat.node) {
                proxy.good = proxy.wanted.clone();
            }
        }
        let Effect { acked, effective, last_old, .. } = state.effect(done.asked);
        Ok(Confirmed { acked, effective, last_old })
    }

    async fn arm(
        &self,
        plan: &Plan,
        at: &Bindings,
        armed: &BTreeSet<FaultId>,
        _by: Stamp,
    ) -> Result<Effect, MeshError> {
        let mut state = self.state.borrow_mut();
        let asked = state.now();
        let unreachable = state.stopped || at.seats.values().any(|seat| state.is_severed(&seat.node));
        if unreachable && state.is(Defect::FaultsNeedControlPlane) {
            return Err(MeshError::ControlPlane("it cannot be reached".into()));
        }
        let mut wanted = Armed { faults: plan.faults.clone(), here: armed.clone() };
        if state.is(Defect::FaultsStay) {
            wanted.here.extend(state.armed.get(&at.tag).into_iter().flat_map(|before| before.here.clone()));
        }
        state.armed.insert(at.tag.clone(), wanted.clone());
        state.bring_layers(at, &wanted)?;
        Ok(state.effect(asked))
    }

    async fn counters(&self, at: &Bindings) -> Result<BTreeMap<InstanceId, BTreeMap<String, u64>>, MeshError> {
        Ok(at.seats.keys().map(|id| (id.clone(), BTreeMap::new())).collect())
    }

    async fn mark(&self, _marker: &str, _at: &Bindings, _by: Stamp) -> Result<(), MeshError> {
        Ok(())
    }

    fn logs(&self, folder: &Path) -> Logs {
        let file = |name: &str| folder.join(name);
        Logs {
            outbound: file("out.log"),
            inbound: file("in.log"),
            tries: file("tries.log"),
            states: Vec::new(),
            own: file("own.log"),
        }
    }

    fn read_access(
        &self,
        _line: &str,
        _side: Side,
        _proxy: &InstanceId,
        _at: &Bindings,
        _clock: WallOffset,
    ) -> Result<LogLine, String> {
        Err("it writes no log".into())
    }

    fn read_try(
        &self,
        _line: &str,
        _proxy: &InstanceId,
        _at: &Bindings,
        _clock: WallOffset,
    ) -> Result<LogLine, String> {
        Err("it writes no log".into())
    }

    fn events(&self) -> Vec<MeshEvent> {
        Vec::new()
    }

    async fn stop_control_plane(&self) -> Result<Effect, MeshError> {
        let mut state = self.state.borrow_mut();
        let asked = state.now();
        state.stopped = true;
        Ok(state.effect(asked))
    }

    async fn start_control_plane(&self, at: &Bindings, _by: Stamp) -> Result<Effect, MeshError> {
        let mut state = self.state.borrow_mut();
        let asked = state.now();
        state.stopped = false;
        state.tell(at)?;
        Ok(state.effect(asked))
    }

    async fn connected(&self, at: &Bindings, _by: Stamp) -> Result<BTreeMap<InstanceId, bool>, MeshError> {
        let state = self.state.borrow();
        let connected = |seat: &Seat| !state.stopped && !state.severed.contains(&seat.node);
        Ok(at.seats.iter().map(|(id, seat)| (id.clone(), connected(seat))).collect())
    }

    async fn sever(&self, at: &Bindings) -> Result<Effect, MeshError> {
        let mut state = self.state.borrow_mut();
        let asked = state.now();
        let everybody = state.is(Defect::SeversEverybody);
        let nodes = at.seats.values().map(|seat| seat.node.clone());
        let nodes: Vec<String> = nodes.chain(state.proxies.keys().filter(|_| everybody).cloned()).collect();
        state.severed.extend(nodes);
        Ok(state.effect(asked))
    }

    async fn rejoin(&self, at: &Bindings, _by: Stamp) -> Result<Effect, MeshError> {
        let mut state = self.state.borrow_mut();
        let asked = state.now();
        let rejoined = |node: &String| at.seats.values().any(|seat| seat.node == *node);
        state.severed.retain(|node| !rejoined(node));
        if !state.stopped {
            state.tell(at)?;
        }
        Ok(state.effect(asked))
    }

    fn forget(&self, seat: &Seat) {
        self.state.borrow_mut().proxies.remove(&seat.node);
    }
}
