//! A mesh whose rendering gets the aim of faults wrong, or whose logs lose lines; everything else is right.

use crate::aimed;
use squall_mesh::{
    Applied, Bindings, Confirmed, Desired, Endpoint, Launch, LogLine, Logs, Mesh, MeshError, MeshEvent, Refusal, Seat,
    WallOffset,
};
use squall_model::{AccessRecord, Diagnostic, Effect, Fault, FaultId, InstanceId, Plan, Side, Stamp, Touch, Traffic};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::Path,
};

/// What becomes of a fault's aim.
pub(crate) type Aim = fn(&mut Traffic, &mut Touch);

/// Is this line lost?
pub(crate) type Loses = fn(&AccessRecord) -> bool;

/// A mesh, and what goes wrong in it.
pub(crate) struct Misaimed<M> {
    pub(crate) mesh: M,
    pub(crate) aim: Aim,
    pub(crate) loses: Loses,
}

impl<M> Misaimed<M> {
    fn faults(&self, wanted: &[Fault]) -> Vec<Fault> {
        let mut faults = wanted.to_vec();
        faults.iter_mut().for_each(|fault| aimed(self.aim, &mut fault.does));
        faults
    }
}

impl<M: Mesh> Mesh for Misaimed<M> {
    type Config = M::Config;

    fn render(&self, want: &Desired<'_>, at: &Bindings) -> Result<M::Config, Refusal> {
        let faults = self.faults(want.faults);
        self.mesh.render(&Desired { faults: &faults, ..want.clone() }, at)
    }

    async fn arm(&self, plan: &Plan, at: &Bindings, armed: &BTreeSet<FaultId>, by: Stamp) -> Result<Effect, MeshError> {
        let plan = Plan { faults: self.faults(&plan.faults), ..plan.clone() };
        self.mesh.arm(&plan, at, armed, by).await
    }

    fn name(&self) -> &str {
        self.mesh.name()
    }

    fn refuses(&self, plan: &Plan) -> Vec<Refusal> {
        self.mesh.refuses(plan)
    }

    fn lint(&self, plan: &Plan) -> Vec<Diagnostic> {
        self.mesh.lint(plan)
    }

    fn launch(&self, node: &str, folder: &Path) -> Launch {
        self.mesh.launch(node, folder)
    }

    async fn ready(&self, node: &str, folder: &Path, by: Stamp) -> Result<SocketAddr, MeshError> {
        self.mesh.ready(node, folder, by).await
    }

    fn outbound(&self, folder: &Path) -> Endpoint {
        self.mesh.outbound(folder)
    }

    async fn apply(&self, new: &M::Config, at: &Bindings, by: Stamp) -> Result<Applied, MeshError> {
        self.mesh.apply(new, at, by).await
    }

    async fn confirm(&self, done: &Applied, at: &Bindings, by: Stamp) -> Result<Confirmed, MeshError> {
        self.mesh.confirm(done, at, by).await
    }

    async fn counters(&self, at: &Bindings) -> Result<BTreeMap<InstanceId, BTreeMap<String, u64>>, MeshError> {
        self.mesh.counters(at).await
    }

    async fn mark(&self, marker: &str, at: &Bindings, by: Stamp) -> Result<(), MeshError> {
        self.mesh.mark(marker, at, by).await
    }

    fn logs(&self, folder: &Path) -> Logs {
        self.mesh.logs(folder)
    }

    fn read_access(
        &self,
        line: &str,
        side: Side,
        proxy: &InstanceId,
        at: &Bindings,
        clock: WallOffset,
    ) -> Result<LogLine, String> {
        self.mesh.read_access(line, side, proxy, at, clock).map(|line| match line {
            // Nobody ever looks at a probe: as good as not written.
            LogLine::Access(record) if (self.loses)(&record) => LogLine::Probe,
            line => line,
        })
    }

    fn read_try(&self, line: &str, proxy: &InstanceId, at: &Bindings, clock: WallOffset) -> Result<LogLine, String> {
        self.mesh.read_try(line, proxy, at, clock)
    }

    fn events(&self) -> Vec<MeshEvent> {
        self.mesh.events()
    }

    async fn stop_control_plane(&self) -> Result<Effect, MeshError> {
        self.mesh.stop_control_plane().await
    }

    async fn start_control_plane(&self, at: &Bindings, by: Stamp) -> Result<Effect, MeshError> {
        self.mesh.start_control_plane(at, by).await
    }

    async fn connected(&self, at: &Bindings, by: Stamp) -> Result<BTreeMap<InstanceId, bool>, MeshError> {
        self.mesh.connected(at, by).await
    }

    fn forget(&self, seat: &Seat) {
        self.mesh.forget(seat);
    }
}
