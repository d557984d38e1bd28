//! Desired state and addresses to Istio's objects. Pure.
//!
//! What each proxy should do is decided once for all meshes of Envoys, as a table ([`squall_mesh_proxy::render`]); here the table
//! is said in Istio's words. What it has no words for is refused, by name.

mod destinations;
mod filters;
#[cfg(test)]
mod laws;
mod objects;
mod refuse;
mod routes;
mod site;
#[cfg(test)]
mod tests;
mod workloads;

pub use refuse::refusals;
use site::Address;
pub use site::Site;

pub(crate) use filters::insert;
pub use objects::Object;
use serde::Serialize;
use serde_json::{Value, json};
use squall_mesh::{Bindings, Desired, Refusal};
use squall_mesh_proxy::render::{self as table, ProxyConfig, callee_of, version};
use squall_model::{Deployed, InstanceId, Plan, Service, ServiceName, Topology};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};
use workloads::Workload;
pub(crate) use workloads::{nothing_by_default, plain_text};

/// What every host name ends in.
const DOMAIN: &str = ".svc.cluster.local";

/// The label by which an instance's own objects find it.
pub(crate) const INSTANCE: &str = "squall.dev/instance";

/// How the service is called by which istiod finds a proxy, and nobody else does.
const SEAT: &str = "seat.";

/// How the entry of an instance is called that is found by a link.
const BY_LINK: &str = ".by.link";

/// The label by which a service finds those who serve it.
const SERVES: &str = "squall.dev/serves";

/// The whole configuration.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Config {
    /// Names it: what the outbound listener of every proxy answers a probe by once it is in force.
    pub version: String,
    /// Names the part of it that is in inbound listeners: the same for a whole scenario, since a listener that changes drains
    /// its connections.
    pub inbound: String,
    /// The namespace of all of them.
    pub namespace: String,
    /// Istio's objects.
    pub objects: Vec<Object>,
    /// The hosts that each proxy, by its node id, is to have in its cluster for each service that it calls.
    pub hosts: BTreeMap<String, BTreeMap<ServiceName, BTreeSet<SocketAddr>>>,
    /// The subsets that its routes lead to, each with its service: clusters that it is to have as well.
    pub subsets: BTreeMap<String, BTreeSet<(String, ServiceName)>>,
    /// What says of a proxy that its routes and clusters are made of these objects, and not of those before them.
    pub proofs: BTreeMap<String, Proofs>,
    /// The proxy of each instance, by its node id.
    pub nodes: BTreeMap<InstanceId, String>,
    /// Where each instance is found.
    pub ways: BTreeMap<InstanceId, SocketAddr>,
}

/// By what a proxy shows which objects it has: objects reach istiod by a way of their own each, and none of them tells of another.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Proofs {
    /// The name of the routes of each virtual host: that of the content of their VirtualService.
    pub routes: BTreeMap<String, String>,
    /// The name of the DestinationRule that the clusters of each service are made by, which ends in its content's.
    pub rules: BTreeMap<ServiceName, String>,
}

impl Config {
    /// The same before these instances are found by anybody: they have their listeners, and no calls.
    #[must_use]
    pub fn without(&self, newcomers: &BTreeSet<InstanceId>) -> Config {
        let mut before = self.clone();
        before.objects.iter_mut().filter(|object| newcomers.iter().any(|id| is_of(object, id))).for_each(hide);
        let ways: BTreeSet<SocketAddr> = newcomers.iter().filter_map(|id| self.ways.get(id).copied()).collect();
        before
            .hosts
            .values_mut()
            .flat_map(BTreeMap::values_mut)
            .for_each(|hosts| hosts.retain(|at| !ways.contains(at)));
        before.name();
        before
    }

    /// With the seats of the configuration before that this one says nothing of, as long as `is_there` says that their proxies are:
    /// they keep their listeners, and nobody finds them. istiod would else forget who they are.
    #[must_use]
    pub fn keeping(mut self, before: &Config, is_there: impl Fn(&str) -> bool) -> Config {
        if self.inbound != before.inbound {
            return self;
        }
        let gone = before.nodes.iter().filter(|(id, node)| !self.nodes.contains_key(id) && is_there(node));
        let gone: Vec<(InstanceId, String)> = gone.map(|(id, node)| (id.clone(), node.clone())).collect();
        if gone.is_empty() {
            return self;
        }
        for (id, node) in gone {
            let mut kept: Vec<Object> = before.objects.iter().filter(|object| is_of(object, &id)).cloned().collect();
            kept.iter_mut().for_each(hide);
            self.objects.extend(kept);
            self.nodes.insert(id, node);
        }
        self.name();
        self
    }

    /// Gives it the name of what it says.
    fn name(&mut self) {
        self.objects.retain(|object| object.name != filters::OUTBOUND_PROBES);
        self.version = version(&self.objects);
        self.objects.push(filters::outbound_probes(&self.version));
    }

    /// As a file that istiod reads: documents of YAML, each of them JSON.
    #[must_use]
    pub fn text(&self) -> String {
        self.objects.iter().map(|object| format!("---\n{}\n", object.json(&self.namespace))).collect()
    }
}

/// Whether an object is about one instance alone.
fn is_of(object: &Object, id: &InstanceId) -> bool {
    let name = id.to_string();
    let own = object.name.strip_suffix(BY_LINK).unwrap_or(&object.name);
    match object.kind {
        "WorkloadEntry" | "Sidecar" => own == name,
        "ServiceEntry" => own.strip_prefix(SEAT) == Some(&name),
        "EnvoyFilter" => own.strip_prefix("tries.") == Some(&name),
        _ => false,
    }
}

/// Has nobody find an instance.
fn hide(object: &mut Object) {
    if object.kind == "WorkloadEntry" {
        for labels in [&mut object.labels, &mut object.spec["labels"]] {
            labels.as_object_mut().map(|labels| labels.remove(SERVES));
        }
    }
}

/// A cluster of calls to a service, or to a part of it, as Istio calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cluster<'t> {
    /// Empty: the whole of the service.
    pub(crate) subset: &'t str,
    pub(crate) service: &'t str,
    /// What comes after its name.
    pub(crate) rest: &'t str,
}

/// The cluster at the beginning of a text: `outbound|80|version-v2|reviews.squall.svc.cluster.local`.
pub(crate) fn cluster_of(text: &str) -> Option<Cluster<'_>> {
    let mut parts = text.strip_prefix("outbound|")?.splitn(3, '|');
    let (_port, subset, host) = (parts.next()?, parts.next()?, parts.next()?);
    let (name, rest) = host.split_once(DOMAIN)?;
    // No service of ours has a dot in its name: what follows it is a namespace.
    let (service, _namespace) = name.split_once('.')?;
    Some(Cluster { subset, service, rest })
}

/// The service that a cluster leads to, or the subset of it.
pub(crate) fn leads_to(cluster: &str) -> Option<&str> {
    cluster_of(cluster).map(|Cluster { subset, service, .. }| if subset.is_empty() { service } else { subset })
}

/// What Istio is told at the begin of a plan, for people to read: at addresses of nobody, without what is ours alone.
///
/// # Errors
/// Where Istio has no words for what is wanted.
pub fn rehearsed(plan: &Plan) -> Result<Vec<Object>, Refusal> {
    let is_theirs = |object: &Object| matches!(object.kind, "VirtualService" | "DestinationRule" | "ServiceEntry");
    let seat = |object: &Object| object.name.starts_with(SEAT);
    Ok(refuse::rehearsed(&Desired::of(plan))?
        .objects
        .into_iter()
        .filter(|object| is_theirs(object) && !seat(object))
        .collect())
}

/// One caller's way to one service, as every instance of the caller has it.
struct Edge<'t> {
    site: &'t Site,
    caller: &'t Service,
    to: &'t ServiceName,
    /// Where that is deployed, if it is nothing of ours.
    deployed: Option<&'t Deployed>,
    /// The table of any of the caller's proxies: they are alike.
    proxy: &'t ProxyConfig,
}

impl Edge<'_> {
    /// Where it leads.
    fn address(&self) -> Address {
        self.site.address(self.to.as_str(), self.deployed)
    }
}

/// Renders the whole mesh.
///
/// # Errors
/// Where Istio has no words for what is wanted.
pub fn render(want: &Desired<'_>, at: &Bindings, site: &Site) -> Result<Config, Refusal> {
    refuse::first(want)?;
    let site = &site.of_run(&at.tag);
    let tables = table::render(want, at)?;
    let mut objects = vec![workloads::nothing_by_default(), workloads::plain_text(), filters::of_every_proxy(site)];
    for service in want.topology.services.iter().filter(|service| service.deployed.is_none()) {
        objects.push(workloads::service(service, site));
    }
    let (mut hosts, mut subsets, mut ways) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let mut nodes = BTreeMap::new();
    let ours = want.topology.instances().filter(|(_, service, _)| service.deployed.is_none());
    for (id, service, instance) in ours {
        let Some(seat) = at.seats.get(&id) else { continue };
        let Some(proxy) = tables.proxies.get(&seat.node) else { continue };
        let place = instance.place.as_ref().map(|place| place.name.to_string());
        let workload = Workload {
            id: &id,
            seat,
            way: way(want.topology, at, &id)?,
            metadata: metadata(&tables, &id),
            place: place.or_else(|| destinations::adopted(service, want)),
        };
        objects.extend(workload.entries(service, site));
        objects.push(workloads::sidecar(&id, service, seat, &reached(proxy, want.topology, site), site));
        objects.extend(filters::faults_of_tries(&id, &proxy.inbound));
        hosts.insert(seat.node.clone(), hosts_of(proxy));
        subsets.insert(seat.node.clone(), routes::subsets_of(&proxy.outbound));
        ways.insert(id.clone(), workload.way);
        nodes.insert(id, seat.node.clone());
    }
    // What leads to somebody else's is theirs; of ours there are only faults on the way to it.
    let (to_theirs, edges): (Vec<_>, Vec<_>) =
        edges(want.topology, at, &tables, site).into_iter().partition(|edge| edge.deployed.is_some());
    let mut services = routes::virtual_services(&edges)?;
    let mut rules = destinations::rules(&edges, want)?;
    let mut proofs = BTreeMap::new();
    if site.pods {
        let named = |object: &mut Object| (object.name.clone(), name_by_content(object));
        let services = services.iter_mut().map(named).collect();
        let rules = rules.iter_mut().map(named).collect();
        proofs = proofs_of(&edges, at, &services, &rules);
    }
    objects.extend(services);
    objects.extend(rules);
    objects.extend(edges.iter().chain(&to_theirs).filter_map(filters::of_calls));
    // Whoever comes and goes in the midst of a scenario changes no listener of the others.
    let inbound = version(&at.tag);
    objects.push(filters::inbound_probes(&inbound));
    let mut config = Config {
        version: String::new(),
        inbound,
        namespace: site.namespace.clone(),
        objects,
        hosts,
        subsets,
        proofs,
        nodes,
        ways,
    };
    config.name();
    Ok(config)
}

/// Has what a proxy is told by an object say which content that has: the routes of a VirtualService by their name, the clusters of a
/// DestinationRule by its name. Gives the name of the content.
fn name_by_content(object: &mut Object) -> String {
    let content = version(&object.spec);
    if object.kind == "DestinationRule" {
        object.name = format!("{}.{content}", object.name);
    }
    for route in object.spec.get_mut("http").and_then(Value::as_array_mut).into_iter().flatten() {
        route["name"] = json!(content);
    }
    content
}

/// What each proxy is to show, given the names of contents by the names of objects.
fn proofs_of(
    edges: &[Edge<'_>],
    at: &Bindings,
    services: &BTreeMap<String, String>,
    rules: &BTreeMap<String, String>,
) -> BTreeMap<String, Proofs> {
    let mut all: BTreeMap<String, Proofs> = BTreeMap::new();
    for edge in edges {
        let (caller, to) = (edge.caller.name.as_str(), edge.to.as_str());
        for seat in edge.caller.ids().filter_map(|id| at.seats.get(&id)) {
            let proofs = all.entry(seat.node.clone()).or_default();
            if let Some(content) = services.get(to) {
                proofs.routes.insert(edge.address().virtual_host(), content.clone());
            }
            let own = format!("{caller}.to.{to}");
            if let Some(content) = rules.get(&own) {
                proofs.rules.insert(edge.to.clone(), format!("{own}.{content}"));
            }
        }
    }
    all
}

/// Every caller's way to every service that it calls, where a proxy of the caller has a seat.
fn edges<'t>(topology: &'t Topology, at: &Bindings, tables: &'t table::Config, site: &'t Site) -> Vec<Edge<'t>> {
    let proxy = |caller: &Service| {
        let seat = caller.ids().find_map(|id| at.seats.get(&id))?;
        tables.proxies.get(&seat.node)
    };
    let of_caller = |caller: &'t Service| {
        let proxy = proxy(caller);
        caller
            .calls
            .iter()
            .filter_map(move |to| Some(Edge { site, caller, to, deployed: topology.deployed(to), proxy: proxy? }))
    };
    topology.services.iter().flat_map(of_caller).collect()
}

/// Where those who call an instance reach it. istiod tells all of them the same.
fn way(topology: &Topology, at: &Bindings, to: &InstanceId) -> Result<SocketAddr, Refusal> {
    let ways: BTreeSet<SocketAddr> = callers(topology, to).filter_map(|from| at.way(&from, to)).collect();
    let mut ways = ways.into_iter();
    match (ways.next(), ways.next()) {
        (Some(way), None) => Ok(way),
        (None, _) => at.seats.get(to).map(|seat| seat.inbound).ok_or_else(|| Refusal(format!("{to} has no seat"))),
        (Some(_), Some(_)) => Err(Refusal(format!("the wires to {to}: {}", refuse::ONE_ADDRESS))),
    }
}

/// The instances that call one.
fn callers<'t>(topology: &'t Topology, to: &'t InstanceId) -> impl Iterator<Item = InstanceId> {
    topology.callers(&to.service).flat_map(Service::ids).filter(move |from| from != to)
}

/// What an instance is, as far as any route asks: labels by which subsets find it.
fn metadata(tables: &table::Config, id: &InstanceId) -> BTreeMap<String, String> {
    let hosts = tables.proxies.values().flat_map(|proxy| &proxy.clusters).flat_map(|cluster| &cluster.hosts);
    let name = id.to_string();
    hosts.filter(|host| host.instance == name).flat_map(|host| host.metadata.clone()).collect()
}

/// The services that a proxy's routes lead to.
fn reached(proxy: &ProxyConfig, topology: &Topology, site: &Site) -> Vec<Address> {
    let names = proxy.clusters.iter().filter_map(|cluster| callee_of(&cluster.name));
    names.map(|name| site.address(name, topology.deployed(&name.into()))).collect()
}

fn hosts_of(proxy: &ProxyConfig) -> BTreeMap<ServiceName, BTreeSet<SocketAddr>> {
    let outbound = proxy.clusters.iter().filter_map(|c| Some((callee_of(&c.name)?, &c.hosts)));
    let addresses = |hosts: &[table::Endpoint]| {
        let tcp = hosts.iter().filter_map(|host| match host.at {
            squall_mesh::Endpoint::Tcp(at) => Some(at),
            squall_mesh::Endpoint::Unix(_) => None,
        });
        tcp.collect()
    };
    outbound.map(|(service, hosts)| (service.into(), addresses(hosts))).collect()
}
