//! Which processes of a scenario lived how long: who ended, who had asked for it, whose lease ran out.

use super::World;
use crate::{
    events::Events,
    pool::{Life, Placed},
};
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
    /// Who came in the place of whom, for people.
    pub(super) replaced: Vec<String>,
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

    /// Notes ends that the keeper knows nothing of.
    pub(super) fn ended_elsewhere(&mut self, ends: impl IntoIterator<Item = LifeEnd>) {
        self.ends.extend(ends);
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
            let (MeshEvent::Lapsed { node, .. } | MeshEvent::Woke { node, .. } | MeshEvent::Rejected { node, .. }) =
                &event;
            let whose = self.seats().find(|(_, placed)| placed.node == *node);
            if let Some(holder) = whose.and_then(|(id, placed)| ran_out(&event, id, self.past(id, placed))) {
                self.lapse(holder, events, of);
            }
        }
        if self.links.as_ref().is_some_and(|links| links.has_lapsed()) && !self.lives.lapses.contains(&Holder::Link) {
            self.lapse(Holder::Link, events, of);
        }
    }

    fn past(&self, id: &InstanceId, placed: &Placed) -> Past {
        Past {
            touched: self.spent.contains(id),
            proxy_ended: self.dead.contains(id),
            workload_ended: placed.hosted.as_ref().is_some_and(|hosted| hosted.life == Life::Dead),
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

/// What became of an instance before its mesh noticed something of it.
#[derive(Debug, Clone, Copy, Default)]
struct Past {
    /// A process of it was killed, paused or started again by us.
    touched: bool,
    /// Its proxy has ended, whoever ended it.
    proxy_ended: bool,
    /// The same of its workload.
    workload_ended: bool,
}

/// Whose lease ran out under us by what a mesh noticed of this instance.
fn ran_out(event: &MeshEvent, instance: &InstanceId, past: Past) -> Option<Holder> {
    match event {
        // A proxy that was killed or paused by us could not keep its lease.
        MeshEvent::Lapsed { .. } => (!past.touched).then(|| Holder::Proxy(instance.clone())),
        // What ended is told as that, if nobody had asked.
        MeshEvent::Woke { part, why, .. } => {
            let ended = part.has_proxy() && past.proxy_ended || part.has_workload() && past.workload_ended;
            (!ended).then(|| Holder::Agent { instance: instance.clone(), why: why.clone() })
        }
        MeshEvent::Rejected { .. } => None,
    }
}

/// The last lines of a log, for people.
fn last_lines(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines.iter().skip(lines.len().saturating_sub(5)).map(|line| (*line).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_model::Part;

    #[test]
    fn a_pause_that_ended_early_is_told_though_the_instance_was_touched_by_us() {
        let reviews = InstanceId { service: "reviews".into(), number: 2 };
        let (node, at) = ("p1".to_owned(), Stamp(1));
        let dropped = MeshEvent::Lapsed { node: node.clone(), at };
        let woke =
            |part| MeshEvent::Woke { node: node.clone(), part, at, why: "over after 1 s: no sign of life".into() };
        let of = |event: &MeshEvent, past: Past| ran_out(event, &reviews, past).map(|holder| holder.to_string());
        let paused = Past { touched: true, ..Past::default() };
        assert_eq!(of(&dropped, Past::default()).unwrap(), "the lease of the faults at reviews-2");
        assert_eq!(of(&dropped, paused), None, "it stood still, and could not keep it");
        assert_eq!(
            of(&woke(Part::Proxy), paused).unwrap(),
            "the lease of the pause of reviews-2 (over after 1 s: no sign of life)"
        );
        let dead = |part: Part| Past { proxy_ended: part.has_proxy(), workload_ended: part.has_workload(), ..paused };
        for (part, ended, is_told) in [
            (Part::Proxy, Part::Proxy, false),
            (Part::Proxy, Part::Workload, true),
            (Part::Workload, Part::Workload, false),
            (Part::Workload, Part::Proxy, true),
            (Part::Instance, Part::Workload, false),
        ] {
            assert_eq!(of(&woke(part), dead(ended)).is_some(), is_told, "{part:?}, {ended:?}");
        }
    }
}
