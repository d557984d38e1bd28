//! The processes that stand for pods, and for workloads in them.

use super::failure;
use crate::{
    args::ConfigArgs,
    outcome::{Exit, Failure},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use squall_mesh::Launch;
use squall_place::{
    kubernetes::{Cluster, ClusterError},
    pod::{AGENT_PORT, ProcessInPod, Seat, hold, hold_process},
};
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

/// How long a pod may take to be there: its image is loaded, its sidecar asks istiod.
const UP: Duration = Duration::from_secs(60);

/// What the process that stands for a pod is given.
#[derive(Debug, Serialize, Deserialize)]
pub struct PodConfig {
    /// The pod, as it is to be made.
    pub manifest: Value,
    /// The secret of the run.
    pub token: String,
    /// The proxy's folder.
    pub folder: PathBuf,
    /// The socket of the fault channel.
    pub faults: PathBuf,
}

/// How this program is started as one of them.
pub fn own<T: Serialize>(exe: &Path, word: &str, file: PathBuf, config: &T) -> Launch {
    let text = serde_json::to_string(config).unwrap_or_default();
    Launch {
        program: exe.to_owned(),
        args: vec![word.into(), "--config".into(), file.display().to_string()],
        files: vec![(file, text)],
    }
}

/// Makes a pod and holds it until it ends, or until we do.
pub fn pod(args: &ConfigArgs) -> Result<Exit, Failure> {
    let config: PodConfig = read(&args.config)?;
    block_on(async {
        let cluster = Cluster::connect(None).await.map_err(|e| failure(&e))?;
        cluster.create(&config.manifest).await.map_err(|e| failure(&e))?;
        let held = hold_it(&cluster, &config).await;
        // In order, where there is time; else the pod has ended by itself, and goes with its namespace.
        let _ = cluster.delete(&config.manifest).await;
        held
    })?
}

async fn hold_it(cluster: &Cluster, config: &PodConfig) -> Result<Exit, Failure> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (namespace, name) =
        (text(&config.manifest["metadata"]["namespace"]), text(&config.manifest["metadata"]["name"]));
    let made = cluster.get(&config.manifest).await.map_err(|e| failure(&e))?.unwrap_or_default();
    if !has_sidecar(&made) {
        return Err(Failure::environment(format!("{name} got no sidecar: Istio's injection is off in {namespace}")));
    }
    let ip = cluster.address_of(&namespace, &name, UP).await.map_err(|e: ClusterError| failure(&e))?;
    let seat = Seat { ip, agent: SocketAddr::new(ip, AGENT_PORT), token: config.token.clone() };
    hold(&seat, &config.folder, &config.faults).await.map_err(|e| Failure::environment(format!("{name}: {e}")))?;
    Ok(Exit::Holds)
}

/// Whether Istio's injector has added a proxy.
fn has_sidecar(pod: &Value) -> bool {
    let containers = ["containers", "initContainers"].into_iter().filter_map(|kind| pod["spec"][kind].as_array());
    containers.flatten().any(|container| container["name"] == "istio-proxy")
}

/// Starts a workload in a pod, and lives as long as it does.
pub fn process(args: &ConfigArgs) -> Result<Exit, Failure> {
    let config: ProcessInPod = read(&args.config)?;
    let held = block_on(hold_process(&config))?;
    held.map(|()| Exit::Holds).map_err(|e| Failure::environment(e.to_string()))
}

pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<T, Failure> {
    let fail = |why: String| Failure::environment(format!("failed to read {}: {why}", path.display()));
    let text = fs::read(path).map_err(|e| fail(e.to_string()))?;
    serde_json::from_slice(&text).map_err(|e| fail(e.to_string()))
}

pub(super) fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::environment(format!("failed to start: {e}")))?;
    Ok(runtime.block_on(work))
}
