//! The handle of the fault port.

use super::{
    Order,
    service::Port,
    state::{PortState, Whereabouts},
};
use crate::host::{Host, ServeError};
use envoy_types::pb::envoy::service::auth::v3::authorization_server::AuthorizationServer;
use squall_model::{AskedRecord, InstanceId, ServiceName};
use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tonic::service::Routes;

/// The server of the fault port, HTTP/2 on plain TCP, and on a thread of its own. Dropping it ends every fault with the next try.
///
/// All methods may be called from any thread and any async context.
#[derive(Debug)]
pub struct FaultPort {
    state: Arc<PortState>,
    address: SocketAddr,
    host: Mutex<Option<Host>>,
}

impl FaultPort {
    /// Serves at this address; port 0 is any that is free. What is drawn hangs on the seed alone.
    ///
    /// # Errors
    /// Where the address cannot be bound.
    pub fn start(at: SocketAddr, seed: u64) -> Result<FaultPort, ServeError> {
        let state = Arc::new(PortState::new(seed));
        let (host, address) = serve(at, &state)?;
        Ok(FaultPort { state, address, host: Mutex::new(Some(host)) })
    }

    /// Where it serves.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Has exactly these orders in place for tries whose id begins so: up to the first dot and with it (`r12.`). They are in
    /// force for every question from the return on; none end them. From then on such tries are written down, too.
    pub fn set(&self, prefix: &str, orders: Vec<Order>) {
        self.state.set(prefix, orders);
    }

    /// Says who is where, in place of what was said before: instances by the address that tries reach, callers by that which they
    /// come from. A try that reaches nobody known is let alone, and not written down.
    pub fn know(&self, instances: BTreeMap<SocketAddr, InstanceId>, callers: BTreeMap<IpAddr, ServiceName>) {
        self.state.know(instances, callers);
    }

    /// Who is where, as far as it was said.
    #[must_use]
    pub fn whereabouts(&self) -> Whereabouts {
        self.state.whereabouts()
    }

    /// Says that whoever was at one address is at another now, too: instances with the same ports, and callers. Who was there is told, since
    /// several may move at a time, and one to where another was.
    pub fn moved(&self, was: &Whereabouts, from: IpAddr, to: IpAddr) {
        self.state.moved(was, from, to);
    }

    /// What was asked about these tries since the last call, in order.
    #[must_use]
    pub fn take(&self, prefix: &str) -> Vec<AskedRecord> {
        self.state.take(prefix)
    }

    /// Forgets these tries: their orders, and what was asked and not taken.
    pub fn forget(&self, prefix: &str) {
        self.state.forget(prefix);
    }

    /// The port dies: every connection is cut, the thread has ended on return; no try is struck that begins after it.
    ///
    /// # Errors
    /// Where its thread had panicked.
    pub fn stop(&self) -> Result<(), ServeError> {
        let host = self.host().take();
        host.map_or(Ok(()), Host::stop)
    }

    /// The port comes back at the same address, with its orders.
    ///
    /// # Errors
    /// Where it runs, or the address cannot be bound.
    pub fn resume(&self) -> Result<(), ServeError> {
        let mut host = self.host();
        if host.is_some() {
            return Err(ServeError::Running);
        }
        *host = Some(serve(self.address, &self.state)?.0);
        Ok(())
    }

    /// For tests: questions are not answered any more, while connections stay.
    pub fn stall(&self) {
        self.state.stall(true);
    }

    /// For tests: they are answered again.
    pub fn unstall(&self) {
        self.state.stall(false);
    }

    fn host(&self) -> MutexGuard<'_, Option<Host>> {
        self.host.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn serve(at: SocketAddr, state: &Arc<PortState>) -> Result<(Host, SocketAddr), ServeError> {
    let pulse = Arc::clone(state);
    let beside = async move { match pulse.keep_pulse().await {} };
    Host::start_at("port", at, Routes::new(AuthorizationServer::new(Port(Arc::clone(state)))), beside)
}
