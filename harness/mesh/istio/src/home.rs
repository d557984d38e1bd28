//! Where an Istio lives: how its proxies are started, and how it is told what is wanted.

use crate::render::{Config, Site};
use squall_mesh::{Bindings, Launch, Leaving, MeshError, MeshEvent, Refusal, Replaced, Seat, WorkloadStart};
use squall_mesh_proxy::{outbound_socket, port::FaultPort};
use squall_model::{Effect, Part, Plan, Stamp};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    time::Duration,
};

/// The place of an Istio.
#[expect(async_fn_in_trait, reason = "the engine drives a mesh from one thread and never spawns its futures")]
pub trait Home {
    /// What objects say of where they are.
    fn site(&self) -> &Site;

    /// What cannot be done here, and could elsewhere.
    fn refuses(&self, plan: &Plan) -> Vec<Refusal> {
        let _ = plan;
        Vec::new()
    }

    /// What proxies of others ask about tries, where they do.
    fn port(&self) -> Option<&FaultPort> {
        None
    }

    /// How a proxy of this node id is started in this folder, with this socket for the fault channel. Pure.
    fn launch(&self, node: &str, folder: &Path, faults: &Path) -> Launch;

    /// How long a proxy may take to be live, where that is more than a process takes.
    fn boots_within(&self) -> Option<Duration> {
        None
    }

    /// How a workload is started.
    fn workload(&self, start: &WorkloadStart<'_>) -> Launch {
        start.here()
    }

    /// The address of this machine at which proxies find a link.
    fn link_host(&self) -> IpAddr {
        Ipv4Addr::LOCALHOST.into()
    }

    /// Knows of a proxy that was started in this folder.
    fn expect(&self, node: &str, folder: &Path);

    /// A proxy in this folder is live.
    fn arrived(&self, folder: &Path) {
        let _ = folder;
    }

    /// Whether there is such a proxy.
    fn knows(&self, node: &str) -> bool;

    /// Where a proxy accepts tries; `None`: it is not known yet.
    fn inbound(&self, node: &str, folder: &Path) -> Option<SocketAddr>;

    /// Whether a proxy has its listeners of this scenario.
    fn listens(&self, seat: &Seat) -> bool {
        outbound_socket(&seat.folder).exists()
    }

    /// These proxies have shown that they have what istiod was given last.
    fn proved(&self, at: &Bindings) {
        let _ = at;
    }

    /// Gives istiod a configuration. What it said of the one before is nobody's business any more.
    ///
    /// # Errors
    /// Where it cannot be given.
    async fn give(&self, config: &Config, by: Stamp) -> Result<(), MeshError>;

    /// What is wrong with what istiod was given last, by its own word.
    fn complaint(&self) -> Option<MeshError>;

    /// Ends when istiod complains, or has ended.
    async fn refused(&self) -> MeshError;

    /// Why istiod is not reached, where that was tried for a proxy and came to nothing.
    fn unreached(&self) -> Option<String> {
        None
    }

    /// Lets newcomers to istiod, for as long as it is polled. Ends where it cannot.
    async fn admit(&self, at: &Bindings) -> MeshError;

    /// What happened since the last call.
    fn events(&self) -> Vec<MeshEvent>;

    /// Whether nobody reaches istiod.
    fn is_stopped(&self) -> bool;

    /// Nobody reaches istiod any more.
    ///
    /// # Errors
    /// Where that cannot be brought about.
    async fn stop(&self) -> Result<Effect, MeshError>;

    /// Istiod is reached again.
    ///
    /// # Errors
    /// Where that cannot be brought about.
    async fn start(&self) -> Result<(), MeshError>;

    /// Whether a proxy was cut off from istiod.
    fn is_severed(&self, node: &str) -> bool;

    /// Cuts these proxies off from istiod.
    ///
    /// # Errors
    /// Where that cannot be brought about.
    async fn sever(&self, at: &Bindings) -> Result<Effect, MeshError>;

    /// Lets them to it again.
    ///
    /// # Errors
    /// Where that cannot be brought about.
    async fn rejoin(&self, at: &Bindings) -> Result<(), MeshError>;

    /// Has processes of these instances stand still; false where a signal of this machine reaches them.
    ///
    /// # Errors
    /// Where they do not by then.
    async fn pause(&self, part: Part, at: &Bindings, by: Stamp) -> Result<bool, MeshError> {
        let _ = (part, at, by);
        Ok(false)
    }

    /// Has them go on.
    ///
    /// # Errors
    /// Where they do not by then.
    async fn resume(&self, part: Part, at: &Bindings, by: Stamp) -> Result<bool, MeshError> {
        let _ = (part, at, by);
        Ok(false)
    }

    /// Has instances of somebody else's end in order, and waits for those that come in their places.
    ///
    /// # Errors
    /// Where they do not by then.
    async fn replace(&self, of: Leaving<'_>, by: Stamp) -> Result<Vec<Replaced>, MeshError> {
        let _ = (of, by);
        Err(Refusal("nobody's application is joined here".into()).into())
    }

    /// Where an instance is by now that was deployed at this address.
    fn found(&self, deployed: SocketAddr) -> SocketAddr {
        deployed
    }

    /// For how long a line of a log may be in its proxy's memory alone.
    fn unwritten(&self) -> Duration;

    /// Forgets a proxy: it was thrown away.
    fn forget(&self, node: &str);
}
