//! The pods of a Job of agents: how they are found, heard and told.

use super::{
    super::{
        ear::{Unheard, follow},
        failure,
    },
    manifest::{self, AGENTS, Job, Pod},
    roll::News,
};
use crate::{
    load::{Orders, Word},
    outcome::Failure,
};
use futures_util::{StreamExt as _, stream};
use serde_json::json;
use squall_place::kubernetes::{Cluster, ClusterError, Ended};
use std::{convert::Infallible, time::Duration};
use tokio::{
    sync::{mpsc::UnboundedSender, watch},
    time::{Instant, sleep_until, timeout},
};

/// How long Kubernetes may take to make all pods; that they run is another thing.
const MADE: Duration = Duration::from_secs(30);

/// How soon is looked, or tried, again.
const AGAIN: Duration = Duration::from_millis(500);

/// How often agents are given a sign of life. Each has their machines look after their pods, so it is not more often than that takes.
const SIGN: Duration = Duration::from_secs(10);

/// How often after an order, and for how long. A machine was seen to bring a pod's files up to date by the change that came next, and not
/// by the one that was meant: two of four agents heard of their start ten seconds later, by a sign of life.
const AFTER_AN_ORDER: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(20));

/// How many pods are told something at once.
const AT_ONCE: usize = 16;

/// Waits until there is a pod for each agent.
pub async fn find(cluster: &Cluster, job: &Job) -> Result<Vec<Pod>, Failure> {
    let like = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": job.namespace}});
    let by = Instant::now() + MADE;
    loop {
        let found = match cluster.list(&like).await {
            Ok(found) => manifest::pods(&found, job.agents),
            Err(error) if error.is_passing() => Vec::new(),
            Err(error) => return Err(failure(&error)),
        };
        let there = found.iter().flatten().count();
        if there == job.agents as usize {
            return Ok(found.into_iter().flatten().collect());
        }
        if Instant::now() > by {
            let message = format!("after {} s there are pods for {there} of {} agents", MADE.as_secs(), job.agents);
            return Err(Failure::environment(message).help(
                "a quota, or a policy of the cluster, may forbid them; it has to know Indexed Jobs whose failed pods end no other (Kubernetes 1.29)",
            ));
        }
        sleep_until(Instant::now() + AGAIN).await;
    }
}

/// Hears an agent until it has told all that it has to tell, or cannot be heard any more. Its pod has so long to run.
pub async fn hear(
    cluster: &Cluster,
    job: &Job,
    (nth, pod): (usize, &Pod),
    limit: Duration,
    heard: &UnboundedSender<(usize, News)>,
) {
    // Nobody listens any more where the run is over.
    let tell = |news| drop(heard.send((nth, news)));
    let trouble = cluster.runs(&job.namespace, &pod.name, limit).await.err();
    // One that ran for a moment only may nevertheless have said why.
    let followed = follow(cluster, (&job.namespace, &pod.name, AGENTS), None, |line| {
        let Ok(word) = serde_json::from_str::<Word>(line) else { return false };
        let is_last = !matches!(word, Word::Ready { .. });
        tell(News::Word(word));
        is_last
    });
    let gone = match (followed.await, trouble) {
        (Ok(()), _) => return,
        (Err(_), Some(trouble)) => failure(&trouble),
        (Err(Unheard::Cluster(error)), None) => failure(&error),
        // Who gives no signs of life is waited for by its run's own deadline.
        (Err(Unheard::Mute), None) => return,
        (Err(Unheard::Ended(Ended { status, reason })), None) => {
            let why = format!("it ended with {status} ({reason}) and has not told what it sent");
            failure(&ClusterError::Pod { pod: pod.name.clone(), why })
        }
    };
    tell(News::Gone(gone));
}

/// Tells all pods their orders whenever there are others, and a sign of life now and then.
pub async fn tell(cluster: &Cluster, job: &Job, pods: &[Pod], mut orders: watch::Receiver<Orders>) -> Infallible {
    let (mut sign, mut ordered) = (0, Instant::now());
    loop {
        sign += 1;
        if orders.has_changed().unwrap_or_default() {
            ordered = Instant::now();
        }
        let now = Orders { sign, ..*orders.borrow_and_update() };
        let all = pods.iter().map(|pod| async move {
            match manifest::ordered(job, pod, &now) {
                Ok(object) => cluster.apply(&object).await,
                Err(why) => Err(ClusterError::Refused { what: "tell an agent".into(), words: why.to_string() }),
            }
        });
        let told: Vec<_> = stream::iter(all).buffer_unordered(AT_ONCE).collect().await;
        // Of one that is gone it is heard elsewhere; one that was not reached is told again at once.
        let is_heard = told.iter().all(|told| !told.as_ref().is_err_and(ClusterError::is_passing));
        let (again, meanwhile) = AFTER_AN_ORDER;
        let pause = match is_heard {
            false => AGAIN,
            true if ordered.elapsed() < meanwhile => again,
            true => SIGN,
        };
        let _ = timeout(pause, orders.changed()).await;
    }
}
