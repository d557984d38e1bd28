//! The admin interface's answers, as far as they are read (admin/v3).

use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Deserialize)]
pub(super) struct Stats {
    pub(super) stats: Vec<Stat>,
}

/// A counter, gauge or text readout; or the histograms, which have no name.
#[derive(Deserialize)]
pub(super) struct Stat {
    pub(super) name: Option<String>,
    pub(super) value: Option<Value>,
}

#[derive(Deserialize)]
pub(super) struct Listeners {
    #[serde(default)]
    pub(super) listener_statuses: Vec<ListenerStatus>,
}

#[derive(Deserialize)]
pub(super) struct ListenerStatus {
    pub(super) name: String,
    pub(super) local_address: Address,
}

#[derive(Default, Deserialize)]
pub(super) struct Address {
    pub(super) socket_address: Option<Socket>,
}

#[derive(Deserialize)]
pub(super) struct Socket {
    pub(super) address: String,
    pub(super) port_value: u16,
}

#[derive(Deserialize)]
pub(super) struct ServerInfo {
    pub(super) version: String,
    pub(super) state: String,
    pub(super) uptime_current_epoch: String,
    pub(super) node: Identity,
}

#[derive(Deserialize)]
pub(super) struct Identity {
    #[serde(default)]
    pub(super) id: String,
}

#[derive(Deserialize)]
pub(super) struct Dump<T> {
    #[serde(default = "Vec::new")]
    pub(super) configs: Vec<T>,
}

#[derive(Deserialize)]
pub(super) struct Named {
    pub(super) name: String,
}

#[derive(Deserialize)]
pub(super) struct DynamicCluster {
    #[serde(default)]
    pub(super) version_info: String,
    pub(super) cluster: Named,
}

#[derive(Deserialize)]
pub(super) struct DynamicListener {
    pub(super) name: String,
    pub(super) active_state: Option<ListenerState>,
}

#[derive(Deserialize)]
pub(super) struct ListenerState {
    #[serde(default)]
    pub(super) version_info: String,
}

#[derive(Deserialize)]
pub(super) struct DynamicRoutes {
    #[serde(default)]
    pub(super) version_info: String,
    pub(super) route_config: Named,
}

#[derive(Deserialize)]
pub(super) struct DynamicEndpoints {
    pub(super) endpoint_config: Assignment,
}

#[derive(Deserialize)]
pub(super) struct Assignment {
    #[serde(default)]
    pub(super) cluster_name: String,
}

#[derive(Deserialize)]
pub(super) struct Clusters {
    #[serde(default)]
    pub(super) cluster_statuses: Vec<ClusterStatus>,
}

#[derive(Deserialize)]
pub(super) struct ClusterStatus {
    pub(super) name: String,
    #[serde(default)]
    pub(super) host_statuses: Vec<HostStatus>,
}

#[derive(Deserialize)]
pub(super) struct HostStatus {
    #[serde(default)]
    pub(super) address: Address,
    #[serde(default)]
    pub(super) health_status: HostHealth,
}

#[derive(Default, Deserialize)]
pub(super) struct HostHealth {
    #[serde(default)]
    pub(super) failed_active_health_check: bool,
    #[serde(default)]
    pub(super) pending_active_hc: bool,
}

#[derive(Deserialize)]
pub(super) struct RouteHosts {
    pub(super) route_config: VirtualHosts,
}

#[derive(Deserialize)]
pub(super) struct VirtualHosts {
    #[serde(default)]
    pub(super) virtual_hosts: Vec<VirtualHost>,
}

#[derive(Deserialize)]
pub(super) struct VirtualHost {
    pub(super) name: String,
    #[serde(default)]
    pub(super) routes: Vec<MaybeNamed>,
}

#[derive(Deserialize)]
pub(super) struct MaybeNamed {
    #[serde(default)]
    pub(super) name: String,
}

#[derive(Deserialize)]
pub(super) struct ClusterMetadata {
    pub(super) cluster: ClusterWithMetadata,
}

#[derive(Deserialize)]
pub(super) struct ClusterWithMetadata {
    pub(super) name: String,
    #[serde(default)]
    pub(super) metadata: Metadata,
}

#[derive(Default, Deserialize)]
pub(super) struct Metadata {
    #[serde(default)]
    pub(super) filter_metadata: BTreeMap<String, Value>,
}
