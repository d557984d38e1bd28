//! Instances that somebody else deployed: where they are, and others in their places.

use super::World;
use crate::{clock, deadline, error::EngineError};
use squall_evidence::{LifeEnd, Process};
use squall_mesh::{Leaving, Mesh, MeshError, Replaced};
use squall_model::{Effect, InstanceId, Target};
use std::net::SocketAddr;

impl<M: Mesh> World<'_, M> {
    /// Notes where they are by now: an earlier scenario may have had others come in their places.
    pub(super) fn find_theirs(&mut self) {
        for service in self.topology.services.iter_mut().filter(|service| service.deployed.is_some()) {
            for at in service.instances.iter_mut().filter_map(|instance| instance.at.as_mut()) {
                *at = self.pool.mesh.found(*at);
            }
        }
    }

    /// Whether these are somebody else's.
    pub(super) fn is_theirs(&self, target: &Target) -> bool {
        self.topology.deployed(&target.service).is_some()
    }

    /// Has instances of one service end in order, and others be ready in their places, which have their numbers from then on.
    pub(super) async fn replace(&mut self, whom: Vec<InstanceId>) -> Result<Effect, EngineError> {
        let asked = clock::now();
        let (whom, all): (Vec<InstanceId>, Vec<SocketAddr>) =
            whom.into_iter().filter_map(|id| Some((id.clone(), self.topology.instance(&id)?.at?))).unzip();
        let Some(service) = whom.first().and_then(|id| self.topology.service(&id.service)) else {
            return Ok(super::until_now(asked));
        };
        let Some(of) = &service.deployed else { return Ok(super::until_now(asked)) };
        // Limits count by those that the service had when the run began.
        let leaving = Leaving { of, all: &all, least: service.instances.len() };
        let replaced = self.pool.mesh.replace(leaving, deadline::REPLACE.from_now()).await?;
        let (mut gone, mut ready) = (asked, asked);
        for ((id, former), other) in whom.into_iter().zip(all).zip(replaced) {
            self.refuse_known(&id, other.at)?;
            (gone, ready) = (gone.max(other.gone), ready.max(other.ready));
            self.take_place(&id, former, &other);
        }
        Ok(Effect { asked, acked: gone, effective: gone.max(ready), last_old: gone })
    }

    /// An address that another has had in this scenario would be taken for that one's in whatever is read of it.
    fn refuse_known(&self, id: &InstanceId, at: SocketAddr) -> Result<(), EngineError> {
        match self.addresses().at(at).filter(|other| *other != id) {
            Some(other) => Err(EngineError::Mesh(MeshError::Lagging(vec![format!(
                "{id} is where {other} was ({at}), so nobody could tell them apart"
            )]))),
            None => Ok(()),
        }
    }

    /// One in the place of another, for every service that stands before it. Nobody sees the processes of either but the cluster: both of them
    /// went with the pod.
    fn take_place(&mut self, id: &InstanceId, former: SocketAddr, other: &Replaced) {
        self.lives.replaced.push(format!("the pod of {id} {}", other.how));
        let behind = self.topology.instances().filter_map(|(id, service, instance)| {
            service.deployed.as_ref()?;
            Some((id, instance.at.filter(|at| at.ip() == former.ip())?))
        });
        for (id, at) in behind.collect::<Vec<_>>() {
            let end = |what| LifeEnd {
                instance: id.clone(),
                what,
                asked: Some(other.asked),
                at: other.gone,
                how: other.how.clone(),
            };
            self.lives.ended_elsewhere([Process::Proxy, Process::Workload].map(end));
            if let Some(instance) = self.topology.instance_mut(&id) {
                instance.at = Some(SocketAddr::new(other.at.ip(), at.port()));
            }
            if self.topology.is_called(&id.service) {
                self.lives.former.insert(at, id);
            }
        }
    }

    /// Who came in whose place since the last call, for people.
    pub(crate) fn who_came(&mut self) -> Option<String> {
        let all = std::mem::take(&mut self.lives.replaced);
        (!all.is_empty()).then(|| all.join("; "))
    }
}
