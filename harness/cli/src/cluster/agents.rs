//! Agents of a load run on a cluster: a Job of them in a namespace of the run's own. Kubernetes starts them, numbers them and keeps what they
//! say; there is no server of ours, and no agent asks the cluster anything (`load/in_pod.rs` says how they are told).
//!
//! Whoever starts them waits until all are ready, names a moment, hears each, and removes the namespace whatever comes. Who is lost after the
//! start is told at once, and the others go on.

mod manifest;
mod pods;
mod roll;

use super::{
    doctor::Lacking,
    failure, life,
    remote::{in_its_own, labels, permitted},
    seat::block_on,
};
use crate::{
    date,
    load::{Errand, Heard, Orders},
    outcome::Failure,
    settings::Settings,
    stop::Signals,
    term::Out,
};
use futures_util::future::join_all;
use manifest::Job;
pub(super) use manifest::rules;
use pods::{find, hear, tell};
use roll::{News, Roll};
use squall_place::kubernetes::{Cluster, namespace_of};
use std::{path::Path, time::Duration};
use tokio::{
    sync::{
        mpsc::{UnboundedReceiver, unbounded_channel},
        watch,
    },
    time::{Instant, sleep_until},
};

/// How long the agents' pods may take to run: their image may have to be pulled.
const UP: Duration = Duration::from_secs(120);

/// Until when agents that run have to be ready: each tries the target once.
const READY: Duration = Duration::from_secs(UP.as_secs() + 15);

/// How long words are waited for after the last agent is ready: the freshest tell what clocks say.
const SETTLE: Duration = Duration::from_secs(2);

/// From naming the moment until it comes. Pods know of their orders within a second or two, or by one of the next times that they are told;
/// one that does not by then has come too late.
const LEAD: Duration = Duration::from_secs(20);

/// What agents may take to tell what they have sent, beyond the time for which they may be silent anyway.
const LATE: Duration = Duration::from_secs(30);

/// Has a cluster send a load run by agents.
///
/// # Errors
/// Exit 2 where that is not permitted, exit 3 where it cannot be begun.
pub fn agents(errand: &Errand, out: Out) -> Result<Heard, Failure> {
    let settings = Settings::read(Path::new("."))?.kubernetes;
    let context = permitted(errand.context.as_deref(), &settings)?;
    settings.limits.refuse_load(errand.peak, errand.users, errand.length)?;
    settings.limits.refuse_target(&errand.host, &errand.methods)?;
    let task = serde_json::to_string(&errand.task).map_err(|e| Failure::environment(e.to_string()))?;
    block_on(async {
        let fail = |e: std::io::Error| Failure::environment(format!("failed to listen for signals: {e}"));
        let mut signals = Signals::listen().map_err(fail)?;
        let cluster = &Cluster::connect(context.as_deref()).await.map_err(|e| failure(&e))?;
        // All of them before anything is made: who may make a namespace, and not remove it, would leave it.
        Lacking::of(cluster, &[rules()]).await.refuse()?;
        let job = &job(errand, settings.image(errand.image.as_deref()));
        let begun = format!("its {} agents have {} s to be ready", job.agents, READY.as_secs());
        let sent = async {
            tokio::select! {
                sent = send(cluster, job, &task, errand, &mut signals, out) => sent,
                never = life::give(cluster, |number| manifest::sign(job, number)) => match never {},
            }
        };
        let (heard, left) = in_its_own(cluster, &manifest::namespace(job), &begun, out, sent).await?;
        Ok(Heard { left, ..heard })
    })?
}

fn job(errand: &Errand, image: String) -> Job {
    let run = format!("{}-{:04x}", date::stamp(), rand::random::<u16>());
    Job {
        namespace: namespace_of(&run),
        image,
        labels: labels(&run),
        lease: life::LEASE,
        agents: errand.task.agents,
        at_most: READY + SETTLE + LEAD + errand.length + errand.after + 2 * LATE,
        run,
    }
}

/// Makes the Job, and hears and tells its agents until all have told what they sent.
async fn send(
    cluster: &Cluster,
    job: &Job,
    task: &str,
    errand: &Errand,
    signals: &mut Signals,
    out: Out,
) -> Result<Heard, Failure> {
    let making = async {
        for object in [manifest::sign(job, 0), manifest::told(job, task, &errand.files)] {
            cluster.apply(&object).await.map_err(|e| failure(&e))?;
        }
        cluster.create(&manifest::job(job)).await.map_err(|e| failure(&e))?;
        find(cluster, job).await
    };
    let pods = tokio::select! {
        pods = making => pods?,
        why = signals.only() => return Err(interrupted(why)),
    };
    let (orders, told) = watch::channel(Orders::default());
    let (heard, inbox) = unbounded_channel();
    let hearing = join_all(pods.iter().enumerate().map(|pod| hear(cluster, job, pod, UP, &heard)));
    let mut lead = Lead { job, errand, out, roll: Roll::of(&errand.own), inbox, orders, began: Instant::now() };
    let leading = async {
        let start = lead.until_the_start(signals).await?;
        let interrupted = lead.until_the_end(signals).await;
        Ok((start, interrupted))
    };
    let hearing = async {
        hearing.await;
        // What was heard last is in the inbox.
        std::future::pending().await
    };
    let (began, interrupted) = tokio::select! {
        led = leading => led?,
        never = hearing => never,
        never = tell(cluster, job, &pods, told) => match never {},
    };
    Ok(Heard {
        place: format!("in pods of {} on {}", job.namespace, cluster.server()),
        address: lead.roll.address(),
        began,
        parts: lead.roll.parts(),
        interrupted,
        left: None,
    })
}

fn interrupted(why: &str) -> Failure {
    Failure::environment(format!("interrupted by {why} before the agents began: nothing was sent"))
}

/// Whoever leads the agents.
struct Lead<'a> {
    job: &'a Job,
    errand: &'a Errand,
    out: Out,
    roll: Roll,
    inbox: UnboundedReceiver<(usize, News)>,
    orders: watch::Sender<Orders>,
    /// Our own clock counts from here.
    began: Instant,
}

impl Lead<'_> {
    /// Waits until all are ready, and names the moment of the start, since 1970.
    async fn until_the_start(&mut self, signals: &mut Signals) -> Result<Duration, Failure> {
        let (by, mut settled) = (self.began + READY, None);
        loop {
            if settled.is_none() && self.roll.unready().is_none() {
                settled = Some(Instant::now() + SETTLE);
            }
            tokio::select! {
                Some((nth, news)) = self.inbox.recv() => self.roll.prepare(nth, news, self.began.elapsed())?,
                why = signals.only() => return Err(interrupted(why)),
                () = sleep_until(settled.unwrap_or(by)) => break,
            }
        }
        if let Some(why) = self.roll.unready() {
            return Err(Failure::environment(format!("{why}, after {} s", READY.as_secs())));
        }
        let start = self.roll.clock(self.began.elapsed())? + LEAD;
        let nanos = u64::try_from(start.as_nanos()).unwrap_or(u64::MAX);
        self.orders.send_modify(|orders| orders.start = Some(nanos));
        let (agents, length) = (self.job.agents, squall_model::duration(self.errand.length));
        self.out.note(&format!("all {agents} agents are ready, begin in {} s and send for {length}", LEAD.as_secs()));
        Ok(start)
    }

    /// Hears all of them. With what stopped them before their time, if anything did.
    async fn until_the_end(&mut self, signals: &mut Signals) -> Option<&'static str> {
        let ends = Instant::now() + LEAD + self.errand.length;
        let mut by = ends + self.errand.after + LATE;
        let (mut is_to_stop, mut stopped) = (false, None);
        while !self.roll.is_complete() {
            let lost = tokio::select! {
                Some((nth, news)) = self.inbox.recv() => self.roll.hear(nth, news, is_to_stop).into_iter().collect(),
                why = signals.only(), if !is_to_stop => {
                    is_to_stop = true;
                    // When all has been sent nothing is stopped before its time.
                    stopped = Some(why).filter(|_| Instant::now() < ends);
                    self.orders.send_modify(|orders| orders.stop = true);
                    by = by.min(Instant::now() + self.errand.after + LATE);
                    self.out.note("stopping the agents; a second signal leaves that to `squall recover --on kubernetes`");
                    Vec::new()
                }
                () = sleep_until(by) => self.roll.give_up("it did not tell in time what it has sent"),
            };
            lost.iter().for_each(|words| self.out.note(words));
        }
        stopped
    }
}
