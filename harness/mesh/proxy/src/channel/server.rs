//! The handle of the fault channel.

use super::{ChannelEvent, Layer, Push, Unarmed, service::Rtds, state::ChannelState};
use crate::{
    host::{ServeError, Socket},
    stream::Acked,
};
use envoy_types::pb::envoy::service::runtime::v3::runtime_discovery_service_server::RuntimeDiscoveryServiceServer;
use squall_model::Stamp;
use std::{path::Path, sync::Arc, time::Duration};
use tokio::sync::broadcast;
use tonic::service::Routes;

/// How long faults live without us, and how often we say that we are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// A proxy drops its faults so long after the last heartbeat.
    pub ttl: Duration,
    /// The time between two heartbeats; a fraction of the time to live.
    pub heartbeat: Duration,
}

impl Default for Timing {
    fn default() -> Timing {
        Timing { ttl: Duration::from_secs(3), heartbeat: Duration::from_millis(500) }
    }
}

/// The server of the fault channel, on a Unix socket and a thread of its own, which also sends the heartbeats.
///
/// All methods may be called from any thread and any async context; only the asynchronous one needs a runtime, one with
/// timers.
#[derive(Debug)]
pub struct FaultChannel {
    state: Arc<ChannelState>,
    socket: Socket,
}

impl FaultChannel {
    /// Serves on this socket. A proxy that nothing was ordered for has an empty layer.
    ///
    /// # Errors
    /// Where the socket is in use or cannot be bound.
    pub fn start(socket: &Path, timing: Timing) -> Result<FaultChannel, ServeError> {
        let state = Arc::new(ChannelState::new(timing));
        let channel = FaultChannel { state, socket: Socket::new(socket) };
        channel.resume()?;
        Ok(channel)
    }

    /// Orders the whole layer of a proxy, by its node id. An empty one ends every fault.
    ///
    /// An order is obeyed within one time to live or not at all: a proxy that connects later is not sent it.
    pub fn set(&self, node: &str, layer: Layer) -> Push {
        self.state.set(node, layer)
    }

    /// Whether the faults that were ordered last for a proxy are void: it has none, whatever was acknowledged before.
    #[must_use]
    pub fn has_lapsed(&self, node: &str) -> bool {
        self.state.is_void(node)
    }

    /// Waits until the proxy has accepted an order. Its worker applies it up to a few milliseconds later.
    ///
    /// # Errors
    /// At once where the proxy rejects it, or it lapsed or was superseded before; at the deadline, with what is missing.
    pub async fn wait(&self, push: &Push, by: Stamp) -> Result<Acked, Unarmed> {
        self.state.wait(push, by).await
    }

    /// Forgets a proxy; its stream is closed, and what faults it has end with their lease.
    pub fn forget(&self, node: &str) {
        self.state.forget(node);
    }

    /// What happens from now on. A reader that is 4,096 events behind loses the oldest, and is told so.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<ChannelEvent> {
        self.state.events()
    }

    /// The channel dies: every stream is cut, the thread has ended on return; faults end with their lease.
    ///
    /// # Errors
    /// Where its thread had panicked.
    pub fn stop(&self) -> Result<(), ServeError> {
        self.socket.stop()
    }

    /// The channel comes back on the same socket. Leases that did not run out meanwhile go on.
    ///
    /// # Errors
    /// Where it runs, or the socket is in use or cannot be bound.
    pub fn resume(&self) -> Result<(), ServeError> {
        let routes = Routes::new(RuntimeDiscoveryServiceServer::new(Rtds(Arc::clone(&self.state))));
        let beating = Arc::clone(&self.state);
        self.socket.serve("faults", routes, async move { beating.beat().await })
    }

    /// For tests: heartbeats stop, as if the thread got no processor, while streams stay open.
    pub fn stall(&self) {
        self.state.stall(true);
    }

    /// For tests: heartbeats go on, whatever became of the leases.
    pub fn unstall(&self) {
        self.state.stall(false);
    }

    /// Where it serves.
    #[must_use]
    pub fn socket(&self) -> &Path {
        self.socket.path()
    }
}
