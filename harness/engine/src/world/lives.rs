//! Which processes of a scenario lived how long: who ended, who had asked for it, whose lease ran out.

use super::World;
use crate::{events::Events, pool::Life};
use squall_evidence::{LifeEnd, Process};
use squall_mesh::{Mesh, MeshEvent};
use squall_model::{Body, Holder, InstanceId, RunOf, Stamp};
use squall_place::{Exited, Keeper, ProcessId};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// What is known of the processes of a scenario.
#[derive(Debug, Default)]
pub(crate) struct Lives {
    /// Whose each process is, or was.
    whose: BTreeMap<ProcessId, (InstanceId, Process, PathBuf)>,
    /// When each process that we ended was asked to end.
    pub(super) asked: BTreeMap<ProcessId, Stamp>,
    /// Addresses of proxies that have come back under another.
    pub(super) former: BTreeMap<SocketAddr, InstanceId>,
    /// Instances whose proxy has begun anew.
    pub(super) anew: BTreeSet<InstanceId>,
    /// Ends of processes of this scenario, and how many ends of the keeper's list have been looked at.
    ends: Vec<LifeEnd>,
    looked: usize,
    /// Whose leases ran out under us.
    lapses: Vec<Holder>,
}

impl Lives {
    /// Ends that lie in the past are none of this scenario's.
    pub(super) fn from_now(keeper: &Keeper) -> Lives {
        Lives { looked: keeper.ends().len(), ..Lives::default() }
    }
}

impl<M: Mesh> World<'_, M> {
    /// Notes whose process each is. An end may be told when another has taken its place already.
    pub(super) fn know_everybody(&mut self) {
        let mut whose = Vec::new();
        for (id, placed) in self.seats() {
            let own = self.pool.mesh.logs(placed.folder()).own;
            whose.push((placed.proxy.id, (id.clone(), Process::Proxy, own)));
            let workload = placed.hosted.as_ref();
            whose.extend(workload.map(|h| (h.process.id, (id.clone(), Process::Workload, h.log.clone()))));
        }
        whose.extend(self.links.as_ref().map(|links| links.whose()));
        self.lives.whose.extend(whose);
    }

    /// Looks whether any process of this run has ended, and tells of those that nobody had asked to.
    pub(crate) fn check_lives(&mut self, events: &Events, of: &RunOf) {
        let ends = self.pool.keeper.ends();
        let new: Vec<Exited> = ends.get(self.lives.looked..).unwrap_or_default().to_vec();
        self.lives.looked = ends.len();
        for end in new {
            let Some((instance, what, log)) = self.lives.whose.get(&end.id).cloned() else { continue };
            let asked = self.lives.asked.get(&end.id).copied().or(end.asked.then_some(end.at));
            if asked.is_none() {
                let body = Body::ProxyDied {
                    instance: instance.clone(),
                    what: what.to_string(),
                    how: end.how.to_string(),
                    log: last_lines(&log),
                };
                events.emit(Some(of), body);
                self.goes_on_without(&instance, what);
            }
            self.lives.ends.push(LifeEnd { instance, what, asked, at: end.at, how: end.how.to_string() });
        }
        self.check_leases(events, of);
    }

    /// Nobody waits for a process that died by itself: what the others wrote is still read, and says what the run was like.
    fn goes_on_without(&mut self, instance: &InstanceId, what: Process) {
        match what {
            Process::Proxy => drop(self.dead.insert(instance.clone())),
            Process::Workload => {
                let everybody = self.placed.get_mut(instance).into_iter().chain(self.reserve.get_mut(instance));
                everybody.filter_map(|placed| placed.hosted.as_mut()).for_each(|hosted| hosted.life = Life::Dead);
            }
            Process::Link => {}
        }
    }

    fn check_leases(&mut self, events: &Events, of: &RunOf) {
        for event in self.pool.mesh.events() {
            let MeshEvent::Lapsed { node, .. } = event else { continue };
            let instance = self.seats().find(|(_, placed)| placed.node == node).map(|(id, _)| id.clone());
            // A proxy that was killed or paused by us could not keep its lease.
            if let Some(instance) = instance.filter(|id| !self.spent.contains(id)) {
                self.lapse(Holder::Proxy(instance), events, of);
            }
        }
        if self.links.as_ref().is_some_and(|links| links.has_lapsed()) && !self.lives.lapses.contains(&Holder::Link) {
            self.lapse(Holder::Link, events, of);
        }
    }

    fn lapse(&mut self, holder: Holder, events: &Events, of: &RunOf) {
        self.lives.lapses.push(holder.clone());
        events.emit(Some(of), Body::Lapsed { holder });
    }

    /// Ends of processes of this run, as evidence has them.
    pub(crate) fn ends(&self) -> Vec<LifeEnd> {
        self.lives.ends.clone()
    }

    /// Whose leases ran out before their time.
    pub(crate) fn lapses(&self) -> Vec<Holder> {
        self.lives.lapses.clone()
    }

    /// True where no process died unasked and no lease ran out: the seats can be used again.
    pub(crate) fn is_healthy(&self) -> bool {
        self.lives.lapses.is_empty() && self.lives.ends.iter().all(|end| end.asked.is_some())
    }
}

/// The last lines of a log, for people.
fn last_lines(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines.iter().skip(lines.len().saturating_sub(5)).map(|line| (*line).to_owned()).collect()
}
