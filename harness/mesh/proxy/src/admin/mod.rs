//! What a proxy says of itself: a client of its admin interface on its Unix socket.
//!
//! Measured traffic never goes this way. No call here has a deadline: put one around it
//! (`tokio::time::timeout_at`), a stopped proxy never answers.

mod forms;
mod said;

pub use said::{Active, Checked, Draining, Runtime, Server, Versions};

use crate::policy::{self, ClusterDump, LeadsTo, RoutesDump};
use forms::{
    ClusterMetadata, Clusters, Dump, DynamicCluster, DynamicEndpoints, DynamicListener, DynamicRoutes, Listeners,
    RouteHosts, ServerInfo, Socket, Stats,
};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use squall_mesh::PolicyInForce;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};
use thiserror::Error;

/// Why the admin interface gave no answer.
#[derive(Debug, Error)]
pub enum AdminError {
    /// Nobody answers on the socket: the proxy has not started, or is gone.
    #[error("{} does not answer: {why}", socket.display())]
    Silent {
        /// The socket.
        socket: PathBuf,
        /// Why.
        why: reqwest::Error,
    },
    /// It answers with an error.
    #[error("{path} is answered with {status}: {body}")]
    Status {
        /// What was asked for.
        path: String,
        /// The status.
        status: StatusCode,
        /// What came with it.
        body: String,
    },
    /// Its answer is not of the form that Envoy documents.
    #[error("{path} is answered in an unknown form: {why}")]
    Form {
        /// What was asked for.
        path: String,
        /// What is wrong with it.
        why: String,
    },
}

/// A client of one proxy's admin interface. Every call has a connection of its own, so it serves any runtime, and a proxy
/// that was restarted on the same socket.
#[derive(Debug, Clone)]
pub struct Admin {
    client: Client,
    socket: PathBuf,
}

impl Admin {
    /// A client for this socket; nothing is opened yet.
    ///
    /// # Errors
    /// Where the client cannot be built at all.
    pub fn new(socket: &Path) -> Result<Admin, AdminError> {
        let client = Client::builder().unix_socket(socket).no_proxy().pool_max_idle_per_host(0).build();
        let client = client.map_err(|why| AdminError::Silent { socket: socket.into(), why })?;
        Ok(Admin { client, socket: socket.into() })
    }

    /// How often it has rejected what its control plane sent, since it began.
    ///
    /// # Errors
    /// Where it does not answer.
    pub async fn rejections(&self) -> Result<u64, AdminError> {
        let stats: Stats = self.json("/stats?format=json&usedonly&filter=\\.update_rejected$").await?;
        Ok(stats.stats.into_iter().filter_map(|stat| stat.value?.as_u64()).sum())
    }

    /// Whether the proxy is live: it has fetched its first configuration, or has given up waiting for it (`/ready`).
    ///
    /// # Errors
    /// Where it does not answer yet.
    pub async fn ready(&self) -> Result<bool, AdminError> {
        match self.get("/ready").await {
            Ok(_) => Ok(true),
            Err(AdminError::Status { status: StatusCode::SERVICE_UNAVAILABLE, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Counters and gauges that were ever used, by name. A name that is missing is 0.
    ///
    /// # Errors
    /// Where it does not answer.
    pub async fn stats(&self) -> Result<BTreeMap<String, u64>, AdminError> {
        let path = "/stats?format=json&usedonly";
        let stats: Stats = self.json(path).await?;
        Ok(stats.stats.into_iter().filter_map(|stat| Some((stat.name?, stat.value?.as_u64()?))).collect())
    }

    /// Whether it is connected to its control plane. The fault channel is none, and counted apart.
    ///
    /// # Errors
    /// Where it does not answer.
    pub async fn is_connected(&self) -> Result<bool, AdminError> {
        Ok(self.stats().await?.get("control_plane.connected_state").is_some_and(|state| *state > 0))
    }

    /// Every listener on TCP by name, with the address that it got; those on Unix sockets are left out.
    ///
    /// # Errors
    /// Where it does not answer.
    pub async fn listeners(&self) -> Result<BTreeMap<String, SocketAddr>, AdminError> {
        let path = "/listeners?format=json";
        let listeners: Listeners = self.json(path).await?;
        let mut found = BTreeMap::new();
        for one in listeners.listener_statuses {
            let Some(Socket { address, port_value }) = one.local_address.socket_address else { continue };
            let ip = address.parse().map_err(|_| form(path, format!("`{address}` is no address")))?;
            found.insert(one.name, SocketAddr::new(ip, port_value));
        }
        Ok(found)
    }

    /// The runtime: which layer says what.
    ///
    /// # Errors
    /// Where it does not answer.
    pub async fn runtime(&self) -> Result<Runtime, AdminError> {
        self.json("/runtime").await
    }

    /// The version of every resource that came from the control plane: that of its own last change.
    ///
    /// A resource of a rejected batch may be here with the rejected version. Endpoints have no version here, only presence.
    ///
    /// # Errors
    /// Where it does not answer.
    pub async fn versions(&self) -> Result<Versions, AdminError> {
        let listeners: Vec<DynamicListener> =
            self.dump("dynamic_listeners&mask=name,active_state.version_info").await?;
        let endpoints: Vec<DynamicEndpoints> =
            self.dump("dynamic_endpoint_configs&include_eds&mask=endpoint_config.cluster_name").await?;
        let active = listeners.into_iter().filter_map(|one| Some((one.name, one.active_state?.version_info)));
        Ok(Versions {
            clusters: self.clusters().await?,
            listeners: active.collect(),
            routes: self.routes().await?,
            endpoints: endpoints.into_iter().map(|one| one.endpoint_config.cluster_name).collect(),
        })
    }

    /// The version of every cluster that came from the control plane and is warm.
    ///
    /// # Errors
    /// Where it does not answer.
    pub async fn clusters(&self) -> Result<BTreeMap<String, String>, AdminError> {
        let clusters: Vec<DynamicCluster> = self.dump("dynamic_active_clusters&mask=cluster.name,version_info").await?;
        Ok(clusters.into_iter().map(|one| (one.cluster.name, one.version_info)).collect())
    }

    /// The clusters that came from the control plane and are not warm: what they replace is still in force.
    ///
    /// # Errors
    /// Where it does not answer.
    pub async fn warming(&self) -> Result<Vec<String>, AdminError> {
        let clusters: Vec<DynamicCluster> =
            self.dump("dynamic_warming_clusters&mask=cluster.name,version_info").await?;
        Ok(clusters.into_iter().map(|one| one.cluster.name).collect())
    }

    /// The version of every route configuration that came from the control plane.
    ///
    /// # Errors
    /// Where it does not answer.
    pub async fn routes(&self) -> Result<BTreeMap<String, String>, AdminError> {
        let routes: Vec<DynamicRoutes> = self.dump("dynamic_route_configs&mask=route_config.name,version_info").await?;
        Ok(routes.into_iter().map(|one| (one.route_config.name, one.version_info)).collect())
    }

    /// The names of the routes of each virtual host that came from the control plane.
    ///
    /// # Errors
    /// Where it does not answer.
    pub async fn route_names(&self) -> Result<BTreeMap<String, BTreeSet<String>>, AdminError> {
        let all: Vec<RouteHosts> = self.dump("dynamic_route_configs&mask=route_config.virtual_hosts").await?;
        let hosts = all.into_iter().flat_map(|one| one.route_config.virtual_hosts);
        Ok(hosts.map(|host| (host.name, host.routes.into_iter().map(|route| route.name).collect())).collect())
    }

    /// What each warm cluster says of itself under this name of filter metadata (`Cluster.metadata`).
    ///
    /// # Errors
    /// Where it does not answer.
    pub async fn cluster_metadata(&self, filter: &str) -> Result<BTreeMap<String, Value>, AdminError> {
        let all: Vec<ClusterMetadata> = self.dump("dynamic_active_clusters&mask=cluster.name,cluster.metadata").await?;
        let said =
            |mut one: ClusterMetadata| Some((one.cluster.name, one.cluster.metadata.filter_metadata.remove(filter)?));
        Ok(all.into_iter().filter_map(said).collect())
    }

    /// The policy in force for calls that leave: host by host, route by route.
    ///
    /// # Errors
    /// Where it does not answer.
    pub async fn policies(&self, leads_to: LeadsTo) -> Result<Vec<PolicyInForce>, AdminError> {
        let routes: Vec<RoutesDump> = self.dump("dynamic_route_configs&mask=route_config.virtual_hosts").await?;
        let fields =
            ["name", "lb_policy", "circuit_breakers", "outlier_detection", "common_lb_config", "health_checks"];
        let mask = fields.map(|field| format!("cluster.{field}")).join(",");
        let clusters: Vec<ClusterDump> = self.dump(&format!("dynamic_active_clusters&mask={mask}")).await?;
        Ok(policy::in_force(&routes, &clusters, leads_to))
    }

    /// What active checks say of the hosts of each cluster; clusters without checks have healthy hosts.
    ///
    /// # Errors
    /// Where it does not answer.
    pub async fn checked(&self) -> Result<BTreeMap<String, Checked>, AdminError> {
        let all: Clusters = self.json("/clusters?format=json").await?;
        let checked = |hosts: &[forms::HostStatus]| Checked {
            hosts: hosts.len() as u64,
            failed: hosts.iter().filter(|host| host.health_status.failed_active_health_check).count() as u64,
            pending: hosts.iter().filter(|host| host.health_status.pending_active_hc).count() as u64,
        };
        Ok(all.cluster_statuses.into_iter().map(|one| (one.name, checked(&one.host_statuses))).collect())
    }

    /// The hosts of each cluster, by its name; those on Unix sockets are left out.
    ///
    /// # Errors
    /// Where it does not answer.
    pub async fn hosts(&self) -> Result<BTreeMap<String, BTreeSet<SocketAddr>>, AdminError> {
        let all: Clusters = self.json("/clusters?format=json").await?;
        let address = |host: &forms::HostStatus| {
            let Socket { address, port_value } = host.address.socket_address.as_ref()?;
            Some(SocketAddr::new(address.parse().ok()?, *port_value))
        };
        let hosts = |of: &[forms::HostStatus]| of.iter().filter_map(address).collect();
        Ok(all.cluster_statuses.into_iter().map(|one| (one.name, hosts(&one.host_statuses))).collect())
    }

    /// What still serves connections by a configuration that was replaced.
    ///
    /// # Errors
    /// Where it does not answer.
    pub async fn draining(&self) -> Result<Draining, AdminError> {
        let path = "/stats?format=json&filter=^listener_manager\\.total_.*_draining$";
        let stats: Stats = self.json(path).await?;
        Ok(Draining {
            listeners: stats.gauge(path, "listener_manager.total_listeners_draining")?,
            filter_chains: stats.gauge(path, "listener_manager.total_filter_chains_draining")?,
        })
    }

    /// Has the proxy say that it is unhealthy, and ask with every answer for the connection to be closed (`/healthcheck/fail`).
    ///
    /// # Errors
    /// Where it does not answer.
    pub async fn fail_checks(&self) -> Result<(), AdminError> {
        self.post("/healthcheck/fail").await
    }

    /// Has the proxy close its listeners; connections stay (`/drain_listeners`).
    ///
    /// # Errors
    /// Where it does not answer.
    pub async fn drain_listeners(&self) -> Result<(), AdminError> {
        self.post("/drain_listeners").await
    }

    /// What its listeners in both directions have under way.
    ///
    /// # Errors
    /// Where it does not answer, or does not tell of both.
    pub async fn active(&self) -> Result<Active, AdminError> {
        let path = "/stats?format=json&filter=^http\\.(in|out)\\.downstream_(rq|cx)_active$";
        Active::read(path, &self.json(path).await?)
    }

    /// Which proxy answers here, in what state.
    ///
    /// # Errors
    /// Where it does not answer.
    pub async fn server(&self) -> Result<Server, AdminError> {
        let path = "/server_info";
        let info: ServerInfo = self.json(path).await?;
        let seconds = info.uptime_current_epoch.strip_suffix('s').and_then(|text| text.parse().ok());
        let uptime = seconds.ok_or_else(|| form(path, format!("`{}` is no uptime", info.uptime_current_epoch)))?;
        Ok(Server { build: info.version, state: info.state, uptime: Duration::from_secs(uptime), node: info.node.id })
    }

    /// Part of the configuration; nothing where the proxy knows of no such part, as before its first route.
    async fn dump<T: DeserializeOwned>(&self, resource: &str) -> Result<Vec<T>, AdminError> {
        match self.json::<Dump<T>>(&format!("/config_dump?resource={resource}")).await {
            Err(AdminError::Status { status: StatusCode::NOT_FOUND, body, .. }) if body.contains("not found in") => {
                Ok(Vec::new())
            }
            dump => Ok(dump?.configs),
        }
    }

    async fn json<T: DeserializeOwned>(&self, path: &str) -> Result<T, AdminError> {
        let body = self.get(path).await?;
        serde_json::from_str(&body).map_err(|why| form(path, why.to_string()))
    }

    async fn get(&self, path: &str) -> Result<String, AdminError> {
        self.read(path, self.client.get(format!("http://admin{path}"))).await
    }

    async fn post(&self, path: &str) -> Result<(), AdminError> {
        self.read(path, self.client.post(format!("http://admin{path}"))).await.map(drop)
    }

    async fn read(&self, path: &str, request: RequestBuilder) -> Result<String, AdminError> {
        let silent = |why| AdminError::Silent { socket: self.socket.clone(), why };
        let response = request.send().await.map_err(silent)?;
        let status = response.status();
        let body = response.text().await.map_err(silent)?;
        if status.is_success() { Ok(body) } else { Err(AdminError::Status { path: path.into(), status, body }) }
    }
}

fn form(path: &str, why: String) -> AdminError {
    AdminError::Form { path: path.into(), why }
}
