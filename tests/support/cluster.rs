//! What the tests on a real cluster share. Only clusters of this machine are touched (kind's): elsewhere, and without one, they say SKIPPED and why.

use super::{Ran, Squall, before_the_next_look, root};
use serde::Deserialize as _;
use serde_json::{Value, json};
use squall_place::kubernetes::Cluster;
use std::{
    io::Write as _,
    process::{Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How long the runner waits for whoever started it, and a namespace takes to go, and some.
pub const ORPHANED: Duration = Duration::from_secs(60);

/// Runs on one cluster take turns.
static TURN: Mutex<()> = Mutex::new(());

/// A turn on a cluster of this machine, with Istio on it and our image in its nodes.
pub fn cluster_to_be_had() -> Option<MutexGuard<'static, ()>> {
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let doctor = Squall::new().run(&["doctor", "--on", "kubernetes"]);
    let own =
        ["at https://127.0.0.1", "at https://localhost", "at https://[::1]"].iter().any(|at| doctor.out.contains(at));
    let why = match doctor.status {
        Some(0) if own => return Some(turn),
        Some(0) => "the cluster is not one of this machine, and might be somebody's".to_owned(),
        _ => doctor.out.lines().find(|line| line.starts_with('✗')).unwrap_or("no cluster").to_owned(),
    };
    std::io::stderr().write_all(format!("SKIPPED the cluster tier: {why}\n").as_bytes()).unwrap();
    None
}

/// Runs features in pods of it.
pub fn run(squall: &Squall, args: &[&str]) -> Ran {
    let mut all = vec!["run", "--mesh", "istio", "--on", "kubernetes"];
    all.extend(args);
    squall.run(&all)
}

/// Asks the cluster something.
pub fn ask<T>(question: impl AsyncFnOnce(&Cluster) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { question(&Cluster::connect(None).await.unwrap()).await })
}

/// The namespaces of runs that are there.
pub fn namespaces() -> Vec<String> {
    ask(async |cluster| cluster.namespaces_of_runs().await.unwrap())
}

/// Waits until there are none, or the time is over.
pub fn namespaces_after(time: Duration) -> Vec<String> {
    let by = Instant::now() + time;
    loop {
        let left = namespaces();
        if left.is_empty() || Instant::now() > by {
            return left;
        }
        before_the_next_look();
    }
}

/// Has the cluster keep them.
pub fn make(objects: &[Value]) {
    for object in objects {
        ask(async |cluster| cluster.apply(object).await.unwrap());
    }
}

/// Removes them, the last first; namespaces are gone then.
pub fn remove(objects: &[Value]) {
    for object in objects.iter().rev() {
        let name = object["metadata"]["name"].as_str().unwrap();
        ask(async |cluster| match object["kind"] == "Namespace" {
            true => cluster.remove_namespace(name, ORPHANED).await.unwrap(),
            false => cluster.delete(object).await.unwrap(),
        });
    }
}

/// The objects of a file.
pub fn objects(path: &str) -> Vec<Value> {
    objects_in(&std::fs::read_to_string(root().join(path)).unwrap())
}

/// The objects of a text.
pub fn objects_in(text: &str) -> Vec<Value> {
    serde_yaml::Deserializer::from_str(text).map(|one| Value::deserialize(one).unwrap()).collect()
}

/// A kubeconfig by which whoever owns the cluster acts as the account that the role of kind-config is bound to.
pub fn as_the_starter(squall: &Squall) -> String {
    let path =
        std::env::var("KUBECONFIG").unwrap_or_else(|_| format!("{}/.kube/config", std::env::var("HOME").unwrap()));
    let mut config: Value = serde_yaml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    for user in config["users"].as_array_mut().unwrap() {
        user["user"]["as"] = json!("system:serviceaccount:squall-system:squall-starter");
    }
    squall.feature("kubeconfig", &serde_yaml::to_string(&config).unwrap())
}

/// Whether a command succeeds on the node of the API server, where that is a container of this machine.
pub fn on_node(command: &[&str]) -> bool {
    let node = ask(async |cluster| cluster.server().to_owned());
    let names = Command::new("docker").args(["ps", "--format", "{{.Names}} {{.Ports}}"]).output();
    let Ok(names) = names else { return false };
    let port = node.trim_end_matches('/').rsplit(':').next().unwrap_or_default().to_owned();
    let names = String::from_utf8_lossy(&names.stdout).into_owned();
    let Some(name) = names.lines().find(|line| line.contains(&format!(":{port}->"))).and_then(|l| l.split(' ').next())
    else {
        return false;
    };
    let done = Command::new("docker").args(["exec", name]).args(command).stdout(Stdio::null()).status();
    done.is_ok_and(|status| status.success())
}
