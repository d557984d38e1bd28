//! What a proxy should have: for each type, resources by name.

use envoy_types::pb::{
    envoy::config::cluster::v3::{Cluster, cluster::ClusterDiscoveryType, cluster::DiscoveryType},
    google::protobuf::Any,
};
use prost::{Message, Name};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// A type of resources. The order is the order in which a push makes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `envoy.config.cluster.v3.Cluster`, CDS.
    Cluster,
    /// `envoy.config.endpoint.v3.ClusterLoadAssignment`, EDS.
    Endpoint,
    /// `envoy.config.listener.v3.Listener`, LDS.
    Listener,
    /// `envoy.config.route.v3.RouteConfiguration`, RDS.
    Route,
    /// Any other, by its type URL; asked for by name and answered at once (secrets, extension configurations).
    Other(String),
}

impl Kind {
    /// The type URL, as it is on the wire.
    #[must_use]
    pub fn url(&self) -> &str {
        match self {
            Kind::Cluster => "type.googleapis.com/envoy.config.cluster.v3.Cluster",
            Kind::Endpoint => "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
            Kind::Listener => "type.googleapis.com/envoy.config.listener.v3.Listener",
            Kind::Route => "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
            Kind::Other(url) => url,
        }
    }

    /// From a type URL.
    #[must_use]
    pub fn of(url: &str) -> Kind {
        [Kind::Cluster, Kind::Endpoint, Kind::Listener, Kind::Route]
            .into_iter()
            .find(|kind| kind.url() == url)
            .unwrap_or_else(|| Kind::Other(url.into()))
    }

    /// Whether an empty first subscription asks for all there are (xDS protocol, "How the client specifies what resources
    /// to return").
    pub(crate) fn has_wildcard(&self) -> bool {
        matches!(self, Kind::Cluster | Kind::Listener)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.url();
        f.write_str(url.rsplit('.').next().unwrap_or(url))
    }
}

/// One resource with its version. Two are equal if their versions are.
#[derive(Clone)]
pub struct Resource {
    version: String,
    body: Any,
}

impl Resource {
    /// With the hash of its bytes for a version.
    ///
    /// The maps of a protobuf message are written in no fixed order, so a message with a map of two entries or more
    /// (`json_format`, `typed_per_filter_config`) may get another version each time it is packed, and be pushed anew without
    /// need: give such a one a version of its own by [`Resource::versioned`], or pack it once and keep it.
    #[must_use]
    pub fn new(body: Any) -> Resource {
        let digest = Sha256::new().chain_update(&body.type_url).chain_update([0]).chain_update(&body.value).finalize();
        let version = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Resource { version, body }
    }

    /// With a version given by the caller, who vouches that equal versions mean equal content.
    #[must_use]
    pub fn versioned(version: impl Into<String>, body: Any) -> Resource {
        Resource { version: version.into(), body }
    }

    /// A message, packed.
    #[must_use]
    pub fn pack<M: Message + Name>(message: &M) -> Resource {
        Resource::new(Any { type_url: M::type_url(), value: message.encode_to_vec() })
    }

    /// The version, as `config_dump` shows it once the proxy has it.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The body, as it is sent.
    #[must_use]
    pub fn body(&self) -> &Any {
        &self.body
    }

    /// The endpoints that this resource makes the proxy wait for, if it is a cluster that takes them from EDS.
    pub(crate) fn awaited_endpoints(&self) -> Option<String> {
        if self.body.type_url != Kind::Cluster.url() {
            return None;
        }
        let cluster = Cluster::decode(self.body.value.as_slice()).ok()?;
        let by_eds = matches!(cluster.cluster_discovery_type,
            Some(ClusterDiscoveryType::Type(kind)) if kind == DiscoveryType::Eds as i32);
        let service = cluster.eds_cluster_config.map(|eds| eds.service_name).filter(|name| !name.is_empty());
        by_eds.then(|| service.unwrap_or(cluster.name))
    }
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", Kind::of(&self.body.type_url), self.version)
    }
}

impl PartialEq for Resource {
    fn eq(&self, other: &Resource) -> bool {
        self.version == other.version
    }
}

impl Eq for Resource {}

/// The whole desired state of one proxy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resources(BTreeMap<Kind, BTreeMap<String, Resource>>);

impl Resources {
    /// Nothing at all.
    #[must_use]
    pub fn new() -> Resources {
        Resources::default()
    }

    /// Adds or replaces a resource.
    pub fn insert(&mut self, name: impl Into<String>, resource: Resource) {
        self.0.entry(Kind::of(&resource.body.type_url)).or_default().insert(name.into(), resource);
    }

    /// The same state with this message in it, under this name.
    #[must_use]
    pub fn with<M: Message + Name>(mut self, name: impl Into<String>, message: &M) -> Resources {
        self.insert(name, Resource::pack(message));
        self
    }

    /// One resource.
    #[must_use]
    pub fn get(&self, kind: &Kind, name: &str) -> Option<&Resource> {
        self.0.get(kind)?.get(name)
    }

    /// The names of one kind, in order.
    pub fn names(&self, kind: &Kind) -> impl Iterator<Item = &str> {
        self.0.get(kind).into_iter().flat_map(|named| named.keys().map(String::as_str))
    }

    /// Every resource: kind, name, itself.
    pub fn iter(&self) -> impl Iterator<Item = (&Kind, &str, &Resource)> {
        self.0.iter().flat_map(|(kind, named)| named.iter().map(move |(name, one)| (kind, name.as_str(), one)))
    }

    /// What is in one and not, or not the same, in the other.
    pub(crate) fn differences(&self, other: &Resources) -> BTreeSet<(Kind, String)> {
        let all = self.iter().chain(other.iter()).map(|(kind, name, _)| (kind, name));
        all.filter(|(kind, name)| self.get(kind, name) != other.get(kind, name))
            .map(|(kind, name)| (kind.clone(), name.to_owned()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use envoy_types::pb::{
        envoy::config::{cluster::v3::cluster::EdsClusterConfig, route::v3::RouteConfiguration},
        google::protobuf::UInt32Value,
    };

    fn route(name: &str, max: u32) -> RouteConfiguration {
        RouteConfiguration {
            name: name.into(),
            max_direct_response_body_size_bytes: Some(UInt32Value { value: max }),
            ..RouteConfiguration::default()
        }
    }

    #[test]
    fn urls_are_those_of_the_messages() {
        use envoy_types::pb::envoy::config::{endpoint::v3::ClusterLoadAssignment, listener::v3::Listener};
        for (kind, url) in [
            (Kind::Cluster, Cluster::type_url()),
            (Kind::Endpoint, ClusterLoadAssignment::type_url()),
            (Kind::Listener, Listener::type_url()),
            (Kind::Route, RouteConfiguration::type_url()),
            (Kind::Other("type.googleapis.com/x.Y".into()), "type.googleapis.com/x.Y".into()),
        ] {
            assert_eq!(kind.url(), url);
            assert_eq!(Kind::of(&url), kind);
        }
        assert_eq!(Kind::Endpoint.to_string(), "ClusterLoadAssignment");
    }

    #[test]
    fn differences_are_additions_changes_and_removals() {
        let old =
            Resources::new().with("same", &route("same", 1)).with("b", &route("b", 1)).with("gone", &route("x", 1));
        let new =
            Resources::new().with("same", &route("same", 1)).with("b", &route("b", 2)).with("new", &route("n", 1));
        let names: Vec<_> = old.differences(&new).into_iter().map(|(_, name)| name).collect();
        assert_eq!(names, ["b", "gone", "new"]);
        assert_eq!(old.differences(&new), new.differences(&old));
        assert!(old.differences(&old.clone()).is_empty());
    }

    #[test]
    fn a_cluster_says_which_endpoints_it_awaits() {
        let by_eds = |service: &str| Cluster {
            name: "c".into(),
            cluster_discovery_type: Some(ClusterDiscoveryType::Type(DiscoveryType::Eds as i32)),
            eds_cluster_config: Some(EdsClusterConfig { service_name: service.into(), ..Default::default() }),
            ..Cluster::default()
        };
        assert_eq!(Resource::pack(&by_eds("")).awaited_endpoints().as_deref(), Some("c"));
        assert_eq!(Resource::pack(&by_eds("s")).awaited_endpoints().as_deref(), Some("s"));
        let fixed = Cluster { name: "c".into(), ..Cluster::default() };
        assert_eq!(Resource::pack(&fixed).awaited_endpoints(), None);
        assert_eq!(Resource::pack(&route("c", 1)).awaited_endpoints(), None);
    }
}
