//! Pods: when they are there, what they say, how they ended.

use super::{
    client::{Cluster, in_time, missing_is_none},
    error::ClusterError,
};
use futures_util::{AsyncBufReadExt, StreamExt, io::Lines as FutureLines};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::{
    Api,
    api::{DeleteParams, EvictParams, ListParams, LogParams, Preconditions},
    runtime::wait::await_condition,
};
use std::{cell::Cell, net::IpAddr, time::Duration};
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

    /// Waits until a pod is ready, and gives its address.
    ///
    /// # Errors
    /// Where it is not ready in time, with what Kubernetes says of it.
    pub async fn address_of(&self, namespace: &str, pod: &str, limit: Duration) -> Result<IpAddr, ClusterError> {
        let ready = |pod: Option<&Pod>| pod.is_some_and(|pod| address(pod).is_some() && is_ready(pod));
        let found = self.waits(namespace, pod, limit, ready).await?;
        address(&found).ok_or_else(|| no_pod(pod, "it has no address"))
    }

    /// Waits until a pod runs.
    ///
    /// # Errors
    /// Where it does not in time, with what Kubernetes says of it.
    pub async fn runs(&self, namespace: &str, pod: &str, limit: Duration) -> Result<(), ClusterError> {
        let begun = |pod: Option<&Pod>| pod.is_some_and(|pod| phase(pod) != Some("Pending"));
        self.waits(namespace, pod, limit, begun).await.map(drop)
    }

    /// Whether there is such a pod and it is beyond being prepared.
    ///
    /// # Errors
    /// Where the cluster does not say.
    pub async fn has_begun(&self, namespace: &str, pod: &str) -> Result<bool, ClusterError> {
        let found = in_time("look at a pod", self.pods(namespace).get_opt(pod)).await?;
        Ok(found.is_some_and(|pod| phase(&pod) != Some("Pending")))
    }

    /// Has a pod end in order, in so much time at most; one that is gone already is no error.
    ///
    /// # Errors
    /// Where the cluster does not take it.
    pub async fn end_pod(&self, namespace: &str, pod: &str, grace: Duration) -> Result<(), ClusterError> {
        let params = DeleteParams { grace_period_seconds: Some(grace.as_secs() as u32), ..DeleteParams::default() };
        let api = self.pods(namespace);
        in_time("end a pod", async { missing_is_none(api.delete(pod, &params).await) }).await.map(drop)
    }

    /// Has a pod evicted: it ends in order, in the time that it gives itself, where no PodDisruptionBudget keeps it (policy/v1, Eviction). This very
    /// one, by its uid, and no other of its name; one that is gone already is no error.
    ///
    /// # Errors
    /// Where the cluster does not take it, or a budget does not allow it now.
    pub async fn evict(&self, namespace: &str, pod: &str, uid: &str) -> Result<(), ClusterError> {
        let pods: Api<Pod> = Api::namespaced(self.once()?, namespace);
        let preconditions = Some(Preconditions { uid: Some(uid.to_owned()), resource_version: None });
        let delete_options = Some(DeleteParams { preconditions, ..DeleteParams::default() });
        let params = EvictParams { delete_options, ..EvictParams::default() };
        let evicting = async { missing_is_none(pods.evict(pod, &params).await) };
        in_time(&format!("evict pod {pod} of {namespace}"), evicting).await.map(drop)
    }

    /// The image of the first container of a pod with these labels; `None`: there is none, or nobody says.
    pub async fn image_of(&self, namespace: &str, selector: &str) -> Option<String> {
        let found =
            in_time("list pods", self.pods(namespace).list(&ListParams::default().labels(selector))).await.ok()?;
        found.items.into_iter().next()?.spec?.containers.into_iter().next()?.image
    }

    /// What a pod that is not ready waits for, as Kubernetes says it; `None`: it is ready.
    ///
    /// # Errors
    /// Where the cluster does not say.
    pub async fn trouble_of(&self, namespace: &str, pod: &str) -> Result<Option<String>, ClusterError> {
        let found = in_time("look at a pod", self.pods(namespace).get_opt(pod)).await?;
        let Some(found) = found else { return Err(no_pod(pod, "it is gone")) };
        Ok((!is_ready(&found)).then(|| trouble_of(&found)))
    }

    async fn waits(
        &self,
        namespace: &str,
        pod: &str,
        limit: Duration,
        until: impl Fn(Option<&Pod>) -> bool,
    ) -> Result<Pod, ClusterError> {
        let api = self.pods(namespace);
        let seen = Cell::new(false);
        let settled = |pod: Option<&Pod>| {
            let is_gone = pod.is_none() && seen.get();
            seen.set(seen.get() || pod.is_some());
            is_gone || until(pod) || pod.is_some_and(is_hopeless)
        };
        match timeout(limit, await_condition(api.clone(), pod, settled)).await {
            Ok(Ok(Some(found))) if is_hopeless(&found) => Err(no_pod(pod, &trouble_of(&found))),
            Ok(Ok(Some(found))) => Ok(found),
            Ok(Ok(None)) => Err(no_pod(pod, "it was deleted")),
            Ok(Err(why)) => Err(ClusterError::Unreachable(why.to_string())),
            Err(_) => {
                let said = in_time("look at a pod", api.get_opt(pod)).await.ok().flatten();
                let why = said.map_or_else(|| "it is not there".to_owned(), |pod| trouble_of(&pod));
                Err(no_pod(pod, &why))
            }
        }
    }

    /// What a container writes, from its first line on and as it goes on.
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
        match (ended, phase(&found)) {
            // Evicted, or lost with its node: no container tells how it ended.
            (None, Some(over @ ("Failed" | "Succeeded"))) => {
                let why = found.status.as_ref().and_then(|status| status.message.clone().or(status.reason.clone()));
                Err(no_pod(pod, &why.unwrap_or_else(|| format!("it is over ({over})"))))
            }
            (ended, _) => Ok(ended),
        }
    }
}

fn no_pod(pod: &str, why: &str) -> ClusterError {
    ClusterError::Pod { pod: pod.to_owned(), why: why.to_owned() }
}

fn address(pod: &Pod) -> Option<IpAddr> {
    pod.status.as_ref()?.pod_ip.as_ref()?.parse().ok()
}

fn phase(pod: &Pod) -> Option<&str> {
    pod.status.as_ref()?.phase.as_deref()
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// Whether one of its containers waits for what does not come by waiting.
fn is_hopeless(pod: &Pod) -> bool {
    let hopeless =
        ["ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError"];
    let reason = |status: &ContainerStatus| status.state.as_ref()?.waiting.as_ref()?.reason.clone();
    matches!(phase(pod), Some("Failed" | "Succeeded"))
        || statuses(pod).filter_map(reason).any(|reason| hopeless.contains(&reason.as_str()))
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
    let unplaced = || {
        let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_ref());
        node.is_none().then(|| "it has not been given a node yet".to_owned())
    };
    let words = waiting.or_else(conditions).or_else(unready).or_else(unplaced);
    words.map_or_else(|| "Kubernetes does not say why".to_owned(), |words| words.trim().to_owned())
}
