//! What istiod is given, and the proof that every proxy has it.

use crate::{
    Istio,
    home::Home,
    render::{Config, Proofs, cluster_of},
};
use futures_util::future::{join_all, try_join4};
use serde_json::Value;
use squall_mesh::{Bindings, Confirmed, Endpoint, MeshError, Seat};
use squall_mesh_proxy::{
    admin::AdminError,
    confirm::{Ask, Seen, before, listener, pause},
    gather, now, outbound_socket,
};
use squall_model::{InstanceId, ServiceName, Stamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::Duration,
};

/// How often proxies are asked whether a configuration has arrived: istiod takes a quarter of a second to look at its folder, and
/// a proxy that is asked more often than this costs more than the moment is worth.
pub(crate) const LOOK: Duration = Duration::from_millis(5);

/// How often a proxy is asked for all of its routes and clusters: that is more than a probe.
const SHOWN: Duration = Duration::from_millis(20);

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
                Err(MeshError::Lagging(lags)) => return Err(MeshError::Lagging(self.with_reasons(lags, at).await)),
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
    /// What istiod was not reached for, no proxy can say.
    pub(crate) async fn with_reasons(&self, mut lags: Vec<String>, at: &Bindings) -> Vec<String> {
        for (instance, seat) in &at.seats {
            let Ok(admin) = self.proxies.admin(instance, seat) else { continue };
            match admin.rejections().await {
                Ok(0) | Err(_) => {}
                Ok(times) => lags.push(format!("{instance} has rejected {times} of istiod's updates since it began")),
            }
        }
        lags.extend(self.home.unreached());
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
        let (out, inn, (), ()) = try_join4(
            listener(instance, &outbound, ask(&config.version), by),
            listener(instance, &inbound, ask(&config.inbound), by),
            self.has_hosts(instance, seat, config, by),
            self.shows(instance, seat, config, by),
        )
        .await?;
        // Listeners are made once: what tells is the routes, which come last.
        Ok(Seen { last_old: out.last_old, ..out.and(inn) })
    }

    /// Its routes and clusters are made of the objects that are wanted.
    async fn shows(&self, instance: &InstanceId, seat: &Seat, config: &Config, by: Stamp) -> Result<(), MeshError> {
        let Some(proofs) = config.proofs.get(&seat.node) else { return Ok(()) };
        let admin = self.proxies.admin(instance, seat)?;
        let lacks = async || {
            let (routes, clusters) = (admin.route_names().await?, admin.cluster_metadata("istio").await?);
            Ok(unproved(proofs, &routes, &clusters))
        };
        until_it_lacks_nothing(instance, lacks, SHOWN, by).await
    }

    /// Its clusters are those of the configuration, warm, with its hosts: routes do not wait for the clusters that they lead to.
    async fn has_hosts(&self, instance: &InstanceId, seat: &Seat, config: &Config, by: Stamp) -> Result<(), MeshError> {
        let admin = self.proxies.admin(instance, seat)?;
        let lacks = async || {
            let (held, warming) = (admin.hosts().await?, admin.warming().await?);
            Ok(match warming.first() {
                Some(cluster) => Some(format!("is warming {cluster}")),
                None => lacks(config, seat, &held),
            })
        };
        until_it_lacks_nothing(instance, lacks, LOOK, by).await
    }
}

/// Asks a proxy what it lacks, so often, until that is nothing.
async fn until_it_lacks_nothing(
    instance: &InstanceId,
    lacks: impl AsyncFn() -> Result<Option<String>, AdminError>,
    every: Duration,
    by: Stamp,
) -> Result<(), MeshError> {
    while let Some(lacks) = before(by, instance, lacks()).await? {
        if now() + 2 * every >= by {
            return Err(MeshError::Lagging(vec![format!("{instance} {lacks}")]));
        }
        pause(every).await;
    }
    Ok(())
}

/// The object that a cluster is made by, as Istio writes it into its metadata: `…/destination-rule/web.to.reviews.0a1b2c3d`.
fn rule_of(metadata: &Value) -> Option<&str> {
    metadata["config"].as_str()?.split_once("/destination-rule/").map(|(_, name)| name)
}

/// What a proxy does not show, whose virtual hosts have routes of these names and whose clusters say this of themselves.
fn unproved(
    proofs: &Proofs,
    routes: &BTreeMap<String, BTreeSet<String>>,
    clusters: &BTreeMap<String, Value>,
) -> Option<String> {
    let is_only = |names: &BTreeSet<String>, name: &str| names.len() == 1 && names.contains(name);
    let route = proofs
        .routes
        .iter()
        .find(|(host, name)| !routes.get(*host).is_some_and(|names| is_only(names, name)))
        .map(|(host, _)| format!("does not have the routes of {host} yet"));
    let rules = || {
        let rules: BTreeSet<(&str, Option<&str>)> =
            clusters.iter().filter_map(|(name, said)| Some((cluster_of(name)?.service, rule_of(said)))).collect();
        let is_other = |service: &ServiceName, name: &str| {
            let mut own = rules.iter().filter(|(of, _)| *of == service.as_str()).peekable();
            own.peek().is_none() || own.any(|(_, rule)| *rule != Some(name))
        };
        let lacking = proofs.rules.iter().find(|(service, name)| is_other(service, name));
        lacking.map(|(service, name)| format!("does not have {name}, the rule of \"{service}\", yet"))
    };
    route.or_else(rules)
}

/// What a proxy with these clusters does not have of a configuration.
fn lacks(config: &Config, seat: &Seat, held: &BTreeMap<String, BTreeSet<SocketAddr>>) -> Option<String> {
    // What somebody else deployed has a cluster for each of its ports.
    let mut clusters: BTreeMap<(&str, &str), Vec<&BTreeSet<SocketAddr>>> = BTreeMap::new();
    for (name, hosts) in held {
        if let Some(cluster) = cluster_of(name) {
            clusters.entry((cluster.subset, cluster.service)).or_default().push(hosts);
        }
    }
    let has = |service: &str, hosts| clusters.get(&("", service)).is_some_and(|held| held.contains(&hosts));
    let wanted = config.hosts.get(&seat.node).into_iter().flatten();
    let hosts = wanted
        .filter(|(service, hosts)| !has(service.as_str(), hosts))
        .map(|(service, hosts)| format!("does not have the {} hosts of \"{service}\"", hosts.len()));
    let subsets = config.subsets.get(&seat.node).into_iter().flatten();
    let subsets = subsets
        .filter(|(subset, service)| !clusters.contains_key(&(subset.as_str(), service.as_str())))
        .map(|(subset, service)| format!("does not have {subset} of \"{service}\""));
    hosts.chain(subsets).next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn of_a_service_with_several_ports_the_one_that_is_called_counts() {
        let at = |port: u16| SocketAddr::from(([10, 0, 0, 7], port));
        let named = |port: u16| format!("outbound|{port}||x.shop.svc.cluster.local");
        let held = BTreeMap::from([(named(80), [at(8080)].into()), (named(9090), [at(9191)].into())]);
        let seat = Seat { node: "p0".into(), folder: "/".into(), inbound: at(1), workload: None };
        let wanting = |hosts: BTreeSet<SocketAddr>| Config {
            version: String::new(),
            inbound: String::new(),
            namespace: String::new(),
            objects: Vec::new(),
            hosts: BTreeMap::from([("p0".to_owned(), BTreeMap::from([("x".into(), hosts)]))]),
            subsets: BTreeMap::new(),
            proofs: BTreeMap::new(),
            nodes: BTreeMap::new(),
            ways: BTreeMap::new(),
        };
        assert_eq!(lacks(&wanting([at(8080)].into()), &seat, &held), None);
        assert!(lacks(&wanting([at(8080), at(8081)].into()), &seat, &held).is_some());
    }

    #[test]
    fn a_proxy_shows_what_its_routes_and_clusters_are_made_of() {
        let host = "reviews.squall-1.svc.cluster.local:10001";
        let proofs = Proofs {
            routes: BTreeMap::from([(host.to_owned(), "aa".to_owned())]),
            rules: BTreeMap::from([("reviews".into(), "web.to.reviews.bb".to_owned())]),
        };
        let routes = |names: &[&str]| {
            let names: BTreeSet<String> = names.iter().map(|&name| name.to_owned()).collect();
            BTreeMap::from([(host.to_owned(), names), ("squall.probe".to_owned(), BTreeSet::new())])
        };
        let made = |rule: &str| {
            let by = json!({"config": format!("/apis/networking.istio.io/v1/namespaces/n/destination-rule/{rule}")});
            let cluster = |subset: &str| format!("outbound|10001|{subset}|reviews.squall-1.svc.cluster.local");
            BTreeMap::from([
                (cluster(""), by.clone()),
                (cluster("version-v1"), by),
                ("inbound|15808||".into(), json!({})),
            ])
        };
        let lacks = |names: &[&str], clusters: &BTreeMap<String, Value>| unproved(&proofs, &routes(names), clusters);
        let new = made("web.to.reviews.bb");
        assert_eq!(lacks(&["aa"], &new), None);
        for other in [&["old"][..], &["aa", "old"], &[]] {
            assert!(lacks(other, &new).unwrap().contains("the routes of"), "{other:?}");
        }
        assert!(lacks(&["aa"], &made("web.to.reviews.old")).unwrap().contains("web.to.reviews.bb"));
        assert!(lacks(&["aa"], &BTreeMap::new()).unwrap().contains("web.to.reviews.bb"));
        let mut mixed = new;
        mixed.insert("outbound|10001|version-v2|reviews.squall-1.svc.cluster.local".into(), json!({}));
        assert!(lacks(&["aa"], &mixed).is_some(), "a cluster of nobody's rule");
    }
}
