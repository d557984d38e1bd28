//! What the engine asks of a mesh.

use crate::{Bindings, Desired, Launch, Seat, WorkloadStart};
use serde::Serialize;
use squall_model::{
    AccessRecord, AskedRecord, Deployed, Diagnostic, Effect, FaultId, InstanceId, Part, Plan, ServiceName, Side, Stamp,
    StateRecord, TryRecord,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};
use thiserror::Error;

/// A backend. The engine is generic over it; there is no `dyn Mesh`.
#[expect(async_fn_in_trait, reason = "the engine drives a mesh from one thread and never spawns its futures")]
pub trait Mesh {
    /// The complete configuration of every proxy.
    type Config: Clone + PartialEq + Serialize;

    /// What the backend is: `envoy`.
    fn name(&self) -> &str;

    /// Why this plan cannot be run here; empty if it can. Answered before anything is touched, for this plan and not from a table.
    fn refuses(&self, plan: &Plan) -> Vec<Refusal>;

    /// What the backend would accept and then ignore.
    fn lint(&self, plan: &Plan) -> Vec<Diagnostic>;

    /// Desired state and addresses to configuration. Pure.
    ///
    /// # Errors
    /// Where the backend has no words for what is wanted.
    fn render(&self, want: &Desired<'_>, at: &Bindings) -> Result<Self::Config, Refusal>;

    /// Whether a proxy that a scenario is done with can serve the next one. If not, each scenario starts its own.
    fn is_reusable(&self) -> bool {
        true
    }

    /// How to start a proxy of this node id in this folder. Pure.
    fn launch(&self, node: &str, folder: &Path) -> Launch;

    /// How to start a workload behind a proxy.
    fn workload(&self, start: &WorkloadStart<'_>) -> Launch {
        start.here()
    }

    /// How long a launched proxy may take to be live, where that is more than a process takes.
    fn boots_within(&self) -> Option<Duration> {
        None
    }

    /// Waits until a launched proxy is live, and says where it accepts tries.
    ///
    /// # Errors
    /// Where it is not live by the deadline.
    async fn ready(&self, node: &str, folder: &Path, by: Stamp) -> Result<SocketAddr, MeshError>;

    /// The address of the listener through which an instance's calls leave. Pure.
    fn outbound(&self, folder: &Path) -> crate::Endpoint;

    /// The address of this machine at which proxies find a link.
    fn link_host(&self) -> IpAddr {
        Ipv4Addr::LOCALHOST.into()
    }

    /// Sends a configuration to every proxy of the bindings. Proxies of no instance are left alone; those that are severed have it
    /// when they rejoin, and nothing waits for them.
    ///
    /// # Errors
    /// Where a proxy rejects it, in the proxy's own words; the last good configuration is sent again first.
    async fn apply(&self, new: &Self::Config, at: &Bindings, by: Stamp) -> Result<Applied, MeshError>;

    /// Proves that what was applied is in force: every proxy acknowledged it, holds its version, and answers a probe,
    /// which touches no upstream, by the new state. Proxies that are severed prove it when they rejoin.
    ///
    /// # Errors
    /// Where a proxy lags, by name, with the reason.
    async fn confirm(&self, done: &Applied, at: &Bindings, by: Stamp) -> Result<Confirmed, MeshError>;

    /// Has exactly these faults of the plan in place, confirmed: arming and ending are both this call. Proxies that are first
    /// configured later in the same run have them, too, before that configuration is applied.
    ///
    /// # Errors
    /// Where a proxy rejects or lags.
    async fn arm(&self, plan: &Plan, at: &Bindings, armed: &BTreeSet<FaultId>, by: Stamp) -> Result<Effect, MeshError>;

    /// The services of others at whose proxies faults of this plan sit: they ask about each try, from the first
    /// [`arm`](Mesh::arm) of a run on. Pure.
    fn asking(&self, plan: &Plan) -> BTreeSet<ServiceName> {
        let _ = plan;
        BTreeSet::new()
    }

    /// What they have asked since the last call about tries of calls whose ids begin with this.
    fn asked(&self, prefix: &str) -> Vec<AskedRecord> {
        let _ = prefix;
        Vec::new()
    }

    /// Counters and gauges of every proxy, now.
    ///
    /// # Errors
    /// Where a proxy does not answer.
    async fn counters(&self, at: &Bindings) -> Result<BTreeMap<InstanceId, BTreeMap<String, u64>>, MeshError>;

    /// The policy that each proxy has in force for the calls that it forwards: what a report sets beside what was written. Empty where
    /// proxies have no way to say.
    async fn policies(&self, at: &Bindings) -> PoliciesInForce {
        let _ = at;
        PoliciesInForce::new()
    }

    /// Sends a marker request through every proxy, both sides: once its lines have arrived, all earlier ones have.
    ///
    /// # Errors
    /// Where a proxy does not answer.
    async fn mark(&self, marker: &str, at: &Bindings, by: Stamp) -> Result<(), MeshError>;

    /// Where a proxy of this folder writes. Pure.
    fn logs(&self, folder: &Path) -> Logs;

    /// Reads one line of an access log. Pure.
    ///
    /// # Errors
    /// The reason, where the line is none of ours.
    fn read_access(
        &self,
        line: &str,
        side: Side,
        proxy: &InstanceId,
        at: &Bindings,
        clock: WallOffset,
    ) -> Result<LogLine, String>;

    /// Reads one line of an upstream log. Pure.
    ///
    /// # Errors
    /// The reason, where the line is none of ours.
    fn read_try(&self, line: &str, proxy: &InstanceId, at: &Bindings, clock: WallOffset) -> Result<LogLine, String>;

    /// Reads one line of what a proxy says of other instances: ejections, health checks. Pure.
    ///
    /// # Errors
    /// The reason, where the line is none of ours.
    fn read_state(&self, line: &str, proxy: &InstanceId, at: &Bindings, clock: WallOffset) -> Result<LogLine, String> {
        let _ = (line, proxy, at, clock);
        Err("this mesh does not say what it thinks of instances".into())
    }

    /// What happened since the last call: leases that ran out, streams lost, rejections.
    fn events(&self) -> Vec<MeshEvent>;

    /// The control plane dies: it answers no more, and proxies keep what they have. Faults live on a channel of their own.
    ///
    /// # Errors
    /// Where it cannot be stopped.
    async fn stop_control_plane(&self) -> Result<Effect, MeshError>;

    /// The control plane comes back, with the configuration wanted last, and every proxy has it, confirmed.
    ///
    /// # Errors
    /// Where it cannot be started, or a proxy lags.
    async fn start_control_plane(&self, at: &Bindings, by: Stamp) -> Result<Effect, MeshError>;

    /// Whether each of these proxies is connected to its control plane now, by its own word.
    ///
    /// # Errors
    /// Where a proxy does not answer.
    async fn connected(&self, at: &Bindings, by: Stamp) -> Result<BTreeMap<InstanceId, bool>, MeshError>;

    /// Has a proxy that is to end take no more connections and finish what it has, as far as that comes to an end by then.
    ///
    /// # Errors
    /// Where it does not answer.
    async fn drain(&self, instance: &InstanceId, seat: &Seat, by: Stamp) -> Result<(), MeshError> {
        let _ = (instance, seat, by);
        Ok(())
    }

    /// Has processes of these instances stand still. False: whoever placed them does it, since a signal reaches them.
    ///
    /// # Errors
    /// Where they do not by then.
    async fn pause(&self, part: Part, at: &Bindings, by: Stamp) -> Result<bool, MeshError> {
        let _ = (part, at, by);
        Ok(false)
    }

    /// Has them go on; those that do not stand still, or are gone, are no error. False as with [`pause`](Mesh::pause).
    ///
    /// # Errors
    /// Where they do not by then.
    async fn resume(&self, part: Part, at: &Bindings, by: Stamp) -> Result<bool, MeshError> {
        let _ = (part, at, by);
        Ok(false)
    }

    /// Has instances that somebody else deployed end in order, all at once, and waits for those that their owners start in their places;
    /// says of each what came of it.
    ///
    /// # Errors
    /// Where one has none in its place by then, where fewer are ready than there have to be, and then nobody was ended, or where this mesh joins
    /// nobody's applications.
    async fn replace(&self, of: Leaving<'_>, by: Stamp) -> Result<Vec<Replaced>, MeshError> {
        let _ = (of, by);
        Err(Refusal(format!("{} restarts nothing of somebody else's", self.name())).into())
    }

    /// Where an instance of somebody else's is by now that was deployed at this address.
    fn found(&self, deployed: SocketAddr) -> SocketAddr {
        deployed
    }

    /// For how long a line of a log may be in its proxy's memory alone: whoever kills the proxy loses it.
    fn unwritten(&self) -> Duration {
        Duration::ZERO
    }

    /// These proxies can no longer reach the control plane; the others can, and faults live on. What they should learn meanwhile
    /// they learn when they [rejoin](Mesh::rejoin).
    ///
    /// # Errors
    /// Where the mesh cannot take some proxies from their control plane.
    async fn sever(&self, at: &Bindings) -> Result<Effect, MeshError> {
        let _ = at;
        Err(Refusal(format!("{} cannot be cut off from its control plane in part", self.name())).into())
    }

    /// These proxies can reach the control plane again, and have what they missed, confirmed; where it is dead meanwhile they have
    /// it when that is back.
    ///
    /// # Errors
    /// Where a proxy lags.
    async fn rejoin(&self, at: &Bindings, by: Stamp) -> Result<Effect, MeshError> {
        let _ = (at, by);
        Err(Refusal(format!("{} cannot be cut off from its control plane in part", self.name())).into())
    }

    /// Forgets a proxy: it was thrown away.
    fn forget(&self, seat: &Seat);
}

/// What a proxy does with the calls to a host, or with some of them: one route, with what it leads to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PolicyInForce {
    /// The host that is called, by the first label of its name.
    pub host: String,
    /// In words: `timeout 1.5 s; 2 retries on 5xx; …`.
    pub says: String,
}

/// What each proxy says of itself, or why it did not: one that is silent keeps nobody else's word back.
pub type PoliciesInForce = BTreeMap<InstanceId, Result<Vec<PolicyInForce>, MeshError>>;

/// Instances of one service that somebody else deployed, which are to end.
#[derive(Debug, Clone, Copy)]
pub struct Leaving<'a> {
    /// Where it is deployed.
    pub of: &'a Deployed,
    /// Where they are.
    pub all: &'a [SocketAddr],
    /// So many of the service have to be ready, or nobody ends.
    pub least: usize,
}

/// An instance of somebody else's in the place of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// When the former one was told to end.
    pub asked: Stamp,
    /// When it was seen gone.
    pub gone: Stamp,
    /// When the other was seen ready.
    pub ready: Stamp,
    /// Where the other is.
    pub at: SocketAddr,
    /// Who went, and who came, for people.
    pub how: String,
}

/// What a mesh cannot do, with the reason.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Refusal(pub String);

/// A configuration that was sent: what `confirm` proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Number of the push, rising over the run.
    pub generation: u64,
    /// When it was asked for.
    pub asked: Stamp,
}

/// A configuration that is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confirmed {
    /// When the last proxy acknowledged it.
    pub acked: Stamp,
    /// From when on every probe saw it.
    pub effective: Stamp,
    /// The last moment at which a probe saw the state before; `asked` if none did.
    pub last_old: Stamp,
}

impl Confirmed {
    /// Of what was asked for at this moment.
    #[must_use]
    pub fn effect(self, asked: Stamp) -> Effect {
        Effect { asked, acked: self.acked, effective: self.effective, last_old: self.last_old }
    }
}

/// Why a mesh did not do what was asked.
#[derive(Debug, Clone, Error)]
pub enum MeshError {
    /// A proxy rejected a configuration.
    #[error("{instance} rejects the configuration: {words}")]
    Rejected {
        /// Which.
        instance: String,
        /// In its own words.
        words: String,
    },
    /// Proxies that did not follow in time.
    #[error("not in force by the deadline: {}", .0.join("; "))]
    Lagging(Vec<String>),
    /// Instances of somebody else's stayed where they are: why, and who went nevertheless.
    #[error("{0}")]
    Spared(String),
    /// A proxy cannot be asked.
    #[error("{instance} does not answer: {why}")]
    Silent {
        /// Which.
        instance: String,
        /// Why.
        why: String,
    },
    /// It has no words for what is wanted.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Its own servers failed.
    #[error("the control plane failed: {0}")]
    ControlPlane(String),
}

/// Something that a mesh noticed by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MeshEvent {
    /// A lease ran out under us: the proxy of this node dropped its faults.
    Lapsed {
        /// Which proxy.
        node: String,
        /// When it was noticed.
        at: Stamp,
    },
    /// Processes of this node that stood still went on under us, or one of them ended: not all of the pause lasted. Not to be taken for
    /// faults that are dropped, as a proxy that stands still has to drop them.
    Woke {
        /// Whose.
        node: String,
        /// What was to stand still.
        part: Part,
        /// Since when, as far as is known.
        at: Stamp,
        /// After how long, and why.
        why: String,
    },
    /// A proxy rejected a configuration.
    Rejected {
        /// Which proxy.
        node: String,
        /// In its own words.
        words: String,
    },
}

/// Wall-clock time minus monotonic time in nanoseconds: proxies log the one, we compare the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WallOffset(pub i128);

/// The files that a proxy writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logs {
    /// Access log of the outbound listener.
    pub outbound: PathBuf,
    /// Access log of the inbound listener.
    pub inbound: PathBuf,
    /// Upstream log of the outbound listener: a line a try.
    pub tries: PathBuf,
    /// What it says of other instances: ejections, health checks. Files may be missing as long as it has said nothing.
    pub states: Vec<PathBuf>,
    /// The proxy's own log.
    pub own: PathBuf,
}

/// One line of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogLine {
    /// A call or a try.
    Access(AccessRecord),
    /// A try as its sender saw it.
    Try(TryRecord),
    /// What a proxy thinks of an instance.
    State(StateRecord),
    /// A marker: everything before it has been read.
    Marker(String),
    /// A health check: what a caller's proxy asks by itself.
    Check,
    /// One of our own probes.
    Probe,
}
