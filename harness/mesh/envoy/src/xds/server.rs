//! The handle of the control plane.

use super::{Acked, Generation, Lag, Resources, XdsEvent, service::Ads, state::AdsState};
use envoy_types::pb::envoy::service::discovery::v3::aggregated_discovery_service_server::AggregatedDiscoveryServiceServer;
use squall_mesh_proxy::host::{ServeError, Socket};
use squall_model::Stamp;
use std::{path::Path, sync::Arc};
use tokio::sync::broadcast;
use tonic::service::Routes;

/// A delta ADS server on a Unix socket, on a thread of its own.
///
/// The handle keeps the desired states, so the server can die ([`AdsServer::stop`]) and come back
/// ([`AdsServer::resume`]) without anything being lost: proxies that kept their configuration are sent only what changed
/// meanwhile. All methods may be called from any thread and any async context; only the asynchronous ones need a runtime,
/// one with timers.
#[derive(Debug)]
pub struct AdsServer {
    state: Arc<AdsState>,
    socket: Socket,
}

impl AdsServer {
    /// Serves on this socket. A proxy that nothing was set for gets an empty configuration, and is live with it at once.
    ///
    /// # Errors
    /// Where the socket is in use or cannot be bound.
    pub fn start(socket: &Path) -> Result<AdsServer, ServeError> {
        let server = AdsServer { state: Arc::new(AdsState::new()), socket: Socket::new(socket) };
        server.resume()?;
        Ok(server)
    }

    /// Replaces the whole desired state of a proxy, by its node id, and sends what it lacks if it is connected.
    pub fn set(&self, node: &str, resources: Resources) -> Generation {
        self.state.set(node, resources)
    }

    /// What was set last for a proxy.
    #[must_use]
    pub fn desired(&self, node: &str) -> Option<Resources> {
        self.state.desired(node)
    }

    /// Waits until a proxy has acknowledged everything that it had to learn for this generation (or for a later one that
    /// replaced it).
    ///
    /// # Errors
    /// At once where the proxy rejects a push of it: Envoy applies a rejected batch in part, so set the last good state
    /// again. At the deadline, with what is missing.
    pub async fn wait(&self, node: &str, generation: Generation, by: Stamp) -> Result<Acked, Lag> {
        self.state.wait(node, generation, by).await
    }

    /// A proxy can no longer reach the control plane: its stream is closed, and those that it opens are kept waiting. What is
    /// set for it meanwhile it is sent when it [rejoins](AdsServer::rejoin).
    pub fn sever(&self, node: &str) {
        self.state.sever(node);
    }

    /// A proxy can reach the control plane again.
    pub fn rejoin(&self, node: &str) {
        self.state.rejoin(node);
    }

    /// Whether a proxy cannot reach the control plane.
    #[must_use]
    pub fn is_severed(&self, node: &str) -> bool {
        self.state.is_severed(node)
    }

    /// Forgets a proxy: its state, its outcomes; its stream is closed.
    pub fn forget(&self, node: &str) {
        self.state.forget(node);
    }

    /// What happens from now on. A reader that is 4,096 events behind loses the oldest, and is told so.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<XdsEvent> {
        self.state.events()
    }

    /// The control plane dies: the socket is removed, every stream is cut, the thread has ended on return.
    ///
    /// # Errors
    /// Where its thread had panicked.
    pub fn stop(&self) -> Result<(), ServeError> {
        self.socket.stop()
    }

    /// The control plane comes back on the same socket, with what was set last, also while it was away.
    ///
    /// # Errors
    /// Where it runs, or the socket is in use or cannot be bound.
    pub fn resume(&self) -> Result<(), ServeError> {
        let service = AggregatedDiscoveryServiceServer::new(Ads(Arc::clone(&self.state)));
        self.socket.serve("ads", Routes::new(service), std::future::pending())
    }

    /// Where it serves.
    #[must_use]
    pub fn socket(&self) -> &Path {
        self.socket.path()
    }
}
