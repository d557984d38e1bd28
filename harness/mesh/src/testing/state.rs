//! The fake's proxies, and how what is wanted of them comes to them.

use super::{Defect, Trouble, fake::ProxyConfig, plane};
use crate::{Bindings, MeshError, Seat};
use squall_model::{Effect, Fault, FaultId, FaultKind, InstanceId, Level, Stamp, Which};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// A proxy.
#[derive(Debug, Default)]
pub(super) struct Proxy {
    pub(super) instance: Option<InstanceId>,
    pub(super) trouble: Option<Trouble>,
    /// What it acts by.
    pub(super) holds: ProxyConfig,
    /// What it confirmed last.
    pub(super) good: ProxyConfig,
    /// What it should have.
    pub(super) wanted: ProxyConfig,
    /// The faults that it acts by.
    pub(super) layer: Vec<Fault>,
    pub(super) memory: plane::Memory,
}

/// The faults that are in place in a run.
#[derive(Debug, Clone, Default)]
pub(super) struct Armed {
    pub(super) faults: Vec<Fault>,
    pub(super) here: BTreeSet<FaultId>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) proxies: BTreeMap<String, Proxy>,
    pub(super) workloads: BTreeMap<InstanceId, (u16, Duration)>,
    pub(super) seats: BTreeMap<InstanceId, String>,
    pub(super) defect: Option<Defect>,
    pub(super) armed: BTreeMap<String, Armed>,
    pub(super) stopped: bool,
    /// Nodes that cannot reach the control plane.
    pub(super) severed: BTreeSet<String>,
    pub(super) clock: u64,
}

impl State {
    pub(super) fn is(&self, defect: Defect) -> bool {
        self.defect == Some(defect)
    }

    pub(super) fn now(&mut self) -> Stamp {
        self.clock += 1;
        Stamp(self.clock)
    }

    /// Gives every seat's proxy what it should have. Who rejects it is an error, and has everything taken back.
    pub(super) fn tell(&mut self, at: &Bindings) -> Result<(), MeshError> {
        for seat in at.seats.values() {
            let hears = !self.is_severed(&seat.node) || self.is(Defect::TellsTheSevered);
            let Some(proxy) = self.proxies.get_mut(&seat.node) else { continue };
            if proxy.trouble.is_none() && hears {
                proxy.holds = proxy.wanted.clone();
            }
        }
        let refuses = |(instance, seat): (&InstanceId, &Seat)| {
            (self.proxies.get(&seat.node)?.trouble? == Trouble::Refusing).then(|| instance.to_string())
        };
        if let Some(instance) = at.seats.iter().find_map(refuses) {
            if !self.is(Defect::KeepsHalfOfWhatWasRejected) {
                self.proxies.values_mut().for_each(Proxy::take_back);
            }
            return Err(MeshError::Rejected { instance, words: "this proxy likes nothing".into() });
        }
        let at = self.awaited(at);
        self.lagging(
            &at,
            |proxy| matches!(proxy.trouble, Some(Trouble::Paused | Trouble::Dead)),
            "did not acknowledge",
        )?;
        let unheard = |proxy: &Proxy| proxy.trouble.is_none() && proxy.holds != proxy.wanted;
        self.lagging(&at, unheard, "did not acknowledge")
    }

    pub(super) fn is_severed(&self, node: &str) -> bool {
        self.severed.contains(node)
    }

    /// The seats whose proxies are waited for.
    pub(super) fn awaited(&self, at: &Bindings) -> Bindings {
        let mut at = at.clone();
        if !self.is(Defect::WaitsForTheSevered) {
            at.seats.retain(|_, seat| !self.severed.contains(&seat.node));
        }
        at
    }

    /// An error that names those of whom this is true.
    pub(super) fn lagging(&self, at: &Bindings, lags: impl Fn(&Proxy) -> bool, why: &str) -> Result<(), MeshError> {
        let seats = at.seats.iter().filter_map(|(id, seat)| Some((id, self.proxies.get(&seat.node)?)));
        let seats: Vec<(&InstanceId, bool)> = seats.map(|(id, proxy)| (id, lags(proxy))).collect();
        if seats.iter().all(|(_, lags)| !lags) {
            return Ok(());
        }
        let blamed = seats.iter().filter(|(_, lags)| *lags || self.is(Defect::BlamesEverybody));
        let why = if self.is(Defect::GivesNoReason) { "" } else { why };
        Err(MeshError::Lagging(blamed.map(|(id, _)| format!("{id} {why}")).collect()))
    }

    /// Has every seat's layer follow from what is armed.
    pub(super) fn bring_layers(&mut self, at: &Bindings, armed: &Armed) -> Result<(), MeshError> {
        let mut missed = BTreeSet::new();
        for (instance, seat) in &at.seats {
            let ignores_instances = self.is(Defect::IgnoresInstances);
            let Some(proxy) = self.proxies.get_mut(&seat.node) else { continue };
            let here = armed.faults.iter().filter(|fault| armed.here.contains(&fault.id));
            let aimed = here.filter(|fault| is_aimed_at(fault, instance, ignores_instances));
            let layer: Vec<Fault> = aimed.cloned().collect();
            if layer == proxy.layer {
                continue;
            }
            match proxy.trouble {
                None | Some(Trouble::Refusing) => proxy.layer = layer,
                Some(_) => drop(missed.insert(seat.node.clone())),
            }
        }
        let is_missed = |proxy: &Proxy| {
            let node = proxy.instance.as_ref().and_then(|id| self.seats.get(id));
            node.is_some_and(|node| missed.contains(node))
        };
        self.lagging(at, is_missed, "does not answer by its faults")
    }

    pub(super) fn effect(&mut self, asked: Stamp) -> Effect {
        let last_old = self.now();
        let (acked, effective) = (self.now(), self.now());
        Effect { asked, acked, effective, last_old }
    }
}

impl Proxy {
    fn take_back(&mut self) {
        self.wanted = self.good.clone();
        if self.trouble.is_none() {
            self.holds = self.good.clone();
        }
    }
}

/// Whether a fault sits at this instance: at its calls, or at the tries that reach it.
fn is_aimed_at(fault: &Fault, instance: &InstanceId, at_the_whole_service: bool) -> bool {
    let of = match &fault.does {
        FaultKind::Touch { on, .. } if on.level == Level::Calls => {
            return on.of.from.as_ref().is_none_or(|f| *f == instance.service);
        }
        FaultKind::Touch { on, .. } => &on.of,
        _ => return false,
    };
    of.to.as_ref().is_none_or(|to| {
        let chosen = match to.which {
            Which::Instance(number) => number == instance.number || at_the_whole_service,
            _ => true,
        };
        to.service == instance.service && chosen
    })
}
