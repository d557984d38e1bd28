//! What a proxy answered, or why it did not.

use super::Kind;
use squall_model::Stamp;
use thiserror::Error;

/// A push that a proxy refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{node} rejects {kind} {}: {words}", names.join(", "))]
pub struct Rejection {
    /// Which proxy, by its node id.
    pub node: String,
    /// The type of the push.
    pub kind: Kind,
    /// The resources of the push; one of them is wrong, the others may be in force.
    pub names: Vec<String>,
    /// `error_detail.message`, verbatim.
    pub words: String,
    /// When the answer arrived.
    pub at: Stamp,
}

/// Why a proxy does not have what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Lag {
    /// It refuses it.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// It has not got there by the deadline.
    #[error("{node} {}", behind.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Late {
        /// Which proxy.
        node: String,
        /// What is missing; never empty.
        behind: Vec<Behind>,
    },
    /// Nobody ever set this generation for this proxy, or the proxy was forgotten since.
    #[error("nothing of this generation was ever set for {0}")]
    Unknown(String),
}

/// What a proxy has not done yet.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Behind {
    /// It has not opened a stream, ever.
    #[error("never connected")]
    NeverConnected,
    /// Its stream is gone, and it has not come back.
    #[error("is disconnected")]
    Disconnected,
    /// It has not asked for these.
    #[error("has not asked for {kind} {}", names.join(", "))]
    NotSubscribed {
        /// Of which type.
        kind: Kind,
        /// Their names.
        names: Vec<String>,
    },
    /// These were sent, and not answered.
    #[error("has not answered {kind} {}", names.join(", "))]
    Unanswered {
        /// Of which type.
        kind: Kind,
        /// Their names.
        names: Vec<String>,
    },
    /// These wait their turn behind something else that is not answered.
    #[error("has not been sent {kind} {}, which come later", names.join(", "))]
    Queued {
        /// Of which type.
        kind: Kind,
        /// Their names.
        names: Vec<String>,
    },
}

/// Something that happened between the control plane and a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum XdsEvent {
    /// A proxy opened a stream; a former one of the same node is closed.
    Connected {
        /// Which.
        node: String,
        /// When.
        at: Stamp,
    },
    /// A proxy's stream ended.
    Disconnected {
        /// Which.
        node: String,
        /// When.
        at: Stamp,
    },
    /// A proxy accepted a push.
    Acked {
        /// Which.
        node: String,
        /// The type of the push.
        kind: Kind,
        /// Its resources, removed ones among them.
        names: Vec<String>,
        /// From the push to its answer.
        took: std::time::Duration,
        /// When the answer arrived.
        at: Stamp,
    },
    /// A proxy refused a push.
    Rejected(Rejection),
}
