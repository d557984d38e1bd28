//! The ground of the fake: its instances are entries in a map.

use super::{Call, Fake, Ground, Seen, Trouble, plane};
use crate::{Bindings, Seat};
use squall_model::{InstanceId, Stamp, Topology};
use std::{net::SocketAddr, path::PathBuf, time::Duration};

/// Proxies in memory have no address.
pub(super) fn nowhere() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

impl Ground for Fake {
    type Mesh = Fake;

    fn mesh(&self) -> &Fake {
        self
    }

    fn soon(&self) -> Stamp {
        Stamp(u64::MAX)
    }

    fn shortly(&self) -> Stamp {
        Stamp(u64::MAX)
    }

    async fn place(&mut self, topology: &Topology) -> Bindings {
        let state = self.state.get_mut();
        let mut at = Bindings { tag: "c1".into(), ..Bindings::default() };
        for (id, ..) in topology.instances() {
            let node = format!("p-{id}");
            state.proxies.entry(node.clone()).or_default().instance = Some(id.clone());
            state.workloads.entry(id.clone()).or_insert((200, Duration::ZERO));
            state.seats.insert(id.clone(), node.clone());
            let seat = Seat { node, folder: PathBuf::new(), inbound: nowhere(), workload: None };
            at.seats.insert(id, seat);
        }
        at
    }

    fn answer(&mut self, instance: &InstanceId, status: u16, after: Duration) {
        self.state.get_mut().workloads.insert(instance.clone(), (status, after));
    }

    async fn call(&mut self, call: &Call) -> Seen {
        plane::call(self.state.get_mut(), call)
    }

    async fn bring(&mut self, instance: &InstanceId, trouble: Trouble) -> bool {
        self.set(instance, Some(trouble))
    }

    async fn relieve(&mut self, instance: &InstanceId) {
        self.set(instance, None);
    }
}

impl Fake {
    fn set(&mut self, instance: &InstanceId, trouble: Option<Trouble>) -> bool {
        let state = self.state.get_mut();
        let node = state.seats.get(instance).cloned();
        let proxy = node.and_then(|node| state.proxies.get_mut(&node));
        proxy.map(|proxy| proxy.trouble = trouble).is_some()
    }
}
