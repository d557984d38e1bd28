//! The processes that stand for pods, and for workloads in them.

use crate::{
    args::ConfigArgs,
    outcome::{Exit, Failure},
    term::Out,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use squall_mesh::Launch;
use squall_place::{
    kubernetes::{Cluster, ClusterError},
    pod::{AGENT_PORT, ProcessInPod, Seat, hold, hold_process},
};
use std::{
    convert::Infallible,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::{Instant, sleep_until};

/// How often a pod that is not ready is looked at.
const LOOK: Duration = Duration::from_secs(3);

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
pub fn pod(args: &ConfigArgs, out: Out) -> Result<Exit, Failure> {
    let config: PodConfig = read(&args.config)?;
    // Where another pod was whose proxy had this folder.
    let _ = fs::remove_file(Seat::file(&config.folder));
    block_on(async {
        let cluster = Cluster::connect(None).await.map_err(|e| short(&e))?;
        cluster.create(&config.manifest).await.map_err(|e| short(&e))?;
        let held = hold_it(&cluster, &config, out).await;
        // In order, where there is time; else the pod has ended by itself, and goes with its namespace.
        let _ = cluster.delete(&config.manifest).await;
        held
    })?
}

async fn hold_it(cluster: &Cluster, config: &PodConfig, out: Out) -> Result<Exit, Failure> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (namespace, name) =
        (text(&config.manifest["metadata"]["namespace"]), text(&config.manifest["metadata"]["name"]));
    let made = cluster.get(&config.manifest).await.map_err(|e| short(&e))?.unwrap_or_default();
    if !has_sidecar(&made) {
        return Err(Failure::environment(format!(
            "{name} got no sidecar: Istio's injection is off in {namespace}; a revision is named by `[kubernetes] revision` in squall.toml"
        )));
    }
    let up = cluster.address_of(&namespace, &name, UP);
    let ip = tokio::select! {
        ip = up => ip.map_err(|e| short(&e))?,
        never = complain(cluster, &namespace, &name, out) => match never {},
    };
    let seat = Seat { ip, agent: SocketAddr::new(ip, AGENT_PORT), token: config.token.clone() };
    hold(&seat, &config.folder, &config.faults).await.map_err(|e| Failure::environment(format!("{name}: {e}")))?;
    Ok(Exit::Holds)
}

/// Says now and then what a pod that is not ready waits for: whoever gives up waiting tells the last of it.
async fn complain(cluster: &Cluster, namespace: &str, name: &str, out: Out) -> Infallible {
    let mut away = false;
    loop {
        sleep_until(Instant::now() + LOOK).await;
        let why = match cluster.trouble_of(namespace, name).await {
            Ok(None) => continue,
            Ok(Some(trouble)) if away => format!("{trouble}, and meanwhile the API server could not be reached"),
            Ok(Some(trouble)) => trouble,
            Err(error) => {
                away |= error.is_passing();
                error.to_string()
            }
        };
        out.note(&format!("{name} is not ready: {why}"));
    }
}

/// In one line: whoever reads it reads the last one.
fn short(error: &ClusterError) -> Failure {
    Failure::environment(error.to_string())
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
