//! Why a run of a scenario could not be judged.

use crate::deadline::Deadline;
use squall_evidence::LifeEnd;
use squall_mesh::{MeshError, Refusal};
use squall_model::GuardMet;
use squall_place::PlaceError;
use squall_traffic::LoadError;
use squall_workload::ControlError;
use thiserror::Error;

/// Why a run of a scenario could not be judged: *error*, or *unsupported* for a refusal.
#[derive(Debug, Error)]
pub enum EngineError {
    /// A wait expired.
    #[error("{what} took longer than {} s", .deadline.at_most.as_secs())]
    Expired {
        /// Which wait.
        deadline: Deadline,
        /// What was waited for.
        what: String,
    },
    /// A process could not be started, or the keeper is lost.
    #[error("failed to place: {0}")]
    Place(#[from] PlaceError),
    /// A process ended while it was starting.
    #[error("the {what} {how} while it started{}", last(.said))]
    StillBorn {
        /// Which process.
        what: String,
        /// How it ended.
        how: String,
        /// The last line that it said, if it said any.
        said: Option<String>,
    },
    /// A process was not ready in time.
    #[error("the {what} is not ready in time: {why}{}", last(.said))]
    Unready {
        /// Which process.
        what: String,
        /// What is missing.
        why: MeshError,
        /// The last line that it said, if it said any.
        said: Option<String>,
    },
    /// The mesh did not do what was asked.
    #[error("{0}")]
    Mesh(#[from] MeshError),
    /// A workload did not do what was asked.
    #[error("failed to command a workload: {0}")]
    Workload(#[from] ControlError),
    /// The link did not do what was asked.
    #[error("failed to command the link: {0}")]
    Link(#[from] squall_link::ControlError),
    /// The load engine failed.
    #[error("failed to send traffic: {0}")]
    Traffic(#[from] LoadError),
    /// A log or a folder cannot be read or written.
    #[error("failed to {what}: {source}")]
    Io {
        /// What was attempted.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// Something failed after a process had ended that nobody had asked to.
    #[error("{died}; then: {then}")]
    Died {
        /// The first such end.
        died: Box<LifeEnd>,
        /// What failed.
        then: Box<EngineError>,
    },
    /// The plan speaks of something that is not there.
    #[error("the plan is broken: {0}")]
    Plan(String),
    /// A person or a deadline stopped the run.
    #[error("stopped")]
    Interrupted,
    /// A guard was met.
    #[error("aborted: {0}")]
    Aborted(Box<GuardMet>),
}

impl From<Refusal> for EngineError {
    fn from(refusal: Refusal) -> Self {
        EngineError::Mesh(MeshError::Refused(refusal))
    }
}

impl EngineError {
    /// For `map_err` on I/O.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> EngineError {
        let what = what.into();
        move |source| EngineError::Io { what, source }
    }
}

fn last(said: &Option<String>) -> String {
    said.as_ref().map_or_else(String::new, |said| format!(": {said}"))
}
