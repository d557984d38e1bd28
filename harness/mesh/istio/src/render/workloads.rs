//! Services and instances: ServiceEntry, WorkloadEntry (networking/v1alpha3/service_entry.proto), and the listeners of each
//! proxy, a Sidecar (sidecar.proto). There is no interception: a proxy is called where its Sidecar has it listen.

use super::{BY_LINK, INSTANCE, SEAT, SERVES, Site, objects::Object, site::Address};
use serde_json::{Value, json};
use squall_mesh::{Endpoint, Seat};
use squall_mesh_proxy::outbound_socket;
use squall_model::{InstanceId, Protocol, Service};
use std::{collections::BTreeMap, net::SocketAddr};

/// What a service speaks, as ports declare it: what is not declared would be guessed, or taken for TCP.
fn protocol(service: &Service) -> &'static str {
    match service.protocol {
        Protocol::Http => "HTTP",
        Protocol::Http2 => "HTTP2",
        Protocol::Grpc => "GRPC",
        Protocol::Tcp => "TCP",
    }
}

/// A proxy that nothing was said for has no listeners: else it would have one for every service that there is.
pub(crate) fn nothing_by_default() -> Object {
    Object::new("Sidecar", "nothing", json!({"egress": [{"hosts": ["~/*"]}]}))
}

/// Nobody has certificates here, and a listener that may be spoken to by mTLS waits for its own.
pub(crate) fn plain_text() -> Object {
    Object::new("PeerAuthentication", "plain-text", json!({"mtls": {"mode": "DISABLE"}}))
}

/// A service, whoever is behind it.
pub(super) fn service(service: &Service, site: &Site) -> Object {
    let name = service.name.as_str();
    entry_point(name, service, &selector(SERVES, name), site)
}

/// Whoever has these labels, under this name.
fn entry_point(name: &str, of: &Service, selector: &Value, site: &Site) -> Object {
    let protocol = protocol(of);
    let port = json!({
        "number": site.port, "name": protocol.to_ascii_lowercase(), "protocol": protocol, "targetPort": crate::INBOUND,
    });
    let spec = json!({
        "hosts": [site.host_of(name)],
        "exportTo": ["."],
        "location": "MESH_INTERNAL",
        "resolution": "STATIC",
        "ports": [port],
        "workloadSelector": selector,
    });
    Object::new("ServiceEntry", name, spec)
}

/// An instance: who it is, and where it is found. Selectors go by the labels of this, and not by what the proxy says of itself.
pub(super) struct Workload<'r> {
    pub(super) id: &'r InstanceId,
    pub(super) seat: &'r Seat,
    /// Where those who call it reach it: its own address, or that of the link that carries the wire to it.
    pub(super) way: SocketAddr,
    /// The labels by which subsets find it.
    pub(super) metadata: BTreeMap<String, String>,
    /// Where it is.
    pub(super) place: Option<String>,
}

impl Workload<'_> {
    /// Who it is, and how it is found: one entry, or two where it is found elsewhere than it is.
    pub(super) fn entries(&self, of: &Service, site: &Site) -> Vec<Object> {
        let name = self.id.to_string();
        let own = [("app", self.id.service.to_string()), (INSTANCE, name.clone())];
        let mut own: BTreeMap<String, String> = own.map(|(key, value)| (key.to_owned(), value)).into();
        let mut found = self.metadata.clone();
        found.insert(SERVES.into(), self.id.service.to_string());
        let mut all = Vec::new();
        if !site.pods {
            // To istiod a proxy that is no pod has the labels of its entry only where a service finds that: this one, before its own
            // does.
            all.push(entry_point(&format!("{SEAT}{name}"), of, &selector(INSTANCE, &name), site));
        }
        if self.way == self.seat.inbound {
            own.extend(found);
            all.push(self.entry(&name, self.seat.inbound, &own, None));
        } else {
            let ports = json!({protocol(of).to_ascii_lowercase(): self.way.port()});
            all.push(self.entry(&name, self.seat.inbound, &own, None));
            all.push(self.entry(&format!("{name}{BY_LINK}"), self.way, &found, Some(ports)));
        }
        all
    }

    fn entry(&self, name: &str, at: SocketAddr, labels: &BTreeMap<String, String>, ports: Option<Value>) -> Object {
        let mut spec = json!({"address": at.ip().to_string(), "labels": labels});
        if let Some(ports) = ports {
            spec["ports"] = ports;
        }
        if let Some(place) = &self.place {
            spec["locality"] = json!(place);
        }
        Object { labels: json!(labels), ..Object::new("WorkloadEntry", name, spec) }
    }
}

/// The two listeners of an instance's proxy.
pub(super) fn sidecar(id: &InstanceId, of: &Service, seat: &Seat, reached: &[Address], site: &Site) -> Object {
    let workload = match &seat.workload {
        Some(Endpoint::Unix(socket)) => format!("unix://{}", socket.display()),
        Some(Endpoint::Tcp(at)) => at.to_string(),
        // Nobody listens there: an instance without a workload refuses.
        None => "127.0.0.1:1".into(),
    };
    let ingress = json!({
        "port": {"number": seat.inbound.port(), "protocol": protocol(of), "name": "in"},
        "bind": seat.inbound.ip().to_string(),
        "captureMode": "NONE",
        "defaultEndpoint": workload,
    });
    // A listener that leads to nobody is not made at all: who calls nobody could call itself.
    let own = [site.address(of.name.as_str(), None)];
    let reached = if reached.is_empty() { &own } else { reached };
    let hosts: Vec<String> = reached.iter().map(Address::known_as).collect();
    let egress = json!({
        "port": {"number": 0, "protocol": "HTTP", "name": "out"},
        "bind": format!("unix://{}", outbound_socket(&seat.folder).display()),
        "captureMode": "NONE",
        "hosts": hosts,
    });
    let spec = json!({
        "workloadSelector": selector(INSTANCE, &id.to_string()),
        "ingress": [ingress],
        "egress": [egress],
        "outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"},
    });
    Object::new("Sidecar", id.to_string(), spec)
}

/// Workloads with this label.
pub(super) fn selector(label: &str, value: &str) -> Value {
    json!({"labels": {label: value}})
}
