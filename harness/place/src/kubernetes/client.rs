//! A cluster, and the objects that we have it keep.

use super::{RUN, error::ClusterError, namespace_of};
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client, Config,
    api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, PropagationPolicy},
    config::KubeConfigOptions,
    core::{ApiResource, GroupVersionKind},
};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// The current context of the user's kubeconfig; `None`: there is none, as in a pod.
#[must_use]
pub fn current_context() -> Option<String> {
    kube::config::Kubeconfig::read().ok()?.current_context
}

/// Who we are to the API server.
const FIELD_MANAGER: &str = "squall";

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

fn client(config: Config) -> Result<Client, ClusterError> {
    Client::try_from(config).map_err(|why| ClusterError::of("connect", why))
}

/// A cluster, as one of us.
#[derive(Clone)]
pub struct Cluster {
    pub(super) client: Client,
    config: Config,
    /// Where its API server is, as it was found.
    server: String,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("server", &self.server).finish_non_exhaustive()
    }
}

impl Cluster {
    /// The cluster of this context of the user's kubeconfig; without one the current context, or the cluster that we are in.
    ///
    /// # Errors
    /// [`ClusterError::NoConfig`] where nothing says where it is.
    pub async fn connect(context: Option<&str>) -> Result<Cluster, ClusterError> {
        let no_config = |why: &dyn std::fmt::Display| ClusterError::NoConfig(why.to_string());
        let mut config = match context {
            Some(context) => {
                let options = KubeConfigOptions { context: Some(context.to_owned()), ..KubeConfigOptions::default() };
                Config::from_kubeconfig(&options).await.map_err(|why| no_config(&why))?
            }
            None => Config::infer().await.map_err(|why| no_config(&why))?,
        };
        config.connect_timeout = Some(PATIENCE / 2);
        let server = config.cluster_url.to_string();
        Ok(Cluster { client: client(config.clone())?, config, server })
    }

    /// A client for what is asked once: a "not now" is an answer (429), and not to be asked again behind our back. Made where it is needed, since
    /// that may run what the kubeconfig names to log in.
    pub(super) fn once(&self) -> Result<Client, ClusterError> {
        let mut config = self.config.clone();
        config.default_retry = false;
        client(config)
    }

    /// Where its API server is.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The version of its API server: `v1.34.10`.
    ///
    /// # Errors
    /// Where it does not answer.
    pub async fn version(&self) -> Result<String, ClusterError> {
        Ok(in_time("ask for the version", self.client.apiserver_version()).await?.git_version)
    }

    /// Has the cluster keep an object as it is here.
    ///
    /// # Errors
    /// Where it does not.
    pub async fn apply(&self, object: &Value) -> Result<(), ClusterError> {
        let (api, name, what) = place_of(&self.client, object);
        let params = PatchParams::apply(FIELD_MANAGER).force();
        match in_time(&what, api.patch(&name, &params, &Patch::Apply(object))).await {
            Ok(_) => Ok(()),
            Err(ClusterError::Refused { words, .. }) if words.contains("page not found") => {
                Err(ClusterError::NoSuchKind { kind: text(object, "kind"), api: text(object, "apiVersion") })
            }
            Err(error) => Err(error),
        }
    }

    /// Makes an object that must be new.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub async fn create(&self, object: &Value) -> Result<(), ClusterError> {
        self.create_by(&self.client, object).await
    }

    /// The same, asked once: asked again behind our back, an object that an unanswered first question had made would be taken for another's (409).
    ///
    /// # Errors
    /// Where it cannot be made; where that is passing, it may have been made all the same.
    pub async fn create_once(&self, object: &Value) -> Result<(), ClusterError> {
        self.create_by(&self.once()?, object).await
    }

    async fn create_by(&self, client: &Client, object: &Value) -> Result<(), ClusterError> {
        let (api, _, what) = place_of(client, object);
        let made: DynamicObject = serde_json::from_value(object.clone())
            .map_err(|why| ClusterError::Refused { what: what.clone(), words: why.to_string() })?;
        let params = PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() };
        in_time(&what, api.create(&params, &made)).await.map(drop)
    }

    /// Removes an object, at once; one that is gone already is no error.
    ///
    /// # Errors
    /// Where it stays.
    pub async fn delete(&self, object: &Value) -> Result<(), ClusterError> {
        let (api, name, what) = place_of(&self.client, object);
        let params = DeleteParams {
            grace_period_seconds: Some(0),
            propagation_policy: Some(PropagationPolicy::Background),
            ..DeleteParams::default()
        };
        // One that is missing is as good as deleted.
        let deleting = async { missing_is_none(api.delete(&name, &params).await) };
        in_time(&what, deleting).await.map(drop)
    }

    /// One object; `None`: there is none.
    ///
    /// # Errors
    /// Where the cluster does not say.
    pub async fn get(&self, object: &Value) -> Result<Option<Value>, ClusterError> {
        let (api, name, what) = place_of(&self.client, object);
        let found = in_time(&what, api.get_opt(&name)).await?;
        Ok(found.and_then(|found| serde_json::to_value(found).ok()))
    }

    /// All objects of the kind of this one in its namespace, with all of its labels.
    ///
    /// # Errors
    /// Where the cluster does not say.
    pub async fn list(&self, like: &Value) -> Result<Vec<Value>, ClusterError> {
        let (api, ..) = place_of(&self.client, like);
        let what = format!("list {}s in {}", text(like, "kind"), text(&like["metadata"], "namespace"));
        let labels = like["metadata"]["labels"].as_object().into_iter().flatten();
        let labels: Vec<String> =
            labels.map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or(""))).collect();
        let found = in_time(&what, api.list(&ListParams::default().labels(&labels.join(",")))).await?;
        // In a list they do not say of what kind they are.
        let of_its_kind = |object: DynamicObject| {
            let mut object = serde_json::to_value(object).ok()?;
            (object["apiVersion"], object["kind"]) = (like["apiVersion"].clone(), like["kind"].clone());
            Some(object)
        };
        Ok(found.items.into_iter().filter_map(of_its_kind).collect())
    }

    /// What tells a namespace from all others that ever had its name: what is owned by it goes with it.
    ///
    /// # Errors
    /// Where the cluster does not say.
    pub async fn uid_of_namespace(&self, name: &str) -> Result<String, ClusterError> {
        let found = self.get(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})).await?;
        Ok(found.and_then(|it| it["metadata"]["uid"].as_str().map(str::to_owned)).unwrap_or_default())
    }

    /// The namespaces of runs: those that are called as their label says. Whoever has given the label to his own has made no run of it, and will
    /// have it left alone.
    ///
    /// # Errors
    /// Where the cluster does not say.
    pub async fn namespaces_of_runs(&self) -> Result<Vec<String>, ClusterError> {
        let api: Api<Namespace> = Api::all(self.client.clone());
        let found = in_time("list namespaces", api.list(&ListParams::default().labels(RUN))).await?;
        Ok(found.items.into_iter().filter(is_of_a_run).filter_map(|namespace| namespace.metadata.name).collect())
    }

    /// Removes a namespace with all that is in it, and waits until it is gone.
    ///
    /// # Errors
    /// Where it is not gone by the limit.
    pub async fn remove_namespace(&self, name: &str, limit: Duration) -> Result<(), ClusterError> {
        let by = Instant::now() + limit;
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        loop {
            match self.delete(&namespace).await {
                Ok(()) => match self.get(&namespace).await {
                    Ok(None) => return Ok(()),
                    Ok(Some(_)) => {}
                    Err(error) if error.is_passing() => {}
                    Err(error) => return Err(error),
                },
                Err(error) if error.is_passing() => {}
                Err(error) => return Err(error),
            }
            if Instant::now() > by {
                return Err(ClusterError::Late { what: format!("the end of namespace {name}"), limit });
            }
            crate::pod::look_again(Duration::from_millis(200)).await;
        }
    }

    /// Whether we may do this to a resource, or to a part of one (`pods/log`); `None`: the cluster does not say.
    pub async fn may(&self, namespace: Option<&str>, verb: &str, group: &str, resource: &str) -> Option<bool> {
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let asked = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "metadata": {},
            "spec": {"resourceAttributes": {
                "namespace": namespace.unwrap_or_default(), "verb": verb, "group": group, "resource": resource, "subresource": subresource,
            }},
        });
        let kind =
            ApiResource::from_gvk(&GroupVersionKind::gvk("authorization.k8s.io", "v1", "SelfSubjectAccessReview"));
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &kind);
        let (params, asked) = (PostParams::default(), serde_json::from_value(asked).ok()?);
        let answer = in_time("ask what is permitted", api.create(&params, &asked)).await.ok()?;
        answer.data.get("status")?.get("allowed")?.as_bool()
    }
}

/// Where an object belongs, its name, and what it is called in an error.
fn place_of(client: &Client, object: &Value) -> (Api<DynamicObject>, String, String) {
    let (kind, version) = (text(object, "kind"), text(object, "apiVersion"));
    let (group, version) = version.split_once('/').unwrap_or(("", &version));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, &kind));
    let name = text(&object["metadata"], "name");
    let what = format!("{kind} {name}");
    let api = match object["metadata"]["namespace"].as_str() {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    (api, name, what)
}

fn text(object: &Value, field: &str) -> String {
    object[field].as_str().unwrap_or_default().to_owned()
}

pub(super) fn missing_is_none<T>(answer: Result<T, kube::Error>) -> Result<Option<T>, kube::Error> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if ClusterError::is_missing(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// An answer, or the news that there was none in time.
pub(super) async fn in_time<T>(
    what: &str,
    asking: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, ClusterError> {
    match tokio::time::timeout(PATIENCE, asking).await {
        Ok(answer) => answer.map_err(|error| ClusterError::of(what, error)),
        Err(_) => Err(ClusterError::Unreachable(format!("no answer for {PATIENCE:?} ({what})"))),
    }
}

/// Called by the run that its label names.
fn is_of_a_run(namespace: &Namespace) -> bool {
    let run = namespace.metadata.labels.as_ref().and_then(|labels| labels.get(RUN));
    run.is_some_and(|run| namespace.metadata.name == Some(namespace_of(run)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_of_a_run_is_called_by_its_label() {
        let is_one = |name: &str, labels: Value| {
            let namespace = json!({"metadata": {"name": name, "labels": labels}});
            is_of_a_run(&serde_json::from_value(namespace).unwrap())
        };
        assert!(is_one(&namespace_of("7"), json!({RUN: "7"})));
        assert!(!is_one("shop", json!({RUN: "7"})), "somebody's own, with our label");
        assert!(!is_one(&namespace_of("7"), json!({RUN: "8"})));
        assert!(!is_one(&namespace_of("7"), json!({"app": "7"})));
    }
}
