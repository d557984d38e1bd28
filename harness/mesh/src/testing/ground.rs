//! What a backend stands on while it is checked.

use crate::{Bindings, Mesh};
use squall_model::{Filter, InstanceId, ServiceName, Stamp, Topology};
use std::time::Duration;

/// A backend with proxies, workloads and a client of its own. Cases follow one another on one ground where each has bindings of
/// another tag, and workloads that answer plainly again; trouble is for a ground of its own.
#[expect(async_fn_in_trait, reason = "a check drives a ground from one thread and never spawns its futures")]
pub trait Ground {
    /// The backend.
    type Mesh: Mesh;

    /// The backend.
    fn mesh(&self) -> &Self::Mesh;

    /// A deadline that a healthy mesh keeps with ease.
    fn soon(&self) -> Stamp;

    /// A deadline for what is expected not to happen.
    fn shortly(&self) -> Stamp;

    /// Has a live proxy for every instance of this topology, and a workload behind each that is called. Those that are there
    /// already stay as they are. All bindings of one case have the same tag.
    async fn place(&mut self, topology: &Topology) -> Bindings;

    /// Has a workload answer so from now on; before, it answers with 200, at once.
    fn answer(&mut self, instance: &InstanceId, status: u16, after: Duration);

    /// Makes a call through the caller's proxy, and says what came of it.
    async fn call(&mut self, call: &Call) -> Seen;

    /// Brings a proxy into trouble. False: there is no way to do that here.
    async fn bring(&mut self, instance: &InstanceId, trouble: Trouble) -> bool;

    /// Ends a proxy's trouble, where that can be ended.
    async fn relieve(&mut self, instance: &InstanceId);
}

/// A call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Who makes it.
    pub from: InstanceId,
    /// To which service.
    pub to: ServiceName,
    /// What it looks like: path (default `/`), method (default GET), header, user.
    pub with: Filter,
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The status that its client saw.
    pub status: u16,
    /// The workloads that served a try of it, in order.
    pub tries: Vec<InstanceId>,
    /// How long it took.
    pub took: Duration,
}

/// What can be wrong with a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It does nothing, and can be told to go on.
    Paused,
    /// It is gone.
    Dead,
    /// It rejects whatever it is sent.
    Refusing,
    /// It acknowledges, and goes on as before.
    Lying,
}

impl Trouble {
    /// All of them.
    pub const ALL: [Trouble; 4] = [Trouble::Paused, Trouble::Dead, Trouble::Refusing, Trouble::Lying];
}
