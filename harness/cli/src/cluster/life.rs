//! How the runner in a cluster notices that the one who started it is gone: by the signs of life that no longer change.

use super::{job::Job, manifest};
use squall_place::kubernetes::Cluster;
use std::{convert::Infallible, time::Duration};
use tokio::time::{Instant, sleep_until};

/// How often signs are given, and looked for.
pub const BEAT: Duration = Duration::from_secs(3);

/// How long the one who started a run may be silent.
pub const LEASE: Duration = Duration::from_secs(15);

/// Gives signs of life. An API server that is away has nobody lose anything: the other side cannot look either.
pub async fn give(cluster: &Cluster, job: &Job) -> Infallible {
    let mut number = 0;
    loop {
        number += 1;
        sleep_until(Instant::now() + BEAT).await;
        let _ = cluster.apply(&manifest::sign(job, number)).await;
    }
}

/// Returns when the signs have stood still for too long; only time in which the API server answers counts.
pub async fn stands_still(cluster: &Cluster, job: &Job) {
    let (mut last, mut silent) = (None, Duration::ZERO);
    while silent < job.lease {
        sleep_until(Instant::now() + BEAT).await;
        let Ok(Some(lease)) = cluster.get(&manifest::sign(job, 0)).await else { continue };
        let sign = lease["spec"]["holderIdentity"].as_str().map(str::to_owned);
        silent = if sign == last { silent + BEAT } else { Duration::ZERO };
        last = sign;
    }
}
