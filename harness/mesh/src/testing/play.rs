//! Plays a case on a ground, as the engine would.

use super::{Case, Expectation, Expected, Ground, Step};
use crate::{Bindings, Desired, Mesh, MeshError};
use squall_model::{
    Act, Damage, Effect, FaultId, FaultKind, InstanceId, Place, PolicyId, ServiceName, Topology, Wires,
};
use std::collections::BTreeSet;

/// Checks a case.
///
/// # Errors
/// What was otherwise than expected, in words.
pub async fn check<G: Ground>(ground: &mut G, case: &Case) -> Result<(), String> {
    let refusals = ground.mesh().refuses(&case.plan);
    match (&case.expected, refusals.first()) {
        (Expected::Refused, Some(reason)) if reason.0.trim().is_empty() => Err("it is refused without a reason".into()),
        (Expected::Refused, Some(_)) => Ok(()),
        (Expected::Refused, None) => Err("it is not refused".into()),
        (Expected::Steps(_), Some(reason)) => Err(format!("it is refused: {reason}")),
        (Expected::Steps(steps), None) => {
            let mut play = Play::begin(ground, case, steps).await.map_err(told("at the beginning"))?;
            for (number, step) in steps.iter().enumerate() {
                let place = format!("in step {}", number + 1);
                play.step(step).await.map_err(|why| format!("{place}: {why}"))?;
            }
            play.leave().await.map_err(told("at the end"))
        }
    }
}

/// For `map_err`: an error of the mesh, with what was done.
fn told(what: &'static str) -> impl Fn(MeshError) -> String {
    move |error| format!("{what}: {error}")
}

struct Play<'p, G> {
    ground: &'p mut G,
    case: &'p Case,
    topology: Topology,
    at: Bindings,
    in_effect: BTreeSet<PolicyId>,
    armed: BTreeSet<FaultId>,
    control_plane: bool,
}

impl<'p, G: Ground> Play<'p, G> {
    async fn begin(ground: &'p mut G, case: &'p Case, steps: &[Step]) -> Result<Play<'p, G>, MeshError> {
        let topology = case.plan.topology.clone();
        let at = ground.place(&topology).await;
        for (of, status, after) in &case.answers {
            of.instances(&topology).iter().for_each(|instance| ground.answer(instance, *status, *after));
        }
        let changed = |id: PolicyId| steps.iter().any(|step| step.acts.contains(&Act::Change(id)));
        let in_effect = case.plan.policies.iter().map(|p| p.id).filter(|id| !changed(*id)).collect();
        let mut play = Play { ground, case, topology, at, in_effect, armed: BTreeSet::new(), control_plane: true };
        play.configure().await?;
        Ok(play)
    }

    async fn step(&mut self, step: &Step) -> Result<(), String> {
        for act in &step.acts {
            if let Some(effect) = self.act(*act).await.map_err(told("an act"))? {
                in_order(&effect)?;
            }
        }
        for expectation in &step.calls {
            self.expect(expectation).await?;
        }
        Ok(())
    }

    /// Whatever is still in place is ended: another case may follow on the same proxies.
    async fn leave(mut self) -> Result<(), MeshError> {
        self.armed.clear();
        let by = self.ground.soon();
        self.ground.mesh().arm(&self.case.plan, &self.at, &self.armed, by).await.map(drop)
    }

    async fn act(&mut self, act: Act) -> Result<Option<Effect>, MeshError> {
        match act {
            Act::Arm(id) => return self.follow(id, true).await,
            Act::End(id) => return self.follow(id, false).await,
            Act::Change(id) => drop(self.in_effect.insert(id)),
            Act::Revert(id) => drop(self.in_effect.remove(&id)),
        }
        self.configure().await
    }

    async fn follow(&mut self, id: FaultId, here: bool) -> Result<Option<Effect>, MeshError> {
        let by = self.ground.soon();
        match self.case.plan.fault(id).map(|fault| &fault.does) {
            Some(FaultKind::Touch { .. }) => {
                if here {
                    self.armed.insert(id)
                } else {
                    self.armed.remove(&id)
                };
                self.ground.mesh().arm(&self.case.plan, &self.at, &self.armed, by).await.map(Some)
            }
            Some(FaultKind::ControlPlaneKilled) => {
                self.control_plane = !here;
                let mesh = self.ground.mesh();
                let effect =
                    if here { mesh.stop_control_plane().await } else { mesh.start_control_plane(&self.at, by).await };
                effect.map(Some)
            }
            Some(FaultKind::Wire { of: Wires::Of(place), damage: Damage::Cut }) => {
                let there = self.seats_in(place);
                let mesh = self.ground.mesh();
                let effect = if here { mesh.sever(&there).await } else { mesh.rejoin(&there, by).await };
                effect.map(Some)
            }
            Some(FaultKind::Resized { service, to }) => self.grow(service, *to as usize).await,
            _ => Err(MeshError::ControlPlane(format!("this contract has no way to do what fault {} does", id.0))),
        }
    }

    /// Those who lose their control plane when a site is cut off. The wires themselves are no business of a mesh.
    fn seats_in(&self, place: &Place) -> Bindings {
        let mut there = self.at.clone();
        there.seats.retain(|id, _| self.topology.place_of(id) == Some(place));
        there
    }

    /// New instances are configured before their callers know of them.
    async fn grow(&mut self, service: &ServiceName, to: usize) -> Result<Option<Effect>, MeshError> {
        let before: BTreeSet<String> = self.at.seats.values().map(|seat| seat.node.clone()).collect();
        if let Some(service) = self.topology.service_mut(service) {
            let like = service.instances.last().cloned().unwrap_or_default();
            service.instances.resize(to, like);
        }
        self.at = self.ground.place(&self.topology).await;
        let mut fresh = self.at.clone();
        fresh.seats.retain(|_, seat| !before.contains(&seat.node));
        self.bring_about(&fresh).await?;
        self.configure().await
    }

    async fn configure(&mut self) -> Result<Option<Effect>, MeshError> {
        self.bring_about(&self.at).await
    }

    /// Renders what is wanted, and has it in force at these seats; without a control plane it is wanted and no more.
    async fn bring_about(&self, at: &Bindings) -> Result<Option<Effect>, MeshError> {
        let (mesh, by) = (self.ground.mesh(), self.ground.soon());
        let policies = self.case.plan.policies.iter().filter(|p| self.in_effect.contains(&p.id)).map(|p| &p.says);
        let want = Desired { topology: &self.topology, policies: policies.collect(), faults: &self.case.plan.faults };
        let config = mesh.render(&want, &self.at)?;
        let applied = mesh.apply(&config, at, by).await?;
        if !self.control_plane {
            return Ok(None);
        }
        let confirmed = mesh.confirm(&applied, at, by).await?;
        let (acked, effective, last_old) = (confirmed.acked, confirmed.effective, confirmed.last_old);
        Ok(Some(Effect { asked: applied.asked, acked, effective, last_old }))
    }

    async fn expect(&mut self, expected: &Expectation) -> Result<(), String> {
        let call = &expected.call;
        let said = format!("a call from {} to \"{}\"{}", call.from, call.to, call.with);
        let mut reached = BTreeSet::new();
        for _ in 0..expected.times {
            let seen = self.ground.call(call).await;
            if let Some(status) = expected.status.filter(|status| *status != seen.status) {
                return Err(format!("{said} is answered with {} and not with {status}", seen.status));
            }
            if let Some(tries) = expected.tries.filter(|tries| *tries != seen.tries.len()) {
                return Err(format!("{said} is served {} times and not {tries}", seen.tries.len()));
            }
            if seen.took < expected.at_least {
                return Err(format!("{said} takes {:?} and not {:?} or more", seen.took, expected.at_least));
            }
            reached.extend(seen.tries);
        }
        let wanted = expected.reached.as_ref().map(|target| target.instances(&self.topology));
        match wanted.map(|wanted| wanted.into_iter().collect::<BTreeSet<_>>()) {
            Some(wanted) if wanted != reached => {
                Err(format!("{said} reaches {} and not {}", listed(&reached), listed(&wanted)))
            }
            _ => Ok(()),
        }
    }
}

/// What was asked for is acknowledged and then in force; and the old state is not seen after that.
fn in_order(effect: &Effect) -> Result<(), String> {
    let Effect { asked, acked, effective, last_old } = *effect;
    if asked <= acked && acked <= effective && last_old <= effective {
        Ok(())
    } else {
        Err(format!("its moments are in no order: {effect:?}"))
    }
}

fn listed(instances: &BTreeSet<InstanceId>) -> String {
    let names: Vec<String> = instances.iter().map(InstanceId::to_string).collect();
    if names.is_empty() { "nobody".into() } else { names.join(", ") }
}
