//! The application of fixtures/shop, deployed as somebody else's, in a namespace of its own.

use super::{
    before_the_next_look,
    cluster::{ask, make, objects_in},
    root,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// It, until it goes; which it does whatever becomes of the test.
pub struct Shop {
    namespace: Theirs,
}

impl Shop {
    /// Deployed, with what its owners changed of it, and with all of its pods.
    pub fn deploy(change: impl Fn(String) -> String) -> Shop {
        // Somebody may have a `shop` of his own.
        let shop = Shop { namespace: Theirs(format!("shop-{:08x}", rand::random::<u32>())) };
        let text = std::fs::read_to_string(root().join("fixtures/shop/shop.yaml")).unwrap();
        make(&objects_in(&change(shop.own(&text))));
        wait_for_deployments(shop.namespace());
        shop
    }

    pub fn namespace(&self) -> &str {
        &self.namespace.0
    }

    /// A text about `shop` as one about this.
    pub fn own(&self, text: &str) -> String {
        let name = self.namespace();
        text.replace("namespace: shop", &format!("namespace: {name}"))
            .replace("name: shop", &format!("name: {name}"))
            .replace("namespace \"shop\"", &format!("namespace \"{name}\""))
    }
}

/// What of somebody else's is in a namespace, as far as a run could have changed it: objects as they are, and of pods who they are
/// and how often they began anew.
pub fn theirs(namespace: &str) -> BTreeMap<String, Value> {
    const KINDS: [(&str, &str); 10] = [
        ("v1", "Service"),
        ("v1", "ConfigMap"),
        ("v1", "Secret"),
        ("apps/v1", "Deployment"),
        ("networking.istio.io/v1", "VirtualService"),
        ("networking.istio.io/v1", "DestinationRule"),
        ("networking.istio.io/v1", "Sidecar"),
        ("networking.istio.io/v1alpha3", "EnvoyFilter"),
        ("security.istio.io/v1", "PeerAuthentication"),
        ("v1", "Pod"),
    ];
    let mut all = BTreeMap::new();
    for (api, kind) in KINDS {
        let like = json!({"apiVersion": api, "kind": kind, "metadata": {"namespace": namespace}});
        for object in ask(async |cluster| cluster.list(&like).await.unwrap()) {
            let name = format!("{kind} {}", object["metadata"]["name"].as_str().unwrap());
            let began = |status: &Value| status["restartCount"].clone();
            let as_it_is = match kind {
                "Pod" => {
                    let statuses = object["status"]["containerStatuses"].as_array().into_iter().flatten();
                    json!([object["metadata"]["uid"], statuses.map(began).collect::<Vec<_>>()])
                }
                _ => object,
            };
            all.insert(name, as_it_is);
        }
    }
    all
}

/// Waits until all deployments of a namespace have all of their pods.
fn wait_for_deployments(namespace: &str) {
    let by = Instant::now() + Duration::from_secs(120);
    let like = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": namespace}});
    let is_there = |one: &Value| one["status"]["readyReplicas"] == one["spec"]["replicas"];
    loop {
        let all = ask(async |cluster| cluster.list(&like).await.unwrap());
        if all.iter().all(is_there) {
            return;
        }
        assert!(Instant::now() < by, "the application is not there: {all:?}");
        before_the_next_look();
    }
}

/// A namespace of a test's own, which goes whatever becomes of the test.
struct Theirs(String);

impl Drop for Theirs {
    fn drop(&mut self) {
        ask(async |cluster| {
            let _ = cluster.remove_namespace(&self.0, Duration::from_secs(90)).await;
        });
    }
}
