//! What istiod is given, and the proof that every proxy has it.

use crate::{
    Istio,
    home::Home,
    render::{Config, cluster_of},
};
use futures_util::future::{join_all, try_join3};
use squall_mesh::{Bindings, Confirmed, Endpoint, MeshError, Seat};
use squall_mesh_proxy::{
    confirm::{Ask, Seen, before, listener, pause},
    gather, now, outbound_socket,
};
use squall_model::{InstanceId, Stamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::Duration,
};

/// How often proxies are asked whether a configuration has arrived: istiod takes a quarter of a second to look at its folder, and
/// a proxy that is asked more often than this costs more than the moment is worth.
pub(crate) const LOOK: Duration = Duration::from_millis(5);

/// What istiod was given.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// What it was given last.
    pub(crate) given: Option<Config>,
    pub(crate) generation: u64,
}

impl<H: Home> Istio<H> {
    /// Proves that what istiod was given last is in force at every proxy that can be told.
    pub(crate) async fn prove(&self, at: &Bindings, asked: Stamp, by: Stamp) -> Result<Confirmed, MeshError> {
        let Some(config) = self.state.borrow().given.clone() else {
            return Ok(Confirmed { acked: asked, effective: asked, last_old: asked });
        };
        let reached = at.seats.iter().filter(|(_, seat)| !self.home.is_severed(&seat.node));
        let all = join_all(reached.map(|(instance, seat)| self.holds(instance, seat, &config, by)));
        let seen = tokio::select! {
            all = all => match gather(all) {
                Err(MeshError::Lagging(lags)) => return Err(MeshError::Lagging(self.with_rejections(lags, at).await)),
                gathered => gathered?,
            },
            refused = self.home.refused() => return Err(refused),
            unable = self.home.admit(at) => return Err(unable),
        };
        // A proxy may answer by new routes and have rejected a cluster behind them.
        if let Some(refused) = self.home.complaint() {
            return Err(refused);
        }
        self.home.proved(at);
        let seen = Seen::of_all(seen, asked);
        Ok(Confirmed { acked: seen.acked, effective: seen.effective, last_old: seen.last_old.unwrap_or(asked) })
    }

    /// Proxies that lag, and which of all have rejected something: where nobody hears what istiod says of them, they say it themselves.
    async fn with_rejections(&self, mut lags: Vec<String>, at: &Bindings) -> Vec<String> {
        for (instance, seat) in &at.seats {
            let Ok(admin) = self.proxies.admin(instance, seat) else { continue };
            match admin.rejections().await {
                Ok(0) | Err(_) => {}
                Ok(times) => lags.push(format!("{instance} has rejected {times} of istiod's updates since it began")),
            }
        }
        lags
    }

    /// Who of these is no proxy with listeners yet, where others have them already: nobody is to find them before that.
    pub(crate) fn newcomers(&self, config: &Config, at: &Bindings) -> BTreeSet<InstanceId> {
        let here: BTreeSet<&str> = at.seats.values().map(|seat| seat.node.as_str()).collect();
        if config.hosts.keys().all(|node| here.contains(node.as_str())) {
            return BTreeSet::new();
        }
        let unborn = at.seats.iter().filter(|(_, seat)| !self.home.listens(seat));
        unborn.map(|(id, _)| id.clone()).collect()
    }

    /// Both listeners of a proxy answer by the configuration, and its clusters have the hosts of it.
    async fn holds(&self, instance: &InstanceId, seat: &Seat, config: &Config, by: Stamp) -> Result<Seen, MeshError> {
        let (outbound, inbound) = (Endpoint::Unix(outbound_socket(&seat.folder)), Endpoint::Tcp(seat.inbound));
        let ask = |wanted| Ask { path: "/version", wanted, every: LOOK };
        let (out, inn, ()) = try_join3(
            listener(instance, &outbound, ask(&config.version), by),
            listener(instance, &inbound, ask(&config.inbound), by),
            self.has_hosts(instance, seat, config, by),
        )
        .await?;
        // Listeners are made once: what tells is the routes, which come last.
        Ok(Seen { last_old: out.last_old, ..out.and(inn) })
    }

    /// Its clusters are those of the configuration, warm, with its hosts: routes do not wait for the clusters that they lead to.
    async fn has_hosts(&self, instance: &InstanceId, seat: &Seat, config: &Config, by: Stamp) -> Result<(), MeshError> {
        let admin = self.proxies.admin(instance, seat)?;
        loop {
            let (held, warming) =
                before(by, instance, async { Ok((admin.hosts().await?, admin.warming().await?)) }).await?;
            let lacks = match warming.first() {
                Some(cluster) => Some(format!("is warming {cluster}")),
                None => lacks(config, seat, &held),
            };
            let Some(lacks) = lacks else { return Ok(()) };
            if now() + 2 * LOOK >= by {
                return Err(MeshError::Lagging(vec![format!("{instance} {lacks}")]));
            }
            pause(LOOK).await;
        }
    }
}

/// What a proxy with these clusters does not have of a configuration.
fn lacks(config: &Config, seat: &Seat, held: &BTreeMap<String, BTreeSet<SocketAddr>>) -> Option<String> {
    let clusters: BTreeMap<(&str, &str), &BTreeSet<SocketAddr>> =
        held.iter().filter_map(|(name, hosts)| cluster_of(name).map(|c| ((c.subset, c.service), hosts))).collect();
    let wanted = config.hosts.get(&seat.node).into_iter().flatten();
    let hosts = wanted
        .filter(|(service, hosts)| clusters.get(&("", service.as_str())) != Some(hosts))
        .map(|(service, hosts)| format!("does not have the {} hosts of \"{service}\"", hosts.len()));
    let subsets = config.subsets.get(&seat.node).into_iter().flatten();
    let subsets = subsets
        .filter(|(subset, service)| !clusters.contains_key(&(subset.as_str(), service.as_str())))
        .map(|(subset, service)| format!("does not have {subset} of \"{service}\""));
    hosts.chain(subsets).next()
}
