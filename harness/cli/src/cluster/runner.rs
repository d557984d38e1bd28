//! The runner in a cluster: the same engine, beside the pods that it breaks.

use super::{
    asking::{self, Asking},
    failure,
    job::Job,
    keep::ApiServer,
    life, manifest,
    seat::{block_on, read},
};
use crate::{
    args::ConfigArgs,
    outcome::{Exit, Failure},
    run::{Begun, Tools, Work},
    stop::Signals,
};
use squall_engine::{Events, Stopper, deadline};
use squall_mesh::word_of;
use squall_mesh_istio::{Istio, Pods, Runner, Way, asking::PORT, manifest::TOKEN};
use squall_mesh_proxy::port::FaultPort;
use squall_place::{kubernetes::Cluster, pod::Mirrors};
use squall_report::write_event;
use std::{
    cell::Cell,
    io::Write,
    net::{IpAddr, Ipv4Addr},
    rc::Rc,
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::Duration,
};

/// How long an API server that does not answer is asked to remove the namespace of an orphaned run. That it is gone is not looked for: it takes us with it.
const GONE: Duration = Duration::from_secs(600);

/// Runs a job, and says every event on a line of its own.
pub fn runner(args: &ConfigArgs) -> Result<Exit, Failure> {
    let job: Job = read(&args.config)?;
    // Once more: what counts is what is run, and when.
    let beyond = job.work.plans.iter().flat_map(|plan| job.limits.beyond(plan)).map(|beyond| beyond.message).next();
    if let Some(why) = beyond.or_else(|| job.limits.refuse_hour(&jiff::Zoned::now())) {
        return Err(Failure::usage(why));
    }
    let (events, reader) = Events::channel();
    let writing = std::thread::spawn(move || write(&reader));
    let ran = block_on(drive(&job, events))?;
    let _ = writing.join();
    ran.map(|()| Exit::Holds)
}

/// An empty line now and then shows that there is nothing to be heard, and that it would be.
fn write(events: &Receiver<squall_model::RunEvent>) {
    let mut out = std::io::stdout().lock();
    loop {
        let line = match events.recv_timeout(life::BEAT) {
            Ok(event) => write_event(&event).unwrap_or_default(),
            Err(RecvTimeoutError::Timeout) => "\n".to_owned(),
            Err(RecvTimeoutError::Disconnected) => return,
        };
        // Nobody else reads them here: who cannot be told is gone, and that is noticed elsewhere.
        let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
    }
}

async fn drive(job: &Job, events: Events) -> Result<(), Failure> {
    let fail = |what: &str, why: String| Failure::environment(format!("failed to {what}: {why}"));
    let Begun { signals, exe, keeper, load } = Begun::begin().await?;
    let cluster = Cluster::connect(None).await.map_err(|e| failure(&e))?;
    let stopper = Stopper::default();
    let told = |what| std::env::var(what).map_err(|_| Failure::usage("a runner is started by a run, not by hand"));
    let address = told(manifest::ADDRESS)?;
    let address: IpAddr = address.parse().map_err(|_| Failure::usage(format!("`{address}` is no pod's address")))?;
    let (machine, token) = (told(manifest::MACHINE)?, told(TOKEN)?);
    let mirrors = Mirrors::start().map_err(|e| fail("start a thread", e.to_string()))?;
    let keep = Rc::new(ApiServer { cluster: cluster.clone(), exe: exe.clone(), token, mirrors });
    let way = Way::open(address, job.istiod.clone()).await.map_err(|e| fail("open a way to istiod", e.to_string()))?;
    let runner = Runner { address, machine, can_be_silent: squall_link::can_be_silent() };
    let mut pods = Pods::new(keep, job.pods(), runner, way);
    if !Asking::of(&job.work).is_empty() {
        tokio::select! {
            put = asking::are_put(&cluster, job) => put?,
            alone = life::alone(&cluster, job) => {
                // What was put beside the application goes with the namespace.
                let _ = cluster.remove_namespace(&job.namespace, GONE).await;
                return Err(Failure::environment(format!("interrupted before anything ran: {}", alone.why())));
            }
        }
        let at = (Ipv4Addr::UNSPECIFIED, PORT).into();
        let port = FaultPort::start(at, job.work.seed).map_err(|e| fail("open the fault port", e.to_string()))?;
        pods = pods.asked_by_others(port);
    }
    let mesh =
        Istio::start(pods, keeper.folder().path()).map_err(|e| fail("start the fault channel", e.to_string()))?;
    // What is recorded here goes with the pod.
    let work = Work { folder: "/tmp".into(), ..job.work.clone() };
    let (stop, word) = (stopper.clone(), word_of(&job.work.run));
    let tools = Tools { work: &work, keeper: &keeper, load: &load, exe: &exe, events: &events, stopper: stop, word };
    let orphaned = async {
        stopper.stop(life::alone(&cluster, job).await.why());
    };
    let told_to_end = Cell::new(false);
    let watching = async {
        let stopped = signals.stop(stopper.clone(), None).await;
        told_to_end.set(true);
        stopped
    };
    let running = tools.run(&mesh, job.mesh_version.clone(), watching);
    tokio::pin!(running);
    let (ran, orphan) = tokio::select! {
        ran = &mut running => (ran, false),
        () = orphaned => (running.await, true),
    };
    let ended = keeper.shutdown(deadline::SHUTDOWN.at_most).await;
    let ended = ran.and(ended.map_err(|e| fail("end every process", e.to_string())));
    if !orphan && told_to_end.get() {
        // Whoever told us waits for it, and removes the rest. Signals are no more listened for.
        return ended;
    }
    if !orphan {
        // Whoever started the run ends us when the last event is there, and has to live for that.
        let mut signals = Signals::listen().map_err(|e| fail("listen for signals", e.to_string()))?;
        tokio::select! {
            _ = signals.first() => return ended,
            _ = life::alone(&cluster, job) => {}
        }
    }
    // Nobody else will remove it.
    let _ = cluster.remove_namespace(&job.namespace, GONE).await;
    ended
}
