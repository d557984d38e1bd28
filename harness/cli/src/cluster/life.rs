//! How the runner in a cluster notices that the one who started it is gone: by the signs of life that no longer change.

use super::{job::Job, manifest};
use serde_json::Value;
use squall_place::kubernetes::{Cluster, ClusterError};
use std::{convert::Infallible, time::Duration};
use tokio::time::{Instant, sleep_until};

/// How often signs are given, and looked for.
pub const BEAT: Duration = Duration::from_secs(3);

/// How long the one who started a run may be silent.
pub const LEASE: Duration = Duration::from_secs(9);

/// How long a sign may take to be given: two that come to nothing in a row are no silence yet.
const SIGN: Duration = Duration::from_millis(1_500);

/// How long they may stand still before somebody else removes the run: a runner that notices the same ends in order, and is let go first.
pub const SILENT: Duration = Duration::from_secs(LEASE.as_secs() + 4 * BEAT.as_secs());

/// Gives signs of life, each of another number. An API server that is away has nobody lose anything: the other side cannot look either.
pub async fn give(cluster: &Cluster, sign: impl Fn(u64) -> Value) -> Infallible {
    let mut number = 0;
    loop {
        number += 1;
        sleep_until(Instant::now() + BEAT).await;
        // One that takes long is not waited for: the next one is due.
        let _ = tokio::time::timeout(SIGN, cluster.apply(&sign(number))).await;
    }
}

/// Returns when the signs have stood still for too long; only time in which the API server answers counts.
pub async fn stands_still(cluster: &Cluster, job: &Job) {
    let mut starter = Silence::default();
    while starter.so_far < job.lease {
        sleep_until(Instant::now() + BEAT).await;
        let Ok(Some(sign)) = sign(cluster, &job.namespace).await else { continue };
        starter.look(Some(sign));
    }
}

/// For how long somebody has given no other sign, as far as it was looked: once a beat.
#[derive(Debug, Default)]
pub struct Silence {
    /// `None`: nobody has looked yet.
    last: Option<Option<String>>,
    pub so_far: Duration,
}

impl Silence {
    /// The sign is this now; `None`: there is none.
    pub fn look(&mut self, sign: Option<String>) {
        let same = self.last.as_ref() == Some(&sign);
        self.so_far = if same { self.so_far + BEAT } else { Duration::ZERO };
        self.last = Some(sign);
    }
}

/// The last sign in this namespace; `None`: there was none.
pub async fn sign(cluster: &Cluster, namespace: &str) -> Result<Option<String>, ClusterError> {
    let lease = cluster.get(&manifest::lease(namespace)).await?;
    Ok(lease.and_then(|lease| lease["spec"]["holderIdentity"].as_str().map(str::to_owned)))
}
