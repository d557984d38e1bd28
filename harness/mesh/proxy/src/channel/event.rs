//! What happened to a proxy's lease.

use squall_model::Stamp;
use std::time::Duration;
use thiserror::Error;

/// Why a lease is over, or never began, though nobody ended it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Lapse {
    /// The proxy refused a heartbeat: it had dropped the layer before.
    #[error("the proxy had dropped its faults before the heartbeat came: {0}")]
    Expired(String),
    /// The proxy answered nothing for as long as a lease lasts.
    #[error("the proxy answered nothing for as long as a lease lasts")]
    Unanswered,
    /// No stream for as long as a lease lasts.
    #[error("the proxy was not connected for as long as a lease lasts")]
    Disconnected,
    /// The proxy came back without the layer.
    #[error("the proxy came back without its faults")]
    Lost,
    /// The order is older than a lease and no proxy has taken it: it must not be obeyed so late.
    #[error("the order was too old when it could have been obeyed")]
    Stale,
}

/// Why an order is not in force.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unarmed {
    /// The proxy refuses the layer, in its own words.
    #[error("{node} rejects the faults: {words}")]
    Rejected {
        /// Which proxy.
        node: String,
        /// `error_detail.message`, verbatim.
        words: String,
    },
    /// It is void.
    #[error("the faults of {node} lapsed: {why}")]
    Lapsed {
        /// Which proxy.
        node: String,
        /// How.
        why: Lapse,
    },
    /// A later order took its place before it was in force.
    #[error("other faults were ordered for {0} before these were in force")]
    Superseded(String),
    /// The proxy never opened a stream.
    #[error("{0} never connected to the fault channel")]
    NeverConnected(String),
    /// The proxy has no stream now.
    #[error("{0} is not connected to the fault channel")]
    Disconnected(String),
    /// The proxy has a stream, and has not asked for the layer on it.
    #[error("{0} has not asked for its faults")]
    NotSubscribed(String),
    /// The layer was sent, and is not answered.
    #[error("{0} has not answered")]
    Unanswered(String),
    /// The order is none of this channel's, or the proxy was forgotten since.
    #[error("no such order for {0}")]
    Unknown(String),
}

/// Something that happened on the fault channel. Heartbeats that are accepted are not told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChannelEvent {
    /// A proxy opened a stream.
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
    /// A proxy accepted an order.
    Acked {
        /// Which.
        node: String,
        /// From sending it to its answer.
        took: Duration,
        /// When the answer arrived.
        at: Stamp,
    },
    /// A proxy refused a layer.
    Rejected {
        /// Which.
        node: String,
        /// `error_detail.message`, verbatim.
        words: String,
        /// When the answer arrived.
        at: Stamp,
    },
    /// A lease is over that nobody ended.
    Lapsed {
        /// Which.
        node: String,
        /// How.
        why: Lapse,
        /// When it was noticed; the faults may have ended earlier, by one time to live at most.
        at: Stamp,
    },
}
