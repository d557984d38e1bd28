//! `doctor` for a cluster: what it is, what is installed, and what we may do on it.

use super::manifest::{definition, rules};
use crate::{
    doctor::Line,
    limits::Limits,
    outcome::Failure,
    settings::{Kubernetes, Settings},
};
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use squall_place::kubernetes::{Cluster, ClusterError};
use std::collections::{BTreeMap, BTreeSet};

/// What a run needs beside what its own runner may do: the one who starts it makes a namespace, and what is in it.
fn own_rules() -> Value {
    json!([
        {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["create", "get", "list", "delete"]},
        {"apiGroups": [""], "resources": ["serviceaccounts", "configmaps", "secrets"], "verbs": ["create", "patch"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["create", "get", "list", "watch", "patch", "delete"]},
        {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
        {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create"]},
        {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles", "rolebindings"], "verbs": ["create", "patch"]},
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create", "get", "patch"]},
        {"apiGroups": ["networking.k8s.io"], "resources": ["networkpolicies"], "verbs": ["create", "patch"]},
    ])
}

/// One permission of some rules: a group, a resource of it, a verb.
type Permission = (String, String, String);

/// Every permission of some rules of a role, one by one.
fn permissions_of(rules: &Value) -> BTreeSet<Permission> {
    let words = |rule: &Value, field: &str| -> Vec<String> {
        let list = rule[field].as_array().into_iter().flatten();
        list.filter_map(|word| word.as_str().map(str::to_owned)).collect()
    };
    let mut all = BTreeSet::new();
    for rule in rules.as_array().into_iter().flatten() {
        for group in words(rule, "apiGroups") {
            for resource in words(rule, "resources") {
                all.extend(words(rule, "verbs").into_iter().map(|verb| (group.clone(), resource.clone(), verb)));
            }
        }
    }
    all
}

/// Looks at the cluster.
pub fn examined(context: Option<&str>, settings: &Settings) -> Result<Vec<Line>, Failure> {
    super::seat::block_on(lines(settings.kubernetes.context(context), &settings.kubernetes))
}

/// Everything that can be said without touching anything.
async fn lines(context: Option<&str>, settings: &Kubernetes) -> Vec<Line> {
    let (cluster, version) = match reached(context).await {
        Ok(reached) => reached,
        Err(line) => return vec![line],
    };
    let image = settings.image(std::env::var("SQUALL_IMAGE").ok().as_deref());
    let seen = format!("{image}: whether nodes have it, or can pull it, is seen when a pod needs it");
    vec![
        line(Some(true), "Cluster", format!("Kubernetes {version} at {}", cluster.server())),
        istio(&cluster).await,
        injection(&cluster, settings.revision.as_deref()).await,
        permissions(&cluster).await,
        line(None, "Image", seen),
        // None is no mistake.
        line((settings.limits != Limits::default()).then_some(true), "Limits", settings.limits.whose()),
    ]
}

/// A cluster that answers, and its version; or what is in the way.
async fn reached(context: Option<&str>) -> Result<(Cluster, String), Line> {
    let lost = |says: String, error: &ClusterError| {
        let help = super::failure(error).helps().join("\n");
        Line { advice: (!help.is_empty()).then_some(help), ..line(Some(false), "Cluster", says) }
    };
    let cluster = Cluster::connect(context).await.map_err(|error| lost(error.to_string(), &error))?;
    match cluster.version().await {
        Ok(version) => Ok((cluster, version)),
        Err(error) => Err(lost(format!("{}: {error}", cluster.server()), &error)),
    }
}

fn line(good: Option<bool>, what: &'static str, says: impl Into<String>) -> Line {
    Line { good, what, says: says.into(), advice: None }
}

async fn istio(cluster: &Cluster) -> Line {
    let lacks = |says: String| {
        let advice = Some("install Istio: kind-config/README.md says how".to_owned());
        Line { advice, ..line(Some(false), "Istio", says) }
    };
    let mut missing = Vec::new();
    for name in ["virtualservices", "destinationrules", "serviceentries", "workloadentries", "sidecars", "envoyfilters"]
    {
        match cluster.get(&definition(&format!("{name}.networking.istio.io"))).await {
            Ok(Some(_)) => {}
            Ok(None) => missing.push(name),
            Err(error) => return line(None, "Istio", format!("its definitions cannot be looked at: {error}")),
        }
    }
    if !missing.is_empty() {
        return lacks(format!("these definitions are missing: {}", missing.join(", ")));
    }
    match cluster.image_of("istio-system", "app=istiod").await {
        Some(image) => line(Some(true), "Istio", format!("istiod runs, {image}")),
        None => lacks("its definitions are there, and no istiod runs in istio-system".into()),
    }
}

async fn injection(cluster: &Cluster, revision: Option<&str>) -> Line {
    let (name, label) = match revision {
        Some(revision) => (format!("istio-sidecar-injector-{revision}"), format!("istio.io/rev={revision}")),
        None => ("istio-sidecar-injector".to_owned(), "istio-injection=enabled".to_owned()),
    };
    let webhook = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": name},
    });
    let line = |good, says: String| line(good, "Injection", says);
    match cluster.get(&webhook).await {
        Ok(Some(_)) => line(Some(true), format!("namespaces labelled {label} get sidecars")),
        Ok(None) if revision.is_some() => line(Some(false), format!("there is no {name}")),
        Ok(None) => {
            let advice = "where Istio has a revision, name it: `[kubernetes] revision = \"…\"` in squall.toml";
            Line { advice: Some(advice.into()), ..line(None, "there is no injector without a revision".into()) }
        }
        Err(error) => line(None, format!("cannot be looked at: {error}")),
    }
}

/// How many permissions are asked for at once.
const AT_ONCE: usize = 8;

/// What of a run's permissions an account has.
pub(super) struct Lacking {
    /// How many a run needs.
    needed: usize,
    /// Those that it does not have: verbs by group and resource.
    missing: BTreeMap<(String, String), Vec<String>>,
    /// Of how many the cluster does not say.
    unsaid: usize,
}

impl Lacking {
    /// Asks for each permission that a run needs.
    pub(super) async fn ask(cluster: &Cluster) -> Lacking {
        Lacking::of(cluster, &[own_rules(), rules()]).await
    }

    /// Asks for each permission of these rules.
    pub(super) async fn of(cluster: &Cluster, rules: &[Value]) -> Lacking {
        Lacking::within(None, cluster, rules).await
    }

    /// Asks for each permission of these rules in a namespace; in none: everywhere.
    pub(super) async fn within(namespace: Option<&str>, cluster: &Cluster, rules: &[Value]) -> Lacking {
        let needed: BTreeSet<Permission> = rules.iter().flat_map(permissions_of).collect();
        let mut lacking = Lacking { needed: needed.len(), missing: BTreeMap::new(), unsaid: 0 };
        let asked = needed.into_iter().map(|permission| async move {
            let (group, resource, verb) = &permission;
            // Whoever does not answer is asked twice.
            let answer = match cluster.may(namespace, verb, group, resource).await {
                None => cluster.may(namespace, verb, group, resource).await,
                said => said,
            };
            (answer, permission)
        });
        let mut answers: Vec<_> = stream::iter(asked).buffer_unordered(AT_ONCE).collect().await;
        answers.sort();
        for (may, (group, resource, verb)) in answers {
            match may {
                Some(true) => {}
                Some(false) => lacking.missing.entry((group, resource)).or_default().push(verb),
                None => lacking.unsaid += 1,
            }
        }
        lacking
    }

    /// Why a run cannot be, where any is missing.
    pub(super) fn refuse(&self) -> Result<(), Failure> {
        match self.missing() {
            None => Ok(()),
            Some(words) => Err(super::failure(&ClusterError::Forbidden(format!("a run needs to {words}")))),
        }
    }

    /// Those that are missing in words; none where none is. What nobody says is not permitted.
    pub(super) fn missing(&self) -> Option<String> {
        let unsaid = (self.unsaid > 0).then(|| format!("be told of {} of {} permissions", self.unsaid, self.needed));
        let missing = (!self.missing.is_empty()).then(|| self.words());
        let all: Vec<String> = missing.into_iter().chain(unsaid).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }

    /// In words: `delete namespaces; create, patch leases`.
    fn words(&self) -> String {
        let said = self.missing.iter().map(|((_, resource), verbs)| format!("{} {resource}", verbs.join(", ")));
        said.collect::<Vec<_>>().join("; ")
    }

    /// As rules of a role.
    fn yaml(&self) -> String {
        let rule = |((group, resource), verbs): (&(String, String), &Vec<String>)| json!({"apiGroups": [group], "resources": [resource], "verbs": verbs});
        serde_yaml::to_string(&self.missing.iter().map(rule).collect::<Vec<_>>()).unwrap_or_default()
    }
}

/// Each permission that a run needs; those that are missing as rules to be added.
async fn permissions(cluster: &Cluster) -> Line {
    let lacking = Lacking::ask(cluster).await;
    let number = lacking.needed;
    let line = |good, says: String| line(good, "Permissions", says);
    match (lacking.missing.len(), lacking.unsaid) {
        (0, 0) => line(Some(true), format!("all {number} that a run needs")),
        (0, unsaid) => line(None, format!("the cluster does not say of {unsaid} of {number}")),
        (missing, _) => {
            let advice = Some(format!("add to a ClusterRole of yours:\n{}", lacking.yaml().trim_end()));
            Line { advice, ..line(Some(false), format!("{missing} rules are missing")) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[test]
    fn the_role_in_kind_config_is_what_a_run_needs() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../kind-config/rbac.yaml");
        let text = std::fs::read_to_string(root).unwrap();
        let objects = serde_yaml::Deserializer::from_str(&text).map(|one| Value::deserialize(one).unwrap());
        let role = objects.into_iter().find(|object| object["kind"] == "ClusterRole").unwrap();
        let mut needed = permissions_of(&own_rules());
        needed.extend(permissions_of(&rules()));
        // What is only looked at, to say beforehand what is missing.
        let looks: BTreeSet<Permission> = ["customresourcedefinitions", "mutatingwebhookconfigurations"]
            .iter()
            .flat_map(|kind| {
                permissions_of(&role["rules"]).into_iter().filter(move |(_, resource, _)| resource == kind)
            })
            .collect();
        needed.extend(looks);
        assert_eq!(permissions_of(&role["rules"]), needed);
        // Who may start runs may send load by agents, too.
        let of_agents = permissions_of(&super::super::agents::rules());
        assert!(of_agents.is_subset(&needed), "{:?}", of_agents.difference(&needed).collect::<Vec<_>>());
    }
}
