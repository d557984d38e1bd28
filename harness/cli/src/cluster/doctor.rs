//! `doctor` for a cluster: what it is, what is installed, and what we may do on it.

use super::manifest::rules;
use crate::{outcome::Failure, settings::Settings};
use serde_json::{Value, json};
use squall_place::kubernetes::Cluster;

/// One finding: good, bad, or neither; what it is about; what it says; what to do about it.
pub type Finding = (Option<bool>, &'static str, String, Option<String>);

/// What a run needs beside what its own runner may do: the one who starts it makes a namespace, and what is in it.
fn own_rules() -> Value {
    json!([
        {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["create", "get", "list", "delete"]},
        {"apiGroups": [""], "resources": ["serviceaccounts", "configmaps", "secrets"], "verbs": ["create", "patch"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["create", "get", "list", "watch", "delete"]},
        {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
        {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles", "rolebindings"], "verbs": ["create", "patch"]},
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create", "get", "patch"]},
    ])
}

/// Looks at the cluster.
pub fn examined(context: Option<&str>, settings: &Settings) -> Result<Vec<Finding>, Failure> {
    let context = context.or(settings.kubernetes.context.as_deref());
    let image = super::remote::image(std::env::var("SQUALL_IMAGE").ok().as_deref(), settings);
    super::seat::block_on(lines(context, &image, settings.kubernetes.revision.as_deref()))
}

/// Everything that can be said without touching anything.
async fn lines(context: Option<&str>, image: &str, revision: Option<&str>) -> Vec<Finding> {
    let cluster = match Cluster::connect(context).await {
        Ok(cluster) => cluster,
        Err(error) => return vec![(Some(false), "Cluster", error.to_string(), advice(&super::failure(&error)))],
    };
    let mut all = Vec::new();
    match cluster.version().await {
        Ok(version) => {
            all.push((Some(true), "Cluster", format!("Kubernetes {} at {}", version.server, cluster.server()), None));
        }
        Err(error) => {
            return vec![(
                Some(false),
                "Cluster",
                format!("{}: {error}", cluster.server()),
                advice(&super::failure(&error)),
            )];
        }
    }
    all.push(istio(&cluster).await);
    all.push(injection(&cluster, revision).await);
    all.extend(permissions(&cluster).await);
    all.push((
        None,
        "Image",
        format!("{image}: whether nodes have it, or can pull it, is seen when a pod needs it"),
        None,
    ));
    all
}

fn advice(failure: &Failure) -> Option<String> {
    let help = failure.helps().join("\n");
    (!help.is_empty()).then_some(help)
}

async fn istio(cluster: &Cluster) -> Finding {
    let lacks =
        |says: String| (Some(false), "Istio", says, Some("install Istio: kind-config/README.md says how".to_owned()));
    let mut missing = Vec::new();
    for name in ["virtualservices", "destinationrules", "serviceentries", "workloadentries", "sidecars", "envoyfilters"]
    {
        let kind = json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{name}.networking.istio.io")},
        });
        match cluster.get(&kind).await {
            Ok(Some(_)) => {}
            Ok(None) => missing.push(name),
            Err(error) => return (None, "Istio", format!("its definitions cannot be looked at: {error}"), None),
        }
    }
    if !missing.is_empty() {
        return lacks(format!("these definitions are missing: {}", missing.join(", ")));
    }
    match cluster.image_of("istio-system", "app=istiod").await {
        Some(image) => (Some(true), "Istio", format!("istiod runs, {image}"), None),
        None => lacks("its definitions are there, and no istiod runs in istio-system".into()),
    }
}

async fn injection(cluster: &Cluster, revision: Option<&str>) -> Finding {
    let webhook = |name: &str| {
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": name},
        })
    };
    let (name, label) = match revision {
        Some(revision) => (format!("istio-sidecar-injector-{revision}"), format!("istio.io/rev={revision}")),
        None => ("istio-sidecar-injector".to_owned(), "istio-injection=enabled".to_owned()),
    };
    match cluster.get(&webhook(&name)).await {
        Ok(Some(_)) => (Some(true), "Injection", format!("namespaces labelled {label} get sidecars"), None),
        Ok(None) if revision.is_some() => (Some(false), "Injection", format!("there is no {name}"), None),
        Ok(None) => {
            let advice = "where Istio has a revision, name it: `[kubernetes] revision = \"…\"` in squall.toml";
            (None, "Injection", "there is no injector without a revision".into(), Some(advice.into()))
        }
        Err(error) => (None, "Injection", format!("cannot be looked at: {error}"), None),
    }
}

/// Each permission that a run needs; those that are missing as a rule to be added.
async fn permissions(cluster: &Cluster) -> Vec<Finding> {
    let (mut missing, mut number, mut unsaid) = (Vec::new(), 0, 0);
    let all = [own_rules(), rules()];
    for rule in all.iter().filter_map(Value::as_array).flatten() {
        let words = |field: &str| {
            let list = rule[field].as_array().cloned().unwrap_or_default();
            list.iter().filter_map(|word| word.as_str().map(str::to_owned)).collect::<Vec<String>>()
        };
        for (group, resource) in
            words("apiGroups").iter().flat_map(|g| words("resources").into_iter().map(move |r| (g.clone(), r)))
        {
            let mut lacks = Vec::new();
            for verb in words("verbs") {
                number += 1;
                match cluster.may(&verb, &group, &resource, None).await {
                    Some(true) => {}
                    Some(false) => lacks.push(verb),
                    None => unsaid += 1,
                }
            }
            if !lacks.is_empty() {
                missing.push(json!({"apiGroups": [group], "resources": [resource], "verbs": lacks}));
            }
        }
    }
    let finding = match (missing.is_empty(), unsaid) {
        (true, 0) => (Some(true), "Permissions", format!("all {number} that a run needs"), None),
        (true, _) => (None, "Permissions", format!("the cluster does not say of {unsaid} of {number}"), None),
        (false, _) => {
            let yaml = serde_yaml::to_string(&missing).unwrap_or_default();
            (
                Some(false),
                "Permissions",
                format!("{} rules are missing", missing.len()),
                Some(format!("add to a ClusterRole of yours:\n{}", yaml.trim_end())),
            )
        }
    };
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::collections::BTreeSet;

    type Permissions = BTreeSet<(String, String, String)>;

    fn permissions(rules: &Value) -> Permissions {
        let words = |rule: &Value, field: &str| {
            let list = rule[field].as_array().cloned().unwrap_or_default();
            list.into_iter().map(|word| word.as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let mut all = Permissions::new();
        for rule in rules.as_array().unwrap() {
            for group in words(rule, "apiGroups") {
                for resource in words(rule, "resources") {
                    all.extend(words(rule, "verbs").into_iter().map(|verb| (group.clone(), resource.clone(), verb)));
                }
            }
        }
        all
    }

    #[test]
    fn the_role_in_kind_config_is_what_a_run_needs() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../kind-config/rbac.yaml");
        let text = std::fs::read_to_string(root).unwrap();
        let objects = serde_yaml::Deserializer::from_str(&text).map(|one| Value::deserialize(one).unwrap());
        let role = objects.into_iter().find(|object| object["kind"] == "ClusterRole").unwrap();
        let mut needed = permissions(&own_rules());
        needed.extend(permissions(&rules()));
        // What is only looked at, to say beforehand what is missing.
        let looks: Permissions = ["customresourcedefinitions", "mutatingwebhookconfigurations"]
            .iter()
            .flat_map(|kind| permissions(&role["rules"]).into_iter().filter(move |(_, resource, _)| resource == kind))
            .collect();
        needed.extend(looks);
        assert_eq!(permissions(&role["rules"]), needed);
    }
}
