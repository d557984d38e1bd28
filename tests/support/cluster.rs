//! What the tests on a real cluster share. Only clusters of this machine are touched (kind's): elsewhere, and without one, they say SKIPPED and why.

use super::{Squall, before_the_next_look};
use squall_place::kubernetes::{Cluster, RUN};
use std::{
    io::Write as _,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

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

/// Asks the cluster something.
pub fn ask<T>(question: impl AsyncFnOnce(&Cluster) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { question(&Cluster::connect(None).await.unwrap()).await })
}

/// The namespaces of runs that are there.
pub fn namespaces() -> Vec<String> {
    ask(async |cluster| cluster.namespaces(RUN).await.unwrap())
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
