//! Processes that are killed, stopped, paused, started again: workload, proxy or both.
//!
//! A killed process comes back in the same place under another address, as anywhere; a paused one where it was. Callers learn
//! of the address by the control plane, and where a link carries the wire, by the link.

use super::{World, until_now};
use crate::{
    clock, deadline,
    error::EngineError,
    pool::{Life, Placed},
};
use futures_util::future::{join_all, try_join_all};
use squall_mesh::{Bindings, Mesh};
use squall_model::{Down, Effect, InstanceId, Part};
use squall_place::{PlaceError, ProcessHandle, Signal};
use std::net::SocketAddr;

impl<M: Mesh> World<'_, M> {
    /// Has processes go down, and says when the last of them was.
    pub(super) async fn take_down(
        &mut self,
        how: Down,
        part: Part,
        whom: Vec<InstanceId>,
    ) -> Result<Effect, EngineError> {
        let asked = clock::now();
        if how != Down::Paused && part.has_proxy() {
            // First of all: a link must not accept for somebody who does not.
            for id in &whom {
                self.lead_nowhere(id).await?;
            }
        }
        if how == Down::Stopped && part.has_proxy() {
            self.drain(&whom).await;
        }
        let processes = self.processes(part, &whom);
        for process in processes.iter().filter(|_| how != Down::Paused) {
            self.lives.asked.insert(process.id, asked);
        }
        match how {
            Down::Killed => drop(join_all(processes.iter().map(|process| self.pool.kill(process))).await),
            Down::Stopped => drop(join_all(processes.iter().map(|process| self.pool.stop(process))).await),
            Down::Paused => {
                let seats = self.seats_of(&whom);
                if !self.pool.mesh.pause(part, &seats, deadline::PAUSE.from_now()).await? {
                    let by = deadline::PAUSE.instant();
                    try_join_all(processes.iter().map(|process| self.pool.keeper.pause(process, by))).await?;
                }
            }
        }
        for id in whom {
            if part.has_workload()
                && let Some(hosted) = self.placed.get_mut(&id).and_then(|placed| placed.hosted.as_mut())
            {
                hosted.life = if how == Down::Paused { Life::StandsStill } else { Life::Dead };
            }
            if part.has_proxy() && self.placed.contains_key(&id) {
                if how == Down::Paused {
                    self.still.insert(id.clone())
                } else {
                    self.dead.insert(id.clone())
                };
            }
            self.spent.insert(id);
        }
        Ok(until_now(asked))
    }

    /// The opposite of [`take_down`](World::take_down). `None`: the control plane is away, and callers do not know yet.
    pub(super) async fn bring_up(
        &mut self,
        how: Down,
        part: Part,
        whom: Vec<InstanceId>,
    ) -> Result<Option<Effect>, EngineError> {
        match how {
            Down::Paused => self.wake(part, whom).await.map(Some),
            Down::Killed | Down::Stopped => self.revive(part, whom).await,
        }
    }

    /// Has processes end in order and start again at once.
    pub(super) async fn restart(&mut self, part: Part, whom: Vec<InstanceId>) -> Result<Option<Effect>, EngineError> {
        let down = self.take_down(Down::Stopped, part, whom.clone()).await?;
        let up = self.revive(part, whom).await?;
        Ok(up.map(|up| Effect { asked: down.asked, ..up }))
    }

    /// Whatever still stands still goes on: its logs are to be read, and it is to end in order.
    pub(super) async fn wake_everybody(&mut self) -> Result<(), EngineError> {
        let whom: Vec<InstanceId> = self.spent.iter().cloned().collect();
        // Nobody is disturbed by being told to go on who does.
        let _ = self.pool.mesh.resume(Part::Instance, &self.seats_of(&whom), deadline::PAUSE.from_now()).await;
        let asleep = self.processes(Part::Instance, &whom);
        // Who is dead cannot be told.
        for process in asleep {
            let _ = self.pool.keeper.signal(process.id, Signal::Resume).await;
        }
        self.placed.values_mut().chain(self.reserve.values_mut()).for_each(goes_on);
        if std::mem::take(&mut self.still).is_empty() {
            return Ok(());
        }
        self.configure().await.map(drop)
    }

    /// Paused processes go on: they answer, and have what they missed.
    async fn wake(&mut self, part: Part, whom: Vec<InstanceId>) -> Result<Effect, EngineError> {
        let asked = clock::now();
        let elsewhere = self.pool.mesh.resume(part, &self.seats_of(&whom), deadline::PAUSE.from_now()).await?;
        for process in self.processes(part, &whom).into_iter().filter(|_| !elsewhere) {
            match self.pool.keeper.signal(process.id, Signal::Resume).await {
                // Who died meanwhile does not wake.
                Ok(()) | Err(PlaceError::Exited { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        for id in &whom {
            if part.has_proxy() {
                self.still.remove(id);
            }
            if part.has_workload() {
                self.placed.get_mut(id).into_iter().for_each(goes_on);
                self.behaviours.remove(id);
            }
        }
        self.behave().await?;
        if part.has_proxy() {
            self.configure().await?;
            // Faults whose lease ran out while it stood still are given to it again.
            self.touch().await?;
        }
        Ok(until_now(asked))
    }

    /// New processes for the dead ones among these.
    async fn revive(&mut self, part: Part, whom: Vec<InstanceId>) -> Result<Option<Effect>, EngineError> {
        let pool = self.pool;
        let wants = self.wants_of(&whom);
        let dead = &self.dead;
        let again = self.placed.iter_mut().filter_map(|(id, placed)| {
            let want = wants.iter().find(|want| want.role.instance == *id)?;
            let has_proxy = part.has_proxy() && dead.contains(id);
            let has_workload = part.has_workload() && placed.hosted.as_ref().is_some_and(|h| h.life == Life::Dead);
            Some(async move {
                let former = if has_proxy { Some(pool.boot_again(placed).await?) } else { None };
                if has_workload {
                    placed.hosted = Some(pool.host(placed.folder(), want.role.clone()).await?);
                }
                Ok::<(InstanceId, Option<SocketAddr>), EngineError>((id.clone(), former))
            })
        });
        // Every one of them to its end, whatever becomes of the others: nothing that was started is to be lost.
        let (mut up, mut failure) = (Vec::new(), None);
        for outcome in join_all(again).await {
            match outcome {
                Ok(one) => up.push(one),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        for (id, former) in &up {
            if let Some(former) = former {
                self.lives.former.insert(*former, id.clone());
                self.lives.anew.insert(id.clone());
                self.dead.remove(id);
            }
            if part.has_workload() {
                self.behaviours.remove(id);
            }
        }
        self.know_everybody();
        if let Some(error) = failure {
            return Err(error);
        }
        self.behave().await?;
        let effect = self.configure().await?;
        // A link leads to them when they know their routes, as everybody else comes to know of them then.
        for (id, _) in &up {
            self.lead_back(id).await?;
        }
        let led = clock::now();
        let is_linked = self.links().is_some();
        Ok(effect.map(|effect| match is_linked {
            true => Effect { effective: effect.effective.max(led), last_old: effect.last_old.max(led), ..effect },
            false => effect,
        }))
    }

    /// Proxies that are to end in order first finish what they have.
    async fn drain(&self, whom: &[InstanceId]) {
        let living = self.living();
        let seats = whom.iter().filter_map(|id| living.seats.get_key_value(id));
        let by = deadline::STOP.from_now();
        // One that does not drain is ended all the same.
        join_all(seats.map(|(id, seat)| self.pool.mesh.drain(id, seat, by))).await;
    }

    /// Where these instances sit.
    fn seats_of(&self, whom: &[InstanceId]) -> Bindings {
        let mut at = self.all();
        at.seats.retain(|id, _| whom.contains(id));
        at
    }

    /// The processes of these instances that are meant.
    fn processes(&self, part: Part, whom: &[InstanceId]) -> Vec<ProcessHandle> {
        let of = |placed: &Placed| {
            let proxy = part.has_proxy().then(|| placed.proxy.clone());
            let workload = placed.hosted.as_ref().filter(|_| part.has_workload()).map(|hosted| hosted.process.clone());
            workload.into_iter().chain(proxy).collect::<Vec<_>>()
        };
        whom.iter().filter_map(|id| self.placed.get(id)).flat_map(of).collect()
    }
}

/// A workload that stood still does what it is told again.
fn goes_on(placed: &mut Placed) {
    if let Some(hosted) = placed.hosted.as_mut().filter(|hosted| hosted.life == Life::StandsStill) {
        hosted.life = Life::Runs;
    }
}
