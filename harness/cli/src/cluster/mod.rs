//! Runs on a cluster.
//!
//! Here scenarios are compiled, and everything is told; in the cluster, in a pod beside those that it breaks, the same engine runs
//! them: load is made where it is measured, and nothing of a call goes through the API server. What it says are events, one a line,
//! which come here over the log of its pod and are recorded as those of any run.
//!
//! - [`run_on`]: this side: a namespace for the run, the runner in it, its events, and the end of all of it.
//! - [`ear`]: how its events are heard; [`recovery`]: what is done about runs whose starter is gone;
//!   [`reaper()`]: what does it by itself.
//! - [`runner()`]: that side.
//! - [`seat`]: the processes that stand for pods and for workloads in them, on that side.
//! - [`life`]: how that side notices that this side is gone.
//! - [`manifest`]: what is made on a cluster. Pure.
//! - [`agents()`]: agents of a load run: a Job of them, each a generator of its own.
//! - [`application()`]: what somebody else deployed, looked at; `asking`: what is put beside it while a run lasts; `edits`: what of it a
//!   run may change, where that is allowed.

mod agents;
mod application;
mod asking;
mod doctor;
mod ear;
mod edits;
mod job;
mod keep;
mod life;
mod manifest;
mod reaper;
mod recovery;
mod remote;
mod runner;
mod seat;

pub use agents::agents;
pub use application::application;
pub use doctor::examined;
pub use reaper::reaper;
pub use recovery::leftovers;
pub use remote::{Ground, ground, run_on};
pub use runner::runner;
pub use seat::{pod, process};

use crate::outcome::Failure;
use squall_place::kubernetes::ClusterError;

/// What the plans of a run are called in an error.
const JOB: &str = "ConfigMap squall-runner";

/// What a cluster refuses, as a failure of the environment, with what to do about it.
fn failure(error: &ClusterError) -> Failure {
    let help = match error {
        ClusterError::NoConfig(_) => Some("name a kubeconfig by $KUBECONFIG, and a context of it by --context"),
        ClusterError::Unreachable(_) => {
            Some("is the cluster up, and is this the right context? `squall doctor --on kubernetes` says")
        }
        ClusterError::Unauthorized(_) => Some("log in anew, or name another context by --context"),
        ClusterError::Forbidden(_) => {
            Some("`squall doctor --on kubernetes` lists every permission that a run needs, as YAML")
        }
        ClusterError::NoSuchKind { .. } => Some("install Istio: kind-config/README.md says how"),
        ClusterError::Quota(_) => {
            Some("a run needs a pod for each instance of its largest scenario, and one for itself")
        }
        ClusterError::Webhook(_) => Some("a policy of the cluster has to let pods with the label squall.dev/run be"),
        ClusterError::Pod { why, .. } if why.contains("Image") => Some(
            "the nodes have no such image: `kind load docker-image --name CLUSTER IMAGE`, or name one that they can pull by --image",
        ),
        ClusterError::Refused { what, .. } if what == JOB => {
            Some("the plans of a run have to fit into 1 MiB, some 200 scenarios: run fewer at once, by PATH or --tags")
        }
        _ => None,
    };
    let failure = Failure::environment(error.to_string());
    match help {
        Some(help) => failure.help(help),
        None => failure,
    }
}
