//! The mesh of one run of one scenario, as it is now: placed, configured, perhaps broken.
//!
//! Arming a fault and ending it are one path: the set of what is in place changes, and what follows from the set is brought
//! about and confirmed. Whatever happens to a scenario, it leaves through [`World::leave`].

mod acts;
mod down;
mod lives;
mod sizes;
mod theirs;
mod wires;

use crate::{
    behave::behaviours,
    clock, deadline,
    error::EngineError,
    pool::{Placed, Pool, Want, bindings, wants, within},
};
use futures_util::future::try_join_all;
use lives::Lives;
use sizes::{largest, resized};
use squall_mesh::{Bindings, Desired, Mesh};
use squall_model::{
    Act, Behaviour, ControlRecord, Down, Effect, Fault, FaultId, FaultKind, InstanceId, Plan, PolicyId, ServiceName,
    Stamp, Topology,
};
use squall_place::Keeper;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};
pub(crate) use wires::Links;

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
    /// What carries the wires that the scenario damages, if it damages any.
    links: Option<Links>,
    /// Whom each fault that is in place has taken down.
    down: BTreeMap<FaultId, Vec<InstanceId>>,
    /// Instances whose proxy is dead.
    dead: BTreeSet<InstanceId>,
    /// Instances whose proxy stands still.
    still: BTreeSet<InstanceId>,
    /// Instances of which a process was killed, paused or started again: their seats are not used again.
    spent: BTreeSet<InstanceId>,
    /// Nodes that have had a configuration of this scenario.
    configured: BTreeSet<String>,
    armed: Vec<FaultId>,
    /// Those that are to have ended and have not been seen to.
    ending: Vec<FaultId>,
    behaviours: BTreeMap<InstanceId, Behaviour>,
    control_plane: bool,
    /// What proxies said of their control plane, each time before it came back.
    control: Vec<ControlRecord>,
    /// What was asked for while the control plane was away, and when: its return brings it about.
    waiting: Vec<(Act, Stamp)>,
    lives: Lives,
}

impl<'a, M: Mesh> World<'a, M> {
    /// Takes a seat for every instance that the plan ever has. `main` is the plan as written: its wires are there in its control
    /// runs, too.
    pub(crate) async fn place(
        pool: &'a Pool<'a, M>,
        plan: &'a Plan,
        main: &Plan,
        tag: String,
    ) -> Result<World<'a, M>, EngineError> {
        let whole = largest(plan);
        let mut placed = pool.take(&wants(&whole)).await?;
        let now: BTreeSet<InstanceId> = plan.topology.instances().map(|(id, ..)| id).collect();
        let later: Vec<InstanceId> = placed.keys().filter(|id| !now.contains(id)).cloned().collect();
        let reserve = later.into_iter().filter_map(|id| placed.remove_entry(&id)).collect();
        let changes = plan.timeline.stages.iter().flat_map(|stage| stage.acts()).filter_map(|act| match act {
            Act::Change(id) => Some(id),
            Act::Arm(_) | Act::End(_) | Act::Revert(_) => None,
        });
        let changes: BTreeSet<PolicyId> = changes.collect();
        let mut world = World {
            pool,
            plan,
            tag,
            topology: plan.topology.clone(),
            in_effect: plan.policies.iter().map(|p| p.id).filter(|id| !changes.contains(id)).collect(),
            placed,
            reserve,
            links: None,
            down: BTreeMap::new(),
            dead: BTreeSet::new(),
            still: BTreeSet::new(),
            spent: BTreeSet::new(),
            configured: BTreeSet::new(),
            armed: Vec::new(),
            ending: Vec::new(),
            behaviours: BTreeMap::new(),
            control_plane: true,
            control: Vec::new(),
            waiting: Vec::new(),
            lives: Lives::from_now(pool.keeper),
        };
        world.find_theirs();
        world.know_everybody();
        match world.lay_wires(main, &whole).await {
            Ok(()) => Ok(world),
            Err(error) => {
                world.leave(true).await;
                Err(error)
            }
        }
    }

    /// Who is the parent of its processes.
    pub(crate) fn keeper(&self) -> &'a Keeper {
        self.pool.keeper
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

    /// Waits until nobody works for callers that have gone and calls others for them, but no longer than until `by`: what is
    /// still under way then is told as it is.
    pub(crate) async fn rest(&mut self, by: Stamp) -> Result<(), EngineError> {
        let living =
            self.placed.values_mut().filter_map(|placed| placed.hosted.as_mut()).filter(|hosted| hosted.runs());
        for hosted in living.filter(|hosted| hosted.calls_onward()) {
            loop {
                let state = within(deadline::BEHAVE, "a workload to say what it is doing", hosted.control.state());
                if state.await??.in_flight == 0 || clock::now() > by {
                    break;
                }
                // It has no way to say when it is idle but to be asked.
                clock::until(clock::now() + std::time::Duration::from_millis(2)).await;
            }
        }
        Ok(())
    }

    /// Has every living workload write a marker into its ledger, and gives the ledgers.
    pub(crate) async fn mark_ledgers(&mut self, marker: &str) -> Result<Vec<PathBuf>, EngineError> {
        let everybody = self.placed.values_mut().chain(self.reserve.values_mut());
        let living = everybody.filter_map(|placed| placed.hosted.as_mut()).filter(|hosted| hosted.runs());
        let marks = living.map(|hosted| async move {
            within(deadline::BARRIER, "a workload to take a marker", hosted.control.mark(marker)).await??;
            Ok::<_, EngineError>(hosted.ledger.clone())
        });
        try_join_all(marks).await
    }

    /// What carries the damaged wires.
    pub(crate) fn links(&mut self) -> Option<&mut Links> {
        self.links.as_mut()
    }

    /// Addresses of every seat, living or dead.
    pub(crate) fn all(&self) -> Bindings {
        self.bound(&self.placed)
    }

    /// Addresses of the seats whose proxies live and are not paused.
    pub(crate) fn living(&self) -> Bindings {
        let mut at = self.all();
        at.seats.retain(|id, _| !self.dead.contains(id) && !self.still.contains(id));
        at
    }

    /// Addresses of those that live, and of the reserve: whoever came and went again has logs and counters, too.
    pub(crate) fn within_reach(&self) -> Bindings {
        let mut at = self.living();
        let reserve = self.bound(&self.reserve).seats.into_iter();
        at.seats.extend(reserve.filter(|(id, _)| !self.dead.contains(id) && !self.still.contains(id)));
        at
    }

    /// What proxies said of their control plane while it was to be away.
    pub(crate) fn control(&self) -> &[ControlRecord] {
        &self.control
    }

    /// Every address by which an instance is, or was, reached: what logs speak of.
    pub(crate) fn addresses(&self) -> Bindings {
        let mut everybody = self.all();
        everybody.seats.extend(self.bound(&self.reserve).seats);
        everybody
    }

    /// Instances whose proxy has begun anew since the scenario began: their counters, too.
    pub(crate) fn begun_anew(&self) -> &BTreeSet<InstanceId> {
        &self.lives.anew
    }

    fn bound(&self, seats: &BTreeMap<InstanceId, Placed>) -> Bindings {
        let wires = self.links.as_ref().map(Links::listens).cloned().unwrap_or_default();
        // Another service that nobody calls may stand before the very same pods.
        let theirs = self.topology.instances().filter(|(_, service, _)| self.topology.is_called(&service.name));
        let deployed = theirs.filter_map(|(id, _, instance)| Some((instance.at?, id)));
        let others = self.lives.former.clone().into_iter().chain(deployed).collect();
        Bindings { wires, others, ..bindings(seats, &self.tag) }
    }

    /// Configures the instances of the reserve, before anybody can call them: a callee must be ready for its callers before
    /// they know of it, and a seat that was used before still leads to its former workload.
    pub(crate) async fn prepare_reserve(&mut self) -> Result<(), EngineError> {
        if self.reserve.is_empty() {
            return Ok(());
        }
        let reserve = self.bound(&self.reserve);
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
        Ok(Some(confirmed.effect(applied.asked)))
    }

    /// Has exactly the armed faults on calls and tries in place, at every proxy that lives: one that has left its service
    /// must be rid of them too.
    pub(crate) async fn touch(&self) -> Result<Effect, EngineError> {
        let armed: BTreeSet<FaultId> = self.armed.iter().copied().collect();
        Ok(self.pool.mesh.arm(self.plan, &self.within_reach(), &armed, deadline::ARM.from_now()).await?)
    }

    /// Has every workload do what it should be doing now. One that stands still is told when it goes on.
    pub(crate) async fn behave(&mut self) -> Result<Effect, EngineError> {
        let asked = clock::now();
        let wanted = behaviours(&self.topology, &self.plan.faults, &self.armed);
        let changes: BTreeMap<InstanceId, Behaviour> = wanted
            .into_iter()
            .filter(|(id, behaviour)| self.behaviours.get(id) != Some(behaviour))
            .filter(|(id, _)| self.placed.get(id).and_then(|p| p.hosted.as_ref()).is_some_and(|hosted| hosted.runs()))
            .collect();
        let sets = self.placed.iter_mut().filter_map(|(id, placed)| {
            let behaviour = changes.get(id)?;
            Some(placed.hosted.as_mut()?.control.set(behaviour))
        });
        let stamps = within(deadline::BEHAVE, "workloads to change", try_join_all(sets)).await??;
        self.behaviours.extend(changes);
        let effective = stamps.into_iter().max().unwrap_or(asked);
        Ok(Effect::at(asked, effective))
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

    /// Ends what would outlive the scenario or keep its evidence from being read (faults on calls and tries, damaged wires, what
    /// stands still, a dead control plane) and confirms that it is gone; says what took effect by that. Workloads are told anew
    /// how to behave by whoever uses them next; seats with dead processes are thrown away.
    pub(crate) async fn end_faults(&mut self) -> Result<Vec<(Act, Effect)>, EngineError> {
        let mut effects = Vec::new();
        // One that fails keeps none of the others from ending.
        let mut ended = Vec::new();
        if !self.control_plane {
            let returned = self.return_control_plane().await;
            ended.push(returned.map(|returned| effects = self.waited(returned)));
        }
        let plan = self.plan;
        // Whoever tries once more, since this failed or was dropped, finds them here.
        self.ending.append(&mut self.armed);
        let armed: Vec<&Fault> = self.ending.iter().filter_map(|id| plan.fault(*id)).collect();
        let those =
            |is: fn(&FaultKind) -> bool| armed.iter().filter(move |fault| is(&fault.does)).map(|f| Act::End(f.id));
        let damage = || those(|does| matches!(does, FaultKind::Wire { .. } | FaultKind::Outage { .. }));
        let pauses = those(|does| matches!(does, FaultKind::Down { how: Down::Paused, .. }));
        let touches = || those(|does| matches!(does, FaultKind::Touch { .. }));
        // What was held until now goes on from here, and must not be taken for what the fault let pass.
        if damage().next().is_some() {
            let healed = self.damage().await;
            ended.push(healed.map(|healed| effects.extend(damage().map(|end| (end, healed)))));
            ended.push(self.rejoin_everybody().await.map(drop));
        }
        let asked = clock::now();
        ended.push(self.wake_everybody().await.map(drop));
        let awake = until_now(asked);
        effects.extend(pauses.map(|end| (end, awake)));
        if touches().next().is_some() {
            let untouched = self.touch().await;
            ended.push(untouched.map(|untouched| effects.extend(touches().map(|end| (end, untouched)))));
        }
        ended.into_iter().collect::<Result<(), EngineError>>()?;
        self.ending.clear();
        Ok(effects)
    }

    /// Gives the seats back, or throws them away where they cannot be trusted any more.
    pub(crate) async fn leave(mut self, fit: bool) {
        // The clusters that lead to what somebody else deployed are the same in every scenario, with what they have ejected.
        let topology = &self.topology;
        let calls_theirs = |id: &InstanceId| {
            topology
                .service(&id.service)
                .is_some_and(|s| s.calls.iter().any(|callee| topology.deployed(callee).is_some()))
        };
        let callers: Vec<InstanceId> = self.seats().map(|(id, _)| id).filter(|id| calls_theirs(id)).cloned().collect();
        self.spent.extend(callers);
        let clean = self.end_faults().await.is_ok();
        if let Some(links) = self.links.take() {
            links.end(self.pool).await;
        }
        for (id, seat) in std::mem::take(&mut self.placed).into_iter().chain(std::mem::take(&mut self.reserve)) {
            if fit && clean && !self.spent.contains(&id) {
                self.pool.give_back(seat);
            } else {
                self.pool.throw_away(seat).await;
            }
        }
    }

    /// What the instances of the topology as it is now need.
    fn wants_of(&self, ids: &[InstanceId]) -> Vec<Want> {
        wants(&self.topology).into_iter().filter(|want| ids.contains(&want.role.instance)).collect()
    }
}

/// What happened between a moment and now.
fn until_now(asked: Stamp) -> Effect {
    let now = clock::now();
    Effect::at(asked, now)
}
