//! Pods: when they are there, what they say, how they ended.

use super::{
    client::{Cluster, in_time},
    error::ClusterError,
};
use futures_util::{AsyncBufReadExt, StreamExt, io::Lines as FutureLines};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::{Api, api::LogParams, runtime::wait::await_condition};
use std::{net::IpAddr, time::Duration};
use tokio::time::timeout;

/// How a container ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Its exit status.
    pub status: i32,
    /// Why, in one word of Kubernetes': `Completed`, `OOMKilled`.
    pub reason: String,
}

/// What a container writes, line by line.
pub struct Lines(FutureLines<std::pin::Pin<Box<dyn futures_util::AsyncBufRead + Send>>>);

impl Lines {
    /// The next line; `None` where there are no more, or the connection broke.
    pub async fn next(&mut self) -> Option<String> {
        self.0.next().await?.ok()
    }
}

impl Cluster {
    fn pods(&self, namespace: &str) -> Api<Pod> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// Waits until a pod has an address, and gives it.
    ///
    /// # Errors
    /// Where it has none in time, with what Kubernetes says of it.
    pub async fn address_of(&self, namespace: &str, pod: &str, limit: Duration) -> Result<IpAddr, ClusterError> {
        let api = self.pods(namespace);
        let runs = |pod: Option<&Pod>| pod.is_some_and(|pod| address(pod).is_some() && is_running(pod));
        let waiting = await_condition(api.clone(), pod, runs);
        match timeout(limit, waiting).await {
            Ok(Ok(Some(found))) => address(&found).ok_or_else(|| no_pod(pod, "it has no address")),
            Ok(Ok(None)) => Err(no_pod(pod, "it was deleted")),
            Ok(Err(why)) => Err(ClusterError::Unreachable(why.to_string())),
            Err(_) => {
                let said = in_time("look at a pod", api.get_opt(pod)).await.ok().flatten();
                let why = said.map_or_else(|| "it is not there".to_owned(), |pod| trouble_of(&pod));
                Err(no_pod(pod, &why))
            }
        }
    }

    /// What a container writes, from so many lines on.
    ///
    /// # Errors
    /// Where it cannot be read, as before it runs.
    pub async fn lines_of(&self, namespace: &str, pod: &str, container: &str) -> Result<Lines, ClusterError> {
        let params = LogParams { follow: true, container: Some(container.to_owned()), ..LogParams::default() };
        let api = self.pods(namespace);
        let stream = in_time("read a pod's log", api.log_stream(pod, &params)).await?;
        let boxed: std::pin::Pin<Box<dyn futures_util::AsyncBufRead + Send>> = Box::pin(stream);
        Ok(Lines(boxed.lines()))
    }

    /// How a container ended; `None`: it has not.
    ///
    /// # Errors
    /// Where the pod is gone, or the cluster does not say.
    pub async fn end_of(&self, namespace: &str, pod: &str, container: &str) -> Result<Option<Ended>, ClusterError> {
        let found = in_time("look at a pod", self.pods(namespace).get_opt(pod)).await?;
        let Some(found) = found else { return Err(no_pod(pod, "it is gone")) };
        let ended = statuses(&found).find(|status| status.name == container).and_then(|status| {
            let ended = status.state.as_ref()?.terminated.as_ref()?;
            Some(Ended { status: ended.exit_code, reason: ended.reason.clone().unwrap_or_default() })
        });
        Ok(ended)
    }

    /// What keeps a pod from running, as Kubernetes says it.
    pub async fn trouble_of(&self, namespace: &str, pod: &str) -> Option<String> {
        let found = self.pods(namespace).get_opt(pod).await.ok()??;
        (!is_running(&found)).then(|| trouble_of(&found))
    }
}

fn no_pod(pod: &str, why: &str) -> ClusterError {
    ClusterError::Pod { pod: pod.to_owned(), why: why.to_owned() }
}

fn address(pod: &Pod) -> Option<IpAddr> {
    pod.status.as_ref()?.pod_ip.as_ref()?.parse().ok()
}

fn is_running(pod: &Pod) -> bool {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Running")
}

fn statuses(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    let status = pod.status.iter();
    status.flat_map(|status| status.init_container_statuses.iter().chain(&status.container_statuses)).flatten()
}

/// The first reason that one of its containers, or the pod itself, gives.
fn trouble_of(pod: &Pod) -> String {
    let waiting = statuses(pod).find_map(|status| {
        let waiting = status.state.as_ref()?.waiting.as_ref()?;
        let reason =
            waiting.reason.as_deref().filter(|reason| !matches!(*reason, "PodInitializing" | "ContainerCreating"))?;
        Some(format!("{}: {reason} {}", status.name, waiting.message.as_deref().unwrap_or_default()))
    });
    let unready = || {
        let status = statuses(pod).find(|status| !status.ready && status.started != Some(true))?;
        Some(format!("{} does not become ready", status.name))
    };
    let conditions = || {
        let all = pod.status.as_ref()?.conditions.as_ref()?;
        all.iter().find(|c| c.status == "False").and_then(|c| c.message.clone())
    };
    let words = waiting.or_else(conditions).or_else(unready);
    words.map_or_else(|| "Kubernetes does not say why".to_owned(), |words| words.trim().to_owned())
}
