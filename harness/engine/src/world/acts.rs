//! What a cue does: the set of what is in place changes, and what follows from that is brought about.

use super::{World, until_now};
use crate::{clock, deadline, error::EngineError};
use squall_mesh::Mesh;
use squall_model::{Act, ControlRecord, Effect, FaultId, FaultKind, Members, Stamp};

impl<M: Mesh> World<'_, M> {
    /// Does what a cue says, and says what took effect by it and when: nothing, if the control plane would have to be there;
    /// whatever waited for it, if it is back. It is asked for from the moment at which it was due.
    pub(crate) async fn enact(&mut self, act: Act, due: Stamp) -> Result<Vec<(Act, Effect)>, EngineError> {
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
            self.waiting.push((act, due));
            return Ok(Vec::new());
        };
        let effect = Effect { asked: effect.asked.min(due), ..effect };
        Ok(std::iter::once((act, effect)).chain(self.waited(effect)).collect())
    }

    /// What waited for the control plane, and took effect with its return.
    pub(super) fn waited(&mut self, returned: Effect) -> Vec<(Act, Effect)> {
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
            FaultKind::Touch { .. } => self.touch().await.map(Some),
            FaultKind::Answers { .. } => self.behave().await.map(Some),
            FaultKind::Down { how, part, of } if here => {
                let whom = of.instances(&self.topology);
                self.down.insert(id, whom.clone());
                self.take_down(*how, *part, whom).await.map(Some)
            }
            FaultKind::Down { how, part, .. } => {
                // Those that went: whoever has come since then was never down.
                let whom = self.down.remove(&id).unwrap_or_default();
                self.bring_up(*how, *part, whom).await
            }
            FaultKind::Restarted { of: Members::Of(target), .. } if here && self.is_theirs(target) => {
                self.replace(target.instances(&self.topology)).await.map(Some)
            }
            FaultKind::Restarted { part, of } if here => self.restart(*part, of.instances(&self.topology)).await,
            FaultKind::Restarted { .. } => Ok(Some(until_now(clock::now()))),
            FaultKind::Wire { .. } | FaultKind::Outage { .. } => match fault.does.site_cut_off() {
                Some(site) => {
                    let inside = Members::In(site.clone()).instances(&self.topology);
                    self.cut_off(inside, here).await.map(Some)
                }
                None => self.damage().await.map(Some),
            },
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

    pub(super) async fn return_control_plane(&mut self) -> Result<Effect, EngineError> {
        let by = deadline::CONTROL_PLANE.from_now();
        let at = self.living();
        // The last moment to see that it was away. Whatever they say, it has to come back.
        let (asked, said) = (clock::now(), self.pool.mesh.connected(&at, by).await);
        let effect = self.pool.mesh.start_control_plane(&at, by).await?;
        self.control_plane = true;
        let record = |(proxy, connected)| ControlRecord { proxy, at: asked, connected };
        self.control.extend(said?.into_iter().map(record));
        Ok(effect)
    }
}
