//! What render needs to know: what is wanted, and what was bound late.

use serde::Serialize;
use squall_model::{Fault, InstanceId, Plan, PolicyKind, Topology, Wire};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// The whole desired state of a mesh, free of addresses.
#[derive(Debug, Clone)]
pub struct Desired<'a> {
    /// Services and instances as they are now (after growth, say).
    pub topology: &'a Topology,
    /// The policies in effect now, in order of writing.
    pub policies: Vec<&'a PolicyKind>,
    /// Every fault of the plan: their filters are in place, at 0 %, from the baseline on.
    pub faults: &'a [Fault],
}

impl<'a> Desired<'a> {
    /// What a plan wants from the beginning.
    #[must_use]
    pub fn of(plan: &'a Plan) -> Desired<'a> {
        let policies = plan.policies.iter().map(|policy| &policy.says).collect();
        Desired { topology: &plan.topology, policies, faults: &plan.faults }
    }
}

/// Addresses and names that only a placed run knows. Snapshots use fixed ones, so `render` stays pure.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bindings {
    /// One an instance.
    pub seats: BTreeMap<InstanceId, Seat>,
    /// Wires that a link carries: where the caller's proxy connects instead of to the callee's own address. The callee is the
    /// same instance under either.
    pub wires: BTreeMap<Wire, SocketAddr>,
    /// Other addresses of instances: those that they had before they came back under another, of which a line of a log may still speak,
    /// and those of instances that somebody else deployed, which have no seat.
    pub others: BTreeMap<SocketAddr, InstanceId>,
    /// Names the run of the scenario. It is part of every cluster (as metadata), so that each run's clusters are new:
    /// a pooled proxy takes no ejected host, open breaker or connection over from the scenario before.
    pub tag: String,
}

impl Bindings {
    /// Where this caller's proxy reaches this callee's: by the link that carries the wire between them, else directly. `None`:
    /// the callee has no seat.
    #[must_use]
    pub fn way(&self, from: &InstanceId, to: &InstanceId) -> Option<SocketAddr> {
        let wire = Wire { from: from.clone(), to: to.clone() };
        self.wires.get(&wire).copied().or_else(|| self.seats.get(to).map(|seat| seat.inbound))
    }

    /// Whose address this is: the callee's own, that of a wire to it, or another of its own.
    #[must_use]
    pub fn at(&self, address: SocketAddr) -> Option<&InstanceId> {
        let own = self.seats.iter().find(|(_, seat)| seat.inbound == address).map(|(id, _)| id);
        let by_wire = || self.wires.iter().find(|(_, at)| **at == address).map(|(wire, _)| &wire.to);
        own.or_else(by_wire).or_else(|| self.others.get(&address))
    }
}

/// Where one instance's proxy and workload are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    /// The proxy's node id, unique within the run: a pooled proxy keeps it over scenarios, a restarted one gets a new one.
    pub node: String,
    /// The proxy's own folder: admin socket, logs, outbound socket.
    pub folder: PathBuf,
    /// Where the proxy accepts tries.
    pub inbound: SocketAddr,
    /// Where the workload accepts them; `None`: the instance has no workload (it is called by nobody).
    pub workload: Option<Endpoint>,
}

/// Where something listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Endpoint {
    /// On a Unix socket.
    Unix(PathBuf),
    /// On TCP, loopback.
    Tcp(SocketAddr),
}

/// How to start a proxy: files to write first, then a program to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Files to write before, with their content.
    pub files: Vec<(PathBuf, String)>,
}

/// How a workload is started on this machine, and what it reads and writes.
#[derive(Debug, Clone, Copy)]
pub struct WorkloadStart<'a> {
    /// The program: our own.
    pub exe: &'a Path,
    /// The folder of the proxy that it is behind.
    pub proxy: &'a Path,
    /// The file that says what it is.
    pub config: &'a Path,
    /// The socket by which it is told what to do.
    pub control: &'a Path,
    /// The file that it writes its tries into.
    pub ledger: &'a Path,
    /// What it says of itself.
    pub log: &'a Path,
}

impl WorkloadStart<'_> {
    /// Its arguments.
    #[must_use]
    pub fn args(&self) -> Vec<String> {
        vec!["workload".into(), "--config".into(), self.config.display().to_string()]
    }

    /// On this machine, as it is.
    #[must_use]
    pub fn here(&self) -> Launch {
        Launch { program: self.exe.to_owned(), args: self.args(), files: Vec::new() }
    }
}
