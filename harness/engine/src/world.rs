//! The mesh of one run of one scenario, as it is now: placed, configured, perhaps broken.
//!
//! Arming a fault and ending it are one path: the set of what is in place changes, and what follows from the set is brought
//! about and confirmed. Whatever happens to a scenario, it leaves through [`World::leave`].

use crate::{
    behave::behaviours,
    clock, deadline,
    error::EngineError,
    events::Events,
    pool::{Placed, Pool, Role, Want, bindings, wants, within},
};
use futures_util::future::try_join_all;
use squall_evidence::{LifeEnd, Process};
use squall_mesh::{Bindings, Desired, Mesh, MeshEvent};
use squall_model::{
    Act, Behaviour, Body, Effect, FaultId, FaultKind, InstanceId, Plan, PolicyId, RunOf, Service, ServiceName, Stamp,
    Topology,
};
use squall_place::{Exited, ProcessId};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

/// The mesh of one run of one scenario.
pub(crate) struct World<'a, M> {
    pool: &'a Pool<'a, M>,
    plan: &'a Plan,
    tag: String,
    topology: Topology,
    in_effect: BTreeSet<PolicyId>,
    placed: BTreeMap<InstanceId, Placed>,
    /// Instances that the scenario grows by: up from the start, so that no boot steals from its traffic.
    reserve: BTreeMap<InstanceId, Placed>,
    /// Seats that were replaced: their processes are dead.
    buried: Vec<Placed>,
    /// Instances whose proxy is dead.
    dead: BTreeSet<InstanceId>,
    /// Nodes that have had a configuration of this scenario.
    configured: BTreeSet<String>,
    armed: Vec<FaultId>,
    behaviours: BTreeMap<InstanceId, Behaviour>,
    control_plane: bool,
    /// What was asked for while the control plane was away, and when: its return brings it about.
    waiting: Vec<(Act, Stamp)>,
    /// Ends of processes of this run, and how many ends of the keeper's list have been looked at.
    ends: Vec<LifeEnd>,
    looked: usize,
    /// When each process that we killed was asked to end.
    asked: BTreeMap<ProcessId, Stamp>,
    /// Instances at which a lease ran out under us.
    lapses: Vec<InstanceId>,
}

impl<'a, M: Mesh> World<'a, M> {
    /// Takes a seat for every instance that the plan ever has.
    pub(crate) async fn place(pool: &'a Pool<'a, M>, plan: &'a Plan, tag: String) -> Result<World<'a, M>, EngineError> {
        let largest = largest(plan);
        let mut placed = pool.take(&wants(&largest)).await?;
        let now: BTreeSet<InstanceId> = plan.topology.instances().map(|(id, ..)| id).collect();
        let later: Vec<InstanceId> = placed.keys().filter(|id| !now.contains(id)).cloned().collect();
        let reserve = later.into_iter().filter_map(|id| placed.remove_entry(&id)).collect();
        let changes = plan.timeline.stages.iter().flat_map(|s| &s.cues).filter_map(|cue| match cue.act {
            Act::Change(id) => Some(id),
            Act::Arm(_) | Act::End(_) | Act::Revert(_) => None,
        });
        let changes: BTreeSet<PolicyId> = changes.collect();
        Ok(World {
            pool,
            plan,
            tag,
            topology: plan.topology.clone(),
            in_effect: plan.policies.iter().map(|p| p.id).filter(|id| !changes.contains(id)).collect(),
            placed,
            reserve,
            buried: Vec::new(),
            dead: BTreeSet::new(),
            configured: BTreeSet::new(),
            armed: Vec::new(),
            behaviours: BTreeMap::new(),
            control_plane: true,
            waiting: Vec::new(),
            ends: Vec::new(),
            looked: pool.keeper.ends().len(),
            asked: BTreeMap::new(),
            lapses: Vec::new(),
        })
    }

    /// Services and instances as they are now.
    pub(crate) fn topology(&self) -> &Topology {
        &self.topology
    }

    /// The seats of the instances that there are now.
    pub(crate) fn present(&self) -> impl Iterator<Item = (&InstanceId, &Placed)> {
        self.placed.iter()
    }

    /// Every seat of the scenario, the reserve included.
    pub(crate) fn seats(&self) -> impl Iterator<Item = (&InstanceId, &Placed)> {
        self.placed.iter().chain(&self.reserve)
    }

    /// Addresses of every seat, living or dead.
    pub(crate) fn all(&self) -> Bindings {
        bindings(&self.placed, &self.tag)
    }

    /// Addresses of the seats whose proxies live.
    pub(crate) fn living(&self) -> Bindings {
        let mut at = self.all();
        at.seats.retain(|id, _| !self.dead.contains(id));
        at
    }

    /// Configures the instances of the reserve, before anybody can call them: a callee must be ready for its callers before
    /// they know of it, and a seat that was used before still leads to its former workload.
    pub(crate) async fn prepare_reserve(&mut self) -> Result<(), EngineError> {
        if self.reserve.is_empty() {
            return Ok(());
        }
        let reserve = bindings(&self.reserve, &self.tag);
        let mut everybody = self.all();
        everybody.seats.extend(reserve.seats.clone());
        let config = self.render(&largest(self.plan), &everybody)?;
        self.bring_about(&config, &reserve).await.map(drop)?;
        self.configured.extend(reserve.seats.into_values().map(|seat| seat.node));
        Ok(())
    }

    fn render(&self, topology: &Topology, at: &Bindings) -> Result<M::Config, EngineError> {
        let policies = self.plan.policies.iter().filter(|p| self.in_effect.contains(&p.id)).map(|p| &p.says).collect();
        let want = Desired { topology, policies, faults: &self.plan.faults };
        Ok(self.pool.mesh.render(&want, at)?)
    }

    /// Renders, applies and confirms what is wanted now; at seats that are new to the scenario before the others. `None`: the
    /// control plane is away, and nobody is told before it is back.
    pub(crate) async fn configure(&mut self) -> Result<Option<Effect>, EngineError> {
        let config = self.render(&self.topology, &self.all())?;
        let living = self.living();
        let mut fresh = living.clone();
        fresh.seats.retain(|_, seat| !self.configured.contains(&seat.node));
        if self.control_plane && fresh.seats.len() < living.seats.len() && !fresh.seats.is_empty() {
            self.bring_about(&config, &fresh).await.map(drop)?;
        }
        self.configured.extend(fresh.seats.into_values().map(|seat| seat.node));
        self.bring_about(&config, &living).await
    }

    /// Applies a configuration to these seats, and confirms it. `None`: it is wanted, and nobody is told: that is what a dead
    /// control plane means. Its return confirms it.
    async fn bring_about(&self, config: &M::Config, at: &Bindings) -> Result<Option<Effect>, EngineError> {
        let by = deadline::CONFIRM.from_now();
        let applied = self.pool.mesh.apply(config, at, by).await?;
        if !self.control_plane {
            return Ok(None);
        }
        let confirmed = self.pool.mesh.confirm(&applied, at, by).await?;
        Ok(Some(Effect {
            asked: applied.asked,
            acked: confirmed.acked,
            effective: confirmed.effective,
            last_old: confirmed.last_old,
        }))
    }

    /// Does what a cue says, and says what took effect by it and when: nothing, if the control plane would have to be there;
    /// whatever waited for it, if it is back.
    pub(crate) async fn enact(&mut self, act: Act) -> Result<Vec<(Act, Effect)>, EngineError> {
        let asked = clock::now();
        let effect = match act {
            Act::Arm(id) => {
                self.armed.push(id);
                self.follow(id, true).await
            }
            Act::End(id) => {
                self.armed.retain(|armed| *armed != id);
                self.follow(id, false).await
            }
            Act::Change(id) => {
                self.in_effect.insert(id);
                self.configure().await
            }
            Act::Revert(id) => {
                self.in_effect.remove(&id);
                self.configure().await
            }
        }?;
        let Some(effect) = effect else {
            self.waiting.push((act, asked));
            return Ok(Vec::new());
        };
        let effect = Effect { asked: effect.asked.min(asked), ..effect };
        Ok(std::iter::once((act, effect)).chain(self.waited(effect)).collect())
    }

    /// What waited for the control plane, and took effect with its return.
    fn waited(&mut self, returned: Effect) -> Vec<(Act, Effect)> {
        if !self.control_plane {
            return Vec::new();
        }
        let waited = std::mem::take(&mut self.waiting).into_iter();
        waited.map(|(act, asked)| (act, Effect { asked, ..returned })).collect()
    }

    /// Brings about what follows from a fault having come or gone.
    async fn follow(&mut self, id: FaultId, here: bool) -> Result<Option<Effect>, EngineError> {
        let plan = self.plan;
        let fault = plan.fault(id).ok_or_else(|| EngineError::Plan(format!("there is no fault {}", id.0)))?;
        match &fault.does {
            FaultKind::Touch { .. } | FaultKind::Outage { .. } => self.touch().await.map(Some),
            FaultKind::Answers { .. } => self.behave().await.map(Some),
            FaultKind::Killed { of } if here => self.kill(of.instances(&self.topology)).await.map(Some),
            FaultKind::Killed { of } => self.revive(of.instances(&self.topology)).await,
            FaultKind::ProcessKilled { of } if here => {
                self.kill_workloads(of.instances(&self.topology)).await.map(Some)
            }
            FaultKind::ProcessKilled { of } => self.host_again(of.instances(&self.topology)).await,
            FaultKind::ControlPlaneKilled if here => {
                self.control_plane = false;
                Ok(Some(self.pool.mesh.stop_control_plane().await?))
            }
            FaultKind::ControlPlaneKilled => self.return_control_plane().await.map(Some),
            FaultKind::Resized { service, to } => {
                let to =
                    if here { *to as usize } else { plan.topology.service(service).map_or(0, |s| s.instances.len()) };
                self.resize(service, to).await
            }
        }
    }

    async fn return_control_plane(&mut self) -> Result<Effect, EngineError> {
        let by = deadline::CONTROL_PLANE.from_now();
        let effect = self.pool.mesh.start_control_plane(&self.living(), by).await?;
        self.control_plane = true;
        Ok(effect)
    }

    /// Has exactly the armed faults on calls and tries in place, at every proxy that lives: one that has left its service
    /// must be rid of them too.
    async fn touch(&self) -> Result<Effect, EngineError> {
        let armed: BTreeSet<FaultId> = self.armed.iter().copied().collect();
        let mut everywhere = self.living();
        everywhere.seats.extend(bindings(&self.reserve, &self.tag).seats);
        Ok(self.pool.mesh.arm(self.plan, &everywhere, &armed, deadline::ARM.from_now()).await?)
    }

    /// Has every workload do what it should be doing now.
    pub(crate) async fn behave(&mut self) -> Result<Effect, EngineError> {
        let asked = clock::now();
        let wanted = behaviours(&self.topology, &self.plan.faults, &self.armed);
        let changes = wanted.into_iter().filter(|(id, behaviour)| self.behaviours.get(id) != Some(behaviour));
        let changes: BTreeMap<InstanceId, Behaviour> = changes.collect();
        let sets = self.placed.iter_mut().filter_map(|(id, placed)| {
            let behaviour = changes.get(id)?;
            let hosted = placed.hosted.as_mut().filter(|hosted| hosted.lives)?;
            Some(hosted.control.set(behaviour))
        });
        let stamps = within(deadline::BEHAVE, "workloads to change", try_join_all(sets)).await??;
        self.behaviours.extend(changes);
        let effective = stamps.into_iter().max().unwrap_or(asked);
        Ok(Effect { asked, acked: effective, effective, last_old: effective })
    }

    /// Has every workload answer at once and well, whatever the topology says: for settling, before anything is counted.
    pub(crate) async fn relax(&mut self) -> Result<(), EngineError> {
        let plain = Behaviour::default();
        let seats = self.placed.values_mut().chain(self.reserve.values_mut());
        let sets = seats.filter_map(|placed| Some(placed.hosted.as_mut()?.control.set(&plain)));
        within(deadline::BEHAVE, "workloads to change", try_join_all(sets)).await??;
        self.behaviours.clear();
        Ok(())
    }

    async fn kill(&mut self, victims: Vec<InstanceId>) -> Result<Effect, EngineError> {
        let asked = clock::now();
        for id in victims {
            let Some(placed) = self.placed.get_mut(&id) else { continue };
            placed.hosted.iter_mut().for_each(|hosted| hosted.lives = false);
            for process in placed.hosted.iter().map(|h| &h.process).chain([&placed.proxy]) {
                self.asked.insert(process.id, clock::now());
                self.pool.kill(process).await;
            }
            self.dead.insert(id);
        }
        Ok(until_now(asked))
    }

    async fn kill_workloads(&mut self, victims: Vec<InstanceId>) -> Result<Effect, EngineError> {
        let asked = clock::now();
        for id in victims {
            let Some(hosted) = self.placed.get_mut(&id).and_then(|placed| placed.hosted.as_mut()) else { continue };
            hosted.lives = false;
            self.asked.insert(hosted.process.id, clock::now());
            self.pool.kill(&hosted.process).await;
        }
        Ok(until_now(asked))
    }

    /// Looks whether any process of this run has ended, and tells of those that nobody had asked to.
    pub(crate) fn check_lives(&mut self, events: &Events, of: &RunOf) {
        let ends = self.pool.keeper.ends();
        let new: Vec<Exited> = ends.get(self.looked..).unwrap_or_default().to_vec();
        self.looked = ends.len();
        for end in new {
            let Some((instance, what, log)) = self.whose(end.id) else { continue };
            let asked = self.asked.get(&end.id).copied().or(end.asked.then_some(end.at));
            if asked.is_none() {
                let what = if what == Process::Proxy { "proxy" } else { "workload" };
                let body = Body::ProxyDied {
                    instance: instance.clone(),
                    what: what.to_owned(),
                    how: end.how.to_string(),
                    log: last_lines(&log),
                };
                events.emit(Some(of), body);
            }
            self.ends.push(LifeEnd { instance, what, asked, at: end.at, how: end.how.to_string() });
        }
        for event in self.pool.mesh.events() {
            let MeshEvent::Lapsed { node, .. } = event else { continue };
            let instance = self.seats().find(|(_, placed)| placed.node == node).map(|(id, _)| id.clone());
            if let Some(instance) = instance.filter(|id| !self.dead.contains(id)) {
                self.lapses.push(instance.clone());
                events.emit(Some(of), Body::Lapsed { instance });
            }
        }
    }

    /// Ends of processes of this run, as evidence has them.
    pub(crate) fn ends(&self) -> Vec<LifeEnd> {
        self.ends.clone()
    }

    /// Instances at which a lease ran out before its time.
    pub(crate) fn lapses(&self) -> Vec<InstanceId> {
        self.lapses.clone()
    }

    /// True where no process died unasked and no lease ran out: the seats can be used again.
    pub(crate) fn is_healthy(&self) -> bool {
        self.lapses.is_empty() && self.ends.iter().all(|end| end.asked.is_some())
    }

    fn whose(&self, id: ProcessId) -> Option<(InstanceId, Process, PathBuf)> {
        self.seats().find_map(|(instance, placed)| {
            if placed.proxy.id == id {
                return Some((instance.clone(), Process::Proxy, self.pool.mesh.logs(&placed.folder).own));
            }
            let hosted = placed.hosted.as_ref().filter(|h| h.process.id == id)?;
            Some((instance.clone(), Process::Workload, hosted.log.clone()))
        })
    }

    /// New proxies and workloads for the dead: as anywhere, an instance comes back under another address.
    async fn revive(&mut self, ids: Vec<InstanceId>) -> Result<Option<Effect>, EngineError> {
        let back: Vec<Want> = wants(&self.topology)
            .into_iter()
            .filter(|want| ids.contains(&want.role.instance) && self.dead.contains(&want.role.instance))
            .collect();
        for (id, seat) in self.pool.take(&back).await? {
            self.dead.remove(&id);
            self.behaviours.remove(&id);
            self.buried.extend(self.placed.insert(id, seat));
        }
        self.behave().await?;
        self.configure().await
    }

    async fn host_again(&mut self, ids: Vec<InstanceId>) -> Result<Option<Effect>, EngineError> {
        for id in ids {
            let onward = self.topology.service(&id.service).map(|s| s.calls.clone()).unwrap_or_default();
            let role = Role { instance: id.clone(), onward };
            if let Some(placed) = self.placed.get_mut(&id) {
                placed.hosted = Some(self.pool.host(&placed.folder, role).await?);
                self.behaviours.remove(&id);
            }
        }
        self.behave().await?;
        self.configure().await
    }

    /// The highest numbers come and go.
    async fn resize(&mut self, service: &ServiceName, to: usize) -> Result<Option<Effect>, EngineError> {
        if let Some(service) = self.topology.service_mut(service) {
            resized(service, to);
        }
        let ids: BTreeSet<InstanceId> = self.topology.instances().map(|(id, ..)| id).collect();
        let all = std::mem::take(&mut self.placed).into_iter().chain(std::mem::take(&mut self.reserve));
        (self.placed, self.reserve) = all.partition(|(id, _)| ids.contains(id));
        self.behave().await?;
        self.configure().await
    }

    /// Ends what would outlive the scenario (faults on calls and tries, a dead control plane) and confirms that it is gone; says
    /// what took effect by that. Workloads are told anew how to behave by whoever uses them next; seats with dead processes are
    /// thrown away.
    pub(crate) async fn end_faults(&mut self) -> Result<Vec<(Act, Effect)>, EngineError> {
        let mut effects = Vec::new();
        if !self.control_plane {
            let returned = self.return_control_plane().await?;
            effects = self.waited(returned);
        }
        let touched = self
            .armed
            .iter()
            .filter_map(|id| self.plan.fault(*id))
            .any(|f| matches!(f.does, FaultKind::Touch { .. } | FaultKind::Outage { .. }));
        self.armed.clear();
        if touched {
            self.touch().await?;
        }
        Ok(effects)
    }

    /// Gives the seats back, or throws them away where they cannot be trusted any more.
    pub(crate) async fn leave(mut self, fit: bool) {
        let clean = self.end_faults().await.is_ok();
        for (id, seat) in std::mem::take(&mut self.placed).into_iter().chain(std::mem::take(&mut self.reserve)) {
            let hurt = self.dead.contains(&id) || self.workload_died(&id);
            if fit && clean && !hurt {
                self.pool.give_back(seat);
            } else {
                self.pool.throw_away(seat).await;
            }
        }
        for seat in std::mem::take(&mut self.buried) {
            self.pool.throw_away(seat).await;
        }
    }

    /// True where a fault of the plan kills this instance's workload: it may be dead now.
    fn workload_died(&self, id: &InstanceId) -> bool {
        self.plan.faults.iter().any(|f| match &f.does {
            FaultKind::ProcessKilled { of } => of.service == id.service,
            _ => false,
        })
    }
}

/// The topology with every service as large as it ever gets.
fn largest(plan: &Plan) -> Topology {
    let mut topology = plan.topology.clone();
    for fault in &plan.faults {
        if let FaultKind::Resized { service, to } = &fault.does
            && let Some(service) = topology.service_mut(service)
            && service.instances.len() < *to as usize
        {
            resized(service, *to as usize);
        }
    }
    topology
}

/// A service of another size: new instances are like the last.
fn resized(service: &mut Service, to: usize) {
    let like = service.instances.last().cloned().unwrap_or_default();
    service.instances.resize(to, like);
}

/// The last lines of a log, for people.
fn last_lines(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines.iter().skip(lines.len().saturating_sub(5)).map(|line| (*line).to_owned()).collect()
}

fn until_now(asked: Stamp) -> Effect {
    let now = clock::now();
    Effect { asked, acked: now, effective: now, last_old: now }
}
