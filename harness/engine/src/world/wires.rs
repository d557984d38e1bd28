//! Wires that a link carries: laid where the scenario damages them, in its main run and its control runs alike.

use super::{World, until_now};
use crate::{
    clock, deadline,
    error::EngineError,
    pool::{Pool, within},
};
use squall_evidence::Process;
use squall_link::{Control, ControlError, LinkConfig, WireConfig};
use squall_mesh::Mesh;
use squall_model::{
    Damage, Effect, Fault, FaultKind, Fraction, InstanceId, Plan, Topology, Wire, Wires, damaged_wires,
};
use squall_place::{ProcessHandle, ProcessId, ProcessSpec};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    mem::discriminant,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

/// How long damage outlives us: as long as the faults in the proxies.
const LEASE: Duration = Duration::from_secs(3);

/// The process that carries the wires of a scenario.
#[derive(Debug)]
pub(crate) struct Links {
    name: InstanceId,
    process: ProcessHandle,
    control: Control,
    records: PathBuf,
    log: PathBuf,
    listens: BTreeMap<Wire, SocketAddr>,
}

impl Links {
    /// Starts a link for these wires, each to the callee's address.
    async fn start<M: Mesh>(pool: &Pool<'_, M>, wires: Vec<WireConfig>, seed: u64) -> Result<Links, EngineError> {
        let home = pool.keeper.folder().process_folder("link")?;
        let (control, records, log) = (home.socket("ctl.sock")?, home.file("wires.jsonl"), home.log());
        let host = pool.mesh.link_host();
        let config = LinkConfig { control: control.clone(), records: records.clone(), host, wires, seed, ttl: LEASE };
        let path = home.file("config.json");
        let text = serde_json::to_vec(&config).map_err(|e| EngineError::Plan(e.to_string()))?;
        std::fs::write(&path, text).map_err(EngineError::io(format!("write {}", path.display())))?;
        let args = [OsString::from("link"), "--config".into(), path.into()];
        let process = pool.keeper.spawn(ProcessSpec::new("link", pool.exe, home).args(args)).await?;
        let connecting = Control::connect(&control, deadline::PLACE.at_most);
        let control = match within(deadline::PLACE, "the link to start", connecting).await {
            Ok(Ok(control)) => control,
            failed => {
                pool.kill(&process).await;
                failed??
            }
        };
        let listens = control.ready().listens.iter().cloned().collect();
        let name = InstanceId { service: "link".into(), number: 1 };
        Ok(Links { name, process, control, records, log, listens })
    }

    /// Where callers' proxies connect instead of to the callees.
    pub(super) fn listens(&self) -> &BTreeMap<Wire, SocketAddr> {
        &self.listens
    }

    pub(super) fn whose(&self) -> (ProcessId, (InstanceId, Process, PathBuf)) {
        (self.process.id, (self.name.clone(), Process::Link, self.log.clone()))
    }

    /// Whether its lease ran out under us: its wires have healed by themselves.
    pub(super) fn has_lapsed(&self) -> bool {
        self.control.lapsed().is_some()
    }

    /// The file of its records.
    pub(crate) fn records(&self) -> &Path {
        &self.records
    }

    /// Has it write a marker into its records, behind a line for each connection that is still open.
    pub(crate) async fn mark(&mut self, marker: &str) -> Result<(), EngineError> {
        within(deadline::BARRIER, "the link to take a marker", self.control.mark(marker)).await??;
        Ok(())
    }

    /// Ends it.
    pub(super) async fn end<M: Mesh>(self, pool: &Pool<'_, M>) {
        pool.kill(&self.process).await;
    }
}

impl<M: Mesh> World<'_, M> {
    /// Lays the wires that the plan, or any of its control runs, damages; none where there are none.
    pub(super) async fn lay_wires(&mut self, main: &Plan, whole: &Topology) -> Result<(), EngineError> {
        let needed = damaged_wires(main, whole);
        if needed.is_empty() {
            return Ok(());
        }
        let everybody: BTreeMap<&InstanceId, SocketAddr> =
            self.seats().map(|(id, placed)| (id, placed.inbound)).collect();
        let wires = needed.into_iter().map(|wire| {
            let to = everybody.get(&wire.to).copied();
            WireConfig { wire, to }
        });
        let wires = wires.collect();
        self.links = Some(Links::start(self.pool, wires, self.plan.seed).await?);
        self.know_everybody();
        Ok(())
    }

    /// Has exactly the armed damage in place, on every wire.
    pub(super) async fn damage(&mut self) -> Result<Effect, EngineError> {
        let asked = clock::now();
        let armed = self.armed.iter().filter_map(|id| self.plan.fault(*id));
        let mut all: BTreeMap<Wire, Vec<Damage>> = BTreeMap::new();
        for (wires, damages) in armed.filter_map(|fault| damage_of(fault, &self.plan.topology)) {
            for wire in wires.iter().flat_map(|wires| wires.all(&self.topology)) {
                let done = all.entry(wire).or_default();
                damages.iter().for_each(|damage| add(done, *damage));
            }
        }
        let Some(links) = &mut self.links else { return Ok(until_now(asked)) };
        let all: Vec<(Wire, Vec<Damage>)> = all.into_iter().collect();
        let at = match within(deadline::WIRE, "the link to damage its wires", links.control.damage(&all)).await? {
            // Evidence learns of the lapse by itself; the link takes what it is told next.
            Err(ControlError::Lapsed { .. }) => {
                within(deadline::WIRE, "the link to damage its wires", links.control.damage(&all)).await??
            }
            done => done?,
        };
        Ok(Effect::at(asked, at))
    }

    /// Cuts a site off, or has it come back: its wires, and its way to the control plane.
    pub(super) async fn cut_off(&mut self, inside: Vec<InstanceId>, here: bool) -> Result<Effect, EngineError> {
        let asked = clock::now();
        let mut site = self.living();
        site.seats.retain(|id, _| inside.contains(id));
        if here {
            let severed = self.pool.mesh.sever(&site).await?;
            let cut = self.damage().await?;
            return Ok(Effect { asked, ..later(severed, cut) });
        }
        let healed = self.damage().await?;
        let rejoined = self.pool.mesh.rejoin(&site, deadline::CONTROL_PLANE.from_now()).await?;
        Ok(Effect { asked, ..later(healed, rejoined) })
    }

    /// Whoever was taken from the control plane gets back to it.
    pub(super) async fn rejoin_everybody(&mut self) -> Result<(), EngineError> {
        if self.plan.faults.iter().any(|fault| fault.does.site_cut_off().is_some()) {
            self.pool.mesh.rejoin(&self.living(), deadline::CONTROL_PLANE.from_now()).await?;
        }
        Ok(())
    }

    /// Nobody is at this instance any more: who connects over a link is refused, as whoever connects directly.
    pub(super) async fn lead_nowhere(&mut self, id: &InstanceId) -> Result<(), EngineError> {
        self.lead(id, None).await
    }

    /// It is there again, under another address.
    pub(super) async fn lead_back(&mut self, id: &InstanceId) -> Result<(), EngineError> {
        let to = self.placed.get(id).filter(|_| !self.dead.contains(id)).map(|placed| placed.inbound);
        self.lead(id, to).await
    }

    async fn lead(&mut self, id: &InstanceId, to: Option<SocketAddr>) -> Result<(), EngineError> {
        let Some(links) = &mut self.links else { return Ok(()) };
        let wires: Vec<Wire> = links.listens.keys().filter(|wire| wire.to == *id).cloned().collect();
        for wire in wires {
            within(deadline::WIRE, "the link to lead elsewhere", links.control.lead(&wire, to)).await??;
        }
        Ok(())
    }
}

/// The wires that a fault damages, and how; `None` where it is no fault of the wire.
fn damage_of(fault: &Fault, topology: &Topology) -> Option<(Vec<Wires>, Vec<Damage>)> {
    let damages = match &fault.does {
        FaultKind::Wire { damage, .. } => vec![*damage],
        // Who calls is to notice at once.
        FaultKind::Outage { .. } => vec![Damage::Reset(Fraction::ALL), Damage::Refuse],
        _ => return None,
    };
    Some((fault.does.wires(topology), damages))
}

/// One damage more on a wire. Two of a kind are one: lint lets no two that differ meet, but an outage may come to a wire that
/// resets some connections already.
fn add(done: &mut Vec<Damage>, damage: Damage) {
    match (done.iter_mut().find(|other| discriminant(*other) == discriminant(&damage)), damage) {
        (None, _) => done.push(damage),
        (Some(Damage::Reset(known)), Damage::Reset(share)) => *known = share.max(*known),
        (Some(_), _) => {}
    }
}

/// Both, one after the other.
fn later(first: Effect, second: Effect) -> Effect {
    Effect {
        asked: first.asked.min(second.asked),
        acked: first.acked.max(second.acked),
        effective: first.effective.max(second.effective),
        last_old: first.last_old.max(second.last_old),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_of_a_kind_on_a_wire_are_one() {
        let reset = |percent: u32| Damage::Reset(Fraction::from_ppm(percent * 10_000).unwrap());
        let of = |damages: &[Damage]| {
            let mut done = Vec::new();
            damages.iter().for_each(|damage| add(&mut done, *damage));
            done
        };
        assert_eq!(of(&[Damage::Cut, Damage::Cut, Damage::Refuse]), [Damage::Cut, Damage::Refuse]);
        assert_eq!(of(&[reset(30), reset(100), Damage::Refuse]), [reset(100), Damage::Refuse]);
        assert_eq!(of(&[reset(100), Damage::Refuse, reset(30)]), [reset(100), Damage::Refuse]);
    }
}
