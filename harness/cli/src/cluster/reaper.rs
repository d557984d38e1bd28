//! `reaper`: what stands on a cluster, in a namespace of its own, and removes what is left of runs of which nobody is left.
//!
//! It is the last of several nets. A starter removes its run; a runner whose starter is gone ends itself, and agents end what is in
//! their pods, whoever is gone. When both are gone at once, a namespace is left in which nothing runs: that is its part.

use super::{failure, life};
use crate::{
    outcome::{Exit, Failure},
    stop::Signals,
    term::Out,
};
use serde_json::json;
use squall_place::kubernetes::{Cluster, ClusterError};
use std::{collections::BTreeMap, time::Duration};
use tokio::time::{Instant, sleep_until};

/// Watches over all runs of a cluster, until it is told to end.
pub fn reaper(out: Out) -> Result<Exit, Failure> {
    super::seat::block_on(async {
        let fail = |e: std::io::Error| Failure::environment(format!("failed to listen for signals: {e}"));
        let mut signals = Signals::listen().map_err(fail)?;
        let cluster = Cluster::connect(None).await.map_err(|e| failure(&e))?;
        out.note(&format!("watching over the runs on {}", cluster.server()));
        tokio::select! {
            _ = signals.first() => Ok(Exit::Holds),
            why = watch(&cluster, out) => Err(why),
        }
    })?
}

/// Returns only where it cannot watch, and then why: a reaper that may not look would stand there as if it watched.
async fn watch(cluster: &Cluster, out: Out) -> Failure {
    let mut runs = Runs::default();
    loop {
        sleep_until(Instant::now() + life::BEAT).await;
        match look(cluster, &mut runs, out).await {
            Ok(()) => {}
            // Time in which the API server does not answer counts for nobody: signs cannot arrive then.
            Err(error) if error.is_passing() => {}
            Err(error) => return failure(&error),
        }
    }
}

/// Looks at every run once. What is wrong with one of them, or takes long, keeps nobody from the others.
async fn look(cluster: &Cluster, runs: &mut Runs, out: Out) -> Result<(), ClusterError> {
    let names = cluster.namespaces_of_runs().await?;
    for gone in runs.keep(&names) {
        out.note(&format!("removed {gone}: nobody gave a sign of life for {} s", life::SILENT.as_secs()));
    }
    for name in names {
        match look_at(cluster, runs, &name).await {
            Err(error @ (ClusterError::Forbidden(_) | ClusterError::Unauthorized(_))) => return Err(error),
            Err(error) if !error.is_passing() => out.note(&format!("{name} is left: {error}")),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// Has a run removed that has been silent for too long.
async fn look_at(cluster: &Cluster, runs: &mut Runs, name: &str) -> Result<(), ClusterError> {
    if runs.silence(name, life::sign(cluster, name).await?) < life::SILENT {
        return Ok(());
    }
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    cluster.delete(&namespace).await?;
    runs.is_told(name);
    Ok(())
}

/// The silence of each run, by its namespace, and whether it was told to go.
#[derive(Debug, Default)]
struct Runs(BTreeMap<String, (life::Silence, bool)>);

impl Runs {
    /// Forgets those that are gone, and names those of them that were told to go.
    fn keep(&mut self, names: &[String]) -> Vec<String> {
        let (kept, gone): (BTreeMap<_, _>, BTreeMap<_, _>) =
            std::mem::take(&mut self.0).into_iter().partition(|(name, _)| names.contains(name));
        self.0 = kept;
        gone.into_iter().filter_map(|(name, (_, told))| told.then_some(name)).collect()
    }

    /// For how long a run has been silent, now that its sign is this.
    fn silence(&mut self, name: &str, sign: Option<String>) -> Duration {
        let (silence, _) = self.0.entry(name.to_owned()).or_default();
        silence.look(sign);
        silence.so_far
    }

    fn is_told(&mut self, name: &str) {
        self.0.entry(name.to_owned()).or_default().1 = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_silent_for_as_long_as_its_sign_is_the_same() {
        let mut runs = Runs::default();
        let beats = |n: u32| n * life::BEAT;
        assert_eq!(runs.silence("a", Some("1".into())), beats(0));
        assert_eq!(runs.silence("a", Some("1".into())), beats(1));
        assert_eq!(runs.silence("a", Some("1".into())), beats(2));
        assert_eq!(runs.silence("a", Some("2".into())), beats(0));
        // One that never gave a sign is as silent.
        assert_eq!(runs.silence("b", None), beats(0));
        assert_eq!(runs.silence("b", None), beats(1));
        // Another run of the same name begins anew.
        assert_eq!(runs.keep(&["b".into()]), [""; 0]);
        assert_eq!(runs.silence("a", Some("2".into())), beats(0));
        assert_eq!(runs.silence("b", None), beats(2));
        // Of those that were told to go it is said when they are gone.
        runs.is_told("b");
        assert_eq!(runs.keep(&["a".into(), "b".into()]), [""; 0]);
        assert_eq!(runs.keep(&["a".into()]), ["b"]);
        assert_eq!(runs.keep(&[]), [""; 0]);
    }
}
