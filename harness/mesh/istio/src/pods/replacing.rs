//! Instances of an application end in order, and their owners start others: the one edit that is made of what is theirs.
//!
//! A pod is evicted, as `kubectl drain` does it: in the time that its owners give it, and not where a PodDisruptionBudget of theirs keeps it. There is
//! nothing to be taken back: its controller (a ReplicaSet, a StatefulSet, a DaemonSet) starts another whether we live or not.

use super::Pods;
use serde_json::Value;
use squall_mesh::{Leaving, MeshError, Replaced};
use squall_mesh_proxy::{confirm::pause, now};
use squall_model::Stamp;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// How often the pods are looked at meanwhile.
const LOOK: Duration = Duration::from_millis(250);

/// Where pods are that came in the place of others.
#[derive(Debug, Clone, Default)]
pub(super) struct Moves {
    /// By the address at which their first one was deployed. Addresses are used again: one that was somebody's may be another's by now.
    now: BTreeMap<IpAddr, IpAddr>,
}

impl Moves {
    pub(super) fn found(&self, deployed: SocketAddr) -> SocketAddr {
        let ip = deployed.ip();
        SocketAddr::new(self.now.get(&ip).copied().unwrap_or(ip), deployed.port())
    }

    /// After these have moved, all from where they are now: one may be where another was.
    fn after(&self, moves: impl Iterator<Item = (IpAddr, IpAddr)>) -> Moves {
        let first = |from: IpAddr| self.now.iter().find(|(_, at)| **at == from).map_or(from, |(first, _)| *first);
        let mut now = self.now.clone();
        now.extend(moves.map(|(from, to)| (first(from), to)));
        Moves { now }
    }
}

/// A pod, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pod {
    name: String,
    uid: String,
    /// Whose it is.
    owner: Option<String>,
    /// Where it is, once that is known.
    ip: Option<IpAddr>,
    /// It takes calls.
    ready: bool,
    /// It was told to end, or has ended: its address may be another's by now.
    ends: bool,
}

impl Pod {
    fn of(object: &Value) -> Pod {
        let (metadata, status) = (&object["metadata"], &object["status"]);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let all = |list: &Value| list.as_array().cloned().unwrap_or_default();
        let owner = starter_of(object);
        let is_ready = |one: &Value| one["type"] == "Ready" && one["status"] == "True";
        Pod {
            name: text(&metadata["name"]),
            uid: text(&metadata["uid"]),
            owner: owner.map(|owner| text(&owner["uid"])),
            ip: status["podIP"].as_str().and_then(|ip| ip.parse().ok()),
            ready: all(&status["conditions"]).iter().any(is_ready),
            ends: !metadata["deletionTimestamp"].is_null()
                || matches!(status["phase"].as_str(), Some("Succeeded" | "Failed")),
        }
    }
}

/// Whoever starts another pod when this one ends, for as long as it is wanted. A Job counts it as failed, perhaps for good, and the kubelet
/// alone knows when it starts a static one.
#[must_use]
pub fn starter_of(pod: &Value) -> Option<&Value> {
    let starts = |owner: &&Value| {
        let [api, kind] = ["apiVersion", "kind"].map(|key| owner[key].as_str().unwrap_or_default());
        let lasting = match kind {
            "ReplicaSet" | "StatefulSet" | "DaemonSet" => api.starts_with("apps/"),
            "ReplicationController" => api == "v1",
            _ => false,
        };
        lasting && owner["controller"] == true
    };
    pod["metadata"]["ownerReferences"].as_array()?.iter().find(starts)
}

/// One that goes, and what is known of the one that comes.
#[derive(Debug)]
struct Place {
    at: SocketAddr,
    former: Pod,
    asked: Stamp,
    gone: Option<Stamp>,
    next: Option<Pod>,
    ready: Option<Stamp>,
}

impl Place {
    /// What a look at the pods says of it, among whom some are taken by other places.
    fn look(&mut self, pods: &[Pod], before: &BTreeSet<String>, taken: &mut BTreeSet<String>, seen: Stamp) {
        if pods.iter().all(|pod| pod.uid != self.former.uid) {
            self.gone.get_or_insert(seen);
        }
        // One that did not come to be ready is replaced by its owner, too.
        let next = self.next.as_ref().and_then(|next| pods.iter().find(|pod| pod.uid == next.uid && !pod.ends));
        let is_new = |pod: &&Pod| {
            pod.owner == self.former.owner && !pod.ends && !before.contains(&pod.uid) && !taken.contains(&pod.uid)
        };
        self.next = next.or_else(|| pods.iter().find(is_new)).cloned();
        taken.extend(self.next.iter().map(|next| next.uid.clone()));
        match self.next.as_ref().is_some_and(|next| next.ready && next.ip.is_some()) {
            true => drop(self.ready.get_or_insert(seen)),
            false => self.ready = None,
        }
    }

    /// From where to where, as soon as that is known.
    fn moves(&self) -> Option<(IpAddr, IpAddr)> {
        Some((self.at.ip(), self.next.as_ref()?.ip?))
    }

    fn replaced(&self) -> Option<Replaced> {
        let (next, gone, ready) = (self.next.as_ref()?, self.gone?, self.ready?);
        let how = format!("was evicted ({}), and {} came", self.former.name, next.name);
        Some(Replaced { asked: self.asked, gone, ready, at: SocketAddr::new(next.ip?, self.at.port()), how })
    }

    /// What it waits for.
    fn lacks(&self) -> String {
        let what = match (&self.gone, &self.next) {
            (None, _) => "it has not ended, in the time that its owners give it".to_owned(),
            (_, None) => "nobody has started another".to_owned(),
            (_, Some(next)) => format!("{}, which came for it, is not ready", next.name),
        };
        format!("pod {} of {}: {what}", self.former.name, self.at.ip())
    }
}

impl Pods {
    pub(super) async fn replace_pods(
        &self,
        Leaving { of, all, least }: Leaving<'_>,
        by: Stamp,
    ) -> Result<Vec<Replaced>, MeshError> {
        let labels = of.restarted.clone().unwrap_or_default();
        let look = || self.insist(by, || self.keep.pods(&of.namespace, &labels));
        let objects = look().await?;
        let before: BTreeSet<String> = objects.iter().map(|object| Pod::of(object).uid).collect();
        let meant = all.iter().map(|at| meant(&objects, *at)).collect::<Result<Vec<_>, _>>()?;
        enough(&objects, least)?;
        let (mut places, mut kept) = (Vec::new(), None);
        for (at, (object, former)) in all.iter().zip(meant) {
            let asked = now();
            if let Err(why) = self.insist(by, || self.keep.evict(object.clone())).await {
                kept = Some(match why {
                    // The API server answers for whoever keeps it.
                    MeshError::ControlPlane(why) => why,
                    why => why.to_string(),
                });
                break;
            }
            places.push(Place { at: *at, former, asked, gone: None, next: None, ready: None });
        }
        // Those that went before one was kept are followed all the same: whoever runs next has to find who came.
        if let (Some(why), true) = (&kept, places.is_empty()) {
            return Err(MeshError::Spared(format!("{why}: nothing was ended")));
        }
        let known = self.port.as_ref().map(|port| (port, port.whereabouts()));
        let moves = self.state.borrow().moves.clone();
        loop {
            let pods = look().await?;
            let (pods, seen): (Vec<Pod>, Stamp) = (pods.iter().map(Pod::of).collect(), now());
            let mut taken: BTreeSet<String> =
                places.iter().filter_map(|p| Some(p.next.as_ref()?.uid.clone())).collect();
            places.iter_mut().for_each(|place| place.look(&pods, &before, &mut taken, seen));
            // Its proxy may ask about tries before anybody else says that it is ready.
            if let Some((port, was)) = &known {
                places.iter().filter_map(Place::moves).for_each(|(from, to)| port.moved(was, from, to));
            }
            // Those that came, even where others do not.
            let ready = places.iter().filter(|place| place.ready.is_some()).filter_map(Place::moves);
            self.state.borrow_mut().moves = moves.after(ready);
            if let Some(replaced) = places.iter().map(Place::replaced).collect::<Option<Vec<Replaced>>>() {
                return match kept {
                    None => Ok(replaced),
                    Some(why) => Err(half_done(&why, &replaced)),
                };
            }
            if seen > by {
                let late = places.iter().filter(|place| place.replaced().is_none());
                return Err(MeshError::Lagging(kept.into_iter().chain(late.map(Place::lacks)).collect()));
            }
            pause(LOOK).await;
        }
    }
}

/// Why one was kept, and who went before it.
fn half_done(why: &str, replaced: &[Replaced]) -> MeshError {
    let went: Vec<String> = replaced.iter().map(|one| format!("a pod {}", one.how)).collect();
    MeshError::Spared(format!("{why}; before that {}", went.join(", ")))
}

/// Nobody is ended where others are missing already: whoever scales down, rolls out or restarts meanwhile takes away as well, and what was
/// allowed is a share of all.
fn enough(pods: &[Value], least: usize) -> Result<(), MeshError> {
    let ready = pods.iter().map(Pod::of).filter(|pod| pod.ready && !pod.ends).count();
    let why = || format!("{ready} of {least} pods of the service are ready: nothing was ended");
    if ready < least { Err(MeshError::Spared(why())) } else { Ok(()) }
}

/// The one pod at an address: it alone is ended.
fn meant(pods: &[Value], at: SocketAddr) -> Result<(&Value, Pod), MeshError> {
    let here = pods.iter().map(|object| (object, Pod::of(object)));
    let here: Vec<_> = here.filter(|(_, pod)| pod.ip == Some(at.ip()) && !pod.ends && pod.owner.is_some()).collect();
    let found = here.len();
    let one: Result<[_; 1], _> = here.try_into();
    one.map(|[one]| one).map_err(|_| {
        let how_many = if found == 0 { "no pod" } else { "more than one pod" };
        MeshError::Spared(format!("{how_many} of the service with an owner is at {}: nothing was ended", at.ip()))
    })
}

#[cfg(test)]
mod tests;
