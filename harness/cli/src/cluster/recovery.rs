//! `recover` on a cluster: what runs left whose starter is gone.

use super::{failure, life, manifest::GONE};
use crate::{
    outcome::{Exit, Failure},
    settings::Settings,
    term::Out,
};
use squall_place::kubernetes::{Cluster, ClusterError, RUN};
use std::{path::Path, time::Duration};
use tokio::time::{Instant, sleep_until};

/// How often signs of life are looked for.
const LOOK: Duration = Duration::from_millis(500);

/// Removes the namespaces of runs that nobody waits for any more, and says what it found.
pub fn leftovers(context: Option<&str>, out: Out) -> Result<Exit, Failure> {
    let settings = Settings::read(Path::new("."))?;
    let context = settings.kubernetes.context(context);
    super::seat::block_on(async {
        let cluster = Cluster::connect(context).await.map_err(|e| failure(&e))?;
        let all = cluster.namespaces(RUN).await.map_err(|e| failure(&e))?;
        if all.is_empty() {
            out.print("nothing is left on the cluster\n");
        }
        let mut unremoved = None;
        for name in all {
            out.note(&format!(
                "{name} on {}: looking {} s for signs of life",
                cluster.server(),
                life::SILENT.as_secs()
            ));
            match remove_if_dead(&cluster, &name).await {
                Ok(true) => out.print(&format!("removed namespace {name}, with all that a run had left in it\n")),
                Ok(false) => out.print(&format!("{name}: its run is alive, and is left alone\n")),
                Err(error) => {
                    out.print(&format!("{name}: {error}\n"));
                    unremoved = Some(error);
                }
            }
        }
        match unremoved {
            None => Ok(Exit::Holds),
            Some(error) => Err(failure(&error)),
        }
    })?
}

async fn remove_if_dead(cluster: &Cluster, name: &str) -> Result<bool, ClusterError> {
    if is_alive(cluster, name).await? {
        return Ok(false);
    }
    cluster.remove_namespace(name, GONE).await.map(|()| true)
}

/// Whether the one who started a run gives signs of life: they change in time, and go on to. One may have been under way when whoever gave it
/// died, and comes after the first look. What cannot be looked at is not judged.
async fn is_alive(cluster: &Cluster, namespace: &str) -> Result<bool, ClusterError> {
    let (mut last, mut has_changed) = (life::sign(cluster, namespace).await?, false);
    let mut by = Instant::now() + life::SILENT;
    while Instant::now() < by {
        sleep_until(Instant::now() + LOOK).await;
        let sign = life::sign(cluster, namespace).await?;
        if sign != last {
            if has_changed {
                return Ok(true);
            }
            (last, has_changed, by) = (sign, true, Instant::now() + life::SILENT);
        }
    }
    Ok(false)
}
