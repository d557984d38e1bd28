//! Applications that somebody else deployed: joined, broken, judged, and untouched but for what was allowed.
//!
//! Only clusters of this machine are touched (kind's): elsewhere, and without one, it says SKIPPED and why.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test that cannot unwrap should fail, and says what it saw"
)]

mod support;

use serde_json::{Value, json};
use std::time::{Duration, Instant};
use support::{
    Ran, Squall, before_the_next_look,
    cluster::{as_the_starter, ask, cluster_to_be_had, make, namespaces, objects, objects_in, on_node, remove, run},
    root,
    shop::{Shop, theirs},
    until_decided,
};

#[test]
fn an_application_of_somebody_elses_is_joined_broken_judged_and_untouched() {
    let Some(_turn) = cluster_to_be_had() else { return };
    let shop = Shop::deploy(|text| text);
    let name = shop.namespace().to_owned();
    let read = |path: &str| shop.own(&std::fs::read_to_string(root().join(path)).unwrap());
    let before = theirs(&name);
    let squall = Squall::new();
    let text = read("fixtures/shop/shop.feature");
    let feature = squall.feature("shop.feature", &text);
    let held = until_decided(|| run(&squall, &["--controls", &feature]));
    eprintln!("{}", held.out);
    // One number changed: nobody answers as fast as that.
    let other = squall.feature("other.feature", &text.replace("within 400 ms", "within 1 ms"));
    let line = 1 + text.lines().position(|line| line.contains("within 400 ms")).unwrap();
    let red = run(&squall, &[&format!("{other}:{line}")]);
    let plan = ["plan", "--mesh", "istio", "--on", "kubernetes", &feature];
    let planned = squall.run(&plan);
    let after = theirs(&name);
    // Whoever starts runs sees it only where a role lets him.
    let (role, looks) = (objects("kind-config/rbac.yaml"), objects_in(&read("kind-config/application.yaml")));
    make(&role);
    let own = as_the_starter(&squall);
    let with = || Ran::from(squall.command(&plan).env("KUBECONFIG", &own).output().unwrap());
    let unseen = with();
    make(&looks);
    let by = Instant::now() + Duration::from_secs(10);
    let seen = loop {
        let ran = with();
        if ran.status == Some(0) || Instant::now() > by {
            break ran;
        }
    };
    remove(&role);
    drop(shop);
    let joins = format!("joins    front x1, reviews x3 in namespace {name}");
    unseen.expect(3).says(&["kind-config/application.yaml"]);
    seen.expect(0).says(&[&joins]);
    held.expect(0).says(&[
        "5 scenarios: 5 hold",
        "5 controls: 5 red",
        "in force web-1 → reviews: timeout 2 s; 2 retries on 5xx",
    ]);
    red.expect(1).says(&[&format!("other.feature:{line}"), "violated"]);
    let adds = format!("adds     EnvoyFilter squall-port-reviews in namespace {name}");
    planned.expect(0).says(&[&joins, &adds]);
    assert_eq!(after, before);
    assert_eq!(namespaces(), Vec::<String>::new());
}

/// The line of a text that has these words, from 0.
fn line_of(text: &str, words: &str) -> usize {
    text.lines().position(|line| line.contains(words)).unwrap()
}

/// What the role of whoever starts runs lets him do beside an application, and the guard does not: nothing of it is really done.
fn beyond_the_guard(namespace: &str) -> Vec<Vec<&str>> {
    let all = [
        "create configmap squall-stray",
        "create role squall-edits-stray --verb=create --resource=secrets",
        "create role stray --verb=list --resource=pods",
        "create rolebinding squall-edits-stray --role=squall-edits --user=mallory",
        "create rolebinding squall-edits-stray --role=squall-edits --serviceaccount=squall-1:squall-runner",
        "delete namespace",
    ];
    let words = |one: &'static str| one.split(' ').collect::<Vec<_>>();
    let mut all: Vec<Vec<&str>> = all.into_iter().map(words).collect();
    all.last_mut().unwrap().push(namespace);
    all
}

/// Has kind-config/guard.yaml in force, and sees that it is.
fn bind(namespace: &str, guard: &[Value]) {
    let may = |args: &[&str]| {
        let kubectl = ["kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf", "-n", namespace];
        let starter = ["--as", "system:serviceaccount:squall-system:squall-starter", "--dry-run=server"];
        on_node(&[&kubectl[..], args, &starter[..]].concat())
    };
    let by = Instant::now() + Duration::from_secs(60);
    let all = beyond_the_guard(namespace);
    let until = |is_permitted: bool| {
        for args in &all {
            while may(args) != is_permitted {
                assert!(Instant::now() < by, "{}: {}", args.join(" "), may(args));
                before_the_next_look();
            }
        }
    };
    until(true);
    make(guard);
    until(false);
}

#[test]
fn pods_of_an_application_are_restarted_where_that_is_allowed() {
    let Some(_turn) = cluster_to_be_had() else { return };
    let shop = Shop::deploy(|text| text);
    let name = shop.namespace().to_owned();
    let squall = Squall::new();
    let text = shop.own(&std::fs::read_to_string(root().join("fixtures/shop/edits.feature")).unwrap());
    let feature = squall.feature("edits.feature", &text);
    // Who started how often is what is edited here, and no object is.
    let unedited = || {
        let mut all = theirs(&name);
        all.retain(|name, _| !name.starts_with("Pod "));
        all.iter_mut().filter(|(name, _)| name.starts_with("Deployment ")).for_each(|(_, it)| *it = it["spec"].take());
        all
    };
    let pods = || theirs(&name).into_keys().filter(|name| name.starts_with("Pod ")).collect::<Vec<String>>();
    let (before, first) = (unedited(), pods());
    let refused = run(&squall, &[&feature]);
    let untouched = pods();
    let planned = squall.run(&["plan", "--mesh", "istio", "--on", "kubernetes", "--allow-edit", &feature]);
    // With no more rights than those of kind-config, and bound to what is a run's.
    let (role, guard) = (objects("kind-config/rbac.yaml"), objects("kind-config/guard.yaml"));
    make(&role);
    make(&objects_in(&shop.own(&std::fs::read_to_string(root().join("kind-config/application.yaml")).unwrap())));
    bind(&name, &guard);
    let own = as_the_starter(&squall);
    let with = |args: &[&str]| {
        let args = [&["run", "--mesh", "istio", "--on", "kubernetes", "--allow-edit"], args].concat();
        Ran::from(squall.command(&args).env("KUBECONFIG", &own).output().unwrap())
    };
    // A budget that keeps all of its pods.
    let budget = json!({
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "all", "namespace": name},
        "spec": {"minAvailable": 3, "selector": {"matchLabels": {"app": "reviews"}}},
    });
    make(std::slice::from_ref(&budget));
    let kept = with(&["--no-controls", &format!("{feature}:{}", 1 + line_of(&text, "Hardly anybody"))]);
    let spared = pods();
    remove(std::slice::from_ref(&budget));
    let held = until_decided(|| with(&["--controls", &feature]));
    eprintln!("{}{}", kept.out, held.out);
    remove(&[role, guard].concat());
    let (after, last) = (unedited(), pods());
    // What the runner was allowed goes with the namespace of the run.
    let roles = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"namespace": name}});
    let by = Instant::now() + Duration::from_secs(30);
    let is_of_a_run = |role: &Value| role["metadata"]["name"].as_str().unwrap().starts_with("squall-edits-");
    while ask(async |cluster| cluster.list(&roles).await.unwrap()).iter().any(is_of_a_run) {
        assert!(Instant::now() < by, "the role of the run is left");
        before_the_next_look();
    }
    drop(shop);
    refused.says(&["2 unsupported", "--allow-edit"]);
    assert_eq!(untouched, first, "without being allowed nobody is restarted");
    planned.expect(0).says(&[&format!("edits    pods of reviews in namespace {name} are evicted")]);
    kept.expect(3).says(&["disruption budget"]);
    assert_eq!(spared, first, "a budget is its owners' word");
    held.expect(0).says(&["2 scenarios: 2 hold", "2 controls: 2 red"]);
    assert_eq!(after, before);
    assert_eq!(last.len(), first.len());
    assert!(last.iter().any(|pod| !first.contains(pod)), "{last:?}");
    assert_eq!(namespaces(), Vec::<String>::new());
}
