//! Services, their instances, and who calls whom.

use crate::{Calls, Capacity, Edge, InstanceId, Latency, Place, ServiceName, VersionName};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

/// The services of a scenario, in the order in which they were declared.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topology {
    /// All services.
    pub services: Vec<Service>,
    /// Calls for which the mesh keeps its own defaults: there is no neutral baseline for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub own_defaults: Vec<Calls>,
}

/// One service.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Its name.
    pub name: ServiceName,
    /// Its instances, numbered from 1 in this order; at least one.
    pub instances: Vec<Instance>,
    /// The services that it calls.
    pub calls: Vec<ServiceName>,
    /// What it speaks.
    pub protocol: Protocol,
    /// How long each instance works on a try.
    pub latency: Latency,
    /// How many tries each instance works on at a time; `None`: any number.
    pub capacity: Option<Capacity>,
    /// Where it is deployed, if it is a service of an application that somebody else deployed: nothing of it is ours, and only who
    /// calls it is seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployed: Option<Deployed>,
}

/// A service of Kubernetes that was there before the run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployed {
    /// The namespace.
    pub namespace: String,
    /// The port by which it is called.
    pub port: u16,
    /// The labels by which its pods are selected, where a fault port may be asked by their proxies; `None`: nothing is put there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pods: Option<BTreeMap<String, String>>,
    /// The labels of the service itself.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The labels by which its pods are selected, where they may be restarted: whoever runs this allowed that what is theirs is edited, and
    /// each of the pods has a controller that starts another in its place. `None`: they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarted: Option<BTreeMap<String, String>>,
}

/// One instance of a service: a workload and its proxy.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instance {
    /// Its version, where the scenario names versions.
    pub version: Option<VersionName>,
    /// Where it is, where the scenario names places.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// The address of one that was deployed before the run; all others get theirs when they are placed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<SocketAddr>,
}

/// What a service speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// HTTP/1.1.
    #[default]
    Http,
    /// HTTP/2 with prior knowledge.
    Http2,
    /// gRPC.
    Grpc,
    /// Bytes over TCP.
    Tcp,
}

impl Topology {
    /// The service of this name.
    #[must_use]
    pub fn service(&self, name: &ServiceName) -> Option<&Service> {
        self.services.iter().find(|s| s.name == *name)
    }

    /// The service of this name, to change.
    pub fn service_mut(&mut self, name: &ServiceName) -> Option<&mut Service> {
        self.services.iter_mut().find(|s| s.name == *name)
    }

    /// Every call relation, in the order of declaration.
    pub fn edges(&self) -> impl Iterator<Item = Edge> + '_ {
        self.services.iter().flat_map(|s| s.calls.iter().map(|to| Edge { from: s.name.clone(), to: to.clone() }))
    }

    /// The services that call `to`.
    pub fn callers<'a>(&'a self, to: &'a ServiceName) -> impl Iterator<Item = &'a Service> + 'a {
        self.services.iter().filter(move |s| s.calls.contains(to))
    }

    /// What is known of an instance; `None` for one that is not there.
    #[must_use]
    pub fn instance(&self, id: &InstanceId) -> Option<&Instance> {
        self.service(&id.service)?.instances.get((id.number as usize).checked_sub(1)?)
    }

    /// The same, to change.
    pub fn instance_mut(&mut self, id: &InstanceId) -> Option<&mut Instance> {
        self.service_mut(&id.service)?.instances.get_mut((id.number as usize).checked_sub(1)?)
    }

    /// Where an instance is, where that is said.
    #[must_use]
    pub fn place_of(&self, id: &InstanceId) -> Option<&Place> {
        self.instance(id)?.place.as_ref()
    }

    /// Where a service is deployed, if it is nothing of ours.
    #[must_use]
    pub fn deployed(&self, name: &ServiceName) -> Option<&Deployed> {
        self.service(name)?.deployed.as_ref()
    }

    /// The services that somebody else deployed.
    pub fn theirs(&self) -> impl Iterator<Item = (&Service, &Deployed)> {
        self.services.iter().filter_map(|service| Some((service, service.deployed.as_ref()?)))
    }

    /// The namespaces of those.
    #[must_use]
    pub fn joined(&self) -> BTreeSet<&str> {
        self.theirs().map(|(_, deployed)| deployed.namespace.as_str()).collect()
    }

    /// Whether anybody calls a service.
    #[must_use]
    pub fn is_called(&self, name: &ServiceName) -> bool {
        self.services.iter().any(|service| service.calls.contains(name))
    }

    /// Every instance, service by service.
    pub fn instances(&self) -> impl Iterator<Item = (InstanceId, &Service, &Instance)> + '_ {
        self.services.iter().flat_map(|s| s.ids().zip(&s.instances).map(move |(id, instance)| (id, s, instance)))
    }
}

impl Service {
    /// A service with one plain instance that answers at once.
    #[must_use]
    pub fn new(name: ServiceName) -> Service {
        Service {
            name,
            instances: vec![Instance::default()],
            calls: Vec::new(),
            protocol: Protocol::Http,
            latency: Latency::Fixed(std::time::Duration::ZERO),
            capacity: None,
            deployed: None,
        }
    }

    /// The ids of its instances, from 1.
    pub fn ids(&self) -> impl Iterator<Item = InstanceId> + '_ {
        (1u32..).take(self.instances.len()).map(|number| InstanceId { service: self.name.clone(), number })
    }
}
