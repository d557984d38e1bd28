//! `reaper`: what stands on a cluster, in a namespace of its own, and removes what is left of runs of which nobody is left.
//!
//! It is the last of several nets. A starter removes its run; a runner whose starter is gone ends itself, and agents end what is in
//! their pods, whoever is gone. When both are gone at once, a namespace is left in which nothing runs: that is its part.

use super::{failure, life, manifest::GONE};
use crate::{
    outcome::{Exit, Failure},
    stop::Signals,
    term::Out,
};
use squall_place::kubernetes::Cluster;
use std::{collections::BTreeMap, convert::Infallible, time::Duration};
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
            never = watch(&cluster, out) => match never {},
        }
    })?
}

async fn watch(cluster: &Cluster, out: Out) -> Infallible {
    let mut runs = Runs::default();
    loop {
        sleep_until(Instant::now() + life::BEAT).await;
        // Time in which the API server does not answer counts for nobody: signs cannot arrive then.
        let Ok(names) = cluster.namespaces_of_runs().await else { continue };
        runs.keep(&names);
        for name in names {
            let Ok(sign) = life::sign(cluster, &name).await else { continue };
            if runs.silence(&name, sign) < life::SILENT {
                continue;
            }
            out.note(&match cluster.remove_namespace(&name, GONE).await {
                Ok(()) => format!("removed {name}: nobody gave a sign of life for {} s", life::SILENT.as_secs()),
                Err(error) => format!("{name} is left: {error}"),
            });
        }
    }
}

/// The silence of each run, by its namespace.
#[derive(Debug, Default)]
struct Runs(BTreeMap<String, life::Silence>);

impl Runs {
    /// Forgets those that are gone.
    fn keep(&mut self, names: &[String]) {
        self.0.retain(|name, _| names.contains(name));
    }

    /// For how long a run has been silent, now that its sign is this.
    fn silence(&mut self, name: &str, sign: Option<String>) -> Duration {
        let run = self.0.entry(name.to_owned()).or_default();
        run.look(sign);
        run.so_far
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
        runs.keep(&["b".into()]);
        assert_eq!(runs.silence("a", Some("2".into())), beats(0));
        assert_eq!(runs.silence("b", None), beats(2));
    }
}
