//! What render needs to know: what is wanted, and what was bound late.

use serde::Serialize;
use squall_model::{Fault, InstanceId, PolicyKind, Topology};
use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

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

/// Addresses and names that only a placed run knows. Snapshots use fixed ones, so `render` stays pure.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bindings {
    /// One an instance.
    pub seats: BTreeMap<InstanceId, Seat>,
    /// Names the run of the scenario. It is part of every cluster (as metadata), so that each run's clusters are new:
    /// a pooled proxy takes no ejected host, open breaker or connection over from the scenario before.
    pub tag: String,
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
