//! The cluster, as the mesh asks it.

use super::seat::{PodConfig, own};
use futures_util::future::LocalBoxFuture;
use serde_json::{Value, json};
use squall_mesh::{Launch, WorkloadStart};
use squall_mesh_istio::{Frozen, Keep, Lapse, Unkept};
use squall_model::Part;
use squall_place::{
    kubernetes::{Cluster, ClusterError},
    pod::{self, Freeze, Mirrors, ProcessInPod, Seat, Still, freeze},
};
use std::{
    collections::BTreeMap,
    net::IpAddr,
    path::{Path, PathBuf},
};

/// Objects go to the API server; what stands for pods on this machine is started from this program.
#[derive(Debug)]
pub struct ApiServer {
    pub cluster: Cluster,
    pub exe: PathBuf,
    pub token: String,
    pub mirrors: Mirrors,
}

impl Keep for ApiServer {
    fn apply(&self, object: Value) -> LocalBoxFuture<'_, Result<(), Unkept>> {
        Box::pin(async move { self.cluster.apply(&object).await.map_err(|error| unkept(&error)) })
    }

    fn delete(&self, object: Value) -> LocalBoxFuture<'_, Result<(), Unkept>> {
        Box::pin(async move { self.cluster.delete(&object).await.map_err(|error| unkept(&error)) })
    }

    fn pods(
        &self,
        namespace: &str,
        labels: &BTreeMap<String, String>,
    ) -> LocalBoxFuture<'_, Result<Vec<Value>, Unkept>> {
        let like = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": namespace, "labels": labels}});
        Box::pin(async move { self.cluster.list(&like).await.map_err(|error| unkept(&error)) })
    }

    fn evict(&self, pod: Value) -> LocalBoxFuture<'_, Result<(), Unkept>> {
        Box::pin(async move {
            let of = |what: &str| pod["metadata"][what].as_str().unwrap_or_default().to_owned();
            let (namespace, name, uid) = (of("namespace"), of("name"), of("uid"));
            self.cluster.evict(&namespace, &name, &uid).await.map_err(|error| unkept(&error))
        })
    }

    fn hold(&self, manifest: Value, folder: &Path, faults: &Path) -> Launch {
        let config =
            PodConfig { manifest, token: self.token.clone(), folder: folder.to_owned(), faults: faults.to_owned() };
        own(&self.exe, "pod", folder.join("hold.json"), &config)
    }

    fn process(&self, start: &WorkloadStart<'_>) -> Launch {
        let process = ProcessInPod {
            proxy: start.proxy.to_owned(),
            args: start.args(),
            files: vec![start.config.to_owned()],
            sockets: vec![start.control.to_owned()],
            log: start.log.to_owned(),
        };
        own(&self.exe, "pod-process", start.config.with_file_name("hold.json"), &process)
    }

    fn address(&self, folder: &Path) -> Option<IpAddr> {
        Seat::read(folder).map(|seat| seat.ip)
    }

    fn follow(&self, folder: &Path, files: &[(PathBuf, PathBuf)]) {
        if let Some(seat) = Seat::read(folder) {
            files.iter().for_each(|(theirs, ours)| self.mirrors.follow(&seat, theirs.clone(), ours.clone()));
        }
    }

    fn freeze(&self, folder: &Path, part: Part) -> LocalBoxFuture<'_, Result<Box<dyn Frozen>, String>> {
        let seat = Seat::read(folder);
        Box::pin(async move {
            let seat = seat.ok_or("its pod is not there")?;
            let what = Freeze { proxy: part.has_proxy(), workload: part.has_workload() };
            let still = freeze(&seat, what).await.map_err(|why| why.to_string())?;
            Ok(Box::new(InPod(still)) as Box<dyn Frozen>)
        })
    }
}

/// Processes in a pod that stand still.
#[derive(Debug)]
struct InPod(Still);

impl Frozen for InPod {
    fn lapse(&self) -> Option<Lapse> {
        self.0.lapse().map(lapse)
    }

    fn go_on(self: Box<Self>) -> LocalBoxFuture<'static, Result<(), Lapse>> {
        Box::pin(async move { self.0.go_on().await.map_err(lapse) })
    }
}

fn lapse(pod::Lapse { at, why }: pod::Lapse) -> Lapse {
    Lapse { at, why }
}

fn unkept(error: &ClusterError) -> Unkept {
    Unkept { why: error.to_string(), passing: error.is_passing() }
}
